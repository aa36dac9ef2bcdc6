//! How outcomes look on the wire: the only place with a status code.
//! Knows the engine's errors, not how they came about. Nothing internal leaves by a body.

use rejoinder_engine::adapter::Reply as ProviderReply;
use rejoinder_engine::script::{Diagnostic, Severity};
use rejoinder_engine::simulate::Report;
use rejoinder_engine::{Problem, store};
use serde::Serialize;
use warp::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

use crate::api::tests::ReportJson;

/// Seconds after which a request that met too much work should be made again.
const RETRY_SECONDS: &str = "2";
/// The answer to every webhook that is not accepted, whatever the reason: it teaches nothing.
const REFUSED: &str = "refused\n";

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request does not read.
    #[error("{0}")]
    Malformed(String),
    /// No token, or none of ours.
    #[error("a bearer token is needed; `rejoinder token create` makes one")]
    Unauthorized,
    /// It is not there, or not for this token.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// The path is there, and another method is meant.
    #[error("this path answers to {0}")]
    Method(&'static str),
    /// The body is not of a type that is read here.
    #[error("the body must be application/json")]
    MediaType,
    /// The body did not come in time.
    #[error("the body did not come in time")]
    TooSlow,
    /// The body is too large.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// How many it may have.
        limit: usize,
    },
    /// It reads, and cannot be done as asked.
    #[error("{0}")]
    Invalid(String),
    /// Something of that name or number is there already.
    #[error("{0}")]
    Conflict(String),
    /// The script has mistakes.
    #[error("the script has {} mistake(s)", .0.iter().filter(|found| found.severity == Severity::Error).count())]
    Script(Vec<Diagnostic>),
    /// The rule's tests do not pass.
    #[error("{}", .0.summary())]
    Tests(Box<Report>),
    /// The provider could not be asked.
    #[error("{0}")]
    Provider(String),
    /// A page of another website asks.
    #[error("this answers only to the server's own page, at {0}")]
    Foreign(String),
    /// The ticket was used.
    #[error("this ticket was used already; make a new one")]
    TicketUsed,
    /// The ticket's time is over, or there never was such a ticket: the two look the same.
    #[error("this ticket has expired; make a new one")]
    TicketExpired,
    /// Too much is waiting, or the database does not answer.
    #[error("the server cannot do this at the moment; try again in a few seconds")]
    Overloaded,
}

impl Error {
    /// A request that does not read, in a sentence for its sender.
    pub fn invalid(sentence: impl Into<String>) -> Self {
        Self::Malformed(sentence.into())
    }

    /// The stable code, as printed.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::Missing(_) => "not_found",
            Self::Method(_) => "method_not_allowed",
            Self::MediaType => "unsupported_media_type",
            Self::TooSlow => "too_slow",
            Self::TooLarge { .. } => "too_large",
            Self::Invalid(_) => "invalid",
            Self::Conflict(_) => "conflict",
            Self::Script(_) => "script",
            Self::Tests(_) => "tests",
            Self::Provider(_) => "provider",
            Self::Foreign(_) => "foreign_origin",
            Self::TicketUsed => "ticket_used",
            Self::TicketExpired => "ticket_expired",
            Self::Overloaded => "unavailable",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid(_) | Self::Script(_) | Self::Tests(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Provider(_) => StatusCode::BAD_GATEWAY,
            Self::Foreign(_) => StatusCode::FORBIDDEN,
            Self::TicketUsed | Self::TicketExpired => StatusCode::GONE,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Conflict(sentence) => Self::Conflict(sentence),
            store::Error::Overloaded => Self::Overloaded,
            error @ (store::Error::Database(_)
            | store::Error::Unavailable(_)
            | store::Error::Unwritable(_)
            | store::Error::Corrupt { .. }
            | store::Error::Sealed(_)
            | store::Error::Unfit(_)
            | store::Error::Stale
            | store::Error::Closed) => {
                tracing::error!(%error, "a request could not be done: check the database");
                Self::Overloaded
            }
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Missing(what) => Self::Missing(what),
            Problem::Invalid(sentence) => Self::Invalid(sentence),
            Problem::Script(diagnostics) => Self::Script(diagnostics),
            Problem::Tests(report) => Self::Tests(report),
            Problem::Provider(sentence) => Self::Provider(sentence),
            Problem::Store(error) => error.into(),
        }
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorFields<'a>,
}

#[derive(Serialize)]
struct ErrorFields<'a> {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<DiagnosticJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<ReportJson>,
}

/// Something about a script, with where it stands: from 1, the end not included.
#[derive(Serialize)]
pub(crate) struct DiagnosticJson<'a> {
    severity: &'static str,
    message: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

impl<'a> From<&'a Diagnostic> for DiagnosticJson<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        Self {
            severity: diagnostic.severity.name(),
            message: &diagnostic.message,
            line: diagnostic.line,
            column: diagnostic.column,
            end_line: diagnostic.end_line,
            end_column: diagnostic.end_column,
        }
    }
}

impl From<Error> for Response {
    fn from(error: Error) -> Self {
        let diagnostics = match &error {
            Error::Script(diagnostics) => diagnostics.as_slice(),
            _ => &[],
        };
        let body = ErrorBody {
            error: ErrorFields {
                code: error.code(),
                message: error.to_string(),
                diagnostics: diagnostics.iter().map(DiagnosticJson::from).collect(),
                report: match &error {
                    Error::Tests(report) => Some(ReportJson::from(&**report)),
                    _ => None,
                },
            },
        };
        let mut response = json(error.status(), &body);
        let headers = response.headers_mut();
        match error {
            Error::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Error::Overloaded => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
            }
            Error::Method(methods) => {
                headers.insert(ALLOW, HeaderValue::from_static(methods));
            }
            _ => {}
        }
        response
    }
}

/// Done, and this came of it.
pub fn ok(value: &impl Serialize) -> Response {
    json(StatusCode::OK, value)
}

/// Created, and this is what it looks like.
pub fn created(value: &impl Serialize) -> Response {
    json(StatusCode::CREATED, value)
}

/// Taken on; it will be done.
pub fn accepted(value: &impl Serialize) -> Response {
    json(StatusCode::ACCEPTED, value)
}

/// It is there no more.
pub fn gone() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A webhook was stored: what its provider wants to read.
pub fn webhook(reply: ProviderReply) -> Response {
    match reply.content_type {
        Some(content_type) => text(StatusCode::OK, content_type, reply.body.to_owned()),
        None => text(StatusCode::OK, "text/plain; charset=utf-8", String::new()),
    }
}

/// The answer to a handshake, as plain text so that no browser takes it for a page.
pub fn handshake(challenge: String) -> Response {
    text(StatusCode::OK, "text/plain; charset=utf-8", challenge)
}

/// A webhook was not accepted.
pub fn refused() -> Response {
    plain(StatusCode::FORBIDDEN, REFUSED)
}

/// A page for a browser, which may load what `policy` says and nothing else, and stands in no other page.
pub fn page(html: String, policy: &str) -> Response {
    let mut response = text(StatusCode::OK, "text/html; charset=utf-8", html);
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    // Any other policy cuts the page off from the one of another website that opened it and is to be told.
    headers.insert(
        "cross-origin-opener-policy",
        HeaderValue::from_static("unsafe-none"),
    );
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// A part of a page: a script, a style, a picture.
pub fn part(content_type: &'static str, content: &'static str) -> Response {
    text(StatusCode::OK, content_type, content.to_owned())
}

/// What was asked for is at another place of this server.
pub fn elsewhere(place: &str) -> Response {
    let mut response = plain(StatusCode::TEMPORARY_REDIRECT, "");
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

/// The process lives.
pub fn healthy() -> Response {
    plain(StatusCode::OK, "ok\n")
}

/// The process should be sent no requests for now.
pub fn not_ready(why: &'static str) -> Response {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, why);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
    response
}

fn plain(status: StatusCode, body: &'static str) -> Response {
    text(status, "text/plain; charset=utf-8", body.to_owned())
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_string(value).expect("our own types have string keys");
    text(status, "application/json", body)
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Answers hold customers' messages: nothing on the way may keep or reinterpret them.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
