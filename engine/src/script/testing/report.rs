//! What came of tests, for people and for programs. Runs nothing.

use std::fmt;
use std::time::Duration;

use crate::script::Diagnostic;

/// What came of a rule's tests.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Why nothing could be run: mistakes in the rule or in its tests.
    pub mistakes: Vec<Mistake>,
    /// What came of each test, in the order written.
    pub tests: Vec<TestReport>,
}

impl Report {
    /// What came of them, in one line: `2 of 7 tests failed; the first: …`.
    pub fn summary(&self) -> String {
        if let Some(first) = self.mistakes.first() {
            let mistakes = self.mistakes.len();
            return format!(
                "the tests could not be run: {mistakes} mistake(s); the first: {first}"
            );
        }
        let failed: Vec<&TestReport> = self.tests.iter().filter(|test| !test.passed()).collect();
        let all = self.tests.len();
        let Some(failure) = failed.first().and_then(|test| test.failure.as_ref()) else {
            return format!("all {all} tests passed");
        };
        let Failure {
            file,
            line,
            column,
            message,
            ..
        } = failure;
        let count = failed.len();
        format!("{count} of {all} tests failed; the first: {file}:{line}:{column}: {message}")
    }

    /// Whether all is well.
    pub fn passed(&self) -> bool {
        self.mistakes.is_empty() && self.tests.iter().all(TestReport::passed)
    }
}

/// Something wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Which script.
    pub file: String,
    /// What, and where.
    pub diagnostic: Diagnostic,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.diagnostic)
    }
}

/// What came of one test.
#[derive(Clone, Debug)]
pub struct TestReport {
    /// The name of its function.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// What it printed.
    pub printed: Vec<String>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

impl TestReport {
    /// Whether it passed.
    pub const fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// Why a test failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The script that failed: the tests, or a rule.
    pub file: String,
    /// Line in it, from 1; 0 if unknown.
    pub line: u32,
    /// Column in the line, from 1; 0 if unknown.
    pub column: u32,
    /// What went wrong.
    pub message: String,
    /// What the test expected, with the place marked where the two part.
    pub expected: Option<String>,
    /// What there was instead.
    pub received: Option<String>,
    /// What happened up to there: messages, and why rules did or did not act.
    pub story: String,
}

/// As a person reads it, on several lines.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
            ..
        } = self;
        write!(f, "{file}:{line}:{column}: {message}")?;
        if let Some(expected) = &self.expected {
            write!(f, "\n  expected: {expected}")?;
        }
        if let Some(received) = &self.received {
            write!(f, "\n  received: {received}")?;
        }
        if !self.story.is_empty() {
            write!(f, "\n  what happened:")?;
            for line in self.story.lines() {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}
