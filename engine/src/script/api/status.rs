//! News of a message that the rule has sent.

use std::sync::Arc;

use rhai::{Dynamic, Engine, Map, NativeCallContext};

use super::{no_property, no_setter};
use crate::domain::inbound::Status;

/// News of a sent message, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct StatusView(pub(in crate::script) Arc<Status>);

const PROPERTIES: [&str; 4] = ["kind", "name", "message_id", "failure"];

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<StatusView>("status")
        .register_get("kind", |status: &mut StatusView| status.0.stage.name())
        .register_get("name", |status: &mut StatusView| status.0.stage.name())
        .register_get("message_id", |status: &mut StatusView| {
            status.0.provider_id.clone()
        })
        .register_get("failure", failure)
        .register_indexer_get(|_: &mut StatusView, name: &str| {
            no_property::<Dynamic>("status", name, &PROPERTIES)
        })
        .register_indexer_set(
            |context: NativeCallContext<'_>, own: &mut StatusView, name: &str, value: Dynamic| {
                no_setter(&context, "status", Dynamic::from(own.clone()), name, &value)
            },
        );
}

/// Why the message failed: a map of `kind`, `code` and `detail`; `()` unless it failed.
///
/// ```rhai
/// if status.failure?.kind == "window_closed" { chat.send(template("reminder")); }
/// ```
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
