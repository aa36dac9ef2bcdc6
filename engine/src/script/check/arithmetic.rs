//! Times and durations reckoned with texts: `now() + "2d"`, `chat.window.left < "1h"`.
//! Looks only where the value before the sign certainly is a time or a duration.

use super::report::Report;
use super::subject::Subject;
use crate::domain::time::Span;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let tokens = subject.tokens;
    for chain in &subject.chains {
        let (sign, text) = (chain.range.end, chain.range.end + 1);
        let written = tokens.text(text);
        let is_number = tokens.is_number(&(text..text + 1));
        if written.is_none() && !is_number {
            continue;
        }
        // What stands after another sign belongs to that: "at " + now() + "…".
        let begins = chain.range.start.checked_sub(1).is_some_and(|before| {
            tokens.is_one_of(before, &["(", ",", "=", "{", "}", ";", "[", ":", "=>"])
                || ["return", "if", "while"]
                    .iter()
                    .any(|word| tokens.is_word(before, word))
        });
        let is_sum = tokens.is_one_of(sign, &["+", "-"]);
        let compares = tokens.is_one_of(sign, &["<", "<=", ">", ">=", "==", "!="]);
        if !begins || !(is_sum || compares) {
            continue;
        }
        let extent = tokens.extent_at(text);
        match subject.kinds().after(subject, chain, chain.links.len()) {
            Some("time") if compares => report.error(extent, || {
                "a time compares with a time only; write for example now() - chat.last_message_at > \"2d\", or time(\"2026-12-24 18:00\")".into()
            }),
            Some(kind @ ("time" | "duration")) if is_number => {
                // now() + 2 * step
                let stands_alone = !tokens.is_one_of(text + 1, &["*", "/", "%", "**", ".", "?."]);
                if stands_alone {
                    report.error(extent, || {
                        format!("a number has no unit, so it does not go with a {kind}; write for example \"45s\", \"90m\" or \"2d\"")
                    });
                }
            }
            Some("time" | "duration") => {
                if let Some(written) = written
                    && let Err(error) = Span::parse(written) {
                    report.error(extent, || error.to_string());
                }
            }
            _ => {}
        }
    }
}
