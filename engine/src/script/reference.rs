//! The reference of what rules and their tests can write, made from the catalogs: as Markdown, for a
//! terminal, and as Rhai's definitions. Knows nothing that the catalogs do not say.

mod definitions;
mod markdown;
mod plain;

use super::catalog::{Catalog, Chapter, Entry, catalog, of_tests};
use super::explain::nearest;

pub use definitions::definitions;
pub use markdown::{entries as markdown_of, markdown, overview};
pub use plain::{entries as plain_of, plain};

/// Whose language a reference is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// That of rules.
    Rules,
    /// That of their tests: only what rules cannot write as well.
    Tests,
}

impl Language {
    /// Its parts, in order.
    pub fn chapters(self) -> impl Iterator<Item = &'static Chapter> {
        let all = match self {
            Self::Rules => catalog(),
            Self::Tests => of_tests(),
        };
        let has_entries =
            move |chapter: &&Chapter| self.entries().any(|own| own.chapter == chapter.title);
        all.chapters().iter().filter(has_entries)
    }

    /// Its entries, in order.
    pub fn entries(self) -> impl Iterator<Item = &'static Entry> {
        let rules = catalog().entries();
        let all = match self {
            Self::Rules => rules,
            Self::Tests => of_tests().entries(),
        };
        let is_own = move |entry: &&Entry| {
            self == Self::Rules || rules.iter().all(|rule| rule.signature != entry.signature)
        };
        all.iter().filter(is_own)
    }

    fn of_chapter(self, chapter: &Chapter) -> impl Iterator<Item = &'static Entry> {
        let title = chapter.title;
        self.entries().filter(move |entry| entry.chapter == title)
    }
}

/// The entries that a person means by a name, those of rules before those of tests: `reply`, `chat.reply`, `chat.contact.tag`, `on_message`,
/// the name of a type for all that belongs to it, or the title of a chapter.
pub fn find(name: &str) -> Vec<&'static Entry> {
    let found = find_in(Language::Rules, name);
    if found.is_empty() {
        return find_in(Language::Tests, name);
    }
    found
}

fn find_in(language: Language, name: &str) -> Vec<&'static Entry> {
    let catalog = catalog();
    let name = name.trim().trim_end_matches("()").to_lowercase();
    let (path, last) = match name.rsplit_once('.') {
        Some((path, last)) => (Some(path), last),
        None => (None, name.as_str()),
    };
    let of_path = |entry: &&Entry| match (path, entry.receiver) {
        (None, _) => true,
        (Some(path), Some(receiver)) => path == receiver || path == catalog.path(receiver),
        (Some(_), None) => false,
    };
    let of_name = |entry: &&Entry| entry.name.eq_ignore_ascii_case(last);
    let pick = |fits: &dyn Fn(&&Entry) -> bool| -> Vec<&'static Entry> {
        language.entries().filter(|entry| fits(entry)).collect()
    };
    let exact = pick(&|entry| of_name(entry) && of_path(entry));
    let members = pick(&|entry| {
        let receiver = entry.receiver;
        receiver.is_some_and(|own| own == name || catalog.path(own) == name)
    });
    // `chat.contact` is a property and a noun, `location` makes a place and is a noun: both are meant.
    let found: Vec<&Entry> = exact.into_iter().chain(members).collect();
    if found.is_empty() {
        return pick(&|entry| entry.chapter.to_lowercase() == name);
    }
    found
}

/// What to say about a name that is in no entry: what Rhai has under it, what to write instead, or
/// which name may have been meant.
pub fn not_found(name: &str) -> String {
    let catalog = catalog();
    let last = name.rsplit('.').next().unwrap_or(name);
    if let Some(more) = catalog.more().iter().find(|more| more.name == last) {
        return format!(
            "{last} comes with Rhai, as in {}; https://rhai.rs/book tells more",
            more.example
        );
    }
    if let Some(instead) = catalog.instead_of(last) {
        return format!("there is no {last}: {instead}");
    }
    let entries = Language::Rules.entries().chain(Language::Tests.entries());
    let names = entries.map(|entry| entry.name);
    let names = names.chain(catalog.nouns().iter().map(|noun| noun.name));
    match nearest(last, names) {
        Some(near) => format!("there is no {name}; did you mean {near}?"),
        None => format!("there is no {name}; `rejoinder docs` lists everything"),
    }
}

/// An entry as a script writes it, with the types: `chat.contact.tag(tag: text)`.
pub(super) fn written(entry: &Entry) -> String {
    let Some(receiver) = entry.receiver else {
        return entry.signature.to_owned();
    };
    let rest = entry.signature.strip_prefix(receiver).unwrap_or_default();
    let path = catalog().path(receiver);
    format!("{path}{rest}")
}

impl Catalog {
    /// How a script reaches a value of a type: as a parameter of a handler, or through the chat; else
    /// the type's own name.
    pub fn path(&self, noun: &'static str) -> &'static str {
        let is_noun = |of: super::catalog::Type| of.as_str() == noun;
        let mut parameters = self.handlers().flat_map(|handler| &handler.parameters);
        if let Some(parameter) = parameters.find(|parameter| is_noun(parameter.of)) {
            return parameter.name;
        }
        let through_chat =
            |entry: &&Entry| entry.name == noun && entry.returns.is_some_and(is_noun);
        match self.members("chat").find(through_chat) {
            Some(entry) => entry.signature.split(':').next().unwrap_or(noun),
            None => noun,
        }
    }
}
