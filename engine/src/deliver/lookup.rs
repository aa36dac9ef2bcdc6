//! What became of a message in doubt, asked of a provider that keeps a list of messages. Whatever goes wrong
//! here, the doubt stays as it was.

use std::sync::Arc;
use std::time::Duration;

use super::Next;
use super::settle::settle;
use super::way::Way;
use crate::adapter::{Inquiry, Likeness, SendError, SendErrorKind, Trace};
use crate::core::Core;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::inbound::{Inbound, Item, Status};
use crate::domain::time::{Span, Timestamp};
use crate::rota::Asked;
use crate::store::{self, Record, RecordItem};

/// How long after the attempt the provider is asked first: a status has mostly come by then, or the answer.
const FIRST: Span = Span::seconds(20);
/// How long after it for the second time.
const SECOND: Span = Span::seconds(60);
/// From then on a list without the message counts as a proof that it was not taken.
const CERTAIN: Span = Span::seconds(120);
/// How far two such proofs lie apart. With the first at `CERTAIN` and Twilio's 150 seconds there is time for three.
const APART: Span = Span::seconds(14);
/// Proofs needed: a list may be late.
const PROOFS: u32 = 2;
/// How long the list may take, if the wait for evidence is not over before.
const DEADLINE: Duration = Duration::from_secs(10);

/// When a lane that begins to wait for evidence wakes to ask, if its provider can be asked; `until` otherwise.
pub(super) async fn first_at(core: &Core, delivery: &Delivery, until: Timestamp) -> Timestamp {
    let channels = core.setup.channels().await.ok();
    let lists = channels
        .as_ref()
        .and_then(|channels| channels.get(delivery.channel_id))
        .and_then(|setup| core.adapters.get(setup.channel.provider.as_str()))
        .is_some_and(|adapter| adapter.lists_messages());
    if lists {
        until.min(core.clock.now() + FIRST)
    } else {
        until
    }
}

/// When a lane that waits until `until` wakes to ask.
pub(super) fn next_at(core: &Core, delivery: &Delivery, until: Timestamp) -> Timestamp {
    core.rota
        .asked(delivery.id)
        .map_or(until, |asked| asked.next_at.min(until))
}

/// Asks what became of a message in doubt, if it is time. Gives what becomes of its lane if it was certainly
/// not sent; evidence that it was is written, and for the doubt to find.
pub(super) async fn look_up(core: &Arc<Core>, delivery: &Delivery) -> Option<Next> {
    match ask(core, delivery).await {
        Ok(next) => next,
        Err(error) => {
            tracing::warn!(delivery.id = %delivery.id, %error, "what became of a message could not be looked up");
            None
        }
    }
}

async fn ask(core: &Arc<Core>, delivery: &Delivery) -> Result<Option<Next>, store::Error> {
    let Some(way) = Way::of(core, delivery).await? else {
        return Ok(None);
    };
    if !way.adapter.lists_messages() {
        return Ok(None);
    }
    let id = delivery.id;
    let store = core.store.of(delivery.location_id);
    let Some(row) = store.delivery(id).await? else {
        return Ok(None);
    };
    let now = core.clock.now();
    let begin = |at: Timestamp| Asked {
        next_at: at + FIRST,
        absences: 0,
    };
    let attempted_at = match (row.delivery.state, row.attempted_at) {
        (DeliveryState::InDoubt, Some(attempted_at)) => attempted_at,
        // It turns out to be in doubt only now.
        (DeliveryState::Sending, _) => {
            core.rota.ask(id, begin(now));
            return Ok(None);
        }
        _ => return Ok(None),
    };
    let asked = core.rota.asked(id).unwrap_or_else(|| begin(attempted_at));
    let left = row.delivery.not_before.since(now);
    if now < asked.next_at || left <= Span::ZERO {
        core.rota.ask(id, asked);
        return Ok(None);
    }
    let next_at = next_time(attempted_at, now);
    core.rota.ask(id, Asked { next_at, ..asked });
    let inquiry = Inquiry {
        channel: &way.channel.channel,
        credentials: &way.channel.credentials,
        to: &way.address,
        content: &row.delivery.content,
        attempted_at,
    };
    let deadline = DEADLINE.min(left.to_std());
    let traces = match tokio::time::timeout(deadline, way.adapter.seek(&inquiry)).await {
        Ok(Ok(traces)) => unclaimed(core, delivery, traces).await?,
        Ok(Err(error)) => {
            tracing::warn!(delivery.id = %id, %error, "the provider does not tell what became of a message");
            return Ok(None);
        }
        Err(_) => {
            tracing::warn!(delivery.id = %id, "the provider did not tell in time what became of a message");
            return Ok(None);
        }
    };
    let mut same = traces
        .iter()
        .filter(|trace| trace.likeness == Likeness::Same);
    if let (Some(one), None) = (same.next(), same.next()) {
        note_sent(core, &way, delivery, one.status.clone()).await?;
        return Ok(None);
    }
    let absences = match traces.is_empty() {
        true if now >= attempted_at + CERTAIN => asked.absences + 1,
        true => asked.absences,
        false => 0,
    };
    core.rota.ask(id, Asked { next_at, absences });
    if absences < PROOFS {
        return Ok(None);
    }
    Ok(Some(send_again(core, delivery, attempted_at).await))
}

/// When to ask next.
fn next_time(attempted_at: Timestamp, now: Timestamp) -> Timestamp {
    [attempted_at + SECOND, attempted_at + CERTAIN]
        .into_iter()
        .find(|at| *at > now)
        .unwrap_or(now + APART)
}

/// The traces that are not known to be other deliveries of ours.
async fn unclaimed(
    core: &Core,
    delivery: &Delivery,
    mut traces: Vec<Trace>,
) -> Result<Vec<Trace>, store::Error> {
    if traces.is_empty() {
        return Ok(traces);
    }
    let ids: Vec<String> = traces
        .iter()
        .map(|trace| trace.status.provider_id.clone())
        .collect();
    let store = core.store.of(delivery.location_id);
    let claimed = store.claimed(delivery.channel_id, &ids).await?;
    traces.retain(|trace| !claimed.contains(&trace.status.provider_id));
    Ok(traces)
}

/// The provider has it: that is written as its status would be.
async fn note_sent(
    core: &Core,
    way: &Way,
    delivery: &Delivery,
    status: Status,
) -> Result<(), store::Error> {
    let item = RecordItem {
        channel: Arc::clone(&way.channel.channel),
        // No person wrote.
        hold: Span::ZERO,
        inbound: Inbound {
            to: None,
            at: None,
            item: Item::Status(Status {
                delivery_id: Some(delivery.id),
                ..status
            }),
            raw: None,
        },
    };
    let record = Record {
        items: vec![item],
        strays: Vec::new(),
        received_at: core.clock.now(),
    };
    let recorded = core.store.record(record).await?;
    core.enqueue_fallbacks(recorded.fallbacks);
    Ok(())
}

/// The provider does not have it: it is settled like any message that was certainly not sent. It is not marked
/// as sent once more, for it never was.
async fn send_again(core: &Arc<Core>, delivery: &Delivery, attempted_at: Timestamp) -> Next {
    tracing::info!(delivery.id = %delivery.id, "a message in doubt was not sent after all");
    core.rota.forget(delivery.id);
    let error = SendError::new(
        SendErrorKind::NotConnected,
        "the provider's list does not have it: the request did not arrive",
    );
    let delivery = Box::new(delivery.clone());
    settle(core, delivery, Err(error), attempted_at, None).await
}
