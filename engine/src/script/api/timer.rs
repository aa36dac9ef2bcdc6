//! Following up: functions of the rule that are called later. Knows no clock but the run's moment.

use rhai::{Dynamic, Map};

use super::chat::Chat;
use super::time::Time;
use super::{Api, Fallible, api, fail, span};
use crate::domain::effect::Effect;
use crate::domain::time::{Span, Timestamp};
use crate::script::{convert, limits};

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Following up",
        "The handler is the name of a function of the same rule, `fn nudge(chat)`; a map given as last value comes back as its second parameter, `fn nudge(chat, args)`. \
         One follow-up is pending per chat, rule and function: setting it again moves it. \
         It always comes, late if the server was down or a person holds the chat; it runs the version of the rule that is published then, and is dropped if the rule is switched off.",
    );
    api! { api;
        /// Calls a function after a while, or at a time, unless the customer or a person of the business
        /// writes before.
        ///
        /// The map may have 8 KiB as JSON.
        ///
        /// ```rhai
        /// chat.if_silent("2d", "nudge");
        /// chat.if_silent(chat.window.closes_at - "30m", "last_word");
        /// ```
        fn "chat.if_silent(when: duration|time, handler: handler, args?: map)" =>
            |chat: &mut Chat, when: Dynamic, handler: Dynamic| if_silent(chat, &when, &handler, None),
            |chat: &mut Chat, when: Dynamic, handler: Dynamic, args: Map| if_silent(chat, &when, &handler, Some(&args));

        /// Calls a function after a while, whatever happens before.
        ///
        /// ```rhai
        /// chat.after("1h", "ask_for_rating", #{ order: 7 });
        /// ```
        fn "chat.after(delay: duration, handler: handler, args?: map)" =>
            |chat: &mut Chat, delay: Dynamic, handler: Dynamic| after(chat, &delay, &handler, None),
            |chat: &mut Chat, delay: Dynamic, handler: Dynamic, args: Map| after(chat, &delay, &handler, Some(&args));

        /// Calls a function at a time; at once if the time is past.
        ///
        /// Ten years ahead at most.
        ///
        /// ```rhai
        /// chat.at((now() + "1d").at("09:00"), "remind");
        /// ```
        fn "chat.at(time: time, handler: handler, args?: map)" =>
            |chat: &mut Chat, time: Dynamic, handler: Dynamic| at(chat, &time, &handler, None),
            |chat: &mut Chat, time: Dynamic, handler: Dynamic, args: Map| at(chat, &time, &handler, Some(&args));

        /// Drops the pending follow-up of a function, if there is one.
        ///
        /// ```rhai
        /// chat.cancel("nudge");
        /// ```
        fn "chat.cancel(handler: handler)" => cancel;
    }
}

fn if_silent(chat: &Chat, when: &Dynamic, handler: &Dynamic, args: Option<&Map>) -> Fallible<()> {
    let due_at = if when.is::<Time>() {
        moment(chat, when)?
    } else {
        chat.0.now + span(when, "chat.if_silent(\"2d\", \"nudge\")")?
    };
    timer(chat, due_at, handler, true, args)
}

fn after(chat: &Chat, delay: &Dynamic, handler: &Dynamic, args: Option<&Map>) -> Fallible<()> {
    let due_at = chat.0.now + span(delay, "chat.after(\"2d\", \"nudge\")")?;
    timer(chat, due_at, handler, false, args)
}

fn at(chat: &Chat, time: &Dynamic, handler: &Dynamic, args: Option<&Map>) -> Fallible<()> {
    timer(chat, moment(chat, time)?, handler, false, args)
}

fn moment(chat: &Chat, time: &Dynamic) -> Fallible<Timestamp> {
    let Some(at) = time.read_lock::<Time>().map(|time| time.at) else {
        return fail(format!(
            "chat.at needs a time, not {}; write for example chat.at(now() + \"2d\", \"nudge\")",
            convert::describe(time)
        ));
    };
    if at.since(chat.0.now) > Span::MAX_WRITTEN {
        return fail("this time is more than ten years away");
    }
    Ok(at)
}

fn timer(
    chat: &Chat,
    due_at: Timestamp,
    handler: &Dynamic,
    if_silent: bool,
    args: Option<&Map>,
) -> Fallible<()> {
    let args = passed_on(args)?;
    chat.0.want(Effect::SetTimer {
        handler: handler_name(chat, handler)?,
        due_at,
        if_silent,
        args,
    })
}

/// What a script passes on to a function that is called later.
pub(super) fn passed_on(
    args: Option<&Map>,
) -> Fallible<Option<serde_json::Map<String, serde_json::Value>>> {
    let args = args.map(convert::map_to_json).transpose().or_else(fail)?;
    let size = args.as_ref().map_or(0, convert::size);
    if size > limits::ARGS_BYTES {
        return fail(format!(
            "what is passed on has {size} bytes, {} at most; keep more in chat.state",
            limits::ARGS_BYTES
        ));
    }
    Ok(args)
}

fn handler_name(chat: &Chat, handler: &Dynamic) -> Fallible<String> {
    let Ok(name) = handler.as_immutable_string_ref() else {
        return fail(format!(
            "the name of a function is needed, in quotes as in \"nudge\", not {}",
            convert::describe(handler)
        ));
    };
    chat.0.check_handler(&name)?;
    Ok(name.as_str().to_owned())
}

fn cancel(chat: &mut Chat, handler: Dynamic) -> Fallible<()> {
    let handler = handler_name(chat, &handler)?;
    chat.0.want(Effect::CancelTimer { handler })
}
