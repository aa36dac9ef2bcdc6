//! Changes of a script by its tokens: swapped, doubled, dropped, taken from other scripts, nested, repeated.
//! Knows the language only so far as to tell where a token ends.

use std::collections::BTreeSet;

use super::mutate::ODD;
use crate::chance::Chance;

/// What scripts of their own accord have seldom.
const RARE: [&str; 26] = [
    "9223372036854775807",
    "-9223372036854775808",
    "0.1",
    "1e308",
    "\"\"",
    "\"{{1}}\"",
    "()",
    "#{}",
    "[]",
    "?.",
    "??",
    "..=",
    "loop { ",
    "while true { ",
    "for x in 0..100000 { ",
    "try { ",
    "} catch (e) { ",
    "throw ",
    "switch x { ",
    "|x| x + 1",
    "this",
    "Fn(\"f\")",
    "curry",
    "eval(\"1\")",
    "import \"x\" as y;",
    "`${`${1}`}`",
];
/// How often something is nested or repeated: some that is let pass, some that is not.
const MANY: [usize; 5] = [2, 20, 60, 500, 3_000];

/// Every token of some scripts, once.
pub(super) fn words(scripts: &[Vec<u8>]) -> Vec<String> {
    let mut words: BTreeSet<String> = RARE.iter().map(|word| (*word).to_owned()).collect();
    for script in scripts {
        let text = String::from_utf8_lossy(script);
        words.extend(tokens(&text).into_iter().map(str::to_owned));
    }
    words.into_iter().collect()
}

/// A script that differs from `input` in some tokens.
pub(super) fn changed(
    input: &[u8],
    other: &[u8],
    words: &[String],
    chance: &mut Chance,
) -> Vec<u8> {
    let (text, other) = (
        String::from_utf8_lossy(input),
        String::from_utf8_lossy(other),
    );
    let mut tokens = tokens(&text);
    let others = self::tokens(&other);
    if tokens.is_empty() {
        return other.into_owned().into_bytes();
    }
    let at = chance.index(tokens.len());
    let end = at + chance.index((tokens.len() - at).min(30) + 1);
    let many = *chance.pick(&MANY);
    let (nested, odd);
    match chance.index(11) {
        0 => {
            let second = chance.index(tokens.len());
            tokens.swap(at, second);
        }
        1 => drop(tokens.drain(at..end)),
        2 => {
            let copied = tokens[at..end].to_vec();
            tokens.splice(at..at, copied);
        }
        3 | 4 => tokens[at] = chance.pick(words).as_str(),
        5 => tokens.insert(at, chance.pick(words).as_str()),
        6 if !others.is_empty() => {
            let from = chance.index(others.len());
            let to = from + chance.index((others.len() - from).min(40) + 1);
            tokens.splice(at..end, others[from..to].iter().copied());
        }
        7 => {
            let (open, close) =
                *chance.pick(&[("(", ")"), ("[", "]"), ("{", "}"), ("!", ""), ("-", "")]);
            nested = format!("{}{}{}", open.repeat(many), tokens[at], close.repeat(many));
            tokens[at] = &nested;
        }
        8 => {
            nested = tokens[at..end].concat().repeat(many.min(500));
            tokens.splice(at..end, [nested.as_str()]);
        }
        9 => {
            odd = format!("\"{}\"", chance.pick(&ODD).repeat(many));
            tokens[at] = &odd;
        }
        _ => tokens.truncate(at),
    }
    tokens.concat().into_bytes()
}

/// A text cut into words, numbers, literals, white space and marks; together they are the text.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if is_word(first) {
            rest.find(|c| !is_word(c))
        } else if first.is_whitespace() {
            rest.find(|c: char| !c.is_whitespace())
        } else if first == '"' || first == '`' {
            rest[1..].find(first).map(|at| at + 2)
        } else {
            Some(first.len_utf8())
        };
        let (token, left) = rest.split_at(length.unwrap_or(rest.len()));
        tokens.push(token);
        rest = left;
    }
    tokens
}
