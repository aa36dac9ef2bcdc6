//! Requests about apps, accounts and numbers: who may ask, and what each path is.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{State, edges, tokens};
use crate::simulator::Face;
use crate::simulator::faults::{Fault, Operation, Request};
use crate::simulator::meta::face::{self, RATE_CODE};
use crate::simulator::meta::title;
use crate::simulator::server::{Answer, Call, Dropped, Taken, carry, json as answered};
use crate::simulator::world::{World, decode};

/// Why Meta refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    code: i64,
    subcode: i64,
    message: String,
}

impl Refusal {
    pub(super) fn new(code: i64, subcode: i64, message: &str) -> Self {
        Self {
            code,
            subcode,
            message: message.to_owned(),
        }
    }

    /// It is not there, or not for this token: Meta does not tell which.
    pub(super) fn not_there(id: &str) -> Self {
        let message = format!(
            "Unsupported get request. Object with ID '{id}' does not exist, cannot be loaded due to missing \
             permissions, or does not support this operation"
        );
        Self::new(100, 33, &message)
    }

    fn into_answer(self, world: &World) -> Answer {
        let mut body = json!({ "error": {
            "message": self.message,
            "type": "OAuthException",
            "code": self.code,
            "fbtrace_id": format!("A{}", world.next_id()),
        }});
        if self.subcode != 0 {
            body["error"]["error_subcode"] = self.subcode.into();
        }
        answered(face::http_status(self.code), body.to_string())
    }
}

/// Answers a request about anything but messages; `path` begins after the version.
pub(in crate::simulator::meta) async fn answer(
    world: &Arc<World>,
    path: &[&str],
    call: Call<'_>,
) -> Result<Answer, Dropped> {
    let request = Request {
        face: Face::Meta,
        operation: Operation::Manage,
        number: path.first().copied().unwrap_or_default(),
        to: call.method.as_str(),
        text: path.get(1).copied().unwrap_or_default(),
    };
    // A callback is called before it is set, as Meta does: not under the lock.
    let handshake = edges::handshake(world, path, call).await;
    let take = |_: Option<&Fault>| -> Taken {
        let result = handshake.and_then(|()| operate(world, path, call));
        match result {
            Ok(body) => with_id(world, answered(StatusCode::OK, body.to_string())),
            Err(refusal) => with_id(world, refusal.into_answer(world)),
        }
        .into()
    };
    let refuse = |code| face::refusal(world, code, title(code));
    carry(world, &request, refuse, RATE_CODE, take).await
}

/// Meta names every request.
fn with_id(world: &World, mut answer: Answer) -> Answer {
    if let Ok(id) = format!("R{}", world.next_id()).parse() {
        answer.headers_mut().insert("x-fb-request-id", id);
    }
    answer
}

fn operate(world: &World, path: &[&str], call: Call<'_>) -> Result<Value, Refusal> {
    let query = decode(call.query.as_bytes());
    let mut state = world.meta_graph.state();
    let state: &mut State = &mut state;
    if path == ["oauth", "access_token"] {
        return tokens::exchange(world, state, &query);
    }
    let bearer = face::bearer(call).and_then(|value| value.strip_prefix("Bearer "));
    let bearer = bearer.ok_or_else(|| {
        Refusal::new(
            2_500,
            0,
            "An active access token must be used to query information about the current user.",
        )
    })?;
    match (call.method, path) {
        (&Method::GET, ["debug_token"]) => tokens::debug(world, state, bearer, &query),
        (_, [app, "subscriptions"]) => {
            edges::subscriptions(state, app, bearer, call.method, &query)
        }
        (&Method::GET, ["me", "businesses"]) => edges::businesses(world, state, bearer),
        (&Method::GET, [business, "owned_whatsapp_business_accounts"]) => {
            edges::accounts_of(world, state, bearer, business)
        }
        (&Method::GET, [_, "client_whatsapp_business_accounts"]) => {
            state.good_token(world, bearer)?;
            Ok(json!({ "data": [] }))
        }
        (&Method::GET, [account, "phone_numbers"]) => {
            edges::phone_numbers(world, state, bearer, account, &query)
        }
        (method, [account, "subscribed_apps"]) => {
            edges::subscribed_apps(world, state, bearer, account, method, call.body)
        }
        (&Method::POST, [number, "register"]) => {
            edges::register(world, state, bearer, number, call.body)
        }
        (&Method::POST, [number, "smb_app_data"]) => {
            edges::phone_data(world, state, bearer, number, call.body)
        }
        (&Method::GET, [id]) => edges::node(world, state, bearer, id, &query),
        (&Method::POST, [id]) => edges::edit_number(world, state, bearer, id, call.body),
        _ => Err(Refusal::new(2_500, 0, "Unknown path components.")),
    }
}
