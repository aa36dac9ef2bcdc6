//! Calls that rules asked for, from the run that wanted them to the event that answers them.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, FromQueryResult, QueryOrder, QuerySelect};
use serde_json::{Map, Value};

use super::batch::Batch;
use super::event::NewEvent;
use super::{
    Error, LocationStore, Operation, Store, conversation, event, lane, read_json, sql, write_json,
};
use crate::domain::event::{Event, EventState, Payload};
use crate::domain::ids::{ConversationId, EventId, LocationId, RequestId, RuleId};
use crate::domain::request::{Fault, Request, Response};
use crate::domain::time::Timestamp;

/// Open requests of a location at most: a thousand customers wait for an answer that does not come.
const MAX_OPEN: u64 = 1_000;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_request")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub conversation_id: Uuid,
    pub rule_id: Uuid,
    pub event_id: Uuid,
    pub endpoint: String,
    pub handler: Option<String>,
    pub data: Option<String>,
    pub state: String,
    pub attempts: i32,
    pub not_before: i64,
    pub status: Option<i32>,
    pub fault: Option<String>,
    pub held_event_id: Option<Uuid>,
    pub created_at: i64,
    pub answered_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

/// A request as listed.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestRow {
    /// What was asked for; without its data once it is answered.
    pub request: Request,
    /// `open`, `held` (answered while someone held the conversation) or `answered`.
    pub state: String,
    /// The HTTP status of the answer, 0 if there was none.
    pub status: Option<u16>,
    /// Why there was none.
    pub fault: Option<Fault>,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
}

impl TryFrom<Model> for RequestRow {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let data: Option<Map<String, Value>> = row
            .data
            .as_deref()
            .map(|text| read_json("request", text))
            .transpose()?;
        let fault = row.fault.as_deref().and_then(Fault::parse);
        Ok(Self {
            request: Request {
                location_id: LocationId::from_uuid(row.location_id),
                id: RequestId::from_uuid(row.id),
                conversation_id: ConversationId::from_uuid(row.conversation_id),
                rule_id: RuleId::from_uuid(row.rule_id),
                event_id: EventId::from_uuid(row.event_id),
                endpoint: row.endpoint,
                handler: row.handler,
                data: data.unwrap_or_default(),
                attempts: u32::try_from(row.attempts).unwrap_or(0),
                not_before: Timestamp::from_ms(row.not_before),
                refusal: fault,
                created_at: Timestamp::from_ms(row.created_at),
            },
            state: row.state,
            status: row.status.and_then(|status| u16::try_from(status).ok()),
            fault,
            answered_at: row.answered_at.map(Timestamp::from_ms),
        })
    }
}

#[derive(FromQueryResult)]
struct Next {
    at: Option<i64>,
}

impl Store {
    /// Open requests that may be made now, `most` of each location, the locations in turn.
    pub(crate) async fn due_requests(
        &self,
        now: Timestamp,
        most: u64,
        limit: u64,
    ) -> Result<Vec<Request>, Error> {
        let text = "SELECT * FROM (SELECT r.*, ROW_NUMBER() OVER (PARTITION BY location_id \
             ORDER BY not_before, created_at, id) AS nth FROM rejoinder_request r \
             WHERE state = 'open' AND not_before <= $1) AS due \
             WHERE nth <= $2 ORDER BY nth, not_before, id LIMIT $3";
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let values = [now.ms().into(), number(most).into(), number(limit).into()];
        let rows = Model::find_by_statement(sql(&self.reader, text, values))
            .all(&self.reader)
            .await?;
        let ids = |row: &Model| (row.location_id, row.id);
        let rows = self.readable(rows, ids, RequestRow::try_from);
        Ok(rows.into_iter().map(|row| row.request).collect())
    }

    /// When the next open request may be made, or the next held answer is released.
    pub(crate) async fn next_request(&self) -> Result<Option<Timestamp>, Error> {
        let open = "SELECT MIN(not_before) AS at FROM rejoinder_request WHERE state = 'open'";
        let held = "SELECT MIN(CASE WHEN l.held_until > r.not_before THEN l.held_until ELSE r.not_before END) AS at \
             FROM rejoinder_request r JOIN rejoinder_lane l \
             ON l.location_id = r.location_id AND l.conversation_id = r.conversation_id \
             WHERE r.state = 'held'";
        let mut next: Option<i64> = None;
        for text in [open, held] {
            let row = Next::find_by_statement(sql(&self.reader, text, []))
                .one(&self.reader)
                .await?;
            next = next.into_iter().chain(row.and_then(|row| row.at)).min();
        }
        Ok(next.map(Timestamp::from_ms))
    }

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

impl LocationStore<'_> {
    /// The latest requests, oldest first; of one conversation, if one is named.
    ///
    /// # Errors
    /// The database failed.
    pub async fn requests(
        &self,
        conversation_id: Option<ConversationId>,
        limit: u64,
    ) -> Result<Vec<RequestRow>, Error> {
        let mut query = Entity::find().filter(Column::LocationId.eq(self.location_id.uuid()));
        if let Some(id) = conversation_id {
            query = query.filter(Column::ConversationId.eq(id.uuid()));
        }
        let rows = query
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.into_iter().rev().map(RequestRow::try_from).collect()
    }

    /// One request.
    ///
    /// # Errors
    /// The database failed.
    pub async fn request(&self, id: RequestId) -> Result<Option<RequestRow>, Error> {
        let row = Entity::find_by_id((self.location_id.uuid(), id.uuid()))
            .one(self.reader())
            .await?;
        row.map(RequestRow::try_from).transpose()
    }
}

/// Stores what a run asks for; beyond what may be open it will be answered `busy`.
pub(super) async fn insert(tx: &DatabaseTransaction, requests: &[Request]) -> Result<(), Error> {
    let Some(first) = requests.first() else {
        return Ok(());
    };
    let mut open = Entity::find()
        .filter(Column::LocationId.eq(first.location_id.uuid()))
        .filter(Expr::cust("state = 'open'"))
        .limit(MAX_OPEN)
        .count(tx)
        .await?;
    for request in requests {
        let busy = (open >= MAX_OPEN).then_some(Fault::Busy);
        let fault = request.refusal.or(busy);
        let row = ActiveModel {
            location_id: Set(request.location_id.uuid()),
            id: Set(request.id.uuid()),
            conversation_id: Set(request.conversation_id.uuid()),
            rule_id: Set(request.rule_id.uuid()),
            event_id: Set(request.event_id.uuid()),
            endpoint: Set(request.endpoint.clone()),
            handler: Set(request.handler.clone()),
            data: Set(Some(write_json(&request.data))),
            state: Set("open".to_owned()),
            attempts: Set(0),
            not_before: Set(request.not_before.ms()),
            status: Set(None),
            fault: Set(fault.map(|fault| fault.name().to_owned())),
            held_event_id: Set(None),
            created_at: Set(request.created_at.ms()),
            answered_at: Set(None),
        };
        Entity::insert(row).exec_without_returning(tx).await?;
        open += 1;
    }
    Ok(())
}

/// Puts off a request that is tried again.
#[derive(Clone)]
pub(crate) struct RetryRequest {
    pub(crate) location_id: LocationId,
    pub(crate) id: RequestId,
    pub(crate) attempts: u32,
    pub(crate) not_before: Timestamp,
}

impl Operation for RetryRequest {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let row = ActiveModel {
            attempts: Set(i32::try_from(self.attempts).unwrap_or(i32::MAX)),
            not_before: Set(self.not_before.ms()),
            ..Default::default()
        };
        update(tx, self.location_id, self.id, "open", row).await?;
        Ok(())
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
    let Some(kept) = event::find(tx, held.location_id, held.event_id).await? else {
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

/// Changes a request that is in a state; false if it is in another.
async fn update(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: RequestId,
    state: &str,
    row: ActiveModel,
) -> Result<bool, Error> {
    let updated = Entity::update_many()
        .set(row)
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Column::Id.eq(id.uuid()))
        .filter(Column::State.eq(state))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}
