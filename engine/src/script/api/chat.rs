//! The chat: answering, follow-ups, handing over, and what is known about the conversation.

use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::contact::ContactView;
use super::location::LocationView;
use super::store::Bag;
use super::time::{Length, Time};
use super::{Fallible, Usage, content, fail, no_property, no_setter, span, template};
use crate::domain::conversation::{HeldBy, Hold};
use crate::domain::effect::Effect;
use crate::domain::time::{Span, Timestamp};
use crate::script::run::Run;
use crate::script::{convert, limits};

/// A conversation, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct Chat(pub(in crate::script) Arc<Run>);

/// The service window of a chat, as scripts see it.
#[derive(Clone)]
pub(super) struct WindowView(Arc<Run>);

pub(super) const USAGE: Usage = &[
    (
        "reply",
        "chat.reply(\"text\"), or chat.reply(content, template(\"name\")) for a shut window",
    ),
    ("send", "chat.send(template(\"name\", [\"value\"]))"),
    ("mark_read", "chat.mark_read()"),
    ("typing", "chat.typing()"),
    ("if_silent", "chat.if_silent(\"2d\", \"nudge\")"),
    ("after", "chat.after(\"2d\", \"nudge\")"),
    (
        "at",
        "chat.at(now() + \"2d\", \"nudge\"), or now().at(\"18:00\")",
    ),
    ("cancel", "chat.cancel(\"nudge\")"),
    ("hold", "chat.hold(\"12h\")"),
    ("release", "chat.release()"),
    ("history", "chat.history(10)"),
];

const PROPERTIES: [&str; 9] = [
    "contact",
    "location",
    "state",
    "window",
    "held",
    "held_by",
    "last_message_at",
    "due",
    "history",
];
const WINDOW: [&str; 3] = ["is_open", "closes_at", "left"];

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Chat>("chat")
        .register_type_with_name::<WindowView>("window")
        .register_fn("reply", reply)
        .register_fn("reply", reply_or_template)
        .register_fn("send", send)
        .register_fn("mark_read", mark_read)
        .register_fn("typing", typing)
        .register_fn("cancel", cancel)
        .register_fn("hold", hold)
        .register_fn("hold", hold_for)
        .register_fn("release", release)
        .register_fn("history", history);
    register_timers(engine);
    engine
        .register_get("contact", |chat: &mut Chat| {
            ContactView(Arc::clone(&chat.0))
        })
        .register_get("location", |chat: &mut Chat| {
            LocationView(Arc::clone(&chat.0))
        })
        .register_get("state", |chat: &mut Chat| Bag::state(&chat.0))
        .register_set("state", set_state)
        .register_get("window", |chat: &mut Chat| WindowView(Arc::clone(&chat.0)))
        .register_get("held", |chat: &mut Chat| chat.0.recorded().hold.is_some())
        .register_get("held_by", held_by)
        .register_get("last_message_at", last_message_at)
        .register_get("due", due)
        .register_indexer_get(|_: &mut Chat, name: &str| {
            no_property::<Dynamic>("chat", name, &PROPERTIES)
        })
        .register_indexer_set(
            |context: NativeCallContext<'_>, own: &mut Chat, name: &str, value: Dynamic| {
                no_setter(&context, "chat", Dynamic::from(own.clone()), name, &value)
            },
        )
        .register_get("is_open", |window: &mut WindowView| -> Fallible<bool> {
            Ok(window.0.chat()?.window.is_open(window.0.now))
        })
        .register_get("closes_at", closes_at)
        .register_get("left", |window: &mut WindowView| -> Fallible<Length> {
            Ok(Length(window.0.chat()?.window.left(window.0.now)))
        })
        .register_indexer_get(|_: &mut WindowView, name: &str| {
            no_property::<Dynamic>("chat.window", name, &WINDOW)
        })
        .register_indexer_set(
            |context: NativeCallContext<'_>, own: &mut WindowView, name: &str, value: Dynamic| {
                no_setter(
                    &context,
                    "chat.window",
                    Dynamic::from(own.clone()),
                    name,
                    &value,
                )
            },
        );
}

/// Answers with a text or other content, inside the service window only.
///
/// Takes effect after the run. If the window is shut when it is sent, it fails and `on_status` tells so.
///
/// ```rhai
/// chat.reply("Prices start at €120,000.");
/// ```
fn reply(chat: &mut Chat, value: Dynamic) -> Fallible<()> {
    let content = content::content(value)?;
    chat.0.want(Effect::Reply {
        content,
        fallback: None,
    })
}

/// Answers with content while the window is open, else with the template; decided when it is sent.
///
/// ```rhai
/// chat.reply("Still interested?", template("viewing_reminder", [chat.contact.name_or("there")]));
/// ```
fn reply_or_template(chat: &mut Chat, value: Dynamic, fallback: Dynamic) -> Fallible<()> {
    let content = content::content(value)?;
    let fallback = Some(template::template_content(
        fallback,
        "chat.reply(content, template(\"name\"))",
    )?);
    chat.0.want(Effect::Reply { content, fallback })
}

/// Sends a template, inside the service window or outside.
///
/// ```rhai
/// chat.send(template("viewing_reminder", ["Ada"]));
/// ```
fn send(chat: &mut Chat, value: Dynamic) -> Fallible<()> {
    let template = template::template_content(
        value,
        "chat.send(template(\"name\")), or chat.reply(…) for free text",
    )?;
    chat.0.want(Effect::Send { template })
}

/// Marks the customer's message as read. Best effort, right after the run.
///
/// ```rhai
/// chat.mark_read();
/// ```
fn mark_read(chat: &mut Chat) -> Fallible<()> {
    let message_id = answered(chat, "mark_read")?;
    chat.0.want(Effect::MarkRead { message_id })
}

/// Shows the customer that an answer is being written. Best effort, right after the run.
///
/// ```rhai
/// chat.typing();
/// ```
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

fn register_timers(engine: &mut Engine) {
    engine
        .register_fn(
            "if_silent",
            |chat: &mut Chat, delay: Dynamic, handler: Dynamic| {
                if_silent(chat, &delay, &handler, None)
            },
        )
        .register_fn(
            "if_silent",
            |chat: &mut Chat, delay: Dynamic, handler: Dynamic, args: Map| {
                if_silent(chat, &delay, &handler, Some(&args))
            },
        )
        .register_fn(
            "after",
            |chat: &mut Chat, delay: Dynamic, handler: Dynamic| after(chat, &delay, &handler, None),
        )
        .register_fn(
            "after",
            |chat: &mut Chat, delay: Dynamic, handler: Dynamic, args: Map| {
                after(chat, &delay, &handler, Some(&args))
            },
        )
        .register_fn("at", |chat: &mut Chat, time: Dynamic, handler: Dynamic| {
            at(chat, &time, &handler, None)
        })
        .register_fn(
            "at",
            |chat: &mut Chat, time: Dynamic, handler: Dynamic, args: Map| {
                at(chat, &time, &handler, Some(&args))
            },
        );
}

/// Calls a function after a while, unless the customer or a person of the business writes before.
///
/// One follow-up is pending per chat, rule and function: setting it again moves it. A last map is
/// passed on as `args`.
///
/// ```rhai
/// chat.if_silent("2d", "nudge");
/// ```
fn if_silent(chat: &Chat, delay: &Dynamic, handler: &Dynamic, args: Option<&Map>) -> Fallible<()> {
    let due_at = chat.0.now + span(delay, "chat.if_silent(\"2d\", \"nudge\")")?;
    timer(chat, due_at, handler, true, args)
}

/// Calls a function after a while, whatever happens before. Setting it again moves it.
///
/// ```rhai
/// chat.after("1h", "ask_for_rating", #{ order: 7 });
/// ```
fn after(chat: &Chat, delay: &Dynamic, handler: &Dynamic, args: Option<&Map>) -> Fallible<()> {
    let due_at = chat.0.now + span(delay, "chat.after(\"2d\", \"nudge\")")?;
    timer(chat, due_at, handler, false, args)
}

/// Calls a function at a time; at once if the time is past. Setting it again moves it.
///
/// ```rhai
/// chat.at((now() + "1d").at("09:00"), "remind");
/// ```
fn at(chat: &Chat, time: &Dynamic, handler: &Dynamic, args: Option<&Map>) -> Fallible<()> {
    let Some(at) = time.read_lock::<Time>().map(|time| time.at) else {
        return fail(format!(
            "chat.at needs a time, not {}; write for example chat.at(now() + \"2d\", \"nudge\")",
            convert::describe(time)
        ));
    };
    if at.since(chat.0.now) > Span::MAX_WRITTEN {
        return fail("this time is more than ten years away");
    }
    timer(chat, at, handler, false, args)
}

fn timer(
    chat: &Chat,
    due_at: Timestamp,
    handler: &Dynamic,
    if_silent: bool,
    args: Option<&Map>,
) -> Fallible<()> {
    let args = args.map(convert::map_to_json).transpose().or_else(fail)?;
    let size = args.as_ref().map_or(0, convert::size);
    if size > limits::ARGS_BYTES {
        return fail(format!(
            "what is passed on has {size} bytes, {} at most; keep more in chat.state",
            limits::ARGS_BYTES
        ));
    }
    chat.0.want(Effect::SetTimer {
        handler: handler_name(chat, handler)?,
        due_at,
        if_silent,
        args,
    })
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

/// Drops the pending follow-up of a function, if there is one.
///
/// ```rhai
/// chat.cancel("nudge");
/// ```
fn cancel(chat: &mut Chat, handler: Dynamic) -> Fallible<()> {
    let handler = handler_name(chat, &handler)?;
    chat.0.want(Effect::CancelTimer { handler })
}

/// Hands the chat to a person for as long as the location has set.
///
/// ```rhai
/// chat.hold();
/// ```
fn hold(chat: &mut Chat) -> Fallible<()> {
    hold_until(chat, chat.0.location.hold)
}

/// Hands the chat to a person for a while: no handlers run and follow-ups wait until then.
///
/// What this run and earlier ones have sent still goes out.
///
/// ```rhai
/// chat.hold("12h");
/// ```
fn hold_for(chat: &mut Chat, delay: Dynamic) -> Fallible<()> {
    hold_until(chat, span(&delay, "chat.hold(\"12h\")")?)
}

fn hold_until(chat: &Chat, span: Span) -> Fallible<()> {
    chat.0.want(Effect::Hold { span })?;
    chat.0.recorded().hold = Some(Hold {
        by: HeldBy::Rule,
        until: chat.0.now + span,
    });
    Ok(())
}

/// Takes the chat back from a person; follow-ups that waited fall due.
///
/// ```rhai
/// chat.release();
/// ```
fn release(chat: &mut Chat) -> Fallible<()> {
    chat.0.want(Effect::Release)?;
    chat.0.recorded().hold = None;
    Ok(())
}

/// The latest messages, at most 50, oldest first: maps of `by`, `kind`, `text` and `at`.
///
/// ```rhai
/// for line in chat.history(10) { log(line.by, line.text); }
/// ```
fn history(chat: &mut Chat, count: i64) -> Array {
    let lines = &chat.0.history;
    let count = usize::try_from(count)
        .unwrap_or(0)
        .min(limits::HISTORY_LINES);
    lines[lines.len().saturating_sub(count)..]
        .iter()
        .map(|line| {
            Dynamic::from_map(Map::from_iter([
                ("by".into(), line.by.as_str().into()),
                ("kind".into(), line.kind.as_str().into()),
                ("text".into(), line.text.as_str().into()),
                ("at".into(), time(&chat.0, line.at)),
            ]))
        })
        .collect()
}

fn time(run: &Run, at: Timestamp) -> Dynamic {
    Dynamic::from(Time { at, zone: run.zone })
}

fn set_state(chat: &mut Chat, value: Dynamic) -> Fallible<()> {
    Bag::state(&chat.0).replace(&value)
}

fn held_by(chat: &mut Chat) -> &'static str {
    chat.0.recorded().hold.map_or("", |hold| hold.by.name())
}

fn last_message_at(chat: &mut Chat) -> Fallible<Dynamic> {
    let at = chat.0.chat()?.last_inbound_at;
    Ok(at.map_or(Dynamic::UNIT, |at| time(&chat.0, at)))
}

fn due(chat: &mut Chat) -> Dynamic {
    chat.0.due_at.map_or(Dynamic::UNIT, |at| time(&chat.0, at))
}

fn closes_at(window: &mut WindowView) -> Fallible<Dynamic> {
    let at = window.0.chat()?.window.closes_at();
    Ok(at.map_or(Dynamic::UNIT, |at| time(&window.0, at)))
}
