//! A transaction from its beginning to its end, also where the database ended it by itself. Knows no operation.
//!
//! SQLite rolls a transaction back when the disk is full or fails. sqlx does not notice: it counts the transaction
//! as open for ever, so that every later one of that connection would be a savepoint in a transaction that nobody
//! commits, and would look as if it were written. So SQLite is told COMMIT in so many words, which ends whatever
//! is open, and what sqlx counts is ended by a ROLLBACK that cannot fail, because it finds a savepoint at least.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

pub(super) async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    match connection.get_database_backend() {
        // A deferred transaction that reads first fails at once when another process writes: the busy timeout is not heard.
        DbBackend::Sqlite => {
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            connection.begin_with_options(options).await
        }
        _ => connection.begin().await,
    }
}

/// Writes it. After an error it is unknown whether it is written.
pub(super) async fn commit(tx: DatabaseTransaction) -> Result<(), DbErr> {
    if tx.get_database_backend() != DbBackend::Sqlite {
        return tx.commit().await;
    }
    let committed = tx.execute_unprepared("COMMIT").await;
    // It is written or not, whatever becomes of the connection.
    let _ = roll_back(tx).await;
    committed.map(drop)
}

/// Takes it back; an error says that the connection is lost.
pub(super) async fn roll_back(tx: DatabaseTransaction) -> Result<(), DbErr> {
    if tx.get_database_backend() == DbBackend::Sqlite {
        tx.execute_unprepared("SAVEPOINT rejoinder_end").await?;
    }
    tx.rollback().await
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectOptions, Database};

    use super::*;

    async fn connect(path: &std::path::Path) -> DatabaseConnection {
        let mut options = ConnectOptions::new(format!("sqlite:{}?mode=rwc", path.display()));
        options.max_connections(1);
        Database::connect(options).await.expect("it opens")
    }

    async fn execute(on: &impl ConnectionTrait, text: &str) {
        let executed = on.execute_unprepared(text).await;
        executed.unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    #[tokio::test]
    async fn what_the_database_ended_itself_spoils_no_later_transaction() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("test.db");
        let (connection, other) = (connect(&path).await, connect(&path).await);
        execute(&connection, "CREATE TABLE t (n INTEGER)").await;

        // As SQLite does when the disk fails: while something is written, and while it is committed.
        let tx = begin(&connection).await.expect("it begins");
        execute(&tx, "ROLLBACK").await;
        roll_back(tx).await.expect("nothing is left of it");
        let tx = begin(&connection).await.expect("it begins");
        execute(&tx, "INSERT INTO t VALUES (1)").await;
        execute(&tx, "ROLLBACK").await;
        commit(tx).await.expect_err("nothing was written");

        // Sent back as any other.
        let tx = begin(&connection).await.expect("it begins");
        execute(&tx, "INSERT INTO t VALUES (2)").await;
        roll_back(tx).await.expect("it is taken back");
        let tx = begin(&connection).await.expect("it begins");
        execute(&tx, "INSERT INTO t VALUES (3)").await;
        commit(tx).await.expect("it is written");
        // Whoever looks from outside sees what is written, and nothing else.
        let seen = other.execute_unprepared("DELETE FROM t WHERE n = 3").await;
        assert_eq!(seen.expect("nobody holds a lock").rows_affected(), 1);
        let seen = other.execute_unprepared("DELETE FROM t").await;
        assert_eq!(seen.expect("nobody holds a lock").rows_affected(), 0);
    }
}
