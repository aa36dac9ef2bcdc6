//! What exists at a provider for our messages: Twilio's Content resources, by what they say.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction};

use super::batch::Batch;
use super::{Error, LocationStore, Operation};
use crate::adapter::ResourceKey;
use crate::domain::ids::LocationId;
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_resource")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub reference: String,
    pub used_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl LocationStore<'_> {
    /// The provider's reference of something created earlier.
    pub(crate) async fn resource(&self, resource: &ResourceKey) -> Result<Option<String>, Error> {
        let key = (
            self.location_id.uuid(),
            resource.account.clone(),
            resource.key.clone(),
        );
        Ok(Entity::find_by_id(key)
            .one(self.reader())
            .await?
            .map(|row| row.reference))
    }
}

/// Remembers the provider's reference of something that was created.
pub(crate) struct KeepResource {
    pub(crate) location_id: LocationId,
    pub(crate) resource: ResourceKey,
    pub(crate) reference: String,
    pub(crate) now: Timestamp,
}

impl Operation for KeepResource {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let row = ActiveModel {
            location_id: Set(self.location_id.uuid()),
            account: Set(self.resource.account.clone()),
            key: Set(self.resource.key.clone()),
            reference: Set(self.reference.clone()),
            used_at: Set(self.now.ms()),
        };
        let key = [Column::LocationId, Column::Account, Column::Key];
        Entity::insert(row)
            .on_conflict(
                OnConflict::columns(key)
                    .update_columns([Column::Reference, Column::UsedAt])
                    .to_owned(),
            )
            .exec_without_returning(tx)
            .await?;
        Ok(())
    }
}
