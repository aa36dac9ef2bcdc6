//! Values that are written out and are not what a function takes: `chat.reply(5)`,
//! `chat.at("18:00", "remind")`. Compares them with the signatures of the catalog, and knows no function.

use std::ops::Range;

use super::chain::{Call, Chain};
use super::report::Report;
use super::subject::Subject;
use crate::script::catalog::{Entry, Parameter, catalog};
use crate::script::scan::Token;
use crate::script::tokens::Tokens;

/// What a value certainly is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Text,
    Number,
    Bool,
    Array,
    Map,
    Nothing,
    Template,
    Content,
}

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for (chain, call) in subject.calls() {
        if report.is_full() {
            return;
        }
        let arguments = subject.arguments(&call);
        if arguments.is_empty() || subject.function_at(call.name).is_none() {
            continue;
        }
        let entries = entries(subject, chain, &call, arguments.len());
        for (position, argument) in arguments.iter().enumerate() {
            let Some(written) = written(subject, argument) else {
                continue;
            };
            let mut parameters = entries.iter().map(|entry| &entry.parameters[position]);
            let Some(first) = parameters.clone().next() else {
                continue;
            };
            if parameters.any(|parameter| takes(parameter, written)) {
                continue;
            }
            let extent = subject.tokens.extent(argument.clone());
            report.error(extent, || {
                refusal(&entries, first, written, arguments.len())
            });
        }
    }
}

/// What a call certainly means: functions of ours that take so many values.
fn entries(subject: &Subject<'_>, chain: &Chain, call: &Call, given: usize) -> Vec<&'static Entry> {
    let name = subject.called(call);
    let is_own = subject.function(name).is_some() || subject.is_of_host(name);
    if is_own || (call.after.is_some() && subject.is_key(name)) {
        return Vec::new();
    }
    let named = || catalog().named(name).filter(|entry| entry.is_callable());
    let receiver = match call.after {
        None => None,
        Some(after) => match subject.kinds().after(subject, chain, after) {
            Some(kind) => Some(kind),
            // A name that only one type has tells the type.
            None => {
                let mut receivers = named().map(|entry| entry.receiver);
                let Some(Some(first)) = receivers.next() else {
                    return Vec::new();
                };
                if receivers.any(|other| other != Some(first))
                    || catalog().more().iter().any(|more| more.name == name)
                {
                    return Vec::new();
                }
                Some(first)
            }
        },
    };
    let fits = |entry: &&Entry| {
        !entry.of_rhai && entry.receiver == receiver && entry.arities().contains(&given)
    };
    named().filter(fits).collect()
}

fn written(subject: &Subject<'_>, value: &Range<usize>) -> Option<Written> {
    let tokens = subject.tokens;
    let first = tokens.spots().get(value.start)?;
    let last = tokens.spots().get(value.end.checked_sub(1)?)?;
    if value.len() == 1 {
        return match &first.token {
            Token::Text(_) => Some(Written::Text),
            Token::Literal if first.first != '\'' => Some(Written::Number),
            Token::Name(word) if word == "true" || word == "false" => Some(Written::Bool),
            _ => None,
        };
    }
    if value.len() == 2 && first.is("-") && last.token == Token::Literal {
        return Some(Written::Number);
    }
    if value.len() == 2 && first.is("(") && last.is(")") {
        return Some(Written::Nothing);
    }
    // Whatever stands between, what begins and ends with a text in back quotes is none but text.
    if first.token == Token::Template && last.token == Token::Template {
        let is_sum = |at: usize| tokens.spots()[at].depth == first.depth && !tokens.is(at, "+");
        let mut between = value.clone().filter(|at| is_sum(*at));
        return between
            .all(|at| {
                let token = &tokens.spots()[at].token;
                matches!(token, Token::Template | Token::Text(_) | Token::Name(_))
            })
            .then_some(Written::Text);
    }
    if tokens.array(value).is_some() {
        return Some(Written::Array);
    }
    if tokens.map(value).is_some() {
        return Some(Written::Map);
    }
    let chain = subject.chain_at(value.start)?;
    if chain.range != *value {
        return None;
    }
    match subject.kinds().after(subject, chain, chain.links.len())? {
        "template" => Some(Written::Template),
        "content" => Some(Written::Content),
        _ => None,
    }
}

fn takes(parameter: &Parameter, written: Written) -> bool {
    // What can be left out may be nothing, for all that can be told.
    if written == Written::Nothing && (parameter.optional || parameter.of.may_be_nothing()) {
        return true;
    }
    let mut alternatives = parameter.of.alternatives();
    alternatives.any(|of| match of {
        "any" => true,
        // Numbers and the like become text by themselves.
        "text" => match written {
            Written::Number | Written::Bool => {
                !parameter.of.alternatives().any(|of| of == "content")
            }
            written => written == Written::Text,
        },
        "handler" | "pattern" | "cron" => written == Written::Text,
        // A number without a unit is told by those who know durations.
        "duration" => matches!(written, Written::Text | Written::Number),
        "integer" | "number" => written == Written::Number,
        "bool" => written == Written::Bool,
        "array" => written == Written::Array,
        "map" => written == Written::Map,
        "content" => written == Written::Content,
        "template" => written == Written::Template,
        "time" | "range" | "function" => false,
        // Things of ours are never written out.
        _ => false,
    })
}

fn refusal(entries: &[&Entry], parameter: &Parameter, written: Written, given: usize) -> String {
    let name = entries[0].name;
    let wanted: Vec<&str> = parameter.of.alternatives().map(shown).collect();
    let is = match written {
        Written::Text => "a text",
        Written::Number => "a number",
        Written::Bool => "true or false",
        Written::Array => "an array",
        Written::Map => "a map",
        Written::Nothing => "(), nothing",
        Written::Template => "a template",
        Written::Content => "content",
    };
    let usage = catalog().usage(name, entries[0].receiver);
    let usage = usage.unwrap_or_else(|| entries[0].signature.to_owned());
    let usages = || usage.split(", or ");
    let alike = usages().find(|usage| values_in(usage, name) == given);
    let usage = alike.or_else(|| usages().next()).unwrap_or_default();
    format!(
        "{name} takes {} here, and this is {is}; write {usage}",
        wanted.join(" or ")
    )
}

/// How many values an example gives to a function.
fn values_in(usage: &str, name: &str) -> usize {
    let tokens = Tokens::of(usage);
    let called = (0..tokens.len()).find(|at| tokens.is_word(*at, name) && tokens.is(at + 1, "("));
    called.map_or(0, |at| tokens.items(at + 1).len())
}

/// How a type of a signature is spoken of.
fn shown(of: &'static str) -> &'static str {
    match of {
        "text" => "a text",
        "content" => "content such as image(\"https://…\")",
        "template" => "a template",
        "time" => "a time",
        "duration" => "a duration",
        "map" => "a map",
        "array" => "an array",
        "integer" => "a whole number",
        "number" => "a number",
        "bool" => "true or false",
        "handler" => "the name of a function in quotes",
        "pattern" => "a pattern in quotes",
        "range" => "a range",
        "function" => "a function |x| …",
        other => catalog().shown(other),
    }
}
