//! What people and rules write down about a conversation, for people; the customer never sees it.

use super::ids::{ConversationId, LocationId, NoteId, RuleId};
use super::time::Timestamp;

/// A remark beside a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The tenant.
    pub location_id: LocationId,
    /// This note.
    pub id: NoteId,
    /// The conversation it stands beside.
    pub conversation_id: ConversationId,
    /// Who wrote it.
    pub author: Author,
    /// What it says.
    pub text: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// Its place among those of one moment.
    pub position: u32,
}

/// Who wrote a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author {
    /// A rule, and what it was called then.
    Rule {
        /// The rule.
        rule_id: RuleId,
        /// Its name.
        name: String,
    },
    /// A person, by the name they gave, or "".
    Person(String),
}

impl Note {
    /// Bytes of a note at most: a page of writing, not a place for files.
    pub const MAX_BYTES: usize = 4 * 1024;
}
