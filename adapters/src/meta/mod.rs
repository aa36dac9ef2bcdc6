//! Meta's Cloud API: webhooks in, messages out, as `rejoinder_engine::adapter::Adapter` asks for them.
//! Keeps no state and knows no channel beyond the call at hand.

mod errors;
mod inbound;
mod limits;
mod onboard;
mod outbound;
mod signature;
mod templates;

use futures_util::future::BoxFuture;
use rejoinder_engine::adapter::{
    Adapter, CredentialField, Credentials, Method, Onboard, Outgoing, Received, Refused, Route,
    SendError, SendErrorKind, Sent, Signal, Webhook,
};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::channel::Channel;
use rejoinder_engine::domain::content::Content;
use rejoinder_engine::domain::inbound::Inbound;
use rejoinder_engine::domain::template::TemplateShape;
use serde_json::Value;

use crate::http::Http;

const ACCESS_TOKEN: &str = "access_token";
const APP_SECRET: &str = "app_secret";
const VERIFY_TOKEN: &str = "verify_token";
const PIN: &str = "pin";

const CREDENTIAL_FIELDS: [CredentialField; 4] = [
    CredentialField {
        name: ACCESS_TOKEN,
        required: true,
        help: "The token of a system user, or the business token of Embedded Signup, with the permissions whatsapp_business_messaging and, to list templates, whatsapp_business_management (Business settings, System users).",
    },
    CredentialField {
        name: APP_SECRET,
        required: false,
        help: "The secret of your own Meta app, which signs its webhooks (App dashboard, App settings, Basic); leave it out if the server's app receives them.",
    },
    CredentialField {
        name: VERIFY_TOKEN,
        required: false,
        help: "A word of your choice that you also enter next to the callback URL in the app dashboard; needed with your own Meta app only.",
    },
    CredentialField {
        name: PIN,
        required: false,
        help: "The six digits of the number's two-step verification, with which it is registered (WhatsApp Manager, Phone numbers, Two-step verification).",
    },
];

/// The server's own app at Meta, for the businesses that sign up through it.
#[derive(Clone, Debug)]
pub struct MetaApp {
    /// Its id.
    pub id: String,
    /// Its secret, which signs webhooks and exchanges codes.
    pub secret: Secret,
    /// The word that Meta's handshake carries on the address that all channels share; empty if there is none.
    pub verify_token: Secret,
}

/// Where Meta's API is, which version of it is spoken, and by which app.
#[derive(Clone, Debug)]
pub struct MetaConfig {
    /// The API's address without a version; a test puts a simulator's here.
    pub base_url: String,
    /// The version, as in the path.
    pub version: String,
    /// The server's own app, if it has one.
    pub app: Option<MetaApp>,
}

impl Default for MetaConfig {
    fn default() -> Self {
        Self {
            base_url: "https://graph.facebook.com".to_owned(),
            version: "v25.0".to_owned(),
            app: None,
        }
    }
}

/// The adapter for Meta's Cloud API. `Channel::key` is the phone number id, `Channel::account` the
/// WhatsApp business account's id.
#[derive(Debug)]
pub struct Meta {
    config: MetaConfig,
    http: Http,
}

impl Meta {
    /// An adapter that speaks to the API at `config`.
    pub fn new(config: MetaConfig) -> Self {
        Self {
            config,
            http: Http::new(),
        }
    }
}

/// What the body of the request that sends `outgoing` is.
pub fn request_body(outgoing: &Outgoing<'_>) -> Value {
    outbound::body(outgoing)
}

impl Adapter for Meta {
    fn kind(&self) -> &'static str {
        "meta"
    }

    fn credential_fields(&self) -> &'static [CredentialField] {
        &CREDENTIAL_FIELDS
    }

    fn route(&self, webhook: &Webhook) -> Route {
        webhook.channel_id.map_or(Route::Server, Route::Channel)
    }

    fn misread(&self, account: &str, key: &str) -> Option<String> {
        let ids = [
            (account, "the id of a WhatsApp business account"),
            (key, "Meta's id of a phone number"),
        ];
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        let wrong = ids.into_iter().find(|(id, _)| !is_id(id));
        wrong.map(|(id, what)| format!("'{id}' is not {what}, which consists of digits"))
    }

    fn webhook_secrets(&self, credentials: &Credentials) -> Vec<Secret> {
        credentials.get(APP_SECRET).cloned().into_iter().collect()
    }

    fn handshake(&self, webhook: &Webhook, tokens: &[Secret]) -> Option<String> {
        if webhook.method != Method::Get {
            return None;
        }
        let member = |name: &str| {
            let mut values = form_urlencoded::parse(webhook.query.as_bytes())
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value);
            let value = values.next()?;
            values.next().is_none().then_some(value)
        };
        let token = Secret::new(member("hub.verify_token")?);
        // Every token is compared: the time must not tell which one it was.
        let known = tokens
            .iter()
            .filter(|known| !known.is_empty() && known.matches(&token))
            .count();
        if known == 0 || member("hub.mode")? != "subscribe" {
            return None;
        }
        let challenge = member("hub.challenge").filter(|challenge| !challenge.is_empty())?;
        Some(challenge.into_owned())
    }

    fn handshake_tokens(&self, credentials: &Credentials) -> Vec<Secret> {
        credentials.get(VERIFY_TOKEN).cloned().into_iter().collect()
    }

    fn receive(&self, webhook: &Webhook, secrets: &[Secret]) -> Result<Received, Refused> {
        let signature = webhook.header(signature::HEADER).ok_or(Refused)?;
        let secret = signature::signer(signature, &webhook.body, secrets).ok_or(Refused)?;
        Ok(Received {
            secret,
            items: inbound::parse(&String::from_utf8_lossy(&webhook.body)),
        })
    }

    fn parse(&self, raw: &str) -> Vec<Inbound> {
        inbound::parse(raw)
    }

    fn kind_of_code(&self, code: i64) -> Option<SendErrorKind> {
        errors::kind(code)
    }

    fn check(&self, content: &Content) -> Result<(), SendError> {
        limits::check(content)
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

    fn webhook_name(&self) -> &'static str {
        "whatsapp"
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

/// What opens Meta's API for a channel.
fn token(credentials: &Credentials) -> Result<&Secret, SendError> {
    credentials.get(ACCESS_TOKEN).ok_or_else(|| {
        SendError::new(
            SendErrorKind::Credential,
            "the channel has no access_token; set one",
        )
    })
}
