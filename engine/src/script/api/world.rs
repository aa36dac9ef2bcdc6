//! What belongs to no noun: logging, chance, ending a run, and the top level's own two functions.

use std::sync::{Mutex, PoisonError};

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext, Position,
};

use super::time::Time;
use super::{Fallible, Usage, fail, line, run};
use crate::script::convert;
use crate::script::run::{Scheduled, Tag, Top};

pub(super) const USAGE: Usage = &[
    ("every", "every(\"0 9 * * MON-FRI\", \"morning_round\")"),
    ("even_when_held", "even_when_held()"),
    ("stop", "stop()"),
    ("log", "log(\"price:\", price)"),
    ("print", "print(\"price: \" + price)"),
    ("random", "random(), or random(1, 6)"),
];

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("every", every)
        .register_fn("even_when_held", even_when_held)
        .register_fn("stop", stop)
        .register_fn("random", random)
        .register_fn("random", random_between);
    register_log(engine);
    for name in ["sleep", "exit", "timestamp"] {
        let refuse = move |_: Dynamic| -> Fallible<()> { not_here(name) };
        engine.register_fn(name, refuse);
        engine.register_fn(name, move || -> Fallible<()> { not_here(name) });
    }
    engine.register_fn("sleep", |_: i64| -> Fallible<()> { not_here("sleep") });
    engine.register_fn("sleep", |_: f64| -> Fallible<()> { not_here("sleep") });
    engine.register_fn("parse_json", parse_json);
    engine.register_fn("to_json", |map: &mut Map| {
        to_json(&Dynamic::from_map(map.clone()))
    });
}

fn not_here(name: &str) -> Fallible<()> {
    fail(match name {
        "sleep" => "a script never waits; write chat.after(\"10m\", \"handler\")",
        "exit" => "write return; to leave a function, stop() to end the run and skip later rules",
        _ => "write now() for the present",
    })
}

/// Calls a function by a cron line: minute, hour, day, month, weekday, in the location's zone.
///
/// Each time is met exactly once, also when clocks change. Stands at the top of a script only.
///
/// ```rhai
/// every("0 9 * * MON-FRI", "morning_round");
/// ```
fn every(context: NativeCallContext<'_>, cron: &str, handler: &str) -> Fallible<()> {
    let (line, column) = crate::script::explain::place(context.call_position());
    at_top(&context, |top| {
        top.schedules.push(Scheduled {
            cron: cron.to_owned(),
            handler: handler.to_owned(),
            line,
            column,
        });
    })
}

/// Lets the script's handlers run while a person holds the chat. Stands at the top of a script only.
///
/// ```rhai
/// even_when_held();
/// ```
fn even_when_held(context: NativeCallContext<'_>) -> Fallible<()> {
    at_top(&context, |top| top.even_when_held = true)
}

fn at_top(context: &NativeCallContext<'_>, note: impl FnOnce(&mut Top)) -> Fallible<()> {
    let tag = context.tag().and_then(Dynamic::read_lock::<Tag>);
    let Some(Tag::Top(top)) = tag.as_deref() else {
        return fail(format!(
            "{} stands at the top of the script, outside of functions",
            context.fn_name()
        ));
    };
    let top: &Mutex<Top> = top;
    note(&mut top.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(())
}

/// Ends the run here and keeps what it has asked for; no later rule sees the event.
///
/// ```rhai
/// chat.reply("We are closed."); stop();
/// ```
fn stop(context: NativeCallContext<'_>) -> Fallible<()> {
    run(&context)?.recorded().stopped = true;
    // Of Rhai's errors this one cannot be caught by the script.
    Err(Box::new(EvalAltResult::ErrorTerminated(
        Dynamic::UNIT,
        Position::NONE,
    )))
}

/// A number from 0 up to but not including 1; the same one whenever this event is decided again.
///
/// ```rhai
/// if random() < 0.1 { chat.contact.tag("survey"); }
/// ```
#[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
fn random(context: NativeCallContext<'_>) -> Fallible<f64> {
    let bits = run(&context)?.random() >> 11;
    Ok(bits as f64 / (1_u64 << 53) as f64)
}

/// A whole number from `min` to `max`, both included; the same one whenever this event is decided again.
///
/// ```rhai
/// let die = random(1, 6);
/// ```
fn random_between(context: NativeCallContext<'_>, min: i64, max: i64) -> Fallible<i64> {
    let Some(count) = max.checked_sub(min).filter(|count| *count >= 0) else {
        return fail("random(min, max) needs the smaller number first");
    };
    let drawn = u128::from(run(&context)?.random()) * (u128::from(count.unsigned_abs()) + 1);
    Ok(min + i64::try_from(drawn >> 64).unwrap_or(0))
}

/// Writes a line to the trace of the run, which the tenant sees; several values are joined by spaces.
///
/// ```rhai
/// log("asked for", message.text);
/// ```
fn log(context: &NativeCallContext<'_>, values: &[&Dynamic]) -> Fallible<()> {
    let texts: Vec<String> = values.iter().map(|value| convert::show(value)).collect();
    run(context)?.log(&texts.join(" "), line(context));
    Ok(())
}

fn register_log(engine: &mut Engine) {
    engine.register_fn("log", |c: NativeCallContext<'_>, a: Dynamic| log(&c, &[&a]));
    engine.register_fn("log", |c: NativeCallContext<'_>, a: Dynamic, b: Dynamic| {
        log(&c, &[&a, &b])
    });
    engine.register_fn(
        "log",
        |c: NativeCallContext<'_>, a: Dynamic, b: Dynamic, d: Dynamic| log(&c, &[&a, &b, &d]),
    );
    engine.register_fn(
        "log",
        |c: NativeCallContext<'_>, a: Dynamic, b: Dynamic, d: Dynamic, e: Dynamic| {
            log(&c, &[&a, &b, &d, &e])
        },
    );
    // Rhai has `print` and `debug` for every type of its own, which would win over one for any value.
    macro_rules! print_for {
        ($($kind:ty),*) => {$(
            for name in ["print", "debug"] {
                engine.register_fn(name, |context: NativeCallContext<'_>, value: $kind| {
                    log(&context, &[&Dynamic::from(value)]).map(|()| ImmutableString::new())
                });
            }
        )*};
    }
    print_for!(
        Dynamic,
        ImmutableString,
        i64,
        f64,
        bool,
        char,
        (),
        Array,
        Map
    );
    engine.on_print(|_| {});
    engine.on_debug(|_, _, _| {});
}

/// Reads JSON.
///
/// ```rhai
/// let order = parse_json(message.text);
/// ```
fn parse_json(context: NativeCallContext<'_>, text: &str) -> Fallible<Dynamic> {
    // serde_json itself refuses what is nested deeper than 128 levels.
    let value: serde_json::Value =
        serde_json::from_str(text).or_else(|error| fail(format!("this is not JSON: {error}")))?;
    let value = convert::from_json(&value, super::zone(&context));
    convert::check_size(&value).or_else(fail)?;
    Ok(value)
}

/// Writes a value as JSON.
///
/// ```rhai
/// log(#{ a: 1 }.to_json());
/// ```
fn to_json(value: &Dynamic) -> Fallible<String> {
    let json = convert::to_json(value).or_else(fail)?;
    Ok(json.to_string())
}

/// The present, as a script sees it: the moment of decision.
pub(super) fn present(context: &NativeCallContext<'_>) -> Fallible<Time> {
    let run = run(context)?;
    Ok(Time {
        at: run.now,
        zone: run.zone,
    })
}
