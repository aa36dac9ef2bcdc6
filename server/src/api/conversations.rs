//! Conversations in the API; their lines are in `messages`.

use rejoinder_engine::domain::conversation::{Conversation, Hold};
use rejoinder_engine::domain::ids::{ContactId, ConversationId};
use rejoinder_engine::domain::time::Timestamp;
use rejoinder_engine::store::{self, LocationStore, TimerRow};
use serde::Serialize;
use serde_json::{Map, Value};
use warp::reply::Response;

use super::request::{Scoped, id};
use super::{Next, messages, notes};
use crate::reply::{self, Error};

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
    /// The person who should take over, as rules named them, or "".
    assigned_to: String,
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
            assigned_to: conversation.assigned_to.clone(),
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

/// `/conversations…`
pub(crate) async fn route(path: &[&str], scoped: &Scoped) -> Result<Response, Error> {
    match (scoped.request.method.as_str(), path) {
        ("GET", []) => list(scoped).await,
        ("GET", [conversation]) => show(scoped, id(conversation, "conversation")?).await,
        (_, [] | [_]) => Err(Error::Method("GET")),
        (_, [conversation, "messages"]) => {
            messages::route(scoped, id(conversation, "conversation")?).await
        }
        (_, [conversation, "notes"]) => {
            notes::route(scoped, id(conversation, "conversation")?).await
        }
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
