//! Answers to rules' requests: each becomes an event of its conversation, and once more one when it came
//! while someone held the conversation and that has ended.

use sea_orm::entity::prelude::Uuid;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, FromQueryResult};

use super::batch::Batch;
use super::event::NewEvent;
use super::request::{ActiveModel, update};
use super::{Error, Operation, Store, conversation, event, lane, sql};
use crate::domain::event::{Event, EventState, Payload};
use crate::domain::ids::{ConversationId, EventId, LocationId, RequestId, RuleId};
use crate::domain::request::{Request, Response};
use crate::domain::time::Timestamp;

impl Store {
    /// Answers that waited for the release of their conversation, which has come.
    pub(crate) async fn released_answers(
        &self,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<HeldAnswer>, Error> {
        let text = "SELECT r.location_id, r.id, r.held_event_id FROM rejoinder_request r JOIN rejoinder_lane l \
             ON l.location_id = r.location_id AND l.conversation_id = r.conversation_id \
             WHERE r.state = 'held' AND r.not_before <= $1 AND (l.held_until IS NULL OR l.held_until <= $1) \
             ORDER BY r.answered_at, r.id LIMIT $2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let statement = sql(&self.reader, text, [now.ms().into(), limit.into()]);
        let rows = HeldRow::find_by_statement(statement)
            .all(&self.reader)
            .await?;
        Ok(rows.into_iter().map(HeldAnswer::from).collect())
    }
}

/// Ends a request by the event of its answer.
#[derive(Clone)]
pub(crate) struct AnswerRequest {
    pub(crate) request: Request,
    pub(crate) response: Response,
    pub(crate) now: Timestamp,
}

impl Operation for AnswerRequest {
    /// The event; nothing if it was answered before.
    type Output = Vec<Event>;

    fn take_events(&self, events: &mut Vec<Event>) -> Vec<Event> {
        std::mem::take(events)
    }

    async fn apply(
        &self,
        tx: &DatabaseTransaction,
        batch: &mut Batch,
    ) -> Result<Vec<Event>, Error> {
        let Self {
            request,
            response,
            now,
        } = self;
        let (location_id, id) = (request.location_id, request.id);
        let row = ActiveModel {
            // The event has it from now on.
            data: Set(None),
            state: Set("answered".to_owned()),
            attempts: Set(i32::try_from(request.attempts).unwrap_or(i32::MAX)),
            status: Set(Some(i32::from(response.status))),
            fault: Set(response.error.map(|fault| fault.name().to_owned())),
            answered_at: Set(Some(now.ms())),
            ..Default::default()
        };
        if !update(tx, location_id, id, "open", row).await? {
            return Ok(Vec::new());
        }
        let payload = Payload::Response {
            request_id: id,
            endpoint: request.endpoint.clone(),
            handler: request.handler.clone(),
            response: response.clone(),
        };
        let key = id.to_string();
        let new = Answer {
            location_id,
            conversation_id: request.conversation_id,
            rule_id: request.rule_id,
            key: &key,
            payload,
            at: *now,
        };
        Ok(new.insert(tx, batch, *now).await?.into_iter().collect())
    }
}

/// The event of an answer.
struct Answer<'a> {
    location_id: LocationId,
    conversation_id: ConversationId,
    rule_id: RuleId,
    key: &'a str,
    payload: Payload,
    at: Timestamp,
}

impl Answer<'_> {
    async fn insert(
        self,
        tx: &DatabaseTransaction,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Result<Option<Event>, Error> {
        let (location_id, id) = (self.location_id, self.conversation_id);
        let Some(channel_id) = conversation::channel_of(tx, location_id, id).await? else {
            return Ok(None);
        };
        let new = NewEvent {
            location_id,
            channel_id,
            conversation_id: Some(id),
            external_key: self.key,
            payload: self.payload,
            at: self.at,
            received_at: now,
            rule_id: Some(self.rule_id),
            state: EventState::Pending,
        };
        let event = event::insert(tx, batch, new).await?;
        if event.is_some() {
            lane::advance(tx, location_id, id).await?;
        }
        Ok(event)
    }
}

/// Keeps an answer, whose event has just been decided, for the release of its conversation.
pub(super) async fn hold(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: RequestId,
    event_id: EventId,
) -> Result<(), Error> {
    let row = ActiveModel {
        state: Set("held".to_owned()),
        held_event_id: Set(Some(event_id.uuid())),
        ..Default::default()
    };
    update(tx, location_id, id, "answered", row).await?;
    Ok(())
}

/// An answer that waits for the release of its conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldAnswer {
    pub(crate) location_id: LocationId,
    id: RequestId,
    event_id: EventId,
}

#[derive(FromQueryResult)]
struct HeldRow {
    location_id: Uuid,
    id: Uuid,
    held_event_id: Uuid,
}

impl From<HeldRow> for HeldAnswer {
    fn from(row: HeldRow) -> Self {
        Self {
            location_id: LocationId::from_uuid(row.location_id),
            id: RequestId::from_uuid(row.id),
            event_id: EventId::from_uuid(row.held_event_id),
        }
    }
}

/// Tells the rule of an answer once more; nothing if that was done before, or its event is gone.
pub(super) async fn release(
    tx: &DatabaseTransaction,
    batch: &mut Batch,
    held: &HeldAnswer,
    now: Timestamp,
) -> Result<Option<Event>, Error> {
    let row = ActiveModel {
        state: Set("answered".to_owned()),
        held_event_id: Set(None),
        ..Default::default()
    };
    if !update(tx, held.location_id, held.id, "held", row).await? {
        return Ok(None);
    }
    let kept = match event::find(tx, held.location_id, held.event_id).await {
        // What does not read is not told; it stays listed.
        Err(Error::Corrupt { what, .. }) => {
            tracing::error!(event.id = %held.event_id, what, "a held answer does not read");
            None
        }
        kept => kept?,
    };
    let Some(kept) = kept else {
        return Ok(None);
    };
    let (Some(conversation_id), Some(rule_id)) = (kept.conversation_id, kept.rule_id) else {
        return Ok(None);
    };
    // Held twice, it comes thrice: each time by the event before.
    let key = format!("{}:{}", held.id, held.event_id);
    let new = Answer {
        location_id: held.location_id,
        conversation_id,
        rule_id,
        key: &key,
        payload: kept.payload,
        at: kept.at,
    };
    new.insert(tx, batch, now).await
}

/// Keeps an answer longer: until the quiet hours are over.
pub(super) async fn postpone(
    tx: &DatabaseTransaction,
    held: &HeldAnswer,
    until: Timestamp,
) -> Result<(), Error> {
    let row = ActiveModel {
        not_before: Set(until.ms()),
        ..Default::default()
    };
    update(tx, held.location_id, held.id, "held", row).await?;
    Ok(())
}
