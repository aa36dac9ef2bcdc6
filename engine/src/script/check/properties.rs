//! Properties that something certainly does not have, and changes of what cannot be changed.

use super::chain::{Chain, Link, Root};
use super::kinds;
use super::report::Report;
use super::subject::Subject;
use crate::script::api::{missing_property, refused_change};
use crate::script::catalog::catalog;

/// What may follow a place that gets a new value.
const ASSIGNMENTS: [&str; 12] = [
    "=", "+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", "&=", "|=", "^=",
];

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for chain in &subject.chains {
        if report.is_full() {
            return;
        }
        check_constant(subject, chain, report);
        for (index, link) in chain.links.iter().enumerate() {
            let Link::Property(at) = *link else {
                continue;
            };
            let Some(kind) = subject.kinds().after(subject, chain, index) else {
                break;
            };
            let Some(name) = subject.tokens.spots()[at].name() else {
                break;
            };
            if let Some(message) = mistake(subject, chain, index, kind, name) {
                report.error(subject.tokens.extent_at(at), || message);
                break;
            }
        }
    }
}

/// `PRICES.flat = 1` and `LIST[0] = 1`, where the root is a constant.
fn check_constant(subject: &Subject<'_>, chain: &Chain, report: &mut Report) {
    let Root::Name(at) = chain.root else {
        return;
    };
    let is_changed = subject.tokens.is_one_of(chain.range.end, &ASSIGNMENTS);
    let is_within = !chain.links.is_empty()
        && chain
            .links
            .iter()
            .all(|link| !matches!(link, Link::Method(..)));
    if is_changed && is_within && subject.constant(at).is_some() {
        let name = subject.tokens.name(at).unwrap_or_default();
        report.error(subject.tokens.extent_at(at), || {
            format!("{name} is a constant and keeps its value; write let own = {name}; and change that, or chat.state for something to remember")
        });
    }
}

fn mistake(
    subject: &Subject<'_>,
    chain: &Chain,
    index: usize,
    kind: kinds::Name,
    name: &str,
) -> Option<String> {
    if !kinds::is_closed(kind) {
        return None;
    }
    let is_changed = subject.tokens.is_one_of(chain.range.end, &ASSIGNMENTS);
    let rest = &chain.links[index + 1..];
    // What the admin has set is changed nowhere, not even deep within.
    let is_var = (kind, name) == ("location", "vars");
    let is_whole =
        rest.is_empty() || (is_var && rest.iter().all(|link| !matches!(link, Link::Method(..))));
    if is_changed && is_whole && (kind, name) != ("chat", "state") {
        return Some(refused_change(catalog().shown(kind), name));
    }
    (!kinds::has_property(kind, name)).then(|| missing_property(kind, name))
}
