//! What comes too late: a reply without a template in what runs days after the customer wrote, and
//! an answer to a message in what none has begun. Knows the 24-hour window, and no text.

use super::chain::Call;
use super::graph::Cause;
use super::report::Report;
use super::subject::Subject;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for (_, call) in subject.calls() {
        check_answer(subject, &call, report);
        let is_reply = call.after.is_some() && subject.called(&call) == "reply";
        if !is_reply || subject.arguments(&call).len() != 1 {
            continue;
        }
        let Some(function) = subject.function_at(call.name) else {
            continue;
        };
        let Some(cause) = subject.graph().late(function) else {
            continue;
        };
        // Who looks at the window knows about it.
        let mut body = subject.functions[function].body.clone();
        if body.any(|at| subject.tokens.is_word(at, "window") && subject.tokens.is_member(at)) {
            continue;
        }
        let when = match cause {
            Cause::After(span) => format!("{span} later the customer's 24-hour window is usually shut"),
            Cause::SomeTime => "this can come days after the customer wrote, when the 24-hour window is shut".to_owned(),
            Cause::Each | Cause::Schedule => "this runs by the clock, mostly long after the customer wrote, when the 24-hour window is shut".to_owned(),
        };
        let extent = subject
            .tokens
            .extent(call.name..subject.tokens.end_of(call.open) + 1);
        report.warning(extent, || {
            format!("{when}, and then nothing leaves: write chat.reply(…, template(\"name\")), so that WhatsApp's approved template goes out instead")
        });
    }
}

/// `chat.typing()` and `chat.mark_read()` where no message has come.
fn check_answer(subject: &Subject<'_>, call: &Call, report: &mut Report) {
    let name = subject.called(call);
    let is_answer = call.after.is_some() && matches!(name, "typing" | "mark_read");
    let function = subject.function_at(call.name);
    let is_delayed = function.is_some_and(|function| subject.graph().is_delayed(function));
    if is_answer && is_delayed && !subject.is_key(name) {
        report.error(subject.tokens.extent_at(call.name), || {
            format!("chat.{name}() answers a message, and here none has come; write it in on_message, or leave it out")
        });
    }
}
