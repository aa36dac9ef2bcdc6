//! Twilio's interfaces about accounts, senders and services: their paths and errors. Knows no step.

use http::Method;
use rejoinder_engine::adapter::{Case, StepError};
use rejoinder_engine::crypto::Secret;
use serde_json::Value;

use super::ACCOUNT;
use crate::asking::{Asking, Unanswered};
use crate::http::{Answer, Http};

/// Pages asked for at most: an end to a list that runs in circles.
const MAX_PAGES: usize = 20;
/// Letters of Twilio's sentences that are kept.
const MAX_SENTENCE: usize = 300;

/// Requests, one after the other.
pub(super) struct Rest<'a> {
    pub(super) asking: Asking<'a>,
}

/// Who asks: user and password.
#[derive(Clone, Copy)]
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a Secret,
}

/// A request was not answered with success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RestError {
    /// No connection was made, so that nothing was done.
    NotConnected,
    /// No usable answer came: it may have been done.
    NoAnswer,
    /// Twilio said no: the HTTP status, its code, its sentence.
    Refused(u16, i64, String),
}

impl RestError {
    pub(super) const fn code(&self) -> i64 {
        match self {
            Self::Refused(_, code, _) => *code,
            Self::NotConnected | Self::NoAnswer => 0,
        }
    }
}

/// What is said with a request.
pub(super) enum Body<'a> {
    Form(&'a [(&'a str, &'a str)]),
    Json(Value),
}

impl<'a> Rest<'a> {
    pub(super) fn new(http: &'a Http) -> Self {
        Self {
            asking: Asking::new(http),
        }
    }

    /// Reads something. `base` is one of the configured addresses, `path` begins with a slash.
    pub(super) async fn get(
        &mut self,
        base: &str,
        path: &str,
        query: &[(&str, &str)],
        login: Login<'_>,
    ) -> Result<Value, RestError> {
        let what = format!("GET {path}");
        let mut request = self.asking.request(Method::GET, &format!("{base}{path}"));
        if !query.is_empty() {
            request = request.query(query);
        }
        let request = request.basic_auth(login.user, Some(login.password.expose()));
        let answer = self.asking.ask(what, request).await;
        self.read(answer)
    }

    /// Changes something.
    pub(super) async fn post(
        &mut self,
        base: &str,
        path: &str,
        body: Body<'_>,
        login: Login<'_>,
    ) -> Result<Value, RestError> {
        let what = format!("POST {path}");
        let request = self.asking.request(Method::POST, &format!("{base}{path}"));
        let request = match body {
            Body::Form(form) => request.form(form),
            Body::Json(value) => request.json(&value),
        };
        let request = request.basic_auth(login.user, Some(login.password.expose()));
        let answer = self.asking.ask(what, request).await;
        self.read(answer)
    }

    /// Reads a whole list under `key`, page by page. The next page's address is Twilio's own, of which only the
    /// query is taken: the credentials go to one host.
    pub(super) async fn list(
        &mut self,
        base: &str,
        path: &str,
        query: &[(&str, &str)],
        key: &str,
        login: Login<'_>,
    ) -> Result<Vec<Value>, RestError> {
        let mut all = Vec::new();
        let mut query: Vec<(String, String)> = query
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        for _ in 0..MAX_PAGES {
            let asked: Vec<(&str, &str)> = query
                .iter()
                .map(|(a, b)| (a.as_str(), b.as_str()))
                .collect();
            let mut page = self.get(base, path, &asked, login).await?;
            if let Value::Array(entries) = page[key].take() {
                all.extend(entries);
            }
            let next = page["meta"]["next_page_url"].as_str();
            let Some((_, next)) = next.and_then(|url| url.split_once('?')) else {
                return Ok(all);
            };
            query = form_urlencoded::parse(next.as_bytes())
                .into_owned()
                .collect();
        }
        Ok(all)
    }

    /// What the last answer says, in words.
    pub(super) fn says(&mut self, sentence: impl Into<String>) {
        self.asking.says(sentence);
    }

    fn read(&mut self, answer: Result<Answer, Unanswered>) -> Result<Value, RestError> {
        let answer = answer.map_err(|unanswered| match unanswered {
            Unanswered::NotConnected => RestError::NotConnected,
            Unanswered::NoAnswer => RestError::NoAnswer,
        })?;
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        if (200..300).contains(&answer.status) {
            return body.ok_or(RestError::NoAnswer);
        }
        let body = body.unwrap_or_default();
        let code = body["code"].as_i64().unwrap_or(0);
        let message = body["message"].as_str().unwrap_or("no reason was given");
        let message: String = message.chars().take(MAX_SENTENCE).collect();
        self.asking.says(told(answer.status, code, &message));
        Err(RestError::Refused(answer.status, code, message))
    }

    /// The step could not be taken, because of how its last request was answered.
    pub(super) fn failed(self, error: &RestError) -> StepError {
        let request_id = self.asking.request_id();
        let mut failure = match error {
            RestError::NotConnected => StepError::new(
                "not_connected",
                "Twilio could not be reached from this server; nothing was done",
                "check that this server reaches api.twilio.com, and take the step again",
            ),
            RestError::NoAnswer => self.asking.unanswered("Twilio"),
            RestError::Refused(status, code, message) => refused(*status, *code, message),
        };
        failure.failure.request_id = request_id;
        self.with(failure)
    }

    /// The step could not be taken, for a reason of ours.
    pub(super) fn with(self, mut error: StepError) -> StepError {
        error.evidence = self.asking.evidence;
        error
    }
}

fn told(status: u16, code: i64, message: &str) -> String {
    match code {
        0 => format!("status {status}: {message}"),
        code => format!("code {code}: {message}"),
    }
}

fn refused(status: u16, code: i64, message: &str) -> StepError {
    let (ours, fix) = match (status, code) {
        (_, 20_003) | (401, _) => (
            "credentials_wrong",
            "copy the Account SID and the auth token once more (Twilio Console, Account info); if the token was \
             rotated, the old one works no more",
        ),
        (_, 20_005) => (
            "account_inactive",
            "see in Twilio's Console why the account is not active",
        ),
        (_, 20_404) | (404, _) => (
            "not_there",
            "it is not in this account: check the SID, and whether it belongs to a subaccount",
        ),
        (_, 20_429 | 63_017) | (429, _) => (
            "rate_limited",
            "too many requests at once: wait a minute, and take the step again",
        ),
        (_, 63_101) => (
            "other_account",
            "the WhatsApp business account belongs to another Twilio account: use that one",
        ),
        (500.., _) => (
            "temporary",
            "Twilio has trouble at the moment: take the step again in a few minutes",
        ),
        _ => (
            "refused",
            "see Twilio's reason; its page on the error's code tells more",
        ),
    };
    let mut error = StepError::new(ours, told(status, code, message), fix);
    error.failure.provider_code = code;
    error
}

/// The account's own login.
pub(super) fn account_login<'a>(case: &'a Case<'_>) -> Option<Login<'a>> {
    Some(Login {
        user: case.fact(ACCOUNT)?,
        password: case.secrets.get("auth_token")?,
    })
}
