//! Whose turn it is: lanes that are ready, in equal shares, the live ones first.
//! Knows neither items nor rests.

use std::collections::{HashMap, VecDeque};

use super::{Key, Urgency};

/// One turn of so many goes to the background while something live waits, so that it never stands still.
const BACKGROUND_TURN: u32 = 8;

/// The lanes that are ready.
#[derive(Debug)]
pub(super) struct Turns<K: Key> {
    live: Queue<K>,
    background: Queue<K>,
    /// At which urgency a lane stands in line; an entry of the other queue is void.
    lined_up: HashMap<K, Urgency>,
    /// Turns of live lanes since the last one of the background.
    live_turns: u32,
}

/// Lanes by whose they are; the shares take turns, and within a share its lanes do.
#[derive(Debug)]
struct Queue<K: Key> {
    shares: VecDeque<K::Share>,
    lanes: HashMap<K::Share, VecDeque<K>>,
    /// Entries that are not void.
    len: usize,
}

impl<K: Key> Queue<K> {
    fn new() -> Self {
        Self {
            shares: VecDeque::new(),
            lanes: HashMap::new(),
            len: 0,
        }
    }

    fn push(&mut self, key: K) {
        let lanes = self.lanes.entry(key.share()).or_default();
        if lanes.is_empty() {
            self.shares.push_back(key.share());
        }
        lanes.push_back(key);
    }

    fn pop(&mut self) -> Option<K> {
        let share = self.shares.pop_front()?;
        let lanes = self.lanes.get_mut(&share)?;
        let key = lanes.pop_front();
        if lanes.is_empty() {
            self.lanes.remove(&share);
        } else {
            self.shares.push_back(share);
        }
        key
    }
}

impl<K: Key> Turns<K> {
    pub(super) fn new() -> Self {
        Self {
            live: Queue::new(),
            background: Queue::new(),
            lined_up: HashMap::new(),
            live_turns: 0,
        }
    }

    /// Gives a lane a turn. One that stands in line already moves up if it has become more urgent.
    pub(super) fn line_up(&mut self, key: K, urgency: Urgency) {
        match self.lined_up.get(&key) {
            Some(before) if *before >= urgency => return,
            Some(before) => {
                let before = *before;
                self.queue(before).len -= 1;
            }
            None => {}
        }
        self.lined_up.insert(key, urgency);
        let queue = self.queue(urgency);
        queue.push(key);
        queue.len += 1;
    }

    /// The lane whose turn it is; it stands in line no more.
    pub(super) fn next(&mut self) -> Option<K> {
        let background_waits = self.background.len > 0;
        let urgency =
            if self.live.len == 0 || (background_waits && self.live_turns >= BACKGROUND_TURN - 1) {
                Urgency::Background
            } else {
                Urgency::Live
            };
        self.live_turns = match urgency {
            Urgency::Live if background_waits => self.live_turns + 1,
            _ => 0,
        };
        loop {
            let key = self.queue(urgency).pop()?;
            if self.lined_up.get(&key) == Some(&urgency) {
                self.lined_up.remove(&key);
                self.queue(urgency).len -= 1;
                return Some(key);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    /// How many lanes stand in line.
    pub(super) const fn len(&self) -> usize {
        self.live.len + self.background.len
    }

    /// How many of them are live.
    pub(super) const fn live(&self) -> usize {
        self.live.len
    }

    const fn queue(&mut self, urgency: Urgency) -> &mut Queue<K> {
        match urgency {
            Urgency::Live => &mut self.live,
            Urgency::Background => &mut self.background,
        }
    }
}
