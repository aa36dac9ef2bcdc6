//! The files of the repository as text. Knows no rule.

use std::fs;
use std::path::{Path, PathBuf};

use super::code;

/// Folders and files that are not ours or not kept, wherever they are.
const SKIPPED: &[&str] = &[".git", "target", "node_modules", "dist"];
/// The same, at the root only: where the server keeps its database by default.
const SKIPPED_AT_ROOT: &[&str] = &["data"];

/// A text file of the repository.
pub(super) struct File {
    /// Relative to the root, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    /// The text with comments and literals blanked out: what the compiler acts on.
    pub(super) fn code(&self) -> String {
        code::blanked(&self.text)
    }
}

/// Every text file.
pub(super) fn sources() -> Vec<File> {
    let root = root();
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("the repository can be read");
        for entry in entries {
            let path = entry.expect("the repository can be read").path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_none_or(|name| SKIPPED.contains(&name))
                || (folder == root && name.is_some_and(|name| SKIPPED_AT_ROOT.contains(&name)))
            {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = relative(&path, &root);
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Every Rust file.
pub(super) fn rust() -> Vec<File> {
    let mut files = sources();
    files.retain(|file| file.path.ends_with(".rs"));
    assert!(!files.is_empty(), "no Rust file under {}", root().display());
    files
}

/// The text of one file, if it exists.
pub(super) fn find(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests is a member").to_path_buf()
}

fn relative(path: &Path, root: &Path) -> String {
    let path = path.strip_prefix(root).expect("the walk began at the root");
    path.to_string_lossy().replace('\\', "/")
}
