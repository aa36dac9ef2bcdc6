//! What is remembered of locations that were deleted: that they were, and which numbers were theirs.
//! Nothing secret, and nothing of what was said.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::{Error, Store, sql};
use crate::domain::channel::Channel;
use crate::domain::contact::Phone;
use crate::domain::ids::{ChannelId, LocationId};
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_tombstone_channel")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub channel_id: Uuid,
    pub provider: String,
    pub account: String,
    pub key: String,
    pub phone: String,
}

impl ActiveModelBehavior for ActiveModel {}

/// A number of a location that was deleted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeletedChannel {
    pub(crate) location_id: LocationId,
    pub(crate) id: ChannelId,
    pub(crate) provider: String,
    pub(crate) account: String,
    pub(crate) key: String,
    pub(crate) phone: Phone,
}

impl TryFrom<Model> for DeletedChannel {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let phone = Phone::parse(&row.phone);
        Ok(Self {
            location_id: LocationId::from_uuid(row.location_id),
            id: ChannelId::from_uuid(row.channel_id),
            provider: row.provider,
            account: row.account,
            key: row.key,
            phone: phone.ok_or_else(|| Error::corrupt("tombstone_channel", "its number"))?,
        })
    }
}

impl Store {
    /// The numbers of locations that were deleted, as long as they are remembered.
    pub(crate) async fn deleted_channels(&self) -> Result<Vec<DeletedChannel>, Error> {
        let rows = Entity::find().all(&self.reader).await?;
        let ids = |row: &Model| (row.location_id, row.channel_id);
        Ok(self.readable(rows, ids, DeletedChannel::try_from))
    }
}

/// Remembers that a location is deleted, and its numbers, which are still there.
pub(super) async fn set(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    now: Timestamp,
) -> Result<(), Error> {
    let text = "INSERT INTO rejoinder_tombstone (location_id, deleted_at) VALUES ($1, $2)";
    let values = [location_id.uuid().into(), now.ms().into()];
    tx.execute_raw(sql(tx, text, values)).await?;
    let text = "INSERT INTO rejoinder_tombstone_channel (location_id, channel_id, provider, account, key, phone) \
                SELECT location_id, id, provider, account, key, phone FROM rejoinder_channel WHERE location_id = $1";
    tx.execute_raw(sql(tx, text, [location_id.uuid().into()]))
        .await?;
    Ok(())
}

/// Forgets whose a number was: it is connected anew.
pub(super) async fn forget_number(
    tx: &DatabaseTransaction,
    channel: &Channel,
) -> Result<(), Error> {
    Entity::delete_many()
        .filter(Column::Provider.eq(&channel.provider))
        .filter(Column::Key.eq(&channel.key))
        .exec(tx)
        .await?;
    Ok(())
}

/// The numbers of a location that was deleted, in this transaction.
pub(super) async fn channels_of(
    tx: &DatabaseTransaction,
    location_id: LocationId,
) -> Result<Vec<Model>, Error> {
    Ok(Entity::find()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .all(tx)
        .await?)
}
