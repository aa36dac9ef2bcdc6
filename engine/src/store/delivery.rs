//! What the engine sends, and how far each has come.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, Order, QueryOrder, QuerySelect};
use serde_json::json;

use super::{Error, LocationStore, Store, batch, read_json, sql, write_json};
use crate::adapter::SendErrorKind;
use crate::domain::delivery::{Delivery, DeliveryState, Flags, Origin};
use crate::domain::ids::{
    ChannelId, ConversationId, DeliveryId, EventId, LocationId, RuleId, RunId,
};
use crate::domain::inbound::{Failure, Stage};
use crate::domain::time::Timestamp;
use crate::domain::window;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_delivery")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub conversation_id: Uuid,
    pub channel_id: Uuid,
    pub rule_id: Option<Uuid>,
    pub run_id: Option<Uuid>,
    pub event_id: Option<Uuid>,
    pub content: String,
    pub fallback: Option<String>,
    pub reply_to: Option<String>,
    pub text_hash: String,
    pub state: String,
    pub attempts: i32,
    pub provider_id: Option<String>,
    pub failure: Option<String>,
    pub not_before: i64,
    pub fallback_of: Option<Uuid>,
    pub idempotency_key: Option<String>,
    pub position: i64,
    pub wants_status: bool,
    pub retrying_since: Option<i64>,
    pub node: Option<Uuid>,
    pub flags: String,
    pub attempted_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// A delivery as listed.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRow {
    /// What is sent, and how far it has come.
    pub delivery: Delivery,
    /// Why it failed, or what the last attempt met.
    pub failure: Option<Failure>,
    /// When the attempt was made that left it in doubt, if one did.
    pub attempted_at: Option<Timestamp>,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// The process that sends it, or did last.
    pub(crate) node: Option<Uuid>,
}

impl TryFrom<Model> for DeliveryRow {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let origin = match (row.rule_id, row.run_id, row.event_id) {
            (Some(rule_id), Some(run_id), Some(event_id)) => Origin::Rule {
                rule_id: RuleId::from_uuid(rule_id),
                run_id: RunId::from_uuid(run_id),
                event_id: EventId::from_uuid(event_id),
            },
            _ => Origin::Person,
        };
        Ok(Self {
            delivery: Delivery {
                location_id: LocationId::from_uuid(row.location_id),
                id: DeliveryId::from_uuid(row.id),
                conversation_id: ConversationId::from_uuid(row.conversation_id),
                channel_id: ChannelId::from_uuid(row.channel_id),
                address: None,
                origin,
                content: read_json("delivery", &row.content)?,
                fallback: row
                    .fallback
                    .as_deref()
                    .map(|text| read_json("delivery", text))
                    .transpose()?,
                reply_to: row.reply_to,
                state: DeliveryState::parse(&row.state)
                    .ok_or_else(|| Error::corrupt("delivery", "its state"))?,
                attempts: u32::try_from(row.attempts).unwrap_or(0),
                provider_id: row.provider_id,
                not_before: Timestamp::from_ms(row.not_before),
                fallback_of: row.fallback_of.map(DeliveryId::from_uuid),
                position: row.position,
                wants_status: row.wants_status,
                flags: Flags::parse(&row.flags),
                retrying_since: row.retrying_since.map(Timestamp::from_ms),
                created_at: Timestamp::from_ms(row.created_at),
            },
            failure: row
                .failure
                .as_deref()
                .map(|text| read_json("delivery", text))
                .transpose()?,
            attempted_at: row.attempted_at.map(Timestamp::from_ms),
            updated_at: Timestamp::from_ms(row.updated_at),
            node: row.node,
        })
    }
}

impl Store {
    /// The deliveries of `rows`, without those that do not read.
    pub(super) fn legible_deliveries(&self, rows: Vec<Model>) -> Vec<Delivery> {
        let ids = |row: &Model| (row.location_id, row.id);
        let read = |row| DeliveryRow::try_from(row).map(|row| row.delivery);
        self.readable(rows, ids, read)
    }
}

/// The states are literals: SQLite uses a partial index only where the statement repeats its condition.
pub(super) fn open() -> Select<Entity> {
    Entity::find()
        .filter(Expr::cust("state IN ('ready', 'sending', 'in_doubt')"))
        .order_by_asc(Column::LocationId)
        .order_by_asc(Column::ConversationId)
        .order_by_asc(Column::Position)
        .order_by_asc(Column::CreatedAt)
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Those of one conversation.
    pub conversation_id: Option<ConversationId>,
    /// Those in one state, by its name.
    pub state: Option<String>,
}

impl LocationStore<'_> {
    /// The latest `limit` deliveries, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: u64,
    ) -> Result<Vec<DeliveryRow>, Error> {
        let mut query = Entity::find().filter(Column::LocationId.eq(self.location_id.uuid()));
        if let Some(id) = filter.conversation_id {
            query = query.filter(Column::ConversationId.eq(id.uuid()));
        }
        if let Some(state) = &filter.state {
            query = query.filter(Column::State.eq(state));
        }
        let query = query
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Position)
            // What replaces a refused delivery has its position, and comes after it.
            .order_by(Column::FallbackOf.is_null(), Order::Asc);
        let mut rows = query.limit(limit).all(self.reader()).await?;
        rows.reverse();
        rows.into_iter().map(DeliveryRow::try_from).collect()
    }

    /// One delivery.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, Error> {
        let row = Entity::find_by_id((self.location_id.uuid(), id.uuid()))
            .one(self.reader())
            .await?;
        row.map(DeliveryRow::try_from).transpose()
    }
}

/// Rule, run and event that wanted a delivery, as columns; a person has none.
fn origin_columns(origin: Origin) -> (Option<Uuid>, Option<Uuid>, Option<Uuid>) {
    match origin {
        Origin::Rule {
            rule_id,
            run_id,
            event_id,
        } => (
            Some(rule_id.uuid()),
            Some(run_id.uuid()),
            Some(event_id.uuid()),
        ),
        Origin::Person => (None, None, None),
    }
}

/// Stores a delivery unless it is there: ids follow from what wanted it.
pub(super) async fn insert(
    tx: &DatabaseTransaction,
    delivery: &Delivery,
    idempotency_key: Option<&str>,
) -> Result<(), Error> {
    let (rule_id, run_id, event_id) = origin_columns(delivery.origin);
    let row = ActiveModel {
        location_id: Set(delivery.location_id.uuid()),
        id: Set(delivery.id.uuid()),
        conversation_id: Set(delivery.conversation_id.uuid()),
        channel_id: Set(delivery.channel_id.uuid()),
        rule_id: Set(rule_id),
        run_id: Set(run_id),
        event_id: Set(event_id),
        content: Set(write_json(&delivery.content)),
        fallback: Set(delivery.fallback.as_ref().map(write_json)),
        reply_to: Set(delivery.reply_to.clone()),
        text_hash: Set(delivery.content.text_hash()),
        state: Set(delivery.state.name().to_owned()),
        attempts: Set(i32::try_from(delivery.attempts).unwrap_or(i32::MAX)),
        provider_id: Set(delivery.provider_id.clone()),
        failure: Set(None),
        not_before: Set(delivery.not_before.ms()),
        fallback_of: Set(delivery.fallback_of.map(DeliveryId::uuid)),
        idempotency_key: Set(idempotency_key.map(str::to_owned)),
        position: Set(delivery.position),
        wants_status: Set(delivery.wants_status),
        retrying_since: Set(delivery.retrying_since.map(Timestamp::ms)),
        node: Set(None),
        flags: Set(delivery.flags.to_string()),
        attempted_at: Set(None),
        created_at: Set(delivery.created_at.ms()),
        updated_at: Set(delivery.created_at.ms()),
    };
    Entity::insert(row)
        .on_conflict(
            OnConflict::columns([Column::LocationId, Column::Id])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// A rule's delivery as it is written in bulk; `sender` holds a permit to send it at once. One that has
/// failed already was refused by the decision, because the customer opted out.
pub(super) fn row(delivery: &Delivery, sender: Option<Uuid>) -> batch::Row {
    let (rule_id, run_id, event_id) = origin_columns(delivery.origin);
    let refused = delivery.state == DeliveryState::Reached(Stage::Failed);
    let floor =
        (!delivery.content.is_template()).then(|| (delivery.created_at + window::MARGIN).ms());
    vec![
        batch::uuid(delivery.location_id.uuid()),
        batch::uuid(delivery.id.uuid()),
        batch::uuid(delivery.conversation_id.uuid()),
        batch::uuid(delivery.channel_id.uuid()),
        batch::uuid_or_null(rule_id),
        batch::uuid_or_null(run_id),
        batch::uuid_or_null(event_id),
        json!(write_json(&delivery.content)),
        json!(delivery.fallback.as_ref().map(write_json)),
        json!(delivery.reply_to),
        json!(delivery.content.text_hash()),
        json!(delivery.not_before.ms()),
        json!(delivery.position),
        json!(delivery.wants_status),
        json!(delivery.flags.to_string()),
        json!(delivery.created_at.ms()),
        batch::uuid_or_null(sender),
        json!(floor),
        json!(refused.then(opted_out)),
    ]
}

/// A delivery by the provider's id of it.
pub(super) async fn find_by_provider_id(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    channel_id: ChannelId,
    provider_id: &str,
) -> Result<Option<DeliveryRow>, Error> {
    let row = Entity::find()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Column::ChannelId.eq(channel_id.uuid()))
        .filter(Column::ProviderId.eq(provider_id))
        .one(tx)
        .await?;
    row.map(DeliveryRow::try_from).transpose()
}

/// A delivery by our own id, in a transaction.
pub(super) async fn find(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: DeliveryId,
) -> Result<Option<DeliveryRow>, Error> {
    let row = Entity::find_by_id((location_id.uuid(), id.uuid()))
        .one(tx)
        .await?;
    row.map(DeliveryRow::try_from).transpose()
}

/// The deliveries of a conversation whose fate is open, whose text is this, and which changed after `since`.
pub(super) async fn unsettled_by_text(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    conversation_id: ConversationId,
    text_hash: &str,
    since: Timestamp,
) -> Result<Vec<DeliveryRow>, Error> {
    let rows = Entity::find()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Column::ConversationId.eq(conversation_id.uuid()))
        .filter(
            Column::State
                .is_in([DeliveryState::Sending, DeliveryState::InDoubt].map(DeliveryState::name)),
        )
        .filter(Column::TextHash.eq(text_hash))
        .filter(Column::UpdatedAt.gte(since.ms()))
        .order_by_asc(Column::Position)
        .all(tx)
        .await?;
    rows.into_iter().map(DeliveryRow::try_from).collect()
}

/// Changes a delivery's state from one of `from`; false if it was in none of them.
pub(super) async fn change_state(
    tx: &DatabaseTransaction,
    delivery: (LocationId, DeliveryId),
    from: &[DeliveryState],
    to: DeliveryState,
    change: ActiveModel,
    now: Timestamp,
) -> Result<bool, Error> {
    let mut change = change;
    change.state = Set(to.name().to_owned());
    change.updated_at = Set(now.ms());
    let updated = Entity::update_many()
        .set(change)
        .filter(Column::LocationId.eq(delivery.0.uuid()))
        .filter(Column::Id.eq(delivery.1.uuid()))
        .filter(Column::State.is_in(from.iter().map(|state| state.name())))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Gives up the automatic deliveries of a conversation that have not left: a person took over.
pub(super) async fn cancel_automatic(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    conversation_id: ConversationId,
    now: Timestamp,
) -> Result<(), Error> {
    let text = "UPDATE rejoinder_delivery SET state = 'cancelled', failure = $3, updated_at = $4 \
                WHERE location_id = $1 AND conversation_id = $2 AND state = 'ready' AND rule_id IS NOT NULL \
                AND flags NOT LIKE '%when_held%'";
    let values = [
        location_id.uuid().into(),
        conversation_id.uuid().into(),
        held().into(),
        now.ms().into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await?;
    Ok(())
}

/// The failure of a delivery that was not sent because the customer does not want it.
fn opted_out() -> String {
    write_json(&Failure {
        kind: SendErrorKind::OptedOut.code().to_owned(),
        provider_code: 0,
        detail: "the customer opted out".to_owned(),
    })
}

/// The failure of a delivery that was given up because a person took over.
pub(super) fn held() -> String {
    write_json(&Failure {
        kind: "held".to_owned(),
        provider_code: 0,
        detail: "a person took over".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use sea_orm::{DbBackend, QueryTrait as _};

    use super::*;

    #[test]
    fn what_is_open_is_asked_for_as_its_index_has_it() {
        let text = open().build(DbBackend::Sqlite).sql;
        let condition = "WHERE state IN ('ready', 'sending', 'in_doubt') ORDER BY";
        assert!(text.contains(condition), "{text}");
    }
}
