//! What the passes have found: gathered, put in order, and bounded.

use crate::script::Diagnostic;
use crate::script::diagnostic::Extent;

/// Most diagnostics of a script: nobody reads on, and each "did you mean" takes time.
const MOST: usize = 50;

/// What one pass has found, in the order of the script; what comes after the first `MOST` is dropped.
#[derive(Default)]
pub(super) struct Report(Vec<Diagnostic>);

impl Report {
    /// Notes what keeps the script from being published.
    pub(super) fn error(&mut self, extent: Extent, message: impl FnOnce() -> String) {
        if !self.is_full() {
            self.0.push(Diagnostic::error(extent, message()));
        }
    }

    /// Notes what will hardly do what it is meant to.
    pub(super) fn warning(&mut self, extent: Extent, message: impl FnOnce() -> String) {
        if !self.is_full() {
            self.0.push(Diagnostic::warning(extent, message()));
        }
    }

    /// Whether nothing more is taken.
    pub(super) const fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.0
    }
}

/// Each thing once, in the order of the lines, errors first where two stand at one place.
pub(super) fn in_order(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    problems.sort_by_key(|problem| (problem.line, problem.column, problem.severity));
    problems.dedup();
    problems.truncate(MOST);
    problems
}
