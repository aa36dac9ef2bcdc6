//! `rejoinder test`: the tests of scripts in files, without a database, a configuration or a network.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use rejoinder_engine::simulate::{Business, Report, Source, Suite, TestReport, Workshop};
use serde::Serialize;

use super::Failure;
use super::files::{self, TESTS};
use crate::api::tests::ReportJson;
use crate::out::{self, Format};
use crate::{surroundings, workshop};

/// Tests run at the same time.
const THREADS: usize = 2;

/// Run the tests of rules: price.test.rhai beside price.rhai
#[derive(Args, Debug)]
pub(super) struct Test {
    /// Scripts, and folders with scripts [default: scripts, or else this folder]
    paths: Vec<PathBuf>,
    /// Run only tests whose file or name has this in it
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// The business that the rules are of [default: location.toml beside them]
    #[arg(long, value_name = "FILE")]
    location: Option<PathBuf>,
}

impl Test {
    pub(super) async fn run(self, format: Format) -> Result<(), Failure> {
        let began_at = Instant::now();
        let rules = find(&self.paths)?;
        let workshop = workshop::workshop();
        let files = self.make_ready(&workshop, rules)?;
        let files = tokio::task::spawn_blocking(move || run_all(files)).await?;
        let tests = || files.iter().flat_map(|file| &file.report.tests);
        let failed = tests().filter(|test| !test.passed()).count()
            + files
                .iter()
                .filter(|file| !file.report.mistakes.is_empty())
                .count();
        match format {
            Format::Json => format.one(&FilesJson::from(files.as_slice())),
            Format::Human => print(&files, began_at.elapsed()),
        }
        if failed == 0 {
            Ok(())
        } else {
            Err(Failure::new(match failed {
                1 => "a test failed".to_owned(),
                many => format!("{many} tests failed"),
            }))
        }
    }

    fn make_ready(&self, workshop: &Workshop, rules: Vec<PathBuf>) -> Result<Vec<File>, Failure> {
        let given = self.location.as_deref().map(surroundings::read);
        let given = given
            .transpose()
            .map_err(|error| Failure::usage(error.to_string()))?;
        let mut folders: BTreeMap<PathBuf, Business> = BTreeMap::new();
        let mut files = Vec::new();
        for rule in rules {
            let folder = rule.parent().unwrap_or(Path::new("")).to_owned();
            let business = match (&given, folders.get(&folder)) {
                (Some(business), _) | (None, Some(business)) => business.clone(),
                (None, None) => {
                    let business = surroundings::of_folder(&folder);
                    let business = business.map_err(|error| Failure::usage(error.to_string()))?;
                    folders.insert(folder.clone(), business.clone());
                    business
                }
            };
            files.push(File::ready(
                workshop,
                business,
                &folder,
                &rule,
                self.filter.as_deref(),
            )?);
        }
        Ok(files)
    }
}

/// A rule with its tests, and what came of them.
struct File {
    rule: String,
    /// Absent: there are no tests, or they have mistakes.
    suite: Option<Suite>,
    has_tests: bool,
    tests: Vec<String>,
    report: Report,
}

impl File {
    fn ready(
        workshop: &Workshop,
        business: Business,
        folder: &Path,
        rule: &Path,
        filter: Option<&str>,
    ) -> Result<Self, Failure> {
        let name = rule.display().to_string();
        let tests = rule.with_extension("test.rhai");
        let mut file = Self {
            rule: name.clone(),
            suite: None,
            has_tests: tests.is_file(),
            tests: Vec::new(),
            report: Report::default(),
        };
        if !file.has_tests {
            return Ok(file);
        }
        let rule = Source {
            name: name.clone(),
            text: super::open::read_file(&name)?,
        };
        let tests_name = tests.display().to_string();
        let tests = Source {
            text: super::open::read_file(&tests_name)?,
            name: tests_name,
        };
        let folder = folder.to_owned();
        let beside = Arc::new(move |name: &str| {
            // A neighbour, and nothing further away.
            let is_neighbour = Path::new(name).file_name().is_some_and(|file| file == name);
            is_neighbour
                .then(|| fs::read_to_string(folder.join(name)).ok())
                .flatten()
        });
        match Suite::new(workshop, business, rule, tests, beside) {
            Err(mistakes) => file.report.mistakes = mistakes,
            Ok(suite) => {
                let wanted = |test: &&str| {
                    filter.is_none_or(|part| test.contains(part) || name.contains(part))
                };
                file.tests = suite.tests().filter(wanted).map(str::to_owned).collect();
                file.suite = Some(suite);
            }
        }
        Ok(file)
    }
}

/// The rules that the paths name, in alphabetical order.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let rules: Result<BTreeSet<PathBuf>, Failure> = files::scripts(paths)?
        .iter()
        .map(|script| rule_of(script))
        .collect();
    Ok(rules?.into_iter().collect())
}

/// The rule that a file is, or that its tests are of.
fn rule_of(path: &Path) -> Result<PathBuf, Failure> {
    let name = path.display().to_string();
    let Some(stem) = name.strip_suffix(TESTS) else {
        return Ok(path.to_owned());
    };
    let rule = PathBuf::from(format!("{stem}.rhai"));
    if rule.is_file() {
        Ok(rule)
    } else {
        Err(Failure::usage(format!(
            "{name} is the test of no rule: there is no {}",
            rule.display()
        )))
    }
}

/// Runs every test, some at a time; reports stay in the order of the files.
fn run_all(mut files: Vec<File>) -> Vec<File> {
    let jobs: Vec<(usize, &Suite, &str)> = files
        .iter()
        .enumerate()
        .filter_map(|(place, file)| Some((place, file.suite.as_ref()?, &file.tests)))
        .flat_map(|(place, suite, tests)| {
            tests.iter().map(move |test| (place, suite, test.as_str()))
        })
        .collect();
    let done: Mutex<BTreeMap<usize, (usize, TestReport)>> = Mutex::default();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::SeqCst);
                    let Some((place, suite, test)) = jobs.get(nth) else {
                        return;
                    };
                    let report = suite.run(test);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.insert(nth, (*place, report));
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (place, report) in done.into_values() {
        files[place].report.tests.push(report);
    }
    files
}

fn print(files: &[File], took: Duration) {
    for file in files {
        let is_silent =
            file.has_tests && file.report.tests.is_empty() && file.report.mistakes.is_empty();
        if is_silent {
            continue;
        }
        out::line(&file.rule);
        if !file.has_tests {
            out::line("  no tests");
        }
        print_lines(&file.report);
    }
    for file in files {
        print_failures(&file.report);
    }
    out::line(&format!("\n{}", summary(files, took)));
}

/// What came of a rule's tests, for a person.
pub(super) fn print_tests(report: &Report) {
    if report.tests.is_empty() && report.mistakes.is_empty() {
        return out::line("no tests");
    }
    print_lines(report);
    print_failures(report);
}

fn print_lines(report: &Report) {
    for mistake in &report.mistakes {
        out::line(&format!("  {mistake}"));
    }
    let widest = report
        .tests
        .iter()
        .map(|test| test.name.chars().count())
        .max();
    let widest = widest.unwrap_or(0);
    for test in &report.tests {
        let word = if test.passed() { "ok    " } else { "FAILED" };
        let ms = test.took.as_millis();
        out::line(&format!("  {word}  {:widest$}  {ms:>5} ms", test.name));
        for line in &test.printed {
            out::line(&format!("          · {line}"));
        }
    }
}

fn print_failures(report: &Report) {
    for failure in report.tests.iter().filter_map(|test| test.failure.as_ref()) {
        out::line(&format!("\n{failure}"));
    }
}

fn summary(files: &[File], took: Duration) -> String {
    let tests: Vec<&TestReport> = files.iter().flat_map(|file| &file.report.tests).collect();
    let failed = tests.iter().filter(|test| !test.passed()).count();
    let broken = files
        .iter()
        .filter(|file| !file.report.mistakes.is_empty())
        .count();
    let without = files.iter().filter(|file| !file.has_tests).count();
    let mut parts = vec![format!(
        "{} tests: {} ok",
        tests.len(),
        tests.len() - failed
    )];
    for (count, what) in [
        (failed, "FAILED"),
        (broken, "rules or tests with mistakes"),
        (without, "rules without tests"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    format!("{}, in {:.1} s", parts.join(", "), took.as_secs_f64())
}

/// What came of all files.
#[derive(Serialize)]
struct FilesJson {
    passed: bool,
    files: Vec<FileJson>,
}

#[derive(Serialize)]
struct FileJson {
    rule: String,
    /// Whether there are any tests.
    has_tests: bool,
    #[serde(flatten)]
    report: ReportJson,
}

impl From<&[File]> for FilesJson {
    fn from(files: &[File]) -> Self {
        Self {
            passed: files.iter().all(|file| file.report.passed()),
            files: files
                .iter()
                .map(|file| FileJson {
                    rule: file.rule.clone(),
                    has_tests: file.has_tests,
                    report: ReportJson::from(&file.report),
                })
                .collect(),
        }
    }
}
