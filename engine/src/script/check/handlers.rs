//! Functions named in quotes: `chat.if_silent("2d", "nudge")` and the like name a function that must
//! exist and take what it will be given.

use std::ops::Range;

use super::chain::Call;
use super::report::Report;
use super::subject::Subject;
use crate::script::compile::{check_response_target, check_target};

/// The calls that name a function, and which of their values is that name.
const NAMING: [(&str, usize); 7] = [
    ("if_silent", 1),
    ("after", 1),
    ("at", 1),
    ("cancel", 0),
    ("each_chat", 1),
    ("request", 2),
    ("every", 1),
];

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for (_, call) in subject.calls() {
        // What stands at the top has been run, and was told then.
        if call.after.is_none() {
            continue;
        }
        check_unheard(subject, &call, report);
        let Some(handler) = naming(subject, &call) else {
            continue;
        };
        let Some(target) = subject.text_of(&handler) else {
            continue;
        };
        let is_last = subject.arguments(&call).last() == Some(&handler);
        let checked = if subject.called(&call) == "request" {
            check_response_target(&target, subject.functions)
        } else {
            let given = if is_last { 1 } else { 2 };
            check_target(&target, "chat", Some(given), subject.functions)
        };
        if let Err(message) = checked {
            report.error(subject.tokens.extent(handler), || message);
        }
    }
}

/// A request whose answer no function takes.
fn check_unheard(subject: &Subject<'_>, call: &Call, report: &mut Report) {
    let is_unnamed = subject.called(call) == "request" && subject.arguments(call).len() == 2;
    if is_unnamed && subject.function("on_response").is_none() {
        report.error(subject.tokens.extent_at(call.name), || {
            "nothing hears the answer; add fn on_response(chat, response) { … }, or name a function as in chat.request(\"crm\", #{ … }, \"found\")".into()
        });
    }
}

/// The value of a call that names a function of the script.
pub(super) fn naming(subject: &Subject<'_>, call: &Call) -> Option<Range<usize>> {
    let name = subject.called(call);
    let (_, position) = NAMING.iter().find(|(naming, _)| *naming == name)?;
    let is_at_top = name == "every";
    if is_at_top != call.after.is_none() {
        return None;
    }
    subject.arguments(call).into_iter().nth(*position)
}
