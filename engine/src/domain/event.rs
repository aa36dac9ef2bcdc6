//! Something that happened and is stored once.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fanout::ChatFilter;
use super::ids::{
    ChannelId, ConversationId, DeliveryId, EventId, FanoutId, LocationId, RequestId, RuleId,
    TimerId,
};
use super::inbound::{AddressBookEntry, Status, Update};
use super::message::Message;
use super::request::Response;
use super::time::Timestamp;

/// Something that happened and is stored once.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The tenant.
    pub location_id: LocationId,
    /// This event.
    pub id: EventId,
    /// The channel it came by; `ChannelId::NONE` for a location's own events.
    pub channel_id: ChannelId,
    /// The conversation it belongs to, if it belongs to one.
    pub conversation_id: Option<ConversationId>,
    /// The position in its conversation; events are decided in this order.
    pub seq: i64,
    /// What happened.
    pub payload: Payload,
    /// The provider's time, or the time that a timer was due.
    pub at: Timestamp,
    /// When it was stored.
    pub received_at: Timestamp,
    /// The only rule to be asked, if it is meant for one.
    pub rule_id: Option<RuleId>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Payload {
    /// The customer wrote.
    Message {
        /// What.
        message: Message,
    },
    /// A person wrote on behalf of the business.
    Echo {
        /// What.
        message: Message,
        /// From where.
        origin: EchoOrigin,
    },
    /// News of a message that was sent.
    Status {
        /// The news.
        status: Status,
        /// The delivery it is about, if it is one of ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivery_id: Option<DeliveryId>,
    },
    /// A timer of a conversation fell due.
    Timer {
        /// The timer.
        timer_id: TimerId,
        /// The function to call.
        handler: String,
        /// What the script wanted to be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Map<String, Value>>,
        /// When it was due.
        due_at: Timestamp,
        /// The number of the event in whose run it was set.
        #[serde(default)]
        set_seq: i64,
        /// Set for `if_silent`: the number of the event from which silence counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        silent_since: Option<i64>,
    },
    /// A cron line of a rule fell due.
    Tick {
        /// The function to call.
        handler: String,
        /// The cron line.
        cron: String,
        /// When it was due.
        due_at: Timestamp,
    },
    /// An endpoint answered a rule's request, or did not.
    Response {
        /// The request.
        request_id: RequestId,
        /// The endpoint, as the rule named it.
        endpoint: String,
        /// The function to call; `on_response` if none was named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        handler: Option<String>,
        /// The answer.
        response: Response,
    },
    /// A rule calls a function of its own for each of many chats, this one among them.
    Each {
        /// The fan-out that it is part of.
        fanout_id: FanoutId,
        /// The function to call.
        handler: String,
        /// For which chats; whether this is still one of them is looked at again.
        filter: ChatFilter,
        /// What the script wanted to be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Map<String, Value>>,
    },
    /// News of a template, the account, the number, or the customer's preferences.
    Update {
        /// The news.
        update: Update,
    },
    /// A part of the conversations from before the number was connected has come.
    History {
        /// How many lines.
        lines: u32,
        /// How much of the import has come, 0 to 100.
        progress: u8,
        /// Of which time it is: 0 for the last day, 1 for 90 days, 2 for 180 (Meta's phases).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phase: Option<u8>,
    },
    /// The address book of the phone app changed.
    AddressBook {
        /// The entries.
        entries: Vec<AddressBookEntry>,
    },
    /// Something that this version does not understand, kept as it came.
    Unknown {
        /// What was not understood.
        reason: String,
        /// A webhook body with this item alone.
        raw: String,
    },
}

impl Payload {
    /// The stable name of the kind, as stored and printed.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Message { .. } => "message",
            Self::Echo { .. } => "echo",
            Self::Status { .. } => "status",
            Self::Timer { .. } => "timer",
            Self::Tick { .. } => "tick",
            Self::Response { .. } => "response",
            Self::Each { .. } => "each",
            Self::Update { .. } => "update",
            Self::History { .. } => "history",
            Self::AddressBook { .. } => "address_book",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// From where a person wrote on behalf of the business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EchoOrigin {
    /// The phone app (coexistence).
    Phone,
    /// Our inbox or the API.
    Inbox,
}

impl EchoOrigin {
    /// The stable name, as stored and printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Inbox => "inbox",
        }
    }
}

/// How far an event has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// The rules have not been asked yet.
    Pending,
    /// The rules were asked, or need not be.
    Done,
    /// Put aside: not understood, or its rules failed in a way that must not block the conversation.
    Parked,
}

impl EventState {
    /// The stable name, as stored and printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Parked => "parked",
        }
    }

    /// Reads what `name` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Done, Self::Parked]
            .into_iter()
            .find(|state| state.name() == text)
    }
}
