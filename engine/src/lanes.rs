//! Who may work on what: one item at a time per lane, each lane's items in order; lanes take turns, those of
//! different tenants in equal shares, and what someone waits for before what nobody does.
//! Kept in memory; the database knows the same and gives back what was lost here.

mod turns;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Mutex;

use tokio::sync::Notify;

use self::turns::Turns;
use crate::domain::time::Timestamp;

/// What waits in lanes. It is there once, however often it is pushed.
pub(crate) trait Item {
    type Id: Copy + Eq + Hash + std::fmt::Debug;
    fn id(&self) -> Self::Id;
    /// Its place among the items of its lane.
    fn place(&self) -> (i64, Timestamp);
}

/// What names a lane.
pub(crate) trait Key: Copy + Eq + Hash {
    /// Whose lane it is: everybody gets an equal share of the turns.
    type Share: Copy + Eq + Hash + std::fmt::Debug;
    fn share(&self) -> Self::Share;
}

/// Whether someone waits for an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// Nobody does at this moment: follow-ups, campaigns, what is left of a time when nothing worked.
    Background,
    /// A customer does.
    Live,
}

/// Lanes of items; a lane is busy from `take` until `done`.
#[derive(Debug)]
pub(crate) struct Lanes<K: Key, T: Item> {
    state: Mutex<State<K, T>>,
    ready: Notify,
    rested: Notify,
}

/// An item that was taken, and its lane, which is busy now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken<K, T> {
    pub(crate) key: K,
    pub(crate) item: T,
    /// That of the most urgent item of the lane: what stands before it hurries as well.
    pub(crate) urgency: Urgency,
}

#[derive(Debug)]
struct State<K: Key, T: Item> {
    lanes: HashMap<K, Lane<T>>,
    turns: Turns<K>,
    /// Lanes that rest until a moment; the number tells two of the same moment apart.
    resting: BTreeMap<(Timestamp, u64), K>,
    rests: u64,
    items: usize,
    /// What waits or is worked on: what comes again meanwhile is the same.
    held: HashSet<T::Id>,
}

#[derive(Debug)]
struct Lane<T: Item> {
    items: VecDeque<(T, Urgency)>,
    /// How many of them are live.
    live: usize,
    pace: Pace,
    /// What is worked on while the lane is busy.
    at_work: Option<(T::Id, Urgency)>,
    /// It was woken while it was busy: its next rest ends at once.
    woken: bool,
}

impl<T: Item> Lane<T> {
    fn new(pace: Pace, at_work: Option<(T::Id, Urgency)>) -> Self {
        Self {
            items: VecDeque::new(),
            live: 0,
            pace,
            at_work,
            woken: false,
        }
    }

    fn urgency(&self) -> Urgency {
        if self.live > 0 {
            Urgency::Live
        } else {
            Urgency::Background
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// In `turns`, or without items.
    Free,
    /// Someone works on its head.
    Busy,
    /// In `resting` under this key.
    Resting((Timestamp, u64)),
}

impl<K: Key, T: Item> Lanes<K, T> {
    pub(crate) fn new() -> Self {
        let state = State {
            lanes: HashMap::new(),
            turns: Turns::new(),
            resting: BTreeMap::new(),
            rests: 0,
            items: 0,
            held: HashSet::new(),
        };
        Self {
            state: Mutex::new(state),
            ready: Notify::new(),
            rested: Notify::new(),
        }
    }

    /// Adds an item at the end of a lane.
    pub(crate) fn push(&self, key: K, item: T, urgency: Urgency) {
        self.add(key, item, urgency, VecDeque::push_back);
    }

    /// Adds an item that goes before all that wait in its lane.
    pub(crate) fn push_front(&self, key: K, item: T, urgency: Urgency) {
        self.add(key, item, urgency, VecDeque::push_front);
    }

    /// Adds an item that the database still had, at its place among what waits.
    pub(crate) fn restore(&self, key: K, item: T, urgency: Urgency) {
        self.add(key, item, urgency, |items, entry| {
            let place = entry.0.place();
            let nth = items
                .iter()
                .position(|(waiting, _)| waiting.place() > place)
                .unwrap_or(items.len());
            items.insert(nth, entry);
        });
    }

    fn add(
        &self,
        key: K,
        item: T,
        urgency: Urgency,
        put: impl FnOnce(&mut VecDeque<(T, Urgency)>, (T, Urgency)),
    ) {
        let mut state = self.lock();
        let state = &mut *state;
        if !state.held.insert(item.id()) {
            return;
        }
        state.items += 1;
        let lane = state
            .lanes
            .entry(key)
            .or_insert_with(|| Lane::new(Pace::Free, None));
        put(&mut lane.items, (item, urgency));
        let hurries = urgency == Urgency::Live && lane.live == 0;
        lane.live += usize::from(urgency == Urgency::Live);
        match lane.pace {
            Pace::Free => state.line_up(key),
            // What it waited for may be a place among what nobody waits for.
            Pace::Busy => {
                lane.woken |= hurries;
                return;
            }
            Pace::Resting(at) if hurries => {
                state.resting.remove(&at);
                state.free(key);
            }
            Pace::Resting(_) => return,
        }
        self.ready.notify_one();
    }

    /// Whether an item waits or is worked on.
    pub(crate) fn holds(&self, id: T::Id) -> bool {
        self.lock().held.contains(&id)
    }

    /// Takes the head of a lane that is free, and makes the lane busy.
    pub(crate) fn take(&self) -> Option<Taken<K, T>> {
        let mut state = self.lock();
        let state = &mut *state;
        let key = state.turns.next()?;
        let lane = state.lanes.get_mut(&key).expect("a ready lane exists");
        let urgency = lane.urgency();
        let (item, own) = lane.items.pop_front().expect("a ready lane has an item");
        lane.live -= usize::from(own == Urgency::Live);
        lane.pace = Pace::Busy;
        lane.at_work = Some((item.id(), own));
        state.items -= 1;
        if state.turns.len() > 0 {
            self.ready.notify_one();
        }
        Some(Taken { key, item, urgency })
    }

    /// What waits behind the item that was taken from a lane, the next first.
    pub(crate) fn behind(&self, key: K, at_most: usize) -> Vec<T>
    where
        T: Clone,
    {
        let state = self.lock();
        let items = state
            .lanes
            .get(&key)
            .into_iter()
            .flat_map(|lane| &lane.items);
        items.take(at_most).map(|(item, _)| item.clone()).collect()
    }

    /// Takes items out of a busy lane: they were done together with the one at work.
    pub(crate) fn remove(&self, key: K, ids: impl Iterator<Item = T::Id>) {
        let ids: HashSet<T::Id> = ids.collect();
        let mut state = self.lock();
        let state = &mut *state;
        let Some(lane) = state.lanes.get_mut(&key) else {
            return;
        };
        let before = lane.items.len();
        lane.items.retain(|(item, _)| !ids.contains(&item.id()));
        let live = |(_, urgency): &&(T, Urgency)| *urgency == Urgency::Live;
        lane.live = lane.items.iter().filter(live).count();
        state.items -= before - lane.items.len();
        for id in ids {
            state.held.remove(&id);
        }
    }

    /// Makes an empty, idle lane busy with an item that need not be queued first.
    pub(crate) fn reserve(&self, key: K, id: T::Id, urgency: Urgency) -> bool {
        let mut state = self.lock();
        if state.lanes.contains_key(&key) || !state.held.insert(id) {
            return false;
        }
        state
            .lanes
            .insert(key, Lane::new(Pace::Busy, Some((id, urgency))));
        true
    }

    /// Frees a lane that was busy.
    pub(crate) fn done(&self, key: K) {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(lane) = state.lanes.get_mut(&key) else {
            return;
        };
        if let Some((id, _)) = lane.at_work.take() {
            state.held.remove(&id);
        }
        lane.woken = false;
        state.free(key);
        if state.turns.len() > 0 {
            self.ready.notify_one();
        }
    }

    /// Puts an item back at the head of its busy lane, and lets the lane rest until `until`.
    pub(crate) fn rest(&self, key: K, item: T, until: Timestamp) {
        let mut state = self.lock();
        let state = &mut *state;
        state.items += 1;
        state.held.insert(item.id());
        let lane = state
            .lanes
            .entry(key)
            .or_insert_with(|| Lane::new(Pace::Busy, None));
        let urgency = lane
            .at_work
            .take()
            .map_or(Urgency::Background, |(_, urgency)| urgency);
        lane.live += usize::from(urgency == Urgency::Live);
        lane.items.push_front((item, urgency));
        if std::mem::take(&mut lane.woken) {
            state.free(key);
            self.ready.notify_one();
            return;
        }
        state.rests += 1;
        let at = (until, state.rests);
        lane.pace = Pace::Resting(at);
        state.resting.insert(at, key);
        // Only a nearer moment is news to whoever ends the rests.
        if state
            .resting
            .first_key_value()
            .is_some_and(|(first, _)| *first == at)
        {
            self.rested.notify_one();
        }
    }

    /// Resolves when the next moment at which a rest ends has come nearer.
    pub(crate) async fn rested(&self) {
        self.rested.notified().await;
    }

    /// Ends the rest of a lane at once, or the one it is about to begin: what it waited for has come.
    pub(crate) fn wake(&self, key: K) {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(&key) else {
            return;
        };
        match lane.pace {
            Pace::Free => {}
            Pace::Busy => lane.woken = true,
            Pace::Resting(at) => {
                state.resting.remove(&at);
                state.free(key);
                self.ready.notify_one();
            }
        }
    }

    /// Ends the rest of every lane: what they all wait for may have come.
    pub(crate) fn wake_all(&self) {
        let mut state = self.lock();
        while let Some((_, key)) = state.resting.pop_first() {
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

    /// When the next rest of a lane ends.
    pub(crate) fn next_rest(&self) -> Option<Timestamp> {
        let state = self.lock();
        state
            .resting
            .first_key_value()
            .map(|((until, _), _)| *until)
    }

    /// Tells whoever waits for a lane to look again.
    pub(crate) fn nudge(&self) {
        self.ready.notify_one();
    }

    /// Resolves when a lane may have become free.
    pub(crate) async fn changed(&self) {
        self.ready.notified().await;
    }

    /// Forgets everything: nobody works on anything any more, and the database knows it all.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.lanes.clear();
        state.turns.clear();
        state.resting.clear();
        state.held.clear();
        state.items = 0;
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().items
    }

    /// How many lanes could be worked on now; those that rest or are worked on do not count.
    pub(crate) fn ready_lanes(&self) -> usize {
        self.lock().turns.len()
    }

    /// How many of them hold something that someone waits for.
    pub(crate) fn live_lanes(&self) -> usize {
        self.lock().turns.live()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<K, T>> {
        self.state.lock().expect("no one panics while holding it")
    }
}

impl<K: Key, T: Item> State<K, T> {
    fn free(&mut self, key: K) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.pace = Pace::Free;
            if lane.items.is_empty() {
                self.lanes.remove(&key);
            } else {
                self.line_up(key);
            }
        }
    }

    /// Gives a free lane a turn, at its urgency.
    fn line_up(&mut self, key: K) {
        if let Some(lane) = self.lanes.get(&key) {
            self.turns.line_up(key, lane.urgency());
        }
    }
}
