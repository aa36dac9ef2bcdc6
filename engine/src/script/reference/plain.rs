//! The catalog as text for a terminal. Knows no colours.

use super::{Language, written};
use crate::script::catalog::Entry;

/// Columns of the narrowest terminal that we write for.
const WIDTH: usize = 80;

/// The whole reference of a language.
pub fn plain(language: Language) -> String {
    let mut text = String::new();
    for chapter in language.chapters() {
        let rule = "=".repeat(chapter.title.chars().count());
        text.push_str(&format!("{}\n{rule}\n\n", chapter.title));
        text.push_str(&wrapped(chapter.doc, 0));
        text.push('\n');
        text.push_str(&entries(language.of_chapter(chapter)));
    }
    text
}

/// Some entries.
pub fn entries<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let mut text = String::new();
    for entry in entries {
        text.push_str(&written(entry));
        text.push_str("\n\n");
        for paragraph in entry.doc.split("\n\n") {
            text.push_str(&wrapped(paragraph, 4));
            text.push('\n');
        }
        for line in entry.example.lines() {
            text.push_str(format!("        {line}").trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

/// A paragraph broken into lines that fit.
fn wrapped(paragraph: &str, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let mut lines = vec![String::new()];
    for word in paragraph.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && indent + line + 1 + word.chars().count() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
        .iter()
        .map(|line| format!("{margin}{line}\n"))
        .collect()
}
