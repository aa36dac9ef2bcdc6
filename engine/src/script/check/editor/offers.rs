//! What may be written at a place, in the order of the reference. Knows nothing of what has been
//! written of the word.

use super::place::Place;
use super::{
    Completion, Subject, documentation, host_signature, kind_before, members, stands_alone,
};
use crate::script::catalog::{Entry, Kind, catalog};
use crate::script::outline::Function;
use crate::script::reference::written;
use crate::script::surroundings::Surroundings;

/// Everything that may be written at the mark.
pub(super) fn at(subject: &Subject<'_>, place: &Place) -> Vec<Completion> {
    let tokens = subject.tokens;
    let Some(at) = Place::find(tokens) else {
        return Vec::new();
    };
    if place.is_in_quotes {
        return in_quotes(subject, at);
    }
    if tokens.is_member(at) {
        return after_dot(subject, at);
    }
    if at > 0 && tokens.is_word(at - 1, "fn") {
        return handlers(subject, "").collect();
    }
    if at > 0 && (tokens.is_word(at - 1, "let") || tokens.is_word(at - 1, "const")) {
        return Vec::new();
    }
    match subject.function_at(at) {
        Some(function) => in_function(subject, &subject.functions[function], at),
        None if begins_statement(subject, at) => at_top(subject),
        None => expressions(subject).collect(),
    }
}

/// Whether a token is the first of something at the top of the script.
fn begins_statement(subject: &Subject<'_>, at: usize) -> bool {
    let tokens = subject.tokens;
    tokens.spots()[at].depth == 0 && (at == 0 || tokens.is_one_of(at - 1, &[";", "}"]))
}

fn after_dot(subject: &Subject<'_>, at: usize) -> Vec<Completion> {
    let tokens = subject.tokens;
    let is_vars = at > 1 && tokens.is_word(at - 2, "vars");
    if is_vars {
        let vars = subject.surroundings.vars.iter().flatten();
        return vars
            .map(|name| named(name, "property", "a constant of the location"))
            .collect();
    }
    let Some(kind) = kind_before(subject, at) else {
        return Vec::new();
    };
    let entries = members(kind).map(of_entry);
    entries.collect()
}

fn in_function(subject: &Subject<'_>, function: &Function, at: usize) -> Vec<Completion> {
    let tokens = subject.tokens;
    let parameters = function.parameters.iter().map(String::as_str);
    let before = function.body.start..at;
    let variables = before
        .filter(|at| *at > 0 && (tokens.is_word(at - 1, "let") || tokens.is_word(at - 1, "for")))
        .filter_map(|at| tokens.name(at));
    let variables = parameters.chain(variables);
    let variables = variables.map(|name| named(name, "variable", "a variable"));
    let constants = constants(subject).map(|name| named(name, "constant", "a constant"));
    variables
        .chain(constants)
        .chain(expressions(subject))
        .collect()
}

/// The constants at the top of the script.
fn constants<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = &'a str> {
    let tokens = subject.tokens;
    let is_constant = move |at: &usize| {
        *at > 0 && tokens.is_word(at - 1, "const") && tokens.spots()[*at].depth == 0
    };
    (0..tokens.len())
        .filter(is_constant)
        .filter_map(|at| tokens.name(at))
}

/// What may be called: functions of the script, of the language, and of the installation.
fn expressions<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = Completion> + 'a {
    let own = own_functions(subject).map(|function| Completion {
        label: function.name.clone(),
        kind: "function",
        detail: format!("fn {}({})", function.name, function.parameters.join(", ")),
        documentation: "A function of this rule.".to_owned(),
        insert: call(&function.name, function.parameters.len()),
    });
    let ours = catalog()
        .callable()
        .filter(|entry| stands_alone(entry))
        .map(of_entry);
    let of_host = subject.of_host().map(|(name, arity)| Completion {
        label: name.clone(),
        kind: "function",
        detail: host_signature(name, *arity),
        documentation: "A function of this installation.".to_owned(),
        insert: call(name, *arity),
    });
    own.chain(of_host).chain(ours)
}

fn at_top(subject: &Subject<'_>) -> Vec<Completion> {
    let is_statement = |entry: &&Entry| entry.kind == Kind::Statement;
    let statements = catalog().entries().iter().filter(is_statement);
    handlers(subject, "fn ")
        .chain(statements.map(of_entry))
        .collect()
}

/// The handlers that the script does not have yet, ready to be filled in.
fn handlers<'a>(
    subject: &'a Subject<'_>,
    before: &'a str,
) -> impl Iterator<Item = Completion> + 'a {
    let missing = catalog().handlers();
    let missing = missing.filter(|handler| subject.function(handler.name).is_none());
    missing.map(move |handler| Completion {
        insert: format!("{before}{} {{\n    \n}}", handler.as_called()),
        ..of_entry(handler)
    })
}

/// Functions of the script that no event calls.
fn own_functions<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = &'a Function> {
    let functions = subject.functions.iter();
    functions.filter(|function| catalog().handler(&function.name).is_none())
}

/// What may stand between quotes: the name of a function, a template, an endpoint.
fn in_quotes(subject: &Subject<'_>, at: usize) -> Vec<Completion> {
    let tokens = subject.tokens;
    let around = (0..at)
        .rev()
        .find(|open| tokens.is_one_of(*open, &["(", "[", "?[", "{"]) && tokens.end_of(*open) > at);
    let Some(open) = around.filter(|open| *open > 0 && tokens.is(*open, "(")) else {
        return Vec::new();
    };
    let Some(name) = tokens.name(open - 1) else {
        return Vec::new();
    };
    let items = tokens.items(open);
    let Some(position) = items.iter().position(|item| *item == (at..at + 1)) else {
        return Vec::new();
    };
    let is_method = tokens.is_member(open - 1);
    let is_it = |entry: &&Entry| entry.name == name && entry.receiver.is_some() == is_method;
    let mut parameters = catalog()
        .callable()
        .filter(is_it)
        .filter_map(|entry| entry.parameters.get(position));
    if parameters.any(|parameter| parameter.of.alternatives().any(|of| of == "handler")) {
        let callable = |function: &&Function| (1..=2).contains(&function.parameters.len());
        return own_functions(subject)
            .filter(callable)
            .map(|function| {
                let detail = format!("fn {}({})", function.name, function.parameters.join(", "));
                named(&function.name, "name", &detail)
            })
            .collect();
    }
    names_of_location(subject.surroundings, name, position)
}

/// What the location offers by name to a function's first value.
fn names_of_location(around: &Surroundings, function: &str, position: usize) -> Vec<Completion> {
    match (function, position) {
        ("template", 0) => {
            let templates = around.templates.told().iter();
            templates
                .map(|template| {
                    named(
                        &template.name,
                        "name",
                        &format!("a template, {}", template.language),
                    )
                })
                .collect()
        }
        ("request", 0) => {
            let endpoints = around.endpoints.iter().flatten();
            endpoints
                .map(|name| named(name, "name", "an endpoint"))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn of_entry(entry: &'static Entry) -> Completion {
    let insert = if entry.is_callable() {
        call(entry.name, entry.parameters.len())
    } else {
        entry.name.to_owned()
    };
    Completion {
        label: entry.name.to_owned(),
        kind: entry.kind.name(),
        detail: written(entry),
        documentation: documentation(entry),
        insert,
    }
}

fn named(name: &str, kind: &'static str, detail: &str) -> Completion {
    Completion {
        label: name.to_owned(),
        kind,
        detail: detail.to_owned(),
        documentation: String::new(),
        insert: name.to_owned(),
    }
}

/// The beginning of a call; a call without values is finished.
fn call(name: &str, values: usize) -> String {
    if values == 0 {
        format!("{name}()")
    } else {
        format!("{name}(")
    }
}
