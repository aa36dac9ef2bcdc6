//! Twilio's side: the face of its REST APIs, and webhooks as Twilio writes and signs them.
//! Knows nothing of Meta, and nothing of how the webhooks are read.

mod accounts;
mod content;
mod face;
mod messages;
mod number;
mod send;
mod webhook;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use rejoinder_engine::adapter::SendError;
use sha1::Sha1;

use super::statuses::{Step, Subject};
use super::world::{Pushed, World, decode, read};

pub use self::accounts::{TwilioAccount, TwilioAccounts, TwilioSender, TwilioService};
pub use self::number::TwilioNumber;
pub use self::webhook::{
    Arrival, StatusUpdate, button_tap, echo, encode, image, list_choice, location, message, status,
    text_message,
};

pub(super) use self::face::answer;

/// What a sender is registered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Where its webhooks go, as configured at Twilio: this is what is signed, without the fragment.
    pub webhook_url: String,
    /// Where the connection goes instead, if the public address does not lead there:
    /// `http://127.0.0.1:8080`. Path and query stay; StatusCallback addresses go the same way.
    pub reach: Option<String>,
    /// The account.
    pub account_sid: String,
    /// Its auth token, which opens the API and signs the webhooks.
    pub auth_token: String,
    /// The sender's number; `whatsapp:+4930901820` or digits.
    pub number: String,
}

/// What an account keeps: messages to be listed, and Content resources.
#[derive(Debug, Default)]
pub(super) struct Store {
    accounts: accounts::Accounts,
    messages: messages::Messages,
    contents: content::Contents,
}

/// The value of `X-Twilio-Signature` for a form with these values, sent to `url` as written.
pub fn sign<K: AsRef<str>, V: AsRef<str>>(
    auth_token: &str,
    url: &str,
    params: &[(K, V)],
) -> String {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in params {
        values
            .entry(name.as_ref())
            .or_default()
            .insert(value.as_ref());
    }
    let mut mac =
        Hmac::<Sha1>::new_from_slice(auth_token.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(without_fragment(url).as_bytes());
    for (name, values) in values {
        for value in values {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        }
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(url, _)| url)
}

/// Sends a form to `url`, signed for it, by way of `reach`.
async fn push(
    world: &World,
    registration: &Registration,
    url: &str,
    params: &[(String, String)],
    id: String,
) -> Result<Pushed, SendError> {
    let signature = sign(&registration.auth_token, url, params);
    let headers = [
        (
            "content-type",
            "application/x-www-form-urlencoded; charset=UTF-8",
        ),
        ("x-twilio-signature", signature.as_str()),
        ("user-agent", "TwilioProxy/1.1"),
    ];
    let address = match &registration.reach {
        None => Cow::Borrowed(without_fragment(url)),
        Some(origin) => Cow::Owned(format!("{origin}{}", path_of(without_fragment(url)))),
    };
    let body = Bytes::from(encode(params));
    let pushed = world.push(&address, &headers, body, id).await?;
    Ok(Pushed {
        url: url.to_owned(),
        ..pushed
    })
}

/// The path and query of an address.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find(['/', '?']).map_or("", |start| &rest[start..])
}

/// Notes one status of a message, and sends it where the message asked for it.
pub(super) async fn tell(world: &World, subject: &Subject, step: Step) -> Result<(), SendError> {
    let (status, error_code) = match step {
        Step::Sent => ("sent", None),
        Step::Delivered => ("delivered", None),
        Step::Read => ("read", None),
        Step::Failed(code) => ("undelivered", Some(code)),
    };
    world
        .twilio_store
        .messages
        .update(&subject.id, status, error_code);
    let registration = read(&world.twilio_numbers).get(&subject.number).cloned();
    let (Some(registration), Some(url)) = (registration, &subject.callback) else {
        return Ok(());
    };
    let update = StatusUpdate {
        sid: &subject.id,
        status,
        to: &subject.to,
        error_code,
    };
    let params = webhook::status(&registration, &update);
    push(world, &registration, url, &params, subject.id.clone())
        .await
        .map(drop)
}

/// The message that Twilio gives with an error, as far as a test would look at it.
fn title(code: i64) -> &'static str {
    match code {
        20_003 => "Authenticate",
        20_004 => "Method not allowed",
        20_404 => "The requested resource was not found",
        20_429 => "Too Many Requests",
        21_211 => "Invalid 'To' Phone Number",
        21_212 => "Invalid 'From' Phone Number",
        21_602 => "Message body is required",
        21_603 => "A 'From' phone number is required",
        21_604 => "A 'To' phone number is required",
        21_609 => "The 'StatusCallback' URL is not a valid URL",
        21_610 => "Attempt to send to unsubscribed recipient",
        21_617 => "The concatenated message body exceeds the 1600 character limit",
        21_620 => "Invalid media URL",
        21_623 => "Number of media files exceeds the limit",
        21_655 => "The ContentSid is invalid",
        21_656 => "The Content Variables parameter is invalid",
        63_007 => "Twilio could not find a Channel with the specified From address",
        63_016 => "Outside the allowed window",
        63_018 => "Rate limit exceeded for Channel",
        63_024 => "Invalid message recipient",
        63_031 => "Channels message cannot have same From and To",
        92_001..=92_008 => "Content validation failed",
        _ => "Channel provider returned an error",
    }
}
