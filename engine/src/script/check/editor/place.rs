//! Where the cursor stands: after a dot, at the beginning of a word, within quotes, or where nothing
//! can be offered. Knows no entry.

use crate::script::scan::Token;
use crate::script::tokens::Tokens;

/// What stands for the cursor among the tokens; no script has such a name.
const CURSOR: &str = "the_cursor_is_here";

/// Where the cursor stands in a script, and the script with a mark there.
pub(super) struct Place {
    /// The script, with the word that is being written replaced by a mark; quotes are closed after it.
    pub(super) source: String,
    /// What has been written of the word.
    word: String,
    pub(super) is_in_quotes: bool,
}

impl Place {
    /// The place at a line and a column, both from 1; nothing in comments, and between back quotes
    /// outside of `${…}`.
    pub(super) fn of(source: &str, line: u32, column: u32) -> Option<Self> {
        let at = offset(source, line, column)?;
        let (before, after) = source.split_at(at);
        let tokens = Tokens::of(&format!("{before}{CURSOR}"));
        let last = tokens.spots().last()?;
        match &last.token {
            Token::Name(name) => {
                let word = name.strip_suffix(CURSOR)?;
                let before = before.strip_suffix(word)?;
                let after = after.trim_start_matches(is_part_of_name);
                let closing = closing(&tokens, line, after);
                Some(Self {
                    source: format!("{before}{CURSOR}{closing}{after}"),
                    word: word.to_owned(),
                    is_in_quotes: false,
                })
            }
            Token::Text(text) => {
                let word = text.strip_suffix(CURSOR)?;
                let before = before.strip_suffix(word)?.strip_suffix('"')?;
                // The other quote, if there is one yet, stands on the same line.
                let rest = first_line(after).find('"');
                let after = rest.map_or(after, |quote| &after[quote + 1..]);
                let closing = closing(&tokens, line, after);
                Some(Self {
                    source: format!("{before}\"{CURSOR}\"{closing}{after}"),
                    word: word.to_owned(),
                    is_in_quotes: true,
                })
            }
            _ => None,
        }
    }

    /// Where the mark stands among the tokens of `source`.
    pub(super) fn find(tokens: &Tokens) -> Option<usize> {
        let is_mark = |token: &Token| match token {
            Token::Name(text) | Token::Text(text) => text == CURSOR,
            _ => false,
        };
        tokens.spots().iter().position(|spot| is_mark(&spot.token))
    }

    /// Whether what has been written of the word is how a name begins.
    pub(super) fn may_become(&self, name: &str) -> bool {
        let begins = name.to_lowercase().starts_with(&self.word.to_lowercase());
        begins && name != CURSOR
    }
}

/// The name or the text that stands at a line and a column, its end included.
pub(super) fn word_at(tokens: &Tokens, line: u32, column: u32) -> Option<usize> {
    tokens.spots().iter().position(|spot| {
        let extent = spot.extent;
        let is_word = matches!(spot.token, Token::Name(_) | Token::Text(_));
        let is_here = extent.line == line && extent.end_line == line;
        is_word && is_here && (extent.column..=extent.end_column).contains(&column)
    })
}

/// The brackets that are open on a line and not closed on the rest of it: else the functions further
/// down would seem to stand within them.
fn closing(tokens: &Tokens, line: u32, after: &str) -> String {
    let mut open = Vec::new();
    for spot in tokens
        .spots()
        .iter()
        .filter(|spot| spot.extent.line == line)
    {
        match spot.token {
            Token::Symbol("(") => open.push(')'),
            Token::Symbol("[" | "?[") => open.push(']'),
            Token::Symbol("{") => open.push('}'),
            Token::Symbol(")" | "]" | "}") => {
                open.pop();
            }
            _ => {}
        }
    }
    let rest = first_line(after);
    // A block goes on below.
    open.retain(|bracket| *bracket != '}' && !rest.contains(*bracket));
    open.into_iter().rev().collect()
}

fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

/// The byte at a line and a column, in characters; the end of the line if it is shorter.
fn offset(source: &str, line: u32, column: u32) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let text = source.split('\n').nth(line)?;
    let start: usize = source
        .split('\n')
        .take(line)
        .map(|text| text.len() + 1)
        .sum();
    let within = text.char_indices().nth(column);
    Some(start + within.map_or(text.len(), |(at, _)| at))
}

fn is_part_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
