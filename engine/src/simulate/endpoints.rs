//! The programs outside that rules of a simulated world call: what they will answer, and what they were asked.
//! Knows no network.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::world::{Error, World};
use crate::caller::{Answer, Call, CallError, Caller};
use crate::domain::endpoint::Method;
use crate::domain::ids::RequestId;
use crate::provision::NewEndpoint;

/// Requests that are remembered at most, of all endpoints together.
const MAX_ASKED: usize = 1_000;

/// The endpoints of a world; cloning them costs one reference count.
#[derive(Clone, Default)]
pub(super) struct Endpoints(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    answers: BTreeMap<String, Result<Answer, CallError>>,
    asked: Vec<(RequestId, String, Map<String, Value>)>,
}

impl Endpoints {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An endpoint that was told nothing is not there.
impl Caller for Endpoints {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, CallError>> {
        let mut told = self.told();
        let is_again = told.asked.iter().any(|(id, ..)| *id == call.request_id);
        if !is_again && told.asked.len() < MAX_ASKED {
            let asked = (call.request_id, call.endpoint.clone(), call.data);
            told.asked.push(asked);
        }
        let answer = told.answers.get(&call.endpoint).cloned();
        Box::pin(async { answer.unwrap_or(Err(CallError::NotConnected)) })
    }
}

impl World {
    /// Lets rules call an endpoint of this name; one that is there already stays.
    ///
    /// # Errors
    /// It is no name for an endpoint.
    pub async fn add_endpoint(&mut self, name: &str) -> Result<(), Error> {
        let store = self.engine.store().of(self.location.id);
        let known = store.endpoints().await?;
        if known.iter().any(|endpoint| endpoint.name.as_str() == name) {
            return Ok(());
        }
        let new = NewEndpoint {
            name: name.to_owned(),
            url: format!("https://endpoint.example/{name}"),
            method: Method::Post,
            headers: BTreeMap::new(),
            timeout_ms: None,
        };
        self.engine.create_endpoint(self.location.id, new).await?;
        Ok(())
    }

    /// From now on the endpoint answers with this.
    pub fn endpoint_answers(&self, name: &str, status: u16, body: &Value) {
        let answer = Answer {
            status,
            body: Bytes::from(body.to_string()),
            retry_after: None,
        };
        let mut told = self.endpoints.told();
        told.answers.insert(name.to_owned(), Ok(answer));
    }

    /// From now on the endpoint does not answer.
    ///
    /// # Errors
    /// There is no such way to fail.
    pub fn endpoint_fails(&self, name: &str, how: &str) -> Result<(), Error> {
        let error = match how {
            "unreachable" => CallError::NotConnected,
            "timeout" => CallError::Timeout,
            "too_large" => CallError::TooLarge,
            other => {
                return Err(Error::Senseless(format!(
                    "an endpoint does not fail by '{other}'; there are unreachable, timeout and too_large"
                )));
            }
        };
        let mut told = self.endpoints.told();
        told.answers.insert(name.to_owned(), Err(error));
        Ok(())
    }

    /// What the endpoint was asked, oldest first; an attempt that was repeated counts once.
    pub fn endpoint_asked(&self, name: &str) -> Vec<Map<String, Value>> {
        let told = self.endpoints.told();
        let asked = told
            .asked
            .iter()
            .filter(|(_, endpoint, _)| endpoint == name);
        asked.map(|(_, _, data)| data.clone()).collect()
    }
}
