//! Bodies of Meta's webhooks, byte for byte as Meta would write them.
//! Pure: knows no clock, no ids of its own, and sends nothing.

use std::fmt::Write as _;

use rejoinder_engine::domain::time::Timestamp;
use serde_json::{Map, Value, json};

use super::super::world::plain;
use super::{Registration, title};

/// Who writes, when, and under which id.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The name in the customer's profile.
    pub name: &'a str,
    /// The customer's number, with or without a plus sign.
    pub phone: &'a str,
    /// The customer's business-scoped id, if the webhook tells it.
    pub user_id: Option<&'a str>,
    /// The message's id.
    pub id: &'a str,
    /// When it was written.
    pub at: Timestamp,
    /// Our message that it answers, by its id.
    pub context: Option<&'a str>,
}

/// What a status says.
#[derive(Clone, Copy, Debug)]
pub struct StatusUpdate<'a> {
    /// The message's id.
    pub id: &'a str,
    /// `sent`, `delivered`, `read`, `failed`, `played`.
    pub status: &'a str,
    /// The customer, digits or a business-scoped id.
    pub to: &'a str,
    /// When it happened.
    pub at: Timestamp,
    /// What came as `biz_opaque_callback_data` with the message.
    pub callback: Option<&'a str>,
    /// Why it failed.
    pub error_code: Option<i64>,
}

/// A text message.
pub fn text_message(number: &Registration, arrival: &Arrival<'_>, text: &str) -> Vec<u8> {
    message(number, arrival, "text", json!({ "body": text }))
}

/// A tap on a reply button.
pub fn button_tap(
    number: &Registration,
    arrival: &Arrival<'_>,
    button_id: &str,
    title: &str,
) -> Vec<u8> {
    let reply = json!({
        "type": "button_reply",
        "button_reply": { "id": button_id, "title": title },
    });
    message(number, arrival, "interactive", reply)
}

/// A row chosen from a list.
pub fn list_choice(
    number: &Registration,
    arrival: &Arrival<'_>,
    row_id: &str,
    title: &str,
) -> Vec<u8> {
    let reply = json!({
        "type": "list_reply",
        "list_reply": { "id": row_id, "title": title },
    });
    message(number, arrival, "interactive", reply)
}

/// A tap on a quick reply of a template.
pub fn template_tap(
    number: &Registration,
    arrival: &Arrival<'_>,
    payload: &str,
    text: &str,
) -> Vec<u8> {
    let button = json!({ "payload": payload, "text": text });
    message(number, arrival, "button", button)
}

/// News of a template of the number's business account: `APPROVED`, `PAUSED`, `REJECTED` …
pub fn template_update(
    number: &Registration,
    name: &str,
    language: &str,
    event: &str,
    at: Timestamp,
) -> Vec<u8> {
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{
            "id": number.waba_id,
            "time": at.ms() / 1000,
            "changes": [{
                "field": "message_template_status_update",
                "value": {
                    "event": event,
                    "message_template_id": 1_689_556_908_129_832_i64,
                    "message_template_name": name,
                    "message_template_language": language,
                    "reason": "NONE",
                },
            }],
        }],
    });
    body.to_string().into_bytes()
}

/// A picture, by its media id.
pub fn image(
    number: &Registration,
    arrival: &Arrival<'_>,
    media_id: &str,
    caption: Option<&str>,
) -> Vec<u8> {
    let mut image = json!({
        "id": media_id,
        "mime_type": "image/jpeg",
        "sha256": "jDQHKUPiAq9qVb2eITP9vEimoAy8EFe3f4/TlTCCIqU=",
    });
    if let Some(caption) = caption {
        image["caption"] = caption.into();
    }
    message(number, arrival, "image", image)
}

/// A place.
pub fn location(
    number: &Registration,
    arrival: &Arrival<'_>,
    latitude: f64,
    longitude: f64,
) -> Vec<u8> {
    let place = json!({ "latitude": latitude, "longitude": longitude });
    message(number, arrival, "location", place)
}

/// A reaction to a message; an empty emoji takes it back.
pub fn reaction(
    number: &Registration,
    arrival: &Arrival<'_>,
    message_id: &str,
    emoji: &str,
) -> Vec<u8> {
    let reaction = json!({ "message_id": message_id, "emoji": emoji });
    message(number, arrival, "reaction", reaction)
}

/// A message of any type, whose object is `content`.
pub fn message(
    number: &Registration,
    arrival: &Arrival<'_>,
    kind: &str,
    content: Value,
) -> Vec<u8> {
    let value = message_value(number, arrival, kind, content);
    written(&envelope(number, "messages", vec![value]))
}

/// Several text messages in one webhook, as Meta sends them after a pause.
pub fn batch(number: &Registration, messages: &[(Arrival<'_>, &str)]) -> Vec<u8> {
    let values = messages
        .iter()
        .map(|(arrival, text)| message_value(number, arrival, "text", json!({ "body": text })))
        .collect();
    written(&envelope(number, "messages", values))
}

/// A text that the owner wrote on the phone, to a customer.
pub fn echo(number: &Registration, to: &str, id: &str, at: Timestamp, text: &str) -> Vec<u8> {
    let echo = json!({
        "from": number.display_phone,
        "to": plain(to),
        "id": id,
        "timestamp": seconds(at),
        "type": "text",
        "text": { "body": text },
    });
    let mut value = value(number);
    value.insert("message_echoes".to_owned(), json!([echo]));
    written(&envelope(number, "smb_message_echoes", vec![value]))
}

/// News of an account or a number.
pub fn news(number: &Registration, field: &str, value: &Value, at: Timestamp) -> Vec<u8> {
    written(&json!({
        "object": "whatsapp_business_account",
        "entry": [{
            "id": number.waba_id,
            "time": at.ms() / 1000,
            "changes": [{ "value": value, "field": field }],
        }],
    }))
}

/// A part of the conversations from before the number signed up: texts of one customer, with the number of the
/// part, of which time it is, and how much has come.
pub fn history(
    number: &Registration,
    part: (u8, u32, u8),
    customer: &str,
    lines: &[(String, Timestamp, &str)],
) -> Vec<u8> {
    let (phase, chunk_order, progress) = part;
    let customer = plain(customer);
    let messages: Vec<Value> = lines
        .iter()
        .map(|(id, at, text)| {
            json!({
                "from": customer,
                "id": id,
                "timestamp": seconds(*at),
                "type": "text",
                "text": { "body": text },
                "history_context": { "status": "READ" },
            })
        })
        .collect();
    let mut value = value(number);
    value.insert(
        "history".to_owned(),
        json!([{
            "metadata": { "phase": phase, "chunk_order": chunk_order, "progress": progress },
            "threads": [{ "id": customer, "messages": messages }],
        }]),
    );
    written(&envelope(number, "history", vec![value]))
}

/// The business does not share its history.
pub fn history_declined(number: &Registration) -> Vec<u8> {
    let mut value = value(number);
    value.insert(
        "history".to_owned(),
        json!([{ "errors": [{
            "code": 2_593_109,
            "title": "History sync off",
            "message": "History sync off",
            "error_data": { "details": "The business did not share its history" },
        }] }]),
    );
    written(&envelope(number, "history", vec![value]))
}

/// A status of a message.
pub fn status(number: &Registration, update: &StatusUpdate<'_>) -> Vec<u8> {
    let mut status = json!({
        "id": update.id,
        "status": update.status,
        "timestamp": seconds(update.at),
    });
    let to = plain(update.to);
    let recipient = if to.bytes().all(|byte| byte.is_ascii_digit()) {
        "recipient_id"
    } else {
        "recipient_user_id"
    };
    status[recipient] = to.into();
    if let Some(callback) = update.callback {
        status["biz_opaque_callback_data"] = callback.into();
    }
    if matches!(update.status, "sent" | "delivered") {
        status["pricing"] = json!({
            "billable": false,
            "pricing_model": "PMP",
            "type": "free_customer_service",
            "category": "service",
        });
    }
    if let Some(code) = update.error_code {
        status["errors"] = json!([{
            "code": code,
            "title": title(code),
            "message": title(code),
            "error_data": { "details": format!("{}.", title(code)) },
        }]);
    }
    let mut value = value(number);
    value.insert("statuses".to_owned(), json!([status]));
    written(&envelope(number, "messages", vec![value]))
}

fn message_value(
    number: &Registration,
    arrival: &Arrival<'_>,
    kind: &str,
    content: Value,
) -> Map<String, Value> {
    let phone = plain(arrival.phone);
    let mut contact = json!({ "profile": { "name": arrival.name }, "wa_id": phone });
    let mut message = json!({
        "from": phone,
        "id": arrival.id,
        "timestamp": seconds(arrival.at),
        "type": kind,
    });
    message[kind] = content;
    if let Some(user_id) = arrival.user_id {
        contact["user_id"] = user_id.into();
        message["from_user_id"] = user_id.into();
    }
    if let Some(id) = arrival.context {
        message["context"] = json!({ "from": number.display_phone, "id": id });
    }
    let mut value = value(number);
    value.insert("contacts".to_owned(), json!([contact]));
    value.insert("messages".to_owned(), json!([message]));
    value
}

fn value(number: &Registration) -> Map<String, Value> {
    let mut value = Map::new();
    value.insert("messaging_product".to_owned(), "whatsapp".into());
    value.insert(
        "metadata".to_owned(),
        json!({
            "display_phone_number": plain(&number.display_phone),
            "phone_number_id": number.phone_number_id,
        }),
    );
    value
}

fn envelope(number: &Registration, field: &str, values: Vec<Map<String, Value>>) -> Value {
    let changes: Vec<Value> = values
        .into_iter()
        .map(|value| json!({ "value": value, "field": field }))
        .collect();
    json!({
        "object": "whatsapp_business_account",
        "entry": [{ "id": number.waba_id, "changes": changes }],
    })
}

/// Meta writes the time of messages and statuses as text.
fn seconds(at: Timestamp) -> String {
    at.ms().div_euclid(1000).to_string()
}

/// Writes JSON as Meta does: other letters than ASCII as `\uXXXX`, a slash with a backslash. Both
/// occur in JSON only within strings, so that the text can be rewritten letter by letter.
fn written(value: &Value) -> Vec<u8> {
    let json = value.to_string();
    let mut text = String::with_capacity(json.len() + 64);
    for letter in json.chars() {
        if letter == '/' {
            text.push_str("\\/");
        } else if letter.is_ascii() {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing into a string cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text.into_bytes()
}
