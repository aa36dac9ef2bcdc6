//! The catalog as Markdown: the whole reference, single entries, and an overview in tables.
//! Knows no files; who keeps the text decides where.

use super::{Language, written};
use crate::script::catalog::{Chapter, Entry, Kind, catalog};

const HEAD: &str = "\
# Reference

Everything that a rule can write, with an example of each; `rejoinder docs <name>` shows the same in a terminal.
[`README.md`](README.md) is the guide to begin with.
This page is made from the source: do not edit it.

How to read it: `text|array` is one or the other, `time?` may be `()`, \"nothing there\", and `name?: text` can be left out.
Where a `duration` is needed, a text such as `\"2d\"` will do; a `handler` is the name of a function of the same rule, in quotes.
";

const HEAD_OF_TESTS: &str = "\
# Reference of tests

What a test can write besides everything that makes content, templates, times and texts in rules ([`REFERENCE.md`](REFERENCE.md)).
`rejoinder docs <name>` shows the same in a terminal; [`README.md`](README.md#testing) is the guide to begin with.
This page is made from the source: do not edit it.
";

/// The whole reference of a language.
pub fn markdown(language: Language) -> String {
    let head = match language {
        Language::Rules => HEAD,
        Language::Tests => HEAD_OF_TESTS,
    };
    let mut text = head.to_owned();
    text.push('\n');
    for chapter in language.chapters() {
        text.push_str(&format!(
            "- [{}](#{})\n",
            chapter.title,
            anchor(chapter.title)
        ));
    }
    for chapter in language.chapters() {
        text.push_str(&format!(
            "\n## {}\n\n{}\n",
            chapter.title,
            sentences(chapter.doc)
        ));
        text.push_str(&entries(language.of_chapter(chapter)));
        if language == Language::Rules {
            text.push_str(&more(chapter));
        }
    }
    text
}

/// Some entries, each with a heading of its own.
pub fn entries<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let entries = entries.into_iter().map(|entry| {
        format!(
            "\n### `{}`\n\n{}\n\n```rhai\n{}\n```\n",
            written(entry),
            entry.doc,
            entry.example
        )
    });
    entries.collect()
}

/// Every entry of ours as a line of a table, a table for each chapter; what Rhai brings along is left out.
pub fn overview() -> String {
    let mut text = String::new();
    for chapter in Language::Rules.chapters() {
        let in_chapter = Language::Rules.of_chapter(chapter);
        let ours: Vec<&Entry> = in_chapter.filter(|entry| !entry.of_rhai).collect();
        if ours.is_empty() {
            continue;
        }
        text.push_str(&format!(
            "\n**[{}](REFERENCE.md#{})**\n\n| | |\n|---|---|\n",
            chapter.title,
            anchor(chapter.title)
        ));
        for entry in ours {
            let call = short(entry).replace('|', "\\|");
            let summary = entry.summary().replace('\n', " ").replace('|', "\\|");
            text.push_str(&format!("| `{call}` | {summary} |\n"));
        }
    }
    text
}

/// An entry without its types.
fn short(entry: &Entry) -> String {
    let written = written(entry);
    let end = if entry.kind == Kind::Property {
        ':'
    } else {
        '('
    };
    let path = written.split(end).next().unwrap_or_default();
    if entry.kind == Kind::Property {
        return path.to_owned();
    }
    let names = entry.parameters.iter().map(|own| {
        let mark = if own.optional { "?" } else { "" };
        format!("{}{mark}", own.name)
    });
    format!("{path}({})", names.collect::<Vec<_>>().join(", "))
}

/// What Rhai brings along beyond the entries, in one line.
fn more(chapter: &Chapter) -> String {
    let more = catalog().more().iter();
    let more = more.filter(|more| more.chapter == chapter.title);
    let names: Vec<String> = more.map(|more| format!("`{}`", more.name)).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "\nRhai also has {}; [its book](https://rhai.rs/book/) tells what they do.\n",
        names.join(", ")
    )
}

/// One sentence per line, so that a change shows where it is.
fn sentences(doc: &str) -> String {
    doc.replace(". ", ".\n")
}

/// The address of a heading on its page.
fn anchor(title: &str) -> String {
    title.to_lowercase().replace(' ', "-")
}
