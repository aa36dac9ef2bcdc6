//! Why a command was not done, as one line for the person who gave it.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use rejoinder_engine::Problem;
use rejoinder_engine::script::{Diagnostic, Severity};

use crate::out;

/// The command was not given rightly, as with options that clap refuses.
const USAGE: u8 = 2;

/// One line that ends with what to do.
#[derive(Debug)]
pub(super) struct Failure {
    sentence: String,
    status: u8,
}

impl Failure {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            status: 1,
        }
    }

    /// The command was not given rightly.
    pub(super) fn usage(sentence: impl Into<String>) -> Self {
        Self {
            status: USAGE,
            ..Self::new(sentence)
        }
    }

    /// What the process ends with.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status)
    }

    /// There is no such thing; `list` is the command that shows what there is.
    pub(super) fn missing(what: &str, name: &str, list: &str) -> Self {
        Self::new(format!(
            "there is no {what} '{name}'; `rejoinder {list}` shows what there is"
        ))
    }

    /// The demo's failure, with its causes.
    pub(super) fn of_demo(error: &anyhow::Error) -> Self {
        Self::new(one_line(&format!("{error:#}")))
    }

    /// A problem with a script of that name: each mistake on a line, as editors understand it.
    pub(super) fn of_script(file: &str, problem: Problem) -> Self {
        match problem {
            Problem::Script(diagnostics) => {
                for diagnostic in &diagnostics {
                    out::note(&out::diagnostic(file, diagnostic));
                }
                let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
                Self::new(format!(
                    "{file} has {} mistake(s); correct them and try again",
                    diagnostics.iter().filter(is_error).count()
                ))
            }
            Problem::Tests(report) => {
                for mistake in &report.mistakes {
                    crate::out::note(&mistake.to_string());
                }
                for failure in report.tests.iter().filter_map(|test| test.failure.as_ref()) {
                    crate::out::note(&format!("{failure}\n"));
                }
                Self::new(format!("{file} stays a draft: {}", report.summary()))
            }
            other => other.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut sentence = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_sentence = cause.to_string();
            // Some errors from outside repeat their cause.
            if !sentence.contains(&cause_sentence) {
                sentence = format!("{sentence}: {cause_sentence}");
            }
            source = cause.source();
        }
        Self::new(one_line(&sentence))
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
