//! The tokens of a script with their brackets paired, and how calls are read from them.
//! Knows no function and no name.

use std::ops::Range;

use super::diagnostic::Extent;
use super::scan::{Spot, Token, scan};

/// A script as its tokens.
pub(super) struct Tokens {
    spots: Vec<Spot>,
    /// For each opening bracket the place of its closing one, or the end.
    ends: Vec<usize>,
}

/// `key: value` in a map.
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    /// Where the key stands.
    pub(super) at: usize,
    pub(super) value: Range<usize>,
}

/// Words of the language, which name neither a value nor a function.
const KEYWORDS: [&str; 21] = [
    "fn", "private", "let", "const", "if", "else", "switch", "for", "in", "while", "loop", "do",
    "until", "break", "continue", "return", "throw", "try", "catch", "true", "false",
];

impl Tokens {
    /// The tokens of a script.
    pub(super) fn of(source: &str) -> Self {
        let spots = scan(source);
        let mut ends = vec![0; spots.len()];
        let mut open = Vec::new();
        for (at, spot) in spots.iter().enumerate() {
            match spot.token {
                Token::Symbol("(" | "[" | "?[" | "{") => {
                    open.push(at);
                    ends[at] = spots.len();
                }
                Token::Symbol(")" | "]" | "}") => {
                    if let Some(start) = open.pop() {
                        ends[start] = at;
                    }
                }
                _ => {}
            }
        }
        Self { spots, ends }
    }

    /// All of them.
    pub(super) fn spots(&self) -> &[Spot] {
        &self.spots
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.spots.len()
    }

    /// Whether a symbol stands at a place.
    pub(super) fn is(&self, at: usize, symbol: &str) -> bool {
        self.spots.get(at).is_some_and(|spot| spot.is(symbol))
    }

    /// Whether one of several symbols stands at a place.
    pub(super) fn is_one_of(&self, at: usize, symbols: &[&str]) -> bool {
        symbols.iter().any(|symbol| self.is(at, symbol))
    }

    /// Whether a word stands at a place.
    pub(super) fn is_word(&self, at: usize, word: &str) -> bool {
        self.spots.get(at).and_then(Spot::name) == Some(word)
    }

    /// The name at a place, keywords excepted.
    pub(super) fn name(&self, at: usize) -> Option<&str> {
        let name = self.spots.get(at)?.name()?;
        (!KEYWORDS.contains(&name)).then_some(name)
    }

    /// The text at a place.
    pub(super) fn text(&self, at: usize) -> Option<&str> {
        self.spots.get(at)?.text()
    }

    /// Whether an expression is a number or a character, and nothing else.
    pub(super) fn is_number(&self, expression: &Range<usize>) -> bool {
        let spot = self.spots.get(expression.start);
        expression.len() == 1 && spot.is_some_and(|spot| spot.token == Token::Literal)
    }

    /// Whether what ends at a place is a value, so that a bar after it stands between two values.
    pub(super) fn is_operand(&self, at: usize) -> bool {
        let is_value =
            self.name(at).is_some() || self.text(at).is_some() || self.is_number(&(at..at + 1));
        is_value || self.is_one_of(at, &[")", "]", "}"])
    }

    /// Whether what stands at a place is looked up in what stands before it.
    pub(super) fn is_member(&self, at: usize) -> bool {
        at > 0 && self.is_one_of(at - 1, &[".", "?."])
    }

    /// Where the bracket that opens at a place is closed; the end of the script if it is not.
    pub(super) fn end_of(&self, open: usize) -> usize {
        self.ends.get(open).copied().unwrap_or(self.spots.len())
    }

    /// The first closing bracket of something around a place, or the end.
    pub(super) fn end_of_block(&self, at: usize) -> usize {
        let Some(depth) = self.spots.get(at).map(|spot| spot.depth) else {
            return self.spots.len();
        };
        let closes = |spot: &Spot| spot.depth < depth;
        let rest = self.spots[at..].iter().position(closes);
        rest.map_or(self.spots.len(), |rest| at + rest)
    }

    /// The `;` that ends the statement around a place, if one does within its block.
    pub(super) fn end_of_statement(&self, at: usize) -> Option<usize> {
        let mut at = at;
        while at < self.spots.len() && !self.is_one_of(at, &["}", ")", "]"]) {
            if self.is(at, ";") {
                return Some(at);
            }
            let nested = self.is_one_of(at, &["(", "[", "?[", "{"]);
            at = if nested { self.end_of(at) } else { at } + 1;
        }
        None
    }

    /// What stands between the brackets that open at a place, split at the commas.
    pub(super) fn items(&self, open: usize) -> Vec<Range<usize>> {
        if !self.is_one_of(open, &["(", "[", "{"]) {
            return Vec::new();
        }
        let (mut items, mut start) = (Vec::new(), open + 1);
        let end = self.end_of(open);
        let mut at = start;
        while at < end {
            if self.is(at, ",") {
                items.push(start..at);
                start = at + 1;
            }
            // What is nested is passed over at once, and so are the parameters of |a, b|.
            if self.is_one_of(at, &["(", "[", "?[", "{"]) {
                at = self.end_of(at);
            } else if self.is(at, "|") && !self.is_operand(at - 1) {
                let bar = (at + 1..end).find(|at| self.is(*at, "|"));
                at = bar.unwrap_or(at);
            }
            at += 1;
        }
        if start < end {
            items.push(start..end);
        }
        items
    }

    /// The expressions of an array that is written out: `["Yes", "No"]`.
    pub(super) fn array(&self, expression: &Range<usize>) -> Option<Vec<Range<usize>>> {
        let open = expression.start;
        let is_whole = self.is(open, "[") && self.end_of(open) + 1 == expression.end;
        is_whole.then(|| self.items(open))
    }

    /// The entries of a map that is written out: `#{ id: "yes", title: "Yes" }`.
    pub(super) fn map(&self, expression: &Range<usize>) -> Option<Vec<Entry<'_>>> {
        let open = expression.start + 1;
        let is_whole =
            self.is(open - 1, "#") && self.is(open, "{") && self.end_of(open) + 1 == expression.end;
        is_whole.then(|| {
            let items = self.items(open).into_iter();
            items.filter_map(|item| self.entry(item)).collect()
        })
    }

    fn entry(&self, item: Range<usize>) -> Option<Entry<'_>> {
        let key = self.text(item.start);
        let key = key.or_else(|| self.spots.get(item.start)?.name())?;
        let is_entry = self.is(item.start + 1, ":") && item.len() > 2;
        is_entry.then_some(Entry {
            key,
            at: item.start,
            value: item.start + 2..item.end,
        })
    }

    /// Where a piece of the script stands.
    pub(super) fn extent(&self, range: Range<usize>) -> Extent {
        let first = self.spots.get(range.start).or(self.spots.last());
        let last = range.end.checked_sub(1).and_then(|at| self.spots.get(at));
        match (first, last) {
            (Some(first), Some(last)) if range.start < range.end => first.extent.to(last.extent),
            (Some(first), _) => first.extent,
            _ => Extent::START,
        }
    }

    /// Where the token at a place stands.
    pub(super) fn extent_at(&self, at: usize) -> Extent {
        self.extent(at..at + 1)
    }

    /// Where a token stands that begins at a line and a column; else a single place there. What has
    /// no place stands at the end.
    pub(super) fn extent_from(&self, line: u32, column: u32) -> Extent {
        let begins = |spot: &&Spot| (spot.extent.line, spot.extent.column) == (line, column);
        if let Some(spot) = self.spots.iter().find(begins) {
            return spot.extent;
        }
        match self.spots.last() {
            Some(last) if line == 0 || column == 0 => last.extent,
            None if line == 0 || column == 0 => Extent::START,
            _ => Extent {
                line,
                column,
                end_line: line,
                end_column: column,
            },
        }
    }
}
