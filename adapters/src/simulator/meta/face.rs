//! The face of the Graph API: takes messages and marks, or refuses them as Meta does.
//! Knows nothing of how statuses are written.

use std::sync::Arc;

use http::{Method, StatusCode};
use rejoinder_engine::adapter::SignalKind;
use serde_json::{Value, json};

use super::super::Face;
use super::super::access::Verdict;
use super::super::faults::{Fault, Operation, Request};
use super::super::log::{self, Outcome, ReceivedMessage, ReceivedSignal};
use super::super::server::{Answer, Call, Dropped, Taken, carry, json};
use super::super::statuses::{self, Subject};
use super::super::world::{WindowRule, World, plain, read};
use super::{check, graph, number, signup, templates, title};

/// The code of too many requests to one number.
pub(super) const RATE_CODE: i64 = 130_429;
/// The code of free-form text outside the service window.
const WINDOW_CODE: i64 = 131_047;

/// Answers a request to the Graph API.
pub(in super::super) async fn answer(
    world: &Arc<World>,
    call: Call<'_>,
) -> Result<Answer, Dropped> {
    let mut path = call.path.trim_start_matches('/').splitn(3, '/');
    match (path.next(), path.next(), path.next()) {
        (Some("sdk.js"), None, None) => Ok(signup::sdk()),
        (Some(version), Some("dialog"), Some("oauth")) if is_version(version) => {
            let graph = graph::MetaGraph::new(world);
            Ok(signup::dialog(&graph, world, call))
        }
        (Some(version), Some(number), Some("messages")) if is_version(version) => {
            if call.method != Method::POST {
                return Ok(refusal(world, 100, "Unsupported request method."));
            }
            messages(world, number, call).await
        }
        (Some(version), Some(account), Some("message_templates")) if is_version(version) => {
            if call.method != Method::GET {
                return Ok(refusal(world, 100, "Unsupported request method."));
            }
            templates::list(world, account, call).await
        }
        (Some(version), Some(_), _) if is_version(version) => {
            let path: Vec<&str> = call.path.split('/').skip(2).collect();
            graph::answer(world, &path, call).await
        }
        _ => Ok(refusal(world, 100, "Unknown path components.")),
    }
}

fn is_version(text: &str) -> bool {
    text.strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
}

/// The Authorization header, if it is a bearer token.
pub(super) fn bearer(call: Call<'_>) -> Option<&str> {
    call.authorization
        .filter(|value| value.len() > 7 && value.starts_with("Bearer "))
}

async fn messages(world: &Arc<World>, number: &str, call: Call<'_>) -> Result<Answer, Dropped> {
    match world.meta_access.verdict(Some(number), bearer(call)) {
        Verdict::Granted => {}
        Verdict::Foreign => {
            return Ok(refusal(world, 100, "Object missing or no access to it."));
        }
        Verdict::Unknown => return Ok(refusal(world, 190, "Invalid OAuth access token.")),
    }
    if !world.meta_graph.is_registered(number) {
        return Ok(refusal(world, 133_010, "The account is not registered."));
    }
    let Ok(body) = serde_json::from_slice::<Value>(call.body) else {
        return Ok(refusal(world, 100, "The body is not JSON."));
    };
    if body["messaging_product"] != "whatsapp" {
        let details = "The parameter messaging_product is required.";
        return Ok(refusal(world, 100, details));
    }
    if body.get("status").is_some() {
        return mark(world, number, &body).await;
    }
    let kind = match check::message(&body) {
        Ok(kind) => kind,
        Err(why) => return Ok(refusal(world, why.code, &why.details)),
    };
    let to = body["to"].as_str().or(body["recipient"].as_str());
    let to = to.unwrap_or_default();
    let own = read(&world.meta_numbers)
        .get(number)
        .is_some_and(|own| plain(&own.display_phone) == plain(to));
    if own {
        return Ok(refusal(world, 131_021, "The recipient is the sender."));
    }
    let request = Request {
        face: Face::Meta,
        operation: Operation::Send,
        number,
        to: plain(to),
        text: check::text(&body, kind),
    };
    let take = |fault: Option<&Fault>| take(world, number, to, kind, &body, call, fault);
    let refuse = |code| refusal(world, code, title(code));
    carry(world, &request, refuse, RATE_CODE, take).await
}

fn take(
    world: &Arc<World>,
    number: &str,
    to: &str,
    kind: &str,
    body: &Value,
    call: Call<'_>,
    fault: Option<&Fault>,
) -> Taken {
    let settings = world.settings();
    let shut = settings.window != WindowRule::Ignore
        && kind != "template"
        && !world.is_window_open(Face::Meta, number, to);
    if shut && settings.window == WindowRule::Refuse {
        let details = "More than 24 hours have passed since the customer last wrote.";
        return refusal(world, WINDOW_CODE, details).into();
    }
    let fails = match fault {
        Some(Fault::FailLater(code)) => Some(*code),
        _ => shut.then_some(WINDOW_CODE),
    };
    let id = number::wamid(world);
    let callback = body["biz_opaque_callback_data"].as_str();
    world.log.accept(settings.log.then(|| ReceivedMessage {
        face: Face::Meta,
        number: number.to_owned(),
        to: plain(to).to_owned(),
        summary: check::summary(body, kind),
        raw: String::from_utf8_lossy(call.body).into_owned(),
        callback: callback.map(str::to_owned),
        delivery_id: callback.and_then(log::delivery_id),
        provider_id: id.clone(),
        at: world.now(),
        outcome: fails.map_or(Outcome::Accepted, Outcome::Fails),
    }));
    let mut message = json!({ "id": id });
    if kind == "template" {
        message["message_status"] = "accepted".into();
    }
    let contacts = if body["to"].is_string() {
        json!([{ "input": to, "wa_id": plain(to) }])
    } else {
        json!([{ "user_id": to }])
    };
    let answer = json!({
        "messaging_product": "whatsapp",
        "contacts": contacts,
        "messages": [message],
    });
    let subject = Subject {
        face: Face::Meta,
        number: number.to_owned(),
        to: plain(to).to_owned(),
        id,
        callback: callback.map(str::to_owned),
    };
    Taken {
        answer: json(StatusCode::OK, answer.to_string()),
        follow: Some((subject, statuses::steps(settings, fault, fails))),
    }
}

async fn mark(world: &Arc<World>, number: &str, body: &Value) -> Result<Answer, Dropped> {
    let id = body["message_id"].as_str().unwrap_or_default();
    if body["status"] != "read" || !id.starts_with("wamid.") {
        return Ok(refusal(world, 131_009, "A read mark needs a message_id."));
    }
    let request = Request {
        face: Face::Meta,
        operation: Operation::Signal,
        number,
        to: "",
        text: "",
    };
    let take = |_: Option<&Fault>| {
        let log = world.settings().log;
        world.log.signal(log.then(|| ReceivedSignal {
            face: Face::Meta,
            number: number.to_owned(),
            message_id: id.to_owned(),
            kind: if body["typing_indicator"].is_object() {
                SignalKind::Typing
            } else {
                SignalKind::Read
            },
        }));
        json(StatusCode::OK, r#"{"success":true}"#).into()
    };
    let refuse = |code| refusal(world, code, title(code));
    carry(world, &request, refuse, RATE_CODE, take).await
}

/// An error as the Graph API writes it.
pub(super) fn refusal(world: &World, code: i64, details: &str) -> Answer {
    let body = json!({ "error": {
        "message": format!("(#{code}) {}", title(code)),
        "type": "OAuthException",
        "code": code,
        "error_data": { "messaging_product": "whatsapp", "details": details },
        "fbtrace_id": format!("A{}", world.next_id()),
    }});
    json(http_status(code), body.to_string())
}

/// The HTTP status that Meta gives with an error.
pub(super) fn http_status(code: i64) -> StatusCode {
    match code {
        0 | 190 => StatusCode::UNAUTHORIZED,
        2 | 133_004 => StatusCode::SERVICE_UNAVAILABLE,
        3 | 131_000 | 131_016 | 131_045 | 131_057 | 133_000 | 134_102 => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        10 | 200..=299 | 368 | 130_497 | 131_005 | 131_031 => StatusCode::FORBIDDEN,
        132_001 => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    }
}
