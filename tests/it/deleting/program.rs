//! The real program at work on a location that another process deletes.

use std::time::{Duration, Instant};

use rejoinder_engine::store::Store;

use super::search::Everything;
use crate::chance::Chance;
use crate::database::Database;
use crate::effort::say;
use crate::scene::{Errand, Scene};

/// Customers who write at the same time, before and after.
const WRITERS: usize = 8;
/// Messages that have left by then.
const BEFORE: usize = 40;
/// What was committed before the deletion may be on its way for so long; the provider is on the same machine.
const IN_FLIGHT: Duration = Duration::from_millis(500);
/// Three times as long as it takes a server to notice.
const AFTER: Duration = Duration::from_secs(3);
/// How long it may take until everything is cleared away.
const PATIENCE: Duration = Duration::from_secs(60);

async fn deleted_under_load(database: Database) {
    let scene = Scene::set(database).await;
    let seed = scene.seed();
    say(&format!("seed {seed}"));
    let mut chance = Chance::from_seed(seed);
    let program = scene.start().await;
    scene.want(Errand::Ask);
    let crowd = scene.crowd(WRITERS, &mut chance);
    while scene.taken() < BEFORE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let id = scene.location_id.to_string();
    let deleted = scene
        .operator(&["location", "delete", &id, "--yes"])
        .status()
        .expect("it runs");
    assert!(deleted.success(), "{}", scene.last_words());
    tokio::time::sleep(IN_FLIGHT).await;
    let taken = scene.taken();
    // Customers go on writing, and are answered 200.
    let acknowledged = scene.acknowledged().len();
    tokio::time::sleep(AFTER).await;
    assert!(scene.acknowledged().len() > acknowledged, "nobody writes");
    assert_eq!(scene.taken(), taken, "something left after the deletion");
    scene.hush(crowd).await;
    let store = Store::open(&scene.database.url).await.expect("it opens");
    let began_at = Instant::now();
    loop {
        let left = Everything::of(store.connection())
            .await
            .rows(scene.location_id);
        let left: Vec<_> = left
            .into_iter()
            .filter(|(table, _)| !table.starts_with("rejoinder_tombstone"))
            .collect();
        if left.is_empty() {
            break;
        }
        assert!(began_at.elapsed() < PATIENCE, "{left:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let all = Everything::of(store.connection()).await;
    assert!(!all.names(" says "), "{:?}", all.tables_that_name(" says "));
    store.close().await;
    program.kill();
}

mod heavy {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_under_load_sends_nothing_of_a_location_that_is_deleted_on_sqlite() {
        deleted_under_load(Database::sqlite().await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_under_load_sends_nothing_of_a_location_that_is_deleted_on_postgres() {
        deleted_under_load(Database::postgres().await).await;
    }
}
