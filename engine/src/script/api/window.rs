//! The service window of a chat: whether free text may be sent, as far as we know it.
//! Decides nothing: what may leave is decided when it is sent.

use std::sync::Arc;

use rhai::Dynamic;

use super::chat::time;
use super::time::Length;
use super::{Api, Fallible, api};
use crate::script::run::Run;

/// The service window of a chat, as scripts see it.
#[derive(Clone)]
pub(super) struct WindowView(pub(super) Arc<Run>);

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "The service window",
        "WhatsApp lets a business write freely for 24 hours after the customer's last message. Outside of that only templates leave.",
    );
    api.noun::<WindowView>("window", "chat.window");
    api! { api;
        /// Whether free text may be sent now.
        ///
        /// ```rhai
        /// if !chat.window.is_open { chat.send(template("viewing_reminder", ["Ada"])); }
        /// ```
        get "window.is_open: bool" => |window: &mut WindowView| -> Fallible<bool> {
            Ok(window.0.chat()?.window.is_open(window.0.now))
        };

        /// When it closes, or closed; `()` if it was never open.
        ///
        /// It counts as closed one minute early, since a message takes its time.
        ///
        /// ```rhai
        /// if chat.window.is_open { chat.at(chat.window.closes_at - "30m", "nudge"); }
        /// ```
        get "window.closes_at: time?" => closes_at;

        /// How long it stays open; a duration, zero when it is shut.
        ///
        /// ```rhai
        /// if chat.window.left > "23h" { log("the customer wrote within the last hour"); }
        /// ```
        get "window.left: duration" => |window: &mut WindowView| -> Fallible<Length> {
            Ok(Length(window.0.chat()?.window.left(window.0.now)))
        };
    }
}

fn closes_at(window: &mut WindowView) -> Fallible<Dynamic> {
    let at = window.0.chat()?.window.closes_at();
    Ok(at.map_or(Dynamic::UNIT, |at| time(&window.0, at)))
}
