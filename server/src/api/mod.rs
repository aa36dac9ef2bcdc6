//! The API, `/api/v1`: what people and other programs ask of the server, as JSON.
//! Its types live here and mirror the engine's; a route is a line in one of the tables below.
//!
//! To add a route, add its line to the table of its resource: `route` hands it a request whose token
//! was checked and whose location is there, so that no handler can forget either.

pub(crate) mod channels;
mod contacts;
pub(crate) mod conversations;
pub(crate) mod deliveries;
pub(crate) mod doctor;
mod editor;
pub(crate) mod endpoints;
pub(crate) mod events;
pub(crate) mod fanouts;
pub(crate) mod locations;
pub(crate) mod messages;
mod notes;
pub(crate) mod onboardings;
mod request;
pub(crate) mod requests;
pub(crate) mod rules;
pub(crate) mod templates;
pub(crate) mod tests;
pub(crate) mod tickets;
pub(crate) mod tokens;
pub(crate) mod unrouted;

use bytes::Buf;
use futures_util::Stream;
use rejoinder_engine::Engine;
use rejoinder_engine::domain::ids::LocationId;
use serde::Serialize;
use warp::http::{HeaderMap, Method};
use warp::path::Tail;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::auth::Caller;
use crate::body::Reader;
use crate::reply::Error;
pub(crate) use request::read_json;
use request::{Query, Request, Scoped, id};

/// Bytes of a request's body at most: the largest script has 64 KiB.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Everything below `/api/v1`.
pub(crate) fn routes(
    engine: Engine,
    reader: Reader,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path!("api" / "v1" / ..)
        .and(warp::path::tail())
        .and(warp::method())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |tail: Tail, method, query: String, headers, body| {
            let (engine, reader) = (engine.clone(), reader.clone());
            async move {
                let request = admit(engine, &reader, method, &query, headers, body).await;
                let response = match request {
                    Ok(request) => route(tail.as_str(), request).await,
                    Err(error) => Err(error),
                };
                response.unwrap_or_else(Response::from)
            }
        })
}

/// Checks the token before a byte of the body is read.
async fn admit(
    engine: Engine,
    reader: &Reader,
    method: Method,
    query: &str,
    headers: HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<Request, Error> {
    let caller = Caller::of(&engine, &headers).await?;
    let body = reader.read(&headers, body, MAX_BODY_BYTES).await?;
    Ok(Request {
        engine,
        caller,
        method,
        query: Query::parse(query),
        headers,
        body: body.bytes,
    })
}

async fn route(path: &str, request: Request) -> Result<Response, Error> {
    let path: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    match path.as_slice() {
        ["locations"] => locations::all(&request).await,
        ["onboarding-routes"] => onboardings::routes(&request),
        ["locations", location, rest @ ..] => {
            let scoped = scope(location, request).await?;
            match rest {
                [] => locations::one(&scoped).await,
                ["channels", rest @ ..] => channels::route(rest, &scoped).await,
                ["onboardings", rest @ ..] => onboardings::route(rest, &scoped).await,
                ["bridge-tickets"] => tickets::route(&scoped).await,
                ["doctor", rest @ ..] => doctor::route(rest, &scoped).await,
                ["endpoints", rest @ ..] => endpoints::route(rest, &scoped).await,
                ["rules", rest @ ..] => rules::route(rest, &scoped).await,
                ["templates", rest @ ..] => templates::route(rest, &scoped).await,
                ["conversations", rest @ ..] => conversations::route(rest, &scoped).await,
                ["contacts"] => contacts::all(&scoped).await,
                ["events", rest @ ..] => events::route(rest, &scoped).await,
                ["fanouts"] => fanouts::list(&scoped).await,
                ["requests", rest @ ..] => requests::route(rest, &scoped).await,
                ["deliveries", rest @ ..] => deliveries::route(rest, &scoped).await,
                _ => Err(Error::Missing("path")),
            }
        }
        // They belong to no location, so that only an operator may see them.
        ["tokens", rest @ ..] if request.caller.is_operator() => {
            tokens::route(rest, &request).await
        }
        ["unrouted", rest @ ..] if request.caller.is_operator() => {
            unrouted::route(rest, &request).await
        }
        _ => Err(Error::Missing("path")),
    }
}

/// The location of a request. One that the caller may not see is not there.
async fn scope(text: &str, request: Request) -> Result<Scoped, Error> {
    let location_id: LocationId = id(text, "location")?;
    let store = request.engine.store();
    if !request.caller.sees(location_id) || store.of(location_id).location().await?.is_none() {
        return Err(Error::Missing("location"));
    }
    Ok(Scoped {
        request,
        location_id,
    })
}

/// A page of a list; `next` is what to ask for with `after`, or null at the end.
#[derive(Serialize)]
pub(crate) struct Next {
    next: Option<String>,
}

impl Next {
    /// After a page of `limit` items that ends with `last`, there may be more.
    pub(crate) fn after<T>(rows: &[T], limit: u64, id: impl Fn(&T) -> String) -> Self {
        let is_full = u64::try_from(rows.len()).is_ok_and(|length| length >= limit);
        Self {
            next: rows.last().filter(|_| is_full).map(id),
        }
    }
}

/// Lays the members of `change` over those of `current`.
///
/// # Errors
/// One of them is not known, or has the wrong type; the sentence names it.
pub(crate) fn merge<T: Serialize + serde::de::DeserializeOwned>(
    current: &T,
    change: serde_json::Map<String, serde_json::Value>,
) -> Result<T, Error> {
    let mut value = serde_json::to_value(current).expect("our own types have string keys");
    if let Some(members) = value.as_object_mut() {
        members.extend(change);
    }
    serde_json::from_value(value).map_err(|error| Error::Invalid(format!("'settings': {error}")))
}
