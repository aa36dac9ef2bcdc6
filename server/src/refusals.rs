//! Refused webhooks as the operator hears of them: often enough to notice a wrong secret, and not
//! often enough for a stranger to fill the log. The sender hears nothing of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often refusals of one provider are logged at most.
const EVERY: Duration = Duration::from_secs(60);

/// Counts refusals. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<Mutex<BTreeMap<String, Count>>>);

#[derive(Clone, Copy, Debug)]
struct Count {
    logged_at: Instant,
    since: u64,
}

impl Refusals {
    /// Notes a refusal, and logs it unless one was logged a moment ago.
    pub(crate) fn note(&self, provider: &str) {
        if let Some(more) = self.count(provider, Instant::now()) {
            tracing::warn!(
                adapter.kind = provider,
                unlogged = more,
                "a webhook was refused: check the channel's secret, its id in the address, and `public_url`"
            );
        }
    }

    /// How many refusals went unlogged before this one, if this one is to be logged.
    fn count(&self, provider: &str, now: Instant) -> Option<u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = counts.get_mut(provider) else {
            let count = Count {
                logged_at: now,
                since: 0,
            };
            counts.insert(provider.to_owned(), count);
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
        assert_eq!(refusals.count("meta", start), Some(0));
        assert_eq!(refusals.count("meta", start), None);
        assert_eq!(refusals.count("meta", start + EVERY / 2), None);
        assert_eq!(refusals.count("twilio", start), Some(0));
        assert_eq!(refusals.count("meta", start + EVERY), Some(2));
        assert_eq!(refusals.count("meta", start + EVERY), None);
    }
}
