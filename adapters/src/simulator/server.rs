//! The listening side: connections, bodies, paths, and the faults that every face shares.
//! Knows which face a path belongs to, and nothing of what the face says.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rejoinder_engine::domain::time::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::faults::{Fault, Operation, Request};
use super::statuses::{self, Step, Subject};
use super::world::World;
use super::{meta, twilio};

/// The largest body read: far above any message a provider would take.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// What a face answers.
pub(super) type Answer = Response<Full<Bytes>>;

/// The connection is closed instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection closed on purpose")
    }
}

impl std::error::Error for Dropped {}

/// A request, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) authorization: Option<&'a str>,
    pub(super) body: &'a Bytes,
}

/// Serves until the simulator stops; then every connection is closed at once.
pub(super) async fn serve(listener: TcpListener, world: Arc<World>) {
    let mut connections = JoinSet::new();
    let stopping = world.stopping();
    tokio::pin!(stopping);
    loop {
        tokio::select! {
            () = &mut stopping => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => {
                // A connection that was lost before it was accepted is the client's to notice.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&world)));
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, world: Arc<World>) {
    // Without it answers are only later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let world = Arc::clone(&world);
        async move {
            world.log.requests.add();
            // A provider goes on with what it was asked, also for somebody who hangs up.
            let work = {
                let world = Arc::clone(&world);
                async move { respond(&world, request).await }
            };
            let mut answer = tokio::spawn(work).await.unwrap_or(Err(Dropped));
            if let Ok(answer) = &mut answer
                && let Ok(date) = http_date(world.now()).parse()
            {
                answer.headers_mut().insert(DATE, date);
            }
            match &answer {
                Ok(answer) if answer.status().is_success() => {}
                Ok(_) => world.log.refused.add(),
                Err(Dropped) => world.log.dropped.add(),
            }
            answer
        }
    });
    // An error here is a client that went away, or a connection that a fault closed.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The provider's time, as HTTP writes it.
fn http_date(now: Timestamp) -> String {
    now.to_utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

async fn respond(world: &Arc<World>, request: http::Request<Incoming>) -> Result<Answer, Dropped> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let body = body.to_bytes();
    let call = Call {
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query().unwrap_or(""),
        authorization: head
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()),
        body: &body,
    };
    if let Some(answer) = twilio::answer(world, call).await {
        return answer;
    }
    meta::answer(world, call).await
}

/// What taking a message comes to.
pub(super) struct Taken {
    pub(super) answer: Answer,
    /// The statuses that follow, and what they are about.
    pub(super) follow: Option<(Subject, Vec<Step>)>,
}

impl From<Answer> for Taken {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            follow: None,
        }
    }
}

/// Carries a request out under the fault that it meets: `refusal` words a provider's error by its
/// code, `take` processes the request and is told the fault.
pub(super) async fn carry(
    world: &Arc<World>,
    request: &Request<'_>,
    refusal: impl FnOnce(i64) -> Answer,
    rate_code: i64,
    take: impl FnOnce(Option<&Fault>) -> Taken,
) -> Result<Answer, Dropped> {
    let fault = world.faults.meet(request);
    match &fault {
        Some(Fault::Refuse(code)) => return Ok(refusal(*code)),
        Some(Fault::Answer { status, body }) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST);
            return Ok(json(status, body.clone()));
        }
        Some(Fault::TooManyRequests { retry_after }) => {
            let mut answer = refusal(rate_code);
            *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            let seconds = HeaderValue::from(retry_after.ms() / 1000);
            answer.headers_mut().insert(RETRY_AFTER, seconds);
            return Ok(answer);
        }
        Some(Fault::EmptyServerError) => return Ok(empty(StatusCode::INTERNAL_SERVER_ERROR)),
        Some(Fault::DropUnprocessed) => return Err(Dropped),
        Some(Fault::Delay(span)) => tokio::time::sleep(span.to_std()).await,
        Some(
            Fault::AcceptThenDrop
            | Fault::FailLater(_)
            | Fault::DuplicateStatuses
            | Fault::ReverseStatuses
            | Fault::StatusBeforeAnswer,
        )
        | None => {}
    }
    let taken = take(fault.as_ref());
    if let Some((subject, mut steps)) = taken.follow {
        if fault == Some(Fault::StatusBeforeAnswer) && !steps.is_empty() {
            statuses::tell(world, &subject, steps.remove(0)).await;
        }
        statuses::follow(world, subject, steps);
    }
    let may_be_lost = matches!(request.operation, Operation::Send | Operation::Manage);
    if fault == Some(Fault::AcceptThenDrop) && may_be_lost {
        return Err(Dropped);
    }
    Ok(taken.answer)
}

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=UTF-8"),
    );
    answer
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}
