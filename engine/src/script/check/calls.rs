//! Functions that do not exist, or not with so many values, or not on this.
//! What an uncertain value can do is left to the run.

use super::chain::{Call, Chain};
use super::kinds;
use super::report::Report;
use super::subject::Subject;
use crate::script::catalog::{Entry, Kind, catalog};
use crate::script::explain::nearest;
use crate::script::outline::Function;

/// What goes with a value of any type.
const OF_ANYTHING: [&str; 5] = ["type_of", "to_string", "to_debug", "print", "debug"];

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for (chain, call) in subject.calls() {
        // The top level has been run by now.
        if subject.function_at(call.name).is_none() || report.is_full() {
            continue;
        }
        if let Some(message) = mistake(subject, chain, &call) {
            let extent = subject.tokens.extent_at(call.name);
            report.error(extent, || message);
        }
    }
}

fn mistake(subject: &Subject<'_>, chain: &Chain, call: &Call) -> Option<String> {
    let name = subject.called(call);
    let given = subject.arguments(call).len();
    let values = given + usize::from(call.after.is_some());
    if name.is_empty() || subject.is_of_host_with(name, values) {
        return None;
    }
    let own = subject.function(name);
    // A method is called without the value before the dot, as far as the script's own go.
    if own.is_some_and(|own| own.parameters.len() == given) {
        return None;
    }
    let kind = call
        .after
        .and_then(|after| subject.kinds().after(subject, chain, after));
    match (catalog().takes(name, values), own) {
        (Some(true), _) => on_the_wrong(subject, kind, call, name),
        (_, Some(own)) => Some(wrong_number_of_own(own, call, given)),
        // A map may hold a function of its own under any name.
        (Some(false), None) if kind.is_none() && call.after.is_some() && subject.is_key(name) => {
            None
        }
        (Some(false), None) => Some(wrong_number(kind, call, name, given)),
        (None, None) => unknown(subject, kind, call, name),
    }
}

/// The name and the number are right, and this has no such function.
fn on_the_wrong(
    subject: &Subject<'_>,
    kind: Option<kinds::Name>,
    call: &Call,
    name: &str,
) -> Option<String> {
    if let Some(instead) = catalog().instead_of(name) {
        return Some(instead.to_owned());
    }
    let is_statement = |entry: &Entry| entry.kind == Kind::Statement;
    if call.after.is_none() && catalog().named(name).any(is_statement) {
        return Some(format!(
            "{name} stands at the top of the script, outside of functions"
        ));
    }
    let kind = kind.filter(|kind| kinds::is_closed(kind))?;
    let named = || catalog().named(name).filter(|entry| entry.is_callable());
    let given = subject.arguments(call).len();
    if named().any(|entry| entry.receiver == Some(kind)) {
        let mut own = named().filter(|entry| entry.receiver == Some(kind));
        let fits = own.any(|entry| entry.arities().contains(&given));
        return (!fits).then(|| wrong_number(Some(kind), call, name, given));
    }
    let fits = OF_ANYTHING.contains(&name)
        || named().any(|entry| entry.receiver.is_none() && takes_first(entry, kind));
    (!fits).then(|| no_method(subject, kind, name))
}

fn takes_first(entry: &Entry, kind: kinds::Name) -> bool {
    let first = entry.parameters.first();
    first.is_some_and(|first| first.of.alternatives().any(|of| of == kind || of == "any"))
}

fn wrong_number_of_own(own: &Function, call: &Call, given: usize) -> String {
    let usage = format!("{}({})", own.name, own.parameters.join(", "));
    if call.after.is_some() {
        return format!("{} is a function of this script; write {usage}", own.name);
    }
    let needed = own.parameters.len();
    let is = if given == 1 { "is" } else { "are" };
    format!(
        "{} takes {}, and {given} {is} given here; write {usage}",
        own.name,
        count(needed)
    )
}

fn wrong_number(kind: Option<kinds::Name>, call: &Call, name: &str, given: usize) -> String {
    if let Some(instead) = catalog().instead_of(name) {
        return instead.to_owned();
    }
    let how = match given {
        0 => "without a value".to_owned(),
        given => format!("with {}", count(given)),
    };
    match usage(kind, call, name) {
        Some(usage) => format!("{name} cannot be called {how}; write {usage}"),
        None => format!("{name} cannot be called {how}"),
    }
}

fn count(values: usize) -> String {
    match values {
        0 => "no value".into(),
        1 => "1 value".into(),
        more => format!("{more} values"),
    }
}

/// How a function is called: by our examples, else as Rhai brings it.
fn usage(kind: Option<kinds::Name>, call: &Call, name: &str) -> Option<String> {
    let named = || catalog().named(name).filter(|entry| entry.is_callable());
    let is_ours = |entry: &Entry| !entry.of_rhai && (kind.is_none() || entry.receiver == kind);
    // What every value has is Rhai's, unless it certainly is something of ours.
    let of_rhai = named().find(|entry| entry.of_rhai && call.after.is_some());
    match of_rhai {
        Some(entry) if !(kind.is_some() && named().any(is_ours)) => {
            Some(entry.signature.to_owned())
        }
        _ => catalog().usage(name, kind).or_else(|| {
            let more = catalog().more().iter().find(|more| more.name == name);
            let more = more.map(|more| more.example.to_owned());
            more.or_else(|| named().next().map(|entry| entry.signature.to_owned()))
        }),
    }
}

/// Nothing bears this name.
fn unknown(
    subject: &Subject<'_>,
    kind: Option<kinds::Name>,
    call: &Call,
    name: &str,
) -> Option<String> {
    if call.after.is_none() {
        return Some(no_function(subject, name));
    }
    if let Some(kind) = kind.filter(|kind| kinds::is_closed(kind)) {
        return Some(no_method(subject, kind, name));
    }
    if subject.is_key(name) {
        return None;
    }
    let is_property = |entry: &Entry| entry.kind == Kind::Property;
    if catalog().named(name).any(is_property) || catalog().is_property_of_rhai(name) {
        return Some(format!("{name} is a property; leave out the brackets"));
    }
    Some(no_function(subject, name))
}

fn no_function(subject: &Subject<'_>, name: &str) -> String {
    if let Some(instead) = catalog().instead_of(name) {
        return instead.to_owned();
    }
    let entries = catalog().callable().map(|entry| entry.name);
    let more = catalog().more().iter().map(|more| more.name);
    let own = subject.functions.iter().map(|own| own.name.as_str());
    let own = own.filter(|own| catalog().handler(own).is_none());
    match nearest(name, entries.chain(more).chain(own)) {
        Some(near) => format!("there is no function {name}; did you mean {near}?"),
        None => format!("there is no function {name}"),
    }
}

/// This has no function of that name.
fn no_method(subject: &Subject<'_>, kind: kinds::Name, name: &str) -> String {
    let shown = catalog().shown(kind);
    let mut members = catalog().members(kind);
    if members.any(|entry| entry.kind == Kind::Property && entry.name == name) {
        return format!("{name} is a property of {shown}; leave out the brackets");
    }
    let methods = catalog().members(kind).filter(|entry| entry.is_callable());
    if let Some(near) = nearest(name, methods.map(|entry| entry.name)) {
        return format!("{shown} has no function {name}; did you mean {near}?");
    }
    let is_of_rhai = catalog().named(name).any(|entry| entry.of_rhai);
    match catalog().usage(name, None).filter(|_| !is_of_rhai) {
        Some(usage) => format!("{shown} has no function {name}; write {usage}"),
        None if is_of_rhai => format!("{shown} has no function {name}"),
        None => match no_function(subject, name).split_once("; ") {
            Some((_, hint)) => format!("{shown} has no function {name}; {hint}"),
            None => format!("{shown} has no function {name}"),
        },
    }
}
