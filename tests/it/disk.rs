//! A disk that is full, and a database that another process has locked: what cannot be stored is answered by 503
//! and comes again, nothing is half done, and the program goes on by itself. Knows nothing of how it writes.
//!
//! `REJOINDER_FULL_DISKS=200 tests/run --fast disk` fills the disk more often.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use sea_orm::{ConnectOptions, ConnectionTrait, Database as Connections};

use crate::chance::Chance;
use crate::database::Database;
use crate::effort::{often, say};
use crate::scene::{Errand, Letter, Program, Scene};

/// How often the disk is full where nobody says otherwise.
const FULL_DISKS: usize = 3;
/// Customers who write at the same time.
const WRITERS: usize = 16;
/// How long the program has room, and how long it has none.
const ROOM: Duration = Duration::from_secs(1);
const NO_ROOM: Duration = Duration::from_secs(2);
/// What is left of room when the disk fills: up to a few commits.
const LEFT_BYTES: u64 = 256 * 1024;
/// How much more memory the program may hold while it can write nothing, in megabytes.
const MORE_MB: u64 = 32;
/// What it may log of each full disk: what is under way tells of itself every two seconds, webhooks once a minute.
const LOGGED_BYTES: u64 = 512 * 1024;
/// How long another process keeps the database: longer than anybody waits for it.
const LOCKED: Duration = Duration::from_secs(5);
/// How long it may take until something is noticed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, and how large the files may grow that it writes.
struct Disk {
    scene: Arc<Scene>,
    program: Program,
}

impl Disk {
    async fn with(scene: &Arc<Scene>) -> Self {
        let mut program = Program::start(scene.undaunted());
        assert!(scene.ready(&mut program).await, "{}", scene.last_words());
        Self {
            scene: Arc::clone(scene),
            program,
        }
    }

    /// From now on no file grows beyond so many bytes.
    fn limit(&self, size_bytes: &str) {
        let done = Command::new("prlimit")
            .arg(format!("--pid={}", self.program.id()))
            .arg(format!("--fsize={size_bytes}:"))
            .status();
        assert!(done.expect("util-linux is there").success());
    }

    /// Nothing that is written has more room than `left_bytes`.
    fn fill(&self, left_bytes: u64) {
        let file = self.scene.file();
        let of = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let largest = of(file).max(of(&beside(file, "-wal")));
        self.limit(&(largest + left_bytes).to_string());
    }

    /// There is room again.
    fn clear(&self) {
        self.limit("unlimited");
    }
}

/// Another file of an SQLite database.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Tells the program of a message again and again, until it is acknowledged.
async fn acknowledged(scene: &Scene, letter: &Letter) {
    let began_at = Instant::now();
    loop {
        let answer = scene.post(letter).await.expect("the program answers");
        match answer.status() {
            StatusCode::OK => return,
            other => assert_eq!(other, StatusCode::SERVICE_UNAVAILABLE),
        }
        let waited = began_at.elapsed();
        assert!(waited < PATIENCE, "nothing goes on: {}", scene.last_words());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The first message that is told to come again.
async fn refused(scene: &Scene) -> Letter {
    let began_at = Instant::now();
    loop {
        let letter = scene.letter(&scene.customer(), 1, Errand::Nothing);
        let answer = scene.post(&letter).await.expect("the program answers");
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::SERVICE_UNAVAILABLE => {
                assert!(answer.headers().contains_key(RETRY_AFTER));
                return letter;
            }
            other => panic!("{other}"),
        }
        assert!(began_at.elapsed() < PATIENCE, "everything is acknowledged");
    }
}

async fn fill_and_clear(times: usize) {
    let scene = Scene::set(Database::sqlite().await).await;
    let seed = scene.seed();
    say(&format!("seed {seed}, {times} full disks"));
    let mut chance = Chance::from_seed(seed);
    let disk = Disk::with(&scene).await;
    let crowd = scene.crowd(WRITERS, &mut chance);
    for time in 0..times {
        let errands = [Errand::Remind, Errand::Ask, Errand::Nothing];
        scene.want(errands[time % errands.len()]);
        tokio::time::sleep(ROOM).await;
        // Once in a while not even a line of the log is written.
        match time % 2 {
            0 => disk.fill(chance.between(0, LEFT_BYTES)),
            _ => disk.limit("0"),
        }
        let letter = refused(&scene).await;
        let before_mb = disk.program.memory_mb();
        tokio::time::sleep(NO_ROOM).await;
        let asked = scene.ask("/api/v1/locations").await;
        let asked = asked.expect("the program answers").status();
        assert_eq!(asked, StatusCode::OK, "what is stored can be read");
        let after_mb = disk.program.memory_mb();
        assert!(
            after_mb <= before_mb + MORE_MB,
            "memory grew from {before_mb} to {after_mb} MB"
        );
        disk.clear();
        acknowledged(&scene, &letter).await;
    }
    scene.heal(crowd).await;
    kept(&scene, seed).await;
    let log = std::fs::metadata(scene.log()).expect("a log").len();
    say(&format!("{log} bytes logged"));
    let allowed = LOGGED_BYTES * u64::try_from(times).expect("a number");
    assert!(log <= allowed, "{log} bytes logged");
    disk.program.kill();
}

/// The promise is kept.
async fn kept(scene: &Scene, seed: u64) {
    let found = scene.breaches().await;
    assert!(found.is_empty(), "seed {seed}: {found:#?}");
    say(&format!("{} acknowledged", scene.acknowledged().len()));
}

/// Another process keeps everybody from writing for a while, by `lock`.
async fn lock_and_release(database: Database, lock: &str) {
    let scene = Scene::set(database).await;
    let seed = scene.seed();
    say(&format!("seed {seed}"));
    let mut chance = Chance::from_seed(seed);
    let program = scene.start().await;
    let crowd = scene.crowd(WRITERS, &mut chance);
    tokio::time::sleep(ROOM).await;
    let mut options = ConnectOptions::new(&scene.database.url);
    options.max_connections(1);
    let other = Connections::connect(options).await.expect("it opens");
    other.execute_unprepared(lock).await.expect("it is locked");
    let locked_at = Instant::now();
    let letter = refused(&scene).await;
    say(&format!("refused after {:?}", locked_at.elapsed()));
    tokio::time::sleep(LOCKED).await;
    let asked = scene.ask("/api/v1/locations").await;
    let asked = asked.expect("the program answers").status();
    assert_eq!(asked, StatusCode::OK, "what is stored can be read");
    let released = other.execute_unprepared("ROLLBACK").await;
    released.expect("it is released");
    acknowledged(&scene, &letter).await;
    scene.heal(crowd).await;
    kept(&scene, seed).await;
    program.kill();
}

mod heavy {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_disk_is_answered_by_503_and_gone_on_from() {
        fill_and_clear(often("REJOINDER_FULL_DISKS", FULL_DISKS)).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_lock_of_another_process_is_answered_by_503_and_gone_on_from_on_sqlite() {
        lock_and_release(Database::sqlite().await, "BEGIN EXCLUSIVE").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_lock_of_another_process_is_answered_by_503_and_gone_on_from_on_postgres() {
        let lock = "BEGIN; LOCK TABLE rejoinder_event IN SHARE ROW EXCLUSIVE MODE";
        lock_and_release(Database::postgres().await, lock).await;
    }
}
