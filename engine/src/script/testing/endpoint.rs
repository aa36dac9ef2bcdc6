//! The programs outside that rules call by `chat.request`, as a test plays them.

use std::sync::Arc;

use rhai::{Array, Dynamic, NativeCallContext};

use super::play::{Play, play_of};
use crate::script::api::registrar::{Api, api};
use crate::script::api::{Fallible, fail};
use crate::script::convert;

/// An endpoint of a test's world.
#[derive(Clone)]
pub(super) struct Endpoint {
    name: String,
    play: Arc<Play>,
}

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Endpoints",
        "No test calls the world outside: an endpoint answers what the test says, and is unreachable until then.",
    );
    api.noun::<Endpoint>("endpoint", "an endpoint");
    api! { api;
        /// The endpoint of that name, which rules may call from now on.
        ///
        /// ```rhai
        /// let crm = endpoint("crm");
        /// ```
        fn "endpoint(name: text) -> endpoint" => |context: NativeCallContext<'_>, name: &str| -> Fallible<Endpoint> {
            let play = play_of(&context)?;
            play.told(play.stage.endpoint(name))?;
            Ok(Endpoint { name: name.to_owned(), play })
        };

        /// What it answers from now on: a map or another value, and the HTTP status, 200 unless given.
        ///
        /// ```rhai
        /// endpoint("crm").answers(#{ id: 7 });
        /// endpoint("crm").answers("no such customer", 404);
        /// ```
        fn "endpoint.answers(body: any, status?: integer)" =>
            |endpoint: &mut Endpoint, body: Dynamic| answers(endpoint, &body, 200),
            |endpoint: &mut Endpoint, body: Dynamic, status: i64| answers(endpoint, &body, status);

        /// It does not answer from now on: `"timeout"`, `"unreachable"` or `"too_large"`.
        ///
        /// ```rhai
        /// endpoint("crm").fails("timeout");
        /// ```
        fn "endpoint.fails(how: text)" => |endpoint: &mut Endpoint, how: &str| {
            endpoint.play.told(endpoint.play.stage.endpoint_fails(&endpoint.name, how))
        };

        /// What rules have asked it, oldest first: the maps that they sent.
        ///
        /// ```rhai
        /// assert_eq(endpoint("crm").requests.len(), 0);
        /// ```
        get "endpoint.requests: array" => |endpoint: &mut Endpoint| -> Fallible<Array> {
            let zone = endpoint.play.stage.zone();
            let asked = asked(endpoint)?.into_iter();
            Ok(asked.map(|data| Dynamic::from_map(convert::map_from_json(&data, zone))).collect())
        };
    }
}

fn asked(endpoint: &Endpoint) -> Fallible<Vec<serde_json::Map<String, serde_json::Value>>> {
    endpoint
        .play
        .told(endpoint.play.stage.endpoint_asked(&endpoint.name))
}

fn answers(endpoint: &mut Endpoint, body: &Dynamic, status: i64) -> Fallible<()> {
    let body = convert::to_json(body).or_else(fail)?;
    let Some(status) = u16::try_from(status)
        .ok()
        .filter(|code| (100..600).contains(code))
    else {
        return fail(format!("{status} is no HTTP status; write for example 404"));
    };
    let play = &endpoint.play;
    play.told(play.stage.endpoint_answers(&endpoint.name, status, &body))
}
