//! The world around customers: time, the location, other rules, the provider; and what a test claims.

use rhai::{Array, Dynamic, ImmutableString, Map, NativeCallContext};

use super::customer::Customer;
use super::expect::Difference;
use super::play::play_of;
use super::stage::{Happening, Place};
use super::words;
use crate::script::api::registrar::{Api, Value, api};
use crate::script::api::time::Time;
use crate::script::api::{Fallible, fail, span};
use crate::script::convert;

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "The world of a test",
        "Each test has a world of its own. It begins on Monday, 5 January 2026, at ten in the morning on the location's clocks, and time passes only when the test says so.",
    );
    api! { api;
        /// Lets time pass, and what falls due on the way happen at its own time.
        ///
        /// ```rhai
        /// wait("2d");
        /// ```
        fn "wait(span: text|duration)" => |context: NativeCallContext<'_>, delay: Dynamic| -> Fallible<()> {
            let play = play_of(&context)?;
            let span = span(&delay, "wait(\"2d\")")?;
            play.told(play.stage.wait_until(play.stage.now() + span))
        };

        /// Lets time pass up to a moment on the location's clocks.
        ///
        /// ```rhai
        /// wait_until(time("2026-01-09 17:55"));
        /// ```
        fn "wait_until(moment: time|text)" => |context: NativeCallContext<'_>, at: Dynamic| -> Fallible<()> {
            let at = moment(&context, &at)?;
            let play = play_of(&context)?;
            play.told(play.stage.wait_until(at.at))
        };

        /// Sets the moment at which the world begins; stands before anything has happened.
        ///
        /// ```rhai
        /// start_at("2026-03-27 17:55");
        /// ```
        fn "start_at(moment: time|text)" => |context: NativeCallContext<'_>, at: Dynamic| -> Fallible<()> {
            let at = moment(&context, &at)?;
            let play = play_of(&context)?;
            play.told(play.stage.start_at(at.at))
        };

        /// Changes the location by what stands in the map: `name`, `time_zone`, `language`, `vars`, and the
        /// other settings of a location. The rest stays, and of `vars` what is not named.
        ///
        /// ```rhai
        /// location(#{ time_zone: "America/Sao_Paulo", vars: #{ phone: "+55 11 4002" } });
        /// ```
        fn "location(settings: map)" => |context: NativeCallContext<'_>, settings: Map| -> Fallible<()> {
            let play = play_of(&context)?;
            let changes = convert::map_to_json(&settings).or_else(fail)?;
            play.told(play.stage.change_location(&changes))
        };

        /// Puts another rule beside the one under test; it is asked after it.
        ///
        /// ```rhai
        /// rule("viewing.rhai");
        /// ```
        fn "rule(file: text)" => |context: NativeCallContext<'_>, name: &str| -> Fallible<()> {
            let play = play_of(&context)?;
            play.told(play.stage.add_rule(name, Place::After))
        };

        /// Puts another rule beside the one under test; it is asked before it, and may say `stop()`.
        ///
        /// ```rhai
        /// rule_before("weekly.rhai");
        /// ```
        fn "rule_before(file: text)" => |context: NativeCallContext<'_>, name: &str| -> Fallible<()> {
            let play = play_of(&context)?;
            play.told(play.stage.add_rule(name, Place::Before))
        };

        /// The provider shuts a customer's service window early and does not tell; it refuses the next free
        /// text, and a template goes out instead where the rule names one.
        ///
        /// ```rhai
        /// close_window(customer);
        /// ```
        fn "close_window(customer: customer)" => |customer: Customer| {
            customer.happen(&Happening::WindowCloses)
        };

        /// The provider meets the next message with a failure: by its kind, or by a code of the provider.
        ///
        /// Several queue up. After `"in_doubt"` nobody knows whether the message arrived; it did not.
        ///
        /// ```rhai
        /// fail_next_send("unreachable");
        /// fail_next_send(131047);
        /// ```
        fn "fail_next_send(failure: text|integer)" => |context: NativeCallContext<'_>, failure: Dynamic| -> Fallible<()> {
            let play = play_of(&context)?;
            play.told(play.stage.fail_next_send(&self::failure(&failure)?))
        };

        /// Claims something; the test fails where it is not so.
        ///
        /// ```rhai
        /// assert(customer.tags.contains("lead"));
        /// assert(customer.held, "a person is in charge");
        /// ```
        fn "assert(claim: bool, why?: text)" =>
            |context: NativeCallContext<'_>, claim: bool| assert(&context, claim, "this is not so"),
            |context: NativeCallContext<'_>, claim: bool, why: &str| assert(&context, claim, why);

        /// Claims that two values are the same.
        ///
        /// ```rhai
        /// assert_eq(customer.held_by, "rule");
        /// ```
        fn "assert_eq(value: any, expected: any)" => assert_eq;

        /// Claims that a rule has logged something with this in it.
        ///
        /// ```rhai
        /// logged("a question about prices");
        /// ```
        fn "logged(part: text)" => logged;

        /// What rules have logged, line by line, oldest first.
        ///
        /// ```rhai
        /// assert_eq(logs().len(), 1);
        /// ```
        fn "logs() -> array" => |context: NativeCallContext<'_>| -> Fallible<Array> {
            let play = play_of(&context)?;
            let lines = play.told(play.stage.logged())?;
            Ok(lines.into_iter().map(Dynamic::from).collect())
        };

        /// Claims that a rule has just failed with an error that has this in it. Without it, a rule that
        /// fails fails the test.
        ///
        /// ```rhai
        /// expects_error("has no value");
        /// ```
        fn "expects_error(part: text)" => expects_error;
    }
    api.chapter(
        "What a test prints",
        "It stands in the report, below the test.",
    );
    api! { api;
        /// Writes a line to the report.
        ///
        /// ```rhai
        /// print(customer.tags);
        /// ```
        fn "print(value: any)" =>
            print::<Dynamic>, print::<ImmutableString>, print::<i64>, print::<f64>, print::<bool>,
            print::<char>, print::<()>, print::<Array>, print::<Map>;

        /// Writes values to the report, with spaces between them.
        ///
        /// ```rhai
        /// log("tags:", customer.tags);
        /// ```
        fn "log(value: any, second?: any, third?: any)" =>
            |context: NativeCallContext<'_>, a: Dynamic| log(&context, &[&a]),
            |context: NativeCallContext<'_>, a: Dynamic, b: Dynamic| log(&context, &[&a, &b]),
            |context: NativeCallContext<'_>, a: Dynamic, b: Dynamic, c: Dynamic| log(&context, &[&a, &b, &c]);
    }
}

/// A kind of failure, or a code of the provider.
pub(super) fn failure(value: &Dynamic) -> Fallible<String> {
    convert::to_text(value)
        .or_else(|_| fail("a failure is a word such as \"unreachable\", or a code such as 131047"))
}

/// A moment, as a time or as text.
fn moment(context: &NativeCallContext<'_>, value: &Dynamic) -> Fallible<Time> {
    if let Some(time) = value.read_lock::<Time>() {
        return Ok(*time);
    }
    match value.as_immutable_string_ref() {
        Ok(text) => crate::script::api::time::read(context, &text),
        Err(_) => fail(format!(
            "a time is needed, not {}; write time(\"2026-12-24 18:00\")",
            convert::describe(value)
        )),
    }
}

fn assert(context: &NativeCallContext<'_>, claim: bool, why: &str) -> Fallible<()> {
    if claim {
        return Ok(());
    }
    play_of(context)?.fail_plainly(why.to_owned())
}

fn assert_eq(context: NativeCallContext<'_>, value: Dynamic, expected: Dynamic) -> Fallible<()> {
    let (shown, wanted) = (convert::show(&value), convert::show(&expected));
    if shown == wanted && value.type_name() == expected.type_name() {
        return Ok(());
    }
    let (expected, received) = words::mark(&wanted, &shown);
    let difference = Difference { expected, received };
    play_of(&context)?.fail("these two are not the same".to_owned(), difference)
}

fn logged(context: NativeCallContext<'_>, part: &str) -> Fallible<()> {
    let play = play_of(&context)?;
    let lines = play.told(play.stage.logged())?;
    if lines.iter().any(|line| line.contains(part)) {
        return Ok(());
    }
    let received = if lines.is_empty() {
        "nothing".to_owned()
    } else {
        lines.join("\n")
    };
    play.fail(
        "no rule has logged this".to_owned(),
        Difference {
            expected: part.to_owned(),
            received,
        },
    )
}

fn expects_error(context: NativeCallContext<'_>, part: &str) -> Fallible<()> {
    let play = play_of(&context)?;
    match play.next_error()? {
        None => fail("no rule has failed"),
        Some(error) if error.message.contains(part) => Ok(()),
        Some(error) => {
            let (expected, received) = words::mark(part, &error.message);
            play.fail(
                format!("{} failed otherwise", error.rule),
                Difference { expected, received },
            )
        }
    }
}

fn print<T: Value>(context: NativeCallContext<'_>, value: T) -> Fallible<()> {
    log(&context, &[&Dynamic::from(value)])
}

fn log(context: &NativeCallContext<'_>, values: &[&Dynamic]) -> Fallible<()> {
    let texts: Vec<String> = values.iter().map(|value| convert::show(value)).collect();
    play_of(context)?.print(&texts.join(" "));
    Ok(())
}
