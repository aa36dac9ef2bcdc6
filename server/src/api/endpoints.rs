//! Endpoints in the API: what rules may call. Header values go in and never come out.

use std::collections::BTreeMap;

use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::endpoint::{Endpoint, Method};
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::{EndpointChange, NewEndpoint};
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::request::Scoped;
use crate::reply::{self, Error};

/// An endpoint as printed.
#[derive(Serialize)]
pub(crate) struct EndpointJson {
    name: String,
    url: String,
    method: &'static str,
    /// The names of the headers that go along.
    headers: Vec<String>,
    timeout_ms: i64,
}

impl From<Endpoint> for EndpointJson {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            name: endpoint.name.to_string(),
            url: endpoint.url,
            method: endpoint.method.name(),
            headers: endpoint.headers,
            timeout_ms: endpoint.timeout_ms.ms(),
        }
    }
}

/// A location's endpoints as printed.
#[derive(Serialize)]
pub(crate) struct EndpointsJson {
    endpoints: Vec<EndpointJson>,
}

impl From<Vec<Endpoint>> for EndpointsJson {
    fn from(endpoints: Vec<Endpoint>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(EndpointJson::from).collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    url: String,
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    timeout_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    url: Option<String>,
    method: Option<String>,
    /// Null takes a header out.
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    timeout_ms: Option<i64>,
}

/// A method, from what people write.
///
/// # Errors
/// There is no such method.
pub(crate) fn method(text: &str) -> Result<Method, Error> {
    Method::parse(text).ok_or_else(|| {
        let names: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
        Error::Invalid(format!(
            "there is no method '{text}'; there are: {}",
            names.join(", ")
        ))
    })
}

/// `/endpoints…`
pub(crate) async fn route(path: &[&str], scoped: &Scoped) -> Result<Response, Error> {
    match (scoped.request.method.as_str(), path) {
        ("GET", []) => list(scoped).await,
        ("POST", []) => create(scoped).await,
        (_, []) => Err(Error::Method("GET, POST")),
        ("GET", [name]) => show(scoped, name).await,
        ("PATCH", [name]) => change(scoped, name).await,
        ("DELETE", [name]) => delete(scoped, name).await,
        (_, [_]) => Err(Error::Method("GET, PATCH, DELETE")),
        _ => Err(Error::Missing("path")),
    }
}

async fn list(scoped: &Scoped) -> Result<Response, Error> {
    scoped.request.query.only(&[])?;
    let endpoints = scoped.store().endpoints().await?;
    Ok(reply::ok(&EndpointsJson::from(endpoints)))
}

async fn show(scoped: &Scoped, name: &str) -> Result<Response, Error> {
    let endpoints = scoped.store().endpoints().await?;
    let mut endpoints = endpoints.into_iter();
    let endpoint = endpoints.find(|endpoint| endpoint.name.as_str() == name);
    let endpoint = endpoint.ok_or(Error::Missing("endpoint"))?;
    Ok(reply::ok(&EndpointJson::from(endpoint)))
}

async fn create(scoped: &Scoped) -> Result<Response, Error> {
    let create: Create = scoped.request.json()?;
    let method = create.method.as_deref().map(method).transpose()?;
    let headers = create.headers.into_iter();
    let new = NewEndpoint {
        name: create.name,
        url: create.url,
        method: method.unwrap_or_default(),
        headers: headers
            .map(|(name, value)| (name, Secret::new(value)))
            .collect(),
        timeout_ms: create.timeout_ms.map(Span::from_ms),
    };
    let engine = scoped.engine();
    let endpoint = engine.create_endpoint(scoped.location_id, new).await?;
    Ok(reply::created(&EndpointJson::from(endpoint)))
}

async fn change(scoped: &Scoped, name: &str) -> Result<Response, Error> {
    let change: Change = scoped.request.json()?;
    let headers = change.headers.into_iter();
    let change = EndpointChange {
        url: change.url,
        method: change.method.as_deref().map(method).transpose()?,
        headers: headers
            .map(|(name, value)| (name, value.map(Secret::new)))
            .collect(),
        timeout_ms: change.timeout_ms.map(Span::from_ms),
    };
    let engine = scoped.engine();
    let endpoint = engine
        .change_endpoint(scoped.location_id, name, change)
        .await?;
    Ok(reply::ok(&EndpointJson::from(endpoint)))
}

async fn delete(scoped: &Scoped, name: &str) -> Result<Response, Error> {
    let engine = scoped.engine();
    engine.delete_endpoint(scoped.location_id, name).await?;
    Ok(reply::gone())
}
