//! How fast messages may leave: per number, and per customer of a number (WhatsApp's own limits).
//! In memory: a restart begins with the full burst.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::domain::channel::Channel;
use crate::domain::ids::{ChannelId, ConversationId};
use crate::domain::time::Timestamp;

/// One message to the same customer every so often …
const PAIR_INTERVAL: Micros = 6_000_000;
/// … with so many borrowed from the future at most.
const PAIR_BURST: Micros = 45;
/// A number may send this long a stretch of its rate at once.
const NUMBER_BURST: Micros = 1_000_000;
/// Pairs remembered before those that are at rest are forgotten.
const MAX_PAIRS: usize = 100_000;

/// A clock that shows this much less than before was set back: what was reckoned by it is void.
const SET_BACK: Micros = 5_000_000;
/// Microseconds since the Unix epoch: the step of 80 messages a second is 12.5 ms.
type Micros = i64;

/// Per number and per pair, the moment up to which the rate is used (the generic cell rate algorithm).
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    numbers: HashMap<ChannelId, Micros>,
    pairs: HashMap<ConversationId, Micros>,
    paused: HashMap<ChannelId, Timestamp>,
    /// The place that a conversation waits for: one each, so that nobody asks twice in vain.
    slots: HashMap<ConversationId, Slot>,
    latest: Micros,
    /// Pairs above which those at rest are forgotten; it grows if none is at rest.
    max_pairs: usize,
}

/// A place that was reserved.
#[derive(Clone, Copy, Debug)]
enum Slot {
    /// By the rate of the pair; that of the number comes when it has come.
    Pair(Micros),
    /// By both.
    Number(Micros),
}

impl Pace {
    /// Takes a place for one message, or reserves one and tells when it comes.
    pub(crate) fn take(
        &self,
        channel: &Channel,
        pair: ConversationId,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        let mut used = self.0.lock().expect("no one panics while holding it");
        let now_us = now.ms().saturating_mul(1000);
        used.begin_anew_if_set_back(now_us);
        if let Some(until) = used.paused.get(&channel.id).filter(|until| **until > now) {
            return Err(*until);
        }
        let slot = if used.slots.is_empty() {
            None
        } else {
            used.slots.get(&pair).copied()
        };
        match slot {
            Some(Slot::Pair(at) | Slot::Number(at)) if at > now_us => return Err(moment(at)),
            Some(Slot::Number(at)) => {
                used.slots.remove(&pair);
                // A place of long ago is void: others would have theirs at the same time.
                if now_us - at <= NUMBER_BURST {
                    return Ok(());
                }
            }
            Some(Slot::Pair(_)) => {}
            None => {
                let (until, at) = next(
                    used.pairs.get(&pair),
                    PAIR_INTERVAL,
                    PAIR_INTERVAL * PAIR_BURST,
                    now_us,
                );
                used.forget_pairs(now_us);
                used.pairs.insert(pair, until);
                if at > now_us {
                    used.slots.insert(pair, Slot::Pair(at));
                    return Err(moment(at));
                }
            }
        }
        let rate = Micros::from(channel.settings.messages_per_second.max(1));
        let (until, at) = next(
            used.numbers.get(&channel.id),
            1_000_000 / rate,
            NUMBER_BURST,
            now_us,
        );
        used.numbers.insert(channel.id, until);
        if at > now_us {
            used.slots.insert(pair, Slot::Number(at));
            return Err(moment(at));
        }
        if slot.is_some() {
            used.slots.remove(&pair);
        }
        Ok(())
    }

    /// The provider says that the number is too fast: nothing leaves over it until then.
    pub(crate) fn pause(&self, channel_id: ChannelId, until: Timestamp) {
        let mut used = self.0.lock().expect("no one panics while holding it");
        let paused = used.paused.entry(channel_id).or_default();
        *paused = until.max(*paused);
    }
}

impl Used {
    fn begin_anew_if_set_back(&mut self, now: Micros) {
        if now + SET_BACK < self.latest {
            *self = Self::default();
        }
        self.latest = self.latest.max(now);
    }

    fn forget_pairs(&mut self, now: Micros) {
        if self.pairs.len() >= self.max_pairs.max(MAX_PAIRS) {
            self.pairs.retain(|_, until| *until > now);
            self.max_pairs = self.pairs.len() * 2;
        }
    }
}

/// Up to when the rate is used with one message more, and when that one may leave.
fn next(used: Option<&Micros>, step: Micros, burst: Micros, now: Micros) -> (Micros, Micros) {
    let until = used.copied().unwrap_or(now).max(now) + step;
    (until, until - burst)
}

/// The first whole millisecond that is not before `at`.
fn moment(at: Micros) -> Timestamp {
    Timestamp::from_ms(at.saturating_add(999).div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::channel::ChannelSettings;
    use crate::domain::contact::Phone;
    use crate::domain::ids::LocationId;
    use crate::domain::time::Span;

    fn channel(messages_per_second: u32) -> Channel {
        Channel {
            location_id: LocationId::generate(),
            id: ChannelId::generate(),
            provider: "meta".into(),
            account: String::new(),
            key: String::new(),
            phone: Phone::parse("4930901820").expect("a number"),
            name: String::new(),
            settings: ChannelSettings {
                messages_per_second,
                ..ChannelSettings::default()
            },
            enabled: true,
        }
    }

    #[test]
    fn a_pair_may_burst_and_then_waits_its_turn() {
        let (pace, channel) = (Pace::default(), channel(1000));
        let (now, pair) = (Timestamp::from_seconds(1_000), ConversationId::generate());
        for _ in 0..PAIR_BURST {
            assert_eq!(pace.take(&channel, pair, now), Ok(()));
        }
        let turn = now + Span::seconds(6);
        assert_eq!(pace.take(&channel, pair, now), Err(turn));
        assert_eq!(
            pace.take(&channel, pair, now),
            Err(turn),
            "it has its place"
        );
        assert_eq!(pace.take(&channel, ConversationId::generate(), now), Ok(()));
        assert_eq!(pace.take(&channel, pair, turn), Ok(()));
        pace.pause(channel.id, now + Span::seconds(30));
        assert_eq!(
            pace.take(&channel, pair, now + Span::seconds(20)),
            Err(now + Span::seconds(30))
        );
    }

    #[test]
    fn conversations_that_wait_for_a_number_have_a_moment_each() {
        let (pace, channel) = (Pace::default(), channel(80));
        let now = Timestamp::from_seconds(1_000);
        for _ in 0..80 {
            let pair = ConversationId::generate();
            assert_eq!(pace.take(&channel, pair, now), Ok(()));
        }
        let waiting: Vec<(ConversationId, Timestamp)> = (0..80)
            .map(|_| {
                let pair = ConversationId::generate();
                (pair, pace.take(&channel, pair, now).expect_err("it waits"))
            })
            .collect();
        assert_eq!(waiting[0].1, now + Span::from_ms(13), "12.5 ms, rounded up");
        assert_eq!(waiting[79].1, now + Span::seconds(1), "no drift");
        for (pair, at) in waiting {
            assert_eq!(pace.take(&channel, pair, at), Ok(()), "it asks once more");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_a_number() {
        let (pace, channel) = (Pace::default(), channel(1));
        let now = Timestamp::from_seconds(100_000);
        let pair = ConversationId::generate();
        assert_eq!(pace.take(&channel, pair, now), Ok(()));
        assert_eq!(pace.take(&channel, pair, now - Span::hours(1)), Ok(()));
    }
}
