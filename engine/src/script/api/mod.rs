//! What scripts can call. Each file registers what belongs to one noun, with `api!`: a signature, what
//! it is for, when it takes effect, an example. Knows nothing of events, storage or sending.
//!
//! To add a function: write it in the file of its noun, and its entry in that file's `api!`. The
//! reference, `rejoinder docs`, what editors offer and what errors advise come from there.

#![expect(
    clippy::needless_pass_by_value,
    reason = "Rhai hands arguments over by value"
)]

mod answer;
mod array;
mod builtin;
pub(super) mod chat;
mod contact;
pub(super) mod content;
pub(super) mod fanout;
mod handlers;
pub(super) mod location;
pub(super) mod message;
pub(super) mod reaction;
pub(super) mod registrar;
pub(super) mod request;
pub(super) mod status;
pub(super) mod store;
pub(super) mod template;
mod text;
pub(super) mod time;
mod timer;
mod top;
mod window;
mod world;

use std::sync::Arc;

use chrono_tz::Tz;
use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext, Position};

pub(super) use self::builtin::PROPERTIES as PROPERTIES_OF_RHAI;
use self::registrar::{Api, api};
pub(super) use self::world::refused;
use super::catalog::{Catalog, Kind, catalog as known, of_tests};
use super::convert;
use super::explain::nearest;
use super::run::{Run, Tag};
use crate::domain::time::Span;

/// What a function of the API gives back.
pub(super) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Registers everything.
pub(super) fn register(engine: &mut Engine) {
    add_all(&mut Api::new(engine));
}

/// What there is to register, as it is documented.
pub(super) fn catalog() -> Catalog {
    let mut engine = Engine::new_raw();
    let mut api = Api::new(&mut engine);
    add_all(&mut api);
    api.finish()
}

/// Registers what tests can write as rules do: content, templates, times, texts and arrays.
pub(super) fn register_for_tests(api: &mut Api<'_>) {
    content::register(api);
    template::register(api);
    time::register(api);
    text::register(api);
    array::register(api);
    builtin::register(api);
}

/// In the order of the reference.
fn add_all(api: &mut Api<'_>) {
    handlers::register(api);
    top::register(api);
    message::register(api);
    answer::register(api);
    content::register(api);
    template::register(api);
    timer::register(api);
    chat::register(api);
    window::register(api);
    contact::register(api);
    store::register(api);
    location::register(api);
    status::register(api);
    reaction::register(api);
    request::register(api);
    fanout::register(api);
    time::register(api);
    world::register(api);
    text::register(api);
    array::register(api);
    builtin::register(api);
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
    present(context).map_or(Tz::UTC, |present| present.zone)
}

/// The present as a script sees it: the moment of decision, or in a test that of its world.
fn present(context: &NativeCallContext<'_>) -> Fallible<time::Time> {
    let tag = context.tag().and_then(Dynamic::read_lock::<Tag>);
    if let Some(Tag::Test(play)) = tag.as_deref() {
        let (at, zone) = (play.stage().now(), play.stage().zone());
        return Ok(time::Time { at, zone });
    }
    let run = run(context)?;
    let (at, zone) = (run.now, run.zone);
    Ok(time::Time { at, zone })
}

/// The line on which a function was called.
fn line(context: &NativeCallContext<'_>) -> u32 {
    super::explain::place(context.call_position()).0
}

/// Refuses a property that a noun does not have.
fn no_property<T>(noun: &'static str, name: &str) -> Fallible<T> {
    fail(missing_property(noun, name))
}

/// What to say about a property that a noun does not have.
pub(super) fn missing_property(noun: &'static str, name: &str) -> String {
    let is_known = known().nouns().iter().any(|own| own.name == noun);
    let known = || if is_known { known() } else { of_tests() };
    if let Some(usage) = known().usage(name, Some(noun)) {
        return format!("{name} is a function; write {usage}");
    }
    let of = known().shown(noun);
    let properties = known()
        .members(noun)
        .filter(|entry| entry.kind == Kind::Property);
    let names: Vec<&str> = properties.map(|entry| entry.name).collect();
    match nearest(name, names.iter().copied()) {
        Some(near) => format!("{of} has no {name}; did you mean {near}?"),
        None => format!("{of} has no {name}; it has {}", names.join(", ")),
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
        || value.is::<window::WindowView>()
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
    fail(refused_change(of, name))
}

/// What to say about a property that is given a value.
pub(super) fn refused_change(of: &str, name: &str) -> String {
    match (of, name) {
        ("chat", "held") => "write chat.hold(\"12h\") or chat.release()".into(),
        ("chat", "assigned_to") => "write chat.assign(\"Maria\")".into(),
        ("contact", "opted_out") => "write contact.opt_out() or contact.opt_in()".into(),
        ("contact", "tags") => "write contact.tag(\"…\") or contact.untag(\"…\")".into(),
        ("message", _) => format!(
            "message.{name} cannot be changed; write let {name} = message.{name}; and change that"
        ),
        ("chat" | "contact", _) => format!(
            "{of}.{name} cannot be changed; to remember something write chat.state.{name} = …, or chat.contact.attributes.{name} = … for all rules"
        ),
        _ => format!("{of}.{name} cannot be changed"),
    }
}

/// Reads a duration given as text or as a duration.
pub(super) fn span(value: &Dynamic, usage: &str) -> Fallible<Span> {
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
pub(super) fn text(value: &Dynamic, what: &str) -> Fallible<String> {
    let text = convert::to_text(value).or_else(|reason| fail(format!("{what}: {reason}")))?;
    if text.trim().is_empty() {
        return fail(format!("{what} is empty"));
    }
    Ok(text)
}
