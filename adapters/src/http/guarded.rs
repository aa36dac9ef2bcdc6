//! A client for addresses that others have chosen: it looks a name up once, connects to what was found
//! and nowhere else, and not at all where the guard does not let it. No proxies, no redirects.
//! Knows neither who chose the address nor what is said there.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};
use rejoinder_engine::domain::time::Span;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{built, plain, retry_after};

/// Connections kept open to one place: those who call are few.
const MAX_IDLE_PER_HOST: usize = 4;
/// How long an idle one is kept: after that the name is looked up again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Says to which addresses connections may be made.
pub type Guard = fn(IpAddr) -> bool;

/// Looks a name up.
pub type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// A client that goes only where its guard lets it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guarded(reqwest::Client);

/// What is asked.
#[derive(Debug)]
pub struct Question {
    /// How.
    pub method: Method,
    /// Where: an address whose host is a name, or was looked at by whoever asks.
    pub url: url::Url,
    /// What goes along.
    pub headers: HeaderMap,
    /// What is said.
    pub body: Option<Bytes>,
    /// How long all of it may take.
    pub timeout: Duration,
    /// A longer answer is none.
    pub max_answer_bytes: usize,
}

/// What was answered, whole.
#[derive(Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// How long we are asked to wait; at most an hour.
    pub retry_after: Option<Span>,
    /// The body.
    pub body: Bytes,
}

/// Why nothing was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The guard let none of the name's addresses pass.
    Refused,
    /// No connection was made.
    NotConnected,
    /// The time was over.
    Timeout,
    /// The connection broke.
    Broken,
    /// The answer is too long.
    TooLarge,
    /// The question cannot be put into bytes.
    Invalid,
}

impl Guarded {
    /// A client that looks names up as the operating system does.
    pub fn new(guard: Guard) -> Self {
        Self::with_lookup(guard, Arc::new(|host| Box::pin(lookup(host))))
    }

    /// A client that looks names up otherwise.
    pub fn with_lookup(guard: Guard, lookup: Lookup) -> Self {
        Self(built(
            plain()
                .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .dns_resolver(Gate { guard, lookup }),
        ))
    }

    /// Asks, and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// Nothing usable was answered.
    pub async fn ask(&self, question: Question) -> Result<Answered, Fault> {
        let mut request = self
            .0
            .request(question.method, question.url)
            .headers(question.headers)
            .timeout(question.timeout);
        if let Some(body) = question.body {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(|error| fault(&error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
            if body.len() + chunk.len() > question.max_answer_bytes {
                return Err(Fault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answered {
            status,
            retry_after,
            body: body.freeze(),
        })
    }
}

fn fault(error: &reqwest::Error) -> Fault {
    if error.is_builder() {
        Fault::Invalid
    } else if refused(error) {
        Fault::Refused
    } else if error.is_connect() {
        Fault::NotConnected
    } else if error.is_timeout() {
        Fault::Timeout
    } else {
        Fault::Broken
    }
}

/// Whether our own refusal lies at the bottom of an error.
fn refused(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.is::<Refused>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// Looks names up, and hands on only what the guard lets pass: it is connected to that very address.
struct Gate {
    guard: Guard,
    lookup: Lookup,
}

impl Resolve for Gate {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, found) = (self.guard, (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let mut addresses = found.await?;
            if addresses.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            addresses.retain(|address| guard(address.ip()));
            if addresses.is_empty() {
                return Err(Refused.into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

async fn lookup(host: String) -> io::Result<Vec<SocketAddr>> {
    // The port is the address's own; zero lets it be put in later.
    Ok(tokio::net::lookup_host((host, 0)).await?.collect())
}

/// None of a name's addresses may be connected to.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to no address that may be called")
    }
}

impl std::error::Error for Refused {}
