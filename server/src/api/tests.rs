//! What came of a rule's tests, in the API and on the command line.

use rejoinder_engine::simulate::{Failure, Mistake, Report, TestReport};
use serde::Serialize;

/// What came of a rule's tests.
#[derive(Serialize)]
pub(crate) struct ReportJson {
    passed: bool,
    /// Why nothing could be run.
    mistakes: Vec<MistakeJson>,
    tests: Vec<TestJson>,
}

#[derive(Serialize)]
struct MistakeJson {
    file: String,
    message: String,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct TestJson {
    name: String,
    passed: bool,
    took_ms: u64,
    printed: Vec<String>,
    failure: Option<FailureJson>,
}

#[derive(Serialize)]
struct FailureJson {
    file: String,
    line: u32,
    column: u32,
    message: String,
    expected: Option<String>,
    received: Option<String>,
    /// What happened up to there, one line after the other.
    story: Vec<String>,
}

impl From<&Report> for ReportJson {
    fn from(report: &Report) -> Self {
        Self {
            passed: report.passed(),
            mistakes: report.mistakes.iter().map(MistakeJson::from).collect(),
            tests: report.tests.iter().map(TestJson::from).collect(),
        }
    }
}

impl From<&Mistake> for MistakeJson {
    fn from(mistake: &Mistake) -> Self {
        Self {
            file: mistake.file.clone(),
            message: mistake.diagnostic.message.clone(),
            line: mistake.diagnostic.line,
            column: mistake.diagnostic.column,
        }
    }
}

impl From<&TestReport> for TestJson {
    fn from(test: &TestReport) -> Self {
        Self {
            name: test.name.clone(),
            passed: test.passed(),
            took_ms: u64::try_from(test.took.as_millis()).unwrap_or(u64::MAX),
            printed: test.printed.clone(),
            failure: test.failure.as_ref().map(FailureJson::from),
        }
    }
}

impl From<&Failure> for FailureJson {
    fn from(failure: &Failure) -> Self {
        Self {
            file: failure.file.clone(),
            line: failure.line,
            column: failure.column,
            message: failure.message.clone(),
            expected: failure.expected.clone(),
            received: failure.received.clone(),
            story: failure.story.lines().map(str::to_owned).collect(),
        }
    }
}
