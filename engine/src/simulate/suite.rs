//! The tests of one rule, made ready and run one by one, each in a world of its own.
//! Knows neither where rules and tests are kept nor who reads the report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::business::{Business, Workshop};
use super::repeat::STACK_BYTES;
use super::stage::LazyWorld;
use crate::script::testing::{FailedIn, Failure, Mistake, Played, Report, TestReport, TestScript};
use crate::script::{Severity, Surroundings};

/// How long a test may take: far more than any needs, and little enough for a server that runs it.
const MAX_TIME: Duration = Duration::from_secs(10);
/// How long the tests of a rule may take together where a server runs them.
const MAX_TIME_TOGETHER: Duration = Duration::from_secs(60);

/// A script and what people call it.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it stands in front of line and column: `price.rhai`.
    pub name: String,
    /// The script.
    pub text: String,
}

/// Finds the rules that a test puts beside its own, by name.
pub type Beside = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The tests of one rule and what they run in. Cheap to clone.
#[derive(Clone)]
pub struct Suite {
    pub(super) workshop: Workshop,
    pub(super) business: Arc<Business>,
    pub(super) rule: Arc<Source>,
    pub(super) beside: Beside,
    tests: Arc<Source>,
    script: TestScript,
}

impl Suite {
    /// Makes the tests of a rule ready.
    ///
    /// # Errors
    /// The rule or its tests have mistakes.
    pub fn new(
        workshop: &Workshop,
        business: Business,
        rule: Source,
        tests: Source,
        beside: Beside,
    ) -> Result<Self, Vec<Mistake>> {
        let mistakes = |file: &str, diagnostics: Vec<crate::script::Diagnostic>| {
            let diagnostics = diagnostics.into_iter();
            let mistakes = diagnostics.map(|diagnostic| Mistake {
                file: file.to_owned(),
                diagnostic,
            });
            mistakes.collect::<Vec<_>>()
        };
        // A test may add vars and endpoints; everything else is as it is when the rule is published.
        let known = Surroundings {
            vars: None,
            endpoints: None,
            ..business.surroundings()
        };
        let mut checked = workshop.scripts.check(&rule.text, &known);
        checked.retain(|found| found.severity == Severity::Error);
        let mut found = mistakes(&rule.name, checked);
        match workshop.tests.compile(&tests.text) {
            Ok(script) if found.is_empty() => Ok(Self {
                workshop: workshop.clone(),
                business: Arc::new(business),
                rule: Arc::new(rule),
                beside,
                tests: Arc::new(tests),
                script,
            }),
            Ok(_) => Err(found),
            Err(others) => {
                found.extend(mistakes(&tests.name, others));
                Err(found)
            }
        }
    }

    /// The names of the tests, in the order written.
    pub fn tests(&self) -> impl Iterator<Item = &str> {
        self.script.tests()
    }

    /// Runs all tests one after the other; those for which no time is left fail unseen.
    pub fn run_all(&self) -> Report {
        let began_at = Instant::now();
        let tests = self.tests().map(|test| {
            if began_at.elapsed() < MAX_TIME_TOGETHER {
                self.run(test)
            } else {
                let late = "there was no time left: the tests of a rule may take a minute together";
                self.broken(test, late.to_owned())
            }
        });
        Report {
            mistakes: Vec::new(),
            tests: tests.collect(),
        }
    }

    /// Runs one test, on a thread of its own, and waits for it.
    pub fn run(&self, test: &str) -> TestReport {
        let (suite, name) = (self.clone(), test.to_owned());
        let thread = std::thread::Builder::new()
            .name("test".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || suite.run_here(&name));
        let run = thread.map_err(|error| format!("a thread for the test is missing: {error}"));
        let report = run.and_then(|thread| {
            let broken = |_| "the simulation failed at this test; please report it".to_owned();
            thread.join().map_err(broken)
        });
        report.unwrap_or_else(|problem| self.broken(test, problem))
    }

    fn run_here(&self, test: &str) -> TestReport {
        let began_at = Instant::now();
        let opened = LazyWorld::new(self.clone(), began_at + MAX_TIME);
        let (world, _ids) = match opened {
            Ok(opened) => opened,
            Err(problem) => return self.broken(test, problem),
        };
        let world = Arc::new(world);
        let Played { failed, printed } =
            self.workshop
                .tests
                .play(&self.script, test, world.clone(), MAX_TIME);
        let failure = failed.map(|failed| Failure {
            file: match failed.at {
                FailedIn::Test => self.tests.name.clone(),
                FailedIn::Rule(name) => name,
            },
            line: failed.line,
            column: failed.column,
            message: failed.message,
            expected: failed.expected,
            received: failed.received,
            story: world.tell(),
        });
        TestReport {
            name: test.to_owned(),
            took: began_at.elapsed(),
            printed,
            failure,
        }
    }

    fn broken(&self, test: &str, problem: String) -> TestReport {
        TestReport {
            name: test.to_owned(),
            took: Duration::ZERO,
            printed: Vec::new(),
            failure: Some(Failure {
                file: self.tests.name.clone(),
                line: 0,
                column: 0,
                message: problem,
                expected: None,
                received: None,
                story: String::new(),
            }),
        }
    }
}
