//! Who may work on what: one item at a time per lane, lanes in turn, each lane's items in order.
//! Kept in memory; the database knows the same and gives it back after a restart.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Mutex;

use tokio::sync::Notify;

use crate::domain::time::Timestamp;

/// Lanes of items; a lane is busy from `take` until `done`.
#[derive(Debug)]
pub(crate) struct Lanes<K, T> {
    state: Mutex<State<K, T>>,
    ready: Notify,
    rested: Notify,
}

#[derive(Debug)]
struct State<K, T> {
    lanes: HashMap<K, Lane<T>>,
    ready: VecDeque<K>,
    /// Lanes that rest until a moment; the number tells two of the same moment apart.
    resting: BTreeMap<(Timestamp, u64), K>,
    rests: u64,
    items: usize,
}

#[derive(Debug)]
struct Lane<T> {
    items: VecDeque<T>,
    pace: Pace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// In `ready`, or without items.
    Free,
    /// Someone works on its head.
    Busy,
    /// In `resting` under this key.
    Resting((Timestamp, u64)),
}

impl<K: Copy + Eq + Hash, T> Lanes<K, T> {
    pub(crate) fn new() -> Self {
        let state = State {
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            resting: BTreeMap::new(),
            rests: 0,
            items: 0,
        };
        Self {
            state: Mutex::new(state),
            ready: Notify::new(),
            rested: Notify::new(),
        }
    }

    /// Adds an item at the end of a lane.
    pub(crate) fn push(&self, key: K, item: T) {
        self.add(key, item, VecDeque::push_back);
    }

    /// Adds an item that goes before all that wait in its lane.
    pub(crate) fn push_front(&self, key: K, item: T) {
        self.add(key, item, VecDeque::push_front);
    }

    fn add(&self, key: K, item: T, put: fn(&mut VecDeque<T>, T)) {
        let mut state = self.lock();
        state.items += 1;
        let lane = state.lanes.entry(key).or_insert_with(|| Lane {
            items: VecDeque::new(),
            pace: Pace::Free,
        });
        let was_empty = lane.items.is_empty();
        put(&mut lane.items, item);
        if was_empty && lane.pace == Pace::Free {
            state.ready.push_back(key);
            self.ready.notify_one();
        }
    }

    /// Takes the head of a lane that is free, and makes the lane busy.
    pub(crate) fn take(&self) -> Option<(K, T)> {
        let mut state = self.lock();
        let key = state.ready.pop_front()?;
        let lane = state.lanes.get_mut(&key).expect("a ready lane exists");
        let item = lane.items.pop_front().expect("a ready lane has an item");
        lane.pace = Pace::Busy;
        state.items -= 1;
        if !state.ready.is_empty() {
            self.ready.notify_one();
        }
        Some((key, item))
    }

    /// Makes an empty, idle lane busy, so that its next item need not be queued first.
    pub(crate) fn reserve(&self, key: K) -> bool {
        let mut state = self.lock();
        match state.lanes.get(&key) {
            Some(_) => false,
            None => {
                state.lanes.insert(
                    key,
                    Lane {
                        items: VecDeque::new(),
                        pace: Pace::Busy,
                    },
                );
                true
            }
        }
    }

    /// Frees a lane that was busy.
    pub(crate) fn done(&self, key: K) {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(&key) else {
            return;
        };
        lane.pace = Pace::Free;
        if lane.items.is_empty() {
            state.lanes.remove(&key);
        } else {
            state.ready.push_back(key);
            self.ready.notify_one();
        }
    }

    /// Puts an item back at the head of its busy lane, and lets the lane rest until `until`.
    pub(crate) fn rest(&self, key: K, item: T, until: Timestamp) {
        let mut state = self.lock();
        state.items += 1;
        state.rests += 1;
        let at = (until, state.rests);
        let lane = state.lanes.entry(key).or_insert_with(|| Lane {
            items: VecDeque::new(),
            pace: Pace::Busy,
        });
        lane.items.push_front(item);
        lane.pace = Pace::Resting(at);
        state.resting.insert(at, key);
        self.rested.notify_one();
    }

    /// Resolves when a lane has begun to rest: the next moment may be nearer than it was.
    pub(crate) async fn rested(&self) {
        self.rested.notified().await;
    }

    /// Ends the rest of a lane at once: what it waited for has come.
    pub(crate) fn wake(&self, key: K) {
        let mut state = self.lock();
        if let Some(Lane {
            pace: Pace::Resting(at),
            ..
        }) = state.lanes.get(&key)
        {
            let at = *at;
            state.resting.remove(&at);
            state.free(key);
            self.ready.notify_one();
        }
    }

    /// Ends the rest of every lane whose moment has come; gives the next such moment.
    pub(crate) fn advance(&self, now: Timestamp) -> Option<Timestamp> {
        let mut state = self.lock();
        while let Some(((until, _), key)) = state.resting.first_key_value() {
            if *until > now {
                return Some(*until);
            }
            let key = *key;
            state.resting.pop_first();
            state.free(key);
            self.ready.notify_one();
        }
        None
    }

    /// Resolves when a lane may have become free.
    pub(crate) async fn changed(&self) {
        self.ready.notified().await;
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().items
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<K, T>> {
        self.state.lock().expect("no one panics while holding it")
    }
}

impl<K: Copy + Eq + Hash, T> State<K, T> {
    fn free(&mut self, key: K) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.pace = Pace::Free;
            if lane.items.is_empty() {
                self.lanes.remove(&key);
            } else {
                self.ready.push_back(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_gives_one_item_at_a_time_and_in_order() {
        let lanes = Lanes::new();
        for item in ["a1", "a2"] {
            lanes.push('a', item);
        }
        lanes.push('b', "b1");
        assert_eq!(lanes.take(), Some(('a', "a1")));
        assert_eq!(lanes.take(), Some(('b', "b1")));
        assert_eq!(lanes.take(), None);
        lanes.done('a');
        assert_eq!(lanes.take(), Some(('a', "a2")));
        assert_eq!(lanes.len(), 0);
    }

    #[test]
    fn a_resting_lane_keeps_its_head_and_its_order() {
        let lanes = Lanes::new();
        lanes.push('a', 1);
        lanes.push('a', 2);
        let (key, head) = lanes.take().expect("an item");
        lanes.rest(key, head, Timestamp::from_ms(100));
        lanes.push('a', 3);
        assert_eq!(lanes.take(), None);
        assert_eq!(
            lanes.advance(Timestamp::from_ms(99)),
            Some(Timestamp::from_ms(100))
        );
        assert_eq!(lanes.advance(Timestamp::from_ms(100)), None);
        assert_eq!(lanes.take(), Some(('a', 1)));
    }

    #[test]
    fn a_reserved_lane_is_nobody_elses() {
        let lanes: Lanes<char, u8> = Lanes::new();
        assert!(lanes.reserve('a'));
        assert!(!lanes.reserve('a'));
        lanes.push('a', 1);
        assert_eq!(lanes.take(), None);
        lanes.done('a');
        assert_eq!(lanes.take(), Some(('a', 1)));
    }
}
