//! Values between scripts and the engine: JSON outside, Rhai's dynamic values inside.
//! Every walk is bounded in depth and size; nothing here trusts what a script built.
//!
//! Times and durations are kept as maps with one key, `{"$time": "2026-…Z"}` and
//! `{"$duration_ms": 90000}`. A script's own map that looks like one is wrapped in `{"$map": …}`,
//! so that whatever goes in comes back the same.

use chrono::DateTime;
use chrono_tz::Tz;
use rhai::{Array, Dynamic, Map as RhaiMap};
use serde_json::{Map, Value};

use super::api::store::Bag;
use super::api::time::{Length, Time};
use super::limits::{ARRAY_ITEMS, MAP_ENTRIES, TEXT_BYTES, VALUE_DEPTH};
use crate::domain::time::{Span, Timestamp};

const TIME: &str = "$time";
const DURATION: &str = "$duration_ms";
const MAP: &str = "$map";

/// A value as JSON.
///
/// # Errors
/// A sentence about what cannot be kept, for the person who wrote the script.
pub(super) fn to_json(value: &Dynamic) -> Result<Value, String> {
    to_json_at(value, 0)
}

fn to_json_at(value: &Dynamic, depth: usize) -> Result<Value, String> {
    if depth > VALUE_DEPTH {
        return Err(too_deep());
    }
    if value.is_unit() {
        Ok(Value::Null)
    } else if let Ok(text) = value.as_immutable_string_ref() {
        Ok(Value::String(text.as_str().to_owned()))
    } else if let Ok(number) = value.as_int() {
        Ok(number.into())
    } else if let Ok(truth) = value.as_bool() {
        Ok(truth.into())
    } else if let Ok(number) = value.as_float() {
        serde_json::Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| format!("{number} is not a number that can be kept"))
    } else if let Ok(letter) = value.as_char() {
        Ok(Value::String(letter.into()))
    } else if let Some(time) = value.read_lock::<Time>() {
        Ok(tagged(TIME, time.at.to_string().into()))
    } else if let Some(length) = value.read_lock::<Length>() {
        Ok(tagged(DURATION, length.0.ms().into()))
    } else if let Ok(items) = value.as_array_ref() {
        let items = items.iter().map(|item| to_json_at(item, depth + 1));
        items.collect::<Result<Vec<_>, _>>().map(Value::Array)
    } else if let Ok(entries) = value.as_map_ref() {
        let map = map_to_json_at(&entries, depth)?;
        Ok(if is_tagged(&map) {
            tagged(MAP, Value::Object(map))
        } else {
            Value::Object(map)
        })
    } else {
        Err(format!(
            "{} cannot be kept; keep text, numbers, true or false, times, durations, arrays and maps of these",
            describe(value)
        ))
    }
}

/// A map as JSON, its keys in order.
///
/// # Errors
/// As `to_json`.
pub(super) fn map_to_json(entries: &RhaiMap) -> Result<Map<String, Value>, String> {
    map_to_json_at(entries, 0)
}

fn map_to_json_at(entries: &RhaiMap, depth: usize) -> Result<Map<String, Value>, String> {
    entries
        .iter()
        .map(|(name, value)| Ok((name.as_str().to_owned(), to_json_at(value, depth + 1)?)))
        .collect()
}

fn tagged(tag: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(tag.to_owned(), value)]))
}

fn is_tagged(map: &Map<String, Value>) -> bool {
    map.len() == 1
        && [TIME, DURATION, MAP]
            .iter()
            .any(|tag| map.contains_key(*tag))
}

/// How many bytes something has as JSON.
pub(super) fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |bytes| bytes.len())
}

/// A value for a script.
pub(super) fn from_json(value: &Value, zone: Tz) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => (*truth).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::Array(items) => {
            let items = items.iter().map(|item| from_json(item, zone));
            Dynamic::from_array(items.collect::<Array>())
        }
        Value::Object(map) => {
            from_tagged(map, zone).unwrap_or_else(|| Dynamic::from_map(map_from_json(map, zone)))
        }
    }
}

/// A value from outside for a script: there, a map that looks like a time of ours is just a map.
pub(super) fn from_outside(value: &Value) -> Dynamic {
    match value {
        Value::Array(items) => {
            Dynamic::from_array(items.iter().map(from_outside).collect::<Array>())
        }
        Value::Object(map) => Dynamic::from_map(
            map.iter()
                .map(|(name, value)| (name.as_str().into(), from_outside(value)))
                .collect(),
        ),
        plain => from_json(plain, Tz::UTC),
    }
}

/// A value for the outside, which knows no times and durations: a text, and milliseconds.
///
/// # Errors
/// As `to_json`.
pub(super) fn to_outside(value: &Dynamic) -> Result<Value, String> {
    Ok(untagged(to_json(value)?))
}

fn untagged(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(untagged).collect(),
        Value::Object(map) if is_tagged(&map) => {
            let mut inner = map.into_iter().map(|(_, inner)| inner);
            match inner.next().unwrap_or_default() {
                Value::Object(own) => untagged_map(own),
                plain => plain,
            }
        }
        Value::Object(map) => untagged_map(map),
        plain => plain,
    }
}

fn untagged_map(map: Map<String, Value>) -> Value {
    let entries = map.into_iter();
    Value::Object(
        entries
            .map(|(name, value)| (name, untagged(value)))
            .collect(),
    )
}

fn from_tagged(map: &Map<String, Value>, zone: Tz) -> Option<Dynamic> {
    if !is_tagged(map) {
        return None;
    }
    match map.iter().next()? {
        (tag, Value::String(text)) if tag == TIME => {
            let at: Timestamp = DateTime::parse_from_rfc3339(text).ok()?.to_utc().into();
            Some(Dynamic::from(Time { at, zone }))
        }
        (tag, Value::Number(ms)) if tag == DURATION => {
            Some(Dynamic::from(Length(Span::from_ms(ms.as_i64()?))))
        }
        (tag, Value::Object(map)) if tag == MAP => {
            Some(Dynamic::from_map(map_from_json(map, zone)))
        }
        _ => None,
    }
}

/// A map for a script.
pub(super) fn map_from_json(map: &Map<String, Value>, zone: Tz) -> RhaiMap {
    map.iter()
        .map(|(name, value)| (name.as_str().into(), from_json(value, zone)))
        .collect()
}

/// Refuses a value that is too large or too deep to be walked, copied and compared safely.
///
/// # Errors
/// A sentence about the limit.
pub(super) fn check_size(value: &Dynamic) -> Result<(), String> {
    let mut left = Left {
        items: ARRAY_ITEMS + MAP_ENTRIES,
        bytes: TEXT_BYTES,
    };
    left.take(value, 0)
}

struct Left {
    items: usize,
    bytes: usize,
}

impl Left {
    fn take(&mut self, value: &Dynamic, depth: usize) -> Result<(), String> {
        if let Ok(text) = value.as_immutable_string_ref() {
            return self.text(&text);
        }
        if value.is_array() {
            if let Ok(items) = value.as_array_ref() {
                self.enter(items.len(), depth)?;
                for item in items.iter() {
                    self.take(item, depth + 1)?;
                }
            }
        } else if value.is_map()
            && let Ok(entries) = value.as_map_ref()
        {
            self.enter(entries.len(), depth)?;
            for (name, item) in entries.iter() {
                self.text(name)?;
                self.take(item, depth + 1)?;
            }
        }
        Ok(())
    }

    fn enter(&mut self, items: usize, depth: usize) -> Result<(), String> {
        if depth >= VALUE_DEPTH {
            return Err(too_deep());
        }
        self.items = self.items.checked_sub(items).ok_or_else(|| {
            format!("a value may hold {ARRAY_ITEMS} items or {MAP_ENTRIES} entries at most")
        })?;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        self.bytes = self.bytes.checked_sub(text.len()).ok_or_else(|| {
            format!("the texts of a value may have {TEXT_BYTES} bytes together at most")
        })?;
        Ok(())
    }
}

fn too_deep() -> String {
    format!("a value may be nested {VALUE_DEPTH} levels deep at most")
}

/// What a value is, as a person would say it.
pub(super) fn describe(value: &Dynamic) -> String {
    name_of_type(value.type_name()).to_owned()
}

/// What a type is, as a person would say it, by Rhai's name or ours.
pub(super) fn name_of_type(name: &str) -> &str {
    match name {
        "()" => "no value, ()",
        "string" | "&str" | "&str | ImmutableString | String" => "text",
        "i64" => "a whole number",
        "f64" => "a number",
        "bool" => "true or false",
        "char" => "a character",
        "array" => "an array",
        "map" => "a map",
        "Fn" => "a function",
        "range" | "range=" => "a range",
        other if other.contains("Range") => "a range",
        other => match other.rsplit("::").next().unwrap_or(other) {
            "Time" | "time" => "a time",
            "Length" | "duration" => "a duration",
            "Chat" | "chat" => "the chat",
            "ContactView" | "contact" => "the contact",
            "Bag" | "state" => "the whole state or attributes",
            "MessageView" | "message" => "the message",
            "StatusView" | "status" => "the status",
            "LocationView" | "location" => "the location",
            "WindowView" | "window" => "the window",
            "Content" | "content" => "content to send",
            "TemplateContent" | "template" => "a template",
            _ => other,
        },
    }
}

/// A value as text for a person: for templates, traces and texts put together.
///
/// # Errors
/// A sentence about what has no text of its own.
pub(super) fn to_text(value: &Dynamic) -> Result<String, String> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.as_str().to_owned());
    }
    let scalar = value.is_int() || value.is_float() || value.is_bool() || value.is_char();
    if scalar {
        return Ok(value.to_string());
    }
    if let Some(length) = value.read_lock::<Length>() {
        return Ok(length.0.to_string());
    }
    if value.is_unit() {
        return Err("there is no value, (); write for example (chat.state.x ?? \"none\")".into());
    }
    if value.is::<Time>() {
        return Err("a time needs a format, for example time.format(\"%A %H:%M\")".into());
    }
    Err(format!("{} is not text", describe(value)))
}

/// A value as a line of a trace shows it; never fails.
pub(super) fn show(value: &Dynamic) -> String {
    match value.as_immutable_string_ref() {
        Ok(text) => text.as_str().to_owned(),
        Err(_) => show_at(value, 0),
    }
}

fn show_at(value: &Dynamic, depth: usize) -> String {
    if depth > VALUE_DEPTH {
        return "…".into();
    }
    if let Some(time) = value.read_lock::<Time>() {
        time.to_string()
    } else if let Some(bag) = value.read_lock::<Bag>() {
        show_at(&bag.to_map().into(), depth)
    } else if let Ok(text) = value.as_immutable_string_ref() {
        Value::from(text.as_str()).to_string()
    } else if let Ok(items) = value.as_array_ref() {
        let items: Vec<_> = items.iter().map(|item| show_at(item, depth + 1)).collect();
        format!("[{}]", items.join(", "))
    } else if let Ok(entries) = value.as_map_ref() {
        let entries = entries.iter();
        let entries: Vec<_> = entries
            .map(|(name, item)| format!("{name}: {}", show_at(item, depth + 1)))
            .collect();
        format!("#{{{}}}", entries.join(", "))
    } else if value.is_unit() {
        "()".into()
    } else {
        to_text(value).unwrap_or_else(|_| describe(value))
    }
}
