//! Programs that answer programs: notices when a conversation goes round in circles, so that its rules rest.
//! Knows neither rules nor the database; a restart begins to count anew, and what rests goes on resting.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use crate::domain::ids::ConversationId;
use crate::domain::location::LoopGuard;
use crate::domain::time::{Span, Timestamp};

/// How long rules rest the first time; each further time twice as long …
const FIRST_REST: Span = Span::minutes(30);
/// … up to this, and anew after a day without one.
const LONGEST_REST: Span = Span::hours(24);
/// Answers to another number of this installation within an hour: enough for a greeting.
const OWN_NUMBERS: u32 = 3;
/// Turns in a row by which someone who answers at once shows to be none who reads.
const TURNS: usize = 10;
/// People need longer to read and write, over and over.
const QUICK: Span = Span::from_ms(1_500);
/// The longest circle that is looked for, in turns …
const LONGEST_CIRCLE: usize = 4;
/// … how often it must have been gone round …
const ROUNDS: usize = 3;
/// … of how many turns at least: pressing a button three times is no circle …
const MIN_TURNS: usize = 6;
/// … and how soon each turn must follow its answer.
const PROMPT: Span = Span::seconds(10);
/// Turns remembered of a conversation.
const MAX_TURNS: usize = 64;
/// Conversations remembered before those that were quiet for an hour are forgotten.
const MAX_TALKS: usize = 100_000;

/// What is known of the conversations.
#[derive(Debug, Default)]
pub(crate) struct Guard(Mutex<HashMap<ConversationId, Talk>>);

#[derive(Debug, Default)]
struct Talk {
    turns: VecDeque<Turn>,
    rest: Span,
    rested_until: Timestamp,
}

/// Something happened, and rules answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// When it was answered.
    pub(crate) at: Timestamp,
    /// When the customer had written, if that is what happened.
    pub(crate) said_at: Option<Timestamp>,
    /// What was said and answered, as a number.
    pub(crate) words: u64,
}

/// Whom the rules answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    Anyone,
    /// Another number of this installation.
    OwnNumber,
}

/// Rules are to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    pub(crate) until: Timestamp,
    pub(crate) why: String,
}

impl Guard {
    /// Takes note of a turn; says whether it is one too many.
    pub(crate) fn judge(
        &self,
        id: ConversationId,
        limits: &LoopGuard,
        other: Other,
        turn: Turn,
    ) -> Option<Rest> {
        let now = turn.at;
        let mut talks = self.0.lock().expect("no one panics while holding it");
        if talks.len() >= MAX_TALKS {
            talks.retain(|_, talk| {
                let last = talk.turns.back().map_or(talk.rested_until, |turn| turn.at);
                now.since(last) < Span::hours(1)
            });
        }
        let talk = talks.entry(id).or_default();
        if talk.turns.len() == MAX_TURNS.max(limits.per_hour as usize + 1) {
            talk.turns.pop_front();
        }
        talk.turns.push_back(turn);
        let why = talk.excess(limits, other, now)?;
        let again = now.since(talk.rested_until) < Span::days(1);
        talk.rest = if again && talk.rest > Span::default() {
            Span::from_ms((talk.rest.ms() * 2).min(LONGEST_REST.ms()))
        } else {
            FIRST_REST
        };
        talk.rested_until = now + talk.rest;
        talk.turns.clear();
        Some(Rest {
            until: talk.rested_until,
            why,
        })
    }
}

impl Talk {
    /// What speaks for a program at the other end.
    fn excess(&self, limits: &LoopGuard, other: Other, now: Timestamp) -> Option<String> {
        let within = |span: Span| {
            let turns = self.turns.iter().rev();
            turns.take_while(|turn| now.since(turn.at) < span).count()
        };
        let exceeds = |limit: u32, span: Span| limit > 0 && within(span) > limit as usize;
        if other == Other::OwnNumber && exceeds(OWN_NUMBERS, Span::hours(1)) {
            return Some("the customer is another number of this installation".to_owned());
        }
        if exceeds(limits.per_minute, Span::minutes(1)) {
            return Some(format!(
                "more than {} answers in a minute",
                limits.per_minute
            ));
        }
        if exceeds(limits.per_hour, Span::hours(1)) {
            return Some(format!("more than {} answers in an hour", limits.per_hour));
        }
        if limits.circles && self.is_quick() {
            return Some(format!(
                "{TURNS} messages in a row came at once after the answer"
            ));
        }
        if limits.circles && self.is_circle() {
            return Some("the same messages and answers come round and round".to_owned());
        }
        None
    }

    /// How soon each of the latest turns followed the answer before it, the latest first.
    fn gaps(&self) -> impl Iterator<Item = Option<Span>> {
        let turns = self.turns.iter().rev();
        let before = self.turns.iter().rev().skip(1);
        turns
            .zip(before)
            .map(|(turn, before)| turn.said_at.map(|at| at.since(before.at)))
    }

    /// Half of the latest turns came sooner after the answer than anyone can read.
    fn is_quick(&self) -> bool {
        let gaps: Vec<Option<Span>> = self.gaps().take(TURNS).collect();
        let quick = gaps.iter().flatten().filter(|gap| **gap < QUICK).count();
        gaps.len() == TURNS && gaps.iter().all(Option::is_some) && quick * 2 > TURNS
    }

    fn is_circle(&self) -> bool {
        let prompt = self
            .gaps()
            .take_while(|gap| gap.is_some_and(|gap| gap < PROMPT))
            .count();
        (1..=LONGEST_CIRCLE).any(|length| {
            let many = (length * ROUNDS).max(MIN_TURNS);
            // The first turn of the circle need not have been prompt.
            if prompt + 1 < many || self.turns.len() < many {
                return false;
            }
            let words = |nth: usize| self.turns[self.turns.len() - 1 - nth].words;
            (0..many - length).all(|nth| words(nth) == words(nth + length))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    /// Turns as far apart as said; the customer takes `read` of that.
    fn play(guard: &Guard, id: ConversationId, apart: i64, read: i64, words: &[u64]) -> Vec<usize> {
        let limits = LoopGuard::default();
        let turns = words.iter().enumerate().map(|(nth, words)| Turn {
            at: NOW + Span::from_ms(apart * i64::try_from(nth).expect("few")),
            said_at: Some(
                NOW + Span::from_ms(apart * (i64::try_from(nth).expect("few") - 1) + read),
            ),
            words: *words,
        });
        turns
            .enumerate()
            .filter_map(|(nth, turn)| guard.judge(id, &limits, Other::Anyone, turn).map(|_| nth))
            .collect()
    }

    #[test]
    fn people_are_left_alone() {
        let guard = Guard::default();
        let all_different: Vec<u64> = (0..50).collect();
        let id = ConversationId::generate;
        assert_eq!(play(&guard, id(), 60_000, 5_000, &all_different), [0; 0]);
        assert_eq!(
            play(&guard, id(), 5_500, 5_000, &all_different[..12]),
            [0; 0]
        );
        assert_eq!(
            play(&guard, id(), 6_000, 2_000, &[7, 7, 7, 7, 7]),
            [0; 0],
            "a button, again"
        );
        let a_menu = [1, 2, 1, 2, 1, 2, 1, 2];
        assert_eq!(
            play(&guard, id(), 30_000, 20_000, &a_menu),
            [0; 0],
            "slowly"
        );
    }

    #[test]
    fn too_many_too_quick_and_circles_are_noticed() {
        let guard = Guard::default();
        let all_different: Vec<u64> = (0..80).collect();
        let id = ConversationId::generate;
        assert_eq!(
            play(&guard, id(), 4_000, 3_000, &all_different)[0],
            12,
            "in a minute"
        );
        assert_eq!(
            play(&guard, id(), 50_000, 20_000, &all_different)[0],
            60,
            "in an hour"
        );
        assert_eq!(
            play(&guard, id(), 6_000, 500, &all_different)[0],
            10,
            "quick"
        );
        assert_eq!(play(&guard, id(), 9_000, 8_000, &[1; 20])[0], 5, "one word");
        let round = [1, 2, 3, 1, 2, 3, 1, 2, 3];
        assert_eq!(play(&guard, id(), 9_000, 8_000, &round), [8]);
    }

    #[test]
    fn each_rest_is_longer_until_a_day_has_passed() {
        let (guard, id) = (Guard::default(), ConversationId::generate());
        let limits = LoopGuard {
            per_minute: 1,
            ..LoopGuard::default()
        };
        let mut at = NOW;
        let mut rests = Vec::new();
        for _ in 0..8 {
            let mut rest = None;
            while rest.is_none() {
                let turn = Turn {
                    at,
                    said_at: None,
                    words: 0,
                };
                rest = guard.judge(id, &limits, Other::Anyone, turn);
            }
            let until = rest.expect("a rest").until;
            rests.push(until.since(at).ms() / 60_000);
            at = until;
        }
        assert_eq!(rests, [30, 60, 120, 240, 480, 960, 1440, 1440]);
        at = at + Span::days(2);
        let turn = |at| Turn {
            at,
            said_at: None,
            words: 0,
        };
        guard.judge(id, &limits, Other::Anyone, turn(at));
        let rest = guard
            .judge(id, &limits, Other::Anyone, turn(at))
            .expect("a rest");
        assert_eq!(rest.until, at + FIRST_REST);
    }

    #[test]
    fn our_own_numbers_greet_each_other_and_no_more() {
        let (guard, id) = (Guard::default(), ConversationId::generate());
        let limits = LoopGuard {
            per_minute: 0,
            per_hour: 0,
            circles: false,
        };
        let turn = |nth: i64| Turn {
            at: NOW + Span::minutes(nth),
            said_at: None,
            words: 0,
        };
        let judged: Vec<bool> = (0..4)
            .map(|nth| {
                guard
                    .judge(id, &limits, Other::OwnNumber, turn(nth))
                    .is_some()
            })
            .collect();
        assert_eq!(judged, [false, false, false, true]);
    }
}
