//! What the program prints: for people at 80 columns, or the API's JSON for machines.
//! Knows no resource; a table is told which members of the JSON are its columns.

use std::io::{self, IsTerminal, Write};

use rejoinder_engine::script::{Diagnostic, Severity};
use serde::Serialize;
use serde_json::Value;

/// Columns of the narrowest terminal that we write for.
pub(crate) const WIDTH: usize = 80;

/// Whom the output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// People.
    Human,
    /// Machines.
    Json,
}

/// A column: its heading, and the member of each item that stands below it.
pub(crate) type Column = (&'static str, &'static str);

impl Format {
    /// Prints one thing: its members, one a line.
    pub(crate) fn one(self, value: &impl Serialize) {
        let value = plain(value);
        match (self, &value) {
            (Self::Human, Value::Object(members)) => {
                let widest = members.keys().map(String::len).max().unwrap_or(0);
                for (name, value) in members {
                    line(&format!("{name:widest$}  {}", cell(value)));
                }
            }
            _ => json(&value),
        }
    }

    /// Prints the list that `value` holds under `member`.
    pub(crate) fn list(self, value: &impl Serialize, member: &str, columns: &[Column]) {
        let value = plain(value);
        if self == Self::Json {
            return json(&value);
        }
        let items = value[member].as_array().map_or(&[][..], Vec::as_slice);
        if items.is_empty() {
            return line(&format!("no {member}"));
        }
        for row in table(items, columns) {
            line(&row);
        }
        if let Some(next) = value["next"].as_str() {
            line(&format!("more with --after {next}"));
        }
    }
}

fn plain(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("our own types have string keys")
}

fn table(items: &[Value], columns: &[Column]) -> Vec<String> {
    let heading = columns.iter().map(|(heading, _)| (*heading).to_owned());
    let mut rows = vec![heading.collect::<Vec<_>>()];
    rows.extend(items.iter().map(|item| {
        let cells = columns.iter().map(|(_, member)| cell(&item[*member]));
        cells.collect()
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    rows.iter().map(|row| fit(row, &widths)).collect()
}

/// A row in its columns; what does not fit is cut, with a sign that it was.
fn fit(row: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, width) in row.iter().zip(widths) {
        text.push_str(cell);
        text.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
    }
    let text = text.trim_end();
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// A value on one line. Customers' texts must not steer the terminal.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => moment(text).unwrap_or(text).to_owned(),
        other => other.to_string(),
    };
    text.chars()
        .map(|letter| if steers(letter) { ' ' } else { letter })
        .collect()
}

/// Whether a letter would steer the terminal, or turn around what stands beside it.
fn steers(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of some lines in which nothing steers the terminal: names and reasons come from elsewhere.
fn tame(text: &str) -> String {
    text.chars()
        .map(|letter| {
            if letter != '\n' && steers(letter) {
                ' '
            } else {
                letter
            }
        })
        .collect()
}

/// A moment to the second: nobody reads the rest.
fn moment(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let is_moment = bytes.len() == 24
        && bytes[0].is_ascii_digit()
        && bytes[10] == b'T'
        && bytes[19] == b'.'
        && bytes[23] == b'Z';
    if is_moment { text.get(..19) } else { None }
}

fn json(value: &Value) {
    let text = serde_json::to_string_pretty(value).expect("JSON is JSON");
    line(&text);
}

/// Prints a line for whoever reads the output. Nobody does any more? Then there is nothing to tell.
pub(crate) fn line(text: &str) {
    raw(&tame(text));
}

fn raw(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints what is wrong with a script, with the line where it is and a mark under it.
pub(crate) fn diagnostic_in(file: &str, source: &str, found: &Diagnostic) {
    let text = diagnostic(file, found);
    let (above, below) = excerpt(source, found);
    if !io::stdout().is_terminal() {
        line(&text);
        line(&above);
        return line(&below);
    }
    let colour = match found.severity {
        Severity::Error => "\u{1b}[31m",
        Severity::Warning => "\u{1b}[33m",
    };
    const BOLD: &str = "\u{1b}[1m";
    const END: &str = "\u{1b}[0m";
    raw(&format!("{BOLD}{}{END}", tame(&text)));
    line(&above);
    raw(&format!("{colour}{}{END}", tame(&below)));
}

/// The line of a script where something stands, cut to the width, and the marks below it.
fn excerpt(source: &str, found: &Diagnostic) -> (String, String) {
    const INDENT: &str = "    ";
    let place = |number: u32| usize::try_from(number.saturating_sub(1)).unwrap_or(0);
    let letters: Vec<char> = source
        .lines()
        .nth(place(found.line))
        .unwrap_or_default()
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let start = place(found.column).min(letters.len());
    let end = if found.end_line == found.line {
        place(found.end_column).clamp(start, letters.len())
    } else {
        letters.len()
    };
    // What is too long shows what lies around its mark.
    let width = WIDTH - INDENT.len();
    let first = if start < width { 0 } else { start - width / 2 };
    let shown: String = letters.iter().skip(first).take(width).collect();
    let marks = (end - start).clamp(1, (first + width).saturating_sub(start).max(1));
    (
        format!("{INDENT}{}", shown.trim_end()),
        format!("{INDENT}{}{}", " ".repeat(start - first), "^".repeat(marks)),
    )
}

/// Asks for a line at the terminal: what is typed stands behind it.
pub(crate) fn prompt(text: &str) {
    let mut out = io::stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// Says at a terminal what goes on; the next one takes its place, and an empty one wipes it away.
pub(crate) fn status(text: &str) {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        let text: String = tame(text).chars().take(WIDTH - 1).collect();
        let _ = write!(err, "\r\x1b[2K{text}").and_then(|()| err.flush());
    }
}

/// Breaks a text into lines of at most `width` letters, at spaces where it can.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let lines = fill(text, width).into_iter();
    lines
        .flat_map(|line| {
            // An address may be longer than a line.
            let letters: Vec<char> = line.chars().collect();
            let parts = letters.chunks(width).map(|part| part.iter().collect());
            let parts: Vec<String> = parts.collect();
            if parts.is_empty() { vec![line] } else { parts }
        })
        .collect()
}

/// The lines of a text, each as wide as may be. A word that is longer stays whole: people copy it.
pub(crate) fn fill(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut length = 0;
        for word in paragraph.split(' ') {
            let letters = word.chars().count();
            if length > 0 && length + 1 + letters > width {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += letters;
        }
        lines.push(line);
    }
    lines
}

/// Prints a line for the person at the terminal, beside the output.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", tame(text));
}

/// What is wrong with a script on one line, as editors understand it.
pub(crate) fn diagnostic(file: &str, found: &Diagnostic) -> String {
    format!(
        "{file}:{}:{}: {}: {}",
        found.line,
        found.column,
        found.severity.name(),
        found.message
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_long_line_breaks_at_a_space_and_a_long_word_anywhere() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("one\ntwo", 8), ["one", "two"]);
        assert_eq!(
            wrap("see https://example", 8),
            ["see", "https://", "example"]
        );
    }

    #[test]
    fn a_table_fits_eighty_columns_and_holds_no_control_characters() {
        let items = [
            json!({"at": "2026-11-22T10:00:00.123Z", "text": format!("a\u{1b}[2J\n{}", "x".repeat(99))}),
        ];
        let rows = table(&items, &[("TIME", "at"), ("TEXT", "text")]);
        assert_eq!(rows[0], "TIME                 TEXT");
        assert!(
            rows[1].starts_with("2026-11-22T10:00:00  a [2J xxx"),
            "{}",
            rows[1]
        );
        assert_eq!(rows[1].chars().count(), WIDTH);
        assert!(rows[1].ends_with('…'));
    }
}
