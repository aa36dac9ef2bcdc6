//! What a run wants: data, no I/O. The engine applies a run's effects in one transaction, or none.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::content::{Content, TemplateContent};
use super::fanout::ChatFilter;
use super::time::{Span, Timestamp};

/// One thing that a run wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Effect {
    /// Free-form content, and the template that goes out instead when the window is shut.
    Reply {
        /// What to say.
        content: Content,
        /// What to say outside the service window.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fallback: Option<TemplateContent>,
    },
    /// A template at any time.
    Send {
        /// The template.
        template: TemplateContent,
    },
    /// A reaction to a message; an empty emoji takes it back.
    React {
        /// The provider's id of the message.
        message_id: String,
        /// One emoji, or "".
        emoji: String,
    },
    /// Marks the customer's message as read.
    MarkRead {
        /// The provider's id of the message.
        message_id: String,
    },
    /// Shows that an answer is being written.
    Typing {
        /// The provider's id of the message being answered.
        message_id: String,
    },
    /// Sets a timer of this rule for this conversation; one pending per handler, setting again moves it.
    SetTimer {
        /// The function to call.
        handler: String,
        /// When.
        due_at: Timestamp,
        /// Whether it is dropped when the customer, or a person of the business, writes before then.
        if_silent: bool,
        /// Passed to the handler.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Map<String, Value>>,
    },
    /// Drops the pending timer of a handler.
    CancelTimer {
        /// The function that would have been called.
        handler: String,
    },
    /// Adds a label to the contact.
    Tag {
        /// The label.
        tag: String,
    },
    /// Removes a label from the contact.
    Untag {
        /// The label.
        tag: String,
    },
    /// Sets, or with null removes, something noted about the contact.
    SetAttribute {
        /// Its name.
        name: String,
        /// Its value.
        value: Value,
    },
    /// Notes that the customer does not want, or wants again, to be written to.
    SetOptedOut {
        /// Which of the two.
        opted_out: bool,
    },
    /// Hands the conversation to a person.
    Hold {
        /// For how long.
        span: Span,
    },
    /// Takes the conversation back.
    Release,
    /// Calls an endpoint of the location; its answer is a new event.
    Request {
        /// What the location calls it.
        endpoint: String,
        /// What is sent.
        data: Map<String, Value>,
        /// The function that hears of the answer; `on_response` if none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        handler: Option<String>,
    },
    /// Calls a function of the rule for each chat of the location that a filter finds.
    EachChat {
        /// For which chats.
        filter: ChatFilter,
        /// The function to call.
        handler: String,
        /// Passed to the function.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Map<String, Value>>,
    },
    /// Names the person who should take over, and hands the conversation over; "" takes it back.
    Assign {
        /// Their name.
        to: String,
    },
    /// Writes a note beside the conversation, for people.
    Note {
        /// What it says.
        text: String,
    },
}

impl Effect {
    /// Whether it makes a message leave.
    pub const fn sends(&self) -> bool {
        matches!(
            self,
            Self::Reply { .. } | Self::Send { .. } | Self::React { .. }
        )
    }
}
