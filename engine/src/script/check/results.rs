//! Results that are thrown away, and results that are none: `text.trim();` and `let x = list.sort();`.
//! Looks only at functions that mean one thing wherever they are called.

use super::chain::{Chain, Link, Root};
use super::report::Report;
use super::subject::Subject;
use crate::script::scan::Token;

/// What gives something new back, and does nothing else.
const GIVING: [&str; 5] = ["trim", "replace", "to_upper", "to_lower", "sub_string"];
/// What changes a text, an array or a map in place, and gives nothing back.
const CHANGING: [&str; 13] = [
    "append",
    "clear",
    "crop",
    "fill_with",
    "insert",
    "make_lower",
    "make_upper",
    "mixin",
    "pad",
    "push",
    "reverse",
    "sort",
    "truncate",
];

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for chain in &subject.chains {
        for (index, link) in chain.links.iter().enumerate() {
            let Link::Method(at, _) = *link else {
                continue;
            };
            let name = subject.tokens.name(at).unwrap_or_default();
            // A map may hold a function of its own under any name.
            if subject.is_key(name) {
                continue;
            }
            let is_last = index + 1 == chain.links.len();
            let extent = subject.tokens.extent_at(at);
            if GIVING.contains(&name) && is_last && is_statement(subject, chain) {
                report.warning(extent, || thrown_away(subject, chain, name));
            } else if CHANGING.contains(&name) && (!is_last || is_value(subject, chain)) {
                report.warning(extent, || {
                    format!("{name} changes its text, array or map in place and gives nothing back; write it as a statement of its own, and use what it has changed after that")
                });
            }
        }
    }
}

fn is_statement(subject: &Subject<'_>, chain: &Chain) -> bool {
    let (tokens, range) = (subject.tokens, &chain.range);
    let begins = range.start > 0 && tokens.is_one_of(range.start - 1, &["{", "}", ";"]);
    begins && tokens.is(range.end, ";")
}

fn is_value(subject: &Subject<'_>, chain: &Chain) -> bool {
    let Some(before) = chain.range.start.checked_sub(1) else {
        return false;
    };
    let tokens = subject.tokens;
    tokens.is_one_of(before, &["=", "(", "[", ",", ":", "+", "==", "!=", "??"])
        || tokens.spots()[before].token == Token::Template
}

fn thrown_away(subject: &Subject<'_>, chain: &Chain, name: &str) -> String {
    let root = match (chain.root, &chain.links[..]) {
        (Root::Name(at), [_]) => subject.tokens.name(at),
        _ => None,
    };
    let values = if name.starts_with("t") { "" } else { "…" };
    match root {
        Some(root) => format!(
            "{name} gives a new text back and leaves {root} as it is; write {root} = {root}.{name}({values})"
        ),
        None => format!(
            "{name} gives a new text back, and nothing takes it; write let text = ….{name}({values})"
        ),
    }
}
