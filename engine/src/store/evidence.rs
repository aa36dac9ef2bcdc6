//! Which of the messages that a provider lists are known to be deliveries, and so are no evidence of another.

use sea_orm::entity::prelude::*;

use super::{Error, LocationStore, delivery};
use crate::domain::ids::ChannelId;

impl LocationStore<'_> {
    /// Those of a channel's messages, by the provider's ids, that are known to be deliveries.
    pub(crate) async fn claimed(
        &self,
        channel_id: ChannelId,
        provider_ids: &[String],
    ) -> Result<Vec<String>, Error> {
        let rows = delivery::Entity::find()
            .filter(delivery::Column::LocationId.eq(self.location_id.uuid()))
            .filter(delivery::Column::ChannelId.eq(channel_id.uuid()))
            .filter(delivery::Column::ProviderId.is_in(provider_ids))
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().filter_map(|row| row.provider_id).collect())
    }
}
