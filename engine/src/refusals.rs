//! When a webhook was last refused, by whose secret it should have been verified; in memory, and told to
//! the database now and then. Knows nothing of what the webhooks said.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ids::ChannelId;
use crate::domain::time::Timestamp;

/// Whose secret should have verified it: the provider, and the channel or `ChannelId::NONE` for the server's
/// own. Only channels that are there stand here, so that strangers cannot make it grow.
type Key = (&'static str, ChannelId);

/// When webhooks were last refused.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<Key, Refusal>>);

#[derive(Clone, Copy, Debug)]
struct Refusal {
    at: Timestamp,
    is_kept: bool,
}

impl Refusals {
    /// A webhook was refused.
    pub(crate) fn note(&self, provider: &'static str, channel_id: ChannelId, at: Timestamp) {
        let refusal = Refusal { at, is_kept: false };
        self.locked().insert((provider, channel_id), refusal);
    }

    /// What the database was not told yet; from now on it counts as told.
    pub(crate) fn changes(&self) -> Vec<(&'static str, ChannelId, Timestamp)> {
        let mut refusals = self.locked();
        let news = refusals.iter_mut().filter(|(_, refusal)| !refusal.is_kept);
        news.map(|((provider, channel_id), refusal)| {
            refusal.is_kept = true;
            (*provider, *channel_id, refusal.at)
        })
        .collect()
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Key, Refusal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_refusal_is_told_once() {
        let refusals = Refusals::default();
        let id = ChannelId::generate();
        refusals.note("meta", id, Timestamp::from_ms(1));
        refusals.note("meta", id, Timestamp::from_ms(2));
        assert_eq!(refusals.changes(), [("meta", id, Timestamp::from_ms(2))]);
        assert_eq!(refusals.changes(), []);
    }
}
