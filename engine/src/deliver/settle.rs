//! What became of a request is written, however long that takes: it must not be made again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::{Next, lookup};
use crate::adapter::{SendError, SendErrorKind};
use crate::core::Core;
use crate::domain::delivery::{Delivery, DeliveryState, Flag};
use crate::domain::time::Timestamp;
use crate::failpoint::Point;
use crate::mutant::Mutant;
use crate::retry::{Again, again_at};
use crate::store::{self, Settle, Settled, Settlement};

/// How long a settlement that could not be written rests.
const REST: Duration = Duration::from_secs(2);

pub(super) async fn settle(
    core: &Arc<Core>,
    delivery: Box<Delivery>,
    outcome: Result<String, SendError>,
    sent_at: Timestamp,
    permit: Option<OwnedSemaphorePermit>,
) -> Next {
    // The permit is for requests: the disk has its own limits.
    drop(permit);
    let now = core.clock.now();
    let settlement = match outcome {
        Ok(provider_id) => Settlement::Accepted {
            provider_id: Some(provider_id),
        },
        Err(mut error) => {
            if error.kind == SendErrorKind::InDoubt && Mutant::BlindResend.is_loose() {
                error.kind = SendErrorKind::NotConnected;
            }
            refusal(core, &delivery, &error, now).await
        }
    };
    if let Settlement::Retry { at, failure, .. } = &settlement
        && failure.kind == SendErrorKind::RateLimited.code()
    {
        core.pace.pause(delivery.channel_id, *at);
    }
    if let Settlement::InDoubt { .. } = &settlement {
        tracing::warn!(delivery.id = %delivery.id, "whether a message was sent is unknown; waiting for evidence");
    }
    let settle = Settle {
        delivery,
        settlement,
        sent_at,
        now,
    };
    match write(core, settle).await {
        Next::Again(delivery, at) if delivery.state == DeliveryState::InDoubt => {
            let wakes_at = lookup::first_at(core, &delivery, at).await;
            Next::Again(delivery, wakes_at)
        }
        next => next,
    }
}

async fn refusal(
    core: &Core,
    delivery: &Delivery,
    error: &SendError,
    now: Timestamp,
) -> Settlement {
    let failure = error.to_failure();
    if error.kind == SendErrorKind::InDoubt {
        let until = now + core.doubt(delivery.channel_id).await;
        return Settlement::InDoubt { until, failure };
    }
    let pause = core.breakers.pause(delivery.channel_id);
    match again_at(delivery, error, pause.as_ref(), now) {
        Again::At { .. } if Mutant::EarlySurrender.is_loose() => Settlement::Failed(failure),
        Again::At {
            at,
            retrying_since,
            overtaken,
        } => Settlement::Retry {
            at,
            retrying_since,
            overtaken,
            failure,
        },
        Again::Final => Settlement::Failed(failure),
        Again::TooLate => {
            let detail = format!(
                "given up after {} attempts; the last met: {error}",
                delivery.attempts
            );
            Settlement::Failed(SendError::new(SendErrorKind::Expired, detail).to_failure())
        }
    }
}

/// Writes it until it is written. Only the settlement is repeated, never the request.
async fn write(core: &Arc<Core>, mut settle: Settle) -> Next {
    let id = settle.delivery.id;
    loop {
        match (settled(core, settle.clone()).await, &mut settle.settlement) {
            (Ok(settled), _) => {
                core.enqueue_fallbacks(settled.fallback);
                return next(settle);
            }
            (
                Err(store::Error::Conflict(_)),
                Settlement::Accepted {
                    provider_id: taken @ Some(_),
                },
            ) => {
                tracing::error!(delivery.id = %id,
                    "the provider gave two messages one id; the later is kept without it");
                *taken = None;
            }
            (Err(error), _) => {
                tracing::error!(delivery.id = %id, %error, "what became of a message could not be written yet");
                if core.halt.is_over() || matches!(error, store::Error::Closed) {
                    // The row says that it was being sent: the next start waits for evidence.
                    return Next::Done;
                }
                tokio::time::sleep(REST).await;
            }
        }
    }
}

async fn settled(core: &Core, settle: Settle) -> Result<Settled, store::Error> {
    let settled = core.store.settle(settle).await?;
    Point::DeliverSettled.pass().await?;
    Ok(settled)
}

fn next(settle: Settle) -> Next {
    let mut delivery = settle.delivery;
    match settle.settlement {
        Settlement::Accepted { .. } | Settlement::Failed(_) => Next::Done,
        Settlement::Retry {
            at,
            retrying_since,
            overtaken,
            ..
        } => {
            delivery.state = DeliveryState::Ready;
            delivery.not_before = at;
            delivery.retrying_since = retrying_since;
            if overtaken && !delivery.flags.has(Flag::Overtaken) {
                delivery.flags = delivery.flags.with(Flag::Overtaken);
                return Next::Aside(delivery);
            }
            Next::Again(delivery, at)
        }
        Settlement::InDoubt { .. } if Mutant::PassedDoubt.is_loose() => Next::Done,
        Settlement::InDoubt { until, .. } => {
            delivery.state = DeliveryState::InDoubt;
            delivery.not_before = until;
            Next::Again(delivery, until)
        }
    }
}
