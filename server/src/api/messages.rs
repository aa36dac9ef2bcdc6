//! The lines of a conversation in the API, and a person's message among them.

use rejoinder_engine::PersonSend;
use rejoinder_engine::domain::content::{Content, TemplateContent};
use rejoinder_engine::domain::ids::ConversationId;
use rejoinder_engine::domain::snapshot::Line;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use warp::reply::Response;

use super::deliveries::DeliveryJson;
use super::request::Scoped;
use crate::reply::{self, Error};

/// The header by which a caller marks a message, so that asking twice sends once.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Letters of an idempotency key at most.
const MAX_IDEMPOTENCY_KEY: usize = 200;

/// The lines of a conversation, ours and theirs, oldest first.
#[derive(Serialize)]
pub(crate) struct LinesJson {
    messages: Vec<LineJson>,
}

#[derive(Serialize)]
struct LineJson {
    by: String,
    kind: String,
    text: String,
    at: String,
}

impl From<Vec<Line>> for LinesJson {
    fn from(lines: Vec<Line>) -> Self {
        let lines = lines.into_iter();
        Self {
            messages: lines
                .map(|line| LineJson {
                    by: line.by,
                    kind: line.kind,
                    text: line.text,
                    at: line.at.to_string(),
                })
                .collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    text: Option<String>,
    content: Option<Value>,
    template: Option<Value>,
    reply_to: Option<String>,
}

/// `/conversations/{id}/messages`
pub(super) async fn route(scoped: &Scoped, id: ConversationId) -> Result<Response, Error> {
    match scoped.request.method.as_str() {
        "GET" => list(scoped, id).await,
        "POST" => send(scoped, id).await,
        _ => Err(Error::Method("GET, POST")),
    }
}

async fn list(scoped: &Scoped, id: ConversationId) -> Result<Response, Error> {
    let limit = scoped.request.query.only(&["limit"])?.limit()?;
    if scoped.store().conversation(id).await?.is_none() {
        return Err(Error::Missing("conversation"));
    }
    let engine = scoped.engine();
    let lines = engine.history(scoped.location_id, id, limit).await?;
    Ok(reply::ok(&LinesJson::from(lines)))
}

async fn send(scoped: &Scoped, id: ConversationId) -> Result<Response, Error> {
    let send: Send = scoped.request.json()?;
    let template: Option<TemplateContent> = send
        .template
        .map(|value| strict("template", &value))
        .transpose()?;
    let content = match (send.text, send.content) {
        (Some(text), None) if !text.trim().is_empty() => Content::Text { text },
        (None, Some(value)) => strict("content", &value)?,
        (None, None) if template.is_some() => {
            return Err(Error::Invalid(
                "'template' is what goes out when the window is shut; to send one at any time, \
                 make it the 'content' with kind \"template\""
                    .to_owned(),
            ));
        }
        _ => {
            return Err(Error::Invalid(
                "give either 'text', which is not empty, or 'content'".to_owned(),
            ));
        }
    };
    let send = PersonSend {
        content,
        fallback: template.map(Content::Template),
        reply_to: send.reply_to,
        idempotency_key: idempotency_key(scoped)?,
    };
    let delivery = scoped.engine().send(scoped.location_id, id, send).await?;
    let row = scoped.store().delivery(delivery).await?;
    let row = row.ok_or(Error::Missing("delivery"))?;
    Ok(reply::accepted(&DeliveryJson::from(row)))
}

fn idempotency_key(scoped: &Scoped) -> Result<Option<String>, Error> {
    let Some(value) = scoped.request.headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|key| (1..=MAX_IDEMPOTENCY_KEY).contains(&key.len()))
        .map(|key| Some(key.to_owned()))
        .ok_or_else(|| {
            Error::invalid(format!(
                "Idempotency-Key has 1 to {MAX_IDEMPOTENCY_KEY} letters of ASCII"
            ))
        })
}

/// Reads a value of the domain, and refuses members that it has no place for.
fn strict<T: Serialize + serde::de::DeserializeOwned>(
    name: &str,
    value: &Value,
) -> Result<T, Error> {
    let read =
        T::deserialize(value).map_err(|error| Error::Invalid(format!("'{name}': {error}")))?;
    let known = serde_json::to_value(&read).expect("our own types have string keys");
    match unknown_member(name, value, &known) {
        Some(path) => Err(Error::Invalid(format!("unknown field '{path}'"))),
        None => Ok(read),
    }
}

/// The first member of `value` that was not kept in `known`, by its path.
fn unknown_member(path: &str, value: &Value, known: &Value) -> Option<String> {
    match (value, known) {
        (Value::Object(value), Value::Object(known)) => value.iter().find_map(|(name, value)| {
            let path = format!("{path}.{name}");
            match known.get(name) {
                Some(known) => unknown_member(&path, value, known),
                None if is_nothing(value) => None,
                None => Some(path),
            }
        }),
        (Value::Array(values), Value::Array(known)) => values
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(i, (value, known))| unknown_member(&format!("{path}[{i}]"), value, known)),
        _ => None,
    }
}

/// Whether a value says no more than its absence would.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_member_that_a_message_has_no_place_for_is_named() {
        let check = |value| strict::<Content>("content", &value).map_err(|error| error.to_string());
        assert!(check(json!({"kind": "text", "text": "hi"})).is_ok());
        let with_null =
            json!({"kind": "media", "media": "image", "url": "https://a", "name": null});
        assert!(check(with_null).is_ok());
        assert_eq!(
            check(json!({"kind": "buttons", "text": "?", "buttons": [
                {"id": "a", "title": "A", "titel": "A"}
            ]})),
            Err("unknown field 'content.buttons[0].titel'".to_owned())
        );
        let error = check(json!({"kind": "txt"})).expect_err("refused");
        assert!(error.contains("'content'"), "{error}");
    }
}
