//! A function of a rule that is called for many chats: which chats those are, and how far it has come.
//! Knows no database: whether a chat is one of them is asked of what is known about it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::contact::Contact;
use super::conversation::Conversation;
use super::ids::{ConversationId, EventId, FanoutId, LocationId, RuleId};
use super::time::{Span, Timestamp};

/// A function of a rule that is called for each chat that a filter finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Fanout {
    /// The tenant.
    pub location_id: LocationId,
    /// This fan-out.
    pub id: FanoutId,
    /// The rule that asked for it.
    pub rule_id: RuleId,
    /// The event in whose run it did.
    pub event_id: EventId,
    /// The function to call.
    pub handler: String,
    /// For which chats.
    pub filter: ChatFilter,
    /// Passed to the function.
    pub args: Option<Map<String, Value>>,
    /// The last conversation that was looked at; they are taken in the order of their ids.
    pub cursor: Option<ConversationId>,
    /// The next ones are not looked at before then.
    pub not_before: Timestamp,
    /// For how many chats the function has been called.
    pub visited: u32,
    /// When it was decided; conversations that began later are not visited.
    pub created_at: Timestamp,
}

/// Which chats: those for which everything that is named here holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatFilter {
    /// The contact has all of these labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The contact has none of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without_tags: Vec<String>,
    /// The customer's last message is at least that old, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_for: Option<Span>,
    /// The customer's last message is at most that old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spoke_within: Option<Span>,
    /// Whether free-form text may leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowState>,
    /// The contact's language: `pt` also means `pt_BR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether the contact wants to be written to; who does is meant unless told otherwise.
    pub consent: Consent,
}

/// Whether free-form text may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowState {
    /// It may.
    Open,
    /// It may not.
    Closed,
}

/// Whether a contact wants to be written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Yes, or never said otherwise.
    #[default]
    OptedIn,
    /// No.
    OptedOut,
}

impl ChatFilter {
    /// Whether a chat is meant.
    pub fn finds(&self, contact: &Contact, chat: &Conversation, now: Timestamp) -> bool {
        self.misses(contact, chat, now).is_none()
    }

    /// What does not hold of a chat, as a sentence for a trace; `None` if it is meant.
    pub fn misses(&self, contact: &Contact, chat: &Conversation, now: Timestamp) -> Option<String> {
        let has = |tag: &&String| contact.tags.contains(tag);
        if let Some(tag) = self.tags.iter().find(|tag| !has(tag)) {
            return Some(format!("the contact does not have the tag '{tag}'"));
        }
        if let Some(tag) = self.without_tags.iter().find(has) {
            return Some(format!("the contact has the tag '{tag}'"));
        }
        let silence = chat.last_inbound_at.map(|at| now.since(at));
        if let Some(least) = self.silent_for
            && silence.is_some_and(|silence| silence < least)
        {
            return Some(format!("the customer wrote less than {least} ago"));
        }
        if let Some(most) = self.spoke_within
            && silence.is_none_or(|silence| silence > most)
        {
            return Some(format!("the customer has not written for {most}"));
        }
        let window = if chat.window.is_open(now) {
            WindowState::Open
        } else {
            WindowState::Closed
        };
        match (self.window, window) {
            (Some(WindowState::Open), WindowState::Closed) => {
                return Some("the window is closed".to_owned());
            }
            (Some(WindowState::Closed), WindowState::Open) => {
                return Some("the window is open".to_owned());
            }
            _ => {}
        }
        if let Some(language) = &self.language
            && !speaks(&contact.language, language)
        {
            return Some(format!("the contact's language is not '{language}'"));
        }
        match (self.consent, contact.opted_out) {
            (Consent::OptedIn, true) => Some("the customer opted out".to_owned()),
            (Consent::OptedOut, false) => Some("the customer has not opted out".to_owned()),
            (Consent::OptedIn, false) | (Consent::OptedOut, true) => None,
        }
    }
}

/// Whether a language is the one that is wanted, or a kind of it.
fn speaks(language: &str, wanted: &str) -> bool {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let (language, wanted) = (plain(language), plain(wanted));
    language
        .strip_prefix(&wanted)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_includes_its_kinds_and_not_its_neighbours() {
        assert!(speaks("pt_BR", "pt") && speaks("pt-br", "pt_BR") && speaks("pt", "PT"));
        assert!(!speaks("pt", "pt_BR") && !speaks("pts", "pt") && !speaks("", "pt"));
    }
}
