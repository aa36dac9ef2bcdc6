//! What belongs to no noun: logging, chance, JSON, ending a run; and what a script must do without.
//! Knows no chat.

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext, Position,
};

use super::registrar::Value;
use super::{Api, Fallible, api, fail, line, run};
use crate::script::convert;

/// What scripts of other kinds may call, and what to write here instead.
const REFUSED: [(&str, &str); 3] = [
    (
        "sleep",
        "a script never waits; write chat.after(\"10m\", \"handler\")",
    ),
    (
        "exit",
        "write return; to leave a function, stop() to end the run and skip later rules",
    ),
    ("timestamp", "write now() for the present"),
];

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter("Other functions", "They belong to nothing in particular. Your installation may have added functions of its own.");
    api! { api;
        /// Ends the run, keeps what it has asked for, and no later rule sees the event.
        ///
        /// `return` only leaves the function.
        ///
        /// ```rhai
        /// chat.reply("We are closed.");
        /// stop();
        /// ```
        fn "stop()" => stop;

        /// Writes a line to the trace of the run, which you see; several values are joined by spaces.
        ///
        /// A run keeps 100 lines of 1,000 letters.
        ///
        /// ```rhai
        /// log("asked for", message.text);
        /// ```
        fn "log(value: any, second?: any, third?: any, fourth?: any)" =>
            // Rhai's logarithms of numbers with a point would win over these for any value.
            |c: NativeCallContext<'_>, a: f64| log(&c, &[&a.into()]),
            |c: NativeCallContext<'_>, a: f64, b: f64| log(&c, &[&a.into(), &b.into()]),
            |c: NativeCallContext<'_>, a: Dynamic| log(&c, &[&a]),
            |c: NativeCallContext<'_>, a: Dynamic, b: Dynamic| log(&c, &[&a, &b]),
            |c: NativeCallContext<'_>, a: Dynamic, b: Dynamic, d: Dynamic| log(&c, &[&a, &b, &d]),
            |c: NativeCallContext<'_>, a: Dynamic, b: Dynamic, d: Dynamic, e: Dynamic| log(&c, &[&a, &b, &d, &e]);

        /// Writes a line to the trace of the run, as `log` does.
        ///
        /// ```rhai
        /// print("asked for " + message.text);
        /// ```
        fn "print(value: any)" =>
            // Rhai has one for every type of its own, which would win over one for any value.
            print::<Dynamic>, print::<ImmutableString>, print::<i64>, print::<f64>, print::<bool>,
            print::<char>, print::<()>, print::<Array>, print::<Map>;

        /// A number from 0 up to but not including 1.
        ///
        /// It is the same one whenever this event is decided again.
        ///
        /// ```rhai
        /// if random() < 0.1 { chat.contact.tag("survey"); }
        /// ```
        fn "random() -> number" => random;

        /// A whole number between two, both included.
        ///
        /// It is the same one whenever this event is decided again.
        ///
        /// ```rhai
        /// let die = random(1, 6);
        /// ```
        fn "random(min: integer, max: integer) -> integer" => random_between;

        /// Reads JSON; an error if the text is none.
        ///
        /// ```rhai
        /// let order = parse_json(`{"id": 7}`);
        /// ```
        fn "parse_json(text: text) -> any" => parse_json;

        /// Writes a map as JSON.
        ///
        /// ```rhai
        /// log(#{ id: 7 }.to_json());
        /// ```
        fn "map.to_json() -> text" => |map: &mut Map| to_json(&Dynamic::from_map(map.clone()));
    }
    register_refusals(api.mechanics());
}

/// What to write instead of something that scripts of other kinds may call.
pub(in crate::script) fn refused(name: &str) -> Option<&'static str> {
    let found = REFUSED.iter().find(|(refused, _)| *refused == name);
    found.map(|(_, instead)| *instead)
}

fn register_refusals(engine: &mut Engine) {
    for (name, instead) in REFUSED {
        engine
            .register_fn(name, move || -> Fallible<()> { fail(instead) })
            .register_fn(name, move |_: Dynamic| -> Fallible<()> { fail(instead) })
            // Rhai's own for these types would win.
            .register_fn(name, move |_: i64| -> Fallible<()> { fail(instead) })
            .register_fn(name, move |_: f64| -> Fallible<()> { fail(instead) });
    }
    engine
        .register_fn("debug", print::<Dynamic>)
        .register_fn("debug", print::<ImmutableString>)
        .register_fn("debug", print::<i64>)
        .register_fn("debug", print::<f64>)
        .register_fn("debug", print::<bool>)
        .register_fn("debug", print::<char>)
        .register_fn("debug", print::<()>)
        .register_fn("debug", print::<Array>)
        .register_fn("debug", print::<Map>)
        .on_print(|_| {})
        .on_debug(|_, _, _| {});
}

fn stop(context: NativeCallContext<'_>) -> Fallible<()> {
    run(&context)?.recorded().stopped = true;
    // Of Rhai's errors this one cannot be caught by the script.
    Err(Box::new(EvalAltResult::ErrorTerminated(
        Dynamic::UNIT,
        Position::NONE,
    )))
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
fn random(context: NativeCallContext<'_>) -> Fallible<f64> {
    let bits = run(&context)?.random() >> 11;
    Ok(bits as f64 / (1_u64 << 53) as f64)
}

fn random_between(context: NativeCallContext<'_>, min: i64, max: i64) -> Fallible<i64> {
    let Some(count) = max.checked_sub(min).filter(|count| *count >= 0) else {
        return fail("random(min, max) needs the smaller number first");
    };
    let drawn = u128::from(run(&context)?.random()) * (u128::from(count.unsigned_abs()) + 1);
    Ok(min + i64::try_from(drawn >> 64).unwrap_or(0))
}

fn log(context: &NativeCallContext<'_>, values: &[&Dynamic]) -> Fallible<()> {
    let texts: Vec<String> = values.iter().map(|value| convert::show(value)).collect();
    run(context)?.log(&texts.join(" "), line(context));
    Ok(())
}

fn print<T: Value>(context: NativeCallContext<'_>, value: T) -> Fallible<ImmutableString> {
    log(&context, &[&Dynamic::from(value)])?;
    Ok(ImmutableString::new())
}

fn parse_json(context: NativeCallContext<'_>, text: &str) -> Fallible<Dynamic> {
    // serde_json itself refuses what is nested deeper than 128 levels.
    let value: serde_json::Value =
        serde_json::from_str(text).or_else(|error| fail(format!("this is not JSON: {error}")))?;
    let value = convert::from_json(&value, super::zone(&context));
    convert::check_size(&value).or_else(fail)?;
    Ok(value)
}

fn to_json(value: &Dynamic) -> Fallible<String> {
    let json = convert::to_json(value).or_else(fail)?;
    Ok(json.to_string())
}
