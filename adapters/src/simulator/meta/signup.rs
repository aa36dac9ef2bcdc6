//! Facebook's sign-up: its script, its window and its full page, and what the next one comes to.
//! Knows nothing of the page that opens it, except what that page says in the query.

use std::collections::{BTreeMap, VecDeque};

use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::graph::MetaGraph;
use crate::simulator::server::{Answer, Call, empty, json as answered};
use crate::simulator::world::{World, decode};

const SDK: &str = include_str!("signup/sdk.js");
const DIALOG: &str = include_str!("signup/dialog.js");

/// What a sign-up comes to.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// The event that the window tells of: its name and data.
    pub event: Option<(String, Value)>,
    /// What the login answers.
    pub answer: LoginAnswer,
    /// Which of the two comes first.
    pub order: SignUpOrder,
    /// Who else has a hand in it.
    pub company: SignUpCompany,
}

/// What the login answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginAnswer {
    /// A code for this token.
    Code(String),
    /// A code for this token that was made for another page than the one that asked.
    ForeignCode(String),
    /// This token itself, as configurations with a user's token do.
    Token(String),
    /// Nothing: the person gave up, or the browser kept it back.
    Nothing,
    /// An error, by its code, in words.
    Refusal(i64, String),
}

/// In which order event and answer come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUpOrder {
    /// The event, then the answer.
    EventFirst,
    /// The answer, then the event.
    AnswerFirst,
}

/// Who else has a hand in a sign-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUpCompany {
    /// Nobody: it runs by itself.
    Nobody,
    /// A person, who presses the button in the window.
    Person,
    /// Before it begins, another website posts forged events.
    Forger,
}

impl SignUp {
    /// One that comes to its end: an event, then a code for a token.
    pub fn finished(token: &str, data: Value) -> Self {
        Self {
            event: Some(("FINISH".to_owned(), data)),
            answer: LoginAnswer::Code(token.to_owned()),
            order: SignUpOrder::EventFirst,
            company: SignUpCompany::Nobody,
        }
    }

    /// One that is cancelled, with the event's data.
    pub fn cancelled(data: Value) -> Self {
        Self {
            event: Some(("CANCEL".to_owned(), data)),
            answer: LoginAnswer::Nothing,
            order: SignUpOrder::EventFirst,
            company: SignUpCompany::Nobody,
        }
    }
}

/// Sign-ups to come, and those that were opened.
#[derive(Debug, Default)]
pub(super) struct SignUps {
    planned: VecDeque<SignUp>,
    opened: Vec<BTreeMap<String, String>>,
}

impl MetaGraph {
    /// The next sign-up comes to this, after those that were said before. Without any the window stays open.
    pub fn sign_up(&self, plan: SignUp) {
        self.state().sign_ups.planned.push_back(plan);
    }

    /// The queries with which sign-ups were opened.
    pub fn opened_sign_ups(&self) -> Vec<BTreeMap<String, String>> {
        self.state().sign_ups.opened.clone()
    }
}

/// Facebook's script.
pub(super) fn sdk() -> Answer {
    page("text/javascript; charset=utf-8", SDK.to_owned())
}

/// The sign-up's window, or its full page.
pub(super) fn dialog(graph: &MetaGraph, world: &World, call: Call<'_>) -> Answer {
    let query: BTreeMap<String, String> = decode(call.query.as_bytes()).into_iter().collect();
    let value = |name: &str| query.get(name).map_or("", String::as_str);
    let app = graph.app_of(value("client_id"));
    if app.is_none() || value("config_id").is_empty() || value("response_type") != "code" {
        let error =
            json!({ "error": { "message": "Invalid App ID or configuration", "code": 101 } });
        return answered(StatusCode::BAD_REQUEST, error.to_string());
    }
    let planned = |take: bool| {
        let mut state = graph.state();
        let plans = &mut state.sign_ups.planned;
        if take {
            plans.pop_front()
        } else {
            plans.front().cloned()
        }
    };
    let is_forged = planned(false).is_some_and(|plan| plan.company == SignUpCompany::Forger);
    if is_forged && value("by").is_empty() {
        let other = world.base_url.replace("127.0.0.1", "localhost");
        return window(
            &json!({ "messages": [], "next": format!("{other}{}?{}&by=forger", call.path, call.query) }),
        );
    }
    if value("by") == "forger" {
        return forged(world, call);
    }
    graph.state().sign_ups.opened.push(query.clone());
    let Some(plan) = planned(true) else {
        return window(&json!({ "messages": [], "waits": true }));
    };
    if value("display") == "popup" {
        popup(graph, &plan, value("origin"))
    } else {
        full_page(graph, &plan, value("redirect_uri"), value("state"))
    }
}

/// Another website's page in the same window: it says all that Facebook could, and then leaves.
fn forged(world: &World, call: Call<'_>) -> Answer {
    let event = |name: &str, data: Value| {
        let told =
            json!({ "type": "WA_EMBEDDED_SIGNUP", "event": name, "data": data, "version": 3 });
        json!({ "to": "*", "data": told.to_string() })
    };
    let login = json!({ "login": { "status": "connected", "authResponse": { "code": "forged" } } });
    let messages = [
        event(
            "FINISH",
            json!({ "waba_id": "666", "phone_number_id": "666" }),
        ),
        event("CANCEL", json!({ "current_step": "FORGED" })),
        json!({ "to": "*", "data": login }),
    ];
    let query = call.query.replace("by=forger", "by=facebook");
    window(
        &json!({ "messages": messages, "next": format!("{}{}?{query}", world.base_url, call.path) }),
    )
}

fn popup(graph: &MetaGraph, plan: &SignUp, origin: &str) -> Answer {
    let login = match &plan.answer {
        LoginAnswer::Code(token) => Some(json!({ "code": graph.code(token, None) })),
        LoginAnswer::ForeignCode(token) => {
            Some(json!({ "code": graph.code(token, Some("https://elsewhere.example/")) }))
        }
        LoginAnswer::Token(token) => {
            Some(json!({ "accessToken": token, "userID": "1", "expiresIn": 5_000 }))
        }
        LoginAnswer::Nothing | LoginAnswer::Refusal(..) => None,
    };
    let mut messages = Vec::new();
    if let Some((name, data)) = &plan.event {
        let told =
            json!({ "type": "WA_EMBEDDED_SIGNUP", "event": name, "data": data, "version": 3 });
        // Meta posts a text, but for the odd object.
        let told = if plan.order == SignUpOrder::EventFirst {
            told.to_string().into()
        } else {
            told
        };
        messages.push(json!({ "to": origin, "data": told }));
    }
    if let Some(auth) = login {
        let login = json!({ "login": { "status": "connected", "authResponse": auth } });
        messages.push(json!({ "to": origin, "data": login }));
    }
    if plan.order == SignUpOrder::AnswerFirst {
        messages.reverse();
    }
    window(&json!({
        "messages": messages,
        "waits": plan.company == SignUpCompany::Person,
        "closes": true,
    }))
}

fn full_page(graph: &MetaGraph, plan: &SignUp, redirect_uri: &str, state: &str) -> Answer {
    let (code, message);
    let mut query = match &plan.answer {
        LoginAnswer::Code(token) => {
            code = graph.code(token, Some(redirect_uri));
            vec![("code", code.as_str())]
        }
        LoginAnswer::ForeignCode(token) => {
            code = graph.code(token, Some("https://elsewhere.example/"));
            vec![("code", code.as_str())]
        }
        LoginAnswer::Nothing | LoginAnswer::Token(_) => vec![
            ("error", "access_denied"),
            ("error_code", "200"),
            ("error_description", "Permissions error"),
            ("error_reason", "user_denied"),
        ],
        LoginAnswer::Refusal(number, said) => {
            (code, message) = (number.to_string(), said);
            vec![
                ("error_code", code.as_str()),
                ("error_message", message.as_str()),
            ]
        }
    };
    query.push(("state", state));
    let Ok(place) = Url::parse_with_params(redirect_uri, query) else {
        return answered(
            StatusCode::BAD_REQUEST,
            json!({ "error": { "code": 191 } }).to_string(),
        );
    };
    let mut answer = empty(StatusCode::FOUND);
    if let Ok(place) = HeaderValue::from_str(place.as_str()) {
        answer.headers_mut().insert(LOCATION, place);
    }
    answer
}

fn window(plan: &Value) -> Answer {
    let plan = plan
        .to_string()
        .replace('&', "&amp;")
        .replace('\'', "&#39;");
    let html = format!(
        "<!doctype html><title>Facebook, simulated</title><body data-plan='{plan}'><h1>Facebook, simulated</h1>\
         <button>Continue</button><script>{DIALOG}</script>"
    );
    page("text/html; charset=utf-8", html)
}

fn page(content_type: &'static str, text: String) -> Answer {
    let mut answer = answered(StatusCode::OK, text);
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
