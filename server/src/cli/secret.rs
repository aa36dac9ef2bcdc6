//! Secrets on the command line: said to be somewhere, so that they stand in no list of processes.
//! Knows nothing of what they open.

use std::io::Read;

use rejoinder_engine::crypto::Secret;

use super::{Failure, open};
use crate::out;

/// Reads secrets from where people say they are: `name=@file`, `name=-` or `name=env:VAR`.
/// `what` is what people call one.
pub(super) fn read(what: &str, sources: &[String]) -> Result<Vec<(String, Secret)>, Failure> {
    let sources = sources.iter();
    sources
        .map(|source| {
            let (name, from) = source.split_once('=').ok_or_else(|| {
                Failure::new(format!(
                    "a {what} is written name=@file, name=- or name=env:VAR"
                ))
            })?;
            Ok((name.trim().to_owned(), read_one(name, from)?))
        })
        .collect()
}

fn read_one(name: &str, from: &str) -> Result<Secret, Failure> {
    let text = if let Some(path) = from.strip_prefix('@') {
        Secret::new(open::read_file(path)?)
    } else if from == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        Secret::new(text)
    } else if let Some(variable) = from.strip_prefix("env:") {
        Secret::new(crate::config::variable(variable).ok_or_else(|| {
            Failure::new(format!(
                "the variable {variable} is not set; set it, or give '{name}' otherwise"
            ))
        })?)
    } else {
        out::note(&format!(
            "warning: everybody on this machine can read '{name}' in the list of processes; \
             prefer {name}=@file, {name}=- or {name}=env:VAR"
        ));
        Secret::new(from)
    };
    Ok(Secret::new(text.expose().trim()))
}
