//! Reading JSON that may be slightly wrong: numbers as strings, seconds as milliseconds, characters
//! that a database refuses. Knows nothing of what the values mean.

use base64::Engine as _;
use rejoinder_engine::domain::time::Timestamp;
use serde_json::{Map, Value};

/// An object's members.
pub(super) type Object = Map<String, Value>;

/// The longest id that is believed: Meta's have about a hundred. Ids are repeated with every item,
/// so that a longer one would make a small body grow large.
const MAX_ID_BYTES: usize = 512;

/// From here on a count is milliseconds: as seconds it would be the year 33658.
const FIRST_MILLISECONDS: i64 = 1_000_000_000_000;

/// Reads `text`, mending what strict JSON or a text column of a database would refuse:
/// halves of surrogate pairs (a name cut inside an emoji) and NUL become U+FFFD.
pub(super) fn read(text: &str) -> Option<Value> {
    let mut value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => serde_json::from_str(&mend_surrogates(text)?).ok()?,
    };
    // The escape is the only way in for a NUL: a bare one is not JSON.
    if text.contains("\\u0000") {
        replace_nul(&mut value);
    }
    Some(value)
}

/// `text` without NUL, which text columns of PostgreSQL refuse.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn replace_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = without_nul(text),
        Value::Array(items) => items.iter_mut().for_each(replace_nul),
        Value::Object(members) => {
            for (mut key, mut member) in std::mem::take(members) {
                if key.contains('\0') {
                    key = without_nul(&key);
                }
                replace_nul(&mut member);
                members.insert(key, member);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `text` with every `\ud8xx` that lacks its other half written as `\ufffd`; `None` if there is none.
fn mend_surrogates(text: &str) -> Option<String> {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find('\\') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match surrogate(rest) {
            Some(Half::High) if surrogate(&rest[6..]) == Some(Half::Low) => 12,
            Some(_) => {
                mended.push_str("\\ufffd");
                changed = true;
                rest = &rest[6..];
                continue;
            }
            // Any other escape: the backslash and what it escapes, so that `\\u` is not misread.
            None => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        mended.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    mended.push_str(rest);
    changed.then_some(mended)
}

#[derive(PartialEq)]
enum Half {
    High,
    Low,
}

fn surrogate(text: &str) -> Option<Half> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

/// How many items the lists within `value` have together.
pub(super) fn count_items(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len() + items.iter().map(count_items).sum::<usize>(),
        Value::Object(members) => members.values().map(count_items).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// A member that is text and not empty.
pub(super) fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// The same, owned.
pub(super) fn string(object: &Object, key: &str) -> Option<String> {
    text(object, key).map(str::to_owned)
}

/// An id, which Meta writes as text or as a number.
pub(super) fn id(object: &Object, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) if (1..=MAX_ID_BYTES).contains(&text.len()) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A member that is an object.
pub(super) fn object<'a>(object: &'a Object, key: &str) -> Option<&'a Object> {
    object.get(key)?.as_object()
}

/// A member that is an array; anything else is an empty one.
pub(super) fn array<'a>(object: &'a Object, key: &str) -> &'a [Value] {
    object
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The objects of an array; anything else in it is passed over.
pub(super) fn objects<'a>(object: &'a Object, key: &str) -> impl Iterator<Item = &'a Object> {
    array(object, key).iter().filter_map(Value::as_object)
}

/// A whole number, written as a number or as text.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A number, written as a number or as text.
pub(super) fn number(object: &Object, key: &str) -> Option<f64> {
    let number = match object.get(key)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

/// A moment, in seconds or milliseconds, as a number or as text.
pub(super) fn timestamp(object: &Object, key: &str) -> Option<Timestamp> {
    match integer(object.get(key)?)? {
        ..=0 => None,
        ms if ms > FIRST_MILLISECONDS => Some(Timestamp::from_ms(ms)),
        seconds => Some(Timestamp::from_seconds(seconds)),
    }
}

/// A SHA-256, written in base64 or hex, as lower-case hex.
pub(super) fn sha256(object: &Object, key: &str) -> Option<String> {
    let written = text(object, key)?;
    let bytes = if written.len() == 64 {
        hex::decode(written).ok()?
    } else {
        base64::engine::general_purpose::STANDARD
            .decode(written)
            .ok()?
    };
    (bytes.len() == 32).then(|| hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: &Value) -> &Object {
        value.as_object().expect("an object")
    }

    #[test]
    fn half_an_emoji_does_not_spoil_a_webhook() {
        for (written, read_as) in [
            (r#""Ana \ud83d""#, "Ana \u{fffd}"),
            (r#""\ude0a!""#, "\u{fffd}!"),
            (r#""\ud83d\ud83d\ude0a""#, "\u{fffd}😊"),
            (r#""\\ud83d \ud83d""#, "\\ud83d \u{fffd}"),
            (r#""\ud83d\u00e1""#, "\u{fffd}á"),
        ] {
            assert_eq!(read(written), Some(json!(read_as)), "{written}");
        }
        assert_eq!(read(r#"{"a":"\ud83d"#), None);
        assert_eq!(read("\\"), None);
        assert_eq!(read("\"\\u\u{e9}\u{e9}\u{e9}"), None);
    }

    #[test]
    fn no_nul_is_left_in_keys_or_values() {
        assert_eq!(
            read(r#"{"a\u0000":["b\u0000",1]}"#),
            Some(json!({"a\u{fffd}": ["b\u{fffd}", 1]}))
        );
    }

    #[test]
    fn moments_read_in_every_form() {
        let value = json!({
            "text": "1767225600", "number": 1_767_225_600, "ms": "1767225600123", "zero": 0,
            "word": "yesterday", "huge": "99999999999999999999"
        });
        let at = |key| timestamp(members(&value), key).map(Timestamp::ms);
        assert_eq!(at("text"), Some(1_767_225_600_000));
        assert_eq!(at("number"), Some(1_767_225_600_000));
        assert_eq!(at("ms"), Some(1_767_225_600_123));
        for none in ["zero", "word", "huge", "missing"] {
            assert_eq!(at(none), None, "{none}");
        }
    }

    #[test]
    fn a_hash_reads_in_base64_and_in_hex() {
        let hex = "8c340729 43e202af 6a55bd9e 2133fdbc 49a8a00c bc1057b7 7f8fd395 308222a5"
            .replace(' ', "");
        let value = json!({
            "base64": "jDQHKUPiAq9qVb2eITP9vEmooAy8EFe3f4/TlTCCIqU=",
            "hex": hex.to_uppercase(), "short": "jDQ=", "wrong": "z".repeat(64)
        });
        assert_eq!(sha256(members(&value), "base64"), Some(hex.clone()));
        assert_eq!(sha256(members(&value), "hex"), Some(hex));
        assert_eq!(sha256(members(&value), "short"), None);
        assert_eq!(sha256(members(&value), "wrong"), None);
    }
}
