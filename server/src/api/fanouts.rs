//! Fan-outs in the API: functions of rules that are called for many chats, and how far they have come.

use rejoinder_engine::domain::fanout::ChatFilter;
use rejoinder_engine::store::FanoutRow;
use serde::Serialize;
use serde_json::{Map, Value};
use warp::reply::Response;

use super::request::Scoped;
use crate::reply::{self, Error};

/// A fan-out as printed.
#[derive(Serialize)]
struct FanoutJson {
    id: String,
    rule_id: String,
    /// The event in whose run it was asked for.
    event_id: String,
    handler: String,
    filter: ChatFilter,
    args: Option<Map<String, Value>>,
    /// `open`, `done`, `cancelled` (its rule was switched off, or has the function no more) or `dropped`
    /// (too many were open).
    state: String,
    /// For how many chats the function has been called.
    visited: u32,
    not_before: String,
    created_at: String,
    ended_at: Option<String>,
}

impl From<FanoutRow> for FanoutJson {
    fn from(row: FanoutRow) -> Self {
        let FanoutRow {
            fanout,
            state,
            ended_at,
        } = row;
        Self {
            id: fanout.id.to_string(),
            rule_id: fanout.rule_id.to_string(),
            event_id: fanout.event_id.to_string(),
            handler: fanout.handler,
            filter: fanout.filter,
            args: fanout.args,
            state,
            visited: fanout.visited,
            not_before: fanout.not_before.to_string(),
            created_at: fanout.created_at.to_string(),
            ended_at: ended_at.map(|at| at.to_string()),
        }
    }
}

/// The latest fan-outs, oldest first, as printed.
#[derive(Serialize)]
pub(crate) struct FanoutsJson {
    fanouts: Vec<FanoutJson>,
}

impl From<Vec<FanoutRow>> for FanoutsJson {
    fn from(rows: Vec<FanoutRow>) -> Self {
        Self {
            fanouts: rows.into_iter().map(FanoutJson::from).collect(),
        }
    }
}

/// `/fanouts`
pub(crate) async fn list(scoped: &Scoped) -> Result<Response, Error> {
    if scoped.request.method != "GET" {
        return Err(Error::Method("GET"));
    }
    let limit = scoped.request.query.only(&["limit"])?.limit()?;
    let rows = scoped.store().fanouts(limit).await?;
    Ok(reply::ok(&FanoutsJson::from(rows)))
}
