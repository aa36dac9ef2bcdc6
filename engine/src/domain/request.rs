//! A call of an endpoint that a rule has asked for, and what came of it.
//! Knows no network: what the endpoint answered is plain data here.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ids::{ConversationId, EventId, LocationId, RequestId, RuleId};
use super::time::Timestamp;

/// A call that a rule has asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The tenant.
    pub location_id: LocationId,
    /// This request; the endpoint is told it, so that it can tell a repetition.
    pub id: RequestId,
    /// The conversation that its answer belongs to.
    pub conversation_id: ConversationId,
    /// The rule that asked.
    pub rule_id: RuleId,
    /// The event in whose run it did.
    pub event_id: EventId,
    /// The endpoint, as the rule named it; whether it is there shows when it is called.
    pub endpoint: String,
    /// The function that hears of the answer; `on_response` if none was named.
    pub handler: Option<String>,
    /// What is sent.
    pub data: Map<String, Value>,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before then.
    pub not_before: Timestamp,
    /// Set if it is not to be made at all: what its answer will say.
    pub refusal: Option<Fault>,
    /// When it was decided.
    pub created_at: Timestamp,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The HTTP status, 0 if nothing was answered.
    pub status: u16,
    /// The answer as JSON; a text if it is none, null if there is none.
    #[serde(default)]
    pub body: Value,
    /// Why nothing was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
    /// What was sent.
    pub request: Map<String, Value>,
}

impl Response {
    /// Nothing was answered, and why.
    pub const fn fault(fault: Fault, request: Map<String, Value>) -> Self {
        Self {
            status: 0,
            body: Value::Null,
            error: Some(fault),
            request,
        }
    }

    /// Whether the endpoint says that it went well.
    pub const fn is_ok(&self) -> bool {
        self.error.is_none() && 200 <= self.status && self.status < 300
    }
}

/// Why a request has no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The endpoint did not answer in time.
    Timeout,
    /// No connection could be made, or it broke before the answer was whole.
    Unreachable,
    /// The endpoint's name leads to an address that is not of the open internet.
    RefusedAddress,
    /// The data, or the answer, has more than may be sent or kept.
    TooLarge,
    /// The location has no endpoint of that name.
    NotAllowed,
    /// Too many requests of the location are open.
    Busy,
    /// This installation calls nobody, or the endpoint's set-up cannot be used.
    Unavailable,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Timeout,
        Self::Unreachable,
        Self::RefusedAddress,
        Self::TooLarge,
        Self::NotAllowed,
        Self::Busy,
        Self::Unavailable,
    ];

    /// The stable name, as stored, printed and seen by scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::RefusedAddress => "refused_address",
            Self::TooLarge => "too_large",
            Self::NotAllowed => "not_allowed",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
        }
    }

    /// Reads what `name` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == text)
    }
}
