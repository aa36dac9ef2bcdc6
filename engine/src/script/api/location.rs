//! The location: its name and the constants that its admin has set.

use std::sync::Arc;

use rhai::Map;

use super::{Api, api};
use crate::script::convert;
use crate::script::run::Run;

/// The location, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct LocationView(pub(in crate::script) Arc<Run>);

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "The location",
        "The business: `chat.location` where there is a chat, and the parameter of a schedule's function.",
    );
    api.noun::<LocationView>("location", "location");
    api! { api;
        /// What the business is called.
        ///
        /// ```rhai
        /// chat.reply(`Welcome to ${chat.location.name}.`);
        /// ```
        get "location.name: text" => |location: &mut LocationView| location.0.location.name.clone();

        /// The constants that the location's admin has set; what is not set is `()`.
        ///
        /// ```rhai
        /// chat.reply(`Call us at ${chat.location.vars.phone}.`);
        /// ```
        get "location.vars: map" => vars;
    }
}

fn vars(location: &mut LocationView) -> Map {
    convert::map_from_json(&location.0.location.vars, location.0.zone)
}
