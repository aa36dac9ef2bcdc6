//! Every limit at its edge: the last that is taken and the first that is refused.
//! Knows no requests.

use rejoinder_engine::domain::content::Row;
use serde_json::json;

use super::*;

fn content(value: Value) -> Content {
    serde_json::from_value(value).expect("a content")
}

/// That `content` is refused with a sentence that contains `words`.
fn refused(value: Value, words: &str) {
    let shown = value.to_string();
    let error = check(&content(value)).expect_err(&shown);
    assert_eq!(error.kind, SendErrorKind::Invalid);
    assert!(error.detail.contains(words), "{}", error.detail);
}

fn taken(value: Value) {
    let shown = value.to_string();
    assert_eq!(check(&content(value)), Ok(()), "{shown}");
}

/// `length` characters of two bytes each: limits count characters.
fn long(length: usize) -> String {
    "é".repeat(length)
}

#[test]
fn a_text_has_at_most_4096_characters() {
    taken(json!({"kind": "text", "text": long(4096)}));
    refused(
        json!({"kind": "text", "text": long(4097)}),
        "may have 4096 characters and has 4097",
    );
    refused(json!({"kind": "text", "text": " \n"}), "must not be empty");
}

fn buttons(text: &str, buttons: &[(&str, &str)]) -> Value {
    let buttons: Vec<Value> = buttons
        .iter()
        .map(|(id, title)| json!({"id": id, "title": title}))
        .collect();
    json!({"kind": "buttons", "text": text, "buttons": buttons})
}

#[test]
fn buttons_are_few_short_and_different() {
    taken(buttons(
        &long(1024),
        &[(&long(256), &long(20)), ("b", "B"), ("c", "C")],
    ));
    refused(
        buttons(&long(1025), &[("a", "A")]),
        "1024 characters and has 1025",
    );
    refused(buttons("?", &[]), "1 to 3 buttons and there are 0");
    let four = [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")];
    refused(buttons("?", &four), "1 to 3 buttons and there are 4");
    refused(
        buttons("?", &[("a", "A"), ("b", &long(21))]),
        "the title of button 2 may have 20 characters and has 21",
    );
    refused(
        buttons("?", &[(&long(257), "A")]),
        "the id of button 1 may have 256",
    );
    refused(
        buttons("?", &[("a", "A"), ("b", "A")]),
        "the titles of the buttons must differ",
    );
    refused(
        buttons("?", &[("a", "A"), ("a", "B")]),
        "the ids of the buttons must differ",
    );
    refused(
        buttons("?", &[("", "A")]),
        "the id of button 1 must not be empty",
    );
    refused(
        buttons("", &[("a", "A")]),
        "the text above the buttons must not be empty",
    );
}

fn list(sections: Vec<Section>) -> Content {
    Content::List {
        text: "?".to_owned(),
        button: "Menu".to_owned(),
        sections,
    }
}

fn section(title: &str, rows: std::ops::Range<usize>) -> Section {
    Section {
        title: title.to_owned(),
        rows: rows
            .map(|i| Row {
                id: i.to_string(),
                title: format!("Row {i}"),
                description: None,
            })
            .collect(),
    }
}

fn refused_list(sections: Vec<Section>, words: &str) {
    let error = check(&list(sections)).expect_err(words);
    assert!(error.detail.contains(words), "{}", error.detail);
}

#[test]
fn a_list_has_ten_rows_in_all_and_its_sections_have_titles() {
    assert_eq!(check(&list(vec![section("", 0..10)])), Ok(()));
    assert_eq!(
        check(&list(vec![section("A", 0..5), section("B", 5..10)])),
        Ok(())
    );
    refused_list(vec![], "1 to 10 sections and there are 0");
    refused_list(
        vec![section("A", 0..6), section("B", 6..11)],
        "there are 11",
    );
    refused_list(
        vec![section("A", 0..1), section(" ", 1..2)],
        "the title of section 2",
    );
    refused_list(
        vec![section("A", 0..1), section("B", 1..1)],
        "section 2 has no rows",
    );
    refused_list(
        vec![section("A", 0..1), section("B", 0..1)],
        "the ids of the rows must differ",
    );
    refused_list(vec![section(&long(25), 0..1)], "24 characters and has 25");
}

#[test]
fn the_parts_of_a_list_are_short() {
    let list = |text: &str, button: &str, row: Value| json!({"kind": "list", "text": text, "button": button, "sections": [{"rows": [row]}]});
    let row = || json!({"id": long(200), "title": long(24), "description": long(72)});
    taken(list(&long(4096), &long(20), row()));
    refused(
        list(&long(4097), "Menu", row()),
        "the text above the list may have 4096",
    );
    refused(list("?", &long(21), row()), "20 characters and has 21");
    refused(
        list("?", "", row()),
        "the caption of the list's button must not be empty",
    );
    refused(
        list("?", "Menu", json!({"id": long(201), "title": "A"})),
        "the id of row 1",
    );
    refused(
        list("?", "Menu", json!({"id": "a", "title": long(25)})),
        "the title of row 1",
    );
    refused(
        list(
            "?",
            "Menu",
            json!({"id": "a", "title": "A", "description": long(73)}),
        ),
        "the description of row 1 may have 72 characters and has 73",
    );
}

#[test]
fn a_file_has_a_public_address_and_only_some_have_captions() {
    let media = |media: &str, url: &str, caption: Value| json!({"kind": "media", "media": media, "url": url, "caption": caption});
    let https = "https://files.example/a";
    taken(media("image", https, json!(long(1024))));
    taken(media("image", "http://127.0.0.1:8080/a", Value::Null));
    taken(media("image", "http://[::1]:8080/a", Value::Null));
    taken(media("voice", https, Value::Null));
    refused(
        media("image", https, json!(long(1025))),
        "the caption may have 1024",
    );
    refused(
        media("voice", https, json!("oi")),
        "kind voice cannot have a caption",
    );
    refused(media("sticker", https, json!("oi")), "kind sticker cannot");
    refused(
        media("image", "http://files.example/a", Value::Null),
        "https, not with http",
    );
    refused(
        media("image", "file:///etc/passwd", Value::Null),
        "https, not with file",
    );
    refused(
        media("image", "data:,x", Value::Null),
        "https, not with data",
    );
    refused(
        media("image", "a.png", Value::Null),
        "not a complete https address",
    );
}

#[test]
fn a_place_is_on_earth() {
    let place = |latitude: f64, longitude: f64| {
        Content::Location(Place {
            latitude,
            longitude,
            name: None,
            address: None,
        })
    };
    assert_eq!(check(&place(-90.0, 180.0)), Ok(()));
    for (latitude, longitude) in [
        (90.1, 0.0),
        (0.0, -180.1),
        (f64::NAN, 0.0),
        (0.0, f64::INFINITY),
    ] {
        assert!(check(&place(latitude, longitude)).is_err());
    }
}

#[test]
fn a_business_card_has_a_name() {
    refused(json!({"kind": "contacts", "contacts": []}), "at least one");
    refused(
        json!({"kind": "contacts", "contacts": [{"name": ""}]}),
        "the name on business card 1",
    );
}

#[test]
fn a_form_has_an_id_and_its_data_is_a_map() {
    let form = |button: &str, data: Value| json!({"kind": "form", "text": "?", "button": button, "flow": "1", "data": data});
    taken(form(&long(30), json!({})));
    refused(form(&long(31), Value::Null), "30 characters and has 31");
    refused(form("Go", json!([1])), "must be a map");
}

fn template(key: &str, value: Value) -> Value {
    let mut template = json!({"kind": "template", "name": "order_ready"});
    template[key] = value;
    template
}

#[test]
fn a_templates_values_are_filled_and_on_one_line() {
    taken(template("body", json!(["a    b"])));
    refused(
        template("body", json!(["Ana", ""])),
        "the template's parameter 2 must not be empty",
    );
    refused(
        template("body", json!([["first_name", " "]])),
        "parameter first_name must not be empty",
    );
    refused(template("body", json!(["a\nb"])), "line break or a tab");
    refused(template("body", json!(["a\tb"])), "line break or a tab");
    refused(template("body", json!(["a     b"])), "more than 4 spaces");
    refused(
        template("body", json!([["a", "1"], ["a", "2"]])),
        "names of the template's parameters must differ",
    );
    refused(
        template("body", json!([["", "1"]])),
        "the name of a template's parameter",
    );
    refused(
        template("name", json!("")),
        "the template's name must not be empty",
    );
    refused(
        template("header", json!({"type": "text", "value": ""})),
        "the template's header",
    );
    refused(
        template(
            "header",
            json!({"type": "media", "media": "sticker", "url": "https://x.example"}),
        ),
        "not a file of kind sticker",
    );
}

#[test]
fn a_templates_buttons_are_counted_from_0_to_9() {
    let button = |index: u8| json!({"type": "quick_reply", "index": index, "payload": "P"});
    taken(template("buttons", json!([button(0), button(9)])));
    refused(
        template("buttons", json!([button(10)])),
        "there is no button 10",
    );
    refused(
        template("buttons", json!([button(1), button(1)])),
        "button 1 is given twice",
    );
    refused(
        template(
            "buttons",
            json!([{"type": "copy_code", "index": 0, "code": long(16)}]),
        ),
        "15 characters and has 16",
    );
    refused(
        template(
            "buttons",
            json!([{"type": "url", "index": 0, "suffix": ""}]),
        ),
        "the link of the template's button 0 must not be empty",
    );
}
