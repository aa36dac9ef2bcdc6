//! The top of a script: what it asks for before anything happens. Knows no event.

use std::sync::{Mutex, PoisonError};

use rhai::{Dynamic, Map, NativeCallContext};

use super::{Api, Fallible, api, fail};
use crate::script::run::{Scheduled, Tag, Top};

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "At the top of a script",
        "At the top stand functions, constants (`const LIMIT = 5;`) and these; nothing else. Functions see the constants by their names.",
    );
    api! { api;
        /// Calls a function by a cron line: minute, hour, day of the month, month, weekday.
        ///
        /// The line is read on the location's clocks; weekdays are written by name. Each time comes
        /// exactly once, also on the days when clocks change.
        ///
        /// The map says what becomes of times that were missed because the server was down:
        /// `misfire: "once"`, which is what happens without it, calls the function once, late, for the
        /// latest of them, unless that is more than 15 minutes ago; `within: "2h"` makes it wait longer.
        /// `misfire: "skip"` leaves them out, and `misfire: "all"` calls it for each in order, 1,000 at most.
        ///
        /// ```rhai
        /// every("0 9 * * MON", "new_week");
        /// every("0 18 * * *", "evening", #{ misfire: "once", within: "2h" });
        ///
        /// fn new_week(location) { log(`A new week at ${location.name}.`); }
        /// fn evening(location) { log("The day is over."); }
        /// ```
        top "every(cron: cron, handler: handler, options?: map)" => every, every_with;

        /// Lets the rule's functions run while a person holds the chat, and send.
        ///
        /// ```rhai
        /// even_when_held();
        ///
        /// fn on_message(chat, message) { if chat.held { chat.contact.tag("in good hands"); } }
        /// ```
        top "even_when_held()" => even_when_held;
    }
}

fn every(context: NativeCallContext<'_>, cron: &str, handler: &str) -> Fallible<()> {
    every_with(context, cron, handler, Map::new())
}

fn every_with(
    context: NativeCallContext<'_>,
    cron: &str,
    handler: &str,
    options: Map,
) -> Fallible<()> {
    let (line, column) = crate::script::explain::place(context.call_position());
    at_top(&context, |top| {
        top.schedules.push(Scheduled {
            cron: cron.to_owned(),
            handler: handler.to_owned(),
            options,
            line,
            column,
        });
    })
}

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
