//! Deliveries in the API.

use rejoinder_engine::adapter::SendErrorKind;
use rejoinder_engine::domain::content::Content;
use rejoinder_engine::domain::delivery::{DeliveryState, Flag, Origin};
use rejoinder_engine::domain::ids::{DeliveryId, LocationId};
use rejoinder_engine::store::{DeliveryFilter, DeliveryRow, FailedFilter, Verdict};
use rejoinder_engine::{Engine, Problem};
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::events::FailureJson;
use super::request::{Scoped, id};
use crate::reply::{self, Error};

/// How many are sent anew at once.
pub(crate) const MAX_REPLAYED: u64 = 1_000;

/// A delivery as printed.
#[derive(Serialize)]
pub(crate) struct DeliveryJson {
    id: String,
    conversation_id: String,
    channel_id: String,
    /// `rule` or `person`.
    origin: &'static str,
    rule_id: Option<String>,
    run_id: Option<String>,
    event_id: Option<String>,
    kind: &'static str,
    text: String,
    content: Content,
    fallback: Option<Content>,
    reply_to: Option<String>,
    state: &'static str,
    attempts: u32,
    provider_id: Option<String>,
    error: Option<FailureJson>,
    not_before: String,
    /// What else is true of it: `when_held`, `resent` (it may have arrived twice), `left_in_doubt`,
    /// `background`, `overtaken`.
    flags: Vec<&'static str>,
    fallback_of: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<DeliveryRow> for DeliveryJson {
    fn from(row: DeliveryRow) -> Self {
        let DeliveryRow {
            delivery,
            failure,
            updated_at,
            ..
        } = row;
        let (rule_id, run_id, event_id) = match delivery.origin {
            Origin::Rule {
                rule_id,
                run_id,
                event_id,
            } => (Some(rule_id), Some(run_id), Some(event_id)),
            Origin::Person => (None, None, None),
        };
        Self {
            id: delivery.id.to_string(),
            conversation_id: delivery.conversation_id.to_string(),
            channel_id: delivery.channel_id.to_string(),
            origin: delivery.origin.name(),
            rule_id: rule_id.map(|id| id.to_string()),
            run_id: run_id.map(|id| id.to_string()),
            event_id: event_id.map(|id| id.to_string()),
            kind: delivery.content.kind(),
            text: delivery.content.text().to_owned(),
            content: delivery.content,
            fallback: delivery.fallback,
            reply_to: delivery.reply_to,
            state: delivery.state.name(),
            attempts: delivery.attempts,
            provider_id: delivery.provider_id,
            error: failure.map(FailureJson::from),
            not_before: delivery.not_before.to_string(),
            flags: delivery.flags.iter().map(Flag::name).collect(),
            fallback_of: delivery.fallback_of.map(|id| id.to_string()),
            created_at: delivery.created_at.to_string(),
            updated_at: updated_at.to_string(),
        }
    }
}

/// The latest deliveries, oldest first, as printed.
#[derive(Serialize)]
pub(crate) struct DeliveriesJson {
    deliveries: Vec<DeliveryJson>,
}

impl From<Vec<DeliveryRow>> for DeliveriesJson {
    fn from(rows: Vec<DeliveryRow>) -> Self {
        Self {
            deliveries: rows.into_iter().map(DeliveryJson::from).collect(),
        }
    }
}

/// A delivery's state, from what people write.
///
/// # Errors
/// There is no such state.
pub(crate) fn state(text: &str) -> Result<String, Error> {
    DeliveryState::parse(text)
        .map(|state| state.name().to_owned())
        .ok_or_else(|| {
            Error::invalid(format!(
                "there is no state '{text}'; there are: ready, sending, in_doubt, accepted, sent, \
                 delivered, read, played, failed, cancelled"
            ))
        })
}

/// `/deliveries…`
pub(crate) async fn route(path: &[&str], scoped: &Scoped) -> Result<Response, Error> {
    match (scoped.request.method.as_str(), path) {
        ("GET", []) => list(scoped).await,
        ("POST", ["replay"]) => replay_failed(scoped).await,
        (_, ["replay"]) => Err(Error::Method("POST")),
        ("GET", [delivery]) => show(scoped, id(delivery, "delivery")?).await,
        (_, [] | [_]) => Err(Error::Method("GET")),
        ("POST", [delivery, "sent"]) => judge(scoped, delivery, Verdict::Sent).await,
        ("POST", [delivery, "again"]) => judge(scoped, delivery, Verdict::Again).await,
        ("POST", [delivery, "replay"]) => replay(scoped, id(delivery, "delivery")?).await,
        (_, [_, "sent" | "again" | "replay"]) => Err(Error::Method("POST")),
        _ => Err(Error::Missing("path")),
    }
}

async fn list(scoped: &Scoped) -> Result<Response, Error> {
    let query = &scoped.request.query;
    query.only(&["conversation", "state", "limit"])?;
    let filter = DeliveryFilter {
        conversation_id: query.id("conversation")?,
        state: query.text("state").map(state).transpose()?,
    };
    let rows = scoped.store().deliveries(&filter, query.limit()?).await?;
    Ok(reply::ok(&DeliveriesJson::from(rows)))
}

async fn judge(scoped: &Scoped, delivery: &str, verdict: Verdict) -> Result<Response, Error> {
    let id: DeliveryId = id(delivery, "delivery")?;
    let engine = scoped.engine();
    engine
        .judge_delivery(scoped.location_id, id, verdict)
        .await?;
    show(scoped, id).await
}

/// Sends one that failed anew.
async fn replay(scoped: &Scoped, id: DeliveryId) -> Result<Response, Error> {
    let engine = scoped.engine();
    let new = engine.replay_delivery(scoped.location_id, id).await?;
    show(scoped, new).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayFailed {
    /// The code of the failure, such as `expired`; absent: whatever it was.
    reason: Option<String>,
    /// Absent: of all.
    conversation: Option<String>,
    /// Whether it is only shown what would be sent.
    #[serde(default)]
    dry_run: bool,
    /// At most so many, the oldest first.
    limit: Option<u64>,
}

/// Sends all that failed and are meant anew, or shows them.
async fn replay_failed(scoped: &Scoped) -> Result<Response, Error> {
    let asked: ReplayFailed = scoped.request.json()?;
    let limit = asked.limit.unwrap_or(MAX_REPLAYED);
    if !(1..=MAX_REPLAYED).contains(&limit) {
        return Err(Error::invalid(format!(
            "'limit' is from 1 to {MAX_REPLAYED}"
        )));
    }
    let conversation = asked.conversation.as_deref();
    let filter = FailedFilter {
        reason: asked.reason.as_deref().map(reason).transpose()?,
        conversation_id: conversation
            .map(|text| id(text, "conversation"))
            .transpose()?,
    };
    let rows = if asked.dry_run {
        scoped.store().failed(&filter, limit).await?
    } else {
        replay_all(scoped.engine(), scoped.location_id, &filter, limit).await?
    };
    Ok(reply::ok(&DeliveriesJson::from(rows)))
}

/// Sends all that failed and are meant anew; gives the new ones.
///
/// # Errors
/// The database failed.
pub(crate) async fn replay_all(
    engine: &Engine,
    location_id: LocationId,
    filter: &FailedFilter,
    limit: u64,
) -> Result<Vec<DeliveryRow>, Problem> {
    let new = engine.replay_failed(location_id, filter, limit).await?;
    let mut rows = Vec::with_capacity(new.len());
    for id in new {
        rows.extend(engine.store().of(location_id).delivery(id).await?);
    }
    Ok(rows)
}

/// Why a message failed, from what people write.
///
/// # Errors
/// There is no such reason.
pub(crate) fn reason(text: &str) -> Result<String, Error> {
    let known = SendErrorKind::ALL.map(SendErrorKind::code);
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    let known = known.join(", ");
    Err(Error::invalid(format!(
        "there is no reason '{text}'; there are: {known}"
    )))
}

async fn show(scoped: &Scoped, id: DeliveryId) -> Result<Response, Error> {
    let row = scoped.store().delivery(id).await?;
    let row = row.ok_or(Error::Missing("delivery"))?;
    Ok(reply::ok(&DeliveryJson::from(row)))
}
