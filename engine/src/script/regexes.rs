//! Regular expressions of scripts, compiled once and kept for all of them. Knows no text to search.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use regex::Regex;

use super::api::{Fallible, fail};
use super::limits;

/// Compiled regular expressions, kept for all scripts.
#[derive(Default)]
pub(super) struct Regexes(Mutex<HashMap<String, Regex>>);

impl Regexes {
    /// The compiled form of `pattern`.
    pub(super) fn get(&self, pattern: &str) -> Fallible<Regex> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regex) = cache.get(pattern) {
            return Ok(regex.clone());
        }
        let regex = Self::compile(pattern).or_else(fail)?;
        if cache.len() >= limits::REGEX_CACHE {
            cache.clear();
        }
        cache.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    }

    /// Compiles `pattern` within its limits; an error is a sentence for who wrote it.
    pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
        if pattern.len() > limits::REGEX_BYTES {
            return Err(format!(
                "this pattern is too long: {} bytes at most",
                limits::REGEX_BYTES
            ));
        }
        regex::RegexBuilder::new(pattern)
            .size_limit(limits::REGEX_SIZE)
            .dfa_size_limit(limits::REGEX_SIZE)
            .build()
            .map_err(|error| refused_pattern(pattern, &error))
    }
}

fn refused_pattern(pattern: &str, error: &regex::Error) -> String {
    let shown: String = pattern.chars().take(80).collect();
    match error {
        regex::Error::CompiledTooBig(_) => {
            format!("the pattern '{shown}' grows too large; use smaller repeats")
        }
        other => {
            let reason = other.to_string();
            let last = reason.lines().last().unwrap_or("").trim();
            let last = last.strip_prefix("error: ").unwrap_or(last);
            format!(
                "the pattern '{shown}' is not understood: {last}; in \"…\" write \\\\d, in `…` write \\d"
            )
        }
    }
}
