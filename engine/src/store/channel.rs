//! Numbers of locations, with their credentials as sealed.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder};

use super::batch::Batch;
use super::{
    Error, LocationStore, Operation, Store, location, read_json, revision, tombstone, write_json,
};
use crate::domain::channel::Channel;
use crate::domain::contact::Phone;
use crate::domain::ids::{ChannelId, LocationId};
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_channel")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub provider: String,
    pub account: String,
    pub key: String,
    pub phone: String,
    pub name: String,
    pub settings: String,
    pub credentials: String,
    pub credentials_version: i32,
    pub enabled: bool,
    pub created_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// A channel with its credentials as sealed.
#[derive(Clone, Debug)]
pub(crate) struct StoredChannel {
    pub(crate) channel: Channel,
    pub(crate) credentials: String,
    pub(crate) credentials_version: i32,
}

impl TryFrom<Model> for StoredChannel {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            channel: Channel {
                location_id: LocationId::from_uuid(row.location_id),
                id: ChannelId::from_uuid(row.id),
                provider: row.provider,
                account: row.account,
                key: row.key,
                phone: Phone::parse(&row.phone)
                    .ok_or_else(|| Error::corrupt("channel", "its number"))?,
                name: row.name,
                settings: read_json("channel", &row.settings)?,
                enabled: row.enabled,
            },
            credentials: row.credentials,
            credentials_version: row.credentials_version,
        })
    }
}

impl Store {
    /// Every channel of every location: the look-up of webhooks goes without a location.
    pub(crate) async fn channels(&self) -> Result<Vec<StoredChannel>, Error> {
        let rows = Entity::find()
            .order_by_asc(Column::Id)
            .all(&self.reader)
            .await?;
        let ids = |row: &Model| (row.location_id, row.id);
        Ok(self.readable(rows, ids, StoredChannel::try_from))
    }
}

impl LocationStore<'_> {
    /// The location's channels, in the order of creation.
    ///
    /// # Errors
    /// The database failed.
    pub async fn channels(&self) -> Result<Vec<Channel>, Error> {
        let rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .order_by_asc(Column::Id)
            .all(self.reader())
            .await?;
        rows.into_iter()
            .map(|row| StoredChannel::try_from(row).map(|stored| stored.channel))
            .collect()
    }

    pub(crate) async fn channel(&self, id: ChannelId) -> Result<Option<StoredChannel>, Error> {
        let row = Entity::find_by_id((self.location_id.uuid(), id.uuid()))
            .one(self.reader())
            .await?;
        row.map(StoredChannel::try_from).transpose()
    }
}

/// Creates or changes a channel.
pub(crate) struct SaveChannel {
    pub(crate) stored: StoredChannel,
    /// For a new one: the present.
    pub(crate) new: Option<Timestamp>,
    /// Of one that is changed, how it was when it was read: who has changed it meanwhile, must not be overruled by
    /// chance.
    pub(crate) was: Option<StoredChannel>,
}

impl Operation for SaveChannel {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let StoredChannel {
            channel,
            credentials,
            credentials_version,
        } = &self.stored;
        let mut row = ActiveModel {
            location_id: Set(channel.location_id.uuid()),
            id: Set(channel.id.uuid()),
            provider: Set(channel.provider.clone()),
            account: Set(channel.account.clone()),
            key: Set(channel.key.clone()),
            phone: Set(channel.phone.digits().to_owned()),
            name: Set(channel.name.clone()),
            settings: Set(write_json(&channel.settings)),
            credentials: Set(credentials.clone()),
            credentials_version: Set(*credentials_version),
            enabled: Set(channel.enabled),
            ..Default::default()
        };
        if let Some(now) = self.new {
            row.created_at = Set(now.ms());
            location::must_be_there(tx, channel.location_id).await?;
            tombstone::forget_number(tx, channel).await?;
            Entity::insert(row)
                .exec_without_returning(tx)
                .await
                .map_err(|error| match Error::from(error) {
                    Error::Conflict(_) => Error::Conflict(
                        "this number is connected already, here or in another location; it must be disconnected there first".to_owned(),
                    ),
                    other => other,
                })?;
        } else {
            let key = (channel.location_id.uuid(), channel.id.uuid());
            let now = Entity::find_by_id(key).one(tx).await?;
            let now = now.map(StoredChannel::try_from).transpose()?;
            let is_same = |was: &StoredChannel| {
                now.as_ref().is_some_and(|now| {
                    now.channel == was.channel && now.credentials_version == was.credentials_version
                })
            };
            if !self.was.as_ref().is_some_and(is_same) {
                return Err(Error::Conflict(
                    "somebody else changed this channel at the same moment; look at it, and try again".to_owned(),
                ));
            }
            Entity::update(row).exec(tx).await?;
        }
        revision::raise(tx).await
    }
}
