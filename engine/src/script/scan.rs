//! A small tokenizer for what can be told from the text alone: what stands at the top level, which
//! functions there are, and which names are given as literals. It understands comments and every
//! form of text in Rhai, but no grammar; the parser has the last word on everything else.

use super::diagnostic::Extent;

/// A piece of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or a keyword.
    Name(String),
    /// A text without interpolation, as the script means it.
    Text(String),
    /// A piece of a text with `${…}` in it: before, between and after the braces, whose inside
    /// follows as tokens of its own.
    Template,
    /// A number or a character.
    Literal,
    /// An operator or a bracket.
    Symbol(&'static str),
    /// What no script has outside of text.
    Other,
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) token: Token,
    pub(super) extent: Extent,
    /// The letter that it begins with: of a text, its quote.
    pub(super) first: char,
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

/// Rhai's operators and brackets, the longer ones first.
const SYMBOLS: [&str; 57] = [
    "..=", "<<=", ">>=", "**=", "===", "!==", "?.", "??", "?[", "..", "=>", "==", "!=", "<=", ">=",
    "&&", "||", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "**", "<<", ">>", "::", "->", "(",
    ")", "{", "}", "[", "]", ",", ";", ":", ".", "#", "=", "|", "+", "-", "*", "/", "%", "<", ">",
    "!", "&", "^", "~", "?", "@", "$",
];

/// Splits a script into its pieces. Never fails: what is broken is the parser's to report.
pub(super) fn scan(source: &str) -> Vec<Spot> {
    let mut scanner = Scanner {
        letters: source.chars().collect(),
        at: 0,
        line: 1,
        column: 1,
        first: '\0',
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
    /// The first letter of the token that is being read.
    first: char,
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
        let Some(letter) = self.letters.get(self.at).copied() else {
            return '\0';
        };
        self.at += 1;
        if letter == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        letter
    }

    /// Notes a token that began at `line` and `column` and ends here.
    fn push(&mut self, token: Token, line: u32, column: u32) {
        self.spots.push(Spot {
            token,
            extent: Extent {
                line,
                column,
                end_line: self.line,
                end_column: self.column,
            },
            first: self.first,
            depth: self.depth,
        });
    }

    fn step(&mut self) {
        let (line, column) = (self.line, self.column);
        self.first = self.peek(0);
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
                self.back_quoted(line, column);
            }
            ('#', '"' | '#') => self.raw(line, column),
            (letter, _) if letter.is_alphabetic() || letter == '_' => {
                let name = self.word();
                self.push(Token::Name(name), line, column);
            }
            (letter, _) if letter.is_ascii_digit() => {
                self.word();
                if self.peek(0) == '.' && self.peek(1).is_ascii_digit() {
                    self.next();
                    self.word();
                }
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
        let symbol = SYMBOLS.iter().copied().find(|symbol| {
            let mut letters = symbol.chars().enumerate();
            letters.all(|(i, letter)| self.peek(i) == letter)
        });
        let length = symbol.map_or(1, str::len);
        for _ in 0..length {
            self.next();
        }
        if matches!(symbol, Some(")" | "]" | "}")) {
            self.depth = self.depth.saturating_sub(1);
            if symbol == Some("}") && self.templates.last() == Some(&self.depth) {
                self.templates.pop();
                self.template(line, column);
                return;
            }
        }
        self.push(symbol.map_or(Token::Other, Token::Symbol), line, column);
        if matches!(symbol, Some("(" | "[" | "?[" | "{")) {
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

    /// The rest of a text in quotes; a doubled quote stands for itself.
    fn quoted(&mut self, end: char) -> String {
        let mut text = String::new();
        while self.at < self.letters.len() {
            match self.next() {
                '\\' => self.escape(&mut text),
                letter if letter == end && self.peek(0) == end => text.push(self.next()),
                letter if letter == end => break,
                letter => text.push(letter),
            }
        }
        text
    }

    /// What follows a backslash. The parser refuses those that mean nothing.
    fn escape(&mut self, text: &mut String) {
        let digits = match self.next() {
            'n' => return text.push('\n'),
            'r' => return text.push('\r'),
            't' => return text.push('\t'),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '\n' => {
                while self.peek(0).is_whitespace() && self.peek(0) != '\n' {
                    self.next();
                }
                return;
            }
            letter => return text.push(letter),
        };
        let mut code = 0;
        for _ in 0..digits {
            let Some(digit) = self.peek(0).to_digit(16) else {
                break;
            };
            self.next();
            code = code * 16 + digit;
        }
        text.extend(char::from_u32(code));
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

    /// A text in back quotes, which may turn out to have `${…}` in it.
    fn back_quoted(&mut self, line: u32, column: u32) {
        // A line break right after the quote does not count.
        if self.peek(0) == '\n' {
            self.next();
        }
        match self.verbatim() {
            (text, Stop::End) => self.push(Token::Text(text), line, column),
            (_, Stop::Brace) => self.open_brace(line, column),
        }
    }

    /// The rest of a text in back quotes after a `}`.
    fn template(&mut self, line: u32, column: u32) {
        match self.verbatim() {
            (_, Stop::End) => self.push(Token::Template, line, column),
            (_, Stop::Brace) => self.open_brace(line, column),
        }
    }

    fn open_brace(&mut self, line: u32, column: u32) {
        self.push(Token::Template, line, column);
        self.templates.push(self.depth);
        self.depth += 1;
    }

    /// Letters up to a back quote or a `${`, which is taken as well.
    fn verbatim(&mut self) -> (String, Stop) {
        let mut text = String::new();
        while self.at < self.letters.len() {
            match (self.next(), self.peek(0)) {
                ('`', '`') => text.push(self.next()),
                ('`', _) => break,
                ('\\', '$') if self.peek(1) == '{' => {
                    text.push(self.next());
                    text.push(self.next());
                }
                ('$', '{') => {
                    self.next();
                    return (text, Stop::Brace);
                }
                (letter, _) => text.push(letter),
            }
        }
        (text, Stop::End)
    }
}

/// Where a stretch of letters in back quotes ends.
enum Stop {
    /// At the closing quote, or with the script.
    End,
    /// At a `${`.
    Brace,
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
        assert_eq!(
            functions.map(|spot| spot.extent.line).collect::<Vec<_>>(),
            [6]
        );
        assert_eq!(spots.last().map(|spot| spot.depth), Some(0));
        assert!(spots.iter().any(|spot| spot.text() == Some("y")));
    }

    #[test]
    fn text_reads_as_the_script_means_it() {
        for (source, text) in [
            (r#""a\\d\t\"\x41\u00e9""#, "a\\d\t\"Aé"),
            (r#""say ""hi""""#, "say \"hi\""),
            (r"`\d+ \${x} `` $`", "\\d+ ${x} ` $"),
            ("`\none`", "one"),
            (r###"##"a"#b"##"###, "a\"#b"),
            ("\"one \\\n   two\"", "one two"),
        ] {
            let spots = scan(source);
            assert_eq!(spots.len(), 1, "{source}: {spots:?}");
            assert_eq!(spots[0].text(), Some(text), "{source}");
        }
    }

    #[test]
    fn operators_are_one_token_and_every_token_knows_where_it_ends() {
        let spots = scan("a?.b ..= 1.5\n`é${c}.${(d)}`");
        let found: Vec<(u32, u32, u32, u32)> = spots
            .iter()
            .map(|spot| spot.extent)
            .map(|extent| {
                (
                    extent.line,
                    extent.column,
                    extent.end_line,
                    extent.end_column,
                )
            })
            .collect();
        assert!(spots[1].is("?.") && spots[3].is("..="));
        assert_eq!(
            found[..5],
            [
                (1, 1, 1, 2),
                (1, 2, 1, 4),
                (1, 4, 1, 5),
                (1, 6, 1, 9),
                (1, 10, 1, 13)
            ]
        );
        let template = spots.iter().filter(|spot| spot.token == Token::Template);
        assert_eq!(template.count(), 3, "so that c.(d) is no call: {spots:?}");
    }
}
