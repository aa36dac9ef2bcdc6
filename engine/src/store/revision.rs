//! One number that every change of a location's set-up raises, by which processes notice each other's changes.

use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult};

use super::{Error, Store, sql};

#[derive(FromQueryResult)]
struct Row {
    value: i64,
}

/// Notes that something was changed.
pub(super) async fn raise(tx: &DatabaseTransaction) -> Result<(), Error> {
    tx.execute_raw(sql(
        tx,
        "UPDATE rejoinder_revision SET value = value + 1 WHERE id = 1",
        [],
    ))
    .await?;
    Ok(())
}

impl Store {
    /// The present number.
    pub(crate) async fn revision(&self) -> Result<i64, Error> {
        let statement = sql(
            &self.reader,
            "SELECT value FROM rejoinder_revision WHERE id = 1",
            [],
        );
        Ok(Row::find_by_statement(statement)
            .one(&self.reader)
            .await?
            .map_or(0, |row| row.value))
    }
}
