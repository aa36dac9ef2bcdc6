//! What `every(cron, handler, #{ … })` says: the line of times, and what to do about missed ones.
//! Does not know the function.

use chrono_tz::Tz;
use rhai::{Dynamic, Map};

use super::api::time::Length;
use super::{convert, explain};
use crate::domain::misfire::Misfire;
use crate::domain::occurrence::{CronError, CronLine};
use crate::domain::time::{Span, Timestamp};

/// How it is written.
const USAGE: &str = "#{ misfire: \"once\", within: \"2h\" }";
/// What it may say.
const OPTIONS: [&str; 2] = ["misfire", "within"];

/// The fields of a line, and what each may be.
const FIELDS: [(&str, &str); 5] = [
    ("a minute", "minutes go from 0 to 59"),
    ("an hour", "hours go from 0 to 23"),
    ("a day", "days of the month go from 1 to 31"),
    ("a month", "months go from 1 to 12, or are JAN, FEB … DEC"),
    ("a weekday", "weekdays are MON, TUE … SUN"),
];

/// Reads the line.
///
/// # Errors
/// A sentence for the person who wrote it.
pub(super) fn line(text: &str) -> Result<CronLine, String> {
    CronLine::parse(text).map_err(|error| match error {
        CronError::Unreadable(_) => misread_field(text).unwrap_or_else(|| error.to_string()),
        error => error.to_string(),
    })
}

/// What is said of the field that is wrong by itself.
fn misread_field(text: &str) -> Option<String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let is_wrong = |position: &usize| {
        let mut alone = ["*"; 5];
        alone[*position] = fields[*position];
        CronLine::parse(&alone.join(" ")).is_err()
    };
    let position = (0..FIELDS.len().min(fields.len())).find(is_wrong)?;
    let field: String = fields[position].chars().take(20).collect();
    let (what, instead) = FIELDS[position];
    Some(format!("'{field}' is not {what}: {instead}"))
}

/// Whether a line names a day that no calendar has, such as the 30th of February.
pub(super) fn never_comes(line: &CronLine) -> bool {
    line.next(Timestamp::from_ms(0), Tz::UTC).is_none()
}

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
