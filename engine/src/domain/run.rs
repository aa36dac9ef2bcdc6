//! One rule looking at one event: what came of it, and why.

use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::ids::{EventId, RuleId, RunId};

/// One rule looking at one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// This run; follows from event and rule.
    pub id: RunId,
    /// What was looked at.
    pub event_id: EventId,
    /// Who looked.
    pub rule_id: RuleId,
    /// The version that looked.
    pub version: i32,
    /// The function that was called; "on_start, on_message" where both were.
    pub handler: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What it wanted, in order.
    pub effects: Vec<Effect>,
    /// What it logged, and what the engine noted about it.
    pub trace: Vec<TraceLine>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The rule has no function for this kind of event.
    NoHandler,
    /// It ran and wanted nothing.
    Nothing,
    /// It ran and wanted something.
    Effects,
    /// It failed; it has no effects at all.
    Error {
        /// What went wrong, where, and what to write instead.
        message: String,
        /// Line in the script, from 1; 0 if unknown.
        line: u32,
        /// Column in the line, from 1; 0 if unknown.
        column: u32,
    },
    /// Someone else is in charge of the conversation.
    Held,
    /// An earlier rule ended the chain.
    Stopped,
    /// What it was waiting for no longer holds: the customer wrote, or a person did.
    NotSilent,
    /// The message was decided together with a later one.
    Gathered {
        /// The event of that.
        into: EventId,
    },
    /// What it was to act on is no longer so.
    Moot {
        /// What is so instead.
        why: String,
    },
}

impl Outcome {
    /// The stable name, as stored and printed.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoHandler => "no_handler",
            Self::Nothing => "nothing",
            Self::Effects => "effects",
            Self::Error { .. } => "error",
            Self::Held => "held",
            Self::Stopped => "stopped",
            Self::NotSilent => "not_silent",
            Self::Gathered { .. } => "gathered",
            Self::Moot { .. } => "moot",
        }
    }
}

/// A line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceLine {
    /// What is told.
    pub text: String,
    /// Line in the script, from 1; 0 if it is the engine's own remark.
    #[serde(default)]
    pub line: u32,
}
