//! Changes of JSON that leave it JSON: values swapped, of other types, huge, deep, doubled; and keys that come
//! twice, which no tree of values can hold. Knows no key by name.

use serde_json::{Value, json};

use super::mutate::{self, ODD};
use crate::chance::Chance;

/// Levels of arrays that are put around a value: some that are kept, some that no reader takes.
const DEPTHS: [usize; 6] = [1, 8, 33, 100, 130, 4_000];

/// JSON that differs from `input` in a value or two; other bytes if it is none.
pub(super) fn changed(input: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(input) else {
        return mutate::changed(input, other, chance);
    };
    let other = serde_json::from_slice::<Value>(other).unwrap_or(Value::Null);
    let places = count(&value);
    let place = chance.index(places);
    match chance.index(12) {
        0 => return deep(&value, chance),
        1 => return doubled_key(&value, chance),
        2 => return number(&value, chance),
        3 => {
            let second = nth(&mut value, chance.index(places)).map(|value| value.clone());
            put(&mut value, place, second.unwrap_or(Value::Null));
        }
        4 | 5 => {
            let mut other = other;
            let from = chance.index(count(&other));
            let taken = nth(&mut other, from).map(|value| value.clone());
            put(&mut value, place, taken.unwrap_or(Value::Null));
        }
        6 => remove(&mut value, place, chance),
        7 => repeat(&mut value, place, chance),
        8 => rename(&mut value, place, chance),
        9 => {
            if let Some(Value::String(text)) = nth(&mut value, place) {
                let bytes = mutate::changed(text.as_bytes(), chance.pick(&ODD).as_bytes(), chance);
                *text = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        _ => put(&mut value, place, odd(chance)),
    }
    serde_json::to_vec(&value).expect("JSON")
}

/// A value of any type that is seldom where it is put.
fn odd(chance: &mut Chance) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e308),
        json!(u64::MAX),
        json!(i64::MIN),
        json!([]),
        json!({}),
        json!([null]),
        json!({ "": "" }),
        json!([[]]),
        json!({ "body": {} }),
        json!("1767225600"),
        json!("99999999999999999999"),
        json!("whatsapp"),
    ];
    match chance.index(4) {
        0 => json!(chance.pick(&ODD).repeat(chance.index(20_000))),
        1 => json!(chance.pick(&ODD)),
        _ => chance.pick(&values).clone(),
    }
}

/// How many values there are, within one another.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The value that is reached as the nth.
fn nth(value: &mut Value, nth: usize) -> Option<&mut Value> {
    fn walk<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
        if *left == 0 {
            return Some(value);
        }
        *left -= 1;
        match value {
            Value::Array(items) => items.iter_mut().find_map(|item| walk(item, left)),
            Value::Object(members) => members.values_mut().find_map(|member| walk(member, left)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }
    let mut left = nth;
    walk(value, &mut left)
}

fn put(value: &mut Value, place: usize, new: Value) {
    if let Some(old) = nth(value, place) {
        *old = new;
    }
}

fn remove(value: &mut Value, place: usize, chance: &mut Chance) {
    match nth(value, place) {
        Some(Value::Array(items)) if !items.is_empty() => {
            drop(items.remove(chance.index(items.len())));
        }
        Some(Value::Object(members)) if !members.is_empty() => {
            let key = members.keys().nth(chance.index(members.len())).cloned();
            members.remove(&key.expect("one of them"));
        }
        Some(value) => *value = Value::Null,
        None => {}
    }
}

fn repeat(value: &mut Value, place: usize, chance: &mut Chance) {
    match nth(value, place) {
        Some(Value::Array(items)) if !items.is_empty() => {
            let item = chance.pick(items).clone();
            items.extend(vec![item; chance.index(50)]);
        }
        Some(Value::String(text)) => *text = text.repeat(chance.index(200)),
        Some(value) => *value = Value::Array(vec![value.clone(), value.clone()]),
        None => {}
    }
}

fn rename(value: &mut Value, place: usize, chance: &mut Chance) {
    if let Some(Value::Object(members)) = nth(value, place)
        && !members.is_empty()
    {
        let key = members.keys().nth(chance.index(members.len())).cloned();
        let member = members.remove(&key.expect("one of them"));
        members.insert(
            (*chance.pick(&ODD)).to_owned(),
            member.unwrap_or(Value::Null),
        );
    }
}

/// A value within arrays within arrays; written as text, because deep values overflow the stack of whoever
/// drops them.
fn deep(value: &Value, chance: &mut Chance) -> Vec<u8> {
    let levels = *chance.pick(&DEPTHS);
    let (open, close) = *chance.pick(&[("[", "]"), ("{\"a\":", "}")]);
    let text = value.to_string();
    let places: Vec<usize> = text.match_indices(':').map(|(at, _)| at + 1).collect();
    let at = if places.is_empty() {
        0
    } else {
        *chance.pick(&places)
    };
    let inner = format!("{}1{},", open.repeat(levels), close.repeat(levels));
    let (before, after) = text.split_at(at);
    match chance.index(2) {
        // In place of a value: what stood there becomes a member of its own.
        0 => format!("{before}{inner}\"was\":{after}").into_bytes(),
        _ => format!("{}{text}{}", open.repeat(levels), close.repeat(levels)).into_bytes(),
    }
}

/// A key that comes twice, with another value the first time.
fn doubled_key(value: &Value, chance: &mut Chance) -> Vec<u8> {
    let text = value.to_string();
    let keys: Vec<(usize, &str)> = text
        .match_indices("\":")
        .filter_map(|(end, _)| {
            let start = text[..end].rfind('"')?;
            Some((start, &text[start..end + 2]))
        })
        .collect();
    if keys.is_empty() {
        return text.into_bytes();
    }
    let (at, key) = *chance.pick(&keys);
    format!("{}{key}{},{}", &text[..at], odd(chance), &text[at..]).into_bytes()
}

/// A number as no tree of values holds it.
fn number(value: &Value, chance: &mut Chance) -> Vec<u8> {
    let text = value.to_string();
    let digits: Vec<usize> = text
        .bytes()
        .enumerate()
        .filter(|(_, byte)| byte.is_ascii_digit())
        .map(|(at, _)| at)
        .collect();
    if digits.is_empty() {
        return text.into_bytes();
    }
    let at = *chance.pick(&digits);
    let nines = "9".repeat(400);
    let new = *chance.pick(&[
        "1e999",
        "-0",
        "1E-400",
        "0.0000001",
        nines.as_str(),
        "-",
        "00",
    ]);
    format!("{}{new}{}", &text[..at], &text[at + 1..]).into_bytes()
}
