//! Settings from several places laid over one another, by the names in `config.default.toml`.
//! Knows no setting's meaning: names and types follow from the defaults.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::ConfigError;

/// Every key with its default; embedded, so that it is always there and always right.
pub(super) const DEFAULTS: &str = include_str!("../../config.default.toml");
/// What the names of our environment variables begin with.
const PREFIX: &str = "REJOINDER_";
/// Letters that may differ for a name to be taken for a mistyped one.
const MAX_TYPOS: usize = 3;

/// Settings by dotted name (`meta.app_secret`).
#[derive(Clone)]
pub(super) struct Layers {
    values: BTreeMap<String, Value>,
}

impl Layers {
    /// The defaults.
    pub(super) fn defaults() -> Self {
        let table: Table = DEFAULTS.parse().expect("our own file is TOML");
        let mut values = BTreeMap::new();
        for (name, value) in table {
            match value {
                Value::Table(section) => values.extend(
                    section
                        .into_iter()
                        .map(|(key, value)| (format!("{name}.{key}"), value)),
                ),
                value => {
                    values.insert(name, value);
                }
            }
        }
        Self { values }
    }

    /// Lays a file over what is there. A name that we do not know is refused.
    pub(super) fn file(&mut self, path: &str, text: &str) -> Result<(), ConfigError> {
        // The parser's own message would quote the line, and with it perhaps a secret.
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.get(..at).unwrap_or("").matches('\n').count() + 1;
            ConfigError(format!(
                "{path}, line {line}: {}",
                first_line(error.message())
            ))
        })?;
        for (name, value) in table {
            if let Value::Table(section) = value {
                for (key, value) in section {
                    self.file_value(path, &format!("{name}.{key}"), value)?;
                }
            } else {
                self.file_value(path, &name, value)?;
            }
        }
        Ok(())
    }

    fn file_value(&mut self, path: &str, name: &str, value: Value) -> Result<(), ConfigError> {
        let Some(known) = self.values.get_mut(name) else {
            let hint = nearest(name, self.values.keys().map(String::as_str)).map_or_else(
                || "`rejoinder settings` prints all of them".to_owned(),
                |near| format!("did you mean '{near}'?"),
            );
            return Err(ConfigError(format!(
                "{path}: there is no setting '{name}'; {hint}"
            )));
        };
        if !known.same_type(&value) {
            return Err(ConfigError(format!(
                "{path}: '{name}' must be a {}, as in: {} = {}",
                known.type_str(),
                name.rsplit('.').next().unwrap_or(name),
                literal(known),
            )));
        }
        *known = value;
        Ok(())
    }

    /// Lays the environment over what is there. Names of others that begin like ours are left alone.
    pub(super) fn environment(
        &mut self,
        variables: &BTreeMap<String, String>,
    ) -> Result<(), ConfigError> {
        let names: Vec<String> = self.values.keys().cloned().collect();
        for name in names {
            let variable = variable(&name);
            if let Some(text) = variables.get(&variable) {
                self.set(&variable, &name, text)?;
            }
        }
        Ok(())
    }

    /// Variables that begin like ours and are nearly, but not quite, one of ours.
    pub(super) fn mistyped(&self, variables: &BTreeMap<String, String>) -> Vec<String> {
        let known: Vec<String> = self.values.keys().map(|name| variable(name)).collect();
        variables
            .keys()
            .filter(|name| name.starts_with(PREFIX) && !known.contains(name))
            .filter_map(|name| {
                let near = nearest(name, known.iter().map(String::as_str))?;
                Some(format!(
                    "the variable {name} is not read; did you mean {near}?"
                ))
            })
            .collect()
    }

    /// Sets one value from its text; `source` is what to name if it does not read.
    pub(super) fn set(&mut self, source: &str, name: &str, text: &str) -> Result<(), ConfigError> {
        let known = self.values.get_mut(name).expect("a name of our own");
        *known = match known {
            Value::Integer(_) => Value::Integer(
                text.trim()
                    .parse()
                    .map_err(|_| ConfigError(format!("{source} must be a number")))?,
            ),
            Value::Boolean(_) => Value::Boolean(
                text.trim()
                    .parse()
                    .map_err(|_| ConfigError(format!("{source} must be true or false")))?,
            ),
            _ => Value::String(text.to_owned()),
        };
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.values[name].as_str().expect("a text, by its default")
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.values[name]
            .as_bool()
            .expect("true or false, by its default")
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, ConfigError> {
        let value = self.values[name]
            .as_integer()
            .expect("a number, by its default");
        u64::try_from(value)
            .ok()
            .filter(|value| (1..=1_000_000).contains(value))
            .ok_or_else(|| ConfigError(format!("'{name}' must be from 1 to 1000000")))
    }
}

/// A value as one would write it in the file.
fn literal(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        other => format!("{:?}", other.as_str().unwrap_or("…")),
    }
}

fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_uppercase())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("it does not read")
}

/// The known name that `name` was probably meant to be.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= MAX_TYPOS.min(name.len() / 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, left out or replaced to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
