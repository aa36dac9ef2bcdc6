//! `"Hi ${name}"` in quotes that put no values in: the customer would read `${name}`.
//! Looks at texts only, and knows nobody's name.

use super::report::Report;
use super::subject::Subject;
use crate::script::tokens::Tokens;

/// What looks for a text in another: a rule may fill in `${name}` by itself.
const SEARCHES: [&str; 7] = [
    "replace",
    "contains",
    "index_of",
    "split",
    "starts_with",
    "ends_with",
    "remove",
];

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let tokens = subject.tokens;
    let places = 0..tokens.len();
    let found: Vec<usize> = places.filter(|at| has_braces(tokens, *at)).collect();
    if found.iter().any(|at| is_looked_for(tokens, *at)) {
        return;
    }
    for at in found {
        report.warning(tokens.extent_at(at), || {
            "between \" and \" nothing is put in for ${…}, so the customer would read it as it stands; write the text between ` and `".into()
        });
    }
}

fn has_braces(tokens: &Tokens, at: usize) -> bool {
    let is_plain = tokens.spots()[at].first == '"';
    let rest = tokens.text(at).and_then(|text| text.split_once("${"));
    is_plain && rest.is_some_and(|(_, rest)| rest.contains('}'))
}

fn is_looked_for(tokens: &Tokens, at: usize) -> bool {
    at > 2
        && tokens.is(at - 1, "(")
        && tokens.is_member(at - 2)
        && SEARCHES.iter().any(|word| tokens.is_word(at - 2, word))
}
