//! What the map of `every(cron, handler, #{ … })` says about missed times.
//! Knows neither the line nor the function.

use rhai::{Dynamic, Map};

use super::api::time::Length;
use super::{convert, explain};
use crate::domain::misfire::Misfire;
use crate::domain::time::Span;

/// How it is written.
const USAGE: &str = "#{ misfire: \"once\", within: \"2h\" }";
/// What it may say.
const OPTIONS: [&str; 2] = ["misfire", "within"];

/// Reads the map.
///
/// # Errors
/// A sentence for the person who wrote it.
pub(super) fn misfire(options: &Map) -> Result<Misfire, String> {
    if let Some(unknown) = options
        .keys()
        .find(|name| !OPTIONS.contains(&name.as_str()))
    {
        return Err(match explain::nearest(unknown, OPTIONS) {
            Some(near) => format!("every has no option {unknown}; did you mean {near}?"),
            None => format!("every has no option {unknown}; write for example {USAGE}"),
        });
    }
    let within = options.get("within").map(within).transpose()?;
    let name = match options.get("misfire") {
        Some(value) => value.clone().into_immutable_string().map_err(|_| {
            format!(
                "misfire is {}; write \"skip\", \"once\" or \"all\"",
                convert::describe(value)
            )
        })?,
        None => Misfire::default().name().into(),
    };
    let misfire = Misfire::read(&name, within)
        .ok_or_else(|| format!("misfire is \"{name}\"; write \"skip\", \"once\" or \"all\""))?;
    if within.is_some() && misfire.within().is_none() {
        return Err(format!(
            "within belongs to misfire: \"once\"; write {USAGE}, or leave within out"
        ));
    }
    Ok(misfire)
}

fn within(value: &Dynamic) -> Result<Span, String> {
    if let Some(length) = value.read_lock::<Length>() {
        return Ok(length.0);
    }
    match value.as_immutable_string_ref() {
        Ok(text) => Span::parse(&text).map_err(|error| format!("within: {error}")),
        Err(_) => Err(format!(
            "within is {}; write a duration, for example within: \"2h\"",
            convert::describe(value)
        )),
    }
}
