//! The rules of `scripts/`, each played as a conversation: `tests/scripts/<rule>.txt` holds what is said
//! and, behind arrows, what follows. A rule without a conversation fails; `UPDATE=1` writes what follows
//! anew, and the difference is to be read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rejoinder_adapters::simulator::meta as face;
use rejoinder_engine::domain::ids::EventId;
use rejoinder_engine::domain::run::Outcome;
use rejoinder_engine::domain::time::Span;

use crate::database::Database;
use crate::world::{ADA, World, words};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn rules() -> Vec<PathBuf> {
    let files = fs::read_dir(folder("../scripts"))
        .expect("the folder")
        .map(|entry| entry.expect("a file").path());
    let mut rules: Vec<PathBuf> = files
        .filter(|path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            name.ends_with(".rhai") && !name.ends_with(".test.rhai") && !name.ends_with(".d.rhai")
        })
        .collect();
    rules.sort();
    rules
}

#[tokio::test]
async fn every_rule_does_what_its_conversation_says() {
    #[expect(clippy::disallowed_methods, reason = "the test's own switch")]
    let update = std::env::var("UPDATE").is_ok();
    let rules = rules();
    assert!(!rules.is_empty(), "no rules");
    for rule in rules {
        let name = rule
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a name")
            .to_owned();
        let path = folder("scripts").join(format!("{name}.txt"));
        let told = fs::read_to_string(&path).unwrap_or_else(|_| {
            panic!("{name}.rhai has no conversation: write {}", path.display())
        });
        let played = play(&fs::read_to_string(&rule).expect("the rule"), &told).await;
        if update {
            fs::write(&path, played).expect("written");
        } else {
            assert_eq!(
                played, told,
                "{name}.rhai plays differently; if that is right, run with UPDATE=1"
            );
        }
    }
}

/// The conversation with what really follows each line.
async fn play(source: &str, told: &str) -> String {
    let world = World::on(Database::sqlite().await).await;
    world.rule(source).await;
    let mut seen = Seen::default();
    let mut played = String::new();
    for line in told
        .lines()
        .filter(|line| !line.starts_with("→ ") && !line.starts_with("· "))
    {
        played.push_str(line);
        played.push('\n');
        act(&world, line).await;
        seen.news(&world, &mut played).await;
    }
    played
}

async fn act(world: &World, line: &str) {
    if line.is_empty() || line.starts_with('#') {
        return;
    }
    if let Some(text) = line.strip_prefix("Ada: ") {
        world.hears(ADA, text).await;
    } else if let Some(text) = line.strip_prefix("Owner: ") {
        world.owner_says(ADA, text).await;
    } else if let Some(span) = line.strip_prefix("wait ") {
        world.wait(Span::parse(span).expect("a span")).await;
    } else if let Some(title) = line.strip_prefix("Ada taps ") {
        let received = world.received(ADA);
        let mut buttons = received
            .iter()
            .rev()
            .flat_map(|message| &message.summary.buttons);
        let button = buttons
            .find(|button| button.title == title)
            .unwrap_or_else(|| panic!("no button {title}"));
        let body = world.arrival(ADA, |number, arrival| {
            face::button_tap(number, arrival, &button.id, &button.title)
        });
        world.accept(&body).await.expect("accepted");
        world.settle().await;
    } else {
        panic!("'{line}': write 'Ada: …', 'Ada taps …', 'Owner: …', 'wait 2d' or '# …'");
    }
}

/// What has been shown already.
#[derive(Default)]
struct Seen {
    messages: usize,
    events: BTreeSet<EventId>,
}

impl Seen {
    async fn news(&mut self, world: &World, played: &mut String) {
        let received = world.received(ADA);
        for message in &received[self.messages..] {
            played.push_str(&format!("→ {}\n", words(message).replace('\n', "\n→ ")));
            for button in &message.summary.buttons {
                played.push_str(&format!("→ [{}]\n", button.title));
            }
        }
        self.messages = received.len();
        for row in world.events().await {
            if !self.events.insert(row.event.id) {
                continue;
            }
            for run in world
                .engine
                .store()
                .of(world.location_id)
                .runs(row.event.id)
                .await
                .expect("runs")
            {
                if let Outcome::Error {
                    message,
                    line,
                    column,
                } = &run.run.outcome
                {
                    panic!("{line}:{column}: {message}");
                }
                for line in &run.run.trace {
                    played.push_str(&format!("· {}\n", line.text));
                }
            }
        }
    }
}
