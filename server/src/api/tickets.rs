//! Tickets in the API: what a website of a location opens the bridge page with.

use rejoinder_engine::NewTicket;
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::ticket::Ticket;
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::request::Scoped;
use crate::bridge;
use crate::reply::{self, Error};

/// A new ticket as printed: its word is shown this once.
#[derive(Serialize)]
pub(crate) struct TicketJson {
    ticket: String,
    pub(crate) url: String,
    pub(crate) expires_at: String,
}

impl TicketJson {
    pub(crate) fn new(public_url: &str, ticket: &Ticket, word: &Secret) -> Self {
        Self {
            ticket: word.expose().to_owned(),
            url: bridge::address(public_url, word),
            expires_at: ticket.expires_at.to_string(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    origin: String,
    name: String,
    #[serde(default)]
    coexistence: bool,
}

/// `/bridge-tickets`
pub(crate) async fn route(scoped: &Scoped) -> Result<Response, Error> {
    if scoped.request.method != "POST" {
        return Err(Error::Method("POST"));
    }
    let create: Create = scoped.request.json()?;
    let engine = scoped.engine();
    let public_url = bridge::reachable(engine)?;
    let new = NewTicket {
        origin: create.origin,
        name: create.name,
        coexistence: create.coexistence,
        token_id: Some(scoped.request.caller.token_id()),
    };
    let (ticket, word) = engine.create_ticket(scoped.location_id, new).await?;
    Ok(reply::created(&TicketJson::new(public_url, &ticket, &word)))
}
