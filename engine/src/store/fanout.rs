//! Functions of rules that are called for many chats, a page of chats at a time.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, FromQueryResult, QueryOrder, QuerySelect};

use super::batch::Batch;
use super::event::NewEvent;
use super::{Error, LocationStore, Operation, Store, event, lane, read_json, sql, write_json};
use crate::domain::event::{Event, EventState, Payload};
use crate::domain::fanout::Fanout;
use crate::domain::ids::{ChannelId, ConversationId, EventId, FanoutId, LocationId, RuleId};
use crate::domain::time::Timestamp;

/// Fan-outs under way, or waiting, of a location at most: they take turns, and one for each message of a
/// customer would never end.
const MAX_OPEN: u64 = 100;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_fanout")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub rule_id: Uuid,
    pub event_id: Uuid,
    pub handler: String,
    pub filter: String,
    pub args: Option<String>,
    pub cursor: Option<Uuid>,
    pub state: String,
    pub not_before: i64,
    pub paged_at: i64,
    pub visited: i32,
    pub created_at: i64,
    pub ended_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

/// A fan-out as listed.
#[derive(Clone, Debug, PartialEq)]
pub struct FanoutRow {
    /// What was asked for, and how far it has come.
    pub fanout: Fanout,
    /// `open`, `done`, `cancelled` (its rule was switched off, or has the function no more) or `dropped`
    /// (too many were open).
    pub state: String,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl TryFrom<Model> for FanoutRow {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            fanout: Fanout {
                location_id: LocationId::from_uuid(row.location_id),
                id: FanoutId::from_uuid(row.id),
                rule_id: RuleId::from_uuid(row.rule_id),
                event_id: EventId::from_uuid(row.event_id),
                handler: row.handler,
                filter: read_json("fanout", &row.filter)?,
                args: row
                    .args
                    .as_deref()
                    .map(|text| read_json("fanout", text))
                    .transpose()?,
                cursor: row.cursor.map(ConversationId::from_uuid),
                not_before: Timestamp::from_ms(row.not_before),
                visited: u32::try_from(row.visited).unwrap_or(0),
                created_at: Timestamp::from_ms(row.created_at),
            },
            state: row.state,
            ended_at: row.ended_at.map(Timestamp::from_ms),
        })
    }
}

#[derive(FromQueryResult)]
struct Moment {
    at: Option<i64>,
}

impl Store {
    /// The fan-out of each location whose next page is due. Those of a location take turns, and one that
    /// calls the same function as an older one waits behind it.
    pub(crate) async fn due_fanouts(
        &self,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<Fanout>, Error> {
        let text = "SELECT * FROM (SELECT f.*, ROW_NUMBER() OVER (PARTITION BY f.location_id \
             ORDER BY f.not_before, f.paged_at, f.created_at, f.id) AS nth FROM rejoinder_fanout f \
             WHERE f.state = 'open' AND f.not_before <= $1 AND NOT EXISTS (SELECT 1 FROM rejoinder_fanout o \
             WHERE o.location_id = f.location_id AND o.rule_id = f.rule_id AND o.handler = f.handler \
             AND o.state = 'open' \
             AND (o.created_at < f.created_at OR (o.created_at = f.created_at AND o.id < f.id)))) AS due \
             WHERE nth = 1 ORDER BY not_before, location_id LIMIT $2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let statement = sql(&self.reader, text, [now.ms().into(), limit.into()]);
        let rows = Model::find_by_statement(statement)
            .all(&self.reader)
            .await?;
        let ids = |row: &Model| (row.location_id, row.id);
        let rows = self.readable(rows, ids, FanoutRow::try_from);
        Ok(rows.into_iter().map(|row| row.fanout).collect())
    }

    /// When the next page of any fan-out is due.
    pub(crate) async fn next_fanout(&self) -> Result<Option<Timestamp>, Error> {
        let text = "SELECT MIN(not_before) AS at FROM rejoinder_fanout WHERE state = 'open'";
        let row = Moment::find_by_statement(sql(&self.reader, text, []))
            .one(&self.reader)
            .await?;
        Ok(row.and_then(|row| row.at).map(Timestamp::from_ms))
    }
}

impl LocationStore<'_> {
    /// The latest fan-outs, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn fanouts(&self, limit: u64) -> Result<Vec<FanoutRow>, Error> {
        let rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.into_iter().rev().map(FanoutRow::try_from).collect()
    }
}

/// Stores what a run asks for. It begins when the pace of its location allows; too many are dropped.
pub(super) async fn insert(tx: &DatabaseTransaction, fanouts: &[Fanout]) -> Result<(), Error> {
    let Some(first) = fanouts.first() else {
        return Ok(());
    };
    let location_id = first.location_id;
    let mut open = Entity::find()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Expr::cust("state = 'open'"))
        .limit(MAX_OPEN)
        .count(tx)
        .await?;
    let text = "SELECT MAX(not_before) AS at FROM rejoinder_fanout WHERE location_id = $1";
    let paced = Moment::find_by_statement(sql(tx, text, [location_id.uuid().into()]))
        .one(tx)
        .await?
        .and_then(|row| row.at)
        .unwrap_or(i64::MIN);
    for fanout in fanouts {
        let is_dropped = open >= MAX_OPEN;
        if is_dropped {
            tracing::warn!(location.id = %location_id, rule.id = %fanout.rule_id,
                "too many fan-outs of a location are under way; one is dropped");
        }
        let row = ActiveModel {
            location_id: Set(location_id.uuid()),
            id: Set(fanout.id.uuid()),
            rule_id: Set(fanout.rule_id.uuid()),
            event_id: Set(fanout.event_id.uuid()),
            handler: Set(fanout.handler.clone()),
            filter: Set(write_json(&fanout.filter)),
            args: Set(fanout.args.as_ref().map(write_json)),
            cursor: Set(None),
            state: Set(if is_dropped { "dropped" } else { "open" }.to_owned()),
            not_before: Set(fanout.not_before.ms().max(paced)),
            paged_at: Set(0),
            visited: Set(0),
            created_at: Set(fanout.created_at.ms()),
            ended_at: Set(is_dropped.then(|| fanout.created_at.ms())),
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

/// What becomes of a fan-out after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// On from this conversation.
    On(Option<ConversationId>),
    /// Every conversation was looked at.
    Done,
    /// Its function cannot be called any more.
    Cancelled,
}

impl Course {
    const fn state(self) -> &'static str {
        match self {
            Self::On(_) => "open",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Calls the function for a page of chats, and moves the fan-out on.
pub(crate) struct TurnPage {
    pub(crate) fanout: Fanout,
    /// The chats that were found.
    pub(crate) chats: Vec<(ConversationId, ChannelId)>,
    pub(crate) course: Course,
    /// When the location's next page may come.
    pub(crate) not_before: Timestamp,
    pub(crate) now: Timestamp,
}

impl Operation for TurnPage {
    /// An event for each chat; nothing if the page was turned already.
    type Output = Vec<Event>;

    fn take_events(&self, events: &mut Vec<Event>) -> Vec<Event> {
        std::mem::take(events)
    }

    async fn apply(
        &self,
        tx: &DatabaseTransaction,
        batch: &mut Batch,
    ) -> Result<Vec<Event>, Error> {
        if !self.turn(tx).await? {
            return Ok(Vec::new());
        }
        let location_id = self.fanout.location_id;
        let mut events = Vec::with_capacity(self.chats.len());
        for (id, channel_id) in &self.chats {
            let new = NewEvent {
                location_id,
                channel_id: *channel_id,
                conversation_id: Some(*id),
                external_key: &format!("{}:{id}", self.fanout.id),
                payload: Payload::Each {
                    fanout_id: self.fanout.id,
                    handler: self.fanout.handler.clone(),
                    filter: self.fanout.filter.clone(),
                    args: self.fanout.args.clone(),
                },
                at: self.now,
                received_at: self.now,
                rule_id: Some(self.fanout.rule_id),
                state: EventState::Pending,
            };
            if let Some(event) = event::insert(tx, batch, new).await? {
                lane::advance(tx, location_id, *id).await?;
                events.push(event);
            }
        }
        Ok(events)
    }
}

impl TurnPage {
    /// Moves the fan-out on, and the pace of its location; false if it is elsewhere than we believe.
    async fn turn(&self, tx: &DatabaseTransaction) -> Result<bool, Error> {
        let Fanout {
            location_id,
            id,
            cursor,
            ..
        } = self.fanout;
        let uuid = |id: Option<ConversationId>| id.map(ConversationId::uuid);
        let to = match self.course {
            Course::On(to) => to,
            Course::Done | Course::Cancelled => cursor,
        };
        let ended = !matches!(self.course, Course::On(_));
        let text = "UPDATE rejoinder_fanout SET cursor = $4, state = $5, visited = visited + $6, paged_at = $7, \
             not_before = $8, ended_at = $9 \
             WHERE location_id = $1 AND id = $2 AND state = 'open' AND cursor IS NOT DISTINCT FROM $3";
        let values = [
            location_id.uuid().into(),
            id.uuid().into(),
            uuid(cursor).into(),
            uuid(to).into(),
            self.course.state().into(),
            i32::try_from(self.chats.len()).unwrap_or(i32::MAX).into(),
            self.now.ms().into(),
            self.not_before.ms().into(),
            ended.then(|| self.now.ms()).into(),
        ];
        if tx.execute_raw(sql(tx, text, values)).await?.rows_affected() != 1 {
            return Ok(false);
        }
        let text = "UPDATE rejoinder_fanout SET not_before = $2 \
             WHERE location_id = $1 AND state = 'open' AND not_before < $2";
        let values = [location_id.uuid().into(), self.not_before.ms().into()];
        tx.execute_raw(sql(tx, text, values)).await?;
        Ok(true)
    }
}
