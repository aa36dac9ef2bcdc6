//! A request of the API as its handlers see it: already allowed, its body already read.
//! Knows no route.

use std::str::FromStr;

use bytes::Bytes;
use rejoinder_engine::Engine;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::store::LocationStore;
use serde::de::DeserializeOwned;
use url::form_urlencoded;
use warp::http::header::CONTENT_TYPE;
use warp::http::{HeaderMap, Method};

use crate::auth::Caller;
use crate::reply::Error;

/// Items of a list, if the request does not say how many.
const DEFAULT_LIMIT: u64 = 100;
/// Items of a list at most: about a megabyte of events.
const MAX_LIMIT: u64 = 500;

/// A request that may be made, as far as its token goes.
pub(crate) struct Request {
    pub(crate) engine: Engine,
    pub(crate) caller: Caller,
    pub(crate) method: Method,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A request about one location, which is there and which the caller may see.
pub(crate) struct Scoped {
    pub(crate) request: Request,
    pub(crate) location_id: LocationId,
}

impl Request {
    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        read_json(&self.headers, &self.body)
    }
}

/// A body as JSON, if its sender says that it is.
pub(crate) fn read_json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<T, Error> {
    let content_type = headers.get(CONTENT_TYPE);
    let is_json = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(Error::MediaType);
    }
    serde_json::from_slice(body).map_err(|error| {
        let sentence = format!("the body does not read: {}", untold(&error));
        if error.is_data() {
            Error::Invalid(sentence)
        } else {
            Error::invalid(sentence)
        }
    })
}

/// What is wrong with a text, without the value that is: it may be a secret in the wrong place.
fn untold(error: &serde_json::Error) -> String {
    let sentence = error.to_string();
    let wrong = ["invalid type: ", "invalid value: "];
    let wrong = wrong.into_iter().find(|wrong| sentence.starts_with(wrong));
    match (wrong, sentence.rfind(", expected ")) {
        (Some(wrong), Some(at)) => format!("{}{}", wrong, &sentence[at + 2..]),
        _ => sentence,
    }
}

impl Scoped {
    pub(crate) fn engine(&self) -> &Engine {
        &self.request.engine
    }

    /// The door to the location's data.
    pub(crate) fn store(&self) -> LocationStore<'_> {
        self.request.engine.store().of(self.location_id)
    }
}

/// The parameters after the question mark.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(raw: &str) -> Self {
        Self(
            form_urlencoded::parse(raw.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// Refuses parameters other than `known`: a mistyped filter must not list everything.
    pub(crate) fn only(&self, known: &[&str]) -> Result<&Self, Error> {
        match self
            .0
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()))
        {
            Some((name, _)) if known.is_empty() => Err(Error::invalid(format!(
                "there is no parameter '{name}' here"
            ))),
            Some((name, _)) => Err(Error::invalid(format!(
                "there is no parameter '{name}' here; there are: {}",
                known.join(", ")
            ))),
            None => Ok(self),
        }
    }

    /// A parameter's text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        values.next().map(|(_, value)| value.as_str())
    }

    /// A parameter that is an id.
    pub(crate) fn id<T: FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Error> {
        self.text(name)
            .map(str::parse)
            .transpose()
            .map_err(|error| Error::invalid(format!("'{name}': {error}")))
    }

    /// How many items to list.
    pub(crate) fn limit(&self) -> Result<u64, Error> {
        let Some(text) = self.text("limit") else {
            return Ok(DEFAULT_LIMIT);
        };
        text.parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| Error::invalid(format!("'limit' is a number from 1 to {MAX_LIMIT}")))
    }
}

/// An id in the path; one that does not read names nothing.
pub(crate) fn id<T: FromStr>(text: &str, what: &'static str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Missing(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_read_is_told_without_what_stands_there() {
        #[derive(Debug, serde::Deserialize)]
        struct Body {
            #[expect(dead_code, reason = "only reading it is looked at")]
            credentials: std::collections::BTreeMap<String, String>,
        }
        for (body, told) in [
            (
                r#"{"credentials": "EAAG, expected 1"}"#,
                "invalid type: expected a map at line 1",
            ),
            (
                r#"{"credentials": {"pin": 482913}}"#,
                "invalid type: expected a string at line 1",
            ),
            (r#"{"other": "EAAG"}"#, "missing field `credentials`"),
        ] {
            let error = serde_json::from_str::<Body>(body).expect_err("it does not read");
            let sentence = untold(&error);
            assert!(sentence.starts_with(told), "{sentence}");
            assert!(
                !sentence.contains("EAAG") && !sentence.contains("482913"),
                "{sentence}"
            );
        }
    }
}
