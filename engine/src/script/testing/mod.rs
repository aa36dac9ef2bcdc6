//! The language of tests: functions named `test_…` that say what customers do and what they receive.
//! Knows no engine: what is done and seen goes through a [`Stage`].

#![expect(
    clippy::needless_pass_by_value,
    reason = "Rhai hands arguments over by value"
)]

mod answers;
mod compile;
mod content;
mod customer;
mod endpoint;
mod expect;
mod play;
mod received;
mod report;
mod seen;
pub(crate) mod stage;
pub mod words;
mod world;

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use rhai::Engine;

pub use self::answers::choices;
use self::compile::Compiled;
pub use self::content::media;
pub(in crate::script) use self::play::Play;
pub use self::report::{Failure, Mistake, Report, TestReport};
pub use self::stage::{CustomerKey, Heard, Person, Said};
pub(crate) use self::stage::{Happening, Place, RuleError, Stage, Told, View};
use super::Diagnostic;
use super::api::registrar::Api;
use super::catalog::Catalog;
use crate::domain::local;
use crate::domain::time::Timestamp;

/// A moment on the location's clocks as tests write it: `2026-12-24 18:00`.
pub fn read_moment(text: &str, zone: Tz) -> Option<Timestamp> {
    let shown = super::api::time::read_time(text).ok()?;
    Some(local::first(shown, zone))
}

/// Compiles and plays tests. Built once and shared: cloning it costs one reference count.
#[derive(Clone)]
pub struct TestHost(Arc<Engine>);

impl TestHost {
    /// The language of tests.
    pub fn new() -> Self {
        Self(Arc::new(super::language::build_for_tests()))
    }

    /// Compiles and checks tests.
    pub(crate) fn compile(&self, source: &str) -> Result<TestScript, Vec<Diagnostic>> {
        let compiled = compile::compile(&self.0, source)?;
        Ok(TestScript(Arc::new(compiled)))
    }

    /// Plays one test on a stage, for as long as `most` at most.
    pub(crate) fn play(
        &self,
        script: &TestScript,
        test: &str,
        stage: Arc<dyn Stage>,
        most: Duration,
    ) -> Played {
        play::play(&self.0, &script.0, test, stage, most)
    }
}

impl Default for TestHost {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for TestHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestHost")
    }
}

/// Compiled tests; cloning them costs one reference count.
#[derive(Clone)]
pub(crate) struct TestScript(Arc<Compiled>);

impl TestScript {
    /// The names of the tests, in the order written.
    pub(crate) fn tests(&self) -> impl Iterator<Item = &str> {
        self.0.tests()
    }
}

/// What came of a test.
pub(crate) struct Played {
    /// Why it failed, if it did.
    pub(crate) failed: Option<Failed>,
    /// What it printed.
    pub(crate) printed: Vec<String>,
}

/// Why a test failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// In which script.
    pub(crate) at: FailedIn,
    /// Line in it, from 1; 0 if unknown.
    pub(crate) line: u32,
    /// Column in the line, from 1; 0 if unknown.
    pub(crate) column: u32,
    /// What went wrong.
    pub(crate) message: String,
    /// What was expected, marked where it parts from what was received.
    pub(crate) expected: Option<String>,
    /// What was received instead.
    pub(crate) received: Option<String>,
}

/// In which script a test failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FailedIn {
    /// In the test itself.
    Test,
    /// In a rule, by its name.
    Rule(String),
}

/// What tests can write besides content, templates, times and texts, in the order of the reference.
pub(in crate::script) fn register(api: &mut Api<'_>) {
    world::register(api);
    customer::register(api);
    seen::register(api);
    received::register(api);
    content::register(api);
    endpoint::register(api);
}

/// The catalog of what tests can write.
pub(in crate::script) fn catalog() -> Catalog {
    let mut engine = Engine::new_raw();
    let mut api = Api::new(&mut engine);
    super::api::register_for_tests(&mut api);
    register(&mut api);
    api.finish()
}
