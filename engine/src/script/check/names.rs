//! Names that belong to the location: endpoints and vars. What the location offers is told by its
//! surroundings; what they do not tell is not checked.

use super::chain::{Chain, Link, Root};
use super::report::Report;
use super::subject::Subject;
use crate::script::explain::nearest;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for chain in &subject.chains {
        check_endpoints(subject, chain, report);
        check_vars(subject, chain, report);
    }
}

fn check_endpoints(subject: &Subject<'_>, chain: &Chain, report: &mut Report) {
    let Some(endpoints) = &subject.surroundings.endpoints else {
        return;
    };
    for call in chain.calls() {
        if call.after.is_none() || subject.called(&call) != "request" {
            continue;
        }
        let Some(first) = subject.arguments(&call).into_iter().next() else {
            continue;
        };
        let Some(name) = subject
            .text_of(&first)
            .filter(|name| !endpoints.contains(name))
        else {
            continue;
        };
        report.error(subject.tokens.extent(first), || {
            missing(
                "endpoint",
                &name,
                endpoints,
                "the location's admin allows one under that name",
            )
        });
    }
}

/// `location.vars.x`, where nothing says what happens if it is not set.
fn check_vars(subject: &Subject<'_>, chain: &Chain, report: &mut Report) {
    let Some(vars) = &subject.surroundings.vars else {
        return;
    };
    let tokens = subject.tokens;
    for (index, pair) in chain.links.windows(2).enumerate() {
        let [Link::Property(bag), Link::Property(at)] = *pair else {
            continue;
        };
        let of_location = match (index.checked_sub(1), chain.root) {
            (Some(before), _) => {
                matches!(chain.links[before], Link::Property(own) if tokens.is_word(own, "location"))
            }
            (None, Root::Name(root)) => tokens.is_word(root, "location"),
            (None, _) => false,
        };
        let Some(name) = tokens.name(at) else {
            continue;
        };
        if !of_location || !tokens.is_word(bag, "vars") || vars.iter().any(|own| own == name) {
            continue;
        }
        // x ?? y, x?.y, x == (): the script knows that it may be missing.
        let is_nothing = tokens.is_one_of(at + 1, &["==", "!="])
            && tokens.is(at + 2, "(")
            && tokens.is(at + 3, ")");
        if is_nothing || tokens.is_one_of(at + 1, &["??", "?.", "?["]) {
            continue;
        }
        report.error(tokens.extent_at(at), || {
            missing(
                "var",
                name,
                vars,
                &format!("the location's admin sets it; or write {name} ?? \"…\""),
            )
        });
    }
}

/// The location has nothing of that name.
pub(super) fn missing(what: &str, name: &str, known: &[String], otherwise: &str) -> String {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("the location has no {what} {name}; did you mean {near}?"),
        None if known.is_empty() => format!("the location has no {what} {name}: {otherwise}"),
        None => format!(
            "the location has no {what} {name}, only {}: {otherwise}",
            known.join(", ")
        ),
    }
}
