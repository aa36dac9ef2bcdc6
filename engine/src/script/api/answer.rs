//! Answering: what is said to the customer, and how it is shown that somebody is there.
//! Knows neither windows nor providers: whether a message may leave is decided when it is sent.

use rhai::Dynamic;

use super::chat::Chat;
use super::{Api, Fallible, api, content, fail, template};
use crate::domain::effect::Effect;

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Answering",
        "What is sent leaves after the run, in the order in which it was asked for, and only if the run ends without an error. A run may ask for 100 things at most.",
    );
    api! { api;
        /// Answers with a text or other content while the service window is open.
        ///
        /// Whether it is open is decided when the message is sent. If it is shut then, the template
        /// given as second value goes out instead; without one the message fails with
        /// `window_closed`, which `on_status` tells.
        ///
        /// ```rhai
        /// chat.reply("Prices start at €120,000.");
        /// chat.reply("Still interested?", template("viewing_reminder", [chat.contact.name_or("there")]));
        /// ```
        fn "chat.reply(content: text|content, otherwise?: template)" => reply, reply_or_template;

        /// Sends a template, inside the service window or outside.
        ///
        /// ```rhai
        /// chat.send(template("viewing_reminder", ["Ada"]));
        /// ```
        fn "chat.send(template: template)" => send;

        /// Marks the customer's message as read.
        ///
        /// In `on_message` only. It is tried once, right after the run, and may get lost.
        ///
        /// ```rhai
        /// chat.mark_read();
        /// ```
        fn "chat.mark_read()" => mark_read;

        /// Shows the customer that an answer is being written.
        ///
        /// In `on_message` only. It is tried once, right after the run, and may get lost.
        ///
        /// ```rhai
        /// chat.typing();
        /// ```
        fn "chat.typing()" => typing;
    }
}

fn reply(chat: &mut Chat, value: Dynamic) -> Fallible<()> {
    let content = content::content(value)?;
    chat.0.want(Effect::Reply {
        content,
        fallback: None,
    })
}

fn reply_or_template(chat: &mut Chat, value: Dynamic, fallback: Dynamic) -> Fallible<()> {
    let content = content::content(value)?;
    let fallback = Some(template::template_content(
        fallback,
        "chat.reply(content, template(\"name\"))",
    )?);
    chat.0.want(Effect::Reply { content, fallback })
}

fn send(chat: &mut Chat, value: Dynamic) -> Fallible<()> {
    let template = template::template_content(
        value,
        "chat.send(template(\"name\")), or chat.reply(…) for free text",
    )?;
    chat.0.want(Effect::Send { template })
}

fn mark_read(chat: &mut Chat) -> Fallible<()> {
    let message_id = answered(chat, "mark_read")?;
    chat.0.want(Effect::MarkRead { message_id })
}

fn typing(chat: &mut Chat) -> Fallible<()> {
    let message_id = answered(chat, "typing")?;
    chat.0.want(Effect::Typing { message_id })
}

fn answered(chat: &Chat, name: &str) -> Fallible<String> {
    match &chat.0.message_id {
        Some(id) => Ok(id.clone()),
        None => fail(format!(
            "chat.{name}() answers a message, so it works in on_message only"
        )),
    }
}
