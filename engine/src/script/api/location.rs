//! The location: its name, when it is open, and the constants that its admin has set.

use std::sync::Arc;

use rhai::{Dynamic, Map};

use super::time::Time;
use super::{Api, api};
use crate::domain::time::Timestamp;
use crate::script::convert;
use crate::script::run::Run;

/// The location, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct LocationView(pub(in crate::script) Arc<Run>);

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "The location",
        "The business: `chat.location` where there is a chat, and the parameter of a schedule's function.",
    );
    api.noun::<LocationView>("location", "location");
    api! { api;
        /// What the business is called.
        ///
        /// ```rhai
        /// chat.reply(`Welcome to ${chat.location.name}.`);
        /// ```
        get "location.name: text" => |location: &mut LocationView| location.0.location.name.clone();

        /// The constants that the location's admin has set; what is not set is `()`.
        ///
        /// ```rhai
        /// chat.reply(`Call us at ${chat.location.vars.phone}.`);
        /// ```
        get "location.vars: map" => vars;

        /// Where its clocks are, as in `"Europe/Berlin"`.
        ///
        /// ```rhai
        /// log(chat.location.time_zone);
        /// ```
        get "location.time_zone: text" => |location: &mut LocationView| location.0.zone.name();

        /// Whether it is open, now or at a time.
        ///
        /// The location's admin sets the opening hours and the holidays; where none are set it is always
        /// open. A shift over midnight belongs to the day on which it begins.
        ///
        /// ```rhai
        /// if !chat.location.is_open() { chat.reply("We are closed."); }
        /// if chat.location.is_open(now() + "2h") { chat.after("2h", "nudge"); }
        /// ```
        fn "location.is_open(time?: time) -> bool" =>
            |location: &mut LocationView| is_open(location, location.0.now),
            |location: &mut LocationView, time: Time| is_open(location, time.at);

        /// The next moment at which it opens, after now or after a time; `()` if there is none within 400 days.
        ///
        /// While it is open that is the opening after this one.
        ///
        /// ```rhai
        /// let opens = chat.location.opens_at();
        /// if opens != () { chat.reply(`We open ${opens.format("%A %H:%M")}.`); }
        /// let after_tomorrow = chat.location.opens_at(now() + "1d");
        /// ```
        fn "location.opens_at(after?: time) -> time?" =>
            |location: &mut LocationView| opens_at(location, location.0.now),
            |location: &mut LocationView, after: Time| opens_at(location, after.at);

        /// When the present opening ends, or the next one if it is closed; `()` if that is not within 400 days.
        ///
        /// A time as value asks as of then. Shifts that touch, also at midnight, are one opening.
        ///
        /// ```rhai
        /// let closes = chat.location.closes_at();
        /// if closes != () && closes - now() < "30m" { log("we close soon"); }
        /// let closes_tomorrow = chat.location.closes_at(now() + "1d");
        /// ```
        fn "location.closes_at(after?: time) -> time?" =>
            |location: &mut LocationView| closes_at(location, location.0.now),
            |location: &mut LocationView, after: Time| closes_at(location, after.at);

        /// The name of today's holiday, `""` if it has none; `()` on other days.
        ///
        /// ```rhai
        /// if chat.location.holiday != () { chat.reply(`Today is ${chat.location.holiday}.`); }
        /// ```
        get "location.holiday: text?" => holiday;

        /// In a schedule's function: the time of the schedule, also if it came late; else `()`.
        ///
        /// ```rhai
        /// every("0 9 * * MON", "new_week");
        ///
        /// fn new_week(location) { log(location.due.format("%A %H:%M")); }
        /// ```
        get "location.due: time?" => due;
    }
}

fn vars(location: &mut LocationView) -> Map {
    convert::map_from_json(&location.0.location.vars, location.0.zone)
}

fn is_open(location: &LocationView, at: Timestamp) -> bool {
    location.0.location.calendar.is_open(at)
}

fn opens_at(location: &LocationView, after: Timestamp) -> Dynamic {
    time(location, location.0.location.calendar.opens_at(after))
}

fn closes_at(location: &LocationView, after: Timestamp) -> Dynamic {
    time(location, location.0.location.calendar.closes_at(after))
}

fn holiday(location: &mut LocationView) -> Dynamic {
    let holiday = location.0.location.calendar.holiday(location.0.now);
    holiday.map_or(Dynamic::UNIT, |holiday| holiday.name.as_str().into())
}

/// What a follow-up is due at belongs to its chat: a location has what schedules are due at.
fn due(location: &mut LocationView) -> Dynamic {
    let of_schedule = location.0.conversation.is_none();
    time(location, location.0.due_at.filter(|_| of_schedule))
}

fn time(location: &LocationView, at: Option<Timestamp>) -> Dynamic {
    let zone = location.0.zone;
    at.map_or(Dynamic::UNIT, |at| Dynamic::from(Time { at, zone }))
}
