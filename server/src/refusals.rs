//! Webhooks that were not let in, as the operator hears of them: often enough to notice a wrong secret or a full
//! disk, and not often enough for a stranger, or for the providers who send again, to fill the log. Decides nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rejoinder_engine::store;
use tokio::time::Instant;

/// How often one reason is logged at most, for each provider.
const EVERY: Duration = Duration::from_secs(60);

/// Counts what was not let in. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<Mutex<BTreeMap<(Reason, String), Count>>>);

/// Why a webhook was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Refused,
    Overloaded,
    NotStored,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    logged_at: Instant,
    since: u64,
}

impl Refusals {
    /// Notes a refusal, and logs it unless one was logged a moment ago.
    pub(crate) fn note(&self, provider: &str) {
        if let Some(more) = self.count(Reason::Refused, provider, Instant::now()) {
            tracing::warn!(
                adapter.kind = provider,
                unlogged = more,
                "a webhook was refused: check the channel's secret, its id in the address, and `public_url`"
            );
        }
    }

    /// Notes that a webhook was put off, and logs it unless one was logged a moment ago.
    pub(crate) fn put_off(&self, provider: &str, error: &store::Error) {
        let reason = match error {
            store::Error::Overloaded => Reason::Overloaded,
            _ => Reason::NotStored,
        };
        let Some(more) = self.count(reason, provider, Instant::now()) else {
            return;
        };
        if reason == Reason::Overloaded {
            tracing::warn!(
                adapter.kind = provider,
                unlogged = more,
                "too much is waiting; a webhook's provider was told to send it again"
            );
        } else {
            tracing::error!(
                adapter.kind = provider,
                unlogged = more,
                %error,
                "a webhook could not be stored; its provider was told to send it again"
            );
        }
    }

    /// How many went unlogged before this one, if this one is to be logged.
    fn count(&self, reason: Reason, provider: &str, now: Instant) -> Option<u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (reason, provider.to_owned());
        let Some(count) = counts.get_mut(&key) else {
            let count = Count {
                logged_at: now,
                since: 0,
            };
            counts.insert(key, count);
            return Some(0);
        };
        if now.duration_since(count.logged_at) < EVERY {
            count.since += 1;
            return None;
        }
        let since = count.since;
        *count = Count {
            logged_at: now,
            since: 0,
        };
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_one_line_a_minute() {
        let refusals = Refusals::default();
        let start = Instant::now();
        let count = |provider, at| refusals.count(Reason::Refused, provider, at);
        assert_eq!(count("meta", start), Some(0));
        assert_eq!(count("meta", start), None);
        assert_eq!(count("meta", start + EVERY / 2), None);
        assert_eq!(count("twilio", start), Some(0));
        assert_eq!(refusals.count(Reason::NotStored, "meta", start), Some(0));
        assert_eq!(count("meta", start + EVERY), Some(2));
        assert_eq!(count("meta", start + EVERY), None);
    }
}
