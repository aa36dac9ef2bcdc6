//! Made-up input for whatever reads what others write: each target of `tests/fuzz/targets` for ten seconds, or
//! as many as `REJOINDER_FUZZ_SECONDS=600 tests/run --fast fuzzing` says. Knows no target.
//!
//! The cases in `tests/fuzz/cases/<target>` are run first, each time. Input that breaks a promise is made
//! smaller and shown as the command that keeps it as a case. `tests/fuzz/README.md` tells of `cargo fuzz`.

mod form;
mod json;
mod mutate;
mod script;

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rejoinder_engine::clock::{Clock, SystemClock};
use rejoinder_tests::{TARGETS, Target, files};

use self::mutate::Mutator;
use crate::chance::Chance;
use crate::effort::{often, say};

/// How long a target is fuzzed where nobody says otherwise.
const SECONDS: usize = 10;
const SECOND: Duration = Duration::from_secs(1);
/// No input may take longer: a script's own limits add up to a fraction of it.
const MAX_RUN: Duration = Duration::from_secs(20);
/// Attempts at making an input smaller.
const MAX_CUTS: usize = 2_000;
/// Bytes of an input that are shown; a longer one is in its file only.
const MAX_SHOWN: usize = 2_000;

/// What became of a fuzzed target.
struct Fuzzing {
    target: Target,
    /// What is being tried: if the process dies of it, it is here.
    last: PathBuf,
    last_file: File,
    slowest: (Duration, Vec<u8>),
}

impl Fuzzing {
    /// Tries an input; what it broke, if anything.
    fn attempt(&mut self, input: &[u8]) -> Option<String> {
        self.write_down(input);
        let began_at = Instant::now();
        let broken = broken(&self.target, input);
        let took = began_at.elapsed();
        if took > self.slowest.0 {
            self.slowest = (took, input.to_vec());
        }
        if broken.is_none() && took > MAX_RUN {
            return Some(format!("it took {took:?}"));
        }
        broken
    }

    /// Into a file that stays open: to make one anew each time takes longer than all else.
    fn write_down(&mut self, input: &[u8]) {
        let file = &mut self.last_file;
        let written = file.rewind().and_then(|()| file.write_all(input));
        let length = u64::try_from(input.len()).expect("a length");
        let written = written.and_then(|()| file.set_len(length));
        written.expect("a writable folder");
    }

    /// A shorter input that breaks something as well.
    fn smaller(&self, input: &[u8]) -> Vec<u8> {
        let mut input = input.to_vec();
        let mut cuts = 0;
        let mut length = input.len() / 2;
        while length > 0 && cuts < MAX_CUTS {
            let mut at = 0;
            while at < input.len() && cuts < MAX_CUTS {
                let end = (at + length).min(input.len());
                let shorter = [&input[..at], &input[end..]].concat();
                cuts += 1;
                if broken(&self.target, &shorter).is_some() {
                    input = shorter;
                } else {
                    at += length;
                }
            }
            length /= 2;
        }
        input
    }

    /// Ends the test with what was found, in a form that can be kept.
    fn report(&mut self, seed: u64, broken: &str, input: &[u8]) -> ! {
        let input = if broken.starts_with("it took") {
            input.to_vec()
        } else {
            self.smaller(input)
        };
        self.write_down(&input);
        let folder = format!("tests/fuzz/cases/{}", self.target.name);
        let written: String = input
            .iter()
            .flat_map(|byte| std::ascii::escape_default(*byte))
            .map(char::from)
            .collect();
        let shown = if input.len() > MAX_SHOWN {
            "It is too long to be shown.".to_owned()
        } else {
            format!("It is b\"{written}\".")
        };
        panic!(
            "{}, seed {seed}: {broken}\n{shown}\nKeep it under a name that says what is odd:\n  mkdir -p {folder} && cp {} {folder}/",
            self.target.name,
            self.last.display()
        );
    }
}

thread_local! {
    /// Panics of targets are expected, and shown when one is reported.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What an input breaks, if anything.
fn broken(target: &Target, input: &[u8]) -> Option<String> {
    QUIET.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    QUIET.set(false);
    let problem = outcome.err()?;
    let text = problem.downcast_ref::<String>().cloned();
    let text = text.or_else(|| {
        problem
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
    });
    Some(text.unwrap_or_else(|| "a panic without words".to_owned()))
}

fn fuzz(name: &str) {
    let target = TARGETS.into_iter().find(|target| target.name == name);
    let target = target.expect("a target");
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !QUIET.get() {
            hook(info);
        }
    }));
    let seed = u64::try_from(SystemClock.now().ms()).expect("after 1970");
    let last = std::env::temp_dir().join(format!("rejoinder-fuzz-{name}-{}", std::process::id()));
    let mut fuzzing = Fuzzing {
        target,
        last_file: File::create(&last).expect("a writable folder"),
        last,
        slowest: (Duration::ZERO, Vec::new()),
    };
    say(&format!(
        "seed {seed}; if the process dies, its input is {}",
        fuzzing.last.display()
    ));
    let cases = files(&format!("tests/fuzz/cases/{name}"), "");
    for case in &cases {
        let input = fs::read(case).expect("a readable case");
        if let Some(broken) = fuzzing.attempt(&input) {
            panic!("{}: {broken}", case.display());
        }
    }
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{name} has nothing to begin with");
    for input in &seeds {
        if let Some(broken) = fuzzing.attempt(input) {
            fuzzing.report(seed, &broken, input);
        }
    }
    let mut mutator = Mutator::new(target.shape, seeds, Chance::from_seed(seed));
    let until = Instant::now()
        + SECOND * u32::try_from(often("REJOINDER_FUZZ_SECONDS", SECONDS)).expect("it is small");
    let mut runs = 0_usize;
    while Instant::now() < until {
        let input = mutator.next();
        if let Some(broken) = fuzzing.attempt(&input) {
            fuzzing.report(seed, &broken, &input);
        }
        runs += 1;
    }
    let _ = fs::remove_file(&fuzzing.last);
    let (took, input) = &fuzzing.slowest;
    say(&format!(
        "{name}: {} cases, {runs} inputs; the slowest took {took:?}: {:?}",
        cases.len(),
        String::from_utf8_lossy(&input[..input.len().min(200)])
    ));
}

#[test]
fn every_folder_of_cases_belongs_to_a_target() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/cases");
    for entry in fs::read_dir(folder).expect("the folder of cases") {
        let name = entry.expect("a readable folder").file_name();
        let known = TARGETS.iter().any(|target| name == *target.name);
        assert!(known, "{} is no target", name.display());
    }
}

#[test]
fn every_target_can_be_run_by_cargo_fuzz() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("a manifest");
    for target in TARGETS {
        let path = format!("fuzz_targets/{}.rs", target.name);
        assert!(
            manifest.contains(&path),
            "{path} is not in tests/fuzz/Cargo.toml"
        );
        let file = format!("{}/fuzz/{path}", env!("CARGO_MANIFEST_DIR"));
        assert!(
            fs::exists(&file).expect("a readable folder"),
            "{path} is missing"
        );
    }
}

mod heavy {
    use super::fuzz;

    #[test]
    fn a_body_of_meta_is_read_whatever_it_says() {
        fuzz("meta_webhook");
    }

    #[test]
    fn a_form_of_twilio_is_read_whatever_it_says() {
        fuzz("twilio_form");
    }

    #[test]
    fn a_signed_request_that_was_changed_is_refused() {
        fuzz("signature");
    }

    #[test]
    fn a_script_comes_to_its_end_whatever_it_says() {
        fuzz("script");
    }

    #[test]
    fn a_template_says_its_values_whatever_it_is() {
        fuzz("template");
    }

    #[test]
    fn a_sealed_secret_that_was_changed_does_not_open() {
        fuzz("envelope");
    }

    #[test]
    fn a_cron_line_falls_due_later_whatever_it_says() {
        fuzz("cron");
    }

    #[test]
    fn nothing_around_this_machine_is_called_however_it_is_written() {
        fuzz("address");
    }
}
