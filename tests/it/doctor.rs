//! What is wrong with a connected number is found, with its evidence and its way out; what can be mended from here
//! is mended.

mod meta;
mod signup;
mod twilio;

use serde_json::Value;

use crate::desk::Desk;

/// The finding about one thing of the only number.
fn finding<'a>(report: &'a Value, check: &str) -> &'a Value {
    let findings = report["channels"][0]["findings"]
        .as_array()
        .expect("findings");
    let found = findings.iter().find(|finding| finding["check"] == check);
    found.unwrap_or_else(|| panic!("nothing about '{check}' in {report}"))
}

/// That something stands so, with these words in its evidence, and with a way out unless all is well.
fn stands(report: &Value, check: &str, state: &str, words: &[&str]) {
    let finding = finding(report, check);
    assert_eq!(finding["state"], state, "{finding}");
    let text = finding.to_string();
    for word in words {
        assert!(text.contains(word), "'{word}' is not in {finding}");
    }
    if state == "bad" {
        assert!(
            finding["breaks"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{finding}"
        );
        assert!(
            finding["fix"].as_str().is_some_and(|text| !text.is_empty()),
            "{finding}"
        );
    }
}

/// What is bad or worth a warning, by name.
fn troubles(report: &Value) -> Vec<String> {
    let findings = report["channels"][0]["findings"]
        .as_array()
        .expect("findings");
    let troubles = findings
        .iter()
        .filter(|it| it["state"] == "bad" || it["state"] == "warning");
    troubles
        .map(|finding| finding["check"].as_str().expect("a name").to_owned())
        .collect()
}

async fn look(desk: &Desk) -> Value {
    desk.json(&["doctor"]).await
}

/// Does what a finding offers, and looks again.
async fn mend(desk: &Desk, report: &Value, check: &str) -> Value {
    let action = finding(report, check)["action"]
        .as_str()
        .expect("an action");
    let channel = report["channels"][0]["channel_id"]
        .as_str()
        .expect("a channel");
    desk.done(&["doctor", "--channel", channel, "--fix", action])
        .await;
    look(desk).await
}
