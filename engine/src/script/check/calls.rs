//! Functions that do not exist, or not with so many values, or not on this.
//! What an uncertain value can do is left to the run.

use super::chain::{Call, Chain};
use super::kinds;
use super::report::Report;
use super::subject::Subject;
use crate::script::catalog::{Entry, Kind, More, catalog};
use crate::script::explain::nearest;
use crate::script::outline::Function;
use crate::script::slips;

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
    (!fits).then(|| no_method(kind, name))
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
    format!(
        "{} takes {}, and {} here; write {usage}",
        own.name,
        count(needed),
        are(given)
    )
}

fn wrong_number(kind: Option<kinds::Name>, call: &Call, name: &str, given: usize) -> String {
    if let Some(instead) = catalog().instead_of(name) {
        return instead.to_owned();
    }
    let usage = usage(kind, call, name);
    if let (Some(takes), Some(usage)) = (takes(kind, call, name, given), &usage) {
        return format!(
            "{name} takes {takes}, and {} here; write {usage}",
            are(given)
        );
    }
    let how = match given {
        0 => "without a value".to_owned(),
        given => format!("with {}", count(given)),
    };
    match usage {
        Some(usage) => format!("{name} cannot be called {how}; write {usage}"),
        None => format!("{name} cannot be called {how}"),
    }
}

/// How many values a function takes, if it can be called like this at all.
fn takes(kind: Option<kinds::Name>, call: &Call, name: &str, given: usize) -> Option<String> {
    let is_method = call.after.is_some();
    let named = || {
        let entries = catalog().named(name).filter(|entry| entry.is_callable());
        entries.filter(|entry| entry.receiver.is_some() == is_method)
    };
    let is_own = |entry: &&Entry| kind.is_some() && entry.receiver == kind;
    let mut arities: Vec<_> = named().filter(is_own).map(Entry::arities).collect();
    if arities.is_empty() {
        arities.extend(named().map(Entry::arities));
    }
    let fewest = arities.iter().map(|arity| *arity.start()).min()?;
    let most = arities.iter().map(|arity| *arity.end()).max()?;
    match (fewest..=most).contains(&given) {
        true => None,
        false if fewest == most => Some(count(fewest)),
        false if fewest == 0 => Some(format!("at most {}", count(most))),
        false if fewest + 1 == most => Some(format!("{fewest} or {most} values")),
        false => Some(format!("{fewest} to {most} values")),
    }
}

fn are(given: usize) -> String {
    match given {
        0 => "none is given".into(),
        1 => "1 is given".into(),
        more => format!("{more} are given"),
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
        return Some(match hint(name) {
            Some(hint) => format!("there is no function {name}; {hint}"),
            None => no_function(subject, name),
        });
    }
    if let Some(kind) = kind.filter(|kind| kinds::is_closed(kind)) {
        return Some(no_method(kind, name));
    }
    if subject.is_key(name) {
        return None;
    }
    let is_property = |entry: &Entry| entry.kind == Kind::Property;
    if catalog().named(name).any(is_property) || catalog().is_property_of_rhai(name) {
        return Some(format!("{name} is a property; leave out the brackets"));
    }
    if let Some(hint) = hint(name) {
        return Some(format!("there is no function {name}; {hint}"));
    }
    let methods = catalog()
        .callable()
        .filter(|entry| entry.receiver.is_some());
    let more = catalog().more().iter().filter(|more| !is_function(more));
    let names = methods
        .map(|entry| entry.name)
        .chain(more.map(|more| more.name));
    Some(did_you_mean(name, nearest(name, names)))
}

/// What other languages call otherwise.
fn hint(name: &str) -> Option<String> {
    slips::function(name).filter(|_| catalog().instead_of(name).is_none())
}

/// Whether something of Rhai is called by its name alone, as `cos(1.0)` is.
fn is_function(more: &More) -> bool {
    let rest = more.example.strip_prefix(more.name);
    rest.is_some_and(|rest| rest.starts_with('('))
}

fn no_function(subject: &Subject<'_>, name: &str) -> String {
    if let Some(instead) = catalog().instead_of(name) {
        return instead.to_owned();
    }
    let entries = catalog().callable().map(|entry| entry.name);
    let more = catalog().more().iter().filter(|more| is_function(more));
    let more = more.map(|more| more.name);
    let own = subject.functions.iter().map(|own| own.name.as_str());
    let own = own.filter(|own| catalog().handler(own).is_none());
    did_you_mean(name, nearest(name, entries.chain(more).chain(own)))
}

fn did_you_mean(name: &str, near: Option<&str>) -> String {
    match near {
        Some(near) => format!("there is no function {name}; did you mean {near}?"),
        None => format!("there is no function {name}"),
    }
}

/// This has no function of that name.
fn no_method(kind: kinds::Name, name: &str) -> String {
    let shown = catalog().shown(kind);
    let mut members = catalog().members(kind);
    if members.any(|entry| entry.kind == Kind::Property && entry.name == name) {
        return format!("{name} is a property of {shown}; leave out the brackets");
    }
    let methods = catalog().members(kind).filter(|entry| entry.is_callable());
    if let Some(near) = nearest(name, methods.map(|entry| entry.name)) {
        return format!("{shown} has no function {name}; did you mean {near}?");
    }
    if let Some(instead) = catalog().instead_of(name) {
        return instead.to_owned();
    }
    let is_of_rhai = catalog().named(name).any(|entry| entry.of_rhai);
    match catalog().usage(name, None).filter(|_| !is_of_rhai) {
        Some(usage) => format!("{shown} has no function {name}; write {usage}"),
        None if is_of_rhai => format!("{shown} has no function {name}"),
        None => match hint(name) {
            Some(hint) => format!("{shown} has no function {name}; {hint}"),
            None => format!("{shown} has no function {name}"),
        },
    }
}
