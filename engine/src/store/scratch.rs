//! Throw-away databases for simulated worlds: in memory, gone when they are closed.
//! Knows no migration: the host brings its tables once, and every world begins as a copy of them.

use std::sync::Arc;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteOwnedBuf, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};

use super::connect::quiet;
use super::{Error, Store};

/// Empty tables, ready to be copied. Cheap to clone.
#[derive(Clone)]
pub struct Scratch(Arc<[u8]>);

impl Scratch {
    /// Takes the tables that `migrate` makes: `Scratch::of(async |db| Migrator::up(db, None).await)`.
    ///
    /// # Errors
    /// The tables could not be made.
    pub async fn of<E: std::fmt::Display>(
        migrate: impl AsyncFnOnce(&DatabaseConnection) -> Result<(), E>,
    ) -> Result<Self, Error> {
        let connection = in_memory().await?;
        migrate(&connection)
            .await
            .map_err(|error| Error::Unfit(format!("the tables could not be made: {error}")))?;
        let pool = connection.get_sqlite_connection_pool();
        let mut one = pool.acquire().await.map_err(|error| unfit(&error))?;
        let image = one.serialize(None).await.map_err(|error| unfit(&error))?;
        Ok(Self(Arc::from(&image[..])))
    }

    /// A store that nothing survives: for simulated worlds, and for nothing else.
    pub(crate) async fn open(&self) -> Result<Store, Error> {
        let connection = in_memory().await?;
        let pool = connection.get_sqlite_connection_pool();
        let mut one = pool.acquire().await.map_err(|error| unfit(&error))?;
        let image = SqliteOwnedBuf::try_from(&self.0[..]).map_err(|error| unfit(&error))?;
        one.deserialize(None, image, false)
            .await
            .map_err(|error| unfit(&error))?;
        drop(one);
        Ok(Store::start(connection.clone(), connection))
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scratch({} bytes)", self.0.len())
    }
}

/// A database that lives in its one connection, which therefore is never replaced.
async fn in_memory() -> Result<DatabaseConnection, Error> {
    let mut options = ConnectOptions::new("sqlite::memory:");
    quiet(&mut options);
    options
        .min_connections(1)
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .map_sqlx_sqlite_opts(|options| {
            options
                .journal_mode(SqliteJournalMode::Memory)
                .synchronous(SqliteSynchronous::Off)
                .foreign_keys(true)
                .statement_cache_capacity(256)
        });
    Ok(Database::connect(options).await?)
}

fn unfit(error: &sea_orm::sqlx::Error) -> Error {
    Error::Unfit(format!("a database in memory failed: {error}"))
}
