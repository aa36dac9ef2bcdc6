//! `rejoinder token`: bearer tokens of the API.

use clap::Subcommand;
use rejoinder_engine::Engine;
use serde::Serialize;

use super::{Failure, open};
use crate::out::{self, Format};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token and print it; it is shown this once
    Create {
        /// What it is for
        #[arg(long)]
        name: String,
        /// The only location it opens [default: all]
        #[arg(long)]
        location: Option<String>,
    },
}

#[derive(Serialize)]
struct TokenJson {
    id: String,
    name: String,
    location_id: Option<String>,
    token: String,
}

impl Command {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        let Self::Create { name, location } = self;
        let location_id = match &location {
            Some(named) => Some(open::location(engine, Some(named)).await?.id),
            None => None,
        };
        let (row, token) = engine.create_token(&name, location_id).await?;
        if format == Format::Human {
            out::line(token.expose());
            out::note("Keep it safe: it is shown this once.");
            return Ok(());
        }
        format.one(&TokenJson {
            id: row.id.to_string(),
            name: row.name,
            location_id: row.location_id.map(|id| id.to_string()),
            token: token.expose().to_owned(),
        });
        Ok(())
    }
}
