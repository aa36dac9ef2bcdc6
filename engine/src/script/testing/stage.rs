//! What a test can do to a simulated world, and see of it, in plain data.
//! Knows neither the language that asks for it nor the engine that does it.

use chrono_tz::Tz;
use serde_json::{Map, Value};

use crate::domain::contact::Phone;
use crate::domain::content::Content;
use crate::domain::message::{Body, Referral, ReplyTo};
use crate::domain::time::Timestamp;

/// What was asked for, or a sentence for the author of the test.
pub(crate) type Told<T> = Result<T, String>;

/// A world as a test drives it. What is asked for has happened, and everything that follows from it at
/// that moment, when a call returns.
pub(crate) trait Stage: Send + Sync + 'static {
    /// The present.
    fn now(&self) -> Timestamp;

    /// The zone of the location's clocks.
    fn zone(&self) -> Tz;

    /// Sets the moment at which the world begins.
    fn start_at(&self, at: Timestamp) -> Told<()>;

    /// Changes the location by what stands in `changes`; the rest stays.
    fn change_location(&self, changes: &Map<String, Value>) -> Told<()>;

    /// Puts another rule beside the one under test.
    fn add_rule(&self, name: &str, place: Place) -> Told<()>;

    /// A customer; one of a name that was used before is the same.
    fn customer(&self, person: &Person) -> Told<CustomerKey>;

    /// The customer sends something; gives the provider's id of it.
    fn send(&self, customer: CustomerKey, said: &Said) -> Told<String>;

    /// Something happens to the customer.
    fn happen(&self, customer: CustomerKey, event: &Happening) -> Told<()>;

    /// Time passes, and what falls due on the way happens at its time.
    fn wait_until(&self, at: Timestamp) -> Told<()>;

    /// The provider meets the next message with this: a word of ours, or a code of its own.
    fn fail_next_send(&self, failure: &str) -> Told<()>;

    /// Lets rules call an endpoint of that name.
    fn endpoint(&self, name: &str) -> Told<()>;

    /// What the endpoint answers from now on.
    fn endpoint_answers(&self, name: &str, status: u16, body: &Value) -> Told<()>;

    /// From now on the endpoint does not answer, in this way.
    fn endpoint_fails(&self, name: &str, how: &str) -> Told<()>;

    /// What the endpoint was asked, oldest first.
    fn endpoint_asked(&self, name: &str) -> Told<Vec<Map<String, Value>>>;

    /// What reached the customer's phone, oldest first.
    fn heard(&self, customer: CustomerKey) -> Vec<Heard>;

    /// Messages to the customer that failed, oldest first: why, in a word and a sentence.
    fn failures(&self, customer: CustomerKey) -> Told<Vec<(String, String)>>;

    /// What is known about the customer.
    fn look(&self, customer: CustomerKey) -> Told<View>;

    /// What rules have logged, oldest first.
    fn logged(&self) -> Told<Vec<String>>;

    /// Runs that ended in an error, oldest first.
    fn errors(&self) -> Told<Vec<RuleError>>;
}

/// Where a rule stands beside the one under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is asked before it.
    Before,
    /// It is asked after it.
    After,
}

/// A customer of a simulated world, by their place among those who were named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CustomerKey(pub usize);

/// A customer to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Person {
    /// The name in their profile.
    pub name: String,
    /// Their number; absent: one is made up.
    pub phone: Option<Phone>,
    /// The language that is known of them, or "".
    pub language: String,
    /// Labels they have already.
    pub tags: Vec<String>,
    /// What is noted about them already.
    pub attributes: Map<String, Value>,
}

/// What a customer sends.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// What it says.
    pub body: Body,
    /// The message it answers.
    pub reply_to: Option<ReplyTo>,
    /// Whether it was forwarded.
    pub forwarded: bool,
    /// The advertisement they came from.
    pub referral: Option<Referral>,
}

impl From<Body> for Said {
    fn from(body: Body) -> Self {
        Self {
            body,
            reply_to: None,
            forwarded: false,
            referral: None,
        }
    }
}

/// What happens around a customer besides their own messages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Happening {
    /// The owner answers from the phone app.
    Owner(String),
    /// A person answers from the inbox.
    Agent(Content),
    /// The customer opens what they got.
    Reads,
    /// The latest message turns out not to have arrived, by this failure.
    Fails(String),
    /// The provider shuts the customer's service window early, and does not tell.
    WindowCloses,
    /// The customer switches off templates in WhatsApp.
    OptsOut,
    /// The customer switches them on again.
    OptsIn,
}

/// A message as it stands on a customer's phone.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// The provider's id of it.
    pub provider_id: String,
    /// What it says.
    pub content: Content,
    /// When it arrived.
    pub at: Timestamp,
}

/// What is known about a customer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    pub(crate) tags: Vec<String>,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) opted_out: bool,
    /// Who is in charge of the chat, or "".
    pub(crate) held_by: &'static str,
    pub(crate) window_is_open: bool,
    /// Who should take over, or "".
    pub(crate) assigned_to: String,
    /// Remarks beside the chat, oldest first: what they say, and when they were written.
    pub(crate) notes: Vec<(String, Timestamp)>,
}

/// A run that ended in an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleError {
    /// The rule, as it was named.
    pub(crate) rule: String,
    pub(crate) message: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}
