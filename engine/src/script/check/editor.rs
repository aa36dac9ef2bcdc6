//! What an editor shows while a rule is being written: what may follow, and what a word means. Takes
//! scripts that are not finished and do not compile. Decides nothing about right and wrong.

mod offers;
mod place;
#[cfg(test)]
mod tests;

use self::place::{Place, word_at};
use super::Subject;
use super::chain::{Chain, Link, Root};
use super::kinds::{self, Name};
use crate::script::catalog::{Entry, Kind, catalog};
use crate::script::compile::Reading;
use crate::script::outline::Outline;
use crate::script::reference;
use crate::script::surroundings::Surroundings;
use crate::script::tokens::Tokens;
use crate::script::{ScriptHost, limits};

/// Something that may be written at a place, in place of the word that stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What it is called.
    pub label: String,
    /// What it is: `method`, `property`, `function`, `constructor`, `handler`, `statement`, `variable`,
    /// `constant`, or `name` within quotes.
    pub kind: &'static str,
    /// Its signature or its type, on a line.
    pub detail: String,
    /// What it does, in Markdown.
    pub documentation: String,
    /// What to write.
    pub insert: String,
}

/// What a word of a script means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// In Markdown.
    pub contents: String,
    /// The line of the word, from 1.
    pub line: u32,
    /// The column where it begins, in characters from 1.
    pub column: u32,
    /// The column right after its end.
    pub end_column: u32,
}

/// What may be written at a line and a column, both from 1.
pub(in crate::script) fn complete(
    host: &ScriptHost,
    source: &str,
    (line, column): (u32, u32),
    surroundings: &Surroundings,
) -> Vec<Completion> {
    if source.len() > limits::SOURCE_BYTES {
        return Vec::new();
    }
    let Some(place) = Place::of(source, line, column) else {
        return Vec::new();
    };
    let reading = reading(&place.source);
    let subject = Subject::new(host, &reading, None, surroundings);
    let mut found = offers::at(&subject, &place);
    found.retain(|offer| place.may_become(&offer.label));
    let mut labels = std::collections::BTreeSet::new();
    found.retain(|offer| labels.insert(offer.label.clone()));
    found
}

/// What the word at a line and a column means, both from 1.
pub(in crate::script) fn hover(
    host: &ScriptHost,
    source: &str,
    (line, column): (u32, u32),
    surroundings: &Surroundings,
) -> Option<Hover> {
    if source.len() > limits::SOURCE_BYTES {
        return None;
    }
    let reading = reading(source);
    let subject = Subject::new(host, &reading, None, surroundings);
    let at = word_at(subject.tokens, line, column)?;
    let contents = meaning(&subject, source, at)?;
    let extent = subject.tokens.extent_at(at);
    Some(Hover {
        contents,
        line: extent.line,
        column: extent.column,
        end_column: extent.end_column,
    })
}

/// A script as its tokens tell, whether or not it can be parsed.
fn reading(source: &str) -> Reading {
    let tokens = Tokens::of(source);
    Reading {
        functions: Outline::of(&tokens).functions,
        tokens,
        ast: None,
        problems: Vec::new(),
    }
}

fn meaning(subject: &Subject<'_>, source: &str, at: usize) -> Option<String> {
    let tokens = subject.tokens;
    if let Some(text) = tokens.text(at) {
        return own_function(subject, source, text);
    }
    let name = tokens.spots()[at].name()?;
    if tokens.is_member(at) {
        let entries = members_named(subject, at, name);
        return (!entries.is_empty()).then(|| shown(&entries));
    }
    if at > 0 && tokens.is_word(at - 1, "fn") {
        let handler = catalog().handler(name);
        return handler.map_or_else(
            || own_function(subject, source, name),
            |handler| Some(shown(&[handler])),
        );
    }
    let is_call = tokens.is(at + 1, "(");
    if !is_call {
        let kind = subject
            .chain_at(at)
            .and_then(|chain| kind(subject, chain, 0));
        return kind.map(|kind| code(&format!("{name}: {kind}")));
    }
    own_function(subject, source, name)
        .or_else(|| of_host(subject, name))
        .or_else(|| {
            let entries: Vec<&Entry> = catalog()
                .callable()
                .filter(|entry| entry.name == name && entry.receiver.is_none())
                .collect();
            (!entries.is_empty()).then(|| shown(&entries))
        })
}

/// The entries that a word after a dot may mean.
fn members_named(subject: &Subject<'_>, at: usize, name: &str) -> Vec<&'static Entry> {
    let is_it = |entry: &&Entry| entry.name == name && entry.receiver.is_some();
    if let Some(kind) = kind_before(subject, at) {
        return members(kind).filter(is_it).collect();
    }
    // Of what is not known, only what a single type has can be meant.
    let found: Vec<&Entry> = catalog().entries().iter().filter(is_it).collect();
    let first = found.first().and_then(|entry| entry.receiver);
    let is_single = found.iter().all(|entry| entry.receiver == first);
    if is_single { found } else { Vec::new() }
}

/// What belongs to a type; numbers of both kinds have the same, and everything has what any value has.
fn members(kind: Name) -> impl Iterator<Item = &'static Entry> {
    let kind = if kind == "integer" { "number" } else { kind };
    catalog().members(kind).chain(catalog().members("any"))
}

/// The type of what stands before the dot before a word.
fn kind_before(subject: &Subject<'_>, at: usize) -> Option<Name> {
    let is_it =
        |link: &Link| matches!(*link, Link::Property(own) | Link::Method(own, _) if own == at);
    let found = subject.chains.iter().find_map(|chain| {
        let links = chain.links.iter().position(is_it)?;
        Some((chain, links))
    });
    let (chain, links) = found?;
    kind(subject, chain, links)
}

/// The type of a chain after some of its links: what is certain, else what the names tell that
/// everybody uses: `chat`, `message`, `location` ….
fn kind(subject: &Subject<'_>, chain: &Chain, links: usize) -> Option<Name> {
    if let Some(kind) = subject.kinds().after(subject, chain, links) {
        return Some(kind);
    }
    let Root::Name(root) = chain.root else {
        return None;
    };
    let name = subject.tokens.name(root)?;
    let parameters = catalog().handlers().flat_map(|handler| &handler.parameters);
    let of_parameter = parameters
        .filter(|parameter| parameter.name == name)
        .map(|parameter| parameter.of.as_str());
    let nouns = catalog().nouns().iter().map(|noun| noun.name);
    let mut candidates = of_parameter.chain(nouns.filter(|noun| *noun == name));
    kinds::along(subject.tokens, candidates.next()?, &chain.links[..links])
}

/// Entries as a hover shows them.
fn shown(entries: &[&Entry]) -> String {
    let entries = entries.iter().map(|entry| {
        format!(
            "{}\n\n{}",
            code(&reference::written(entry)),
            documentation(entry)
        )
    });
    entries.collect::<Vec<_>>().join("\n\n---\n\n")
}

fn documentation(entry: &Entry) -> String {
    format!("{}\n\n{}", entry.doc, code(&entry.example))
}

fn code(text: &str) -> String {
    format!("```rhai\n{text}\n```")
}

/// A function of the script, with the comment above it.
fn own_function(subject: &Subject<'_>, source: &str, name: &str) -> Option<String> {
    let function = subject.function(name)?;
    let line = usize::try_from(function.extent.line).ok()?;
    let lines: Vec<&str> = source.lines().take(line.saturating_sub(1)).collect();
    let comment = lines
        .iter()
        .rev()
        .map_while(|line| line.trim().strip_prefix("//"));
    let mut comment: Vec<&str> = comment
        .map(|line| line.trim_start_matches('/').trim())
        .collect();
    comment.reverse();
    let signature = format!("fn {name}({})", function.parameters.join(", "));
    Some(
        format!("{}\n\n{}", code(&signature), comment.join("\n"))
            .trim()
            .to_owned(),
    )
}

fn of_host(subject: &Subject<'_>, name: &str) -> Option<String> {
    let (_, arity) = subject.of_host().find(|(own, _)| own == name)?;
    Some(format!(
        "{}\n\nA function of this installation.",
        code(&host_signature(name, *arity))
    ))
}

fn host_signature(name: &str, arity: usize) -> String {
    let values: Vec<String> = (1..=arity).map(|place| format!("value{place}")).collect();
    format!("{name}({})", values.join(", "))
}

/// Whether an entry stands for itself, not on a value.
const fn stands_alone(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::Function | Kind::Constructor)
}
