//! What customers do to messages besides writing them: they react to one, or withdraw their own.

use std::sync::Arc;

use super::time::Time;
use super::{Api, api};
use crate::domain::time::Timestamp;
use crate::script::run::Run;

/// A customer's reaction to a message, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct ReactionView(Arc<Reaction>);

struct Reaction {
    message_id: String,
    emoji: String,
    at: Time,
}

/// A message that a customer withdrew, as scripts see it: nothing of it is left but that it was.
#[derive(Clone)]
pub(in crate::script) struct WithdrawnView(Arc<Withdrawn>);

struct Withdrawn {
    message_id: String,
    at: Time,
}

impl ReactionView {
    pub(in crate::script) fn new(run: &Run, message_id: &str, emoji: &str, at: Timestamp) -> Self {
        Self(Arc::new(Reaction {
            message_id: message_id.to_owned(),
            emoji: emoji.to_owned(),
            at: Time { at, zone: run.zone },
        }))
    }
}

impl WithdrawnView {
    pub(in crate::script) fn new(run: &Run, message_id: &str, at: Timestamp) -> Self {
        Self(Arc::new(Withdrawn {
            message_id: message_id.to_owned(),
            at: Time { at, zone: run.zone },
        }))
    }
}

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Reactions and withdrawn messages",
        "What `on_reaction` and `on_revoke` are given.",
    );
    api.noun::<ReactionView>("reaction", "reaction");
    api.noun::<WithdrawnView>("withdrawn", "a withdrawn message");
    api! { api;
        /// The emoji; `""` when the customer took the reaction back.
        ///
        /// ```rhai
        /// if reaction.emoji == "👍" { chat.contact.tag("likes us"); }
        /// ```
        get "reaction.emoji: text" => |reaction: &mut ReactionView| reaction.0.emoji.clone();

        /// The provider's id of the message reacted to.
        ///
        /// ```rhai
        /// log(reaction.message_id);
        /// ```
        get "reaction.message_id: text" => |reaction: &mut ReactionView| reaction.0.message_id.clone();

        /// When, as the provider dates it.
        ///
        /// ```rhai
        /// log(reaction.at);
        /// ```
        get "reaction.at: time" => |reaction: &mut ReactionView| reaction.0.at;

        /// The provider's id of the message that was withdrawn, as `message.id` was.
        ///
        /// ```rhai
        /// fn on_revoke(chat, message) {
        ///     if chat.state.asked_in == message.id { chat.cancel("nudge"); }
        /// }
        ///
        /// fn nudge(chat) { chat.reply("Still interested?"); }
        /// ```
        get "withdrawn.id: text" => |message: &mut WithdrawnView| message.0.message_id.clone();

        /// When it was withdrawn, as the provider dates it.
        ///
        /// ```rhai
        /// fn on_revoke(chat, message) { log(message.at); }
        /// ```
        get "withdrawn.at: time" => |message: &mut WithdrawnView| message.0.at;
    }
}
