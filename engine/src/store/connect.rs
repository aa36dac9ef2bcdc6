//! How a database is opened, and what it must be set up for before we promise anything.

use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, FromQueryResult,
    Statement,
};

use super::{Error, Store};
use crate::mutant::Mutant;

/// How long a writer waits for another process's transaction. A webhook may wait for the group before its own as
/// well; even so its provider hears 503 within the five seconds that Twilio waits.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// The same, as PostgreSQL takes it.
const LOCK_TIMEOUT: &str = "2s";
/// Readers of an SQLite file; the write-ahead log lets them work beside the writer.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL, the writer's included.
const POSTGRES_CONNECTIONS: u32 = 10;
/// Older ones can corrupt a file when the write-ahead log is reset (fixed in 3.51.3).
const MIN_SQLITE: (u32, u32, u32) = (3, 51, 3);

impl Store {
    /// Opens `sqlite:path`, creating file and folder if need be, or `postgres://…`.
    ///
    /// # Errors
    /// The address is not understood, or the database cannot be opened or is not fit.
    pub async fn open(url: &str) -> Result<Self, Error> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return open_sqlite(path.strip_prefix("//").unwrap_or(path)).await;
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let mut options = ConnectOptions::new(url);
            quiet(&mut options);
            options
                .max_connections(POSTGRES_CONNECTIONS)
                .map_sqlx_postgres_opts(|options| {
                    options.options([
                        ("idle_in_transaction_session_timeout", "10s"),
                        ("lock_timeout", LOCK_TIMEOUT),
                    ])
                });
            let connection = Database::connect(options).await.map_err(|error| {
                Error::Unfit(format!(
                    "PostgreSQL does not answer: {error}; check the address and that it runs"
                ))
            })?;
            return Ok(Self::start(connection.clone(), connection));
        }
        Err(Error::Unfit(
            "a database is 'sqlite:path/to/file' or 'postgres://user@host/name'".to_owned(),
        ))
    }

    /// Uses the host's own connection.
    ///
    /// # Errors
    /// An SQLite connection that would lose acknowledged messages is refused, with the line to add.
    pub async fn on(connection: DatabaseConnection) -> Result<Self, Error> {
        if connection.get_database_backend() == DbBackend::Sqlite {
            check_sqlite_version(&connection).await?;
            check_pragmas(&connection).await?;
        }
        Ok(Self::start(connection.clone(), connection))
    }
}

async fn open_sqlite(path: &str) -> Result<Store, Error> {
    let file = Path::new(path);
    if let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        create_private_folder(folder)?;
    }
    let writing = connect_sqlite(path, 1).await?;
    check_sqlite_version(&writing).await?;
    let reader = connect_sqlite(path, SQLITE_READERS).await?;
    Ok(Store::start(writing, reader))
}

async fn connect_sqlite(path: &str, connections: u32) -> Result<DatabaseConnection, Error> {
    let synchronous = if Mutant::LazySync.is_loose() {
        SqliteSynchronous::Normal
    } else {
        SqliteSynchronous::Full
    };
    let mut options = ConnectOptions::new(format!("sqlite://{path}?mode=rwc"));
    quiet(&mut options);
    options
        .max_connections(connections)
        .min_connections(1)
        .map_sqlx_sqlite_opts(move |options| {
            options
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .busy_timeout(BUSY_TIMEOUT)
                .foreign_keys(true)
                .pragma("cache_size", "-65536")
                .statement_cache_capacity(256)
        });
    let connection = Database::connect(options)
        .await
        .map_err(|error| cannot_open(path, &error))?;
    // Connecting creates the file; only writing shows whether it can be written.
    connection
        .execute_unprepared("PRAGMA user_version = 1")
        .await
        .map_err(|error| cannot_open(path, &error))?;
    Ok(connection)
}

fn cannot_open(path: &str, error: &sea_orm::DbErr) -> Error {
    Error::Unfit(format!(
        "cannot write the database '{path}': {error}; check that the folder exists and is writable"
    ))
}

/// Message text in spans and logs is what this engine must never do.
pub(super) fn quiet(options: &mut ConnectOptions) {
    options
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(5))
        .connect_timeout(Duration::from_secs(5));
}

#[cfg(unix)]
fn create_private_folder(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| {
            Error::Unfit(format!(
                "cannot create the folder '{}': {error}; choose another data directory",
                folder.display()
            ))
        })
}

#[cfg(not(unix))]
fn create_private_folder(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Error::Unfit(format!(
            "cannot create the folder '{}': {error}; choose another data directory",
            folder.display()
        ))
    })
}

#[derive(FromQueryResult)]
struct Text {
    value: String,
}

#[derive(FromQueryResult)]
struct Number {
    value: i64,
}

async fn check_sqlite_version(connection: &DatabaseConnection) -> Result<(), Error> {
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT sqlite_version() AS value");
    let version = Text::find_by_statement(statement)
        .one(connection)
        .await?
        .map(|row| row.value)
        .unwrap_or_default();
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    if (next(), next(), next()) < MIN_SQLITE {
        let (major, minor, patch) = MIN_SQLITE;
        return Err(Error::Unfit(format!(
            "SQLite {version} can corrupt its file; build against {major}.{minor}.{patch} or newer"
        )));
    }
    Ok(())
}

async fn check_pragmas(connection: &DatabaseConnection) -> Result<(), Error> {
    let journal = Statement::from_string(
        DbBackend::Sqlite,
        "SELECT journal_mode AS value FROM pragma_journal_mode",
    );
    let journal = Text::find_by_statement(journal)
        .one(connection)
        .await?
        .map(|row| row.value)
        .unwrap_or_default();
    let synchronous = number(
        connection,
        "SELECT synchronous AS value FROM pragma_synchronous",
    )
    .await?;
    let timeout_ms = number(
        connection,
        "SELECT timeout AS value FROM pragma_busy_timeout",
    )
    .await?;
    let missing = [
        (
            !journal.eq_ignore_ascii_case("wal"),
            ".journal_mode(SqliteJournalMode::Wal)",
        ),
        (synchronous < 2, ".synchronous(SqliteSynchronous::Full)"),
        (timeout_ms < 1000, ".busy_timeout(Duration::from_secs(5))"),
    ];
    let lines: Vec<&str> = missing
        .iter()
        .filter(|(missing, _)| *missing)
        .map(|(_, line)| *line)
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    Err(Error::Unfit(format!(
        "this SQLite connection could lose acknowledged messages; add to map_sqlx_sqlite_opts(|o| o{})",
        lines.concat()
    )))
}

async fn number(connection: &DatabaseConnection, query: &str) -> Result<i64, Error> {
    let statement = Statement::from_string(DbBackend::Sqlite, query);
    Ok(Number::find_by_statement(statement)
        .one(connection)
        .await?
        .map_or(0, |row| row.value))
}

#[cfg(test)]
mod tests {
    use sea_orm::DatabaseTransaction;

    use super::super::batch::Batch;
    use super::super::{Operation, Urgency};
    use super::*;

    /// What the connection that writes is set to, as an operation sees it.
    struct Ask;

    impl Operation for Ask {
        type Output = (i64, String);

        async fn apply(
            &self,
            tx: &DatabaseTransaction,
            _batch: &mut Batch,
        ) -> Result<Self::Output, Error> {
            let ask = |text| Statement::from_string(DbBackend::Sqlite, text);
            let synchronous = ask("SELECT synchronous AS value FROM pragma_synchronous");
            let synchronous = Number::find_by_statement(synchronous).one(tx).await?;
            let journal = ask("SELECT journal_mode AS value FROM pragma_journal_mode");
            let journal = Text::find_by_statement(journal).one(tx).await?;
            let (synchronous, journal) = synchronous.zip(journal).expect("two rows");
            Ok((synchronous.value, journal.value))
        }
    }

    #[tokio::test]
    async fn who_writes_waits_for_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("test.db");
        let store = Store::open(&format!("sqlite:{}", path.display())).await;
        let store = store.expect("it opens");
        // 2 is FULL.
        let expected = (2, "wal".to_owned());
        for urgency in [Urgency::Inbound, Urgency::Result] {
            let asked = store.writer.write(urgency, Ask).await;
            assert_eq!(asked.expect("it answers"), expected);
        }
    }
}
