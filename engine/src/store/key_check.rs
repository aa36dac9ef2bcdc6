//! A word sealed under every key of the ring, by which a wrong key is noticed at start.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, DatabaseTransaction};

use super::batch::Batch;
use super::{Error, Operation, Store};
use crate::crypto::Vault;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_key_check")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub kid: String,
    pub sealed: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// Refuses a key ring that this database was not sealed with; notes the keys that are new.
    pub(crate) async fn check_keys(&self, vault: &Vault) -> Result<(), Error> {
        let known = Entity::find().all(&self.reader).await?;
        let has = |kid: &str| vault.kids().any(|ours| ours == kid);
        if let Some(row) = known
            .iter()
            .find(|row| has(&row.kid) && !vault.opens_check(&row.kid, &row.sealed))
        {
            return Err(Error::Unfit(format!(
                "the key '{}' is not the one this database was sealed with; put the right key back, \
                 or give the new key another id and keep the old one behind it",
                row.kid
            )));
        }
        if let Some(row) = known.iter().find(|row| !has(&row.kid)) {
            return Err(Error::Unfit(format!(
                "this database was sealed with the key '{}', which is not in the key ring; add it behind the new one",
                row.kid
            )));
        }
        let unknown = vault
            .kids()
            .filter(|kid| !known.iter().any(|row| row.kid == **kid));
        for kid in unknown {
            let sealed = vault
                .seal_check(kid)
                .expect("the key id comes from the ring itself");
            self.write(NoteKey {
                kid: kid.to_owned(),
                sealed,
            })
            .await?;
        }
        Ok(())
    }
}

struct NoteKey {
    kid: String,
    sealed: String,
}

impl Operation for NoteKey {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let row = ActiveModel {
            kid: Set(self.kid.clone()),
            sealed: Set(self.sealed.clone()),
        };
        Entity::insert(row).exec_without_returning(tx).await?;
        Ok(())
    }
}
