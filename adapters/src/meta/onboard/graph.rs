//! The Graph API about accounts and numbers: its paths, lists and errors. Knows no step.

use http::Method;
use rejoinder_engine::adapter::Credentials;
use rejoinder_engine::crypto::Secret;
use serde_json::{Map, Value};

use crate::asking::{Asking, Unanswered};
use crate::http::{Answer, Http};
use crate::meta::MetaConfig;

/// Letters of Meta's sentences that are kept.
const MAX_SENTENCE: usize = 500;
/// Entries of a list at most: a portfolio has a few dozen numbers.
const MAX_LISTED: usize = 1_000;
/// Pages asked for at most: an end to a list that runs in circles.
const MAX_PAGES: usize = 50;

/// Requests, one after the other.
pub(super) struct Graph<'a> {
    pub(super) asking: Asking<'a>,
    config: &'a MetaConfig,
    /// What must not stand in the evidence, besides what the caller's case holds.
    hidden: Credentials,
}

/// A request was not answered with success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GraphError {
    /// No connection was made, so that nothing was done.
    NotConnected,
    /// No usable answer came: it may have been done.
    NoAnswer,
    /// Meta said no.
    Refused(Refusal),
}

/// What Meta said.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: u16,
    /// Meta's code, or 0.
    pub(super) code: i64,
    /// Meta's finer code, or 0.
    pub(super) subcode: i64,
    /// Meta's sentence.
    pub(super) message: String,
    /// What is told besides, where it is.
    pub(super) details: String,
    /// By what Meta's support finds the request.
    pub(super) trace_id: Option<String>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(http: &'a Http, config: &'a MetaConfig) -> Self {
        let mut hidden = Credentials::default();
        if let Some(app) = &config.app {
            hidden.set("app_secret", app.secret.clone());
            hidden.set("verify_token", app.verify_token.clone());
        }
        Self {
            asking: Asking::new(http),
            config,
            hidden,
        }
    }

    /// Reads an object.
    pub(super) async fn get(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
        token: &Secret,
    ) -> Result<Value, GraphError> {
        self.ask(Method::GET, path, query, None, Some(token)).await
    }

    /// Reads something that needs no token, because the query says who asks.
    pub(super) async fn get_openly(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, GraphError> {
        self.ask(Method::GET, path, query, None, None).await
    }

    /// Has something done.
    pub(super) async fn post(
        &mut self,
        path: &str,
        body: Option<Value>,
        token: &Secret,
    ) -> Result<Value, GraphError> {
        self.ask(Method::POST, path, &[], body, Some(token)).await
    }

    /// Has something done that is said in the query, as Meta documents it for apps.
    pub(super) async fn post_query(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
        token: &Secret,
    ) -> Result<Value, GraphError> {
        self.ask(Method::POST, path, query, None, Some(token)).await
    }

    /// Reads a whole list, page by page.
    pub(super) async fn list(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
        token: &Secret,
    ) -> Result<Vec<Value>, GraphError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = query.to_vec();
            if let Some(after) = &after {
                query.push(("after", after));
            }
            let mut page = self.get(path, &query, token).await?;
            if let Some(Value::Array(entries)) = page.get_mut("data").map(Value::take) {
                all.extend(entries);
            }
            let paging = &page["paging"];
            after = paging["cursors"]["after"].as_str().map(str::to_owned);
            if paging["next"].is_null() || after.is_none() || all.len() >= MAX_LISTED {
                break;
            }
        }
        all.truncate(MAX_LISTED);
        Ok(all)
    }

    /// What the last answer says, in words.
    pub(super) fn says(&mut self, sentence: impl Into<String>) {
        self.asking.says(sentence);
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Value>,
        token: Option<&Secret>,
    ) -> Result<Value, GraphError> {
        let path = format!("/{}/{path}", self.config.version);
        let url = format!("{}{path}", self.config.base_url.trim_end_matches('/'));
        let mut request = self.asking.request(method.clone(), &url);
        if !query.is_empty() {
            request = request.query(query);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = self.asking.ask(format!("{method} {path}"), request).await;
        let answer = answer.map_err(|unanswered| match unanswered {
            Unanswered::NotConnected => GraphError::NotConnected,
            Unanswered::NoAnswer => GraphError::NoAnswer,
        })?;
        let mut result = read(&answer);
        if let Err(GraphError::Refused(refusal)) = &mut result {
            // Meta repeats a token that does not read; the server's own secret is no tenant's to see.
            refusal.message = self.hidden.hide(&refusal.message);
            refusal.details = self.hidden.hide(&refusal.details);
            self.asking.says(refusal.told());
            self.asking.name(refusal.trace_id.as_deref());
        }
        result
    }
}

impl Refusal {
    /// Meta's code and sentence, as a person would quote them.
    pub(super) fn told(&self) -> String {
        let subcode = match self.subcode {
            0 => String::new(),
            subcode => format!(", subcode {subcode}"),
        };
        // Meta often begins the sentence with the code.
        let prefix = format!("(#{}) ", self.code);
        let message = self.message.strip_prefix(&prefix).unwrap_or(&self.message);
        let details = match self.details.as_str() {
            "" => String::new(),
            details => format!(" {details}"),
        };
        format!("code {}{subcode}: {message}{details}", self.code)
    }
}

fn read(answer: &Answer) -> Result<Value, GraphError> {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let error = body.as_ref().and_then(|body| body["error"].as_object());
    if let Some(error) = error {
        return Err(GraphError::Refused(refusal(answer.status, error)));
    }
    match body {
        Some(body) if (200..300).contains(&answer.status) => Ok(body),
        _ if answer.status >= 400 => Err(GraphError::Refused(Refusal {
            status: answer.status,
            message: format!("status {} without a reason", answer.status),
            ..Refusal::default()
        })),
        _ => Err(GraphError::NoAnswer),
    }
}

fn refusal(status: u16, error: &Map<String, Value>) -> Refusal {
    let integer = |name: &str| error.get(name).and_then(Value::as_i64).unwrap_or(0);
    let text = |value: Option<&Value>| {
        let text = value.and_then(Value::as_str).unwrap_or_default();
        text.chars().take(MAX_SENTENCE).collect::<String>()
    };
    let details = error.get("error_data").map(|data| &data["details"]);
    Refusal {
        status,
        code: integer("code"),
        subcode: integer("error_subcode"),
        message: text(error.get("message")),
        details: text(details.or_else(|| error.get("error_user_msg"))),
        trace_id: error
            .get("fbtrace_id")
            .and_then(Value::as_str)
            .map(str::to_owned),
    }
}
