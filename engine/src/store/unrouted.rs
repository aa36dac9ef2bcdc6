//! Webhook items that belong to no channel we know: for operators only, until they are run again.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder, QuerySelect};
use sha2::{Digest, Sha256};

use super::batch::Batch;
use super::{Error, Operation, Store, Stray};
use crate::domain::ids::UnroutedId;
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_unrouted")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub provider: String,
    pub verifier: String,
    pub reason: String,
    pub raw: String,
    pub hash: String,
    pub received_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// A webhook item that belongs to no channel we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnroutedRow {
    /// This item.
    pub id: UnroutedId,
    /// The adapter that received it.
    pub provider: String,
    /// Whose secret verified it.
    pub verifier: String,
    /// Why it belongs nowhere.
    pub reason: String,
    /// The item, as JSON of our own, so that it can be run again.
    pub raw: String,
    /// When it came.
    pub received_at: Timestamp,
}

impl From<Model> for UnroutedRow {
    fn from(row: Model) -> Self {
        Self {
            id: UnroutedId::from_uuid(row.id),
            provider: row.provider,
            verifier: row.verifier,
            reason: row.reason,
            raw: row.raw,
            received_at: Timestamp::from_ms(row.received_at),
        }
    }
}

impl Store {
    /// Items that belong to no channel, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unrouted(
        &self,
        after: Option<UnroutedId>,
        limit: u64,
    ) -> Result<Vec<UnroutedRow>, Error> {
        let mut query = Entity::find();
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after.uuid()));
        }
        let rows = query
            .order_by_asc(Column::Id)
            .limit(limit)
            .all(&self.reader)
            .await?;
        Ok(rows.into_iter().map(UnroutedRow::from).collect())
    }

    pub(crate) async fn unrouted_item(&self, id: UnroutedId) -> Result<Option<UnroutedRow>, Error> {
        Ok(Entity::find_by_id(id.uuid())
            .one(&self.reader)
            .await?
            .map(UnroutedRow::from))
    }
}

/// Keeps an item, unless the same one is kept already.
pub(super) async fn insert(
    tx: &DatabaseTransaction,
    stray: &Stray,
    now: Timestamp,
) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(UnroutedId::generate().uuid()),
        provider: Set(stray.provider.to_owned()),
        verifier: Set(stray.verifier.clone()),
        reason: Set(stray.reason.clone()),
        raw: Set(stray.raw.clone()),
        hash: Set(hex::encode(Sha256::digest(stray.raw.as_bytes()))),
        received_at: Set(now.ms()),
    };
    Entity::insert(row)
        .on_conflict(
            OnConflict::columns([Column::Provider, Column::Hash])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Forgets an item that was run again and found its place.
pub(crate) struct ForgetUnrouted(pub(crate) UnroutedId);

impl Operation for ForgetUnrouted {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        Entity::delete_by_id(self.0.uuid()).exec(tx).await?;
        Ok(())
    }
}
