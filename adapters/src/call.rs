//! Rules' requests as HTTP: JSON to the endpoint that the location's admin has named, and its answer.
//! Knows neither rules nor retries: the engine decides what is called, and how often.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use rejoinder_engine::caller::{Answer, Call, CallError, Caller};
use rejoinder_engine::domain::endpoint::Method;
use serde_json::{Map, Value};
use url::{Host, Url};

use crate::address::is_global;
use crate::http::guarded::{Fault, Guard, Guarded, Question};

/// Bytes that a rule may send: as many as it may keep of a chat.
const MAX_QUESTION_BYTES: usize = 64 * 1024;
/// Bytes of an answer at most: several times what a rule is given of it.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// How far calls may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// The open internet, by https.
    #[default]
    Internet,
    /// Also this machine and the networks around it, and http: for programs in the operator's own house.
    Everywhere,
}

/// Calls endpoints by HTTP.
#[derive(Clone, Debug)]
pub struct Calls {
    client: Guarded,
    reach: Reach,
}

impl Calls {
    /// Calls that go as far as `reach` says.
    pub fn new(reach: Reach) -> Self {
        Self {
            client: Guarded::new(guard(reach)),
            reach,
        }
    }

    fn url(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(text).map_err(|_| {
            format!("'{text}' is not an address; write for example https://crm.example.com/leads")
        })?;
        match (url.scheme(), self.reach) {
            ("https", _) | ("http", Reach::Everywhere) => {}
            _ => return Err("the address must begin with https://".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "the address must not hold a password; send it in a header, such as Authorization"
                    .to_owned(),
            );
        }
        if url.fragment().is_some() {
            return Err("the address must not have a part after #: it is never sent".to_owned());
        }
        if let Some(Host::Domain(name)) = url.host()
            && name
                .strip_suffix('.')
                .unwrap_or(name)
                .split('.')
                .any(str::is_empty)
        {
            // Who looks such a name up may read it as a number after all.
            return Err(format!(
                "'{name}' is no name of a host: it has two dots in a row"
            ));
        }
        if !self.may_be_host(&url) {
            return Err(
                "the address leads to this machine or a network around it; endpoints are on the open \
                 internet, unless the operator sets requests.allow_private"
                    .to_owned(),
            );
        }
        Ok(url)
    }

    /// Whether its host may be called, as far as is known without looking it up; the guard sees to the rest.
    fn may_be_host(&self, url: &Url) -> bool {
        let may = guard(self.reach);
        match url.host() {
            Some(Host::Ipv4(address)) => may(address.into()),
            Some(Host::Ipv6(address)) => may(address.into()),
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                let is_own = name == "localhost" || name.ends_with(".localhost");
                !is_own || self.reach == Reach::Everywhere
            }
            None => false,
        }
    }

    async fn make(&self, call: Call) -> Result<Answer, CallError> {
        let mut url = self.url(&call.url).map_err(|_| CallError::RefusedAddress)?;
        let body = match call.method {
            Method::Get => {
                write_query(&mut url, &call.data);
                None
            }
            Method::Post | Method::Put | Method::Patch | Method::Delete => Some(body(&call.data)),
        };
        let size = body.as_ref().map_or(url.as_str().len(), Bytes::len);
        if size > MAX_QUESTION_BYTES {
            return Err(CallError::TooLarge);
        }
        let question = Question {
            method: match call.method {
                Method::Get => http::Method::GET,
                Method::Post => http::Method::POST,
                Method::Put => http::Method::PUT,
                Method::Patch => http::Method::PATCH,
                Method::Delete => http::Method::DELETE,
            },
            url,
            headers: headers(&call, body.is_some())?,
            body,
            timeout: call.timeout.to_std(),
            max_answer_bytes: MAX_ANSWER_BYTES,
        };
        let answered = self
            .client
            .ask(question)
            .await
            .map_err(|fault| match fault {
                Fault::Refused => CallError::RefusedAddress,
                Fault::NotConnected => CallError::NotConnected,
                Fault::Timeout => CallError::Timeout,
                Fault::Broken => CallError::Broken,
                Fault::TooLarge => CallError::TooLarge,
                Fault::Invalid => CallError::Invalid,
            })?;
        Ok(Answer {
            status: answered.status,
            body: answered.body,
            retry_after: answered.retry_after,
        })
    }
}

impl Caller for Calls {
    fn check(&self, url: &str) -> Result<(), String> {
        self.url(url).map(drop)
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, CallError>> {
        Box::pin(self.make(call))
    }
}

fn guard(reach: Reach) -> Guard {
    match reach {
        Reach::Internet => is_global,
        Reach::Everywhere => |_| true,
    }
}

fn body(data: &Map<String, Value>) -> Bytes {
    serde_json::to_vec(data)
        .expect("a map of JSON is JSON")
        .into()
}

/// Adds the data to what the address asks already; what is no plain value goes as JSON.
fn write_query(url: &mut Url, data: &Map<String, Value>) {
    if data.is_empty() {
        return;
    }
    let mut query = url.query_pairs_mut();
    for (name, value) in data {
        match value {
            Value::Null => {}
            Value::String(text) => {
                query.append_pair(name, text);
            }
            other => {
                query.append_pair(name, &other.to_string());
            }
        }
    }
}

/// The endpoint's own headers, and ours, which it cannot replace.
fn headers(call: &Call, has_body: bool) -> Result<HeaderMap, CallError> {
    let mut headers = HeaderMap::new();
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, text/plain;q=0.9, */*;q=0.1"),
    );
    for (name, value) in &call.headers {
        let name: HeaderName = name.parse().map_err(|_| CallError::Invalid)?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| CallError::Invalid)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("rejoinder/", env!("CARGO_PKG_VERSION"))),
    );
    let key = HeaderValue::from_str(&call.request_id.to_string());
    headers.insert("idempotency-key", key.map_err(|_| CallError::Invalid)?);
    Ok(headers)
}
