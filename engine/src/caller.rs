//! How the host lets rules call other programs: one request, one answer.
//! Knows no HTTP client, no database and no script. What is given here carries out; it decides nothing:
//! whether a call is made again is the engine's matter.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use crate::crypto::Secret;
use crate::domain::endpoint::Method;
use crate::domain::ids::RequestId;
use crate::domain::time::Span;

/// Calls endpoints. Without one, requests of rules are answered with `unavailable`.
pub trait Caller: Send + Sync + 'static {
    /// Whether an endpoint may have this address, as far as can be told without calling it.
    ///
    /// # Errors
    /// A sentence about what is wrong with it, and what to write instead.
    fn check(&self, _url: &str) -> Result<(), String> {
        Ok(())
    }

    /// Makes one call: at most one request that the endpoint could act on.
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, CallError>>;
}

/// One call of an endpoint.
#[derive(Clone, Debug)]
pub struct Call {
    /// The request; the endpoint is told it as `Idempotency-Key`, the same at every attempt.
    pub request_id: RequestId,
    /// What rules call the endpoint.
    pub endpoint: String,
    /// Where it is.
    pub url: String,
    /// How it is asked.
    pub method: Method,
    /// What its admin sends along.
    pub headers: Vec<(String, Secret)>,
    /// What the rule sends.
    pub data: Map<String, Value>,
    /// How long all of it may take.
    pub timeout: Span,
}

/// What the endpoint answered, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
    /// How long the endpoint asks us to wait.
    pub retry_after: Option<Span>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No connection was made: certainly not sent.
    #[error("no connection to the endpoint could be made")]
    NotConnected,
    /// The endpoint may have acted, and did not answer in time.
    #[error("the endpoint did not answer in time")]
    Timeout,
    /// The endpoint may have acted, and the connection broke before its answer was whole.
    #[error("the connection broke before the endpoint had answered")]
    Broken,
    /// Its name leads to an address that may not be called.
    #[error("the endpoint's address is not of the open internet")]
    RefusedAddress,
    /// The data or the answer is larger than what is carried.
    #[error("the data or the answer is too large")]
    TooLarge,
    /// The address or a header cannot be sent as it is.
    #[error("the endpoint's address or a header cannot be sent")]
    Invalid,
}
