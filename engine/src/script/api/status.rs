//! News of a message that the rule has sent.

use std::sync::Arc;

use rhai::{Dynamic, Map};

use super::{Api, api};
use crate::domain::inbound::Status;

/// News of a sent message, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct StatusView(pub(in crate::script) Arc<Status>);

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "The status of a sent message",
        "What `on_status` is given. A message that could not be sent for a moment, because a number was too fast or the provider did not answer, is tried again before it fails.",
    );
    api.noun::<StatusView>("status", "status");
    api! { api;
        /// How far the message got: `"accepted"`, `"sent"`, `"delivered"`, `"read"`, `"played"` or `"failed"`.
        ///
        /// ```rhai
        /// if status.kind == "read" { chat.contact.tag("reads"); }
        /// ```
        get "status.kind: text" => |status: &mut StatusView| status.0.stage.name();

        /// The same as `status.kind`.
        ///
        /// ```rhai
        /// log(status.name);
        /// ```
        get "status.name: text" => |status: &mut StatusView| status.0.stage.name();

        /// The provider's id of the message; ours, if the provider never had it.
        ///
        /// ```rhai
        /// log(status.message_id);
        /// ```
        get "status.message_id: text" => |status: &mut StatusView| status.0.provider_id.clone();

        /// Why the message failed: a map of `kind`, `code` and `detail`; `()` unless it failed.
        ///
        /// The usual kinds are `window_closed`, `opted_out`, `unreachable`, `rate_limited`,
        /// `template_rejected`, `media_rejected`, `invalid`, `refused` and `expired` (it was tried for
        /// too long).
        ///
        /// ```rhai
        /// if status.failure?.kind == "unreachable" { chat.contact.tag("wrong number"); }
        /// ```
        get "status.failure: map?" => failure;
    }
}

fn failure(status: &mut StatusView) -> Dynamic {
    let Some(failure) = &status.0.failure else {
        return Dynamic::UNIT;
    };
    Dynamic::from_map(Map::from_iter([
        ("kind".into(), failure.kind.as_str().into()),
        ("code".into(), failure.provider_code.into()),
        ("detail".into(), failure.detail.as_str().into()),
    ]))
}
