//! `rejoinder token`: bearer tokens of the API.

use clap::Subcommand;
use rejoinder_engine::Engine;
use rejoinder_engine::domain::ids::TokenId;

use super::{Failure, open};
use crate::api::tokens::{TokenJson, TokensJson};
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
    /// List the tokens, without what they are
    List,
    /// Have a token open nothing any more
    Revoke {
        /// Its id, as the list shows it
        token: TokenId,
    },
}

impl Command {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        match self {
            Self::Create { name, location } => create(engine, name, location, format).await,
            Self::List => {
                let tokens = engine.store().tokens().await?;
                let columns = [
                    ("ID", "id"),
                    ("NAME", "name"),
                    ("LOCATION", "location_id"),
                    ("MADE", "created_at"),
                ];
                format.list(&TokensJson::from(tokens), "tokens", &columns);
                Ok(())
            }
            Self::Revoke { token } => {
                engine.revoke_token(token).await?;
                out::note("It opens nothing any more.");
                Ok(())
            }
        }
    }
}

async fn create(
    engine: &Engine,
    name: String,
    location: Option<String>,
    format: Format,
) -> Result<(), Failure> {
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
    format.one(&TokenJson::made(row, &token));
    Ok(())
}
