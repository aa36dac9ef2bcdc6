//! Pages of Meta's list in `tests/payloads/meta/templates`, and the shapes beside each.
//! Speaks to nobody.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/payloads/meta/templates");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder of lists")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| !path.to_string_lossy().ends_with(".expected.json"))
        .collect();
    cases.sort();
    cases
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that writes files asks the person who runs it"
)]
fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// `UPDATE=1` writes the expectations anew.
#[test]
fn every_list_reads_as_its_expectation_says() {
    let cases = cases();
    assert!(!cases.is_empty());
    for case in cases {
        let text = fs::read_to_string(&case).expect("a readable file");
        let page: Page = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        let read = serde_json::json!({
            "templates": page.shapes().collect::<Vec<_>>(),
            "next": page.next(),
        });
        let expectation = case.with_extension("expected.json");
        if is_update() {
            let written = serde_json::to_string_pretty(&read).expect("writable") + "\n";
            fs::write(&expectation, written).expect("a writable folder");
        }
        let expected: Value = fs::read_to_string(&expectation)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_else(|| panic!("{}: no expectation", case.display()));
        assert_eq!(read, expected, "{}", case.display());
    }
}

#[test]
fn a_value_of_the_wrong_kind_spoils_its_own_template_only() {
    let good = serde_json::json!({"name": "a", "language": "en", "status": "APPROVED"});
    for wrong in [
        serde_json::json!(7),
        serde_json::json!({"name": 7, "language": "en"}),
        serde_json::json!({"language": "en"}),
    ] {
        let page = Page {
            data: vec![wrong.clone(), good.clone()],
            paging: None,
        };
        let names: Vec<String> = page.shapes().map(|shape| shape.name).collect();
        assert_eq!(names, ["a"], "{wrong}");
    }
    for components in [
        serde_json::json!("x"),
        serde_json::json!([7, {"type": 7}, {"type": "BODY"}, {"type": "BUTTONS", "buttons": {}}]),
        serde_json::json!([{"type": "BUTTONS", "buttons": [7, null, {"type": "URL"}]}]),
    ] {
        let mut odd = good.clone();
        odd["components"] = components;
        let shape = shape(&odd).expect("a template");
        assert!(shape.buttons.is_empty() && shape.header == HeaderShape::None);
    }
}
