//! A database of a test's own: an SQLite file, or a database of the PostgreSQL that `tests/run` starts.

use rejoinder_engine::store::Store;
use sea_orm::{ConnectionTrait, QueryResult, Statement, TryGetable};
use tempfile::TempDir;

/// Where `tests/run` says that its PostgreSQL is.
const POSTGRES: &str = "REJOINDER_TEST_POSTGRES";

pub(crate) struct Database {
    pub(crate) url: String,
    _place: Place,
}

/// Where a database is; dropping it takes the database away.
enum Place {
    Folder { _folder: TempDir },
    Server { _on: OnServer },
}

/// A database of the server that `tests/run` starts.
struct OnServer {
    server: String,
    name: String,
}

impl Drop for OnServer {
    /// A run of all tests would leave gigabytes behind otherwise. What a test still has open is cut off.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // The test's own runtime cannot wait here.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(on_server(
                &server,
                &format!("DROP DATABASE {name} WITH (FORCE)"),
            ));
            Ok::<_, std::io::Error>(())
        });
        let _ = dropped.join();
    }
}

async fn on_server(server: &str, statement: &str) {
    let store = Store::open(server).await.expect("PostgreSQL answers");
    let done = store.connection().execute_unprepared(statement).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    store.close().await;
}

impl Database {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self {
            url,
            _place: Place::Folder { _folder: folder },
        }
    }

    pub(crate) async fn postgres() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the test's own setting")]
        let server = std::env::var(POSTGRES)
            .unwrap_or_else(|_| panic!("no PostgreSQL: run the tests by `tests/run`"));
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        on_server(&server, &format!("CREATE DATABASE {name}")).await;
        let (head, tail) = server
            .split_once("/postgres?")
            .expect("the form that `tests/run` gives");
        Self {
            url: format!("{head}/{name}?{tail}"),
            _place: Place::Server {
                _on: OnServer {
                    server: server.clone(),
                    name,
                },
            },
        }
    }
}

/// The one row that SQL gives.
pub(crate) async fn row(store: &Store, text: &str) -> QueryResult {
    let connection = store.connection();
    let statement = Statement::from_string(connection.get_database_backend(), text);
    let row = connection.query_one_raw(statement).await;
    row.expect("the database answers").expect("a row")
}

/// The first column of it.
pub(crate) async fn cell<T: TryGetable>(store: &Store, text: &str) -> T {
    row(store, text)
        .await
        .try_get_by_index(0)
        .expect("a value of this type")
}

/// Runs every test on both databases, in a scene that has `on(Database)`: `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($scene:ident: $kind:ident) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn run($scene: $kind) $body

            #[tokio::test]
            async fn sqlite() {
                run($kind::on($crate::database::Database::sqlite().await).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                run($kind::on($crate::database::Database::postgres().await).await).await;
            }
        }
    )*};
}

pub(crate) use on_both;
