//! A message that failed is sent anew: as a message of its own, which knows the one it replaces. Done once for
//! each, however often it is asked for.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, FromQueryResult, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::batch::Batch;
use super::delivery::{self, Column, DeliveryRow, Entity};
use super::{Error, LocationStore, Operation, sql};
use crate::adapter::SendErrorKind;
use crate::domain::delivery::{Delivery, DeliveryState, Flag, Flags};
use crate::domain::ids::{ConversationId, DeliveryId, LocationId};
use crate::domain::inbound::Stage;
use crate::domain::time::Timestamp;

/// Which failed messages are meant.
#[derive(Clone, Debug, Default)]
pub struct FailedFilter {
    /// Those that failed for this reason, by its code, such as `expired`.
    pub reason: Option<String>,
    /// Those of one conversation.
    pub conversation_id: Option<ConversationId>,
}

impl LocationStore<'_> {
    /// Messages that failed, were not replaced, and may be sent anew, the oldest first. Not those that the
    /// customer does not want.
    ///
    /// # Errors
    /// The database failed.
    pub async fn failed(
        &self,
        filter: &FailedFilter,
        limit: u64,
    ) -> Result<Vec<DeliveryRow>, Error> {
        let is = |kind: &str| format!("%\"kind\":\"{kind}\"%");
        let not_replaced = "NOT EXISTS (SELECT 1 FROM rejoinder_delivery AS next \
             WHERE next.location_id = rejoinder_delivery.location_id \
             AND next.fallback_of = rejoinder_delivery.id)";
        let mut query = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::State.eq(DeliveryState::Reached(Stage::Failed).name()))
            .filter(Column::Failure.not_like(is(SendErrorKind::OptedOut.code())))
            .filter(Expr::cust(not_replaced));
        if let Some(reason) = &filter.reason {
            query = query.filter(Column::Failure.like(is(reason)));
        }
        if let Some(id) = filter.conversation_id {
            query = query.filter(Column::ConversationId.eq(id.uuid()));
        }
        let query = query
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Position);
        let rows = query.limit(limit).all(self.reader()).await?;
        rows.into_iter().map(DeliveryRow::try_from).collect()
    }
}

/// Stores a message in place of one that failed.
pub(crate) struct Replay {
    pub(crate) location_id: LocationId,
    pub(crate) id: DeliveryId,
    /// What is true of the new one besides.
    pub(crate) flags: Flags,
    pub(crate) now: Timestamp,
}

#[derive(FromQueryResult)]
struct Last {
    position: Option<i64>,
}

#[derive(FromQueryResult)]
struct Count {
    n: i64,
}

impl Operation for Replay {
    /// The new one; `None` if the old one did not fail, or was replaced before.
    type Output = Option<Box<Delivery>>;

    async fn apply(
        &self,
        tx: &DatabaseTransaction,
        _batch: &mut Batch,
    ) -> Result<Self::Output, Error> {
        let row = delivery::find(tx, self.location_id, self.id).await?;
        let failed = DeliveryState::Reached(Stage::Failed);
        let Some(old) = row
            .map(|row| row.delivery)
            .filter(|old| old.state == failed)
        else {
            return Ok(None);
        };
        let text = "SELECT COUNT(*) AS n FROM rejoinder_delivery WHERE location_id = $1 AND fallback_of = $2";
        let values = [self.location_id.uuid().into(), self.id.uuid().into()];
        let replaced = Count::find_by_statement(sql(tx, text, values))
            .one(tx)
            .await?;
        if replaced.is_some_and(|row| row.n > 0) {
            return Ok(None);
        }
        let text = "SELECT MAX(position) AS position FROM rejoinder_delivery \
             WHERE location_id = $1 AND conversation_id = $2";
        let values = [
            self.location_id.uuid().into(),
            old.conversation_id.uuid().into(),
        ];
        let last = Last::find_by_statement(sql(tx, text, values))
            .one(tx)
            .await?;
        let last = last.and_then(|row| row.position).unwrap_or_default();
        let kept = old.flags.has(Flag::WhenHeld).then_some(Flag::WhenHeld);
        let new = Delivery {
            id: DeliveryId::derive(&[old.id.bytes(), b"replay"]),
            address: None,
            state: DeliveryState::Ready,
            attempts: 0,
            provider_id: None,
            not_before: self.now,
            fallback_of: Some(old.id),
            position: last + 1,
            flags: kept.into_iter().fold(self.flags, Flags::with),
            retrying_since: None,
            created_at: self.now,
            ..old
        };
        delivery::insert(tx, &new, None).await?;
        Ok(Some(Box::new(new)))
    }
}
