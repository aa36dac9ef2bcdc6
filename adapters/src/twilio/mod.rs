//! Twilio's Programmable Messaging, as far as WhatsApp goes: signed forms come in, forms go out, and
//! buttons, lists and templates are Content resources that must exist before they are sent.
//! Knows nothing of the database, of rules, or of when a message should leave.

mod errors;
mod form;
mod inbound;
mod limits;
mod list;
mod onboard;
mod outbound;
mod signature;
mod templates;
#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;
use rejoinder_engine::adapter::{
    Adapter, Arrivals, CredentialField, Credentials, Inquiry, Method, Onboard, Outgoing, Received,
    Refused, Reply, ResourceKey, Route, SendError, SendErrorKind, Sent, Signal, Stretch, Trace,
    Webhook,
};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::channel::Channel;
use rejoinder_engine::domain::content::Content;
use rejoinder_engine::domain::inbound::Inbound;
use rejoinder_engine::domain::template::TemplateShape;
use rejoinder_engine::domain::time::Span;
use serde::Deserialize;

use crate::http::Http;
use form::Form;

/// Where Twilio's interfaces are. A simulator, or a region of Twilio's, has others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwilioConfig {
    /// Messages.
    pub api_url: String,
    /// Buttons, lists and templates.
    pub content_url: String,
    /// Read and typing marks.
    pub messaging_url: String,
}

impl Default for TwilioConfig {
    fn default() -> Self {
        Self {
            api_url: "https://api.twilio.com".to_owned(),
            content_url: "https://content.twilio.com".to_owned(),
            messaging_url: "https://messaging.twilio.com".to_owned(),
        }
    }
}

/// The adapter for WhatsApp numbers at Twilio.
///
/// A channel's `account` is the Account SID, its `key` the digits of the number.
#[derive(Clone, Debug)]
pub struct Twilio {
    http: Http,
    config: TwilioConfig,
}

impl Twilio {
    /// An adapter that speaks to the addresses in `config`.
    pub fn new(mut config: TwilioConfig) -> Self {
        for url in [
            &mut config.api_url,
            &mut config.content_url,
            &mut config.messaging_url,
        ] {
            url.truncate(url.trim_end_matches('/').len());
        }
        Self {
            http: Http::new(),
            config,
        }
    }
}

impl Adapter for Twilio {
    fn kind(&self) -> &'static str {
        "twilio"
    }

    fn credential_fields(&self) -> &'static [CredentialField] {
        FIELDS
    }

    fn key_is_phone(&self) -> bool {
        true
    }

    fn misread(&self, account: &str, _key: &str) -> Option<String> {
        onboard::no_account_sid(account)
    }

    fn doubt(&self) -> Span {
        // Its statuses of a message, and its repetitions of them, take longer than Meta's.
        Span::seconds(150)
    }

    fn route(&self, webhook: &Webhook) -> Route {
        if let Some(channel_id) = webhook.channel_id {
            return Route::Channel(channel_id);
        }
        account_hint(webhook).map_or(Route::Nowhere, Route::Account)
    }

    fn webhook_secrets(&self, credentials: &Credentials) -> Vec<Secret> {
        ["auth_token_secondary", "auth_token"]
            .into_iter()
            .filter_map(|field| credentials.get(field).cloned())
            .collect()
    }

    fn receive(&self, webhook: &Webhook, secrets: &[Secret]) -> Result<Received, Refused> {
        let secret = signature::verify(webhook, secrets).ok_or(Refused)?;
        let raw = match webhook.method {
            Method::Get => webhook.query.as_str().into(),
            Method::Post => String::from_utf8_lossy(&webhook.body),
        };
        let delivery_id = Form::parse(&webhook.query)
            .get(outbound::DELIVERY_PARAMETER)
            .and_then(|id| id.parse().ok());
        Ok(Received {
            secret,
            items: inbound::parse(&raw, delivery_id),
        })
    }

    fn parse(&self, raw: &str) -> Vec<Inbound> {
        inbound::parse(raw, None)
    }

    /// An empty TwiML document: Twilio may send a plain text to the customer, so it gets none.
    fn reply(&self) -> Reply {
        Reply {
            content_type: Some("text/xml"),
            body: r#"<?xml version="1.0" encoding="UTF-8"?><Response></Response>"#,
        }
    }

    /// All its tries of a webhook fit into 15 seconds.
    fn comes_again(&self) -> bool {
        false
    }

    fn webhook_suffix(&self) -> &'static str {
        outbound::CONNECTION_OVERRIDES
    }

    fn check(&self, content: &Content) -> Result<(), SendError> {
        limits::check(content)
    }

    fn resource(&self, outgoing: &Outgoing<'_>) -> Option<ResourceKey> {
        templates::resource(outgoing)
    }

    fn provide<'a>(
        &'a self,
        outgoing: &'a Outgoing<'a>,
    ) -> BoxFuture<'a, Result<String, SendError>> {
        Box::pin(templates::provide(&self.http, &self.config, outgoing))
    }

    fn templates<'a>(
        &'a self,
        channel: &'a Channel,
        credentials: &'a Credentials,
    ) -> BoxFuture<'a, Result<Option<Vec<TemplateShape>>, SendError>> {
        Box::pin(async move {
            templates::list(&self.http, &self.config, channel, credentials)
                .await
                .map(Some)
        })
    }

    fn lists_messages(&self) -> bool {
        true
    }

    fn seek<'a>(
        &'a self,
        inquiry: &'a Inquiry<'a>,
    ) -> BoxFuture<'a, Result<Vec<Trace>, SendError>> {
        Box::pin(list::seek(&self.http, &self.config, inquiry))
    }

    fn arrivals<'a>(
        &'a self,
        stretch: &'a Stretch<'a>,
    ) -> BoxFuture<'a, Result<Arrivals, SendError>> {
        Box::pin(list::arrivals(&self.http, &self.config, stretch))
    }

    fn onboard(&self) -> Option<&dyn Onboard> {
        Some(self)
    }

    fn send<'a>(&'a self, outgoing: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Sent, SendError>> {
        Box::pin(outbound::send(&self.http, &self.config, outgoing))
    }

    fn signal<'a>(&'a self, signal: &'a Signal<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(outbound::signal(&self.http, &self.config, signal))
    }
}

/// What the credentials of a channel consist of.
const FIELDS: &[CredentialField] = &[
    CredentialField {
        name: "auth_token",
        required: true,
        help: "The account's primary auth token (Console, Account info): it verifies webhooks and, without an API key, sends.",
    },
    CredentialField {
        name: "auth_token_secondary",
        required: false,
        help: "The account's secondary auth token, only while tokens are being rotated: it verifies webhooks too.",
    },
    CredentialField {
        name: "api_key_sid",
        required: false,
        help: "The SID (SK…) of an API key of the account, to send with instead of the auth token.",
    },
    CredentialField {
        name: "api_key_secret",
        required: false,
        help: "The secret of that API key, which Twilio shows once.",
    },
];

/// An Account SID has 34 characters; nothing longer is worth a look into the database.
const MAX_ACCOUNT_CHARS: usize = 64;

/// The account that a webhook says it is from: the name of a place to look for secrets, no more.
fn account_hint(webhook: &Webhook) -> Option<String> {
    #[derive(Deserialize)]
    struct Event {
        #[serde(alias = "AccountSid", alias = "account_sid")]
        #[serde(rename = "accountSid")]
        account_sid: Option<String>,
        data: Option<Box<Event>>,
    }

    let of_query = || {
        Form::parse(&webhook.query)
            .get("AccountSid")
            .map(str::to_owned)
    };
    let of_body = || {
        let text = std::str::from_utf8(&webhook.body).ok()?;
        if !inbound::events::is_json(text) {
            return Form::parse(text).get("AccountSid").map(str::to_owned);
        }
        let event: Event = if text.trim_start().starts_with('[') {
            let events: Vec<Event> = serde_json::from_str(text).ok()?;
            events.into_iter().next()?
        } else {
            serde_json::from_str(text).ok()?
        };
        event
            .account_sid
            .or_else(|| event.data.and_then(|data| data.account_sid))
    };
    let account = of_body().or_else(of_query)?;
    let plausible = (1..=MAX_ACCOUNT_CHARS).contains(&account.len())
        && account.bytes().all(|b| b.is_ascii_alphanumeric());
    plausible.then_some(account)
}

/// What opens Twilio's interfaces for a channel: user and password.
fn login<'a>(
    channel: &'a Channel,
    credentials: &'a Credentials,
) -> Result<(&'a str, &'a Secret), SendError> {
    // The account becomes a part of a path, so it must not hold a slash.
    if channel.account.is_empty() || !channel.account.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(SendError::new(
            SendErrorKind::Credential,
            "the channel's account is not an Account SID: set it to the one in Twilio's console (AC…)",
        ));
    }
    if let (Some(key), Some(secret)) = (
        credentials.get("api_key_sid"),
        credentials.get("api_key_secret"),
    ) {
        return Ok((key.expose(), secret));
    }
    credentials
        .get("auth_token")
        .map(|token| (channel.account.as_str(), token))
        .ok_or_else(|| {
            SendError::new(
                SendErrorKind::Credential,
                "the channel has neither an auth token nor an API key: set one of them",
            )
        })
}
