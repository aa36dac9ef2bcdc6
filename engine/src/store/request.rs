//! Calls that rules asked for: until they are answered, and what is left of them afterwards.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, FromQueryResult, QueryOrder, QuerySelect};
use serde_json::{Map, Value};

use super::batch::Batch;
use super::{Error, LocationStore, Operation, Store, read_json, sql, write_json};
use crate::domain::ids::{ConversationId, EventId, LocationId, RequestId, RuleId};
use crate::domain::request::{Fault, Request};
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
        // Its id follows from the run: a commit that is repeated finds it there.
        let key = OnConflict::columns([Column::LocationId, Column::Id])
            .do_nothing()
            .to_owned();
        Entity::insert(row)
            .on_conflict(key)
            .exec_without_returning(tx)
            .await?;
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

/// Changes a request that is in a state; false if it is in another.
pub(super) async fn update(
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
