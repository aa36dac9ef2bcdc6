//! Whether and when a message that was certainly not sent is tried again: pure.

use crate::adapter::{SendError, SendErrorKind};
use crate::breaker::ChannelPause;
use crate::domain::delivery::{Delivery, Flag};
use crate::domain::ids::DeliveryId;
use crate::domain::time::{Span, Timestamp};

/// A message that waited longer is worth nothing any more.
const TIME_TO_LIVE: Span = Span::hours(24);
/// A delivery's own retries hold up its conversation no longer than this.
const HEAD_OF_LINE: Span = Span::minutes(5);

/// Whether a delivery is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// It is.
    At {
        at: Timestamp,
        /// Since when it fails for its own reasons, not for those of its number or pair.
        retrying_since: Option<Timestamp>,
        /// Whether it has held up its conversation for long enough: others go before it from now on.
        overtaken: bool,
    },
    /// The error will not go away.
    Final,
    /// It might, but too late.
    TooLate,
}

/// Whether a delivery waited too long to be sent at all.
pub(crate) fn is_expired(delivery: &Delivery, now: Timestamp) -> bool {
    now.since(delivery.created_at) > TIME_TO_LIVE
}

/// The delays of one kind of trouble.
struct Delays {
    base: Span,
    /// Each delay is so many times the one before, up to `cap`.
    growth: i64,
    cap: Span,
    fault: Fault,
}

/// Who is at fault, and so what waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The message, as far as anyone knows.
    Own,
    /// The number, the customer's limit, or the credential: that time does not count against the message.
    Another,
}

const fn delays(kind: SendErrorKind) -> Option<Delays> {
    let (base, growth, cap, fault) = match kind {
        SendErrorKind::NotConnected => (Span::seconds(1), 2, Span::minutes(5), Fault::Own),
        SendErrorKind::Temporary => (Span::seconds(2), 2, Span::minutes(15), Fault::Own),
        SendErrorKind::RateLimited => (Span::seconds(2), 2, Span::minutes(10), Fault::Another),
        SendErrorKind::PairLimited => (Span::seconds(6), 4, Span::hours(1), Fault::Another),
        SendErrorKind::Credential | SendErrorKind::ChannelUnready => {
            (Span::minutes(1), 2, Span::minutes(15), Fault::Another)
        }
        _ => return None,
    };
    Some(Delays {
        base,
        growth,
        cap,
        fault,
    })
}

/// When a delivery is tried again, by the table of delays: full jitter between nothing and a growing cap,
/// but at least half of it where the provider asked for a rest. While its channel pauses that is what it waits for.
pub(crate) fn again_at(
    delivery: &Delivery,
    error: &SendError,
    pause: Option<&ChannelPause>,
    now: Timestamp,
) -> Again {
    let Some(delays) = delays(error.kind) else {
        return Again::Final;
    };
    let own = delays.fault == Fault::Own && pause.is_none();
    let most = delays.most(delivery.attempts);
    let least = if delays.fault == Fault::Own {
        0
    } else {
        most / 2
    };
    let chance = i64::from(chance(delivery.id, delivery.attempts));
    let jittered = Span::from_ms(least + chance * (most - least) / i64::from(u16::MAX));
    // The pause itself holds it back, and may end early.
    let wait = if pause.is_some() {
        Span::default()
    } else {
        jittered
    };
    let at = now + error.retry_after.unwrap_or(wait);
    let since = own.then(|| delivery.retrying_since.unwrap_or(now));
    let late = since.is_some_and(|since| at > since + HEAD_OF_LINE);
    let overtaken = delivery.flags.has(Flag::Overtaken);
    // A template is worth sending later; what is said in answer is not.
    if at > delivery.created_at + TIME_TO_LIVE || (late && !delivery.content.is_template()) {
        Again::TooLate
    } else {
        Again::At {
            at,
            retrying_since: since,
            overtaken: overtaken || late,
        }
    }
}

impl Delays {
    /// The longest delay after so many attempts, in milliseconds.
    fn most(&self, attempts: u32) -> i64 {
        let growth = self.growth.saturating_pow(attempts.saturating_sub(1));
        self.base.ms().saturating_mul(growth).min(self.cap.ms())
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
    use crate::domain::delivery::{Flags, Origin};
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
            wants_status: false,
            flags: Flags::NONE,
            retrying_since: None,
            created_at,
        }
    }

    fn at(delivery: &Delivery, error: &SendError, now: Timestamp) -> Timestamp {
        match again_at(delivery, error, None, now) {
            Again::At { at, .. } => at,
            other => panic!("{other:?}"),
        }
    }

    fn template() -> Content {
        Content::Template(crate::domain::content::TemplateContent {
            name: "news".into(),
            language: None,
            header: None,
            body: crate::domain::content::TemplateValues::Positional(Vec::new()),
            buttons: Vec::new(),
        })
    }

    /// The table: kind, base and cap in seconds, growth, and whether it may be tried at once.
    const TABLE: [(SendErrorKind, i64, i64, i64, bool); 6] = [
        (SendErrorKind::NotConnected, 1, 300, 2, true),
        (SendErrorKind::Temporary, 2, 900, 2, true),
        (SendErrorKind::RateLimited, 2, 600, 2, false),
        (SendErrorKind::PairLimited, 6, 3_600, 4, false),
        (SendErrorKind::Credential, 60, 900, 2, false),
        (SendErrorKind::ChannelUnready, 60, 900, 2, false),
    ];

    #[test]
    fn the_table_of_delays_is_kept_with_jitter_over_all_of_it() {
        let start = Timestamp::from_seconds(1_000_000);
        for (kind, base, cap, growth, may_be_at_once) in TABLE {
            let error = SendError::new(kind, "");
            for attempts in 1..12 {
                let most = (base * growth.pow(attempts - 1)).min(cap) * 1_000;
                let mut sample: Vec<i64> = (0..200)
                    .map(|_| {
                        // A template, so that no delay is too long.
                        let mut delivery = delivery(attempts, start);
                        delivery.content = template();
                        at(&delivery, &error, start).since(start).ms()
                    })
                    .collect();
                sample.sort_unstable();
                let (least, longest) = (sample[0], sample[199]);
                assert!(
                    longest <= most && longest > most * 9 / 10,
                    "{kind:?} {attempts}"
                );
                if may_be_at_once {
                    assert!(least < most / 10, "{kind:?} {attempts}: {least} of {most}");
                } else {
                    assert!(least >= most / 2, "{kind:?} {attempts}: {least} of {most}");
                }
            }
        }
        for kind in SendErrorKind::ALL {
            let is_in_table = TABLE.iter().any(|(listed, ..)| *listed == kind);
            assert_eq!(kind.is_retryable(), is_in_table, "{kind:?}");
            if !is_in_table {
                let error = SendError::new(kind, "");
                let again = again_at(&delivery(1, start), &error, None, start);
                assert_eq!(again, Again::Final);
            }
        }
    }

    #[test]
    fn what_holds_up_its_conversation_for_too_long_fails_or_is_overtaken() {
        let start = Timestamp::from_seconds(1_000_000);
        let error = SendError::new(SendErrorKind::NotConnected, "");
        let late = start + HEAD_OF_LINE;
        let mut retried = delivery(9, start);
        assert!(
            matches!(
                again_at(&retried, &error, None, late),
                Again::At { retrying_since: Some(since), overtaken: false, .. } if since == late
            ),
            "time before its own first failure does not count"
        );
        retried.retrying_since = Some(start);
        assert_eq!(again_at(&retried, &error, None, late), Again::TooLate);
        let pause = ChannelPause {
            until: late + Span::seconds(30),
            why: String::new(),
        };
        let paused = again_at(&retried, &error, Some(&pause), late);
        assert!(
            matches!(paused, Again::At { at, retrying_since: None, .. } if at == late),
            "the channel is at fault: {paused:?}"
        );
        retried.content = template();
        assert!(
            matches!(
                again_at(&retried, &error, None, late),
                Again::At {
                    overtaken: true,
                    ..
                }
            ),
            "a template keeps"
        );
        assert_eq!(
            again_at(&retried, &error, None, start + TIME_TO_LIVE),
            Again::TooLate
        );
        assert!(!is_expired(&retried, late) && is_expired(&retried, start + Span::hours(25)));
    }

    #[test]
    fn the_provider_says_how_long_to_wait() {
        let start = Timestamp::from_seconds(1_000_000);
        let mut error = SendError::new(SendErrorKind::RateLimited, "");
        error.retry_after = Some(Span::seconds(17));
        assert_eq!(
            at(&delivery(1, start), &error, start),
            start + Span::seconds(17)
        );
    }
}
