//! What an examination of a connected number finds: how something stands, by what evidence, and what to do.
//! Knows no provider.

use serde::{Deserialize, Serialize};

/// How one thing stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The stable name of what was looked at, such as `token` or `webhook_fields`.
    pub check: String,
    /// How it stands.
    pub state: FindingState,
    /// What was seen, in a sentence; free of secrets and of message text.
    pub evidence: String,
    /// What does not work because of it; empty if all is well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub breaks: String,
    /// What a person does about it; empty if all is well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fix: String,
    /// What the engine can do about it when told so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn good(check: &str, evidence: impl Into<String>) -> Self {
        Self::new(check, FindingState::Good, evidence)
    }

    /// It works, and someone should know.
    pub fn warning(check: &str, evidence: impl Into<String>) -> Self {
        Self::new(check, FindingState::Warning, evidence)
    }

    /// It does not work.
    pub fn bad(check: &str, evidence: impl Into<String>) -> Self {
        Self::new(check, FindingState::Bad, evidence)
    }

    /// It could not be looked at, or says nothing here.
    pub fn unknown(check: &str, evidence: impl Into<String>) -> Self {
        Self::new(check, FindingState::Unknown, evidence)
    }

    fn new(check: &str, state: FindingState, evidence: impl Into<String>) -> Self {
        Self {
            check: check.to_owned(),
            state,
            evidence: evidence.into(),
            breaks: String::new(),
            fix: String::new(),
            action: None,
        }
    }

    /// The same, with what does not work because of it.
    #[must_use]
    pub fn breaks(mut self, what: impl Into<String>) -> Self {
        self.breaks = what.into();
        self
    }

    /// The same, with what a person does about it.
    #[must_use]
    pub fn fix(mut self, what: impl Into<String>) -> Self {
        self.fix = what.into();
        self
    }

    /// The same, with what the engine can do about it.
    #[must_use]
    pub fn action(mut self, name: &str) -> Self {
        self.action = Some(name.to_owned());
        self
    }
}

/// How one thing stands. The order is that of urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// All is well.
    Good,
    /// It could not be looked at, or says nothing here.
    Unknown,
    /// It works, and someone should know.
    Warning,
    /// It does not work.
    Bad,
}

impl FindingState {
    /// The stable name, as printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}
