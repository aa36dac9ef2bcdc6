//! The face of Twilio's REST APIs: which path is which operation, who may call it, and how Twilio
//! words its errors. Knows nothing of what the operations do.

use std::sync::Arc;

use http::{Method, StatusCode};
use rejoinder_engine::adapter::SignalKind;
use serde_json::{Value, json};

use super::super::Face;
use super::super::access::Verdict;
use super::super::faults::{Operation, Request};
use super::super::log::ReceivedSignal;
use super::super::server::{Answer, Call, Dropped, Taken, carry, json};
use super::super::world::{World, field};
use super::{accounts, content, decode, send, title};

/// The code of too many requests.
pub(super) const RATE_CODE: i64 = 20_429;

/// Answers a request to one of Twilio's APIs; `None` for a path that none of them has.
pub(in super::super) async fn answer(
    world: &Arc<World>,
    call: Call<'_>,
) -> Option<Result<Answer, Dropped>> {
    let path: Vec<&str> = call.path.split('/').skip(1).collect();
    let answer = match path.as_slice() {
        ["2010-04-01", "Accounts", account, rest @ ..] => {
            let account = account.strip_suffix(".json").unwrap_or(account);
            if !is_admitted(world, Some(account), call) {
                return Some(Ok(refusal(20_003)));
            }
            in_account(world, account, rest, call).await
        }
        ["v1" | "v2", "Content" | "ContentAndApprovals", ..] => {
            if !is_admitted(world, None, call) {
                return Some(Ok(refusal(20_003)));
            }
            let account = world.twilio_access.owner(call.authorization);
            content::answer(world, &account, &path[1..], call).await
        }
        ["v2", "Channels", "Senders", ..] | ["v1", "Services", ..] => {
            if !is_admitted(world, None, call) {
                return Some(Ok(refusal(20_003)));
            }
            let account = world.twilio_access.owner(call.authorization);
            accounts::answer(world, &account, &path[1..], call).await
        }
        ["v2" | "v3", "Indicators", "Typing.json" | "Typing"] => {
            if !is_admitted(world, None, call) {
                return Some(Ok(refusal(20_003)));
            }
            typing(world, call).await
        }
        _ => return None,
    };
    Some(answer)
}

fn is_admitted(world: &World, account: Option<&str>, call: Call<'_>) -> bool {
    let basic = call
        .authorization
        .filter(|value| value.starts_with("Basic "));
    world.twilio_access.verdict(account, basic) == Verdict::Granted
}

async fn in_account(
    world: &Arc<World>,
    account: &str,
    path: &[&str],
    call: Call<'_>,
) -> Result<Answer, Dropped> {
    match path {
        [] if call.method == Method::GET => accounts::account(world, account, call).await,
        ["Messages.json"] if call.method == Method::POST => {
            send::message(world, account, call).await
        }
        ["Messages.json"] if call.method == Method::GET => {
            let filters = decode(call.query.as_bytes());
            let request = Request {
                face: Face::Twilio,
                operation: Operation::List,
                number: account,
                to: field(&filters, "To").unwrap_or(""),
                text: "",
            };
            let messages = &world.twilio_store.messages;
            let take = |_: Option<&_>| messages.list(account, call.query).into();
            carry(world, &request, refusal, RATE_CODE, take).await
        }
        ["Messages", sid] if call.method == Method::GET => {
            let sid = sid.strip_suffix(".json").unwrap_or(sid);
            let message = world.twilio_store.messages.get(account, sid);
            Ok(message.map_or_else(
                || refusal(20_404),
                |message| json(StatusCode::OK, message.to_json().to_string()),
            ))
        }
        ["Messages", sid, "Media.json"] if call.method == Method::GET => {
            let message = world.twilio_store.messages.get(account, sid);
            Ok(message.map_or_else(
                || refusal(20_404),
                |message| json(StatusCode::OK, message.files_json().to_string()),
            ))
        }
        [] | ["Messages.json"] | ["Messages", _] => Ok(refusal(20_004)),
        _ => Ok(refusal(20_404)),
    }
}

/// A typing indicator, which also marks the message as read. Version 2 takes a form, version 3 JSON.
async fn typing(world: &Arc<World>, call: Call<'_>) -> Result<Answer, Dropped> {
    if call.method != Method::POST {
        return Ok(refusal(20_004));
    }
    let (channel, id) = if call.path.starts_with("/v3") {
        let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (text("channel"), text("messageId"))
    } else {
        let form = decode(call.body);
        let text = |name| field(&form, name).unwrap_or_default().to_owned();
        (text("channel"), text("messageId"))
    };
    if !channel.eq_ignore_ascii_case("whatsapp") || !(id.starts_with("SM") || id.starts_with("MM"))
    {
        return Ok(refusal(20_001));
    }
    let account = world.twilio_access.owner(call.authorization);
    let request = Request {
        face: Face::Twilio,
        operation: Operation::Signal,
        number: &account,
        to: "",
        text: "",
    };
    let take = |_: Option<&_>| -> Taken {
        let log = world.settings().log;
        world.log.signal(log.then(|| ReceivedSignal {
            face: Face::Twilio,
            number: String::new(),
            message_id: id.clone(),
            kind: SignalKind::Typing,
        }));
        json(StatusCode::OK, r#"{"success":true}"#).into()
    };
    carry(world, &request, refusal, RATE_CODE, take).await
}

/// An error as Twilio writes it.
pub(super) fn refusal(code: i64) -> Answer {
    let status = match code {
        20_003 => StatusCode::UNAUTHORIZED,
        20_004 => StatusCode::METHOD_NOT_ALLOWED,
        20_005 => StatusCode::FORBIDDEN,
        20_404 => StatusCode::NOT_FOUND,
        20_429 => StatusCode::TOO_MANY_REQUESTS,
        20_500 => StatusCode::INTERNAL_SERVER_ERROR,
        20_503 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = json!({
        "code": code,
        "message": title(code),
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
        "status": status.as_u16(),
    });
    json(status, body.to_string())
}
