//! One process works on a database at a time (until nodes share one: then rows are claimed instead).

use std::fs::{File, TryLockError};

use sea_orm::sqlx::{self, Connection as _, PgConnection};
use sea_orm::{DatabaseConnection, DbBackend, FromQueryResult, Statement};

use super::{Error, Store};

/// The number under which PostgreSQL keeps our advisory lock: "rejoindr" as bytes.
const ADVISORY_LOCK: i64 = i64::from_be_bytes(*b"rejoindr");

/// Held for as long as the process works.
pub(crate) enum Lock {
    File {
        _file: File,
    },
    Connection {
        connection: Box<PgConnection>,
    },
    /// A database without a file: nobody else can see it.
    None,
}

impl Lock {
    /// Whether it is still ours; only a lock that hangs on a connection can be lost.
    pub(crate) async fn ping(&mut self) -> Result<(), Error> {
        match self {
            Self::Connection { connection } => connection
                .ping()
                .await
                .map_err(|error| Error::Database(error.to_string())),
            Self::File { .. } | Self::None => Ok(()),
        }
    }

    /// Gives the database back.
    pub(crate) async fn release(self) {
        if let Self::Connection { mut connection } = self {
            // Said aloud, because the server may notice the end of a connection a moment later.
            let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(ADVISORY_LOCK);
            let _ = unlock.execute(&mut *connection).await;
            let _ = connection.close().await;
        }
    }
}

#[derive(FromQueryResult)]
struct Path {
    file: Option<String>,
}

impl Store {
    /// Whether another process works on this database: it does not hear of deliveries stored beside it.
    pub async fn is_worked_on(&self) -> bool {
        self.lock().await.is_err()
    }

    /// Takes the database for this process.
    pub(crate) async fn lock(&self) -> Result<Lock, Error> {
        match self.reader.get_database_backend() {
            DbBackend::Postgres => lock_postgres(&self.reader).await,
            _ => lock_sqlite(&self.reader).await,
        }
    }
}

async fn lock_postgres(connection: &DatabaseConnection) -> Result<Lock, Error> {
    let unfit = |error: sqlx::Error| Error::Database(error.to_string());
    // A connection of its own: one that goes back to the pool would keep the lock.
    let pool = connection.get_postgres_connection_pool();
    let mut connection = pool.acquire().await.map_err(unfit)?.detach();
    let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(ADVISORY_LOCK)
        .fetch_one(&mut connection)
        .await
        .map_err(unfit)?;
    if taken {
        Ok(Lock::Connection {
            connection: Box::new(connection),
        })
    } else {
        Err(in_use())
    }
}

async fn lock_sqlite(connection: &DatabaseConnection) -> Result<Lock, Error> {
    let query = "SELECT file FROM pragma_database_list WHERE name = 'main'";
    let row = Path::find_by_statement(Statement::from_string(DbBackend::Sqlite, query))
        .one(connection)
        .await?;
    let Some(path) = row.and_then(|row| row.file).filter(|path| !path.is_empty()) else {
        return Ok(Lock::None);
    };
    let path = format!("{path}.lock");
    let unfit = |error: std::io::Error| Error::Unfit(format!("cannot write '{path}': {error}"));
    let file = File::create(&path).map_err(unfit)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock::File { _file: file }),
        Err(TryLockError::WouldBlock) => Err(in_use()),
        Err(TryLockError::Error(error)) => Err(unfit(error)),
    }
}

fn in_use() -> Error {
    Error::Unfit(
        "another Rejoinder works on this database; stop it first, or use another database"
            .to_owned(),
    )
}
