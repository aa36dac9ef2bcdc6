//! What scripts can call. Each file registers the functions of one noun; the doc comment of a
//! function says what it is for, shows an example, and tells when it takes effect.
//!
//! To add a function: write it in the file of its noun, register it there, and add its line to that
//! file's `USAGE`, from which errors tell how it is called.

#![expect(
    clippy::needless_pass_by_value,
    reason = "Rhai hands arguments over by value"
)]

pub(super) mod chat;
mod contact;
mod content;
pub(super) mod location;
pub(super) mod message;
pub(super) mod status;
mod store;
mod template;
mod text;
pub(super) mod time;
mod world;

use std::sync::Arc;

use chrono_tz::Tz;
use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext, Position};

use super::convert;
use super::explain::nearest;
use super::run::{Run, Tag};
use crate::domain::time::Span;

/// What a function of the API gives back.
pub(super) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// How functions are called, by name.
type Usage = &'static [(&'static str, &'static str)];

const USAGES: [Usage; 10] = [
    chat::USAGE,
    contact::USAGE,
    content::USAGE,
    location::USAGE,
    message::USAGE,
    store::USAGE,
    template::USAGE,
    text::USAGE,
    time::USAGE,
    world::USAGE,
];

/// Registers everything.
pub(super) fn register(engine: &mut Engine) {
    chat::register(engine);
    contact::register(engine);
    content::register(engine);
    location::register(engine);
    message::register(engine);
    status::register(engine);
    store::register(engine);
    template::register(engine);
    text::register(engine);
    time::register(engine);
    world::register(engine);
}

/// How a function is called.
pub(super) fn usage(name: &str) -> Option<&'static str> {
    let usages = USAGES.iter().flat_map(|usage| usage.iter());
    usages
        .filter(|(known, _)| *known == name)
        .map(|(_, usage)| *usage)
        .next()
}

/// The names of all functions, ours and the common ones of Rhai.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    const OF_RHAI: [&str; 34] = [
        "len",
        "push",
        "pop",
        "contains",
        "index_of",
        "split",
        "trim",
        "to_upper",
        "to_lower",
        "sub_string",
        "starts_with",
        "ends_with",
        "parse_int",
        "parse_float",
        "to_string",
        "to_int",
        "to_float",
        "round",
        "floor",
        "ceiling",
        "abs",
        "min",
        "max",
        "keys",
        "values",
        "remove",
        "insert",
        "reverse",
        "sort",
        "filter",
        "map",
        "is_empty",
        "type_of",
        "clear",
    ];
    let usages = USAGES.iter().flat_map(|usage| usage.iter());
    usages.map(|(name, _)| *name).chain(OF_RHAI)
}

/// Ends the run with a message for the person who wrote the script.
pub(super) fn fail<T>(message: impl Into<String>) -> Fallible<T> {
    Err(Box::new(EvalAltResult::ErrorRuntime(
        message.into().into(),
        Position::NONE,
    )))
}

/// The run that a function was called in.
fn run(context: &NativeCallContext<'_>) -> Fallible<Arc<Run>> {
    let tag = context.tag().and_then(Dynamic::read_lock::<Tag>);
    match tag.as_deref() {
        Some(Tag::Run(run)) => Ok(Arc::clone(run)),
        _ => fail(format!(
            "constants are computed once, before anything happens, so {} has nothing to say there; call it in a function",
            context.fn_name()
        )),
    }
}

/// The zone of the location, or UTC where no event has come yet.
pub(super) fn zone(context: &NativeCallContext<'_>) -> Tz {
    run(context).map_or(Tz::UTC, |run| run.zone)
}

/// The line on which a function was called.
fn line(context: &NativeCallContext<'_>) -> u32 {
    super::explain::place(context.call_position()).0
}

/// Refuses a property that something does not have.
fn no_property<T>(of: &str, name: &str, known: &[&str]) -> Fallible<T> {
    if let Some(usage) = usage(name) {
        return fail(format!("{name} is a function; write {usage}"));
    }
    match nearest(name, known.iter().copied()) {
        Some(near) => fail(format!("{of} has no {name}; did you mean {near}?")),
        None => fail(format!("{of} has no {name}; it has {}", known.join(", "))),
    }
}

/// Refuses to set a property. Rhai also sets one after `a.b.c = 1` and after `a.b.split(" ")`, to
/// what it read there; where that is still the same, or stands for something that has already noted
/// the change, it is no news.
fn no_setter(
    context: &NativeCallContext<'_>,
    of: &str,
    object: Dynamic,
    name: &str,
    value: &Dynamic,
) -> Fallible<()> {
    let is_handle = value.is::<contact::ContactView>()
        || value.is::<store::Bag>()
        || value.is::<chat::WindowView>()
        || value.is::<location::LocationView>();
    if is_handle {
        return Ok(());
    }
    let own: Fallible<Dynamic> = context.call_native_fn(format!("get${name}"), (object,));
    if let (Ok(own), Ok(value)) = (own, convert::to_json(value))
        && convert::to_json(&own) == Ok(value)
    {
        return Ok(());
    }
    match (of, name) {
        ("chat", "held") => fail("write chat.hold(\"12h\") or chat.release()"),
        ("contact", "opted_out") => fail("write contact.opt_out() or contact.opt_in()"),
        ("contact", "tags") => fail("write contact.tag(\"…\") or contact.untag(\"…\")"),
        ("message", _) => fail(format!(
            "message.{name} cannot be changed; write let {name} = message.{name}; and change that"
        )),
        ("chat" | "contact", _) => fail(format!(
            "{of}.{name} cannot be changed; to remember something write chat.state.{name} = …, or chat.contact.attributes.{name} = … for all rules"
        )),
        _ => fail(format!("{of}.{name} cannot be changed")),
    }
}

/// Reads a duration given as text or as a duration.
fn span(value: &Dynamic, usage: &str) -> Fallible<Span> {
    if let Some(length) = value.read_lock::<time::Length>() {
        return Ok(length.0);
    }
    match value.as_immutable_string_ref() {
        Ok(text) => Span::parse(&text).or_else(|error| fail(error.to_string())),
        Err(_) => fail(format!(
            "a duration is needed, not {}; write {usage}",
            convert::describe(value)
        )),
    }
}

/// Reads a text that must not be empty.
fn text(value: &Dynamic, what: &str) -> Fallible<String> {
    let text = convert::to_text(value).or_else(|reason| fail(format!("{what}: {reason}")))?;
    if text.trim().is_empty() {
        return fail(format!("{what} is empty"));
    }
    Ok(text)
}
