//! A small tokenizer for what can be told from the text alone: what stands at the top level, which
//! functions there are, and which names are given as literals. It understands comments and every
//! form of text in Rhai, but no grammar; the parser has the last word on everything else.

/// A piece of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or a keyword.
    Name(String),
    /// A text without interpolation.
    Text(String),
    /// A text with `${…}` in it; what is inside the braces follows as tokens.
    Template,
    /// A character or a part of a number.
    Literal,
    /// Anything else; `=>` and `||` are one, the rest single letters.
    Symbol(&'static str),
    /// A symbol of no interest here.
    Other,
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) token: Token,
    pub(super) line: u32,
    pub(super) column: u32,
    /// How many brackets are open around it; a bracket itself stands outside of what it encloses.
    pub(super) depth: u32,
}

impl Spot {
    pub(super) fn is(&self, symbol: &str) -> bool {
        matches!(self.token, Token::Symbol(own) if own == symbol)
    }

    pub(super) fn name(&self) -> Option<&str> {
        match &self.token {
            Token::Name(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.token {
            Token::Text(text) => Some(text),
            _ => None,
        }
    }
}

const SYMBOLS: [&str; 12] = ["(", ")", "{", "}", "[", "]", ",", ";", ".", "#", "=", "|"];

/// Splits a script into tokens. Never fails: what is broken is the parser's to report.
pub(super) fn scan(source: &str) -> Vec<Spot> {
    let mut scanner = Scanner {
        letters: source.chars().collect(),
        at: 0,
        line: 1,
        column: 1,
        depth: 0,
        templates: Vec::new(),
        spots: Vec::new(),
    };
    while scanner.at < scanner.letters.len() {
        scanner.step();
    }
    scanner.spots
}

struct Scanner {
    letters: Vec<char>,
    at: usize,
    line: u32,
    column: u32,
    depth: u32,
    /// The depth at which each open `${` ends.
    templates: Vec<u32>,
    spots: Vec<Spot>,
}

impl Scanner {
    fn peek(&self, ahead: usize) -> char {
        self.letters.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn next(&mut self) -> char {
        let letter = self.peek(0);
        self.at += 1;
        if letter == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        letter
    }

    fn push(&mut self, token: Token, line: u32, column: u32) {
        self.spots.push(Spot {
            token,
            line,
            column,
            depth: self.depth,
        });
    }

    fn step(&mut self) {
        let (line, column) = (self.line, self.column);
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => while self.at < self.letters.len() && self.next() != '\n' {},
            ('/', '*') => self.skip_comment(),
            ('"', _) => {
                self.next();
                let text = self.quoted('"');
                self.push(Token::Text(text), line, column);
            }
            ('\'', _) => {
                self.next();
                self.quoted('\'');
                self.push(Token::Literal, line, column);
            }
            ('`', _) => {
                self.next();
                self.template(line, column);
            }
            ('#', '"' | '#') => self.raw(line, column),
            (letter, _) if letter.is_alphabetic() || letter == '_' => {
                let name = self.word();
                self.push(Token::Name(name), line, column);
            }
            (letter, _) if letter.is_ascii_digit() => {
                self.word();
                self.push(Token::Literal, line, column);
            }
            (letter, _) if letter.is_whitespace() => {
                self.next();
            }
            _ => self.symbol(line, column),
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            word.push(self.next());
        }
        word
    }

    fn symbol(&mut self, line: u32, column: u32) {
        let pair = (self.peek(0), self.peek(1));
        let letter = self.next();
        if matches!(pair, ('=', '>') | ('|', '|')) {
            self.next();
            let symbol = if pair.0 == '=' { "=>" } else { "||" };
            self.push(Token::Symbol(symbol), line, column);
            return;
        }
        if matches!(letter, ')' | ']' | '}') {
            self.depth = self.depth.saturating_sub(1);
            if letter == '}' && self.templates.last() == Some(&self.depth) {
                self.templates.pop();
                self.template(line, column);
                return;
            }
        }
        let token = SYMBOLS
            .iter()
            .find(|symbol| symbol.starts_with(letter))
            .map_or(Token::Other, |symbol| Token::Symbol(symbol));
        self.push(token, line, column);
        if matches!(letter, '(' | '[' | '{') {
            self.depth += 1;
        }
    }

    /// `/* … */`, which nests.
    fn skip_comment(&mut self) {
        let mut open = 0;
        while self.at < self.letters.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => {
                    open += 1;
                    self.next();
                }
                ('*', '/') => {
                    open -= 1;
                    self.next();
                }
                _ => {}
            }
            self.next();
            if open == 0 {
                return;
            }
        }
    }

    /// The rest of a text in quotes. Escapes of letters by number are left as they are: no name has them.
    fn quoted(&mut self, end: char) -> String {
        let mut text = String::new();
        while self.at < self.letters.len() {
            match self.next() {
                '\\' => text.push(self.next()),
                letter if letter == end => break,
                letter => text.push(letter),
            }
        }
        text
    }

    /// `#"…"#` with any number of `#`, or just the `#` of a map.
    fn raw(&mut self, line: u32, column: u32) {
        let mut hashes = 0;
        while self.peek(hashes) == '#' {
            hashes += 1;
        }
        if self.peek(hashes) != '"' {
            self.symbol(line, column);
            return;
        }
        for _ in 0..=hashes {
            self.next();
        }
        let mut text = String::new();
        while self.at < self.letters.len() {
            let letter = self.next();
            if letter == '"' && (0..hashes).all(|ahead| self.peek(ahead) == '#') {
                for _ in 0..hashes {
                    self.next();
                }
                break;
            }
            text.push(letter);
        }
        self.push(Token::Text(text), line, column);
    }

    /// The rest of a text in back quotes, up to its end or the next `${`.
    fn template(&mut self, line: u32, column: u32) {
        while self.at < self.letters.len() {
            match (self.next(), self.peek(0)) {
                ('`', '`') => {
                    self.next();
                }
                ('`', _) => {
                    self.push(Token::Template, line, column);
                    return;
                }
                ('$', '{') => {
                    self.next();
                    self.templates.push(self.depth);
                    self.depth += 1;
                    return;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_every_form_hides_what_it_contains() {
        let source = r####"
            const A = "fn \" a(";  // fn b() {
            /* fn c() { /* nested */ */
            const D = #"say "fn" {"#;
            const E = `x ${ f("y", #{ a: `inner ${1}` }) } {`;
            fn last(x) { '"' }
        "####;
        let spots = scan(source);
        let functions = spots.iter().filter(|spot| spot.name() == Some("fn"));
        assert_eq!(functions.map(|spot| spot.line).collect::<Vec<_>>(), [6]);
        assert_eq!(spots.last().map(|spot| spot.depth), Some(0));
        assert!(spots.iter().any(|spot| spot.text() == Some("y")));
    }
}
