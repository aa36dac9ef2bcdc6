//! Conversations, their lines, and the customers in them, in the API.

use rejoinder_engine::domain::contact::Contact;
use rejoinder_engine::domain::content::{Content, TemplateContent};
use rejoinder_engine::domain::conversation::{Conversation, Hold};
use rejoinder_engine::domain::ids::{ContactId, ConversationId};
use rejoinder_engine::domain::snapshot::Line;
use rejoinder_engine::domain::time::Timestamp;
use rejoinder_engine::store::{LocationStore, TimerRow};
use rejoinder_engine::{PersonSend, store};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use warp::reply::Response;

use super::Next;
use super::deliveries::DeliveryJson;
use super::request::{Scoped, id};
use crate::reply::{self, Error};

/// The header by which a caller marks a message, so that asking twice sends once.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Letters of an idempotency key at most.
const MAX_IDEMPOTENCY_KEY: usize = 200;

/// A conversation as printed.
#[derive(Serialize)]
pub(crate) struct ConversationJson {
    id: String,
    channel_id: String,
    contact_id: String,
    /// The name in the customer's profile, or "".
    name: String,
    address: String,
    /// Whether free-form text may leave now.
    window_open: bool,
    window_until: Option<String>,
    /// Who is in charge instead of the rules, or null.
    hold: Option<HoldJson>,
    last_inbound_at: Option<String>,
    last_person_at: Option<String>,
}

#[derive(Serialize)]
struct HoldJson {
    by: &'static str,
    until: String,
}

impl From<Hold> for HoldJson {
    fn from(hold: Hold) -> Self {
        Self {
            by: hold.by.name(),
            until: hold.until.to_string(),
        }
    }
}

impl ConversationJson {
    /// A conversation as it stands at `now`; `name` is its contact's.
    fn new(conversation: &Conversation, name: String, now: Timestamp) -> Self {
        let printed = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: conversation.id.to_string(),
            channel_id: conversation.channel_id.to_string(),
            contact_id: conversation.contact_id.to_string(),
            name,
            address: conversation.address.to_string(),
            window_open: conversation.window.is_open(now),
            window_until: printed(conversation.window.closes_at()),
            hold: conversation.held(now).map(HoldJson::from),
            last_inbound_at: printed(conversation.last_inbound_at),
            last_person_at: printed(conversation.last_person_at),
        }
    }
}

/// A page of conversations as printed.
#[derive(Serialize)]
pub(crate) struct ConversationsJson {
    conversations: Vec<ConversationJson>,
    #[serde(flatten)]
    next: Next,
}

/// A conversation with its pending timers.
#[derive(Serialize)]
pub(crate) struct ConversationDetailJson {
    #[serde(flatten)]
    conversation: ConversationJson,
    timers: Vec<TimerJson>,
}

#[derive(Serialize)]
struct TimerJson {
    id: String,
    rule_id: String,
    handler: String,
    due_at: String,
    if_silent: bool,
    args: Option<Map<String, Value>>,
}

impl From<TimerRow> for TimerJson {
    fn from(timer: TimerRow) -> Self {
        Self {
            id: timer.id.to_string(),
            rule_id: timer.rule_id.to_string(),
            handler: timer.handler,
            due_at: timer.due_at.to_string(),
            if_silent: timer.if_silent,
            args: timer.args,
        }
    }
}

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

#[derive(Serialize)]
struct ContactJson {
    id: String,
    name: String,
    phone: Option<String>,
    language: String,
    tags: Vec<String>,
    attributes: Map<String, Value>,
    opted_out: bool,
}

impl From<Contact> for ContactJson {
    fn from(contact: Contact) -> Self {
        Self {
            id: contact.id.to_string(),
            name: contact.name,
            phone: contact.phone.map(|phone| phone.to_string()),
            language: contact.language,
            tags: contact.tags,
            attributes: contact.attributes,
            opted_out: contact.opted_out,
        }
    }
}

#[derive(Serialize)]
struct ContactsJson {
    contacts: Vec<ContactJson>,
    #[serde(flatten)]
    next: Next,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    text: Option<String>,
    content: Option<Value>,
    template: Option<Value>,
    reply_to: Option<String>,
}

/// `/conversations…`
pub(crate) async fn route(path: &[&str], scoped: &Scoped) -> Result<Response, Error> {
    match (scoped.request.method.as_str(), path) {
        ("GET", []) => list(scoped).await,
        ("GET", [conversation]) => show(scoped, id(conversation, "conversation")?).await,
        (_, [] | [_]) => Err(Error::Method("GET")),
        ("GET", [conversation, "messages"]) => {
            messages(scoped, id(conversation, "conversation")?).await
        }
        ("POST", [conversation, "messages"]) => {
            send(scoped, id(conversation, "conversation")?).await
        }
        (_, [_, "messages"]) => Err(Error::Method("GET, POST")),
        _ => Err(Error::Missing("path")),
    }
}

/// A page of a location's conversations, as the API and the command line print it.
pub(crate) async fn page(
    store: &LocationStore<'_>,
    after: Option<ConversationId>,
    limit: u64,
    now: Timestamp,
) -> Result<ConversationsJson, store::Error> {
    let rows = store.conversations(after, limit).await?;
    let mut conversations = Vec::with_capacity(rows.len());
    for row in &rows {
        let name = contact_name(store, row.contact_id).await?;
        conversations.push(ConversationJson::new(row, name, now));
    }
    Ok(ConversationsJson {
        conversations,
        next: Next::after(&rows, limit, |row| row.id.to_string()),
    })
}

/// One conversation, as the API and the command line print it.
pub(crate) async fn detail(
    store: &LocationStore<'_>,
    id: ConversationId,
    now: Timestamp,
) -> Result<Option<ConversationDetailJson>, store::Error> {
    let Some(row) = store.conversation(id).await? else {
        return Ok(None);
    };
    let name = contact_name(store, row.contact_id).await?;
    let timers = store.timers(id).await?;
    Ok(Some(ConversationDetailJson {
        conversation: ConversationJson::new(&row, name, now),
        timers: timers.into_iter().map(TimerJson::from).collect(),
    }))
}

async fn contact_name(store: &LocationStore<'_>, id: ContactId) -> Result<String, store::Error> {
    let contact = store.contact(id).await?;
    Ok(contact.map(|contact| contact.name).unwrap_or_default())
}

async fn list(scoped: &Scoped) -> Result<Response, Error> {
    let query = scoped.request.query.only(&["after", "limit"])?;
    let (after, limit) = (query.id("after")?, query.limit()?);
    let now = scoped.engine().now();
    Ok(reply::ok(&page(&scoped.store(), after, limit, now).await?))
}

async fn show(scoped: &Scoped, id: ConversationId) -> Result<Response, Error> {
    let now = scoped.engine().now();
    let detail = detail(&scoped.store(), id, now).await?;
    Ok(reply::ok(&detail.ok_or(Error::Missing("conversation"))?))
}

async fn messages(scoped: &Scoped, id: ConversationId) -> Result<Response, Error> {
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

/// `/contacts`
pub(crate) async fn contacts(scoped: &Scoped) -> Result<Response, Error> {
    if scoped.request.method != warp::http::Method::GET {
        return Err(Error::Method("GET"));
    }
    let query = scoped.request.query.only(&["after", "limit"])?;
    let limit = query.limit()?;
    let rows = scoped.store().contacts(query.id("after")?, limit).await?;
    let next = Next::after(&rows, limit, |row| row.id.to_string());
    Ok(reply::ok(&ContactsJson {
        contacts: rows.into_iter().map(ContactJson::from).collect(),
        next,
    }))
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
