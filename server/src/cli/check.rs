//! `rejoinder check`: what is wrong with scripts in files. Needs no database and no configuration.

use std::path::{Path, PathBuf};

use clap::Args;
use rejoinder_engine::script::{Diagnostic, ScriptHost, Severity, Surroundings};
use serde::Serialize;

use super::{Failure, files, open};
use crate::out::{self, Format};
use crate::reply::DiagnosticJson;
use crate::surroundings::{self, SurroundingsError};

/// Say what is wrong with scripts in files, before anybody publishes them
#[derive(Args, Debug)]
pub(super) struct Check {
    /// Scripts, or folders with scripts [default: scripts, or else this folder]
    paths: Vec<PathBuf>,
    /// Fail on warnings as well
    #[arg(long)]
    strict: bool,
    /// The business whose templates, endpoints and vars the scripts name [default: location.toml beside them]
    #[arg(long, value_name = "FILE")]
    location: Option<PathBuf>,
}

/// A script and what is wrong with it.
struct Checked {
    file: String,
    source: String,
    diagnostics: Vec<Diagnostic>,
}

impl Check {
    pub(super) fn run(self, format: Format) -> Result<(), Failure> {
        let host = ScriptHost::new();
        let given = match &self.location {
            Some(file) => Some(
                surroundings::read(file)
                    .map_err(|error| unread(&error))?
                    .surroundings(),
            ),
            None => None,
        };
        let mut all = Vec::new();
        for path in files::scripts(&self.paths)? {
            let file = path.display().to_string();
            let source = open::read_file(&file)?;
            let diagnostics = if files::is_test(&path) {
                // What tests may call is not what rules may call; that they read is all we ask.
                host.compile(&source).err().unwrap_or_default()
            } else {
                let known = match &given {
                    Some(given) => given.clone(),
                    None => beside(&path)?,
                };
                host.check(&source, &known)
            };
            all.push(Checked {
                file,
                source,
                diagnostics,
            });
        }
        let errors = count(&all, Severity::Error);
        let warnings = count(&all, Severity::Warning);
        match format {
            Format::Json => format.one(&ChecksJson {
                errors,
                warnings,
                files: all.iter().map(CheckedJson::from).collect(),
            }),
            Format::Human => print(&all),
        }
        let told = summary(all.len(), errors, warnings);
        if errors > 0 || (self.strict && warnings > 0) {
            return Err(Failure::new(format!(
                "{told}; correct them and check again"
            )));
        }
        if format == Format::Human {
            out::line(&told);
        }
        Ok(())
    }
}

/// What the business beside a script offers by name; nothing is known where none is told.
fn beside(script: &Path) -> Result<Surroundings, Failure> {
    let folder = script.parent().unwrap_or(Path::new(""));
    if !folder.join(surroundings::FILE).is_file() {
        return Ok(Surroundings::default());
    }
    let business = surroundings::of_folder(folder).map_err(|error| unread(&error))?;
    Ok(business.surroundings())
}

fn unread(error: &SurroundingsError) -> Failure {
    Failure::usage(error.to_string())
}

fn count(all: &[Checked], severity: Severity) -> usize {
    let found = all.iter().flat_map(|checked| &checked.diagnostics);
    found.filter(|found| found.severity == severity).count()
}

fn print(all: &[Checked]) {
    for checked in all {
        for found in &checked.diagnostics {
            out::diagnostic_in(&checked.file, &checked.source, found);
        }
    }
}

fn summary(scripts: usize, errors: usize, warnings: usize) -> String {
    let number = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    };
    let scripts = number(scripts, "script");
    match (errors, warnings) {
        (0, 0) => format!("{scripts}: nothing to correct"),
        (errors, 0) => format!("{scripts}: {}", number(errors, "error")),
        (0, warnings) => format!("{scripts}: {}", number(warnings, "warning")),
        (errors, warnings) => format!(
            "{scripts}: {}, {}",
            number(errors, "error"),
            number(warnings, "warning")
        ),
    }
}

/// What was found in all files.
#[derive(Serialize)]
struct ChecksJson<'a> {
    errors: usize,
    warnings: usize,
    files: Vec<CheckedJson<'a>>,
}

#[derive(Serialize)]
struct CheckedJson<'a> {
    file: &'a str,
    diagnostics: Vec<DiagnosticJson<'a>>,
}

impl<'a> From<&'a Checked> for CheckedJson<'a> {
    fn from(checked: &'a Checked) -> Self {
        Self {
            file: &checked.file,
            diagnostics: checked
                .diagnostics
                .iter()
                .map(DiagnosticJson::from)
                .collect(),
        }
    }
}
