//! How far the answers of a conversation have come.

use sea_orm::QueryOrder as _;
use sea_orm::entity::prelude::*;

use super::delivery::{Column, DeliveryRow, Entity, open};
use super::{Error, LocationStore};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::ids::{ConversationId, EventId};
use crate::domain::inbound::Stage;
use crate::domain::time::Timestamp;

impl LocationStore<'_> {
    /// What the rules of an event want to send and is not settled, in order.
    pub(crate) async fn open_of(&self, event_id: EventId) -> Result<Vec<Delivery>, Error> {
        let rows = open()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::EventId.eq(event_id.uuid()))
            .all(self.reader())
            .await?;
        rows.into_iter()
            .map(|row| DeliveryRow::try_from(row).map(|row| row.delivery))
            .collect()
    }

    /// Whether something was sent, or is about to be, since the event of a number.
    pub(crate) async fn is_answered(&self, id: ConversationId, seq: i64) -> Result<bool, Error> {
        let unsent = [
            DeliveryState::Reached(Stage::Failed),
            DeliveryState::Cancelled,
        ];
        let sent = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::ConversationId.eq(id.uuid()))
            .filter(Column::Position.gte(Delivery::position(seq, 0)))
            .filter(Column::State.is_not_in(unsent.map(DeliveryState::name)))
            .one(self.reader())
            .await?;
        Ok(sent.is_some())
    }

    /// When the latest message before a position was taken by the provider, if the customer does not have it
    /// yet, and it was taken after a moment.
    pub(crate) async fn on_its_way_before(
        &self,
        id: ConversationId,
        position: i64,
        after: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let on_its_way = [Stage::Accepted, Stage::Sent].map(DeliveryState::Reached);
        let row = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::ConversationId.eq(id.uuid()))
            .filter(Column::Position.lt(position))
            .filter(Column::State.is_in(on_its_way.map(DeliveryState::name)))
            .filter(Column::UpdatedAt.gt(after.ms()))
            .order_by_desc(Column::Position)
            .one(self.reader())
            .await?;
        Ok(row.map(|row| Timestamp::from_ms(row.updated_at)))
    }
}
