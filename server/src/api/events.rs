//! Events and the runs that looked at them, in the API.

use std::collections::BTreeMap;

use rejoinder_engine::Counts;
use rejoinder_engine::domain::channel::Channel;
use rejoinder_engine::domain::contact::Peer;
use rejoinder_engine::domain::effect::Effect;
use rejoinder_engine::domain::event::{EventState, Payload};
use rejoinder_engine::domain::ids::{ChannelId, ConversationId, EventId};
use rejoinder_engine::domain::inbound::Failure;
use rejoinder_engine::domain::message::{Body, Message};
use rejoinder_engine::domain::run::{Outcome, TraceLine};
use rejoinder_engine::store::{self, EventRow, LocationStore, RunRow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use warp::reply::Response;

use super::Next;
use super::request::{Scoped, id};
use crate::reply::{self, Error};

/// How many are run again at once.
pub(crate) const MAX_RERUN: u64 = 1_000;

/// An event as printed. What an event does not have is "" or null.
#[derive(Default, Serialize)]
pub(crate) struct EventJson {
    id: String,
    /// `message`, `echo`, `status`, `timer` …
    event: &'static str,
    /// `in` for a customer's message, `out` for a person's, "" for what is no message.
    direction: &'static str,
    /// For a message its kind (`text`, `image` …), otherwise the event's.
    kind: &'static str,
    text: String,
    from: String,
    to: String,
    provider_id: String,
    provider_time: String,
    received_at: String,
    media: Option<Value>,
    /// All that the message says, as received.
    body: Option<Value>,
    /// How far a sent message has come: status events only.
    status: Option<&'static str>,
    error: Option<FailureJson>,
    /// `pending`, `done` or `parked`.
    state: String,
    channel_id: Option<String>,
    conversation_id: Option<String>,
    delivery_id: Option<String>,
}

/// Why a message failed.
#[derive(Serialize)]
pub(crate) struct FailureJson {
    kind: String,
    provider_code: i64,
    detail: String,
}

impl From<Failure> for FailureJson {
    fn from(failure: Failure) -> Self {
        Self {
            kind: failure.kind,
            provider_code: failure.provider_code,
            detail: failure.detail,
        }
    }
}

/// A page of events as printed.
#[derive(Serialize)]
pub(crate) struct EventsJson {
    events: Vec<EventJson>,
    #[serde(flatten)]
    next: Next,
}

/// What became of items that were run again.
#[derive(Serialize)]
pub(crate) struct CountsJson {
    stored: usize,
    duplicates: usize,
}

impl From<Counts> for CountsJson {
    fn from(counts: Counts) -> Self {
        Self {
            stored: counts.stored,
            duplicates: counts.duplicates,
        }
    }
}

/// The two ends of an event: the business's number and the customer's address.
struct Ends {
    ours: String,
    theirs: String,
}

impl EventJson {
    fn new(row: EventRow, ends: Ends) -> Self {
        let EventRow { event, state, .. } = row;
        let mut json = Self {
            id: event.id.to_string(),
            event: event.payload.kind(),
            kind: event.payload.kind(),
            provider_time: event.at.to_string(),
            received_at: event.received_at.to_string(),
            state,
            channel_id: Some(event.channel_id)
                .filter(|id| *id != ChannelId::NONE)
                .map(|id| id.to_string()),
            conversation_id: event.conversation_id.map(|id| id.to_string()),
            ..Self::default()
        };
        match event.payload {
            Payload::Message { message } => {
                json.direction = "in";
                (json.from, json.to) = (ends.theirs, ends.ours);
                json.message(message);
            }
            Payload::Echo { message, .. } => {
                json.direction = "out";
                (json.from, json.to) = (ends.ours, ends.theirs);
                json.message(message);
            }
            Payload::Status {
                status,
                delivery_id,
            } => {
                let told = address(&status.peer);
                (json.from, json.to) = (ends.ours, told.unwrap_or(ends.theirs));
                json.provider_id = status.provider_id;
                json.status = Some(status.stage.name());
                json.error = status.failure.map(FailureJson::from);
                json.delivery_id = delivery_id.map(|id| id.to_string());
            }
            Payload::Response {
                endpoint, response, ..
            } => {
                json.text = endpoint;
                json.body = Some(plain(&response));
            }
            Payload::Each { handler, .. }
            | Payload::Timer { handler, .. }
            | Payload::Tick { handler, .. } => json.text = handler,
            Payload::Update { update } => {
                json.text = update.field;
                json.body = Some(update.value);
            }
            Payload::Unknown { reason, .. } => json.text = reason,
            Payload::History { .. } | Payload::AddressBook { .. } => {}
        }
        json
    }

    fn message(&mut self, message: Message) {
        self.kind = message.body.kind();
        message.body.text().clone_into(&mut self.text);
        self.provider_id = message.provider_id;
        if let Body::Media(media) = &message.body {
            self.media = Some(plain(media));
        }
        self.body = Some(plain(&message.body));
    }
}

fn plain(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("our own types have string keys")
}

fn address(peer: &Peer) -> Option<String> {
    peer.addresses().next().map(|address| address.to_string())
}

#[derive(Serialize)]
struct RunsJson {
    runs: Vec<RunJson>,
    /// The rules that did not run, and why.
    visits: Option<Value>,
}

#[derive(Serialize)]
struct RunJson {
    id: String,
    rule_id: String,
    version: i32,
    handler: String,
    outcome: &'static str,
    error: Option<RunErrorJson>,
    effects: Vec<Effect>,
    trace: Vec<TraceLine>,
    decided_at: String,
}

#[derive(Serialize)]
struct RunErrorJson {
    message: String,
    line: u32,
    column: u32,
}

impl From<RunRow> for RunJson {
    fn from(row: RunRow) -> Self {
        let RunRow { run, decided_at } = row;
        Self {
            id: run.id.to_string(),
            rule_id: run.rule_id.to_string(),
            version: run.version,
            handler: run.handler,
            outcome: run.outcome.name(),
            error: match run.outcome {
                Outcome::Error {
                    message,
                    line,
                    column,
                } => Some(RunErrorJson {
                    message,
                    line,
                    column,
                }),
                _ => None,
            },
            effects: run.effects,
            trace: run.trace,
            decided_at: decided_at.to_string(),
        }
    }
}

/// `/events…`
pub(crate) async fn route(path: &[&str], scoped: &Scoped) -> Result<Response, Error> {
    match (scoped.request.method.as_str(), path) {
        ("GET", []) => list(scoped).await,
        (_, []) => Err(Error::Method("GET")),
        ("POST", ["run"]) => run_parked(scoped).await,
        (_, ["run"]) => Err(Error::Method("POST")),
        ("GET", [event, "runs"]) => runs(scoped, id(event, "event")?).await,
        (_, [_, "runs"]) => Err(Error::Method("GET")),
        ("POST", [event, "run"]) => run(scoped, id(event, "event")?).await,
        (_, [_, "run"]) => Err(Error::Method("POST")),
        _ => Err(Error::Missing("path")),
    }
}

/// A page of a location's events, as the API and the command line print it.
pub(crate) async fn page(
    store: &LocationStore<'_>,
    state: Option<EventState>,
    after: Option<EventId>,
    limit: u64,
) -> Result<EventsJson, store::Error> {
    let rows = store.events_in(state, after, limit).await?;
    let next = Next::after(&rows, limit, |row| row.event.id.to_string());
    let channels = store.channels().await?;
    let mut addresses = BTreeMap::new();
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        let ends = Ends {
            ours: number(&channels, row.event.channel_id),
            theirs: match row.event.conversation_id {
                Some(id) => customer(store, &mut addresses, id).await?,
                None => String::new(),
            },
        };
        events.push(EventJson::new(row, ends));
    }
    Ok(EventsJson { events, next })
}

fn number(channels: &[Channel], id: ChannelId) -> String {
    let channel = channels.iter().find(|channel| channel.id == id);
    channel.map_or_else(String::new, |channel| channel.phone.to_string())
}

/// The customer's address in a conversation, looked up once per page.
async fn customer(
    store: &LocationStore<'_>,
    known: &mut BTreeMap<ConversationId, String>,
    id: ConversationId,
) -> Result<String, store::Error> {
    if let Some(address) = known.get(&id) {
        return Ok(address.clone());
    }
    let conversation = store.conversation(id).await?;
    let address = conversation.map_or_else(String::new, |it| it.address.to_string());
    known.insert(id, address.clone());
    Ok(address)
}

async fn list(scoped: &Scoped) -> Result<Response, Error> {
    let query = scoped.request.query.only(&["state", "after", "limit"])?;
    let state = query.text("state").map(state).transpose()?;
    let (after, limit) = (query.id("after")?, query.limit()?);
    Ok(reply::ok(
        &page(&scoped.store(), state, after, limit).await?,
    ))
}

/// An event's state, from what people write.
fn state(text: &str) -> Result<EventState, Error> {
    EventState::parse(text).ok_or_else(|| {
        Error::invalid(format!(
            "there is no state '{text}'; there are: pending, done, parked"
        ))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunParked {
    /// Whether it is only shown what would be run.
    #[serde(default)]
    dry_run: bool,
    /// At most so many, the oldest first.
    limit: Option<u64>,
}

/// Events that were run again, as printed.
#[derive(Serialize)]
pub(crate) struct RanJson {
    events: Vec<RanEventJson>,
}

impl From<Vec<(EventId, Option<String>)>> for RanJson {
    fn from(ran: Vec<(EventId, Option<String>)>) -> Self {
        let events = ran.into_iter().map(|(id, problem)| RanEventJson {
            id: id.to_string(),
            problem,
        });
        Self {
            events: events.collect(),
        }
    }
}

#[derive(Serialize)]
struct RanEventJson {
    id: String,
    /// What still keeps it from running; absent if it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Runs all that was put aside again, or shows it.
async fn run_parked(scoped: &Scoped) -> Result<Response, Error> {
    let asked: RunParked = scoped.request.json()?;
    let limit = asked.limit.unwrap_or(MAX_RERUN);
    if !(1..=MAX_RERUN).contains(&limit) {
        return Err(Error::invalid(format!("'limit' is from 1 to {MAX_RERUN}")));
    }
    if asked.dry_run {
        return Ok(reply::ok(&parked(&scoped.store(), limit).await?));
    }
    let ran = scoped
        .engine()
        .rerun_parked(scoped.location_id, limit)
        .await?;
    Ok(reply::ok(&RanJson::from(ran)))
}

/// What was put aside, the oldest first.
pub(crate) async fn parked(
    store: &LocationStore<'_>,
    limit: u64,
) -> Result<EventsJson, store::Error> {
    page(store, Some(EventState::Parked), None, limit).await
}

async fn runs(scoped: &Scoped, id: EventId) -> Result<Response, Error> {
    let event = scoped.store().event(id).await?;
    let event = event.ok_or(Error::Missing("event"))?;
    let runs = scoped.store().runs(id).await?;
    let visits = event.visits.as_deref();
    Ok(reply::ok(&RunsJson {
        runs: runs.into_iter().map(RunJson::from).collect(),
        visits: visits.and_then(|text| serde_json::from_str(text).ok()),
    }))
}

async fn run(scoped: &Scoped, id: EventId) -> Result<Response, Error> {
    let counts = scoped.engine().rerun_event(scoped.location_id, id).await?;
    Ok(reply::ok(&CountsJson::from(counts)))
}
