//! The files that are made from the entries of the script API, compared with what the entries say now.
//! `UPDATE=1` makes them anew; read the difference. Knows no entry.

use std::fs;
use std::path::{Path, PathBuf};

use rejoinder_engine::script::reference::{self, Language};

const BEGIN: &str = "<!-- made from the source: begin -->\n";
const END: &str = "<!-- made from the source: end -->\n";

fn path(name: &str) -> PathBuf {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
    scripts.join(name)
}

/// Compares a file with what it should be, or makes it so.
fn check(name: &str, wanted: &str) {
    let path = path(name);
    #[expect(clippy::disallowed_methods, reason = "the test's own switch")]
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, wanted).expect("a place to write");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "scripts/{name} does not say what the script API is now: run `UPDATE=1 tests/run --fast reference`, \
         and hand in what it changes"
    );
}

#[test]
fn the_definitions_say_what_the_entries_say() {
    check("api.d.rhai", &reference::definitions());
}

#[test]
fn the_reference_says_what_the_entries_say() {
    check("REFERENCE.md", &reference::markdown(Language::Rules));
}

#[test]
fn the_reference_of_tests_says_what_their_entries_say() {
    check("TESTS.md", &reference::markdown(Language::Tests));
}

#[test]
fn the_guide_lists_what_the_entries_say() {
    let guide = fs::read_to_string(path("README.md")).expect("the guide");
    let (before, rest) = guide.split_once(BEGIN).expect("the mark of the beginning");
    let (_, after) = rest.split_once(END).expect("the mark of the end");
    let overview = reference::overview();
    check(
        "README.md",
        &format!("{before}{BEGIN}{overview}\n{END}{after}"),
    );
}
