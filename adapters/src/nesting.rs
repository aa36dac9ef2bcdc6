//! How deep free JSON of customers may be nested: what is stored is wrapped a few levels deeper, and has
//! to be read again by a reader that gives up at 128.

use serde_json::Value;

/// Levels at most; a form of WhatsApp's has three.
const MAX_DEPTH: usize = 32;

/// Whether `value` is nested deeper than we keep.
pub(crate) fn is_too_deep(value: &Value) -> bool {
    is_deeper(value, MAX_DEPTH)
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(left) = levels.checked_sub(1) else {
        return matches!(value, Value::Array(_) | Value::Object(_));
    };
    match value {
        Value::Array(items) => items.iter().any(|item| is_deeper(item, left)),
        Value::Object(members) => members.values().any(|member| is_deeper(member, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_two_levels_are_kept_and_no_more() {
        let nested = |levels| (0..levels).fold(Value::Null, |value, _| Value::Array(vec![value]));
        assert!(!is_too_deep(&nested(32)));
        assert!(is_too_deep(&nested(33)));
    }
}
