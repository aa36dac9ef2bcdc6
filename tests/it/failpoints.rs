//! The real program at every failpoint: there it ends, meets an error, or is held up, and the promise holds.
//! `REJOINDER_ROUNDS=50 tests/run --fast failpoints` goes through all of them more often, at other passings.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rejoinder_engine::domain::time::Span;
use rejoinder_engine::store::Store;
use rejoinder_engine::{Action, Failpoint, Mutant, Point, Shown};

use crate::chance::Chance;
use crate::checker::Watch;
use crate::database::{Database, on_both};
use crate::effort::{often, say};
use crate::scene::{Errand, Program, Scene};
use crate::world::{ADA, World};

/// How often all failpoints are gone through where nobody says otherwise.
const ROUNDS: usize = 1;
/// Customers who write at the same time.
const WRITERS: usize = 4;
/// How long it may take until a place is reached.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the program goes on after an error, and after it was held up for two seconds.
const AFTER_ERROR: Duration = Duration::from_millis(200);
const AFTER_STALL: Duration = Duration::from_millis(2_200);
/// Customers want now what this place needs, now what that one does, for so many glances each.
const GLANCES_EACH: usize = 20;
/// Places that hold up one life of the program.
const STALLS: usize = 9;
/// Deaths in which a deliberate mistake must show.
const DEATHS_FOR_A_MUTANT: usize = 20;

/// The number of a signal, as Linux has it.
const SIGABRT: i32 = 6;

/// What customers must want for a place to be reached.
const fn wants(point: Point) -> Errand {
    match point {
        Point::FireDue | Point::FireFired => Errand::Remind,
        Point::FanoutDue | Point::FanoutTurned => Errand::Visit,
        Point::RequestDue | Point::RequestAnswered | Point::RequestWritten => Errand::Ask,
        _ => Errand::Nothing,
    }
}

/// Where the life before must have ended for a place to be reached.
const fn follows(point: Point) -> Option<Point> {
    match point {
        // An event is suspect if it was there when the process began.
        Point::DecideCounted => Some(Point::DecideDecided),
        Point::ResumeOrphaned => Some(Point::DeliverIntended),
        Point::DoubtEnds | Point::DoubtEnded => Some(Point::DeliverSent),
        _ => None,
    }
}

/// At which passing it happens: what every message passes is passed often.
fn nth(point: Point, chance: &mut Chance) -> u64 {
    let is_common = matches!(
        point,
        Point::WriterBegins
            | Point::WriterApplied
            | Point::WriterCommitted
            | Point::AcceptVerified
            | Point::AcceptRecorded
            | Point::DecideDecided
            | Point::DecideCommitted
            | Point::DeliverIntended
            | Point::DeliverSent
            | Point::DeliverSettled
    );
    if is_common { chance.between(1, 8) } else { 1 }
}

/// Lives of one program, each with failpoints of its own.
struct Lives {
    scene: Arc<Scene>,
    store: Store,
    watch: Watch,
    chance: Chance,
    found: Vec<String>,
}

impl Lives {
    async fn of(scene: Arc<Scene>, chance: Chance) -> Self {
        let store = Store::open(&scene.database.url).await.expect("it opens");
        Self {
            scene,
            store,
            watch: Watch::default(),
            chance,
            found: Vec::new(),
        }
    }

    /// Sees that each place is reached, after whatever it takes.
    async fn visit(&mut self, points: &[Point], action: Action) {
        let mut before: Vec<Point> = points.iter().filter_map(|point| follows(*point)).collect();
        before.dedup();
        for point in before {
            self.live(&[point], Action::Abort).await;
        }
        self.live(points, action).await;
    }

    /// A life of the program with failpoints, all of which must be reached.
    async fn live(&mut self, points: &[Point], action: Action) {
        let scene = &self.scene;
        scene.want(wants(points[0]));
        let reached = reached(scene);
        let _ = std::fs::remove_file(&reached);
        let set = points.iter().map(|point| {
            let nth = nth(*point, &mut self.chance);
            format!("{}:{}:{nth}", point.name(), action.name())
        });
        let set: Vec<String> = set.collect();
        let mut command = scene.mistaken();
        command
            .env("TEST_FAILPOINTS", set.join(","))
            .env("TEST_REACHED", &reached);
        let mut program = Program::start(command);
        let is_ready = scene.ready(&mut program).await;
        if is_ready
            && points
                .iter()
                .any(|point| follows(*point) == Some(Point::DeliverSent))
        {
            // Evidence is what ends the wait.
            scene.tell_of_doubts(&self.store).await;
        }
        let began_at = Instant::now();
        let turns = points.iter().cycle();
        for (glance, point) in turns.flat_map(|point| [point; GLANCES_EACH]).enumerate() {
            if glance % GLANCES_EACH == 0 {
                scene.want(wants(*point));
            }
            let told = std::fs::read_to_string(&reached).unwrap_or_default();
            let mut missing = points.iter();
            let missing = missing.find(|point| !told.lines().any(|line| line == point.name()));
            let Some(missing) = missing else { break };
            let ended = program.ended();
            assert!(
                ended.is_none() && began_at.elapsed() < PATIENCE,
                "{} is not reached ({set:?}, {ended:?}): {}",
                missing.name(),
                scene.last_words()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        match action {
            Action::Abort => self.ends(&mut program).await,
            Action::Error => tokio::time::sleep(AFTER_ERROR).await,
            Action::Stall => tokio::time::sleep(AFTER_STALL).await,
        }
        program.kill();
        let seen = self.watch.look(&self.store, self.scene.location_id).await;
        self.found.extend(seen);
    }

    async fn ends(&self, program: &mut Program) {
        let began_at = Instant::now();
        while began_at.elapsed() < PATIENCE {
            if let Some(status) = program.ended() {
                assert_eq!(status.signal(), Some(SIGABRT), "{status}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the program goes on");
    }
}

fn reached(scene: &Scene) -> PathBuf {
    scene.folder.path().join("reached")
}

async fn go_through(database: Database, rounds: usize) {
    let scene = Scene::set(database).await;
    let seed = scene.seed();
    say(&format!("seed {seed}, {rounds} rounds"));
    let mut chance = Chance::from_seed(seed);
    let crowd = scene.crowd(WRITERS, &mut chance);
    let mut lives = Lives::of(Arc::clone(&scene), chance).await;
    for _ in 0..rounds {
        for action in [Action::Abort, Action::Error] {
            for point in Point::ALL {
                lives.visit(&[*point], action).await;
            }
        }
        // Being held up takes long, and several places can be at once.
        for points in Point::ALL.chunks(STALLS) {
            lives.visit(points, Action::Stall).await;
        }
    }
    let program = scene.start().await;
    scene.want(Errand::Nothing);
    scene.heal(crowd).await;
    program.kill();
    let mut found = lives.found;
    found.extend(scene.breaches().await);
    assert!(found.is_empty(), "seed {seed}: {found:#?}");
    say(&format!("{} acknowledged", scene.acknowledged().len()));
}

/// Where the program must end for a mistake to show.
fn shows_at(mutant: Mutant) -> Point {
    match mutant {
        Mutant::EarlyAcknowledgement => Point::WriterApplied,
        Mutant::ForgetfulDedupe => Point::AcceptRecorded,
        Mutant::SendBeforeIntent | Mutant::OrphanIsReady => Point::DeliverSent,
        other => panic!("{other:?} shows by a crash: say where"),
    }
}

/// The program with the mistake ends at a bad moment, and goes on.
async fn breaches_of(mutant: Mutant) -> Vec<String> {
    let scene = Scene::set(Database::sqlite().await).await;
    let mut chance = Chance::from_seed(scene.seed());
    let crowd = scene.crowd(WRITERS, &mut chance);
    let point = shows_at(mutant);
    let mistaken = || {
        let mut command = scene.mistaken();
        command.env("TEST_MUTANT", format!("{mutant:?}"));
        command
    };
    let mut command = mistaken();
    let nth = chance.between(3, 20);
    command.env("TEST_FAILPOINTS", format!("{}:abort:{nth}", point.name()));
    let mut program = Program::start(command);
    scene.ready(&mut program).await;
    let began_at = Instant::now();
    while program.ended().is_none() {
        assert!(began_at.elapsed() < PATIENCE, "{point:?} is not reached");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut program = Program::start(mistaken());
    assert!(scene.ready(&mut program).await, "{}", scene.last_words());
    scene.heal(crowd).await;
    program.kill();
    scene.breaches().await
}

on_both! {
    async fn what_was_written_unheard_is_decided_before_what_came_after_it(world: World) {
        world.rule("fn on_message(chat, message) { chat.reply(message.text); }").await;
        let unheard = Failpoint {
            point: Point::WriterCommitted,
            action: Action::Error,
            nth: 1,
            told: drop,
        };
        unheard.set();
        let one = world.message(ADA, "one");
        let refused = world.accept(&one).await;
        assert!(refused.is_err(), "whether it was written is unknown");
        world.hears(ADA, "two").await;
        world.wait(Span::seconds(3)).await;
        // It comes again, as whatever is not acknowledged.
        let again = world.accept(&one).await.expect("it is known");
        assert_eq!(again.counts.duplicates, 1);
        world.settle().await;
        assert_eq!(world.heard(ADA), ["one", "two"]);
    }

    async fn whatever_was_written_unheard_is_sent_in_its_turn_and_is_not_in_doubt(world: World) {
        world.rule("fn on_message(chat, message) { chat.reply(message.text); }").await;
        let none = serde_json::json!({ "per_minute": 0, "per_hour": 0, "circles": false });
        world.configure(serde_json::json!({ "loop_guard": none })).await;
        world.engine.start().await.expect("it starts");
        let mut said = Vec::new();
        // Among what is written are a message, its decision, and what became of the answer.
        for nth in 1..=6 {
            let unheard = Failpoint {
                point: Point::WriterCommitted,
                action: Action::Error,
                nth,
                told: drop,
            };
            unheard.set();
            for _ in 0..3 {
                said.push(format!("message {}", said.len()));
                let body = world.message(ADA, &said[said.len() - 1]);
                while world.accept(&body).await.is_err() {}
            }
            // A doubt would last two minutes.
            for _ in 0..90 {
                if world.heard(ADA).len() == said.len() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                world.clock.advance(Span::seconds(1));
            }
            assert_eq!(world.heard(ADA), said);
        }
        world.engine.stop().await;
    }
}

mod heavy {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn wherever_it_fails_nothing_is_lost_or_doubled_on_sqlite() {
        let rounds = often("REJOINDER_ROUNDS", ROUNDS);
        go_through(Database::sqlite().await, rounds).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn wherever_it_fails_nothing_is_lost_or_doubled_on_postgres() {
        let rounds = often("REJOINDER_ROUNDS", ROUNDS);
        go_through(Database::postgres().await, rounds).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_mistake_that_a_crash_shows_is_caught() {
        for mutant in Mutant::shown(Shown::ByCrash) {
            let mut found = Vec::new();
            for _ in 0..DEATHS_FOR_A_MUTANT {
                found = breaches_of(mutant).await;
                if !found.is_empty() {
                    break;
                }
            }
            assert!(!found.is_empty(), "nobody noticed {mutant:?}");
            say(&format!("{mutant:?}: {}", found[0]));
        }
    }
}
