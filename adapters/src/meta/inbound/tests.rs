//! Payloads broken on purpose: that nothing is lost, nothing spoils its neighbours, nothing grows.
//! What whole payloads say is pinned by the files in `tests/payloads/meta`, not here.

use std::fs;
use std::path::Path;

use rejoinder_engine::domain::inbound::Item;
use serde_json::{Value, json};

use super::parse;

/// Every payload in the folder of expectations, parsed as JSON where it is.
fn corpus() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/payloads/meta");
    let mut corpus: Vec<(String, Value)> = fs::read_dir(folder)
        .expect("the folder of payloads")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.is_file() && !path.to_string_lossy().ends_with(".expected.json"))
        .filter_map(|path| {
            let text = fs::read_to_string(&path).expect("a readable file");
            let name = path.file_name()?.to_string_lossy().into_owned();
            Some((name, super::json::read(&text)?))
        })
        .collect();
    corpus.sort_by(|(a, _), (b, _)| a.cmp(b));
    corpus
}

/// The places of every value within `value`, as JSON pointers.
fn places(value: &Value, here: &str, places: &mut Vec<String>) {
    places.push(here.to_owned());
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                self::places(item, &format!("{here}/{i}"), places);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                self::places(member, &format!("{here}/{key}"), places);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_value_of_the_wrong_kind_anywhere_spoils_nothing_else() {
    for (name, payload) in corpus() {
        let mut places = Vec::new();
        self::places(&payload, "", &mut places);
        for place in &places {
            for wrong in [
                json!(null),
                json!(7),
                json!(-1.5e300),
                json!("x"),
                json!(""),
                json!([]),
                json!([7]),
                json!({}),
                json!({"type": "x"}),
            ] {
                let mut changed = payload.clone();
                *changed.pointer_mut(place).expect("a place in it") = wrong.clone();
                for inbound in parse(&changed.to_string()) {
                    let is_unknown = matches!(inbound.item, Item::Unknown { .. });
                    assert_eq!(inbound.raw.is_some(), is_unknown, "{name} {place} {wrong}");
                    if let Some(raw) = &inbound.raw {
                        let again = parse(raw);
                        assert_eq!(again, [inbound], "{name} {place} {wrong}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_broken_message_leaves_its_neighbours_as_they_are() {
    let good = json!({"from": "5511987654321", "id": "wamid.GOOD", "timestamp": "1767225600",
        "type": "text", "text": {"body": "oi"}});
    let of = |messages: Value| {
        parse(
            &json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{
                "field": "messages",
                "value": {"metadata": {"phone_number_id": "2"}, "messages": messages},
            }]}]})
            .to_string(),
        )
    };
    let [alone] = &of(json!([good]))[..] else {
        panic!("one message gives one item");
    };
    let mut places = Vec::new();
    self::places(&good, "", &mut places);
    for place in places {
        let mut bad = good.clone();
        *bad.pointer_mut(&place).expect("a place in it") = json!([null]);
        let [first, _, last] = &of(json!([good, bad, good]))[..] else {
            panic!("three messages give three items");
        };
        assert_eq!((first, last), (alone, alone), "{place}");
    }
}

#[test]
fn a_truncated_body_is_one_unknown_item() {
    for (name, payload) in corpus() {
        let text = payload.to_string();
        for end in (1..text.len())
            .step_by(37)
            .filter(|end| text.is_char_boundary(*end))
        {
            let inbounds = parse(&text[..end]);
            assert_eq!(inbounds.len(), 1, "{name} {end}");
            assert_eq!(inbounds[0].raw.as_deref(), Some(&text[..end]), "{name}");
        }
    }
}

#[test]
fn a_body_nested_beyond_reason_is_one_unknown_item() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    assert_eq!(parse(&deep).len(), 1);
}

/// What all items of `text` weigh when they are written down.
fn weight(text: &str) -> usize {
    serde_json::to_string(&parse(text)).expect("writable").len()
}

#[test]
fn a_body_made_to_grow_does_not_grow_large() {
    let long = "9".repeat(1 << 20);
    let of = |value: Value| {
        json!({"object": "whatsapp_business_account", "entry": [{"id": long, "changes": [{
            "field": "messages", "value": value,
        }]}]})
        .to_string()
    };
    let metadata = json!({"phone_number_id": "2", "more": long});
    let contacts = json!([{"wa_id": "5511987654321", "profile": {"name": long}, "more": long}]);
    for item in [
        json!({"from": "5511987654321"}),
        json!({"from": "5511987654321", "id": "1", "type": "text", "text": {"body": "oi"}}),
        json!({"from": "5511987654321", "id": "1", "type": "interactive"}),
    ] {
        let text = of(json!({"metadata": metadata, "contacts": contacts,
            "messages": vec![item; 10_000], "errors": [{"code": 131_000, "title": long}]}));
        assert!(weight(&text) < 6 * text.len(), "{}", weight(&text));
    }
    let changes = json!({"entry": [{"id": long, "changes": vec![7; 10_000]}]}).to_string();
    assert!(weight(&changes) < 6 * changes.len());
    assert_eq!(parse(&of(json!({"messages": vec![7; 60_000]}))).len(), 1);
}
