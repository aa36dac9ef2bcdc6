//! Scripts in files: which ones a person means by the paths that they give. Reads none of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::Failure;

/// What the name of a script ends with.
const SCRIPT: &str = ".rhai";
/// What the name of a file of tests ends with.
pub(super) const TESTS: &str = ".test.rhai";
/// What the name of a file that only editors read ends with.
const DECLARATIONS: &str = ".d.rhai";

/// The scripts that the paths name, files or folders with all that is in them, in alphabetical order;
/// without a path those in `scripts`, or else in this folder.
pub(super) fn scripts(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let usual = [PathBuf::from("scripts"), PathBuf::from(".")];
    let paths = match paths {
        [] => &usual[usize::from(!usual[0].is_dir())..][..1],
        given => given,
    };
    let mut found = BTreeSet::new();
    for path in paths {
        if path.is_dir() {
            find(path, &mut found)?;
        } else if path.is_file() {
            found.insert(path.clone());
        } else {
            return Err(Failure::usage(format!(
                "there is no file or folder '{}'; check the name",
                path.display()
            )));
        }
    }
    if found.is_empty() {
        return Err(Failure::usage(
            "there are no scripts here; name files or folders with *.rhai",
        ));
    }
    Ok(found.into_iter().collect())
}

/// The rules that the paths name, in the order given, those of a folder in alphabetical order. Without
/// paths, the ones that lie in this folder.
pub(super) fn rules(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut rules: Vec<PathBuf> = Vec::new();
    if paths.is_empty() {
        rules = scripts(&[])?;
        rules.retain(|path| path.components().count() == 1);
    }
    for path in paths {
        for rule in scripts(std::slice::from_ref(path))? {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    rules.retain(|path| !is_test(path));
    if rules.is_empty() {
        return Err(Failure::new(
            "there are no rules here; name files or folders with *.rhai",
        ));
    }
    Ok(rules)
}

fn find(folder: &Path, found: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default();
        if path.is_dir() {
            // What is hidden or built is nobody's rule.
            if !name.starts_with('.') && name != "target" {
                find(&path, found)?;
            }
        } else if name.ends_with(SCRIPT) && !name.ends_with(DECLARATIONS) {
            found.insert(path.strip_prefix(".").map_or(path.clone(), Path::to_owned));
        }
    }
    Ok(())
}

/// Whether a file holds tests of a rule rather than a rule.
pub(super) fn is_test(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.ends_with(TESTS))
}
