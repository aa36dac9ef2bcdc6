//! Throw-away databases for simulated worlds: in memory, gone when they are closed.
//! Knows no migration: the host brings its tables, and every world begins as a copy of them.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteOwnedBuf, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use tokio::sync::OnceCell;

use super::connect::quiet;
use super::{Error, Store};

/// Empty tables, made when they are first needed. Cheap to clone.
#[derive(Clone)]
pub struct Scratch(Arc<Tables>);

struct Tables {
    migrate: Box<Migrate>,
    image: OnceCell<Vec<u8>>,
}

type Migrate = dyn Fn(DatabaseConnection) -> BoxFuture<'static, Result<(), String>> + Send + Sync;

impl Scratch {
    /// Takes the tables that `migrate` makes, on a database of SQLite:
    /// `Scratch::of(|db| async move { Migrator::up(&db, None).await })`.
    pub fn of<F, E>(migrate: impl Fn(DatabaseConnection) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        let migrate = move |connection| {
            let migrated = migrate(connection);
            async move { migrated.await.map_err(|error| error.to_string()) }.boxed()
        };
        Self(Arc::new(Tables {
            migrate: Box::new(migrate),
            image: OnceCell::new(),
        }))
    }

    /// A store that nothing survives: for simulated worlds, and for nothing else.
    pub(crate) async fn open(&self) -> Result<Store, Error> {
        let image = self.0.image.get_or_try_init(|| self.make()).await?;
        let connection = in_memory().await?;
        let pool = connection.get_sqlite_connection_pool();
        let mut one = pool.acquire().await.map_err(|error| unfit(&error))?;
        let image = SqliteOwnedBuf::try_from(&image[..]).map_err(|error| unfit(&error))?;
        one.deserialize(None, image, false)
            .await
            .map_err(|error| unfit(&error))?;
        drop(one);
        Ok(Store::start(connection.clone(), connection))
    }

    async fn make(&self) -> Result<Vec<u8>, Error> {
        let connection = in_memory().await?;
        (self.0.migrate)(connection.clone())
            .await
            .map_err(|error| Error::Unfit(format!("the tables could not be made: {error}")))?;
        let pool = connection.get_sqlite_connection_pool();
        let mut one = pool.acquire().await.map_err(|error| unfit(&error))?;
        let image = one.serialize(None).await.map_err(|error| unfit(&error))?;
        Ok(image.to_vec())
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch")
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
