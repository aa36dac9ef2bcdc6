//! News of what was sent: it settles the delivery, corrects the window, and lets a fallback out.

use sea_orm::{ActiveValue::Set, DatabaseTransaction};

use super::batch::Batch;
use super::delivery::{self, ActiveModel, DeliveryRow};
use super::event::NewEvent;
use super::{Error, contact, conversation, event, lane, message, write_json};
use crate::adapter::SendErrorKind;
use crate::domain::channel::Channel;
use crate::domain::delivery::{Delivery, DeliveryState, Flag, Origin};
use crate::domain::event::{Event, EventState, Payload};
use crate::domain::ids::{ConversationId, DeliveryId};
use crate::domain::inbound::{Failure, Stage, Status};
use crate::domain::time::Timestamp;
use crate::failpoint::Point;
use crate::mutant::Mutant;

/// A status, with its times.
pub(super) struct News<'a> {
    pub(super) status: &'a Status,
    pub(super) at: Timestamp,
    pub(super) received_at: Timestamp,
}

/// What came of a status.
#[derive(Default)]
pub(super) struct Applied {
    pub(super) event: Option<Event>,
    pub(super) fallback: Option<Delivery>,
    pub(super) settled: Option<ConversationId>,
    pub(super) duplicate: bool,
    /// It is about a message that we do not know, or do not know yet.
    pub(super) orphan: bool,
}

/// Stores a status and applies it.
pub(super) async fn record(
    tx: &DatabaseTransaction,
    batch: &mut Batch,
    channel: &Channel,
    news: &News<'_>,
) -> Result<Applied, Error> {
    let status = news.status;
    let row = find(tx, batch, channel, status).await?;
    let delivery = row.as_ref().map(|row| &row.delivery);
    let wanted_by = delivery
        .filter(|delivery| delivery.wants_status)
        .and_then(rule);
    let new = NewEvent {
        location_id: channel.location_id,
        channel_id: channel.id,
        conversation_id: delivery.map(|delivery| delivery.conversation_id),
        external_key: &format!("{}:{}", status.provider_id, status.stage.name()),
        payload: Payload::Status {
            status: status.clone(),
            delivery_id: delivery.map(|delivery| delivery.id),
        },
        at: news.at,
        received_at: news.received_at,
        rule_id: wanted_by,
        state: if wanted_by.is_some() {
            EventState::Pending
        } else {
            EventState::Done
        },
    };
    let Some(stored) = event::insert(tx, batch, new).await? else {
        return Ok(Applied {
            duplicate: true,
            ..Applied::default()
        });
    };
    let Some(row) = row else {
        message::advance(
            tx,
            channel.location_id,
            channel.id,
            &status.provider_id,
            status.stage,
        )
        .await?;
        return Ok(Applied {
            orphan: true,
            ..Applied::default()
        });
    };
    if wanted_by.is_some() {
        lane::advance(tx, channel.location_id, row.delivery.conversation_id).await?;
    }
    Point::StatusStored.pass().await?;
    let (fallback, settled) = settle_by(tx, &row, news).await?;
    Ok(Applied {
        event: wanted_by.is_some().then_some(stored),
        fallback,
        settled: settled.then_some(row.delivery.conversation_id),
        ..Applied::default()
    })
}

/// The delivery that a status is about: by our own id, if it came along and fits, else by the provider's.
async fn find(
    tx: &DatabaseTransaction,
    batch: &mut Batch,
    channel: &Channel,
    status: &Status,
) -> Result<Option<DeliveryRow>, Error> {
    if let Some(id) = status.delivery_id {
        let row = delivery::find(tx, channel.location_id, id).await?;
        // An id that another channel's message carries proves nothing here.
        if let Some(row) = row.filter(|row| row.delivery.channel_id == channel.id) {
            return Ok(Some(row));
        }
    }
    // The id may have become known in this very group.
    batch.flush_accepted(tx).await?;
    delivery::find_by_provider_id(tx, channel.location_id, channel.id, &status.provider_id).await
}

/// Moves the delivery on; gives the fallback that is due, and whether what follows it may go on: its fate
/// was open until now, or the customer has it.
pub(super) async fn settle_by(
    tx: &DatabaseTransaction,
    row: &DeliveryRow,
    news: &News<'_>,
) -> Result<(Option<Delivery>, bool), Error> {
    let (delivery, status) = (&row.delivery, news.status);
    let advanced = if Mutant::BackwardStatus.is_loose() {
        Some(DeliveryState::Reached(status.stage))
    } else {
        delivery.state.advance(status.stage)
    };
    let Some(state) = advanced else {
        return Ok((None, false));
    };
    let mut change: ActiveModel = Default::default();
    if delivery.provider_id.is_none() {
        change.provider_id = Set(Some(status.provider_id.clone()));
    }
    if let Some(failure) = &status.failure {
        change.failure = Set(Some(write_json(failure)));
    }
    let key = (delivery.location_id, delivery.id);
    delivery::change_state(tx, key, &[delivery.state], state, change, news.received_at).await?;
    let goes_on = matches!(
        delivery.state,
        DeliveryState::Sending | DeliveryState::InDoubt
    ) || status.stage > Stage::Sent;
    let fallback = match (&status.failure, status.stage) {
        (Some(failure), Stage::Failed) => {
            refused(tx, delivery, failure, row.updated_at, news.received_at).await?
        }
        _ => None,
    };
    Ok((fallback, goes_on))
}

/// What follows from a final refusal, whether it came as the answer or by a later status: the window is
/// corrected, an opt-out noted, and the fallback stored in the same commit. `attempted_at` is by our clock,
/// as the customer's messages are: a refusal may come late, and the clock of the provider is another.
pub(super) async fn refused(
    tx: &DatabaseTransaction,
    delivery: &Delivery,
    failure: &Failure,
    attempted_at: Timestamp,
    now: Timestamp,
) -> Result<Option<Delivery>, Error> {
    let location_id = delivery.location_id;
    if failure.kind == SendErrorKind::OptedOut.code() {
        if let Some(contact_id) =
            conversation::contact_of(tx, location_id, delivery.conversation_id).await?
        {
            contact::set_opted_out(tx, delivery.location_id, contact_id, true).await?;
        }
        return Ok(None);
    }
    if failure.kind != SendErrorKind::WindowClosed.code() {
        return Ok(None);
    }
    lane::close_window(
        tx,
        delivery.location_id,
        delivery.conversation_id,
        attempted_at,
    )
    .await?;
    let Some(content) = delivery.fallback.clone() else {
        return Ok(None);
    };
    if rule(delivery).is_some() && content.is_template() {
        let contact_id =
            conversation::contact_of(tx, location_id, delivery.conversation_id).await?;
        // The customer may have opted out since the reply was decided.
        if let Some(contact_id) = contact_id
            && contact::is_opted_out(tx, location_id, contact_id).await?
        {
            return Ok(None);
        }
    }
    let fallback = Delivery {
        // One fallback for one refusal, however often it is told.
        id: DeliveryId::derive(&[delivery.id.bytes(), b"fallback"]),
        content,
        fallback: None,
        reply_to: None,
        state: DeliveryState::Ready,
        attempts: 0,
        provider_id: None,
        not_before: now,
        fallback_of: Some(delivery.id),
        flags: delivery
            .flags
            .without(Flag::Resent)
            .without(Flag::LeftInDoubt),
        retrying_since: None,
        created_at: now,
        ..delivery.clone()
    };
    delivery::insert(tx, &fallback, None).await?;
    Ok(Some(fallback))
}

/// The rule that wanted a delivery, if a rule did.
pub(super) fn rule(delivery: &Delivery) -> Option<crate::domain::ids::RuleId> {
    match delivery.origin {
        Origin::Rule { rule_id, .. } => Some(rule_id),
        Origin::Person => None,
    }
}
