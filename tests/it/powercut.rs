//! The real program on SQLite, and a disk that loses what was not synced: the program is killed, its files
//! are made what a power cut would leave of them, and it goes on with that. `REJOINDER_CUTS=20000 tests/run
//! --fast powercut` cuts more often.

mod disk;
mod shim;
mod sync;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rejoinder_engine::{Mutant, Shown};
use sea_orm::{ConnectionTrait as _, Database as Connection, DbBackend, Statement};

use self::disk::Disk;
use self::shim::{Heeds, Part, Shim};
use crate::chance::Chance;
use crate::database::Database;
use crate::effort::{often, say};
use crate::scene::{Errand, Program, Scene};

/// How often the power is cut where nobody says otherwise.
const CUTS: usize = 15;
/// Customers who write at the same time.
const WRITERS: usize = 8;
/// Lives of the program: long enough for work to be under way, and now and then for a checkpoint.
const LIFE_MS: (u64, u64) = (50, 800);
/// Cuts in which a deliberate mistake must show.
const CUTS_FOR_A_MUTANT: usize = 10;

/// A program whose power is cut again and again.
struct Supply<'a> {
    scene: &'a Scene,
    shim: Shim,
    database: PathBuf,
    chance: Chance,
    /// Changes that were not synced when the power was cut, and the cuts that met any.
    at_stake: usize,
    harmful: usize,
}

impl<'a> Supply<'a> {
    fn of(scene: &'a Scene, chance: Chance) -> Self {
        Self {
            scene,
            shim: Shim::in_folder(scene.folder.path()),
            database: scene.file().canonicalize().expect("it is there"),
            chance,
            at_stake: 0,
            harmful: 0,
        }
    }

    /// Lets the program live a while, and cuts the power.
    async fn cut(&mut self, mut command: Command) {
        let mut disk = Disk::of(&self.database);
        self.shim.follow(&mut command, &self.database, Heeds::Files);
        let mut program = Program::start(command);
        let is_ready = self.scene.ready(&mut program).await;
        assert!(is_ready, "it does not start: {}", self.scene.last_words());
        self.scene.care().await;
        let life = self.chance.between(LIFE_MS.0, LIFE_MS.1);
        tokio::time::sleep(Duration::from_millis(life)).await;
        program.kill();
        disk.replay(self.shim.lines());
        self.at_stake += disk.unsynced();
        self.harmful += usize::from(disk.unsynced() > 0);
        disk.cut(&self.database, &mut self.chance);
        self.inspect().await;
    }

    /// SQLite finds no fault with what is left, on a copy of it.
    async fn inspect(&self) {
        let folder = crate::commands::folder();
        let copy = folder.path().join("copy.db");
        for part in Part::ALL {
            let from = part.of(&self.database);
            if from.exists() {
                std::fs::copy(from, part.of(&copy)).expect("it can be copied");
            }
        }
        assert_eq!(integrity(&copy).await, "ok");
    }
}

async fn integrity(path: &Path) -> String {
    let url = format!("sqlite://{}?mode=rw", path.display());
    let connection = Connection::connect(url).await.expect("it opens");
    let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check");
    let row = connection.query_one_raw(check).await.expect("it reads");
    let verdict = row.expect("a row").try_get("", "integrity_check");
    connection.close().await.expect("it closes");
    verdict.expect("a text")
}

/// Cuts the power again and again, and gives what of the promise is broken.
async fn cut_and_look(cuts: usize, program: impl Fn(&Scene) -> Command) -> Vec<String> {
    let scene = Scene::set(Database::sqlite().await).await;
    let seed = scene.seed();
    say(&format!("seed {seed}, {cuts} cuts"));
    let mut chance = Chance::from_seed(seed);
    let crowd = scene.crowd(WRITERS, &mut chance);
    let mut supply = Supply::of(&scene, chance);
    for cut in 0..cuts {
        scene.want([Errand::Nothing, Errand::Remind, Errand::Ask][cut % 3]);
        supply.cut(program(&scene)).await;
    }
    assert!(supply.at_stake > 0, "everything was synced at every cut");
    let program = scene.start().await;
    scene.heal(crowd).await;
    program.kill();
    say(&format!(
        "{} acknowledged, {} changes were not synced at {} of {cuts} cuts",
        scene.acknowledged().len(),
        supply.at_stake,
        supply.harmful
    ));
    scene.breaches().await
}

mod heavy {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_acknowledged_is_lost_when_the_power_is_cut() {
        let cuts = often("REJOINDER_CUTS", CUTS);
        let found = cut_and_look(cuts, Scene::program).await;
        assert!(found.is_empty(), "{found:#?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_mistake_that_a_power_cut_shows_is_caught() {
        for mutant in Mutant::shown(Shown::ByPowerCut) {
            let found = cut_and_look(CUTS_FOR_A_MUTANT, |scene| {
                let mut command = scene.mistaken();
                command.env("TEST_MUTANT", format!("{mutant:?}"));
                command
            });
            let found = found.await;
            assert!(!found.is_empty(), "nobody noticed {mutant:?}");
            say(&format!("{mutant:?}: {}", found[0]));
        }
    }
}
