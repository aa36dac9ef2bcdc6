//! Times in the location's zone, and durations.

use std::fmt;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Datelike, NaiveDateTime, NaiveTime, TimeZone, Timelike};
use chrono_tz::Tz;
use rhai::{Dynamic, Engine, NativeCallContext};

use super::{Fallible, Usage, fail, no_property, no_setter, span, zone};
use crate::domain::time::{Span, Timestamp};
use crate::script::limits::TIME_FORMAT_BYTES;

/// A moment on the location's clocks, as scripts see it.
#[derive(Clone, Copy)]
pub(in crate::script) struct Time {
    pub(in crate::script) at: Timestamp,
    pub(in crate::script) zone: Tz,
}

/// A length of time, as scripts see it.
#[derive(Clone, Copy)]
pub(in crate::script) struct Length(pub(in crate::script) Span);

impl Time {
    fn local(self) -> DateTime<Tz> {
        self.at.to_utc().with_timezone(&self.zone)
    }
}

/// Writes the time as a trace shows it.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.local().format("%Y-%m-%d %H:%M:%S"))
    }
}

pub(super) const USAGE: Usage = &[
    ("now", "now()"),
    ("time", "time(\"2026-12-24 18:00\")"),
    ("duration", "duration(\"1h30m\")"),
    ("format", "time.format(\"%A %H:%M\")"),
];

const PROPERTIES: [&str; 8] = [
    "year", "month", "day", "hour", "minute", "second", "weekday", "date",
];
const LENGTHS: [&str; 4] = ["days", "hours", "minutes", "seconds"];

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Time>("time")
        .register_type_with_name::<Length>("duration")
        .register_fn("now", now)
        .register_fn("time", time)
        .register_fn("duration", duration)
        .register_fn("duration", |length: Length| length)
        .register_fn("format", format_time)
        .register_fn("at", at_clock)
        .register_fn("to_string", |time: &mut Time| time.to_string())
        .register_fn("to_debug", |time: &mut Time| time.to_string())
        .register_fn("to_string", |length: &mut Length| length.0.to_string())
        .register_fn("to_debug", |length: &mut Length| length.0.to_string())
        .register_get("year", |time: &mut Time| i64::from(time.local().year()))
        .register_get("month", |time: &mut Time| i64::from(time.local().month()))
        .register_get("day", |time: &mut Time| i64::from(time.local().day()))
        .register_get("hour", |time: &mut Time| i64::from(time.local().hour()))
        .register_get("minute", |time: &mut Time| i64::from(time.local().minute()))
        .register_get("second", |time: &mut Time| i64::from(time.local().second()))
        .register_get("weekday", |time: &mut Time| {
            time.local().format("%A").to_string()
        })
        .register_get("date", |time: &mut Time| {
            time.local().format("%Y-%m-%d").to_string()
        })
        .register_indexer_get(|_: &mut Time, name: &str| {
            no_property::<Dynamic>("a time", name, &PROPERTIES)
        })
        .register_indexer_set(
            |context: NativeCallContext<'_>, own: &mut Time, name: &str, value: Dynamic| {
                no_setter(&context, "a time", Dynamic::from(*own), name, &value)
            },
        )
        .register_get("days", |length: &mut Length| {
            length.0.ms() / Span::days(1).ms()
        })
        .register_get("hours", |length: &mut Length| {
            length.0.ms() / Span::hours(1).ms()
        })
        .register_get("minutes", |length: &mut Length| {
            length.0.ms() / Span::minutes(1).ms()
        })
        .register_get("seconds", |length: &mut Length| {
            length.0.ms() / Span::seconds(1).ms()
        })
        .register_indexer_get(|_: &mut Length, name: &str| {
            no_property::<Dynamic>("a duration", name, &LENGTHS)
        });
    register_arithmetic(engine);
    register_comparison(engine);
}

/// The moment of decision on the location's clocks; the same throughout a run and its repetitions.
///
/// ```rhai
/// if now().hour < 8 { … }
/// ```
fn now(context: NativeCallContext<'_>) -> Fallible<Time> {
    super::world::present(&context)
}

/// A time on the location's clocks, written as date or date and time.
///
/// ```rhai
/// if now() > time("2026-12-24 18:00") { … }
/// ```
fn time(context: NativeCallContext<'_>, text: &str) -> Fallible<Time> {
    let text = text.trim().replace('T', " ");
    let day_only = format!("{text} 00:00");
    let read = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .flat_map(|form| [(text.as_str(), form), (day_only.as_str(), form)])
        .find_map(|(text, form)| NaiveDateTime::parse_from_str(text, form).ok());
    // A constant is computed where no location is known yet.
    super::run(&context)?;
    match read {
        Some(local) => moment(local, zone(&context)),
        None => fail("a time is written as in time(\"2026-12-24 18:00\") or time(\"2026-12-24\")"),
    }
}

/// A length of time: weeks, days, hours, minutes, seconds as in `1w`, `2d`, `1h30m`, `45s`.
///
/// ```rhai
/// if now() - chat.last_message_at > duration("2d") { … }
/// ```
fn duration(text: &str) -> Fallible<Length> {
    span(&text.into(), "duration(\"2d\")").map(Length)
}

/// The time as text, by the codes of strftime: `%A` weekday, `%d.%m.%Y` date, `%H:%M` clock.
///
/// ```rhai
/// chat.reply(`We open ${opens.format("%A %H:%M")}.`);
/// ```
fn format_time(time: &mut Time, format: &str) -> Fallible<String> {
    if format.len() > TIME_FORMAT_BYTES {
        return fail(format!(
            "this format is too long: {TIME_FORMAT_BYTES} bytes at most"
        ));
    }
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    if items.contains(&Item::Error) {
        return fail(format!(
            "the format '{format}' is not understood; write for example \"%A %H:%M\" or \"%d.%m.%Y\""
        ));
    }
    Ok(time.local().format_with_items(items.iter()).to_string())
}

/// The same day at another time of the clock.
///
/// ```rhai
/// chat.at((now() + "1d").at("09:00"), "remind");
/// ```
fn at_clock(time: &mut Time, clock: &str) -> Fallible<Time> {
    match NaiveTime::parse_from_str(clock, "%H:%M") {
        Ok(clock) => moment(time.local().date_naive().and_time(clock), time.zone),
        Err(_) => fail("the time of day is written as in now().at(\"09:00\")"),
    }
}

/// When the location's clocks show a time: the first of two, or the first moment after a gap.
fn moment(local: NaiveDateTime, zone: Tz) -> Fallible<Time> {
    const LONGEST_GAP_MINUTES: i64 = 24 * 60;
    let found = (0..=LONGEST_GAP_MINUTES).step_by(15).find_map(|minutes| {
        zone.from_local_datetime(&(local + chrono::Duration::minutes(minutes)))
            .earliest()
    });
    match found {
        Some(at) => Ok(Time {
            at: at.to_utc().into(),
            zone,
        }),
        None => fail("there is no such time on the location's clocks"),
    }
}

fn register_arithmetic(engine: &mut Engine) {
    const USAGE: &str = "now() + \"2d\"";
    engine
        .register_fn("+", |time: Time, length: Length| shift(time, length.0))
        .register_fn("+", |length: Length, time: Time| shift(time, length.0))
        .register_fn("-", |time: Time, length: Length| {
            shift(time, negative(length.0))
        })
        .register_fn("-", |time: Time, other: Time| {
            Length(time.at.since(other.at))
        })
        .register_fn("+", |time: Time, text: &str| -> Fallible<Time> {
            Ok(shift(time, span(&text.into(), USAGE)?))
        })
        .register_fn("-", |time: Time, text: &str| -> Fallible<Time> {
            Ok(shift(time, negative(span(&text.into(), USAGE)?)))
        })
        .register_fn("+", |one: Length, other: Length| sum(one.0, other.0))
        .register_fn("-", |one: Length, other: Length| {
            sum(one.0, negative(other.0))
        })
        .register_fn("+", |one: Length, text: &str| -> Fallible<Length> {
            Ok(sum(one.0, span(&text.into(), USAGE)?))
        })
        .register_fn("-", |one: Length, text: &str| -> Fallible<Length> {
            Ok(sum(one.0, negative(span(&text.into(), USAGE)?)))
        })
        .register_fn("*", |length: Length, times: i64| {
            Length(Span::from_ms(length.0.ms().saturating_mul(times)))
        })
        .register_fn("*", |times: i64, length: Length| {
            Length(Span::from_ms(length.0.ms().saturating_mul(times)))
        })
        .register_fn("-", |length: Length| Length(negative(length.0)));
}

fn shift(time: Time, span: Span) -> Time {
    Time {
        at: time.at + span,
        zone: time.zone,
    }
}

const fn negative(span: Span) -> Span {
    Span::from_ms(span.ms().saturating_neg())
}

const fn sum(one: Span, other: Span) -> Length {
    Length(Span::from_ms(one.ms().saturating_add(other.ms())))
}

fn register_comparison(engine: &mut Engine) {
    macro_rules! compare {
        ($($sign:literal $operator:tt),*) => {$(
            engine
                .register_fn($sign, |one: Time, other: Time| one.at $operator other.at)
                .register_fn($sign, |one: Length, other: Length| one.0 $operator other.0)
                .register_fn($sign, |one: Length, text: &str| -> Fallible<bool> {
                    Ok(one.0 $operator span(&text.into(), "chat.window.left < \"1h\"")?)
                })
                .register_fn($sign, |_: Time, _: &str| no_comparison())
                .register_fn($sign, |_: Time, _: Length| no_comparison())
                .register_fn($sign, |text: &str, other: Length| -> Fallible<bool> {
                    Ok(span(&text.into(), "\"1h\" > chat.window.left")? $operator other.0)
                });
        )*};
    }
    compare!("==" ==, "!=" !=, "<" <, "<=" <=, ">" >, ">=" >=);
}

/// Rhai would call any comparison between different types false, without a word.
fn no_comparison() -> Fallible<bool> {
    fail(
        "a time compares with a time only; write for example now() - chat.last_message_at > \"2d\"",
    )
}
