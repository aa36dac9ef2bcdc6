//! Webhook items that belong to no channel, in the API: for operators of the whole server.

use rejoinder_engine::store::UnroutedRow;
use serde::Serialize;
use warp::reply::Response;

use super::Next;
use super::events::CountsJson;
use super::request::{Request, id};
use crate::reply::{self, Error};

#[derive(Serialize)]
struct ItemJson {
    id: String,
    provider: String,
    reason: String,
    received_at: String,
}

impl From<&UnroutedRow> for ItemJson {
    fn from(row: &UnroutedRow) -> Self {
        Self {
            id: row.id.to_string(),
            provider: row.provider.clone(),
            reason: row.reason.clone(),
            received_at: row.received_at.to_string(),
        }
    }
}

/// A page of items as printed: why each belongs nowhere, not what it says.
#[derive(Serialize)]
pub(crate) struct UnroutedJson {
    unrouted: Vec<ItemJson>,
    #[serde(flatten)]
    next: Next,
}

impl UnroutedJson {
    /// A page of at most `limit` items.
    pub(crate) fn new(rows: &[UnroutedRow], limit: u64) -> Self {
        Self {
            unrouted: rows.iter().map(ItemJson::from).collect(),
            next: Next::after(rows, limit, |row| row.id.to_string()),
        }
    }
}

/// `/unrouted…`
pub(crate) async fn route(path: &[&str], request: &Request) -> Result<Response, Error> {
    match (request.method.as_str(), path) {
        ("GET", []) => {
            let query = request.query.only(&["after", "limit"])?;
            let limit = query.limit()?;
            let store = request.engine.store();
            let rows = store.unrouted(query.id("after")?, limit).await?;
            Ok(reply::ok(&UnroutedJson::new(&rows, limit)))
        }
        (_, []) => Err(Error::Method("GET")),
        ("POST", [item, "run"]) => {
            let item = id(item, "unrouted item")?;
            let counts = request.engine.rerun_unrouted(item).await?;
            Ok(reply::ok(&CountsJson::from(counts)))
        }
        (_, [_, "run"]) => Err(Error::Method("POST")),
        _ => Err(Error::Missing("path")),
    }
}
