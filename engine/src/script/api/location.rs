//! The location: its name and the constants that its admin has set.

use std::sync::Arc;

use rhai::{Dynamic, Engine, Map, NativeCallContext};

use super::{Usage, no_property, no_setter};
use crate::script::convert;
use crate::script::run::Run;

/// The location, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct LocationView(pub(in crate::script) Arc<Run>);

pub(super) const USAGE: Usage = &[];

const PROPERTIES: [&str; 2] = ["name", "vars"];

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<LocationView>("location")
        .register_get("name", |location: &mut LocationView| {
            location.0.location.name.clone()
        })
        .register_get("vars", vars)
        .register_indexer_get(|_: &mut LocationView, name: &str| {
            no_property::<Dynamic>("location", name, &PROPERTIES)
        })
        .register_indexer_set(
            |context: NativeCallContext<'_>, own: &mut LocationView, name: &str, value: Dynamic| {
                no_setter(
                    &context,
                    "location",
                    Dynamic::from(own.clone()),
                    name,
                    &value,
                )
            },
        );
}

/// The constants that the location's admin has set; what is not set is `()`.
///
/// ```rhai
/// chat.reply(`Call us at ${location.vars.phone}.`);
/// ```
fn vars(location: &mut LocationView) -> Map {
    convert::map_from_json(&location.0.location.vars, location.0.zone)
}
