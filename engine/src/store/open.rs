//! What is not done with, of every location: at first only its ids, since most of it is in somebody's hands.
//! Knows not in whose.

use sea_orm::QuerySelect as _;
use sea_orm::entity::prelude::*;

use super::{Error, Store, delivery, event};
use crate::domain::delivery::{Delivery, Flag};
use crate::domain::event::Event;
use crate::domain::ids::{DeliveryId, EventId, LocationId};
use crate::domain::time::Timestamp;

impl Store {
    /// The events that wait for their rules and came before a moment, in the order of their conversations.
    pub(crate) async fn pending_ids(
        &self,
        before: Timestamp,
    ) -> Result<Vec<(LocationId, EventId)>, Error> {
        use event::Column;
        let rows = event::pending()
            .select_only()
            .columns([Column::LocationId, Column::Id])
            .filter(Column::ReceivedAt.lte(before.ms()))
            .into_tuple::<(Uuid, Uuid)>()
            .all(&self.reader)
            .await?;
        let ids = rows.into_iter();
        Ok(ids
            .map(|(location, id)| (LocationId::from_uuid(location), EventId::from_uuid(id)))
            .collect())
    }

    /// Those of a location's events that still wait, in the order of their conversations. One that does not
    /// read is parked, so that its conversation goes on.
    pub(crate) async fn pending_events(
        &self,
        location_id: LocationId,
        ids: &[EventId],
    ) -> Result<Vec<Event>, Error> {
        use event::Column;
        let rows = event::pending()
            .filter(Column::LocationId.eq(location_id.uuid()))
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .all(&self.reader)
            .await?;
        self.legible_events(rows).await
    }

    /// The deliveries that are not settled and did not change since a moment, in the order of their
    /// conversations. What stays in doubt for a person is not among them.
    pub(crate) async fn open_ids(
        &self,
        before: Timestamp,
    ) -> Result<Vec<(LocationId, DeliveryId)>, Error> {
        use delivery::Column;
        let rows = delivery::open()
            .select_only()
            .columns([Column::LocationId, Column::Id])
            .filter(Column::UpdatedAt.lte(before.ms()))
            .filter(Column::Flags.not_like(format!("%{}%", Flag::LeftInDoubt.name())))
            .into_tuple::<(Uuid, Uuid)>()
            .all(&self.reader)
            .await?;
        let ids = rows.into_iter();
        Ok(ids
            .map(|(location, id)| (LocationId::from_uuid(location), DeliveryId::from_uuid(id)))
            .collect())
    }

    /// Those of a location's deliveries that are still not settled, in the order of their conversations.
    pub(crate) async fn open_deliveries(
        &self,
        location_id: LocationId,
        ids: &[DeliveryId],
    ) -> Result<Vec<Delivery>, Error> {
        use delivery::Column;
        let rows = delivery::open()
            .filter(Column::LocationId.eq(location_id.uuid()))
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .all(&self.reader)
            .await?;
        Ok(self.legible_deliveries(rows))
    }
}
