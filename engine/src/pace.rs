//! How fast messages may leave: per number, and per customer of a number (WhatsApp's own limits).
//! In memory: a restart begins with the full burst.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::domain::channel::Channel;
use crate::domain::ids::{ChannelId, ConversationId};
use crate::domain::time::{Span, Timestamp};

/// One message to the same customer every so often …
const PAIR_INTERVAL: Span = Span::seconds(6);
/// … with so many borrowed from the future at most.
const PAIR_BURST: i64 = 45;
/// A number may send this long a stretch of its rate at once.
const NUMBER_BURST: Span = Span::seconds(1);
/// Pairs remembered before those that are at rest are forgotten.
const MAX_PAIRS: usize = 100_000;

/// Per number and per pair, the moment up to which the rate is used (the generic cell rate algorithm).
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    numbers: HashMap<ChannelId, Timestamp>,
    pairs: HashMap<ConversationId, Timestamp>,
    paused: HashMap<ChannelId, Timestamp>,
}

impl Pace {
    /// Takes a place for one message, or tells when there will be one.
    pub(crate) fn take(
        &self,
        channel: &Channel,
        pair: ConversationId,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        let mut used = self.0.lock().expect("no one panics while holding it");
        if let Some(until) = used.paused.get(&channel.id).filter(|until| **until > now) {
            return Err(*until);
        }
        let rate = i64::from(channel.settings.messages_per_second.max(1));
        let number_step = Span::from_ms(1000 / rate);
        let number = next(
            used.numbers.get(&channel.id),
            number_step,
            NUMBER_BURST,
            now,
        )?;
        let pair_burst = Span::from_ms(PAIR_INTERVAL.ms() * PAIR_BURST);
        let pair_used = next(used.pairs.get(&pair), PAIR_INTERVAL, pair_burst, now)?;
        if used.pairs.len() >= MAX_PAIRS {
            used.pairs.retain(|_, until| *until > now);
        }
        used.numbers.insert(channel.id, number);
        used.pairs.insert(pair, pair_used);
        Ok(())
    }

    /// The provider says that the number is too fast: nothing leaves over it until then.
    pub(crate) fn pause(&self, channel_id: ChannelId, until: Timestamp) {
        let mut used = self.0.lock().expect("no one panics while holding it");
        let paused = used.paused.entry(channel_id).or_default();
        *paused = until.max(*paused);
    }
}

fn next(
    used: Option<&Timestamp>,
    step: Span,
    burst: Span,
    now: Timestamp,
) -> Result<Timestamp, Timestamp> {
    let until = used.copied().unwrap_or(now).max(now) + step;
    let free_at = until - burst;
    if free_at > now {
        Err(free_at)
    } else {
        Ok(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::channel::ChannelSettings;
    use crate::domain::contact::Phone;
    use crate::domain::ids::LocationId;

    #[test]
    fn a_pair_may_burst_and_then_waits_its_turn() {
        let pace = Pace::default();
        let channel = Channel {
            location_id: LocationId::generate(),
            id: ChannelId::generate(),
            provider: "meta".into(),
            account: String::new(),
            key: String::new(),
            phone: Phone::parse("4930901820").expect("a number"),
            name: String::new(),
            settings: ChannelSettings {
                messages_per_second: 1000,
                ..ChannelSettings::default()
            },
            enabled: true,
        };
        let (now, pair) = (Timestamp::from_seconds(1_000), ConversationId::generate());
        for _ in 0..PAIR_BURST {
            assert_eq!(pace.take(&channel, pair, now), Ok(()));
        }
        assert_eq!(pace.take(&channel, pair, now), Err(now + PAIR_INTERVAL));
        assert_eq!(pace.take(&channel, ConversationId::generate(), now), Ok(()));
        assert_eq!(pace.take(&channel, pair, now + PAIR_INTERVAL), Ok(()));
        pace.pause(channel.id, now + Span::seconds(30));
        assert_eq!(
            pace.take(&channel, pair, now + Span::seconds(20)),
            Err(now + Span::seconds(30))
        );
    }
}
