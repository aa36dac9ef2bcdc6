//! Changes of an input, by chance: such as are meant by its shape, and such as are not.
//! Knows no target.

use rejoinder_tests::Shape;

use super::{form, json, script};
use crate::chance::Chance;

/// An input is no longer than this: what is larger than a webhook may be never comes so far.
const MAX_BYTES: usize = 128 * 1024;
/// Inputs that others are made from; the first ones stay.
const MAX_POOL: usize = 2_000;

/// Makes inputs from others.
pub(super) struct Mutator {
    shape: Shape,
    pool: Vec<Vec<u8>>,
    /// How many were there at the beginning.
    seeds: usize,
    /// Tokens of all scripts.
    words: Vec<String>,
    chance: Chance,
}

impl Mutator {
    pub(super) fn new(shape: Shape, seeds: Vec<Vec<u8>>, chance: Chance) -> Self {
        let words = match shape {
            Shape::Script => script::words(&seeds),
            Shape::Json | Shape::Form | Shape::Text | Shape::Bytes => Vec::new(),
        };
        Self {
            shape,
            seeds: seeds.len(),
            pool: seeds,
            words,
            chance,
        }
    }

    /// The next input.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let chance = &mut self.chance;
        let mut input = chance.pick(&self.pool).clone();
        for _ in 0..chance.between(1, 4) {
            let other = chance.pick(&self.pool);
            let meant = chance.index(4) > 0;
            input = match self.shape {
                Shape::Json if meant => json::changed(&input, other, chance),
                Shape::Form if meant => form::changed(&input, other, chance),
                Shape::Script if meant => script::changed(&input, other, &self.words, chance),
                Shape::Json | Shape::Form | Shape::Script | Shape::Text | Shape::Bytes => {
                    changed(&input, other, chance)
                }
            };
            input.truncate(MAX_BYTES);
        }
        // Some go on, so that changes come on top of changes.
        if chance.index(8) == 0 {
            if self.pool.len() < MAX_POOL.max(2 * self.seeds) {
                self.pool.push(input.clone());
            } else {
                let at = self.seeds + chance.index(self.pool.len() - self.seeds);
                self.pool[at].clone_from(&input);
            }
        }
        input
    }
}

/// What is odd in many a place.
pub(super) const ODD: [&str; 24] = [
    "",
    "\0",
    "%00",
    "\u{feff}",
    "\u{202e}",
    "😀",
    "\u{10ffff}",
    "é\u{301}",
    "..",
    "/",
    "\\",
    "\"",
    "'",
    "`${",
    "{{1}}",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "1e999",
    "NaN",
    "\r\n",
    "|",
    "@",
];

/// Bytes changed without regard to what they mean.
pub(super) fn changed(input: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut input = input.to_vec();
    let at = chance.index(input.len() + 1);
    let end = at + chance.index((input.len() - at).min(64) + 1);
    let byte = u8::try_from(chance.index(256)).expect("a byte");
    match chance.index(9) {
        0 if at < input.len() => input[at] = byte,
        1 if at < input.len() => input[at] ^= 1 << (byte % 8),
        2 => input.insert(at, byte),
        3 => drop(input.drain(at..end)),
        4 => {
            let copied = input[at..end].to_vec();
            input.splice(at..at, copied);
        }
        5 => input.truncate(at),
        6 => {
            let word = chance.pick(&ODD);
            input.splice(at..end, word.bytes());
        }
        7 => {
            let from = chance.index(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let from = chance.index(other.len() + 1);
            let to = from + chance.index((other.len() - from).min(64) + 1);
            input.splice(at..end, other[from..to].iter().copied());
        }
    }
    input
}
