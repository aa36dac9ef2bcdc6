//! Meta's side: the face of the Graph API, and webhooks as Meta writes and signs them.
//! Knows nothing of Twilio, and nothing of how the webhooks are read.

mod check;
mod face;
mod graph;
mod number;
mod signup;
mod templates;
mod webhook;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use rejoinder_engine::adapter::{SendError, SendErrorKind};
use serde_json::Value;
use sha2::Sha256;

use super::statuses::{Step, Subject};
use super::world::{Pushed, World, read};

pub use self::graph::{MetaAccount, MetaApp, MetaGraph, MetaPhone, MetaToken, Portfolios};
pub use self::number::MetaNumber;
pub use self::signup::{LoginAnswer, SignUp, SignUpCompany, SignUpOrder};
pub use self::webhook::{
    Arrival, StatusUpdate, batch, button_tap, echo, history, history_declined, image, list_choice,
    location, message, news, reaction, status, template_tap, template_update, text_message,
};

pub(super) use self::face::answer;
pub(super) use self::graph::Graph;
pub(super) use self::templates::Templates;

/// What a number is registered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Where its webhooks go.
    pub webhook_url: String,
    /// The secret of the app that signs them.
    pub app_secret: String,
    /// The number's id.
    pub phone_number_id: String,
    /// The id of the WhatsApp Business account that owns it.
    pub waba_id: String,
    /// The number itself, in digits.
    pub display_phone: String,
    /// The bearer token that may send by it; `None` leaves the tokens as they are.
    pub access_token: Option<String>,
}

/// The value of `X-Hub-Signature-256` for exactly these bytes.
pub fn sign(app_secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// Sends a webhook, signed.
async fn push(
    world: &World,
    registration: &Registration,
    body: Bytes,
    id: String,
) -> Result<Pushed, SendError> {
    let (url, secret) = destination(world, registration, &body)?;
    let signature = sign(&secret, &body);
    let headers = [
        ("content-type", "application/json"),
        ("x-hub-signature-256", signature.as_str()),
        ("user-agent", "facebookexternalua"),
    ];
    world.push(&url, &headers, body, id).await
}

/// Where a webhook goes, and which secret signs it: as registered, or as the app and the account have it.
fn destination(
    world: &World,
    registration: &Registration,
    body: &Bytes,
) -> Result<(String, String), SendError> {
    if !registration.webhook_url.is_empty() {
        let secret = registration.app_secret.clone();
        return Ok((registration.webhook_url.clone(), secret));
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let field = body["entry"][0]["changes"][0]["field"].as_str();
    let found = world.meta_graph.destination(
        &registration.waba_id,
        &registration.phone_number_id,
        field.unwrap_or_default(),
    );
    found.ok_or_else(|| {
        SendError::new(
            SendErrorKind::NotConnected,
            "no app is subscribed to hear of this",
        )
    })
}

/// Sends one status of a message; none for a number that is not registered.
pub(super) async fn tell(world: &World, subject: &Subject, step: Step) -> Result<(), SendError> {
    let registration = read(&world.meta_numbers).get(&subject.number).cloned();
    let Some(registration) = registration else {
        return Ok(());
    };
    let (status, error_code) = match step {
        Step::Sent => ("sent", None),
        Step::Delivered => ("delivered", None),
        Step::Read => ("read", None),
        Step::Failed(code) => ("failed", Some(code)),
    };
    let update = StatusUpdate {
        id: &subject.id,
        status,
        to: &subject.to,
        at: world.now(),
        callback: subject.callback.as_deref(),
        error_code,
    };
    let body = webhook::status(&registration, &update);
    push(world, &registration, body.into(), subject.id.clone())
        .await
        .map(drop)
}

/// The title that Meta gives to an error, as far as a test would look at it.
fn title(code: i64) -> &'static str {
    match code {
        0 | 190 => "Authentication error",
        4 | 80_007 | 130_429 => "Rate limit hit",
        100 => "Invalid parameter",
        131_008 => "Required parameter is missing",
        131_009 => "Parameter value is not valid",
        131_016 => "Service unavailable",
        131_021 => "Recipient cannot be sender",
        131_026 => "Message undeliverable",
        131_047 => "Re-engagement message",
        131_048 => "Spam rate limit hit",
        131_049 => "Not delivered",
        131_050 => "User has stopped marketing messages",
        131_053 => "Media upload error",
        131_056 => "(Business Account, Consumer Account) pair rate limit hit",
        132_000 => "Number of parameters does not match the template",
        132_001 => "Template does not exist",
        132_012 => "Parameter format does not match the template",
        132_015 => "Template is paused",
        _ => "Something went wrong",
    }
}
