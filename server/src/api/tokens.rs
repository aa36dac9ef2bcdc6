//! Tokens of the API in the API: for operators of the whole server. What a token is, is shown once.

use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::store::TokenRow;
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::request::{Request, id};
use crate::reply::{self, Error};

/// A token as printed.
#[derive(Serialize)]
pub(crate) struct TokenJson {
    id: String,
    name: String,
    /// The only location it opens; null: all.
    location_id: Option<String>,
    created_at: String,
    /// The token itself, the one time that it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl TokenJson {
    /// A token that was just made.
    pub(crate) fn made(row: TokenRow, token: &Secret) -> Self {
        Self {
            token: Some(token.expose().to_owned()),
            ..Self::from(row)
        }
    }
}

impl From<TokenRow> for TokenJson {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name,
            location_id: row.location_id.map(|id| id.to_string()),
            created_at: row.created_at.to_string(),
            token: None,
        }
    }
}

/// A list of tokens as printed.
#[derive(Serialize)]
pub(crate) struct TokensJson {
    tokens: Vec<TokenJson>,
}

impl From<Vec<TokenRow>> for TokensJson {
    fn from(rows: Vec<TokenRow>) -> Self {
        Self {
            tokens: rows.into_iter().map(TokenJson::from).collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    location_id: Option<LocationId>,
}

/// `/tokens…`
pub(crate) async fn route(path: &[&str], request: &Request) -> Result<Response, Error> {
    let engine = &request.engine;
    match (request.method.as_str(), path) {
        ("GET", []) => {
            request.query.only(&[])?;
            let tokens = engine.store().tokens().await?;
            Ok(reply::ok(&TokensJson::from(tokens)))
        }
        ("POST", []) => {
            let create: Create = request.json()?;
            let (row, token) = engine
                .create_token(&create.name, create.location_id)
                .await?;
            Ok(reply::created(&TokenJson::made(row, &token)))
        }
        (_, []) => Err(Error::Method("GET, POST")),
        ("DELETE", [token]) => {
            engine.revoke_token(id(token, "token")?).await?;
            Ok(reply::gone())
        }
        (_, [_]) => Err(Error::Method("DELETE")),
        _ => Err(Error::Missing("path")),
    }
}
