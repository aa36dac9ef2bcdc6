//! What is said about a script: what is wrong, how much it matters, and where it stands.
//! Does not know how it was found.

use std::fmt;

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The script cannot be published.
    Error,
    /// It can, and will hardly do what it is meant to.
    Warning,
}

impl Severity {
    /// As shown and as printed in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Something wrong with a script, for the person who writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, and what to write instead.
    pub message: String,
    /// The line where it begins, from 1.
    pub line: u32,
    /// The column where it begins, in characters from 1.
    pub column: u32,
    /// The line where it ends.
    pub end_line: u32,
    /// The column right after its end.
    pub end_column: u32,
}

impl Diagnostic {
    /// Something that keeps the script from being published.
    pub(super) fn error(extent: Extent, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, extent, message.into())
    }

    /// Something that will hardly do what it is meant to.
    pub(super) fn warning(extent: Extent, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, extent, message.into())
    }

    fn new(severity: Severity, extent: Extent, message: String) -> Self {
        Self {
            severity,
            message,
            line: extent.line,
            column: extent.column,
            end_line: extent.end_line,
            end_column: extent.end_column,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Where a piece of a script stands: lines and columns in characters from 1, the end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) end_line: u32,
    pub(super) end_column: u32,
}

impl Extent {
    /// Before the first letter: what concerns the script as a whole.
    pub(super) const START: Self = Self {
        line: 1,
        column: 1,
        end_line: 1,
        end_column: 1,
    };

    /// From the beginning of one piece to the end of another.
    pub(super) const fn to(self, last: Self) -> Self {
        Self {
            line: self.line,
            column: self.column,
            end_line: last.end_line,
            end_column: last.end_column,
        }
    }
}
