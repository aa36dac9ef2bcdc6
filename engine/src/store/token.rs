//! Bearer tokens of the API, as hashes.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, PaginatorTrait, QueryOrder};

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
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<Model> for TokenRow {
    fn from(row: Model) -> Self {
        Self {
            id: TokenId::from_uuid(row.id),
            name: row.name,
            location_id: row.location_id.map(LocationId::from_uuid),
            created_at: Timestamp::from_ms(row.created_at),
        }
    }
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
        Ok(row.map(TokenRow::from))
    }

    /// All tokens, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, Error> {
        let rows = Entity::find().order_by_asc(Column::Id);
        let rows = rows.all(&self.reader).await?.into_iter();
        Ok(rows.map(TokenRow::from).collect())
    }
}

/// Stores the hash of a new token.
pub(crate) struct CreateToken {
    pub(crate) token: TokenRow,
    pub(crate) hash: String,
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
            created_at: Set(self.token.created_at.ms()),
        };
        Entity::insert(row).exec_without_returning(tx).await?;
        Ok(())
    }
}

/// Forgets a token; tells whether it was there.
pub(crate) struct RevokeToken(pub(crate) TokenId);

impl Operation for RevokeToken {
    type Output = bool;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<bool, Error> {
        let deleted = Entity::delete_by_id(self.0.uuid()).exec(tx).await?;
        Ok(deleted.rows_affected > 0)
    }
}
