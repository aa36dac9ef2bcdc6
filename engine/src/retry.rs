//! Whether and when a message that was certainly not sent is tried again: pure.

use crate::adapter::{SendError, SendErrorKind};
use crate::domain::delivery::Delivery;
use crate::domain::ids::DeliveryId;
use crate::domain::time::{Span, Timestamp};

/// A message that waited longer is worth nothing any more.
const TIME_TO_LIVE: Span = Span::hours(24);
/// A delivery's own retries hold up its conversation no longer than this.
const HEAD_OF_LINE: Span = Span::minutes(5);

/// Whether a delivery is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Then; and since when it fails for its own reasons, not for those of its number or pair.
    At(Timestamp, Option<Timestamp>),
    /// The error will not go away.
    Final,
    /// It might, but too late.
    TooLate,
}

/// Whether a delivery waited too long to be sent at all.
pub(crate) fn is_expired(delivery: &Delivery, now: Timestamp) -> bool {
    now.since(delivery.created_at) > TIME_TO_LIVE
}

/// When a delivery is tried again, by the table of delays: full jitter between nothing and a growing cap.
pub(crate) fn again_at(delivery: &Delivery, error: &SendError, now: Timestamp) -> Again {
    let (base, cap, own) = match error.kind {
        SendErrorKind::NotConnected => (Span::seconds(1), Span::minutes(5), true),
        SendErrorKind::Temporary => (Span::seconds(2), Span::minutes(5), true),
        SendErrorKind::RateLimited => (Span::seconds(2), Span::minutes(10), false),
        SendErrorKind::PairLimited => (Span::seconds(6), Span::hours(1), false),
        SendErrorKind::Credential | SendErrorKind::ChannelUnready => {
            (Span::minutes(1), Span::minutes(15), false)
        }
        _ => return Again::Final,
    };
    let doublings = delivery.attempts.min(20);
    let most = base.ms().saturating_mul(1 << doublings).min(cap.ms());
    let chance = chance(delivery.id, delivery.attempts);
    let jittered =
        Span::from_ms(most / 4 + i64::from(chance) * (most - most / 4) / i64::from(u16::MAX));
    let at = now + error.retry_after.unwrap_or(jittered);
    // Time in which the number, the pair or the credential was at fault does not count.
    let since = own.then(|| delivery.retrying_since.unwrap_or(now));
    let late = since.is_some_and(|since| at > since + HEAD_OF_LINE);
    // A template is worth sending later; what is said in answer is not.
    if at > delivery.created_at + TIME_TO_LIVE || (late && !delivery.content.is_template()) {
        Again::TooLate
    } else {
        Again::At(at, since)
    }
}

/// Chance without a generator: it differs between deliveries and attempts, and repeats in a simulation.
fn chance(id: DeliveryId, attempt: u32) -> u16 {
    let mixed = DeliveryId::derive(&[id.bytes(), &attempt.to_be_bytes()]);
    u16::from_be_bytes([mixed.bytes()[0], mixed.bytes()[1]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::content::Content;
    use crate::domain::delivery::DeliveryState;
    use crate::domain::delivery::Origin;
    use crate::domain::ids::{ChannelId, ConversationId, LocationId};

    fn delivery(attempts: u32, created_at: Timestamp) -> Delivery {
        Delivery {
            location_id: LocationId::generate(),
            id: DeliveryId::generate(),
            conversation_id: ConversationId::generate(),
            channel_id: ChannelId::generate(),
            address: None,
            origin: Origin::Person,
            content: Content::Text {
                text: "hello".into(),
            },
            fallback: None,
            reply_to: None,
            state: DeliveryState::Sending,
            attempts,
            provider_id: None,
            not_before: created_at,
            fallback_of: None,
            position: 0,
            when_held: false,
            wants_status: false,
            resent: false,
            retrying_since: None,
            created_at,
        }
    }

    #[test]
    fn retries_wait_longer_each_time_and_give_up_in_time() {
        let start = Timestamp::from_seconds(1_000_000);
        let error = SendError::new(SendErrorKind::NotConnected, "");
        for attempts in 1..8 {
            let Again::At(at, _) = again_at(&delivery(attempts, start), &error, start) else {
                panic!("a retry")
            };
            assert!(
                at > start && at <= start + Span::from_ms(1000 << attempts),
                "{attempts}"
            );
        }
        let late = start + HEAD_OF_LINE;
        let mut retried = delivery(9, start);
        assert!(
            matches!(again_at(&retried, &error, late), Again::At(_, Some(since)) if since == late),
            "time before its own first failure does not count"
        );
        retried.retrying_since = Some(start);
        assert_eq!(again_at(&retried, &error, late), Again::TooLate);
        retried.content = Content::Template(crate::domain::content::TemplateContent {
            name: "news".into(),
            language: None,
            header: None,
            body: crate::domain::content::TemplateValues::Positional(Vec::new()),
            buttons: Vec::new(),
        });
        assert!(
            matches!(again_at(&retried, &error, late), Again::At(..)),
            "a template keeps"
        );
        assert!(!is_expired(&retried, late) && is_expired(&retried, start + Span::hours(25)));
        let refused = SendError::new(SendErrorKind::Unreachable, "");
        assert_eq!(again_at(&delivery(1, start), &refused, start), Again::Final);
    }

    #[test]
    fn the_provider_says_how_long_to_wait() {
        let start = Timestamp::from_seconds(1_000_000);
        let mut error = SendError::new(SendErrorKind::RateLimited, "");
        error.retry_after = Some(Span::seconds(17));
        assert_eq!(
            again_at(&delivery(1, start), &error, start),
            Again::At(start + Span::seconds(17), None)
        );
    }
}
