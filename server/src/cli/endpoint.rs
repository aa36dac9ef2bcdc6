//! `rejoinder endpoint`: the programs that a location lets its rules call.

use clap::{Args, Subcommand};
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::{EndpointChange, Engine, NewEndpoint};

use super::{Failure, open, secret};
use crate::api::endpoints::{EndpointJson, EndpointsJson, method};
use crate::out::{self, Format};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Let rules call a program under a name
    Create {
        /// What rules call it, such as crm
        name: String,
        /// Where it is; https
        #[arg(long)]
        url: String,
        #[command(flatten)]
        details: Details,
    },
    /// List a location's endpoints
    List {
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
    /// Show one endpoint
    Show {
        /// What rules call it
        name: String,
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
    /// Change an endpoint; what is not named stays
    Set {
        /// What rules call it
        name: String,
        /// Where it is; https
        #[arg(long)]
        url: Option<String>,
        /// Repeatable: a header that goes along no more
        #[arg(long, value_name = "NAME")]
        without_header: Vec<String>,
        #[command(flatten)]
        details: Details,
    },
    /// Take an endpoint away from the rules
    Delete {
        /// What rules call it
        name: String,
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Details {
    /// Its id or name [default: the only one]
    #[arg(long)]
    location: Option<String>,
    /// GET, POST, PUT, PATCH or DELETE [default: POST]
    #[arg(long)]
    method: Option<String>,
    /// Repeatable: Authorization=@file, =-, =env:VAR
    #[arg(long, value_name = "NAME=SOURCE")]
    header: Vec<String>,
    /// How long an answer may take [default: 10000]
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<i64>,
}

impl Command {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        match self {
            Self::Create { name, url, details } => create(engine, name, url, details, format).await,
            Self::List { location } => {
                let location = open::location(engine, location.as_deref()).await?;
                let endpoints = engine.store().of(location.id).endpoints().await?;
                let columns = [("NAME", "name"), ("METHOD", "method"), ("URL", "url")];
                format.list(&EndpointsJson::from(endpoints), "endpoints", &columns);
                Ok(())
            }
            Self::Show { name, location } => {
                let location = open::location(engine, location.as_deref()).await?;
                let endpoints = engine.store().of(location.id).endpoints().await?;
                let mut endpoints = endpoints.into_iter();
                let endpoint = endpoints
                    .find(|endpoint| endpoint.name.as_str() == name)
                    .ok_or_else(|| Failure::missing("endpoint", &name, "endpoint list"))?;
                format.one(&EndpointJson::from(endpoint));
                Ok(())
            }
            Self::Set {
                name,
                url,
                without_header,
                details,
            } => {
                let location = open::location(engine, details.location.as_deref()).await?;
                let gone = without_header.into_iter().map(|name| (name, None));
                let set = secret::read("header", &details.header).await?.into_iter();
                let change = EndpointChange {
                    url,
                    method: details.method.as_deref().map(method).transpose()?,
                    headers: gone
                        .chain(set.map(|(name, value)| (name, Some(value))))
                        .collect(),
                    timeout_ms: details.timeout_ms.map(Span::from_ms),
                };
                let endpoint = engine.change_endpoint(location.id, &name, change).await?;
                format.one(&EndpointJson::from(endpoint));
                Ok(())
            }
            Self::Delete { name, location } => {
                let location = open::location(engine, location.as_deref()).await?;
                engine.delete_endpoint(location.id, &name).await?;
                out::note(&format!("Rules call '{name}' no more."));
                Ok(())
            }
        }
    }
}

async fn create(
    engine: &Engine,
    name: String,
    url: String,
    details: Details,
    format: Format,
) -> Result<(), Failure> {
    let location = open::location(engine, details.location.as_deref()).await?;
    let method = details.method.as_deref().map(method).transpose()?;
    let new = NewEndpoint {
        name,
        url,
        method: method.unwrap_or_default(),
        headers: secret::read("header", &details.header)
            .await?
            .into_iter()
            .collect(),
        timeout_ms: details.timeout_ms.map(Span::from_ms),
    };
    let endpoint = engine.create_endpoint(location.id, new).await?;
    format.one(&EndpointJson::from(endpoint));
    Ok(())
}
