//! Channel × contact: the unit of order, and who is in charge of it.

use serde::{Deserialize, Serialize};

use super::contact::Address;
use super::ids::{ChannelId, ContactId, ConversationId, LocationId};
use super::time::Timestamp;
use super::window::Window;

/// A conversation. Scripts call it `chat`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The tenant.
    pub location_id: LocationId,
    /// This conversation.
    pub id: ConversationId,
    /// The number it runs over.
    pub channel_id: ChannelId,
    /// The customer.
    pub contact_id: ContactId,
    /// Where answers go.
    pub address: Address,
    /// Who is in charge, and until when.
    pub hold: Option<Hold>,
    /// When free-form text is allowed.
    pub window: Window,
    /// When the customer last wrote.
    pub last_inbound_at: Option<Timestamp>,
    /// When a person last wrote, from the phone app or the inbox.
    pub last_person_at: Option<Timestamp>,
    /// The person who should take over, as rules named them, or "".
    pub assigned_to: String,
    /// The number of the last event by which the customer, or a person, said something.
    pub last_said_seq: i64,
}

impl Conversation {
    /// The hold in force at `now`, if any.
    pub fn held(&self, now: Timestamp) -> Option<Hold> {
        self.hold.filter(|hold| hold.until > now)
    }
}

/// Someone other than the rules is in charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who.
    pub by: HeldBy,
    /// Until when.
    pub until: Timestamp,
}

/// Who holds a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// The owner, who answered from the phone app.
    Phone,
    /// A person, who answered from the inbox or through the API.
    Agent,
    /// A rule, by `chat.hold`.
    Rule,
    /// Nobody: the chat went round in circles, and its rules rest.
    Guard,
}

impl HeldBy {
    /// The stable name, as stored, printed and seen by scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Agent => "agent",
            Self::Rule => "rule",
            Self::Guard => "guard",
        }
    }

    /// Reads what `name` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Phone, Self::Agent, Self::Rule, Self::Guard]
            .into_iter()
            .find(|by| by.name() == text)
    }
}
