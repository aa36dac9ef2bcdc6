//! Statements that are never reached, loops that never end, functions that call themselves for ever.
//! Says nothing where a condition might help.

use super::report::Report;
use super::subject::Subject;
use crate::script::outline::Function;
use crate::script::tokens::Tokens;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for function in subject.functions {
        for at in function.body.clone() {
            if report.is_full() {
                return;
            }
            check_rest_of_block(subject.tokens, at, report);
            check_loop(subject, at, report);
        }
        check_recursion(subject.tokens, function, report);
    }
}

/// `return`, `stop();` and the like leave what follows them in their block unreached.
fn check_rest_of_block(tokens: &Tokens, at: usize, report: &mut Report) {
    let Some(word) = tokens.spots()[at].name() else {
        return;
    };
    let leaves = match word {
        "return" | "throw" | "break" | "continue" => true,
        "stop" => tokens.is(at + 1, "(") && tokens.is(tokens.end_of(at + 1) + 1, ";"),
        _ => false,
    };
    let begins = at > 0 && tokens.is_one_of(at - 1, &["{", "}", ";"]);
    if !leaves || !begins {
        return;
    }
    let block = tokens.end_of_block(at);
    let Some(end) = tokens.end_of_statement(at).filter(|end| *end + 1 < block) else {
        return;
    };
    let word = if word == "stop" { "stop()" } else { word };
    report.warning(tokens.extent(end + 1..block), || {
        format!(
            "this is never reached: {word} comes before it; delete it, or put {word} into an if"
        )
    });
}

/// `loop { … }` and `while true { … }` without a way out.
fn check_loop(subject: &Subject<'_>, at: usize, report: &mut Report) {
    let tokens = subject.tokens;
    let open = if tokens.is_word(at, "loop") {
        at + 1
    } else if tokens.is_word(at, "while") && tokens.is_word(at + 1, "true") {
        at + 2
    } else {
        return;
    };
    if !tokens.is(open, "{") {
        return;
    }
    let ways_out = ["break", "return", "throw", "stop"];
    let leaves = |at: usize| {
        let name = tokens.spots()[at].name();
        name.is_some_and(|name| ways_out.contains(&name) || subject.function(name).is_some())
    };
    if (open..tokens.end_of(open)).any(leaves) {
        return;
    }
    report.warning(tokens.extent_at(at), || {
        "this loop never ends, so the run is stopped and does nothing; write break; where it is done, or for i in 0..10 { … }".into()
    });
}

/// A function whose first steps, under no condition, call the function itself.
fn check_recursion(tokens: &Tokens, function: &Function, report: &mut Report) {
    const CONDITIONS: [&str; 9] = [
        "if", "switch", "while", "for", "loop", "do", "try", "throw", "stop",
    ];
    for at in function.body.clone() {
        let may_pass_by = tokens.is_one_of(at, &["&&", "||", "??", "|", "=>"])
            || CONDITIONS.iter().any(|word| tokens.is_word(at, word))
            || tokens.is_word(at, "return") && !tokens.is_word(at + 1, &function.name);
        if may_pass_by {
            return;
        }
        let calls_itself =
            tokens.is_word(at, &function.name) && !tokens.is_member(at) && tokens.is(at + 1, "(");
        if calls_itself {
            return report.warning(tokens.extent_at(at), || {
                format!(
                    "{} calls itself each time, without end; put an if before it",
                    function.name
                )
            });
        }
    }
}
