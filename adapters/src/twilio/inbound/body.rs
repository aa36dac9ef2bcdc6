//! What an incoming form says: text, a file, a place, a choice, the answers of a form.
//! Knows nothing of who says it to whom.

use rejoinder_engine::domain::content::{MediaKind, Place};
use rejoinder_engine::domain::message::{Body, Choice, Media};
use serde_json::{Map, Value};

use crate::nesting::is_too_deep;

use super::super::form::{Form, without_nul};

/// Twilio promises ten files at most.
const MAX_MEDIA: usize = 10;

/// Types whose `Body`, if there is one, is not something that the customer typed as a message.
const NOT_TEXT: [&str; 10] = [
    "reaction",
    "edit",
    "edited",
    "revoke",
    "revoked",
    "delete",
    "deleted",
    "system",
    "unsupported",
    "unknown",
];

/// What the form says: one body, or one for each file. Never empty.
pub(super) fn bodies(form: &Form) -> Vec<Body> {
    if let Some(body) = choice(form).or_else(|| answers(form)) {
        return vec![body];
    }
    let files = files(form);
    if files.is_empty() {
        vec![plain(form)]
    } else {
        files
    }
}

fn choice(form: &Form) -> Option<Body> {
    let (payload, button) = (form.get("ButtonPayload"), form.get("ButtonText"));
    if let Some(id) = payload.or(button) {
        return Some(Body::Button(Choice {
            id: id.to_owned(),
            title: button.or(form.get("Body")).unwrap_or(id).to_owned(),
            description: None,
        }));
    }
    let (row, title) = (form.get("ListId"), form.get("ListTitle"));
    row.or(title).map(|id| {
        Body::List(Choice {
            id: id.to_owned(),
            title: title.or(form.get("Body")).unwrap_or(id).to_owned(),
            description: None,
        })
    })
}

/// The answers of a WhatsApp Flow. Neither the names of these fields nor the shape of what they
/// hold is certain, so whatever is there is kept.
fn answers(form: &Form) -> Option<Body> {
    let text = form.get("FlowData").or(form.get("InteractiveData"))?;
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let value = match unwrapped(value) {
        deep if is_too_deep(&deep) => Value::from(text),
        value => value,
    };
    let answers = match value {
        Value::Object(answers) => answers,
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    let answers = answers
        .into_iter()
        .map(|(name, value)| (without_nul(&name), cleaned(value)))
        .collect();
    Some(Body::Form { answers })
}

/// The answers proper, which WhatsApp wraps up as `nfm_reply.response_json`, a JSON text.
fn unwrapped(mut value: Value) -> Value {
    for key in ["interactive", "nfm_reply", "response_json"] {
        if let Some(inner) = value.get_mut(key) {
            value = inner.take();
        }
    }
    match value {
        Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        value => value,
    }
}

fn cleaned(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_nul(&text)),
        Value::Array(values) => values.into_iter().map(cleaned).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (without_nul(&name), cleaned(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// The files, the first with the text below it. A business card comes as a file too (`text/vcard`):
/// the form does not say what is on it, so it stays a document.
fn files(form: &Form) -> Vec<Body> {
    (0..MAX_MEDIA)
        .map_while(|position| {
            let reference = form.get(&format!("MediaUrl{position}"))?;
            let mime = form
                .get(&format!("MediaContentType{position}"))
                .unwrap_or("");
            let kind = media_kind(form, mime);
            let caption = form.get("Body").filter(|_| position == 0);
            Some(Body::Media(Media {
                media: kind,
                reference: reference.to_owned(),
                mime: mime.to_owned(),
                name: caption
                    .filter(|text| kind == MediaKind::Document && is_file_name(text))
                    .map(str::to_owned),
                caption: caption.map(str::to_owned),
                sha256: None,
                size_bytes: None,
                url: Some(reference.to_owned()),
            }))
        })
        .collect()
}

/// By the message's type, else by the file's. `audio/ogg` is what the app records.
fn media_kind(form: &Form, mime: &str) -> MediaKind {
    let mime = mime.split(';').next().unwrap_or("").trim();
    let mime = mime.to_ascii_lowercase();
    let audio = match mime.as_str() {
        "audio/ogg" => MediaKind::Voice,
        _ => MediaKind::Audio,
    };
    match message_type(form).as_str() {
        "image" => MediaKind::Image,
        "video" => MediaKind::Video,
        "audio" => audio,
        "voice" => MediaKind::Voice,
        "document" | "contacts" => MediaKind::Document,
        "sticker" => MediaKind::Sticker,
        _ => match mime.split_once('/') {
            Some(("image", "webp")) => MediaKind::Sticker,
            Some(("image", _)) => MediaKind::Image,
            Some(("video", _)) => MediaKind::Video,
            Some(("audio", _)) => audio,
            _ => MediaKind::Document,
        },
    }
}

/// Twilio writes a document's name where other files have their caption, as far as is known. It is
/// kept as both: a caption that only looks like a name is not lost.
fn is_file_name(text: &str) -> bool {
    let Some((stem, extension)) = text.rsplit_once('.') else {
        return false;
    };
    !stem.is_empty()
        && !text.contains(['\n', '/', '\\'])
        && (2..=5).contains(&extension.len())
        && extension.bytes().all(|b| b.is_ascii_alphanumeric())
        && extension.bytes().any(|b| b.is_ascii_alphabetic())
}

fn plain(form: &Form) -> Body {
    let what = message_type(form);
    if let Some(place) = place(form) {
        return Body::Location(place);
    }
    let text = form.get("Body");
    if what == "reaction"
        && let Some(message_id) = form.get("OriginalRepliedMessageSid")
    {
        return Body::Reaction {
            message_id: message_id.to_owned(),
            emoji: text.unwrap_or("").to_owned(),
        };
    }
    match text {
        Some(text) if !NOT_TEXT.contains(&what.as_str()) => Body::Text {
            text: text.to_owned(),
        },
        _ => Body::Unsupported { what },
    }
}

fn place(form: &Form) -> Option<Place> {
    let degrees = |name, limit: f64| {
        let degrees: f64 = form.get(name)?.trim().parse().ok()?;
        (degrees.abs() <= limit).then_some(degrees)
    };
    Some(Place {
        latitude: degrees("Latitude", 90.0)?,
        longitude: degrees("Longitude", 180.0)?,
        name: form.get("Label").map(str::to_owned),
        address: form.get("Address").map(str::to_owned),
    })
}

fn message_type(form: &Form) -> String {
    form.get("MessageType").unwrap_or("").to_ascii_lowercase()
}
