//! Tenants. Their data key is sealed by the vault and opened by whoever needs their credentials.

use chrono_tz::Tz;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, DbBackend, QueryOrder, QuerySelect as _};

use super::batch::Batch;
use super::key_check::{self, SealingKey};
use super::{
    Error, LocationStore, Operation, Store, read_json, revision, schedule, sql, write_json,
};
use crate::domain::ids::LocationId;
use crate::domain::location::Location;
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_location")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub time_zone: String,
    pub settings: String,
    pub data_key: String,
    pub created_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<&Model> for Location {
    type Error = Error;

    fn try_from(row: &Model) -> Result<Self, Error> {
        Ok(Self {
            id: LocationId::from_uuid(row.id),
            name: row.name.clone(),
            time_zone: read_time_zone(row)?,
            settings: read_json("location", &row.settings)?,
        })
    }
}

impl Store {
    /// Every location, in the order of creation.
    ///
    /// # Errors
    /// The database failed.
    pub async fn locations(&self) -> Result<Vec<Location>, Error> {
        let rows = Entity::find()
            .order_by_asc(Column::Id)
            .all(&self.reader)
            .await?;
        let ids = |row: &Model| (row.id, row.id);
        Ok(self.readable(rows, ids, |row| Location::try_from(&row)))
    }

    /// The data key of every location, as sealed.
    pub(crate) async fn data_keys(&self) -> Result<Vec<(LocationId, String)>, Error> {
        let rows = Entity::find()
            .select_only()
            .columns([Column::Id, Column::DataKey])
            .order_by_asc(Column::Id)
            .into_tuple::<(Uuid, String)>()
            .all(&self.reader)
            .await?;
        let rows = rows.into_iter();
        Ok(rows
            .map(|(id, sealed)| (LocationId::from_uuid(id), sealed))
            .collect())
    }

    /// What a location is called, also one that does not read otherwise.
    pub(crate) async fn location_name(&self, id: LocationId) -> Result<Option<String>, Error> {
        Ok(Entity::find_by_id(id.uuid())
            .select_only()
            .column(Column::Name)
            .into_tuple()
            .one(&self.reader)
            .await?)
    }

    /// The data key of a location, as sealed.
    pub(crate) async fn data_key(&self, id: LocationId) -> Result<Option<String>, Error> {
        Ok(Entity::find_by_id(id.uuid())
            .select_only()
            .column(Column::DataKey)
            .into_tuple()
            .one(&self.reader)
            .await?)
    }

    /// A location, and its data key as sealed.
    pub(crate) async fn location(
        &self,
        id: LocationId,
    ) -> Result<Option<(Location, String)>, Error> {
        let row = Entity::find_by_id(id.uuid()).one(&self.reader).await?;
        row.map(|row| Ok((Location::try_from(&row)?, row.data_key)))
            .transpose()
    }
}

impl LocationStore<'_> {
    /// The location itself, if it is there.
    ///
    /// # Errors
    /// The database failed.
    pub async fn location(&self) -> Result<Option<Location>, Error> {
        let row = Entity::find_by_id(self.location_id.uuid())
            .one(self.reader())
            .await?;
        row.as_ref().map(Location::try_from).transpose()
    }
}

/// Whether a location is there. It stays there as long as this transaction lasts.
pub(super) async fn is_there(tx: &DatabaseTransaction, id: LocationId) -> Result<bool, Error> {
    let text = match tx.get_database_backend() {
        DbBackend::Postgres => "SELECT id FROM rejoinder_location WHERE id = $1 FOR KEY SHARE",
        _ => "SELECT id FROM rejoinder_location WHERE id = $1",
    };
    let row = tx.query_one_raw(sql(tx, text, [id.uuid().into()])).await?;
    Ok(row.is_some())
}

/// Refuses what would belong to a location that was deleted meanwhile.
pub(super) async fn must_be_there(tx: &DatabaseTransaction, id: LocationId) -> Result<(), Error> {
    if is_there(tx, id).await? {
        return Ok(());
    }
    Err(Error::Conflict("the location was deleted".to_owned()))
}

/// Where a location's clocks are, in this transaction.
pub(super) async fn time_zone(tx: &DatabaseTransaction, id: LocationId) -> Result<Tz, Error> {
    let row = Entity::find_by_id(id.uuid()).one(tx).await?;
    let row = row.ok_or_else(|| Error::corrupt("location", "it is gone"))?;
    read_time_zone(&row)
}

fn read_time_zone(row: &Model) -> Result<Tz, Error> {
    row.time_zone
        .parse()
        .map_err(|_| Error::corrupt("location", "its time zone"))
}

/// A data key as sealed, and the key that sealed it.
pub(crate) struct NewDataKey {
    pub(crate) sealed: String,
    pub(crate) key: SealingKey,
}

/// Creates or changes a location.
pub(crate) struct SaveLocation {
    pub(crate) location: Location,
    /// For a new one: its data key.
    pub(crate) new: Option<NewDataKey>,
    pub(crate) now: Timestamp,
}

impl Operation for SaveLocation {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let Self { location, new, now } = self;
        let mut row = ActiveModel {
            id: Set(location.id.uuid()),
            name: Set(location.name.clone()),
            time_zone: Set(location.time_zone.name().to_owned()),
            settings: Set(write_json(&location.settings)),
            ..Default::default()
        };
        if let Some(data_key) = new {
            // The key is named from now on: whoever forgets keys that nothing names must not miss it.
            key_check::note(tx, &data_key.key).await?;
            row.data_key = Set(data_key.sealed.clone());
            row.created_at = Set(now.ms());
            Entity::insert(row).exec_without_returning(tx).await?;
        } else {
            let before = time_zone(tx, location.id).await?;
            Entity::update(row).exec(tx).await?;
            if before != location.time_zone {
                schedule::move_to(tx, location.id, location.time_zone, *now).await?;
            }
        }
        revision::raise(tx).await
    }
}
