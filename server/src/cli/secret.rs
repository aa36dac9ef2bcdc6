//! Secrets on the command line: said to be somewhere, so that they stand in no list of processes.
//! Knows nothing of what they open.

use std::io::{self, IsTerminal, Read};

use rejoinder_engine::crypto::{Secret, legacy};

use super::{Failure, open};
use crate::{config, out};

/// What comes before the place of a secret that the integration before this one sealed.
const LEGACY: &str = "cryptr:";

/// Reads secrets from where people say they are: `name=@file`, `name=-` or `name=env:VAR`; with `cryptr:` before
/// the place, what stands there is opened as the integration before this one sealed it. `what` is what people call
/// one.
pub(super) async fn read(what: &str, sources: &[String]) -> Result<Vec<(String, Secret)>, Failure> {
    let mut read = Vec::with_capacity(sources.len());
    let mut was_typed = false;
    for source in sources {
        let (name, from) = source.split_once('=').ok_or_else(|| {
            Failure::new(format!(
                "a {what} is written name=@file, name=- or name=env:VAR, or name=cryptr:@file if cryptr sealed it"
            ))
        })?;
        let name = name.trim();
        if is_typed(from) && was_typed && !io::stdin().is_terminal() {
            return Err(Failure::new(format!(
                "standard input holds one secret, and another one has read it; give '{name}' as @file or env:VAR"
            )));
        }
        let secret = match from.strip_prefix(LEGACY) {
            Some(from) => open_legacy(name, sealed(name, from)?).await?,
            None => read_one(name, from)?,
        };
        was_typed |= is_typed(from);
        read.push((name.to_owned(), secret));
    }
    Ok(read)
}

/// Whether a secret comes from standard input.
fn is_typed(from: &str) -> bool {
    from == "-" || from == "cryptr:-"
}

fn read_one(name: &str, from: &str) -> Result<Secret, Failure> {
    if let Some(secret) = place(name, from)? {
        return Ok(secret);
    }
    out::note(&format!(
        "warning: everybody on this machine can read '{name}' in the list of processes; \
         prefer {name}=@file, {name}=- or {name}=env:VAR"
    ));
    Ok(Secret::new(from.trim()))
}

/// What is sealed harms nobody in a list of processes, and yet it is never asked for there.
fn sealed(name: &str, from: &str) -> Result<Secret, Failure> {
    place(name, from)?.ok_or_else(|| {
        Failure::new(format!(
            "write {name}=cryptr:@file, {name}=cryptr:- or {name}=cryptr:env:VAR"
        ))
    })
}

/// What stands at a place; `None` if the words name none.
fn place(name: &str, from: &str) -> Result<Option<Secret>, Failure> {
    let text = if let Some(path) = from.strip_prefix('@') {
        Secret::new(open::read_file(path)?)
    } else if from == "-" && io::stdin().is_terminal() {
        Secret::new(rpassword::prompt_password(format!("{name}: "))?)
    } else if from == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        Secret::new(text)
    } else if let Some(variable) = from.strip_prefix("env:") {
        Secret::new(config::variable(variable).ok_or_else(|| {
            Failure::new(format!(
                "the variable {variable} is not set; set it, or give '{name}' otherwise"
            ))
        })?)
    } else {
        return Ok(None);
    };
    Ok(Some(Secret::new(text.expose().trim())))
}

/// Opens what the integration before this one sealed.
pub(super) async fn open_legacy(name: &str, sealed: Secret) -> Result<Secret, Failure> {
    let password = config::legacy_key().ok_or_else(|| {
        Failure::new(
            "the key of what cryptr sealed is missing; put it into LEGACY_ENCRYPTION_KEY, \
             or leave it in ENCRYPTION_KEY, where it was",
        )
    })?;
    // Stirring the password takes a good part of a second.
    let opened = tokio::task::spawn_blocking(move || legacy::open(&password, sealed.expose()));
    let opened = opened.await?;
    opened.map_err(|error| Failure::new(format!("'{name}': {error}")))
}
