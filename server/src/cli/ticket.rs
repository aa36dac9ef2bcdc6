//! `rejoinder connect ticket`: the address of the bridge page, for a website of a location.

use clap::Args;
use rejoinder_engine::{Engine, NewTicket};

use super::{Failure, open};
use crate::api::tickets::TicketJson;
use crate::bridge;
use crate::out::{self, Format};

/// Print an address at which a business signs its number up, once and within ten minutes
#[derive(Args, Debug)]
pub(super) struct Ticket {
    /// The website that opens it, such as https://bots.cafe.example
    #[arg(long)]
    origin: String,
    /// What people will call the channel
    #[arg(long)]
    name: String,
    /// The number stays in use in the app on a phone
    #[arg(long)]
    coexistence: bool,
    /// Its id or name [default: the only one]
    #[arg(long)]
    location: Option<String>,
}

impl Ticket {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        let location = open::location(engine, self.location.as_deref()).await?;
        let public_url = bridge::reachable(engine)?;
        let new = NewTicket {
            origin: self.origin,
            name: self.name,
            coexistence: self.coexistence,
            token_id: None,
        };
        let (ticket, word) = engine.create_ticket(location.id, new).await?;
        let json = TicketJson::new(public_url, &ticket, &word);
        if format == Format::Json {
            format.one(&json);
            return Ok(());
        }
        out::line(&json.url);
        out::note(&format!("It works once, until {}.", json.expires_at));
        Ok(())
    }
}
