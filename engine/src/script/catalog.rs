//! Everything that a script can write: handlers, functions, properties and statements, each with its
//! signature, what it does, and an example. Knows neither how any of it is done nor who reads it.

use std::sync::LazyLock;

use super::api;

/// What every script can write; the same in each process of this version.
pub fn catalog() -> &'static Catalog {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(api::catalog);
    &CATALOG
}

/// Everything that a script can write, in the order of the reference.
#[derive(Default)]
pub struct Catalog {
    pub(super) chapters: Vec<Chapter>,
    pub(super) nouns: Vec<Noun>,
    pub(super) entries: Vec<Entry>,
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

    /// How a function is called, from its examples: on `receiver` where one of the name is, else wherever.
    pub(super) fn usage(&self, name: &str, receiver: Option<&str>) -> Option<String> {
        let of_name = || self.callable().filter(|entry| entry.name == name);
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
    /// Reads a signature such as `chat.reply(content: content, otherwise?: template) -> text`, and a
    /// documentation that ends with an example between "```rhai" and "```".
    ///
    /// # Panics
    /// If there is a mistake in either; both are written in our own source and read by every test.
    pub(super) fn read(signature: &'static str, documentation: &str) -> Self {
        let (head, returns) = match signature.split_once(" -> ") {
            Some((head, returns)) => (head, Some(Type(returns))),
            None => (signature, None),
        };
        let (path, parameters, returns) = match head.split_once('(') {
            Some((path, rest)) => (path, parameters(rest, signature), returns),
            None => match head.split_once(": ") {
                Some((path, of)) => (path, Vec::new(), Some(Type(of))),
                None => panic!("{signature}: a property is written noun.name: type"),
            },
        };
        let (receiver, name) = match path.split_once('.') {
            Some((receiver, name)) => (Some(receiver), name),
            None => (None, path),
        };
        let is_content = |of: Type| matches!(of.as_str(), "content" | "template");
        let kind = match receiver {
            Some(_) if head.contains('(') => Kind::Method,
            Some(_) => Kind::Property,
            None if returns.is_some_and(is_content) => Kind::Constructor,
            None => Kind::Function,
        };
        let (doc, example) = documented(documentation);
        assert!(!doc.is_empty(), "{signature}: the documentation is missing");
        assert!(!example.is_empty(), "{signature}: the example is missing");
        Self {
            kind,
            receiver,
            name,
            parameters,
            returns,
            signature,
            doc,
            example,
            chapter: "",
        }
    }

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

    /// The calls in its example, from the beginning of their chain to their closing bracket.
    fn usages(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for (at, _) in self.example.match_indices(self.name) {
            let end = at + self.name.len();
            let own = !self.example[..at].ends_with(is_part_of_name);
            if !own || !self.example[end..].starts_with('(') {
                continue;
            }
            let call = &self.example
                [start_of_chain(&self.example, at)..end_of_brackets(&self.example, end)];
            if !found.contains(&call) {
                found.push(call);
            }
        }
        found
    }
}

/// Whether a type is one of ours.
pub(super) fn is_type(name: &str, catalog: &Catalog) -> bool {
    Type::NAMES.contains(&name) || catalog.nouns.iter().any(|noun| noun.name == name)
}

fn parameters(rest: &'static str, signature: &str) -> Vec<Parameter> {
    let Some(list) = rest.strip_suffix(')') else {
        panic!("{signature}: the closing bracket is missing");
    };
    let parameters = list.split(", ").filter(|text| !text.is_empty());
    parameters
        .map(|text| match text.split_once(": ") {
            Some((name, of)) => Parameter {
                name: name.trim_end_matches('?'),
                of: Type(of),
                optional: name.ends_with('?'),
            },
            None => panic!("{signature}: a parameter is written name: type"),
        })
        .collect()
}

/// A documentation as its prose and its example.
fn documented(text: &str) -> (String, String) {
    let (mut doc, mut example) = (String::new(), String::new());
    let mut into_example = false;
    for line in text.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line);
        match line {
            "```rhai" => into_example = true,
            "```" => into_example = false,
            _ => {
                let into = if into_example { &mut example } else { &mut doc };
                into.push_str(line);
                into.push('\n');
            }
        }
    }
    (doc.trim().to_owned(), example.trim().to_owned())
}

fn is_part_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Where `a.b(c).` begins, of which the next name stands at `at`.
fn start_of_chain(text: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    let mut start = at;
    for (index, letter) in text[..at].char_indices().rev() {
        match letter {
            ')' | ']' => depth += 1,
            '(' | '[' if depth > 0 => depth -= 1,
            '.' => {}
            _ if depth > 0 || is_part_of_name(letter) => {}
            _ => break,
        }
        start = index;
    }
    start
}

/// Where the bracket that opens at `open` has been closed.
fn end_of_brackets(text: &str, open: usize) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (index, letter) in text[open..].char_indices() {
        match (quote, letter) {
            (None, '"' | '`') => quote = Some(letter),
            (Some(mark), _) if mark == letter => quote = None,
            (Some(_), _) => {}
            (None, '(') => depth += 1,
            (None, ')') if depth == 1 => return open + index + 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{Entry, Kind};

    #[test]
    fn a_signature_tells_names_and_types_and_an_example_tells_the_call() {
        let entry = Entry::read(
            "chat.reply(content: content|text, otherwise?: template) -> any",
            " Answers.\n\n Later.\n\n ```rhai\n let a = (b + 1).reply(\"a)\", f(2)); chat.reply(`x`);\n ```\n",
        );
        assert_eq!(
            (entry.kind, entry.receiver, entry.name),
            (Kind::Method, Some("chat"), "reply")
        );
        assert_eq!(entry.arities(), 1..=2);
        assert_eq!(
            entry.types().collect::<Vec<_>>(),
            ["content", "text", "template", "any"]
        );
        assert_eq!(entry.summary(), "Answers.");
        assert_eq!(
            entry.usages(),
            ["(b + 1).reply(\"a)\", f(2))", "chat.reply(`x`)"]
        );
    }
}
