//! Times in the location's zone, and durations.

use std::fmt;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Datelike, NaiveDateTime, NaiveTime, TimeZone, Timelike};
use chrono_tz::Tz;
use rhai::{Engine, NativeCallContext};

use super::{Api, Fallible, api, fail, span};
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

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Times",
        "Times stand on the location's clocks. A time plus or minus a duration is a time, `now() + \"2d\"`; a time minus a time is a duration. A time compares with a time only.",
    );
    api.noun::<Time>("time", "a time");
    api! { api;
        /// The moment of decision; the same throughout a run and its repetitions.
        ///
        /// ```rhai
        /// if now().hour < 8 { chat.reply("Good morning! We open at eight."); }
        /// ```
        fn "now() -> time" => now;

        /// A moment on the location's clocks, written as date or date and time.
        ///
        /// ```rhai
        /// if now() > time("2026-12-24 18:00") { chat.reply("Merry Christmas!"); }
        /// ```
        fn "time(written: text) -> time" => time;

        /// The time as text, by the codes of strftime: `%A` weekday, `%d.%m.%Y` date, `%H:%M` clock.
        ///
        /// ```rhai
        /// chat.reply(`It is ${now().format("%A %H:%M")}.`);
        /// ```
        fn "time.format(format: text) -> text" => format_time;

        /// The same day at another time of the clock.
        ///
        /// Where clocks skip that time it is the first moment after; where it comes twice, the first.
        ///
        /// ```rhai
        /// chat.at((now() + "1d").at("09:00"), "remind");
        /// ```
        fn "time.at(clock: text) -> time" => at_clock;

        /// The day as text, as in `"2026-11-30"`.
        ///
        /// ```rhai
        /// if chat.state.greeted_on != now().date { chat.state.greeted_on = now().date; }
        /// ```
        get "time.date: text" => |time: &mut Time| time.local().format("%Y-%m-%d").to_string();

        /// The weekday in English, as in `"Monday"`.
        ///
        /// ```rhai
        /// if now().weekday == "Sunday" { chat.reply("We rest on Sundays."); }
        /// ```
        get "time.weekday: text" => |time: &mut Time| time.local().format("%A").to_string();

        /// The year, as in 2026.
        ///
        /// ```rhai
        /// log(now().year);
        /// ```
        get "time.year: integer" => |time: &mut Time| i64::from(time.local().year());

        /// The month, 1 to 12.
        ///
        /// ```rhai
        /// if now().month == 12 { log("December"); }
        /// ```
        get "time.month: integer" => |time: &mut Time| i64::from(time.local().month());

        /// The day of the month, 1 to 31.
        ///
        /// ```rhai
        /// log(now().day);
        /// ```
        get "time.day: integer" => |time: &mut Time| i64::from(time.local().day());

        /// The hour, 0 to 23.
        ///
        /// ```rhai
        /// if now().hour >= 18 { chat.reply("Good evening!"); }
        /// ```
        get "time.hour: integer" => |time: &mut Time| i64::from(time.local().hour());

        /// The minute, 0 to 59.
        ///
        /// ```rhai
        /// log(now().minute);
        /// ```
        get "time.minute: integer" => |time: &mut Time| i64::from(time.local().minute());

        /// The second, 0 to 59.
        ///
        /// ```rhai
        /// log(now().second);
        /// ```
        get "time.second: integer" => |time: &mut Time| i64::from(time.local().second());
    }
    register_duration(api);
    let language = api.mechanics();
    language
        .register_fn("duration", |length: Length| length)
        .register_fn("to_string", |time: &mut Time| time.to_string())
        .register_fn("to_debug", |time: &mut Time| time.to_string())
        .register_fn("to_string", |length: &mut Length| length.0.to_string())
        .register_fn("to_debug", |length: &mut Length| length.0.to_string());
    register_arithmetic(language);
    register_comparison(language);
}

fn register_duration(api: &mut Api<'_>) {
    api.chapter(
        "Durations",
        "Wherever a duration is needed, a text will do: `\"45s\"`, `\"90m\"`, `\"1h30m\"`, `\"2d\"`, `\"1w\"`; ten years at most. \
         Between two durations write `duration(\"2d\")`, since two texts would be joined: `duration(\"1d\") * 2`. A duration compares with a duration or its text.",
    );
    api.noun::<Length>("duration", "a duration");
    api! { api;
        /// A length of time: weeks, days, hours, minutes, seconds as in `"1w"`, `"2d"`, `"1h30m"`, `"45s"`.
        ///
        /// ```rhai
        /// let closing = now() + duration("1h") * 3;
        /// ```
        fn "duration(written: text) -> duration" => duration;

        /// How many whole days it has.
        ///
        /// ```rhai
        /// log((time("2026-12-24") - now()).days);
        /// ```
        get "duration.days: integer" => |length: &mut Length| length.0.ms() / Span::days(1).ms();

        /// How many whole hours it has, all of it in hours.
        ///
        /// ```rhai
        /// log(duration("2d").hours);
        /// ```
        get "duration.hours: integer" => |length: &mut Length| length.0.ms() / Span::hours(1).ms();

        /// How many whole minutes it has, all of it in minutes.
        ///
        /// ```rhai
        /// chat.reply(`We can write freely for ${chat.window.left.minutes} minutes.`);
        /// ```
        get "duration.minutes: integer" => |length: &mut Length| length.0.ms() / Span::minutes(1).ms();

        /// How many whole seconds it has, all of it in seconds.
        ///
        /// ```rhai
        /// log(duration("1h").seconds);
        /// ```
        get "duration.seconds: integer" => |length: &mut Length| length.0.ms() / Span::seconds(1).ms();
    }
}

fn now(context: NativeCallContext<'_>) -> Fallible<Time> {
    super::present(&context)
}

fn time(context: NativeCallContext<'_>, text: &str) -> Fallible<Time> {
    read(&context, text)
}

/// A moment on the location's clocks as it is written.
pub(in crate::script) fn read(context: &NativeCallContext<'_>, text: &str) -> Fallible<Time> {
    // A constant is computed where no location is known yet.
    let zone = super::present(context)?.zone;
    moment(read_time(text).or_else(fail)?, zone)
}

/// A time as written, on clocks that are not known yet.
pub(in crate::script) fn read_time(text: &str) -> Result<NaiveDateTime, &'static str> {
    let text = text.trim().replace('T', " ");
    let day_only = format!("{text} 00:00");
    let read = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .flat_map(|form| [(text.as_str(), form), (day_only.as_str(), form)])
        .find_map(|(text, form)| NaiveDateTime::parse_from_str(text, form).ok());
    read.ok_or("a time is written as in time(\"2026-12-24 18:00\") or time(\"2026-12-24\")")
}

fn duration(text: &str) -> Fallible<Length> {
    span(&text.into(), "duration(\"2d\")").map(Length)
}

fn format_time(time: &mut Time, format: &str) -> Fallible<String> {
    let items = read_format(format).or_else(fail)?;
    Ok(time.local().format_with_items(items.iter()).to_string())
}

/// A format as written, understood.
pub(in crate::script) fn read_format(format: &str) -> Result<Vec<Item<'_>>, String> {
    if format.len() > TIME_FORMAT_BYTES {
        return Err(format!(
            "this format is too long: {TIME_FORMAT_BYTES} bytes at most"
        ));
    }
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    if items.contains(&Item::Error) {
        return Err(format!(
            "the format '{format}' is not understood; write for example \"%A %H:%M\" or \"%d.%m.%Y\""
        ));
    }
    Ok(items)
}

fn at_clock(time: &mut Time, clock: &str) -> Fallible<Time> {
    let clock = read_clock(clock).or_else(fail)?;
    moment(time.local().date_naive().and_time(clock), time.zone)
}

/// A time of day as written.
pub(in crate::script) fn read_clock(clock: &str) -> Result<NaiveTime, &'static str> {
    NaiveTime::parse_from_str(clock, "%H:%M")
        .map_err(|_| "the time of day is written as in now().at(\"09:00\")")
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
