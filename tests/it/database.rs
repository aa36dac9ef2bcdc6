//! A database of a test's own: an SQLite file, or a database of the PostgreSQL that `tests/run` starts.

use rejoinder_engine::store::Store;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

/// Where `tests/run` says that its PostgreSQL is.
const POSTGRES: &str = "REJOINDER_TEST_POSTGRES";

pub(crate) struct Database {
    pub(crate) url: String,
    _folder: Option<TempDir>,
}

impl Database {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self {
            url,
            _folder: Some(folder),
        }
    }

    pub(crate) async fn postgres() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the test's own setting")]
        let server = std::env::var(POSTGRES)
            .unwrap_or_else(|_| panic!("no PostgreSQL: run the tests by `tests/run`"));
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        let store = Store::open(&server).await.expect("PostgreSQL answers");
        store
            .connection()
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a new database");
        store.close().await;
        let (head, tail) = server
            .split_once("/postgres?")
            .expect("the form that `tests/run` gives");
        Self {
            url: format!("{head}/{name}?{tail}"),
            _folder: None,
        }
    }
}

/// Runs every test on both databases: `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn run($world: World) $body

            #[tokio::test]
            async fn sqlite() {
                run(World::on($crate::database::Database::sqlite().await).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                run(World::on($crate::database::Database::postgres().await).await).await;
            }
        }
    )*};
}

pub(crate) use on_both;
