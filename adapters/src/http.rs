//! The one HTTP client towards providers: time limits, size limits, no proxies, no redirects, and
//! the one distinction that matters after a failure: was the request certainly not sent, or may it
//! have been? Knows no provider. The only owner of reqwest, together with the client for addresses that
//! others have chosen (`guarded`).

pub mod guarded;
pub mod probe;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use rejoinder_engine::adapter::{SendError, SendErrorKind};
use rejoinder_engine::domain::time::{Span, Timestamp};

/// A connection that takes longer is not made (decisions: delivery lease).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A request that takes longer is in doubt (decisions: delivery lease).
const TOTAL_TIMEOUT: Duration = Duration::from_secs(8);
/// An answer that is longer is cut off: providers answer in a few kilobytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Connections kept open to one provider.
const MAX_IDLE_PER_HOST: usize = 64;

/// A request that is being put together.
pub type Request = reqwest::RequestBuilder;

/// The one HTTP client towards providers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http(reqwest::Client);

impl Http {
    /// A client with this crate's limits.
    pub fn new() -> Self {
        Self(built(
            plain()
                .timeout(TOTAL_TIMEOUT)
                .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
                .tcp_nodelay(true)
                .user_agent(concat!("rejoinder/", env!("CARGO_PKG_VERSION"))),
        ))
    }

    /// Begins a request.
    pub fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        self.0.request(method, url)
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// `NotConnected` if no connection was made: certainly not sent. `Invalid` if the request could
    /// not be built. `InDoubt` for everything else: the request may have arrived.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, SendError> {
        let mut response = request.send().await.map_err(|error| fault(&error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let request_id = request_id(response.headers());
        let date = date(response.headers());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
            let room = MAX_ANSWER_BYTES - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == MAX_ANSWER_BYTES {
                break;
            }
        }
        Ok(Answer {
            status,
            retry_after,
            request_id,
            date,
            body: body.freeze(),
        })
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

/// What the provider answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long the provider asks us to wait; at most an hour.
    pub retry_after: Option<Span>,
    /// The provider's own id of the request, by which its support finds it.
    pub request_id: Option<String>,
    /// The provider's time, to the second.
    pub date: Option<Timestamp>,
    /// The body, cut off at `MAX_ANSWER_BYTES`.
    pub body: Bytes,
}

/// What every client has: TLS, no proxies, no redirects, and a limit on how long a connection takes to be made.
#[expect(clippy::disallowed_methods, reason = "this is the owner of the client")]
fn plain() -> reqwest::ClientBuilder {
    // A second call finds the provider installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
}

fn built(client: reqwest::ClientBuilder) -> reqwest::Client {
    let client = client.build();
    client.expect("the TLS provider is installed and no option is contradictory")
}

/// How long an answer asks us to wait; at most an hour.
fn retry_after(headers: &HeaderMap) -> Option<Span> {
    let value = headers.get("retry-after")?.to_str().ok()?;
    let seconds: i64 = value.trim().parse().ok()?;
    Some(Span::seconds(seconds.clamp(0, 3600)))
}

/// What providers call the id of a request: Meta, Twilio.
const REQUEST_IDS: [&str; 2] = ["x-fb-request-id", "twilio-request-id"];
/// A longer id is none.
const MAX_REQUEST_ID_BYTES: usize = 100;

fn request_id(headers: &HeaderMap) -> Option<String> {
    let ids = REQUEST_IDS.iter().filter_map(|name| headers.get(*name));
    let mut ids = ids.filter_map(|value| value.to_str().ok());
    ids.find(|id| id.len() <= MAX_REQUEST_ID_BYTES)
        .map(str::to_owned)
}

/// HTTP writes times as mail does.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    Timestamp::parse_rfc2822(headers.get("date")?.to_str().ok()?)
}

/// The error of a request that reaches no customer: there is nothing to be in doubt about.
pub(crate) fn without_doubt(mut error: SendError) -> SendError {
    if error.kind == SendErrorKind::InDoubt {
        error.kind = SendErrorKind::Temporary;
    }
    error
}

/// The error without its address, which may hold an account's id or a customer's number.
fn fault(error: &reqwest::Error) -> SendError {
    if error.is_connect() {
        SendError::new(
            SendErrorKind::NotConnected,
            "no connection to the provider could be made",
        )
    } else if error.is_builder() {
        SendError::new(
            SendErrorKind::Invalid,
            "the provider's address in the configuration is not usable",
        )
    } else if error.is_timeout() {
        SendError::new(
            SendErrorKind::InDoubt,
            "the provider did not answer in time",
        )
    } else {
        SendError::new(
            SendErrorKind::InDoubt,
            "the connection broke before the provider answered",
        )
    }
}
