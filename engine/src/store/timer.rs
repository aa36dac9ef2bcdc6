//! Pending handler calls of conversations: one per conversation, rule and handler.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, Condition, DatabaseTransaction, FromQueryResult, QueryOrder};
use serde_json::{Map, Value, json};

use super::{Error, LocationStore, Store, batch, read_json, sql, write_json};
use crate::domain::ids::{ConversationId, LocationId, RuleId, TimerId};
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_timer")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub rule_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub handler: String,
    pub id: Uuid,
    pub due_at: i64,
    pub if_silent: bool,
    pub args: Option<String>,
    pub set_at: i64,
    pub set_seq: i64,
    pub when_held: bool,
}

impl ActiveModelBehavior for ActiveModel {}

/// A pending handler call of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct TimerRow {
    /// The tenant.
    pub location_id: LocationId,
    /// The conversation it is for.
    pub conversation_id: ConversationId,
    /// The rule that set it.
    pub rule_id: RuleId,
    /// The function to call.
    pub handler: String,
    /// This timer; setting it again makes another of it.
    pub id: TimerId,
    /// When.
    pub due_at: Timestamp,
    /// Whether it is dropped when the customer, or a person of the business, writes before then.
    pub if_silent: bool,
    /// Passed to the handler.
    pub args: Option<Map<String, Value>>,
    /// When it was set.
    pub set_at: Timestamp,
    /// The number of the event in whose run it was set: from then on silence counts.
    pub set_seq: i64,
    /// Whether it fires although someone holds the conversation.
    pub when_held: bool,
}

impl TryFrom<Model> for TimerRow {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            location_id: LocationId::from_uuid(row.location_id),
            conversation_id: ConversationId::from_uuid(row.conversation_id),
            rule_id: RuleId::from_uuid(row.rule_id),
            handler: row.handler,
            id: TimerId::from_uuid(row.id),
            due_at: Timestamp::from_ms(row.due_at),
            if_silent: row.if_silent,
            args: row
                .args
                .as_deref()
                .map(|text| read_json("timer", text))
                .transpose()?,
            set_at: Timestamp::from_ms(row.set_at),
            set_seq: row.set_seq,
            when_held: row.when_held,
        })
    }
}

/// With the lane: a timer waits for the release of a conversation that someone holds.
const WITH_LANE: &str = "FROM rejoinder_timer t JOIN rejoinder_lane l \
     ON l.location_id = t.location_id AND l.conversation_id = t.conversation_id";

impl Store {
    /// The timers of every location that are due and whose conversation nobody holds, the longest due first.
    /// What waits for its rules in a conversation came before, and may cancel or move them.
    pub(crate) async fn due_timers(
        &self,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<TimerRow>, Error> {
        let text = format!(
            "SELECT t.location_id, t.conversation_id, t.rule_id, t.handler, t.id, t.due_at, t.if_silent, t.args, t.set_at, \
             t.set_seq, t.when_held {WITH_LANE} \
             WHERE t.due_at <= $1 AND (l.held_until IS NULL OR l.held_until <= $1 OR t.when_held) \
             AND NOT EXISTS (SELECT 1 FROM rejoinder_event e WHERE e.location_id = t.location_id \
             AND e.conversation_id = t.conversation_id AND e.state = 'pending') \
             ORDER BY t.due_at LIMIT $2"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let statement = sql(&self.reader, &text, [now.ms().into(), limit.into()]);
        let rows = Model::find_by_statement(statement)
            .all(&self.reader)
            .await?;
        let ids = |row: &Model| (row.location_id, row.id);
        Ok(self.readable(rows, ids, TimerRow::try_from))
    }
}

#[derive(FromQueryResult)]
struct Next {
    location_id: Uuid,
    at: i64,
}

impl Store {
    /// When the next timer of each location can fire: when it is due, or at the end of the hold that it waits for.
    pub(crate) async fn next_timers(&self) -> Result<Vec<(LocationId, Timestamp)>, Error> {
        let text = format!(
            "SELECT t.location_id, MIN(CASE WHEN l.held_until > t.due_at AND NOT t.when_held THEN l.held_until ELSE t.due_at END) AS at \
             {WITH_LANE} GROUP BY t.location_id"
        );
        let rows = Next::find_by_statement(sql(&self.reader, &text, []))
            .all(&self.reader)
            .await?;
        let next = |row: Next| {
            (
                LocationId::from_uuid(row.location_id),
                Timestamp::from_ms(row.at),
            )
        };
        Ok(rows.into_iter().map(next).collect())
    }
}

impl LocationStore<'_> {
    /// The pending timers of a conversation, the next first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn timers(&self, id: ConversationId) -> Result<Vec<TimerRow>, Error> {
        let rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::ConversationId.eq(id.uuid()))
            .order_by_asc(Column::DueAt)
            .all(self.reader())
            .await?;
        rows.into_iter().map(TimerRow::try_from).collect()
    }
}

/// A timer as it is written in bulk; one that is pending for the same handler is moved.
pub(super) fn row(timer: &TimerRow) -> batch::Row {
    vec![
        batch::uuid(timer.location_id.uuid()),
        batch::uuid(timer.conversation_id.uuid()),
        batch::uuid(timer.rule_id.uuid()),
        json!(timer.handler),
        batch::uuid(timer.id.uuid()),
        json!(timer.due_at.ms()),
        json!(timer.if_silent),
        json!(timer.args.as_ref().map(write_json)),
        json!(timer.set_at.ms()),
        json!(timer.set_seq),
        json!(timer.when_held),
    ]
}

/// Drops the pending timer of a handler.
pub(super) async fn cancel(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    conversation_id: ConversationId,
    rule_id: RuleId,
    handler: &str,
) -> Result<(), Error> {
    let key = (
        location_id.uuid(),
        conversation_id.uuid(),
        rule_id.uuid(),
        handler.to_owned(),
    );
    Entity::delete_by_id(key).exec(tx).await?;
    Ok(())
}

/// Moves a timer that is due to a later moment, unless it was moved, cancelled or taken meanwhile.
pub(super) async fn postpone(
    tx: &DatabaseTransaction,
    timer: &TimerRow,
    until: Timestamp,
) -> Result<(), Error> {
    let row = ActiveModel {
        due_at: Set(until.ms()),
        ..Default::default()
    };
    Entity::update_many()
        .set(row)
        .filter(is(timer))
        .exec(tx)
        .await?;
    Ok(())
}

/// Takes a timer that is due; false if it was moved, cancelled or taken meanwhile.
pub(super) async fn take(tx: &DatabaseTransaction, timer: &TimerRow) -> Result<bool, Error> {
    let deleted = Entity::delete_many().filter(is(timer)).exec(tx).await?;
    Ok(deleted.rows_affected == 1)
}

/// This very timer: one that was set again since has another id.
fn is(timer: &TimerRow) -> Condition {
    Condition::all()
        .add(Column::LocationId.eq(timer.location_id.uuid()))
        .add(Column::ConversationId.eq(timer.conversation_id.uuid()))
        .add(Column::RuleId.eq(timer.rule_id.uuid()))
        .add(Column::Handler.eq(&timer.handler))
        .add(Column::Id.eq(timer.id.uuid()))
}
