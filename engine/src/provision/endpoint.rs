//! Endpoints: let rules call a program by a name, and stop it. Header values go in and never come out.

use std::collections::BTreeMap;

use super::{Problem, save};
use crate::crypto::{DataKey, Secret};
use crate::domain::endpoint::{Endpoint, EndpointName, Method};
use crate::domain::ids::LocationId;
use crate::domain::time::Span;
use crate::engine::Engine;
use crate::setup;
use crate::store::{DeleteEndpoint, SaveEndpoint, StoredEndpoint};

/// Endpoints of a location at most: each is typed in by a person.
const MAX_ENDPOINTS: usize = 100;
/// Headers of an endpoint at most; programs ask for one or two.
const MAX_HEADERS: usize = 20;
/// Bytes of a header's value at most: servers refuse more.
const MAX_HEADER_BYTES: usize = 8 * 1024;
/// Bytes of an address at most, as browsers and servers have it.
const MAX_URL_BYTES: usize = 2_000;
/// Headers that say how the call itself is made; ours would be doubled or contradicted.
const OUR_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// An endpoint to be created.
#[derive(Clone, Debug)]
pub struct NewEndpoint {
    /// What rules call it: a small letter, then small letters, digits, `_` and `-`.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// How it is asked.
    pub method: Method,
    /// What goes along, by name; sealed before it is stored.
    pub headers: BTreeMap<String, Secret>,
    /// How long an answer may take; ten seconds unless given.
    pub timeout_ms: Option<Span>,
}

/// What changes about an endpoint; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct EndpointChange {
    /// Where it is.
    pub url: Option<String>,
    /// How it is asked.
    pub method: Option<Method>,
    /// Headers that replace those of the same name; `None` takes one out.
    pub headers: BTreeMap<String, Option<Secret>>,
    /// How long an answer may take.
    pub timeout_ms: Option<Span>,
}

impl Engine {
    /// Lets a location's rules call a program under a name.
    ///
    /// # Errors
    /// The location is not there, something does not do, or the name is taken.
    pub async fn create_endpoint(
        &self,
        location_id: LocationId,
        new: NewEndpoint,
    ) -> Result<Endpoint, Problem> {
        let core = &self.core;
        let name = EndpointName::parse(&new.name).ok_or_else(|| {
            Problem::Invalid(format!(
                "'{}' is no name for an endpoint; write up to 64 small letters, digits, _ and -, \
                 beginning with a letter, such as crm",
                new.name
            ))
        })?;
        if core.store.location(location_id).await?.is_none() {
            return Err(Problem::Missing("location"));
        }
        if core.store.of(location_id).endpoints().await?.len() >= MAX_ENDPOINTS {
            return Err(Problem::Invalid(format!(
                "a location has {MAX_ENDPOINTS} endpoints at most; delete one that no rule calls"
            )));
        }
        let mut headers = BTreeMap::new();
        for (header, value) in new.headers {
            set_header(&mut headers, &header, Some(value))?;
        }
        let endpoint = Endpoint {
            location_id,
            name,
            url: self.url(&new.url)?,
            method: new.method,
            headers: headers.keys().cloned().collect(),
            timeout_ms: timeout(new.timeout_ms.unwrap_or(Endpoint::DEFAULT_TIMEOUT))?,
        };
        let data_key = core.setup.data_key(location_id).await?;
        let stored = sealed(&data_key, endpoint.clone(), &headers, 1);
        let new = Some(core.clock.now());
        save(core, SaveEndpoint { stored, new }).await?;
        Ok(endpoint)
    }

    /// Changes an endpoint; what is on its way is not called back.
    ///
    /// # Errors
    /// It is not there, the change does not do, or the database failed.
    pub async fn change_endpoint(
        &self,
        location_id: LocationId,
        name: &str,
        change: EndpointChange,
    ) -> Result<Endpoint, Problem> {
        let core = &self.core;
        let stored = core.store.of(location_id).endpoint(name).await?;
        let mut stored = stored.ok_or(Problem::Missing("endpoint"))?;
        let endpoint = &mut stored.endpoint;
        if let Some(url) = &change.url {
            endpoint.url = self.url(url)?;
        }
        endpoint.method = change.method.unwrap_or(endpoint.method);
        endpoint.timeout_ms = timeout(change.timeout_ms.unwrap_or(endpoint.timeout_ms))?;
        if !change.headers.is_empty() {
            let data_key = core.setup.data_key(location_id).await?;
            let mut headers = setup::open_headers(&data_key, &stored)?;
            for (header, value) in change.headers {
                set_header(&mut headers, &header, value)?;
            }
            stored.endpoint.headers = headers.keys().cloned().collect();
            let version = stored.headers_version + 1;
            stored = sealed(&data_key, stored.endpoint, &headers, version);
        }
        let endpoint = stored.endpoint.clone();
        save(core, SaveEndpoint { stored, new: None }).await?;
        Ok(endpoint)
    }

    /// Takes an endpoint away from the rules; what still wants to call it is answered `not_allowed`.
    ///
    /// # Errors
    /// It is not there, or the database failed.
    pub async fn delete_endpoint(
        &self,
        location_id: LocationId,
        name: &str,
    ) -> Result<(), Problem> {
        let missing = Problem::Missing("endpoint");
        let Some(name) = EndpointName::parse(name) else {
            return Err(missing);
        };
        let delete = DeleteEndpoint { location_id, name };
        let was_there = save(&self.core, delete).await?;
        if was_there { Ok(()) } else { Err(missing) }
    }

    fn url(&self, text: &str) -> Result<String, Problem> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_URL_BYTES {
            return Err(Problem::Invalid(format!(
                "'url' is an address of up to {MAX_URL_BYTES} letters, such as https://crm.example.com/leads"
            )));
        }
        if let Some(caller) = &self.core.caller {
            caller
                .check(text)
                .map_err(|reason| Problem::Invalid(format!("'url': {reason}")))?;
        }
        Ok(text.to_owned())
    }
}

fn timeout(timeout: Span) -> Result<Span, Problem> {
    let most = Endpoint::MAX_TIMEOUT;
    if timeout < Span::from_ms(1) || timeout > most {
        return Err(Problem::Invalid(format!(
            "'timeout_ms' is a number from 1 to {}",
            most.ms()
        )));
    }
    Ok(timeout)
}

/// Sets a header, or takes it out. Names mean the same in any case, and are kept in small letters.
fn set_header(
    headers: &mut BTreeMap<String, Secret>,
    name: &str,
    value: Option<Secret>,
) -> Result<(), Problem> {
    let refuse = |why: String| Err(Problem::Invalid(format!("the header '{name}' {why}")));
    let key = name.trim().to_ascii_lowercase();
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if key.is_empty() || key.len() > 100 || !key.bytes().all(is_letter) {
        return refuse("is no name of a header; write for example Authorization".into());
    }
    if OUR_HEADERS.contains(&key.as_str()) {
        return refuse("is set by the call itself".into());
    }
    let Some(value) = value else {
        headers.remove(&key);
        return Ok(());
    };
    let text = value.expose();
    let is_plain = text.bytes().all(|b| (0x20..0x7f).contains(&b));
    if text.is_empty() || text.len() > MAX_HEADER_BYTES || !is_plain {
        return refuse(format!(
            "has a value that cannot be sent: 1 to {MAX_HEADER_BYTES} plain characters, without line breaks"
        ));
    }
    headers.insert(key, value);
    if headers.len() > MAX_HEADERS {
        return refuse(format!("is one too many: {MAX_HEADERS} at most"));
    }
    Ok(())
}

fn sealed(
    key: &DataKey,
    endpoint: Endpoint,
    headers: &BTreeMap<String, Secret>,
    version: i32,
) -> StoredEndpoint {
    StoredEndpoint {
        headers: setup::seal_headers(key, &endpoint, version, headers),
        endpoint,
        headers_version: version,
    }
}
