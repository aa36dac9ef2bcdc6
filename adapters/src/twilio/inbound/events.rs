//! Twilio's JSON events (`com.twilio.messaging.message.*`), which an account may send instead of
//! status callbacks. Knows only those that are statuses; the rest is kept as it came.

use rejoinder_engine::domain::inbound::{Inbound, Item, Stage, Status};
use serde_json::Value;

use super::super::errors;
use super::super::form::without_nul;
use super::{channel_key, peer, stage, unknown, whatsapp};

/// What the type of an event about a message sent begins with.
const MESSAGE_EVENT: &str = "com.twilio.messaging.message.";

/// Whether `raw` is JSON rather than a form: a form escapes braces and brackets.
pub(in crate::twilio) fn is_json(raw: &str) -> bool {
    raw.trim_start().starts_with(['{', '['])
}

/// Reads one event, or a list of them.
pub(super) fn parse(raw: &str) -> Vec<Inbound> {
    match serde_json::from_str(raw) {
        Ok(Value::Array(events)) => events.iter().map(event).collect(),
        Ok(value) => vec![event(&value)],
        Err(_) => vec![unknown(raw, "the JSON cannot be read")],
    }
}

fn event(event: &Value) -> Inbound {
    status(event).unwrap_or_else(|| {
        let kind = event.get("type").and_then(Value::as_str);
        unknown(
            // A list of one, so that it reads as JSON again whatever it is.
            &format!("[{event}]"),
            match kind {
                Some(kind) => format!("an event of type {}", short(kind)),
                None => "an event without a type".to_owned(),
            },
        )
    })
}

/// The status that an event is, if it names a message and both its ends.
fn status(event: &Value) -> Option<Inbound> {
    let kind = event.get("type")?.as_str()?;
    let stage = stage(kind.strip_prefix(MESSAGE_EVENT)?)?;
    let data = event.get("data")?;
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let sid = text("messageSid").filter(|sid| !sid.is_empty())?;
    let from = whatsapp(text("from")?)?;
    let to = whatsapp(text("to")?)?;
    let code = data.get("errorCode").and_then(|code| match code {
        Value::String(code) => code.parse().ok(),
        code => code.as_i64(),
    });
    let failed = stage == Stage::Failed;
    Some(Inbound {
        to: Some(channel_key(&from)),
        at: None,
        item: Item::Status(Status {
            provider_id: without_nul(sid),
            stage,
            delivery_id: None,
            peer: peer(to),
            failure: failed.then(|| errors::failure(code, text("errorMessage"))),
            pricing: None,
        }),
        raw: None,
    })
}

/// As much of a word from outside as a log line has room for.
fn short(word: &str) -> String {
    without_nul(&word.chars().take(80).collect::<String>())
}
