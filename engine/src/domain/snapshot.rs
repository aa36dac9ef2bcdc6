//! What a run may look at: everything, taken at one moment.

use serde::{Deserialize, Serialize};

use super::channel::Channel;
use super::contact::Contact;
use super::conversation::Conversation;
use super::location::Location;
use super::time::Timestamp;

/// What a run of a conversation's event may look at.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The tenant.
    pub location: Location,
    /// The number.
    pub channel: Channel,
    /// The customer.
    pub contact: Contact,
    /// The conversation, its window and who holds it.
    pub conversation: Conversation,
    /// The latest lines, oldest first, as many as the rules of the location read.
    pub history: Vec<Line>,
    /// When the customer wrote before this message, if they did; looked up only if a rule of the location
    /// has `on_start`.
    pub previous_message_at: Option<Timestamp>,
    /// Whether something was sent since the customer last wrote; looked up only when the window closes.
    pub answered: bool,
}

/// A line of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Who wrote it: `customer`, `rule`, `phone` or `inbox`.
    pub by: String,
    /// The kind of message.
    pub kind: String,
    /// What a person would read.
    pub text: String,
    /// When.
    pub at: Timestamp,
}
