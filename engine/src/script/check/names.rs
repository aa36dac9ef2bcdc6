//! Names that belong to the location: endpoints and vars. What the location offers is told by its
//! surroundings; what they do not tell is not checked.

use std::collections::HashSet;

use super::chain::{Chain, Link, Root};
use super::report::Report;
use super::subject::Subject;
use crate::script::explain::nearest;
use crate::script::tokens::Tokens;

/// The vars that mean something to us, each with a default; the admin need not set them.
const OUR_VARS: [&str; 2] = ["idle", "window_warning"];

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let doubted = doubted(subject.tokens);
    for chain in &subject.chains {
        check_endpoints(subject, chain, report);
        check_vars(subject, chain, &doubted, report);
    }
}

/// The names that the script itself looks for before it uses them: `vars.x != ()`, `vars.x ?? …`,
/// `"x" in vars`, `vars.contains("x")`. It knows that they may be missing.
fn doubted(tokens: &Tokens) -> HashSet<&str> {
    let places = 0..tokens.len();
    let doubted = places.filter_map(|at| {
        let of_vars = at > 1 && tokens.is_member(at) && tokens.is_word(at - 2, "vars");
        if of_vars && asks(tokens, at + 1) {
            return tokens.name(at);
        }
        let is_asked_for = at > 1
            && tokens.is(at - 1, "(")
            && ["contains", "get"]
                .iter()
                .any(|word| tokens.is_word(at - 2, word));
        let looks = is_asked_for || tokens.is_word(at + 1, "in");
        tokens.text(at).filter(|_| looks)
    });
    doubted.collect()
}

/// Whether what stands at a place asks if there is something before it: `?? y`, `?.y`, `== ()`.
fn asks(tokens: &Tokens, at: usize) -> bool {
    let is_nothing =
        tokens.is_one_of(at, &["==", "!="]) && tokens.is(at + 1, "(") && tokens.is(at + 2, ")");
    is_nothing || tokens.is_one_of(at, &["??", "?.", "?["])
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
fn check_vars(subject: &Subject<'_>, chain: &Chain, doubted: &HashSet<&str>, report: &mut Report) {
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
        let is_set = OUR_VARS.contains(&name) || vars.iter().any(|own| own == name);
        if !of_location || !tokens.is_word(bag, "vars") || is_set {
            continue;
        }
        let is_last = index + 2 == chain.links.len();
        if doubted.contains(name) || (is_last && is_passed_on(subject, chain)) {
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

/// Whether a value goes under another name, where it may be looked at before it is used:
/// `let x = vars.x`, `switch vars.x`, `return vars.x`, `helper(vars.x)`, `helper(a, vars.x)`.
fn is_passed_on(subject: &Subject<'_>, chain: &Chain) -> bool {
    let tokens = subject.tokens;
    let Some(before) = chain.range.start.checked_sub(1) else {
        return false;
    };
    let stands_alone = tokens.is_one_of(chain.range.end, &[";", ",", ")", "}", "{"]);
    let is_named = tokens.is(before, "=")
        || ["switch", "return"]
            .iter()
            .any(|word| tokens.is_word(before, word));
    let is_given = tokens.is_one_of(before, &["(", ","])
        && subject.calls().any(|(_, call)| {
            call.after.is_none()
                && subject.function(subject.called(&call)).is_some()
                && subject.arguments(&call).contains(&chain.range)
        });
    // fn phone(chat) { chat.location.vars.phone }
    let is_given_back = tokens.is_one_of(before, &["{", ";", "}", "=>"])
        && tokens.is_one_of(chain.range.end, &["}", ","]);
    stands_alone && (is_named || is_given || is_given_back)
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
