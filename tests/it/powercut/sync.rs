//! No webhook is answered 200 before the log that holds it is synced, seen from the system calls of the
//! real program. Knows nothing of the engine.

use std::path::Path;
use std::process::Command;

use rejoinder_engine::Mutant;

use super::shim::{Heeds, Line, Part, Shim};
use crate::database::Database;
use crate::scene::{Errand, Program, Scene};

/// Webhooks one after the other, and then at once.
const SEQUENTIAL: usize = 20;
const CONCURRENT: usize = 64;

/// Lets webhooks in, and gives those that were answered before they were synced.
async fn premature(program: impl Fn(&Scene) -> Command) -> Vec<String> {
    let scene = Scene::set(Database::sqlite().await).await;
    let shim = Shim::in_folder(scene.folder.path());
    let database = scene.file().canonicalize().expect("it is there");
    let mut command = program(&scene);
    shim.follow(&mut command, Path::new(&database), Heeds::FilesAndSockets);
    let mut program = Program::start(command);
    assert!(scene.ready(&mut program).await, "{}", scene.last_words());
    let mut ids = Vec::new();
    for _ in 0..SEQUENTIAL {
        let customer = scene.customer();
        ids.push(scene.say(&customer, 1, Errand::Nothing).await);
    }
    let crowd = (0..CONCURRENT).map(|_| async {
        let customer = scene.customer();
        scene.say(&customer, 1, Errand::Nothing).await
    });
    ids.extend(futures_util::future::join_all(crowd).await);
    program.kill();
    let lines = shim.lines();
    let premature = ids.iter().filter_map(|id| answered_early(&lines, id));
    premature.collect()
}

/// What is wrong with the order of things for one webhook.
fn answered_early(lines: &[Line], id: &str) -> Option<String> {
    let id_bytes = id.as_bytes();
    let came = lines.iter().enumerate().find_map(|(at, line)| match line {
        Line::Received { socket, data } if holds(data, id_bytes) => Some((at, *socket)),
        _ => None,
    });
    let Some((came_at, socket)) = came else {
        return Some(format!("{id} was not seen to come"));
    };
    let answered = lines[came_at..].iter().position(|line| {
        matches!(line, Line::Sent { socket: to, data }
            if *to == socket && data.starts_with(b"HTTP/1.1 200"))
    });
    let Some(answered_at) = answered.map(|at| came_at + at) else {
        return Some(format!("{id} was not seen to be answered"));
    };
    let between = &lines[came_at..answered_at];
    let written = between.iter().position(
        |line| matches!(line, Line::Written { part: Part::Wal, data, .. } if holds(data, id_bytes)),
    );
    let Some(written_at) = written else {
        return Some(format!("{id} was answered before it was written"));
    };
    let is_synced = between[written_at..].iter().any(|line| match line {
        Line::SyncBegan {
            part: Part::Wal,
            nth,
        } => between
            .iter()
            .any(|line| matches!(line, Line::SyncEnded { nth: ended, .. } if ended == nth)),
        _ => false,
    });
    (!is_synced).then(|| format!("{id} was answered before it was synced"))
}

fn holds(data: &[u8], word: &[u8]) -> bool {
    data.windows(word.len()).any(|window| window == word)
}

mod heavy {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_webhook_is_answered_before_it_is_synced() {
        let found = premature(Scene::program).await;
        assert!(found.is_empty(), "{found:#?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_answer_before_the_sync_would_be_noticed() {
        for mutant in [Mutant::EarlyAcknowledgement, Mutant::LazySync] {
            let found = premature(|scene| {
                let mut command = scene.mistaken();
                command.env("TEST_MUTANT", format!("{mutant:?}"));
                command
            });
            let found = found.await;
            assert!(!found.is_empty(), "nobody noticed {mutant:?}");
        }
    }
}
