//! How far the messages that customers sent to a channel were swept.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction};

use super::batch::Batch;
use super::{Error, LocationStore, Operation, channel};
use crate::domain::ids::{ChannelId, LocationId};
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_sweep")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub channel_id: Uuid,
    pub swept_until: i64,
    pub found_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

/// What is known of the sweeps of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SweptChannel {
    /// When the channel was connected.
    pub(crate) created_at: Timestamp,
    /// Until when its messages were swept, if they ever were.
    pub(crate) until: Option<Timestamp>,
}

impl LocationStore<'_> {
    /// How far a channel was swept; `None` if there is no such channel.
    pub(crate) async fn swept(&self, id: ChannelId) -> Result<Option<SweptChannel>, Error> {
        let key = (self.location_id.uuid(), id.uuid());
        let Some(channel) = channel::Entity::find_by_id(key).one(self.reader()).await? else {
            return Ok(None);
        };
        let sweep = Entity::find_by_id(key).one(self.reader()).await?;
        Ok(Some(SweptChannel {
            created_at: Timestamp::from_ms(channel.created_at),
            until: sweep.map(|row| Timestamp::from_ms(row.swept_until)),
        }))
    }
}

/// Notes that the messages of a channel were swept: a restart goes on from there.
pub(crate) struct NoteSwept {
    pub(crate) location_id: LocationId,
    pub(crate) channel_id: ChannelId,
    pub(crate) until: Timestamp,
    /// The present, if messages were found that no webhook had told.
    pub(crate) found_at: Option<Timestamp>,
}

impl Operation for NoteSwept {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let row = ActiveModel {
            location_id: Set(self.location_id.uuid()),
            channel_id: Set(self.channel_id.uuid()),
            swept_until: Set(self.until.ms()),
            found_at: Set(self.found_at.map(Timestamp::ms)),
        };
        let mut known = OnConflict::columns([Column::LocationId, Column::ChannelId]);
        known.update_column(Column::SweptUntil);
        if self.found_at.is_some() {
            known.update_column(Column::FoundAt);
        }
        Entity::insert(row)
            .on_conflict(known)
            .exec_without_returning(tx)
            .await?;
        Ok(())
    }
}
