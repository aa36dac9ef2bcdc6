//! What happened, once.

use sea_orm::entity::prelude::*;
use sea_orm::{
    ActiveValue::Set, DatabaseTransaction, DbBackend, FromQueryResult, PaginatorTrait, QueryOrder,
    QuerySelect,
};
use serde_json::json;

use super::batch::{self, Batch};
use super::{Error, LocationStore, Operation, Store, read_json, sql, write_json};
use crate::domain::event::{Event, EventState, Payload};
use crate::domain::ids::{ChannelId, ConversationId, EventId, LocationId, RuleId};
use crate::domain::inbound::{Stage, Status};
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub channel_id: Uuid,
    pub conversation_id: Option<Uuid>,
    pub seq: i64,
    pub kind: String,
    pub external_key: String,
    pub payload: String,
    pub at: i64,
    pub received_at: i64,
    pub rule_id: Option<Uuid>,
    pub state: String,
    pub attempts: i32,
    pub visits: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

/// An event as listed: what happened, and how far it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// What happened.
    pub event: Event,
    /// `pending`, `done` or `parked`.
    pub state: String,
    /// The rules that did not run, and why, as JSON.
    pub visits: Option<String>,
}

impl TryFrom<Model> for EventRow {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            event: Event {
                location_id: LocationId::from_uuid(row.location_id),
                id: EventId::from_uuid(row.id),
                channel_id: ChannelId::from_uuid(row.channel_id),
                conversation_id: row.conversation_id.map(ConversationId::from_uuid),
                seq: row.seq,
                payload: read_json("event", &row.payload)?,
                at: Timestamp::from_ms(row.at),
                received_at: Timestamp::from_ms(row.received_at),
                rule_id: row.rule_id.map(RuleId::from_uuid),
            },
            state: row.state,
            visits: row.visits,
        })
    }
}

impl Store {
    /// The events of `rows`; one that does not read is parked.
    pub(super) async fn legible_events(&self, rows: Vec<Model>) -> Result<Vec<Event>, Error> {
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let (location_id, id) = (row.location_id, row.id);
            match EventRow::try_from(row) {
                Ok(row) => events.push(row.event),
                Err(error) => {
                    self.tell_unreadable((location_id, id), &error);
                    self.write(Park {
                        location_id: LocationId::from_uuid(location_id),
                        id: EventId::from_uuid(id),
                    })
                    .await?;
                }
            }
        }
        Ok(events)
    }
}

/// The state is a literal: SQLite uses a partial index only where the statement repeats its condition.
pub(super) fn pending() -> Select<Entity> {
    Entity::find()
        .filter(Expr::cust("state = 'pending'"))
        .order_by_asc(Column::LocationId)
        .order_by_asc(Column::ConversationId)
        .order_by_asc(Column::Seq)
}

impl LocationStore<'_> {
    /// The location's events in the order in which they were stored, after the one named.
    ///
    /// # Errors
    /// The database failed.
    pub async fn events(&self, after: Option<EventId>, limit: u64) -> Result<Vec<EventRow>, Error> {
        self.events_in(None, after, limit).await
    }

    /// The same, of one state only.
    ///
    /// # Errors
    /// The database failed.
    pub async fn events_in(
        &self,
        state: Option<EventState>,
        after: Option<EventId>,
        limit: u64,
    ) -> Result<Vec<EventRow>, Error> {
        let mut query = Entity::find().filter(Column::LocationId.eq(self.location_id.uuid()));
        if let Some(state) = state {
            query = query.filter(Column::State.eq(state.name()));
        }
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after.uuid()));
        }
        let rows = query
            .order_by_asc(Column::Id)
            .limit(limit)
            .all(self.reader())
            .await?;
        let ids = |row: &Model| (row.location_id, row.id);
        Ok(self.store.readable(rows, ids, EventRow::try_from))
    }

    /// One event.
    ///
    /// # Errors
    /// The database failed.
    pub async fn event(&self, id: EventId) -> Result<Option<EventRow>, Error> {
        let row = Entity::find_by_id((self.location_id.uuid(), id.uuid()))
            .one(self.reader())
            .await?;
        row.map(EventRow::try_from).transpose()
    }
}

/// An event to be stored.
pub(super) struct NewEvent<'a> {
    pub(super) location_id: LocationId,
    pub(super) channel_id: ChannelId,
    pub(super) conversation_id: Option<ConversationId>,
    pub(super) external_key: &'a str,
    pub(super) payload: Payload,
    pub(super) at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) rule_id: Option<RuleId>,
    pub(super) state: EventState,
}

impl NewEvent<'_> {
    /// The event as stored.
    pub(super) fn into_event(self, id: EventId, seq: i64) -> Event {
        Event {
            location_id: self.location_id,
            id,
            channel_id: self.channel_id,
            conversation_id: self.conversation_id,
            seq,
            payload: self.payload,
            at: self.at,
            received_at: self.received_at,
            rule_id: self.rule_id,
        }
    }
}

#[derive(FromQueryResult)]
struct Seq {
    seq: i64,
}

/// Stores an event unless one of the same key is there: then `None`. A pending event of a conversation
/// takes the lane's next number; the caller advances the lane.
pub(super) async fn insert(
    tx: &DatabaseTransaction,
    batch: &mut Batch,
    new: NewEvent<'_>,
) -> Result<Option<Event>, Error> {
    if new.conversation_id.is_some() {
        // What came before gets its number before.
        batch.flush_inbound(tx).await?;
    }
    let id = EventId::generate();
    let payload = write_json(&new.payload);
    let values = [
        new.location_id.uuid().into(),
        id.uuid().into(),
        new.channel_id.uuid().into(),
        new.conversation_id.map(ConversationId::uuid).into(),
        new.payload.kind().into(),
        new.external_key.into(),
        payload.into(),
        new.at.ms().into(),
        new.received_at.ms().into(),
        new.rule_id.map(RuleId::uuid).into(),
        new.state.name().into(),
    ];
    let text = match (new.conversation_id, tx.get_database_backend()) {
        (None, _) => INSERT_APART,
        (Some(_), DbBackend::Postgres) => INSERT_IN_LANE_POSTGRES,
        (Some(_), _) => INSERT_IN_LANE_SQLITE,
    };
    let stored = Seq::find_by_statement(sql(tx, text, values))
        .one(tx)
        .await?;
    Ok(stored.map(|row| new.into_event(id, row.seq)))
}

macro_rules! insert {
    ($values:literal) => {
        concat!(
            "INSERT INTO rejoinder_event (location_id, id, channel_id, conversation_id, kind, external_key, payload, \
             at, received_at, rule_id, state, attempts, seq) ",
            $values,
            " ON CONFLICT (location_id, channel_id, kind, external_key) DO NOTHING RETURNING seq"
        )
    };
}

const INSERT_APART: &str = insert!("VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0)");
const INSERT_IN_LANE_SQLITE: &str = insert!(
    "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, next_seq FROM rejoinder_lane \
     WHERE location_id = $1 AND conversation_id = $4"
);
// The lane's lock makes the number visible in the order of commits, whichever node writes.
const INSERT_IN_LANE_POSTGRES: &str = insert!(
    "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, next_seq FROM rejoinder_lane \
     WHERE location_id = $1 AND conversation_id = $4 FOR NO KEY UPDATE"
);

/// One event, as it is in this transaction.
pub(super) async fn find(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: EventId,
) -> Result<Option<Event>, Error> {
    let row = Entity::find_by_id((location_id.uuid(), id.uuid()))
        .one(tx)
        .await?;
    Ok(row
        .map(EventRow::try_from)
        .transpose()?
        .map(|row| row.event))
}

/// Whether an event of this key is there.
pub(super) async fn is_stored(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    channel_id: ChannelId,
    kind: &str,
    external_key: &str,
) -> Result<bool, Error> {
    let count = Entity::find()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Column::ChannelId.eq(channel_id.uuid()))
        .filter(Column::Kind.eq(kind))
        .filter(Column::ExternalKey.eq(external_key))
        .count(tx)
        .await?;
    Ok(count > 0)
}

/// The statuses stored of a provider's message, in the order in which they came.
pub(super) async fn statuses_of(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    channel_id: ChannelId,
    provider_id: &str,
) -> Result<Vec<(Status, Timestamp)>, Error> {
    let keys = Stage::ALL.map(|stage| format!("{provider_id}:{}", stage.name()));
    let rows = Entity::find()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Column::ChannelId.eq(channel_id.uuid()))
        .filter(Column::Kind.eq("status"))
        .filter(Column::ExternalKey.is_in(keys))
        .order_by_asc(Column::Id)
        .all(tx)
        .await?;
    let mut statuses = Vec::with_capacity(rows.len());
    for row in rows {
        let at = Timestamp::from_ms(row.at);
        if let Payload::Status { status, .. } = read_json("event", &row.payload)? {
            statuses.push((status, at));
        }
    }
    Ok(statuses)
}

/// Puts an event aside that cannot be decided.
struct Park {
    location_id: LocationId,
    id: EventId,
}

impl Operation for Park {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let (from, to) = (EventState::Pending, EventState::Parked);
        change_state(tx, self.location_id, self.id, from, to).await
    }
}

/// Takes a parked event out of the list: what it was has been stored anew.
pub(crate) struct Unpark {
    pub(crate) location_id: LocationId,
    pub(crate) id: EventId,
}

impl Operation for Unpark {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        unpark(tx, self.location_id, self.id).await
    }
}

pub(super) async fn unpark(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: EventId,
) -> Result<(), Error> {
    change_state(tx, location_id, id, EventState::Parked, EventState::Done).await
}

pub(super) async fn change_state(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: EventId,
    from: EventState,
    to: EventState,
) -> Result<(), Error> {
    let row = ActiveModel {
        state: Set(to.name().to_owned()),
        ..Default::default()
    };
    Entity::update_many()
        .set(row)
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Column::Id.eq(id.uuid()))
        .filter(Column::State.eq(from.name()))
        .exec(tx)
        .await?;
    Ok(())
}

/// An event of a conversation, to be written in bulk; its number follows.
pub(super) fn row(new: &NewEvent<'_>, id: EventId) -> batch::Row {
    vec![
        batch::uuid(new.location_id.uuid()),
        batch::uuid(id.uuid()),
        batch::uuid(new.channel_id.uuid()),
        batch::uuid_or_null(new.conversation_id.map(ConversationId::uuid)),
        json!(new.payload.kind()),
        json!(new.external_key),
        json!(write_json(&new.payload)),
        json!(new.at.ms()),
        json!(new.received_at.ms()),
    ]
}

#[cfg(test)]
mod tests {
    use sea_orm::QueryTrait as _;

    use super::*;

    #[test]
    fn what_is_pending_is_asked_for_as_its_index_has_it() {
        let text = pending().build(DbBackend::Sqlite).sql;
        assert!(text.contains("WHERE state = 'pending' ORDER BY"), "{text}");
    }
}
