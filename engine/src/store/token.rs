//! Bearer tokens of the API, as hashes.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, PaginatorTrait};

use super::batch::Batch;
use super::{Error, Operation, Store, location};
use crate::domain::ids::{LocationId, TokenId};
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_token")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub hash: String,
    pub location_id: Option<Uuid>,
    pub created_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// A bearer token, without the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// This token.
    pub id: TokenId,
    /// What people call it.
    pub name: String,
    /// The only location it opens; absent: all of them.
    pub location_id: Option<LocationId>,
}

impl Store {
    /// Whether there is any token yet.
    pub(crate) async fn has_tokens(&self) -> Result<bool, Error> {
        Ok(Entity::find().count(&self.reader).await? > 0)
    }

    /// Whether a token is there and opens a location.
    pub(crate) async fn is_token_of(
        &self,
        id: TokenId,
        location_id: LocationId,
    ) -> Result<bool, Error> {
        let row = Entity::find_by_id(id.uuid()).one(&self.reader).await?;
        Ok(row.is_some_and(|row| {
            row.location_id
                .is_none_or(|only| only == location_id.uuid())
        }))
    }

    /// The token whose hash this is.
    pub(crate) async fn token(&self, hash: &str) -> Result<Option<TokenRow>, Error> {
        let row = Entity::find()
            .filter(Column::Hash.eq(hash))
            .one(&self.reader)
            .await?;
        Ok(row.map(|row| TokenRow {
            id: TokenId::from_uuid(row.id),
            name: row.name,
            location_id: row.location_id.map(LocationId::from_uuid),
        }))
    }
}

/// Stores the hash of a new token.
pub(crate) struct CreateToken {
    pub(crate) token: TokenRow,
    pub(crate) hash: String,
    pub(crate) now: Timestamp,
}

impl Operation for CreateToken {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        if let Some(id) = self.token.location_id {
            location::must_be_there(tx, id).await?;
        }
        let row = ActiveModel {
            id: Set(self.token.id.uuid()),
            name: Set(self.token.name.clone()),
            hash: Set(self.hash.clone()),
            location_id: Set(self.token.location_id.map(LocationId::uuid)),
            created_at: Set(self.now.ms()),
        };
        Entity::insert(row).exec_without_returning(tx).await?;
        Ok(())
    }
}
