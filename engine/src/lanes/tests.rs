//! Order, turns and rests, on lanes of letters.

use super::Urgency::{Background, Live};
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

/// The digits are the shares of even and odd.
impl Key for char {
    type Share = bool;
    fn share(&self) -> bool {
        self.to_digit(10).is_some_and(|digit| digit % 2 == 1)
    }
}

fn next<T: Item>(lanes: &Lanes<char, T>) -> Option<(char, T)> {
    lanes.take().map(|taken| (taken.key, taken.item))
}

#[test]
fn a_lane_gives_one_item_at_a_time_and_in_order() {
    let lanes = Lanes::new();
    for item in ["a1", "a2"] {
        lanes.push('a', item, Live);
    }
    lanes.push('b', "b1", Live);
    assert_eq!(next(&lanes), Some(('a', "a1")));
    assert_eq!(next(&lanes), Some(('b', "b1")));
    assert_eq!(next(&lanes), None);
    lanes.done('a');
    assert_eq!(next(&lanes), Some(('a', "a2")));
    assert_eq!(lanes.len(), 0);
}

#[test]
fn a_resting_lane_keeps_its_head_and_its_order() {
    let lanes: Lanes<char, u8> = Lanes::new();
    lanes.push('a', 1, Live);
    lanes.push('a', 2, Live);
    let (key, head) = next(&lanes).expect("an item");
    lanes.rest(key, head, Timestamp::from_ms(100));
    lanes.push('a', 3, Live);
    assert_eq!(next(&lanes), None);
    assert_eq!(lanes.next_rest(), Some(Timestamp::from_ms(100)));
    assert_eq!(
        lanes.advance(Timestamp::from_ms(99)),
        Some(Timestamp::from_ms(100))
    );
    assert_eq!(lanes.advance(Timestamp::from_ms(100)), None);
    assert_eq!(next(&lanes), Some(('a', 1)));
}

#[test]
fn a_reserved_lane_is_nobody_elses() {
    let lanes: Lanes<char, u8> = Lanes::new();
    assert!(lanes.reserve('a', 9, Live));
    assert!(!lanes.reserve('a', 8, Live));
    lanes.push('a', 1, Live);
    assert_eq!(next(&lanes), None);
    lanes.done('a');
    assert_eq!(next(&lanes), Some(('a', 1)));
}

#[test]
fn what_is_held_is_not_taken_up_again_and_what_was_lost_finds_its_place() {
    let lanes: Lanes<char, u8> = Lanes::new();
    lanes.push('a', 1, Live);
    lanes.push('a', 4, Live);
    let (key, head) = next(&lanes).expect("an item");
    lanes.restore('a', 1, Live);
    lanes.restore('a', 4, Live);
    lanes.restore('a', 3, Live);
    assert_eq!(lanes.len(), 2);
    lanes.rest(key, head, Timestamp::from_ms(1));
    lanes.advance(Timestamp::from_ms(1));
    for expected in [1, 3, 4] {
        assert_eq!(next(&lanes), Some(('a', expected)));
        lanes.done('a');
    }
    lanes.push('a', 1, Live);
    assert_eq!(lanes.len(), 1, "what was done may come again");
}

#[test]
fn evidence_that_comes_while_a_lane_is_busy_ends_its_next_rest() {
    let lanes: Lanes<char, u8> = Lanes::new();
    lanes.push('a', 1, Live);
    let (key, head) = next(&lanes).expect("an item");
    lanes.wake(key);
    lanes.rest(key, head, Timestamp::from_ms(100));
    let (key, head) = next(&lanes).expect("it does not rest");
    lanes.rest(key, head, Timestamp::from_ms(100));
    assert_eq!(next(&lanes), None, "it was woken once");
}

#[test]
fn tenants_have_equal_shares_however_many_lanes_they_have() {
    let lanes: Lanes<char, u8> = Lanes::new();
    for (nth, key) in ['0', '2', '4', '6', '8', '1', '3'].into_iter().enumerate() {
        lanes.push(key, u8::try_from(nth).expect("few"), Live);
    }
    let order: String = std::iter::from_fn(|| next(&lanes).map(|(key, _)| key)).collect();
    assert_eq!(order, "0123468");
}

#[test]
fn what_someone_waits_for_goes_first_but_not_for_ever() {
    let lanes: Lanes<char, u8> = Lanes::new();
    for nth in 0..4 {
        lanes.push(char::from(b'A' + nth), nth, Background);
    }
    for nth in 10..30 {
        lanes.push(char::from(b'a' + nth - 10), nth, Live);
    }
    let order: String = std::iter::from_fn(|| next(&lanes).map(|(key, _)| key)).collect();
    assert_eq!(order, "abcdefgAhijklmnBopqrstCD");
}

#[test]
fn what_stands_before_something_urgent_hurries_as_well() {
    let lanes: Lanes<char, u8> = Lanes::new();
    for (key, item) in [('a', 1), ('b', 2)] {
        lanes.push(key, item, Background);
    }
    lanes.push('b', 3, Live);
    let taken = lanes.take().expect("an item");
    assert_eq!((taken.key, taken.item, taken.urgency), ('b', 2, Live));
    let taken = lanes.take().expect("an item");
    assert_eq!((taken.key, taken.item, taken.urgency), ('a', 1, Background));
    lanes.rest('a', 1, Timestamp::from_ms(100));
    lanes.push('a', 4, Live);
    let taken = lanes.take().expect("its rest is over");
    assert_eq!((taken.key, taken.item, taken.urgency), ('a', 1, Live));
    lanes.rest('a', 1, Timestamp::from_ms(100));
    assert_eq!(lanes.take(), None, "it hurries already");
    lanes.done('b');
    assert_eq!(next(&lanes), Some(('b', 3)));
}
