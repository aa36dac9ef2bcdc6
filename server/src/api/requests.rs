//! Rules' requests in the API: what was asked of endpoints, and what came of it.

use rejoinder_engine::domain::ids::RequestId;
use rejoinder_engine::store::RequestRow;
use serde::Serialize;
use serde_json::{Map, Value};
use warp::reply::Response;

use super::request::{Scoped, id};
use crate::reply::{self, Error};

/// A request as printed.
#[derive(Serialize)]
struct RequestJson {
    id: String,
    conversation_id: String,
    rule_id: String,
    /// The event in whose run it was asked for.
    event_id: String,
    endpoint: String,
    handler: Option<String>,
    /// What is sent; once it is answered, the answer's event has it.
    data: Option<Map<String, Value>>,
    /// `open`, `held` (answered, and waiting for the end of the hold) or `answered`.
    state: String,
    attempts: u32,
    not_before: String,
    /// The HTTP status of the answer, 0 if there was none.
    status: Option<u16>,
    /// Why there was none, or "".
    error: &'static str,
    created_at: String,
    answered_at: Option<String>,
}

impl From<RequestRow> for RequestJson {
    fn from(row: RequestRow) -> Self {
        let RequestRow {
            request,
            state,
            status,
            fault,
            answered_at,
        } = row;
        Self {
            id: request.id.to_string(),
            conversation_id: request.conversation_id.to_string(),
            rule_id: request.rule_id.to_string(),
            event_id: request.event_id.to_string(),
            endpoint: request.endpoint,
            handler: request.handler,
            data: answered_at.is_none().then_some(request.data),
            state,
            attempts: request.attempts,
            not_before: request.not_before.to_string(),
            status,
            error: fault.map_or("", |fault| fault.name()),
            created_at: request.created_at.to_string(),
            answered_at: answered_at.map(|at| at.to_string()),
        }
    }
}

/// The latest requests, oldest first, as printed.
#[derive(Serialize)]
pub(crate) struct RequestsJson {
    requests: Vec<RequestJson>,
}

impl From<Vec<RequestRow>> for RequestsJson {
    fn from(rows: Vec<RequestRow>) -> Self {
        Self {
            requests: rows.into_iter().map(RequestJson::from).collect(),
        }
    }
}

/// `/requests…`
pub(crate) async fn route(path: &[&str], scoped: &Scoped) -> Result<Response, Error> {
    match (scoped.request.method.as_str(), path) {
        ("GET", []) => list(scoped).await,
        ("GET", [request]) => show(scoped, id(request, "request")?).await,
        (_, [] | [_]) => Err(Error::Method("GET")),
        _ => Err(Error::Missing("path")),
    }
}

async fn list(scoped: &Scoped) -> Result<Response, Error> {
    let query = scoped.request.query.only(&["conversation", "limit"])?;
    let (conversation, limit) = (query.id("conversation")?, query.limit()?);
    let rows = scoped.store().requests(conversation, limit).await?;
    Ok(reply::ok(&RequestsJson::from(rows)))
}

async fn show(scoped: &Scoped, id: RequestId) -> Result<Response, Error> {
    let row = scoped.store().request(id).await?;
    let row = row.ok_or(Error::Missing("request"))?;
    Ok(reply::ok(&RequestJson::from(row)))
}
