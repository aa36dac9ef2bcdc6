//! What is fuzzed: functions of bytes that panic when something is not as promised, and what to begin with.
//! Knows nothing of who makes up the bytes: the test `fuzzing` on a stable compiler, `cargo fuzz` otherwise.

pub mod address;
pub mod cron;
pub mod envelope;
pub mod script;
pub mod signature;
pub mod template;
mod text;
pub mod webhook;

use std::fs;
use std::path::{Path, PathBuf};

/// A function of bytes, and what to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What its cases and seeds are filed under.
    pub name: &'static str,
    /// How its bytes are meant.
    pub shape: Shape,
    /// Panics if something is not as promised.
    pub run: fn(&[u8]),
    /// What to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// How bytes are meant, so that changes of them are meant as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// JSON.
    Json,
    /// A form: names and values.
    Form,
    /// A script: tokens.
    Script,
    /// A line.
    Text,
    /// Nothing in particular.
    Bytes,
}

/// Everything that is fuzzed.
pub const TARGETS: [Target; 8] = [
    Target {
        name: "meta_webhook",
        shape: Shape::Json,
        run: webhook::meta,
        seeds: webhook::meta_seeds,
    },
    Target {
        name: "twilio_form",
        shape: Shape::Form,
        run: webhook::twilio,
        seeds: webhook::twilio_seeds,
    },
    Target {
        name: "signature",
        shape: Shape::Bytes,
        run: signature::run,
        seeds: signature::seeds,
    },
    Target {
        name: "script",
        shape: Shape::Script,
        run: script::run,
        seeds: script::seeds,
    },
    Target {
        name: "template",
        shape: Shape::Json,
        run: template::run,
        seeds: template::seeds,
    },
    Target {
        name: "envelope",
        shape: Shape::Bytes,
        run: envelope::run,
        seeds: envelope::seeds,
    },
    Target {
        name: "cron",
        shape: Shape::Text,
        run: cron::run,
        seeds: cron::seeds,
    },
    Target {
        name: "address",
        shape: Shape::Text,
        run: address::run,
        seeds: address::seeds,
    },
];

/// The repository.
fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// The files of a folder of the repository that end so, in order of name; a folder that is missing has none.
pub fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && path.to_string_lossy().ends_with(end))
        .collect();
    paths.sort();
    paths
}

/// What they hold.
fn contents(folder: &str, end: &str) -> Vec<Vec<u8>> {
    let expectations = |path: &PathBuf| path.to_string_lossy().ends_with(".expected.json");
    files(folder, end)
        .iter()
        .filter(|path| !expectations(path))
        .filter_map(|path| fs::read(path).ok())
        .collect()
}

/// Texts as bytes.
fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
