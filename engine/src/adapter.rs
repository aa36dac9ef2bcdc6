//! What the engine asks of a provider's adapter, and the words in which the two speak.
//!
//! An adapter knows one protocol and nothing of the database. `route`, `receive`, `parse` and `check`
//! are pure; only `send`, `seek` and their kin talk to the outside world.

mod list;
mod onboard;
mod send_error;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::crypto::Secret;
use crate::domain::channel::Channel;
use crate::domain::contact::Address;
use crate::domain::content::Content;
use crate::domain::ids::{ChannelId, DeliveryId};
use crate::domain::inbound::Inbound;
use crate::domain::template::TemplateShape;
use crate::domain::time::Span;

pub use self::list::{Arrivals, Inquiry, Likeness, Stretch, Trace};
pub use self::onboard::{
    CHANNEL_STEP, Case, ChannelDraft, MESSAGE_STEP, NO, Onboard, OnboardingField, OnboardingRoute,
    OnboardingStep, Progress, StepError, StepOutcome, TEMPLATES_STEP, YES,
};
pub use self::send_error::{SendError, SendErrorKind};

/// The most that a webhook's body may weigh: Meta sends up to 3 MB, and a little room.
pub const MAX_WEBHOOK_BYTES: usize = 4 * 1024 * 1024;

/// Templates of one account at most, each language counted: Meta lets a verified business have as many.
pub const MAX_TEMPLATES: usize = 6_000;

/// The code that speaks one provider's protocol.
pub trait Adapter: Send + Sync + 'static {
    /// The stable name, as stored in channels and used in configuration: `meta`, `twilio`.
    fn kind(&self) -> &'static str;

    /// What the credentials of a channel consist of.
    fn credential_fields(&self) -> &'static [CredentialField];

    /// Whether the provider knows a number by its digits. If not, `Channel::key` must be given.
    fn key_is_phone(&self) -> bool {
        false
    }

    /// What is wrong with the ids of an account and of a number, in a sentence: whether they are such ids at all.
    fn misread(&self, _account: &str, _key: &str) -> Option<String> {
        None
    }

    /// Where to look for the secrets that may verify `webhook`. Reads unverified data: only a hint.
    fn route(&self, webhook: &Webhook) -> Route;

    /// Those of a channel's credentials that verify webhooks, newest first.
    fn webhook_secrets(&self, credentials: &Credentials) -> Vec<Secret>;

    /// The answer to the handshake by which a provider tests a webhook's address (GET), if `webhook` is
    /// one and carries one of the `tokens`.
    fn handshake(&self, _webhook: &Webhook, _tokens: &[Secret]) -> Option<String> {
        None
    }

    /// Those of a channel's credentials that a handshake must carry.
    fn handshake_tokens(&self, _credentials: &Credentials) -> Vec<Secret> {
        Vec::new()
    }

    /// Verifies `webhook` over its raw bytes against each of `secrets`, and only then parses it.
    /// An item that is not understood does not spoil its neighbours: it comes as `Item::Unknown`.
    ///
    /// # Errors
    /// `Refused`, without a reason: the sender learns nothing from it.
    fn receive(&self, webhook: &Webhook, secrets: &[Secret]) -> Result<Received, Refused>;

    /// Parses the body of an item that was not understood when it came (`Inbound::raw`).
    fn parse(&self, raw: &str) -> Vec<Inbound>;

    /// What the provider wants to read in answer to an accepted webhook.
    fn reply(&self) -> Reply {
        Reply {
            content_type: None,
            body: "",
        }
    }

    /// Whether the provider sends a webhook again, and for hours, that was not accepted. What comes once or
    /// nearly so is accepted for longer under load.
    fn comes_again(&self) -> bool {
        true
    }

    /// What the address of webhooks calls the adapter.
    fn webhook_name(&self) -> &'static str {
        self.kind()
    }

    /// What must follow the address of webhooks where the provider is told it.
    fn webhook_suffix(&self) -> &'static str {
        ""
    }

    /// Whether the provider would take `content` at all: its limits on lengths and counts.
    ///
    /// # Errors
    /// A `SendError` of kind `Invalid` that names the limit.
    fn check(&self, content: &Content) -> Result<(), SendError>;

    /// What must exist at the provider before `content` can be sent (Twilio's Content resources),
    /// if anything: a key under which its reference is kept, exactly as long as the content's form.
    fn resource(&self, _outgoing: &Outgoing<'_>) -> Option<ResourceKey> {
        None
    }

    /// Finds or creates what `resource` asked for, and gives the provider's reference of it.
    /// Nothing reaches the customer by this; it may be repeated.
    fn provide<'a>(
        &'a self,
        _outgoing: &'a Outgoing<'a>,
    ) -> BoxFuture<'a, Result<String, SendError>> {
        Box::pin(async {
            Err(SendError::new(
                SendErrorKind::Invalid,
                "this provider keeps no resources",
            ))
        })
    }

    /// The templates of the account that `channel` belongs to, in every language and whatever their status:
    /// `None` if the provider keeps no list that could be asked for, an empty one if the account has none.
    ///
    /// Asks as often as the list has pages; a list of more than `MAX_TEMPLATES` is an error, never a part.
    fn templates<'a>(
        &'a self,
        _channel: &'a Channel,
        _credentials: &'a Credentials,
    ) -> BoxFuture<'a, Result<Option<Vec<TemplateShape>>, SendError>> {
        Box::pin(async { Ok(None) })
    }

    /// What one of the provider's error codes means for a message; `None` for a code that it does not have.
    fn kind_of_code(&self, _code: i64) -> Option<SendErrorKind> {
        None
    }

    /// How long to wait for evidence of a message whose fate is open, before it is left to a person
    /// or sent once more.
    fn doubt(&self) -> Span {
        Span::seconds(120)
    }

    /// Whether the provider keeps a list of messages, which answers `seek` and `arrivals`.
    fn lists_messages(&self) -> bool {
        false
    }

    /// The messages of the provider's list that may be the one in doubt: sent by the channel to the customer
    /// since the attempt, or so shortly before that clocks may differ. Reads the whole of that part of the list.
    fn seek<'a>(
        &'a self,
        _inquiry: &'a Inquiry<'a>,
    ) -> BoxFuture<'a, Result<Vec<Trace>, SendError>> {
        Box::pin(async { Err(list::none()) })
    }

    /// What customers sent to a channel in a stretch of time, oldest first, as webhooks would have told it.
    fn arrivals<'a>(
        &'a self,
        _stretch: &'a Stretch<'a>,
    ) -> BoxFuture<'a, Result<Arrivals, SendError>> {
        Box::pin(async { Err(list::none()) })
    }

    /// How numbers are connected at this provider, if they can be from here.
    fn onboard(&self) -> Option<&dyn Onboard> {
        None
    }

    /// Sends one message: exactly one request that could reach the customer.
    fn send<'a>(&'a self, outgoing: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Sent, SendError>>;

    /// Shows the customer that their message was read, or that an answer is being written.
    /// Best effort: never retried.
    fn signal<'a>(&'a self, signal: &'a Signal<'a>) -> BoxFuture<'a, Result<(), SendError>>;
}

/// A request from a provider, as it came: nothing decoded, nothing believed.
#[derive(Clone)]
pub struct Webhook {
    /// GET or POST.
    pub method: Method,
    /// The channel named in the path, if one was.
    pub channel_id: Option<ChannelId>,
    /// Our public address of this very path and query, from configuration and the raw request line,
    /// without the fragment. Empty if no public address is configured.
    pub url: String,
    /// The raw query, without the question mark.
    pub query: String,
    /// Every header, names in lower case, in the order received; a header may come twice.
    pub headers: Vec<(String, Bytes)>,
    /// The body, at most `MAX_WEBHOOK_BYTES`.
    pub body: Bytes,
}

impl Webhook {
    /// The value of a header that came exactly once; one that is missing or doubled is `None`.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name);
        let (_, value) = values.next()?;
        if values.next().is_some() {
            return None;
        }
        std::str::from_utf8(value).ok()
    }
}

/// How a webhook was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The handshake, or Twilio when so configured.
    Get,
    /// Everything else.
    Post,
}

/// Where to look for the secrets that may verify a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The server's own app (Meta), whose secret is in the configuration.
    Server,
    /// The channel named in the path.
    Channel(ChannelId),
    /// Every channel of an account, by the account's id at the provider.
    Account(String),
    /// Nowhere: the constant refusal.
    Nowhere,
}

/// What came of a webhook that was verified.
#[derive(Debug)]
pub struct Received {
    /// The position, among the secrets given, of the one that verified it.
    pub secret: usize,
    /// The items, in the order of the webhook.
    pub items: Vec<Inbound>,
}

/// A webhook was not verified. There is deliberately nothing more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("webhook refused")]
pub struct Refused;

/// What a provider wants to read in answer to an accepted webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The media type, if there is a body.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: &'static str,
}

/// A part of a channel's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialField {
    /// Its name in the API and on the command line.
    pub name: &'static str,
    /// Whether a channel cannot do without it.
    pub required: bool,
    /// What it is and where to find it, in one sentence.
    pub help: &'static str,
}

/// A secret that is shorter occurs in any text by chance.
const MIN_HIDDEN: usize = 6;

/// The secrets of a channel by field name.
#[derive(Clone, Default)]
pub struct Credentials(BTreeMap<String, Secret>);

impl Credentials {
    /// The secret of a field, if it is set and not empty.
    pub fn get(&self, field: &str) -> Option<&Secret> {
        self.0.get(field).filter(|secret| !secret.is_empty())
    }

    /// Sets the secret of a field.
    pub fn set(&mut self, field: &str, secret: Secret) {
        self.0.insert(field.to_owned(), secret);
    }

    /// Takes the secret of a field out.
    pub fn remove(&mut self, field: &str) -> Option<Secret> {
        self.0.remove(field)
    }

    /// The same text with every secret of these in it made illegible, for answers that repeat what was sent.
    pub fn hide(&self, text: &str) -> String {
        let long = self
            .0
            .values()
            .filter(|secret| secret.expose().len() >= MIN_HIDDEN);
        long.fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose(), "…")
        })
    }

    /// The names of the fields that are set.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|(_, secret)| !secret.is_empty())
            .map(|(field, _)| field.as_str())
    }

    /// The fields and their secrets, to be sealed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0
            .iter()
            .map(|(field, secret)| (field.as_str(), secret))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<K: Into<String>> FromIterator<(K, Secret)> for Credentials {
    fn from_iter<I: IntoIterator<Item = (K, Secret)>>(fields: I) -> Self {
        Self(
            fields
                .into_iter()
                .map(|(field, secret)| (field.into(), secret))
                .collect(),
        )
    }
}

/// A message about to leave.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The number it leaves by.
    pub channel: &'a Channel,
    /// What opens the provider's API.
    pub credentials: &'a Credentials,
    /// Where it goes.
    pub to: &'a Address,
    /// What it says.
    pub content: &'a Content,
    /// The language of templates that name none.
    pub language: &'a str,
    /// The message it quotes, by the provider's id.
    pub reply_to: Option<&'a str>,
    /// Our id, which must come back with every status.
    pub delivery_id: DeliveryId,
    /// Where statuses should be sent, for providers that are told with each message; no public address: `None`.
    pub callback_url: Option<&'a str>,
    /// The provider's reference of what `Adapter::resource` asked for.
    pub reference: Option<&'a str>,
}

/// Something that must exist at the provider before a message can be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceKey {
    /// The account at the provider.
    pub account: String,
    /// What it is: a hash of exactly what would be created, or a name.
    pub key: String,
}

/// A mark on the customer's message that is not a message.
#[derive(Debug)]
pub struct Signal<'a> {
    /// The number it leaves by.
    pub channel: &'a Channel,
    /// What opens the provider's API.
    pub credentials: &'a Credentials,
    /// The customer's message, by the provider's id.
    pub message_id: &'a str,
    /// Which mark.
    pub kind: SignalKind,
}

/// Which mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalKind {
    /// The message was read.
    Read,
    /// The message was read, and an answer is being written.
    Typing,
}

/// The provider has the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The provider's id of it.
    pub provider_id: String,
}
