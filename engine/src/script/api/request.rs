//! Calling the programs that the location's admin has allowed, and what they answer.

use std::sync::Arc;

use rhai::Dynamic;

use super::chat::Chat;
use super::{Api, Fallible, api, fail, text};
use crate::domain::effect::Effect;
use crate::domain::request::{Fault, Response};
use crate::script::{convert, limits};

/// The answer of an endpoint, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct ResponseView(Arc<Inner>);

struct Inner {
    endpoint: String,
    response: Response,
}

impl ResponseView {
    pub(in crate::script) fn new(endpoint: &str, response: &Response) -> Self {
        Self(Arc::new(Inner {
            endpoint: endpoint.to_owned(),
            response: response.clone(),
        }))
    }
}

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Calling other programs",
        "A rule calls what the location's admin has allowed under a name (`rejoinder endpoint create crm --url https://…`); address, method and passwords are the admin's, and no script sees them. \
         The call is made after the run, without holding up the chat, and tried up to three times within two minutes under one `Idempotency-Key`; its answer then calls a function of the same rule. \
         Five calls a run at most. While somebody else holds the chat, an answer waits for the release like a follow-up.",
    );
    api! { api;
        /// Calls a program that the location's admin has allowed under this name; the function named, or
        /// else `on_response`, hears the answer.
        ///
        /// The map goes as JSON, 64 KiB at most (as the query, where the admin has set `GET`): times as
        /// text, durations as milliseconds.
        ///
        /// ```rhai
        /// fn on_message(chat, message) {
        ///     chat.request("crm", #{ phone: chat.contact.phone }, "found");
        /// }
        ///
        /// fn found(chat, response) {
        ///     if response.ok { chat.contact.attributes.customer = response.body.id; }
        /// }
        /// ```
        fn "chat.request(endpoint: text, data: map, handler?: handler)" => request, request_for;
    }
    api.noun::<ResponseView>("response", "response");
    api! { api;
        /// Whether the program says that it went well: a status from 200 to 299.
        ///
        /// ```rhai
        /// if !response.ok { chat.hold(); }
        /// ```
        get "response.ok: bool" => |own: &mut ResponseView| own.0.response.is_ok();

        /// The HTTP status, 0 if nothing was answered.
        ///
        /// ```rhai
        /// if response.status == 404 { chat.contact.tag("new customer"); }
        /// ```
        get "response.status: integer" => |own: &mut ResponseView| i64::from(own.0.response.status);

        /// What was answered: values if it was JSON, else a text; `()` if there is nothing.
        ///
        /// It is bounded like every value; one that is larger is left out, with `response.error`
        /// `"too_large"`.
        ///
        /// ```rhai
        /// chat.reply(`Your next appointment: ${response.body.next ?? "none yet"}`);
        /// ```
        get "response.body: any" => |own: &mut ResponseView| convert::from_outside(&own.0.response.body);

        /// Why there is no answer, or `""`.
        ///
        /// `"timeout"`, `"unreachable"`, `"refused_address"` (it leads into a private network),
        /// `"too_large"`, `"not_allowed"` (the location has no endpoint of that name), `"busy"` (a
        /// thousand calls of the location are open), `"unavailable"` (this installation calls nobody).
        ///
        /// ```rhai
        /// if response.error != "" { log("no answer:", response.error); }
        /// ```
        get "response.error: text" => |own: &mut ResponseView| own.0.response.error.map_or("", Fault::name);

        /// The name of the endpoint that was called.
        ///
        /// ```rhai
        /// log(response.endpoint, response.status);
        /// ```
        get "response.endpoint: text" => |own: &mut ResponseView| own.0.endpoint.clone();

        /// The map that was sent.
        ///
        /// ```rhai
        /// log(response.request.phone);
        /// ```
        get "response.request: map" => |own: &mut ResponseView| convert::from_outside(&own.0.response.request.clone().into());
    }
}

fn request(chat: &mut Chat, endpoint: Dynamic, data: Dynamic) -> Fallible<()> {
    if chat.0.handles_responses() {
        return want(chat, &endpoint, &data, None);
    }
    fail(
        "the rule has no on_response to hear the answer; name a function, as in \
         chat.request(\"crm\", #{ … }, \"found\")",
    )
}

fn request_for(
    chat: &mut Chat,
    endpoint: Dynamic,
    data: Dynamic,
    handler: Dynamic,
) -> Fallible<()> {
    let Ok(name) = handler.as_immutable_string_ref() else {
        return fail(format!(
            "the name of a function is needed, in quotes as in \"found\", not {}",
            convert::describe(&handler)
        ));
    };
    chat.0.check_response_handler(&name)?;
    want(chat, &endpoint, &data, Some(name.as_str().to_owned()))
}

fn want(chat: &Chat, endpoint: &Dynamic, data: &Dynamic, handler: Option<String>) -> Fallible<()> {
    let endpoint = text(endpoint, "the name of the endpoint")?;
    if !data.is_map() {
        return fail(format!(
            "a request sends a map, not {}; write for example #{{ phone: chat.contact.phone }}",
            convert::describe(data)
        ));
    }
    let data = match convert::to_outside(data).or_else(fail)? {
        serde_json::Value::Object(data) => data,
        _ => serde_json::Map::new(),
    };
    let size = convert::size(&data);
    if size > limits::REQUEST_BYTES {
        return fail(format!(
            "a request sends {} bytes of JSON at most, this one has {size}",
            limits::REQUEST_BYTES
        ));
    }
    chat.0.want_few(
        Effect::Request {
            endpoint,
            data,
            handler,
        },
        limits::REQUESTS,
        "make requests",
    )
}
