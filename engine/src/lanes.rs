//! Who may work on what: one item at a time per lane, lanes in turn, each lane's items in order.
//! Kept in memory; the database knows the same and gives back what was lost here.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Mutex;

use tokio::sync::Notify;

use crate::domain::time::Timestamp;

/// What waits in lanes. It is there once, however often it is pushed.
pub(crate) trait Item {
    type Id: Copy + Eq + Hash + std::fmt::Debug;
    fn id(&self) -> Self::Id;
    /// Its place among the items of its lane.
    fn place(&self) -> (i64, Timestamp);
}

/// Lanes of items; a lane is busy from `take` until `done`.
#[derive(Debug)]
pub(crate) struct Lanes<K, T: Item> {
    state: Mutex<State<K, T>>,
    ready: Notify,
    rested: Notify,
}

#[derive(Debug)]
struct State<K, T: Item> {
    lanes: HashMap<K, Lane<T>>,
    ready: VecDeque<K>,
    /// Lanes that rest until a moment; the number tells two of the same moment apart.
    resting: BTreeMap<(Timestamp, u64), K>,
    rests: u64,
    items: usize,
    /// What waits or is worked on: what comes again meanwhile is the same.
    held: HashSet<T::Id>,
}

#[derive(Debug)]
struct Lane<T: Item> {
    items: VecDeque<T>,
    pace: Pace,
    /// What is worked on while the lane is busy.
    at_work: Option<T::Id>,
    /// It was woken while it was busy: its next rest ends at once.
    woken: bool,
}

impl<T: Item> Lane<T> {
    fn new(pace: Pace, at_work: Option<T::Id>) -> Self {
        Self {
            items: VecDeque::new(),
            pace,
            at_work,
            woken: false,
        }
    }
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

impl<K: Copy + Eq + Hash, T: Item> Lanes<K, T> {
    pub(crate) fn new() -> Self {
        let state = State {
            lanes: HashMap::new(),
            ready: VecDeque::new(),
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
    pub(crate) fn push(&self, key: K, item: T) {
        self.add(key, item, VecDeque::push_back);
    }

    /// Adds an item that goes before all that wait in its lane.
    pub(crate) fn push_front(&self, key: K, item: T) {
        self.add(key, item, VecDeque::push_front);
    }

    /// Adds an item that the database still had, at its place among what waits.
    pub(crate) fn restore(&self, key: K, item: T) {
        self.add(key, item, |items, item| {
            let place = item.place();
            let nth = items
                .iter()
                .position(|waiting| waiting.place() > place)
                .unwrap_or(items.len());
            items.insert(nth, item);
        });
    }

    fn add(&self, key: K, item: T, put: impl FnOnce(&mut VecDeque<T>, T)) {
        let mut state = self.lock();
        if !state.held.insert(item.id()) {
            return;
        }
        state.items += 1;
        let lane = state
            .lanes
            .entry(key)
            .or_insert_with(|| Lane::new(Pace::Free, None));
        let was_empty = lane.items.is_empty();
        put(&mut lane.items, item);
        if was_empty && lane.pace == Pace::Free {
            state.ready.push_back(key);
            self.ready.notify_one();
        }
    }

    /// Whether an item waits or is worked on.
    pub(crate) fn holds(&self, id: T::Id) -> bool {
        self.lock().held.contains(&id)
    }

    /// Takes the head of a lane that is free, and makes the lane busy.
    pub(crate) fn take(&self) -> Option<(K, T)> {
        let mut state = self.lock();
        let key = state.ready.pop_front()?;
        let lane = state.lanes.get_mut(&key).expect("a ready lane exists");
        let item = lane.items.pop_front().expect("a ready lane has an item");
        lane.pace = Pace::Busy;
        lane.at_work = Some(item.id());
        state.items -= 1;
        if !state.ready.is_empty() {
            self.ready.notify_one();
        }
        Some((key, item))
    }

    /// Makes an empty, idle lane busy with an item that need not be queued first.
    pub(crate) fn reserve(&self, key: K, id: T::Id) -> bool {
        let mut state = self.lock();
        if state.lanes.contains_key(&key) || !state.held.insert(id) {
            return false;
        }
        state.lanes.insert(key, Lane::new(Pace::Busy, Some(id)));
        true
    }

    /// Frees a lane that was busy.
    pub(crate) fn done(&self, key: K) {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(lane) = state.lanes.get_mut(&key) else {
            return;
        };
        if let Some(id) = lane.at_work.take() {
            state.held.remove(&id);
        }
        lane.woken = false;
        state.free(key);
        if !state.ready.is_empty() {
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
        lane.items.push_front(item);
        lane.at_work = None;
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

    /// Resolves when a lane may have become free.
    pub(crate) async fn changed(&self) {
        self.ready.notified().await;
    }

    /// Forgets everything: nobody works on anything any more, and the database knows it all.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.lanes.clear();
        state.ready.clear();
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
        self.lock().ready.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<K, T>> {
        self.state.lock().expect("no one panics while holding it")
    }
}

impl<K: Copy + Eq + Hash, T: Item> State<K, T> {
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

    impl Item for &'static str {
        type Id = Self;
        fn id(&self) -> Self {
            self
        }
        fn place(&self) -> (i64, Timestamp) {
            (0, Timestamp::default())
        }
    }

    impl Item for u8 {
        type Id = Self;
        fn id(&self) -> Self {
            *self
        }
        fn place(&self) -> (i64, Timestamp) {
            (i64::from(*self), Timestamp::default())
        }
    }

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
        let lanes: Lanes<char, u8> = Lanes::new();
        lanes.push('a', 1);
        lanes.push('a', 2);
        let (key, head) = lanes.take().expect("an item");
        lanes.rest(key, head, Timestamp::from_ms(100));
        lanes.push('a', 3);
        assert_eq!(lanes.take(), None);
        assert_eq!(lanes.next_rest(), Some(Timestamp::from_ms(100)));
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
        assert!(lanes.reserve('a', 9));
        assert!(!lanes.reserve('a', 8));
        lanes.push('a', 1);
        assert_eq!(lanes.take(), None);
        lanes.done('a');
        assert_eq!(lanes.take(), Some(('a', 1)));
    }

    #[test]
    fn what_is_held_is_not_taken_up_again_and_what_was_lost_finds_its_place() {
        let lanes: Lanes<char, u8> = Lanes::new();
        lanes.push('a', 1);
        lanes.push('a', 4);
        let (key, head) = lanes.take().expect("an item");
        lanes.restore('a', 1);
        lanes.restore('a', 4);
        lanes.restore('a', 3);
        assert_eq!(lanes.len(), 2);
        lanes.rest(key, head, Timestamp::from_ms(1));
        lanes.advance(Timestamp::from_ms(1));
        for expected in [1, 3, 4] {
            assert_eq!(lanes.take(), Some(('a', expected)));
            lanes.done('a');
        }
        lanes.push('a', 1);
        assert_eq!(lanes.len(), 1, "what was done may come again");
    }

    #[test]
    fn evidence_that_comes_while_a_lane_is_busy_ends_its_next_rest() {
        let lanes: Lanes<char, u8> = Lanes::new();
        lanes.push('a', 1);
        let (key, head) = lanes.take().expect("an item");
        lanes.wake(key);
        lanes.rest(key, head, Timestamp::from_ms(100));
        let (key, head) = lanes.take().expect("it does not rest");
        lanes.rest(key, head, Timestamp::from_ms(100));
        assert_eq!(lanes.take(), None, "it was woken once");
    }
}
