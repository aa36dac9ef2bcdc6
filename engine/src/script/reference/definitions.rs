//! The catalog as Rhai's definition file, `api.d.rhai`, for editors that understand Rhai.
//! Knows no reader but those.

use crate::script::catalog::{Catalog, Chapter, Entry, Kind, Type, catalog};

const HEAD: &str = "\
// What rules of Rejoinder can write, for editors that understand Rhai.
// Made from the entries in engine/src/script/api; `UPDATE=1 tests/run --fast reference` makes it anew.

module static;
";

/// The definition file.
pub fn definitions() -> String {
    let catalog = catalog();
    let mut text = HEAD.to_owned();
    for chapter in catalog.chapters() {
        text.push_str(&of_chapter(catalog, chapter));
    }
    text
}

fn of_chapter(catalog: &Catalog, chapter: &Chapter) -> String {
    let mut text = format!("\n// {}\n", chapter.title);
    let of_chapter = |entry: &&Entry| entry.chapter == chapter.title;
    for entry in catalog.entries().iter().filter(of_chapter) {
        text.push('\n');
        for line in entry.doc.lines() {
            text.push_str(format!("/// {line}").trim_end());
            text.push('\n');
        }
        text.push_str("///\n/// ```rhai\n");
        for line in entry.example.lines() {
            text.push_str(format!("/// {line}").trim_end());
            text.push('\n');
        }
        text.push_str("/// ```\n");
        for count in entry.arities() {
            text.push_str(&function(entry, count));
        }
    }
    let more = catalog.more().iter();
    for more in more.filter(|more| more.chapter == chapter.title) {
        text.push_str(&format!("\n/// `{}`\n", more.example));
        for count in more.values {
            let values: Vec<String> = (1..=*count)
                .map(|place| format!("value{place}: ?"))
                .collect();
            text.push_str(&format!("fn {}({}) -> ?;\n", more.name, values.join(", ")));
        }
    }
    text
}

/// An entry with so many of its parameters.
fn function(entry: &Entry, count: usize) -> String {
    let receiver = entry.receiver.map(|own| format!("{own}: {}", type_of(own)));
    let parameters = entry.parameters.iter().take(count);
    let parameters = parameters.map(|own| format!("{}: {}", own.name, written(own.of)));
    let parameters: Vec<String> = receiver.into_iter().chain(parameters).collect();
    let get = if entry.kind == Kind::Property {
        "get "
    } else {
        ""
    };
    let returns = entry.returns.map_or("()".to_owned(), written);
    format!(
        "fn {get}{}({}) -> {returns};\n",
        entry.name,
        parameters.join(", ")
    )
}

fn written(of: Type) -> String {
    let mut types: Vec<&str> = of.alternatives().map(type_of).collect();
    if of.may_be_nothing() {
        types.push("()");
    }
    types.join(" | ")
}

/// A type in the words of Rhai's definitions; nouns keep their own.
fn type_of(name: &'static str) -> &'static str {
    match name {
        "text" | "handler" | "cron" | "pattern" => "String",
        "integer" => "int",
        "number" => "float",
        "array" => "Array",
        "map" => "Map",
        "function" => "FnPtr",
        "any" => "?",
        other => other,
    }
}
