//! What an adapter makes of a webhook: a list of items, each naming the number it was sent to.
//! Nothing here is stored yet, and nothing here has been believed beyond its signature.

use serde::{Deserialize, Serialize};

use super::contact::{Peer, Phone};
use super::ids::DeliveryId;
use super::message::Message;
use super::template::TemplateStatus;
use super::time::Timestamp;

/// One item of a webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// The number it was sent to, by the provider's own key; absent when the item did not say.
    pub to: Option<ChannelKey>,
    /// The provider's time of it.
    pub at: Option<Timestamp>,
    /// What it is.
    pub item: Item,
    /// Present when this item was not understood: a body that, parsed alone, gives this item again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// The provider's own key of a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "by", content = "value", rename_all = "snake_case")]
pub enum ChannelKey {
    /// The key that every channel of the provider has (Meta: phone number id; Twilio: digits of the number).
    Key(String),
    /// By the displayed number within a business account: Meta's phone-number webhooks name nothing else.
    Display {
        /// The business account's id.
        account: String,
        /// The number.
        phone: Phone,
    },
    /// Every channel of a business account: template and account updates.
    Account(String),
}

/// What an item of a webhook is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "snake_case")]
pub enum Item {
    /// The customer wrote.
    Message {
        /// Who.
        peer: Peer,
        /// What.
        message: Message,
    },
    /// The business wrote, from the phone app.
    Echo {
        /// To whom.
        peer: Peer,
        /// What.
        message: Message,
    },
    /// News of a message that was sent.
    Status(Status),
    /// News of a template, the account, the number, or the customer's preferences.
    Update(Update),
    /// Messages from before the number was connected.
    History {
        /// The lines, oldest first.
        lines: Vec<HistoryLine>,
        /// How much of the import has come, 0 to 100.
        progress: u8,
        /// Of which time it is: 0 for the last day, 1 for 90 days, 2 for 180 (Meta's phases).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phase: Option<u8>,
    },
    /// The address book of the phone app.
    AddressBook {
        /// The entries that changed.
        entries: Vec<AddressBookEntry>,
    },
    /// Something that this version does not understand; `Inbound::raw` holds it.
    Unknown {
        /// What was not understood, for the operator.
        reason: String,
    },
}

/// How far a sent message has come, as told by the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The provider's id of the message.
    pub provider_id: String,
    /// How far.
    pub stage: Stage,
    /// Our own id, if it came back with the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<DeliveryId>,
    /// To whom the message went, as far as told.
    #[serde(default)]
    pub peer: Peer,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What the provider says it charges, as told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pricing: Option<Pricing>,
}

/// How far a message has come. The order is that of a message's life; it never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The provider has it.
    Accepted,
    /// It left the provider.
    Sent,
    /// It is on the customer's phone.
    Delivered,
    /// The customer opened it.
    Read,
    /// The customer listened to it.
    Played,
    /// It will not arrive.
    Failed,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 6] = [
        Self::Accepted,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Played,
        Self::Failed,
    ];

    /// The stable name, as stored and printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
        }
    }
}

/// Why a message failed, in our words and the provider's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `SendError::code()`: one of a closed list.
    pub kind: String,
    /// The provider's code, or 0.
    pub provider_code: i64,
    /// The provider's sentence, free of secrets and of message text.
    #[serde(default)]
    pub detail: String,
}

/// What the provider says it charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pricing {
    /// Whether it costs anything.
    pub billable: bool,
    /// The provider's category (`utility`, `service` …); an open list.
    pub category: String,
}

/// News of a template, the account, the number, or the customer's preferences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The provider's name of the field (`message_template_status_update` …).
    pub field: String,
    /// What it is about, in our words.
    pub topic: Topic,
    /// The provider's value, as it came.
    pub value: serde_json::Value,
    /// A hash of field, time and value: the same news twice is one event.
    pub key: String,
}

/// What an update is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "topic", rename_all = "snake_case")]
pub enum Topic {
    /// A template: approved, paused, changed …
    Template {
        /// Whether it may be sent now, if that is what the news is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        news: Option<TemplateNews>,
    },
    /// The business account.
    Account,
    /// The phone number: quality, name, security.
    Number,
    /// The customer's wish about marketing messages.
    Preference {
        /// Whose.
        peer: Peer,
        /// Whether the customer no longer wants them.
        opted_out: bool,
    },
    /// An error that belongs to no message.
    Error,
}

impl Topic {
    /// The stable name, as stored and printed.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Template { .. } => "template",
            Self::Account => "account",
            Self::Number => "number",
            Self::Preference { .. } => "preference",
            Self::Error => "error",
        }
    }
}

/// Whether a template may be sent from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateNews {
    /// Its name.
    pub name: String,
    /// The language of which this is told.
    pub language: String,
    /// Whether it may be sent.
    pub status: TemplateStatus,
}

/// A message from before the number was connected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// With whom.
    pub peer: Peer,
    /// Whether the business wrote it.
    pub outgoing: bool,
    /// When.
    pub at: Timestamp,
    /// What.
    pub message: Message,
}

/// An entry of the phone app's address book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBookEntry {
    /// Who; the name is the one in the address book.
    pub peer: Peer,
    /// Whether the entry was removed.
    pub removed: bool,
}
