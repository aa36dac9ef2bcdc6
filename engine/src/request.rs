//! Requests of rules are made, tried again, and answered: the answer is an event of its conversation.
//!
//! What is open is in the database, and a request in hand is held in memory for as long as its call
//! lasts. After a crash it is made again, under the same id, by which the endpoint can tell. Nothing
//! waits for a request: neither the events of its conversation nor those of others.

mod again;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;
use tokio::task::JoinSet;

use self::again::again_at;
use crate::caller::{Answer, Call, CallError};
use crate::core::Core;
use crate::domain::ids::RequestId;
use crate::domain::request::{Fault, Request, Response};
use crate::domain::time::{Span, Timestamp};
use crate::failpoint::Point;
use crate::script;
use crate::setup::EndpointSetup;
use crate::store::{self, AnswerRequest, RetryRequest};

/// Calls at once, per process: each holds a connection, and up to a quarter of a megabyte.
const MAX_CALLS: usize = 64;
/// Calls at once of one location, so that a slow endpoint of one delays nobody else's.
const MAX_CALLS_OF_LOCATION: u64 = 8;
/// The longest nap: what is tried again waits for a moment, not for a word.
const NAP: Duration = Duration::from_secs(1);
/// How long what could not be read or written rests.
const REST: Duration = Duration::from_secs(2);

/// Makes the requests that are due, one after the other; gives how many.
pub(crate) async fn step(core: &Core) -> Result<usize, store::Error> {
    let due = due(core).await?;
    for request in &due {
        let ending = attempt(core, request).await;
        write(core, ending).await?;
    }
    Ok(due.len())
}

async fn due(core: &Core) -> Result<Vec<Request>, store::Error> {
    let now = core.clock.now();
    core.store
        .due_requests(now, MAX_CALLS_OF_LOCATION, MAX_CALLS as u64)
        .await
}

/// Makes what is due as it comes, until the engine stops; then what is in hand is finished.
pub(crate) async fn run(core: &Arc<Core>) {
    let asked = core.halt.asked();
    tokio::pin!(asked);
    let mut calls = JoinSet::new();
    let mut in_hand = HashSet::new();
    loop {
        let moved = core.clock.moved();
        if core.halt.is_asked() {
            break;
        }
        let nap = match due(core).await {
            Ok(due) => {
                take_up(core, due, &mut calls, &mut in_hand);
                NAP
            }
            Err(error) => {
                tracing::error!(%error, "open requests could not be looked for");
                REST
            }
        };
        tokio::select! {
            Some(done) = calls.join_next(), if !calls.is_empty() => {
                forget(&mut in_hand, done);
            }
            () = core.requested.notified() => {}
            () = moved => {}
            () = tokio::time::sleep(nap) => {}
            () = &mut asked => break,
        }
    }
    while calls.join_next().await.is_some() {}
}

/// Takes into hand what is not yet, as far as there is room.
fn take_up(
    core: &Arc<Core>,
    due: Vec<Request>,
    calls: &mut JoinSet<RequestId>,
    in_hand: &mut HashSet<RequestId>,
) {
    for request in due {
        if calls.len() >= MAX_CALLS || !in_hand.insert(request.id) {
            continue;
        }
        let core = Arc::clone(core);
        calls.spawn(async move {
            let ending = attempt(&core, &request).await;
            finish(&core, request.id, ending).await;
            request.id
        });
    }
}

fn forget(in_hand: &mut HashSet<RequestId>, done: Result<RequestId, tokio::task::JoinError>) {
    match done {
        Ok(id) => {
            in_hand.remove(&id);
        }
        // Panics of a caller are caught where it is called; nothing else here may.
        Err(error) => tracing::error!(%error, "a task that made a request ended early"),
    }
}

/// Writes it until it is written: the call is not repeated for the database's sake.
async fn finish(core: &Core, id: RequestId, ending: Ending) {
    while let Err(error) = write(core, ending.clone()).await {
        tracing::error!(request.id = %id, %error, "the answer to a request could not be written yet");
        if core.halt.is_over() || matches!(error, store::Error::Closed) {
            return;
        }
        tokio::time::sleep(REST).await;
    }
}

/// What becomes of a request after an attempt.
#[derive(Clone)]
enum Ending {
    Answered(Box<AnswerRequest>),
    Again(RetryRequest),
}

async fn write(core: &Core, ending: Ending) -> Result<(), store::Error> {
    match ending {
        Ending::Answered(answer) => core.store.write(*answer).await.map(drop)?,
        Ending::Again(retry) => core.store.write(retry).await?,
    }
    Ok(Point::RequestWritten.pass().await?)
}

#[tracing::instrument(name = "engine.request", level = "debug", skip_all,
    fields(location.id = %request.location_id, request.id = %request.id))]
async fn attempt(core: &Core, request: &Request) -> Ending {
    let outcome = match request.refusal {
        Some(fault) => Outcome::Fault(fault),
        None => call(core, request).await,
    };
    let now = core.clock.now();
    let attempts = request.attempts + 1;
    if let Some(not_before) = outcome.again_at(request.id, attempts, now) {
        return Ending::Again(RetryRequest {
            location_id: request.location_id,
            id: request.id,
            attempts,
            not_before,
        });
    }
    let response = outcome.response(request);
    if let Some(fault) = response.error {
        tracing::warn!(location.id = %request.location_id, request.id = %request.id, fault = fault.name(),
            "a request has no answer");
    }
    let request = Request {
        attempts,
        ..request.clone()
    };
    Ending::Answered(Box::new(AnswerRequest {
        request,
        response,
        now,
    }))
}

/// What came of one attempt.
enum Outcome {
    Answer(Answer),
    Error(CallError),
    /// It was not even made.
    Fault(Fault),
}

async fn call(core: &Core, request: &Request) -> Outcome {
    let Some(caller) = &core.caller else {
        return Outcome::Fault(Fault::Unavailable);
    };
    let endpoint = core.setup.endpoint(request.location_id, &request.endpoint);
    let EndpointSetup { endpoint, headers } = match endpoint.await {
        Ok(Some(setup)) => setup,
        Ok(None) => return Outcome::Fault(Fault::NotAllowed),
        Err(error) => {
            tracing::error!(location.id = %request.location_id, %error, "an endpoint cannot be used");
            return Outcome::Fault(Fault::Unavailable);
        }
    };
    let call = Call {
        request_id: request.id,
        endpoint: request.endpoint.clone(),
        url: endpoint.url,
        method: endpoint.method,
        headers: headers.into_iter().collect(),
        data: request.data.clone(),
        timeout: endpoint.timeout_ms,
    };
    if Point::RequestDue.pass().await.is_err() {
        return Outcome::Error(CallError::NotConnected);
    }
    let called = AssertUnwindSafe(async { caller.call(call).await });
    let called = called.catch_unwind().await;
    if Point::RequestAnswered.pass().await.is_err() {
        return Outcome::Error(CallError::Broken);
    }
    match called {
        Ok(Ok(answer)) => Outcome::Answer(answer),
        Ok(Err(error)) => Outcome::Error(error),
        Err(_) => {
            tracing::error!(request.id = %request.id, "the host's caller panicked");
            Outcome::Fault(Fault::Unavailable)
        }
    }
}

impl Outcome {
    fn again_at(&self, id: RequestId, attempts: u32, now: Timestamp) -> Option<Timestamp> {
        let asked: Option<Span> = match self {
            Self::Answer(answer) if matches!(answer.status, 429 | 502 | 503 | 504) => {
                answer.retry_after
            }
            Self::Error(CallError::NotConnected | CallError::Timeout | CallError::Broken) => None,
            Self::Answer(_) | Self::Error(_) | Self::Fault(_) => return None,
        };
        again_at(id, attempts, asked, now)
    }

    fn response(self, request: &Request) -> Response {
        let fault = match self {
            Self::Answer(answer) => return response(&answer, request),
            Self::Fault(fault) => fault,
            Self::Error(CallError::NotConnected | CallError::Broken) => Fault::Unreachable,
            Self::Error(CallError::Timeout) => Fault::Timeout,
            Self::Error(CallError::RefusedAddress) => Fault::RefusedAddress,
            Self::Error(CallError::TooLarge) => Fault::TooLarge,
            Self::Error(CallError::Invalid) => Fault::Unavailable,
        };
        Response::fault(fault, request.data.clone())
    }
}

/// An answer as a rule is given it: JSON if it is, else a text, and not more than a rule can hold.
fn response(answer: &Answer, request: &Request) -> Response {
    let body = match serde_json::from_slice(&answer.body) {
        Ok(value) => value,
        Err(_) if answer.body.is_empty() => Value::Null,
        Err(_) => String::from_utf8_lossy(&answer.body)
            .replace('\0', "")
            .into(),
    };
    let fits = script::fits(&body);
    Response {
        status: answer.status,
        body: if fits { body } else { Value::Null },
        error: (!fits).then_some(Fault::TooLarge),
        request: request.data.clone(),
    }
}
