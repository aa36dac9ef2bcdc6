//! When a provider that keeps a list of messages is asked next: what customers wrote to a channel, and what
//! became of a message in doubt. In memory: whoever is not known here is asked at once.
//! Knows neither how it is asked nor what follows.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

use crate::domain::ids::{ChannelId, DeliveryId};
use crate::domain::time::{Span, Timestamp};

/// How often a channel is swept.
const EVERY: Span = Span::minutes(5);
/// What is younger may still come by its webhook, which tells more than the list does: a button's id, a place.
pub(crate) const SETTLING: Span = Span::seconds(60);
/// How long after a webhook was missed its channel is swept: all tries of a provider take 15 seconds.
const SOON: Span = Span::seconds(75);
/// How long after a sweep that failed the channel is swept again.
const AFTER_FAILURE: Span = Span::minutes(1);
/// How long after a sweep that others had no room for.
const AFTER_CROWD: Span = Span::seconds(5);

/// Who is asked next.
#[derive(Debug, Default)]
pub(crate) struct Rota(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// As many as there are channels to be swept.
    channels: BTreeMap<ChannelId, Turn>,
    /// As many as there are lanes that wait for evidence.
    deliveries: HashMap<DeliveryId, Asked>,
}

/// The next sweep of a channel.
#[derive(Debug)]
struct Turn {
    provider: &'static str,
    due: Timestamp,
    /// When the latest webhook was missed that no sweep has made up for.
    missed_at: Option<Timestamp>,
}

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swept {
    /// Everything until then is stored.
    Until(Timestamp),
    /// Too much waits for rules and senders: it goes on when they have caught up.
    Crowded,
    /// The provider or the database failed.
    Failed,
}

/// How often a provider was asked about a message in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// When it is asked next.
    pub(crate) next_at: Timestamp,
    /// How often its list was certainly complete and yet did not have the message.
    pub(crate) absences: u32,
}

impl Rota {
    /// Those of `channels`, each with its provider, whose sweep is due; others are forgotten.
    pub(crate) fn due(
        &self,
        channels: &[(ChannelId, &'static str)],
        now: Timestamp,
    ) -> Vec<ChannelId> {
        let state = &mut *self.lock();
        let is_swept = |id: &ChannelId| channels.iter().any(|(known, _)| known == id);
        state.channels.retain(|id, _| is_swept(id));
        let due = channels.iter().filter(|(id, provider)| {
            let turn = state.channels.entry(*id).or_insert_with(|| Turn {
                provider,
                due: now,
                // Nobody listened before.
                missed_at: Some(now),
            });
            turn.due <= now
        });
        due.map(|(id, _)| *id).collect()
    }

    /// A sweep ended: when is the next?
    pub(crate) fn swept(&self, id: ChannelId, swept: Swept, now: Timestamp) {
        let mut state = self.lock();
        let Some(turn) = state.channels.get_mut(&id) else {
            return;
        };
        turn.due = match swept {
            Swept::Until(until) => {
                turn.missed_at = turn.missed_at.filter(|missed_at| *missed_at > until);
                turn.missed_at
                    .map_or(now + EVERY, |missed_at| missed_at + SOON)
            }
            Swept::Crowded => now + AFTER_CROWD,
            Swept::Failed => now + AFTER_FAILURE,
        };
    }

    /// A webhook of a provider was not accepted, and will hardly come again.
    pub(crate) fn missed(&self, provider: &str, now: Timestamp) {
        let mut state = self.lock();
        for turn in state.channels.values_mut() {
            if turn.provider == provider {
                turn.missed_at = Some(now);
                turn.due = turn.due.min(now + SOON);
            }
        }
    }

    /// When the next channel is swept.
    pub(crate) fn next_sweep(&self) -> Option<Timestamp> {
        self.lock().channels.values().map(|turn| turn.due).min()
    }

    /// How often a message was asked about, if it was.
    pub(crate) fn asked(&self, id: DeliveryId) -> Option<Asked> {
        self.lock().deliveries.get(&id).copied()
    }

    pub(crate) fn ask(&self, id: DeliveryId, asked: Asked) {
        self.lock().deliveries.insert(id, asked);
    }

    /// A message is not in doubt any more, or waits for a person.
    pub(crate) fn forget(&self, id: DeliveryId) {
        self.lock().deliveries.remove(&id);
    }

    /// Forgets everything: nobody works any more.
    pub(crate) fn clear(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no one panics while holding it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn rota(id: ChannelId) -> Rota {
        let rota = Rota::default();
        assert_eq!(rota.due(&[(id, "twilio")], NOW), [id], "at once");
        rota
    }

    #[test]
    fn a_channel_is_swept_at_once_soon_after_and_then_every_five_minutes() {
        let id = ChannelId::generate();
        let rota = rota(id);
        rota.swept(id, Swept::Until(NOW - SETTLING), NOW);
        assert_eq!(rota.next_sweep(), Some(NOW + SOON), "for what came before");
        let later = NOW + SOON;
        assert_eq!(rota.due(&[(id, "twilio")], later), [id]);
        rota.swept(id, Swept::Until(later - SETTLING), later);
        assert_eq!(rota.next_sweep(), Some(later + EVERY));
        assert_eq!(rota.due(&[(id, "twilio")], later), []);
        assert_eq!(rota.due(&[], later + EVERY), []);
        assert_eq!(rota.next_sweep(), None, "it was disconnected");
    }

    #[test]
    fn a_missed_webhook_brings_the_sweep_forward_until_a_sweep_reaches_it() {
        let id = ChannelId::generate();
        let rota = rota(id);
        rota.swept(id, Swept::Until(NOW), NOW);
        rota.missed("meta", NOW + Span::seconds(10));
        assert_eq!(rota.next_sweep(), Some(NOW + EVERY), "another provider's");
        rota.missed("twilio", NOW + Span::seconds(10));
        let first = NOW + Span::seconds(10) + SOON;
        assert_eq!(rota.next_sweep(), Some(first));
        let second = first - Span::seconds(5);
        rota.missed("twilio", second);
        assert_eq!(rota.next_sweep(), Some(first), "not put off");
        rota.swept(id, Swept::Until(first - SETTLING), first);
        assert_eq!(rota.next_sweep(), Some(second + SOON));
        rota.swept(id, Swept::Failed, second + SOON);
        assert_eq!(rota.next_sweep(), Some(second + SOON + AFTER_FAILURE));
    }
}
