//! What an editor shows at a place of a script: how the API says it. Knows no route.

use rejoinder_engine::RuleAssistance;
use rejoinder_engine::script::{Completion, Hover};
use serde::{Deserialize, Serialize};

/// A place in a script; both numbers count from 1, columns in characters.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PositionJson {
    line: u32,
    column: u32,
}

impl From<PositionJson> for (u32, u32) {
    fn from(position: PositionJson) -> Self {
        (position.line, position.column)
    }
}

/// What may be written at a place, and what the word there means.
#[derive(Serialize)]
pub(super) struct AssistanceJson {
    completions: Vec<CompletionJson>,
    hover: Option<HoverJson>,
}

#[derive(Serialize)]
struct CompletionJson {
    label: String,
    kind: &'static str,
    detail: String,
    documentation: String,
    insert: String,
}

#[derive(Serialize)]
struct HoverJson {
    contents: String,
    line: u32,
    column: u32,
    end_column: u32,
}

impl From<RuleAssistance> for AssistanceJson {
    fn from(assistance: RuleAssistance) -> Self {
        let completions = assistance.completions.into_iter();
        Self {
            completions: completions.map(CompletionJson::from).collect(),
            hover: assistance.hover.map(HoverJson::from),
        }
    }
}

impl From<Completion> for CompletionJson {
    fn from(completion: Completion) -> Self {
        Self {
            label: completion.label,
            kind: completion.kind,
            detail: completion.detail,
            documentation: completion.documentation,
            insert: completion.insert,
        }
    }
}

impl From<Hover> for HoverJson {
    fn from(hover: Hover) -> Self {
        Self {
            contents: hover.contents,
            line: hover.line,
            column: hover.column,
            end_column: hover.end_column,
        }
    }
}
