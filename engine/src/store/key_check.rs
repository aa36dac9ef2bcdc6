//! A word sealed under every master key that a location names, by which a wrong key is noticed at start; and the
//! change from one key to the next, location by location.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, FromQueryResult};

use super::batch::Batch;
use super::{Error, Operation, Store, revision, sql};
use crate::crypto::{self, Vault};
use crate::domain::ids::LocationId;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_key_check")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub kid: String,
    pub sealed: String,
}

impl ActiveModelBehavior for ActiveModel {}

/// The key that seals, and the word under it.
#[derive(Clone, Debug)]
pub(crate) struct SealingKey {
    pub(crate) kid: String,
    pub(crate) word: String,
}

impl SealingKey {
    /// That of a ring.
    pub(crate) fn of(vault: &Vault) -> Self {
        let kid = vault.sealing_kid().to_owned();
        let word = vault
            .seal_check(&kid)
            .expect("the key id comes from the ring itself");
        Self { kid, word }
    }
}

impl Store {
    /// Refuses a key ring that this database was not sealed with; notes the key that seals from now on.
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
                "this database was sealed with the key '{}', which is not in the key ring; add it: behind the first key if that one is new, in front if it is older",
                row.kid
            )));
        }
        if !known.iter().any(|row| row.kid == vault.sealing_kid()) {
            self.write(NoteKey(SealingKey::of(vault))).await?;
        }
        Ok(())
    }

    /// How many locations name a key.
    pub(crate) async fn naming(&self, kid: &str) -> Result<u64, Error> {
        naming(&self.reader, kid).await
    }
}

/// Notes a key, unless it is noted. It is not forgotten while this transaction lasts.
pub(super) async fn note(tx: &DatabaseTransaction, key: &SealingKey) -> Result<(), Error> {
    // Locks the row that is there.
    let text = "INSERT INTO rejoinder_key_check (kid, sealed) VALUES ($1, $2) \
                ON CONFLICT (kid) DO UPDATE SET sealed = rejoinder_key_check.sealed";
    let values = [key.kid.clone().into(), key.word.clone().into()];
    tx.execute_raw(sql(tx, text, values)).await?;
    Ok(())
}

struct NoteKey(SealingKey);

impl Operation for NoteKey {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        note(tx, &self.0).await
    }
}

/// Replaces a location's sealed data key by one sealed under another master key; false if it is not as it was
/// read any more.
pub(crate) struct RewrapDataKey {
    pub(crate) location_id: LocationId,
    pub(crate) from: String,
    pub(crate) to: String,
    /// The key that sealed `to`.
    pub(crate) key: SealingKey,
}

impl Operation for RewrapDataKey {
    type Output = bool;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<bool, Error> {
        note(tx, &self.key).await?;
        let text = "UPDATE rejoinder_location SET data_key = $3 WHERE id = $1 AND data_key = $2";
        let values = [
            self.location_id.uuid().into(),
            self.from.clone().into(),
            self.to.clone().into(),
        ];
        let changed = tx.execute_raw(sql(tx, text, values)).await?;
        Ok(changed.rows_affected() == 1)
    }
}

/// Forgets the noted keys that no location names any more, except the one that seals; gives their ids. Processes
/// look at their set-up anew, so that one which lacks a key says so now.
pub(crate) struct ForgetKeys {
    /// The key that seals.
    pub(crate) except: String,
}

impl Operation for ForgetKeys {
    type Output = Vec<String>;

    async fn apply(
        &self,
        tx: &DatabaseTransaction,
        _batch: &mut Batch,
    ) -> Result<Vec<String>, Error> {
        let mut forgotten = Vec::new();
        for row in locked(tx).await? {
            // A statement after the lock, so that it sees what whoever held it has written.
            if row.kid != self.except && naming(tx, &row.kid).await? == 0 {
                Entity::delete_by_id(row.kid.clone()).exec(tx).await?;
                forgotten.push(row.kid);
            }
        }
        revision::raise(tx).await?;
        Ok(forgotten)
    }
}

#[derive(FromQueryResult)]
struct Noted {
    kid: String,
}

/// The keys that are noted; nobody who seals under one of them goes on until this transaction ends.
async fn locked(tx: &DatabaseTransaction) -> Result<Vec<Noted>, Error> {
    let text = match tx.get_database_backend() {
        DbBackend::Postgres => "SELECT kid FROM rejoinder_key_check ORDER BY kid FOR UPDATE",
        _ => "SELECT kid FROM rejoinder_key_check ORDER BY kid",
    };
    Ok(Noted::find_by_statement(sql(tx, text, [])).all(tx).await?)
}

#[derive(FromQueryResult)]
struct Count {
    n: i64,
}

async fn naming(on: &impl ConnectionTrait, kid: &str) -> Result<u64, Error> {
    let head = crypto::head(kid);
    let length = i32::try_from(head.len()).expect("a key id is short");
    let text = "SELECT COUNT(*) AS n FROM rejoinder_location WHERE substr(data_key, 1, $1) = $2";
    let statement = sql(on, text, [length.into(), head.into()]);
    let row = Count::find_by_statement(statement).one(on).await?;
    Ok(row.map_or(0, |row| u64::try_from(row.n).unwrap_or(0)))
}
