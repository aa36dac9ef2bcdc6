//! Everything that a script can write: handlers, functions, properties and statements, each with its
//! signature, what it does, and an example. Knows neither how any of it is done nor who reads it.

mod read;

use std::sync::LazyLock;

use super::{api, testing};

/// What every script can write; the same in each process of this version.
pub fn catalog() -> &'static Catalog {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(api::catalog);
    &CATALOG
}

/// What every test can write: content, templates, times and texts as in rules, and what is its own.
pub fn of_tests() -> &'static Catalog {
    static OF_TESTS: LazyLock<Catalog> = LazyLock::new(testing::catalog);
    &OF_TESTS
}

/// Everything that a script can write, in the order of the reference.
#[derive(Default)]
pub struct Catalog {
    pub(super) chapters: Vec<Chapter>,
    pub(super) nouns: Vec<Noun>,
    pub(super) entries: Vec<Entry>,
    pub(super) more: Vec<More>,
}

/// A part of the reference: entries that belong together.
pub struct Chapter {
    /// As it stands above the entries.
    pub title: &'static str,
    /// What is true of all of them, in Markdown.
    pub doc: &'static str,
}

/// A type whose values have properties and methods of their own.
pub struct Noun {
    /// As entries name it in `receiver` and in types.
    pub name: &'static str,
    /// As a script reaches it, or a person calls it: `chat.window`, `a time`.
    pub shown: &'static str,
}

/// One thing that a script can write.
#[derive(Debug)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// The type it belongs to: the `chat` of `chat.reply(…)`.
    pub receiver: Option<&'static str>,
    /// Its own name.
    pub name: &'static str,
    /// What is given to it, the receiver aside.
    pub parameters: Vec<Parameter>,
    /// What it gives back; `None` for nothing of use.
    pub returns: Option<Type>,
    /// All of the above as one line, for people.
    pub signature: &'static str,
    /// What it is for, when it takes effect, and its limits, in Markdown; the first paragraph alone says what it does.
    pub doc: String,
    /// How it is written in a rule.
    pub example: String,
    /// The title of its chapter.
    pub chapter: &'static str,
    /// Whether it comes with Rhai rather than with us.
    pub of_rhai: bool,
}

/// A function that Rhai brings along and rules rarely need: known, so that it is not called wrong.
#[derive(Clone, Copy, Debug)]
pub struct More {
    /// Its name.
    pub name: &'static str,
    /// How many values it takes, the one before the dot counted.
    pub values: &'static [usize],
    /// A call of it.
    pub example: &'static str,
    /// The title of the chapter that it goes with.
    pub chapter: &'static str,
}

impl More {
    pub(super) const fn new(
        name: &'static str,
        values: &'static [usize],
        example: &'static str,
    ) -> Self {
        Self {
            name,
            values,
            example,
            chapter: "",
        }
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A function that a rule defines and an event calls.
    Handler,
    /// What stands at the top of a script, outside of functions.
    Statement,
    /// Called on a value: `chat.reply(…)`.
    Method,
    /// Read from a value: `chat.window`.
    Property,
    /// Makes something that can be sent: `image(…)`.
    Constructor,
    /// Called by its name alone.
    Function,
}

impl Kind {
    /// Its stable key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Statement => "statement",
            Self::Method => "method",
            Self::Property => "property",
            Self::Constructor => "constructor",
            Self::Function => "function",
        }
    }
}

/// What is given to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What the reference calls it.
    pub name: &'static str,
    /// What it may be.
    pub of: Type,
    /// Whether it can be left out.
    pub optional: bool,
}

/// What a value is, in the words of tenants: `text`, `text|array`, or `time?` where it may be `()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type(&'static str);

impl Type {
    /// Besides the nouns: what values are, and what a text stands for where its content matters
    /// (`handler`, the name of a function of the rule; `cron`, a line of a schedule; `pattern`, a
    /// regular expression).
    const NAMES: [&str; 16] = [
        "text", "integer", "number", "bool", "array", "map", "range", "function", "any", "content",
        "template", "time", "duration", "handler", "cron", "pattern",
    ];

    /// As written in the signature.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The types that it may be, `()` aside.
    pub fn alternatives(self) -> impl Iterator<Item = &'static str> {
        self.0.trim_end_matches('?').split('|')
    }

    /// Whether there may be nothing, `()`.
    pub fn may_be_nothing(self) -> bool {
        self.0.ends_with('?')
    }
}

impl Catalog {
    /// The parts of the reference, in its order.
    pub fn chapters(&self) -> &[Chapter] {
        &self.chapters
    }

    /// The types that have properties and methods.
    pub fn nouns(&self) -> &[Noun] {
        &self.nouns
    }

    /// All entries, in the order of the reference.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries of a name; several nouns may have one.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.name == name)
    }

    /// The properties and methods of a type.
    pub fn members(&self, noun: &str) -> impl Iterator<Item = &Entry> {
        let is_member = move |entry: &&Entry| entry.receiver == Some(noun);
        self.entries.iter().filter(is_member)
    }

    /// The functions that events call.
    pub fn handlers(&self) -> impl Iterator<Item = &Entry> + Clone {
        let is_handler = |entry: &&Entry| entry.kind == Kind::Handler;
        self.entries.iter().filter(is_handler)
    }

    /// The function of a name that events call.
    pub fn handler(&self, name: &str) -> Option<&Entry> {
        self.handlers().find(|entry| entry.name == name)
    }

    /// What can be called, as a function, on a value, or at the top.
    pub fn callable(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.is_callable())
    }

    /// What Rhai brings along beyond the entries.
    pub fn more(&self) -> &[More] {
        &self.more
    }

    /// Whether values of Rhai (text, arrays, numbers, ranges) have a property of a name; a map has any.
    pub fn is_property_of_rhai(&self, name: &str) -> bool {
        api::PROPERTIES_OF_RHAI.contains(&name)
    }

    /// What to write instead of a word that scripts must do without, such as `sleep`.
    pub fn instead_of(&self, name: &str) -> Option<&'static str> {
        api::refused(name)
    }

    /// Whether there is a function of a name, and whether one of them takes so many values, the one
    /// before the dot counted. Functions of the script and of the host are not known here.
    pub fn takes(&self, name: &str, values: usize) -> Option<bool> {
        let ours = self.callable().filter(|entry| entry.name == name);
        let ours = ours.map(|entry| {
            let receiver = usize::from(entry.receiver.is_some());
            values >= receiver && entry.arities().contains(&(values - receiver))
        });
        let more = self.more.iter().filter(|more| more.name == name);
        let more = more.map(|more| more.values.contains(&values));
        ours.chain(more).reduce(|one, other| one || other)
    }

    /// How a function is called, from its examples: on `receiver` where one of the name is, else wherever.
    pub(super) fn usage(&self, name: &str, receiver: Option<&str>) -> Option<String> {
        let ours = |entry: &&Entry| entry.name == name && !entry.of_rhai;
        let of_name = || self.callable().filter(ours);
        let fits = |entry: &&Entry| receiver.is_some() && entry.receiver == receiver;
        let mut usages: Vec<&str> = of_name().filter(fits).flat_map(Entry::usages).collect();
        if usages.is_empty() {
            usages.extend(of_name().flat_map(Entry::usages));
        }
        (!usages.is_empty()).then(|| usages.join(", or "))
    }

    /// How a type is spoken of.
    pub(super) fn shown(&self, noun: &'static str) -> &'static str {
        let found = self.nouns.iter().find(|own| own.name == noun);
        found.map_or(noun, |noun| noun.shown)
    }
}

impl Entry {
    /// How few and how many values it takes, the receiver aside.
    pub fn arities(&self) -> std::ops::RangeInclusive<usize> {
        let needed = self.parameters.iter().filter(|own| !own.optional).count();
        needed..=self.parameters.len()
    }

    /// Its name with the names of its parameters: `on_message(chat, message)`.
    pub fn as_called(&self) -> String {
        let names: Vec<&str> = self.parameters.iter().map(|own| own.name).collect();
        format!("{}({})", self.name, names.join(", "))
    }

    /// Whether it is called with brackets, by a script.
    pub const fn is_callable(&self) -> bool {
        !matches!(self.kind, Kind::Property | Kind::Handler)
    }

    /// What it does, in its shortest form: the first paragraph of its documentation.
    pub fn summary(&self) -> &str {
        self.doc.split("\n\n").next().unwrap_or_default()
    }

    /// The types that its signature names.
    pub(super) fn types(&self) -> impl Iterator<Item = &'static str> {
        let parameters = self.parameters.iter().map(|parameter| parameter.of);
        parameters.chain(self.returns).flat_map(Type::alternatives)
    }
}

/// Whether a type is one of ours.
pub(super) fn is_type(name: &str, catalog: &Catalog) -> bool {
    Type::NAMES.contains(&name) || catalog.nouns.iter().any(|noun| noun.name == name)
}
