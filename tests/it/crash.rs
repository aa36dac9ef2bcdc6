//! The real program under load, killed at random moments: nothing that was acknowledged is lost, answered
//! twice or out of order. `REJOINDER_KILLS=20000 tests/run --fast crash` kills it more often.

use std::time::Duration;

use crate::chance::Chance;
use crate::database::Database;
use crate::effort::{often, say};
use crate::scene::{Errand, Scene};

/// How often the program is killed where nobody says otherwise.
const KILLS_ON_SQLITE: usize = 200;
const KILLS_ON_POSTGRES: usize = 100;
/// Customers who write at the same time.
const WRITERS: usize = 16;
/// Lives of the program: long enough for work to be under way, short enough for many.
const LIFE_MS: (u64, u64) = (10, 400);
/// How many lives pass before customers want something else.
const LIVES_PER_ERRAND: usize = 10;

async fn kill_and_look(database: Database, kills: usize) {
    let scene = Scene::set(database).await;
    let seed = scene.seed();
    say(&format!("seed {seed}, {kills} kills"));
    let mut chance = Chance::from_seed(seed);
    let crowd = scene.crowd(WRITERS, &mut chance);
    for life in 0..kills {
        // A fan-out looks at all chats: too many of them would still be under way at the end.
        let errands = [Errand::Nothing, Errand::Remind, Errand::Ask];
        scene.want(errands[life / LIVES_PER_ERRAND % errands.len()]);
        let program = scene.start().await;
        scene.care().await;
        let life = chance.between(LIFE_MS.0, LIFE_MS.1);
        tokio::time::sleep(Duration::from_millis(life)).await;
        program.kill();
    }
    let program = scene.start().await;
    scene.heal(crowd).await;
    let found = scene.breaches().await;
    let many = found.len();
    let shown: Vec<&String> = found.iter().take(20).collect();
    assert!(
        many == 0,
        "seed {seed}: {many} breaches, such as {shown:#?}"
    );
    let acknowledged = scene.acknowledged().len();
    assert!(
        acknowledged >= kills,
        "there was hardly any load: {acknowledged}"
    );
    say(&format!(
        "{acknowledged} acknowledged, {} taken by the provider",
        scene.taken()
    ));
    program.kill();
}

mod heavy {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_acknowledged_is_lost_or_doubled_on_sqlite() {
        let kills = often("REJOINDER_KILLS", KILLS_ON_SQLITE);
        kill_and_look(Database::sqlite().await, kills).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_acknowledged_is_lost_or_doubled_on_postgres() {
        let kills = often("REJOINDER_KILLS", KILLS_ON_POSTGRES);
        kill_and_look(Database::postgres().await, kills).await;
    }
}
