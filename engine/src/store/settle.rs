//! Delivering, as far as the database is concerned: the intent before the request, its fate after it.

use std::sync::Arc;

use sea_orm::entity::prelude::Uuid;
use sea_orm::{ActiveValue::Set, DatabaseTransaction};

use super::batch::Batch;
use super::delivery::{self, ActiveModel};
use super::event::NewEvent;
use super::known::Known;
use super::lane::{self, Lane};
use super::status::{self, News};
use super::{Error, Operation, Store, event, write_json};
use crate::adapter::{SendError, SendErrorKind};
use crate::domain::contact::Peer;
use crate::domain::content::Content;
use crate::domain::conversation::HeldBy;
use crate::domain::delivery::{Delivery, DeliveryState, Flag, Origin};
use crate::domain::event::{Event, EventState, Payload};
use crate::domain::ids::{DeliveryId, LocationId};
use crate::domain::inbound::{Failure, Stage, Status};
use crate::domain::time::Timestamp;

/// What may leave now, by the window and by who is in charge.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Departure {
    /// This content.
    Send(Content),
    /// Nothing: a person is in charge.
    Held,
    /// Nothing: the window is shut, and there is no template.
    WindowClosed,
}

/// Free-form text never leaves outside the window, and nothing automatic while a person is in charge.
pub(super) fn departure(lane: &Lane, delivery: &Delivery, now: Timestamp) -> Departure {
    let automatic = matches!(delivery.origin, Origin::Rule { .. });
    let person = lane
        .hold
        .is_some_and(|hold| hold.until > now && hold.by != HeldBy::Rule);
    if automatic && person && !delivery.flags.has(Flag::WhenHeld) {
        return Departure::Held;
    }
    if delivery.content.is_template() || lane.window.is_open(now) {
        return Departure::Send(delivery.content.clone());
    }
    delivery
        .fallback
        .clone()
        .map_or(Departure::WindowClosed, Departure::Send)
}

/// Commits that a delivery is about to be sent.
pub(crate) struct Intend {
    pub(crate) location_id: LocationId,
    pub(crate) id: DeliveryId,
    /// How often it was tried before, as far as the sender knows.
    pub(crate) attempts: u32,
    pub(crate) node: Uuid,
    pub(crate) now: Timestamp,
}

/// What became of the intent.
#[derive(Debug)]
pub(crate) enum Intended {
    /// It is committed: send this.
    Send(Box<Delivery>),
    /// It is not to be sent any more; the event tells its rule why, if it asked to be told.
    Over(Option<Box<Event>>),
}

impl Operation for Intend {
    type Output = Intended;

    fn take_events(&self, intended: &mut Intended) -> Vec<Event> {
        match intended {
            Intended::Over(event) => event.take().map(|event| *event).into_iter().collect(),
            Intended::Send(_) => Vec::new(),
        }
    }

    async fn apply(&self, tx: &DatabaseTransaction, batch: &mut Batch) -> Result<Intended, Error> {
        let row = delivery::find(tx, self.location_id, self.id).await?;
        let by = row.as_ref().and_then(|row| row.node);
        let mut delivery = match row.map(|row| row.delivery) {
            Some(delivery) if delivery.state == DeliveryState::Ready => delivery,
            // This very intent was committed before, and nobody heard of it: nothing was sent yet. That of
            // another process is another matter.
            Some(delivery)
                if delivery.state == DeliveryState::Sending
                    && delivery.attempts == self.attempts + 1
                    && by == Some(self.node) =>
            {
                return Ok(Intended::Send(Box::new(delivery)));
            }
            _ => return Ok(Intended::Over(None)),
        };
        let key = (self.location_id, self.id);
        if !batch.is_there(tx, self.location_id).await? {
            return Ok(Intended::Over(None));
        }
        let lane = lane::read(tx, self.location_id, delivery.conversation_id).await?;
        match departure(&lane, &delivery, self.now) {
            Departure::Send(content) => {
                let mut change: ActiveModel = Default::default();
                if content != delivery.content {
                    change.content = Set(write_json(&content));
                    change.text_hash = Set(content.text_hash());
                    change.fallback = Set(None);
                    delivery.content = content;
                    delivery.fallback = None;
                }
                delivery.attempts += 1;
                delivery.state = DeliveryState::Sending;
                change.attempts = Set(i32::try_from(delivery.attempts).unwrap_or(i32::MAX));
                change.node = Set(Some(self.node));
                let from = [DeliveryState::Ready];
                let to = delivery.state;
                let changed = delivery::change_state(tx, key, &from, to, change, self.now).await?;
                Ok(if changed {
                    Intended::Send(Box::new(delivery))
                } else {
                    Intended::Over(None)
                })
            }
            Departure::Held => {
                let change = ActiveModel {
                    failure: Set(Some(delivery::held())),
                    ..Default::default()
                };
                let to = DeliveryState::Cancelled;
                delivery::change_state(tx, key, &[DeliveryState::Ready], to, change, self.now)
                    .await?;
                Ok(Intended::Over(None))
            }
            Departure::WindowClosed => {
                let failure = SendError::new(
                    SendErrorKind::WindowClosed,
                    "the customer has not written for 24 hours, and the rule names no template to send instead",
                )
                .to_failure();
                fail(tx, batch, &delivery, &failure, self.now)
                    .await
                    .map(|event| Intended::Over(event.flatten().map(Box::new)))
            }
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Settlement {
    /// The provider has it.
    Accepted {
        /// The provider's id of it, unless another message bears it already.
        provider_id: Option<String>,
    },
    /// Certainly not sent; to be tried again.
    Retry {
        /// Not before then.
        at: Timestamp,
        /// Since when it fails for its own reasons.
        retrying_since: Option<Timestamp>,
        /// Whether others go before it from now on.
        overtaken: bool,
        /// What happened.
        failure: Failure,
    },
    /// Certainly not sent, and not to be tried again.
    Failed(Failure),
    /// It may have been sent.
    InDoubt {
        /// How long we wait for evidence.
        until: Timestamp,
        /// What happened.
        failure: Failure,
    },
}

/// Commits what became of a request. May be repeated: what is settled stays so.
#[derive(Clone)]
pub(crate) struct Settle {
    pub(crate) delivery: Box<Delivery>,
    pub(crate) settlement: Settlement,
    /// When the request was made.
    pub(crate) sent_at: Timestamp,
    pub(crate) now: Timestamp,
}

/// What follows from it.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The template that goes out instead.
    pub(crate) fallback: Option<Delivery>,
    /// Tell the rule, if it asked to be told.
    pub(crate) events: Vec<Event>,
}

impl Store {
    /// Commits what became of a request.
    pub(crate) async fn settle(&self, settle: Settle) -> Result<Settled, Error> {
        let provider_id = match &settle.settlement {
            Settlement::Accepted { provider_id } => provider_id.clone(),
            _ => None,
        };
        let known = Arc::clone(&self.known);
        let settled = self.write(Settling { settle, known }).await?;
        if let Some(provider_id) = provider_id {
            // Only now: a group that is rolled back is tried again, and must find it.
            self.known.forget_orphan(&provider_id);
        }
        Ok(settled)
    }
}

struct Settling {
    settle: Settle,
    known: Arc<Known>,
}

impl Operation for Settling {
    type Output = Settled;

    fn take_events(&self, settled: &mut Settled) -> Vec<Event> {
        std::mem::take(&mut settled.events)
    }

    async fn apply(&self, tx: &DatabaseTransaction, batch: &mut Batch) -> Result<Settled, Error> {
        const OPEN: [DeliveryState; 2] = [DeliveryState::Sending, DeliveryState::InDoubt];
        let Settle {
            delivery,
            settlement,
            sent_at,
            now,
        } = &self.settle;
        let key = (delivery.location_id, delivery.id);
        let mut change: ActiveModel = Default::default();
        match settlement {
            Settlement::Accepted { provider_id: None } => {
                change.failure = Set(None);
                let to = DeliveryState::Reached(Stage::Accepted);
                delivery::change_state(tx, key, &OPEN, to, change, *now).await?;
                Ok(Settled::default())
            }
            Settlement::Accepted {
                provider_id: Some(provider_id),
            } => {
                // A status may have been quicker than the answer: then this changes nothing.
                batch.accepted(delivery.location_id, delivery.id, provider_id, *now);
                if self.known.is_orphan(provider_id) {
                    batch.flush(tx).await?;
                    return catch_up(tx, batch, delivery, provider_id, *now).await;
                }
                Ok(Settled::default())
            }
            Settlement::Retry {
                at,
                retrying_since,
                overtaken,
                failure,
            } => {
                change.not_before = Set(at.ms());
                if *overtaken {
                    change.flags = Set(delivery.flags.with(Flag::Overtaken).to_string());
                }
                change.retrying_since = Set(retrying_since.map(Timestamp::ms));
                change.failure = Set(Some(write_json(failure)));
                // Also from *in doubt*: the provider's list may tell that it was not taken.
                delivery::change_state(tx, key, &OPEN, DeliveryState::Ready, change, *now).await?;
                Ok(Settled::default())
            }
            Settlement::InDoubt { until, failure } => {
                change.not_before = Set(until.ms());
                change.attempted_at = Set(Some(sent_at.ms()));
                change.failure = Set(Some(write_json(failure)));
                delivery::change_state(tx, key, &OPEN[..1], DeliveryState::InDoubt, change, *now)
                    .await?;
                Ok(Settled::default())
            }
            Settlement::Failed(failure) => {
                // What a status has shown to have arrived did not fail, and needs no fallback.
                let Some(event) = fail(tx, batch, delivery, failure, *now).await? else {
                    return Ok(Settled::default());
                };
                let fallback = status::refused(tx, delivery, failure, *sent_at, *now).await?;
                let events = event.into_iter().collect();
                Ok(Settled { fallback, events })
            }
        }
    }
}

/// Statuses that came before the provider's id was known to be ours are applied now.
async fn catch_up(
    tx: &DatabaseTransaction,
    batch: &mut Batch,
    delivery: &Delivery,
    provider_id: &str,
    now: Timestamp,
) -> Result<Settled, Error> {
    let mut settled = Settled::default();
    for (status, at) in
        event::statuses_of(tx, delivery.location_id, delivery.channel_id, provider_id).await?
    {
        let Some(row) = delivery::find(tx, delivery.location_id, delivery.id).await? else {
            break;
        };
        let news = News {
            status: &status,
            at,
            received_at: now,
        };
        let (fallback, _) = status::settle_by(tx, &row, &news).await?;
        settled.fallback = settled.fallback.or(fallback);
        if let Some(event) = tell(tx, batch, delivery, &status, at, now).await? {
            settled.events.push(event);
        }
    }
    Ok(settled)
}

/// Marks a delivery as failed, and tells its rule if it asked to be told; `None` if it has come further.
async fn fail(
    tx: &DatabaseTransaction,
    batch: &mut Batch,
    delivery: &Delivery,
    failure: &Failure,
    now: Timestamp,
) -> Result<Option<Option<Event>>, Error> {
    let change = ActiveModel {
        failure: Set(Some(write_json(failure))),
        ..Default::default()
    };
    let from = [
        DeliveryState::Ready,
        DeliveryState::Sending,
        DeliveryState::InDoubt,
    ];
    let key = (delivery.location_id, delivery.id);
    let to = DeliveryState::Reached(Stage::Failed);
    if !delivery::change_state(tx, key, &from, to, change, now).await? {
        return Ok(None);
    }
    let status = Status {
        // The provider never had it: our own id stands in.
        provider_id: delivery
            .provider_id
            .clone()
            .unwrap_or_else(|| delivery.id.to_string()),
        stage: Stage::Failed,
        delivery_id: Some(delivery.id),
        peer: Peer::default(),
        failure: Some(failure.clone()),
        pricing: None,
    };
    tell(tx, batch, delivery, &status, now, now).await.map(Some)
}

/// An event for the rule that wanted the delivery, if it asked to hear of statuses.
async fn tell(
    tx: &DatabaseTransaction,
    batch: &mut Batch,
    delivery: &Delivery,
    status: &Status,
    at: Timestamp,
    now: Timestamp,
) -> Result<Option<Event>, Error> {
    let Some(rule_id) = status::rule(delivery).filter(|_| delivery.wants_status) else {
        return Ok(None);
    };
    let new = NewEvent {
        location_id: delivery.location_id,
        channel_id: delivery.channel_id,
        conversation_id: Some(delivery.conversation_id),
        external_key: &format!("{}:{}", delivery.id, status.stage.name()),
        payload: Payload::Status {
            status: status.clone(),
            delivery_id: Some(delivery.id),
        },
        at,
        received_at: now,
        rule_id: Some(rule_id),
        state: EventState::Pending,
    };
    let event = event::insert(tx, batch, new).await?;
    if event.is_some() {
        lane::advance(tx, delivery.location_id, delivery.conversation_id).await?;
    }
    Ok(event)
}
