//! The program `rejoinder`, built so that tests can make it fail: its environment names a deliberate mistake
//! (`TEST_MUTANT`) and failpoints (`TEST_FAILPOINTS`). Knows nothing of what either does.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;

use rejoinder_engine::{Action, Failpoint, Mutant, Point};

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(name) = said("TEST_MUTANT") {
        let mut mutants = Mutant::ALL.into_iter();
        let mutant = mutants.find(|mutant| format!("{mutant:?}") == name);
        mutant.expect("a mutant of that name").let_loose();
    }
    for text in said("TEST_FAILPOINTS").unwrap_or_default().split(',') {
        if !text.is_empty() {
            failpoint(text)
                .expect("failpoints are written point:action:nth")
                .set();
        }
    }
    rejoinder_server::cli::main().await
}

/// `deliver.sent:abort:2` is the second passing of that place.
fn failpoint(text: &str) -> Option<Failpoint> {
    let mut parts = text.split(':');
    let (point, action, nth) = (parts.next()?, parts.next()?, parts.next()?);
    let mut points = Point::ALL.iter();
    let mut actions = Action::ALL.iter();
    Some(Failpoint {
        point: *points.find(|known| known.name() == point)?,
        action: *actions.find(|known| known.name() == action)?,
        nth: nth.parse().ok()?,
        told: tell,
    })
}

/// Whoever set a failpoint waits for its name in a file.
fn tell(point: Point) {
    let Some(path) = said("TEST_REACHED") else {
        return;
    };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let told = file.and_then(|mut file| writeln!(file, "{}", point.name()));
    told.expect("the test's folder can be written");
}

fn said(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "settings of the test")]
    std::env::var(name).ok()
}
