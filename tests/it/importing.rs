//! What the integration before this one sealed moves over: one by one, and in bulk.

use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::commands::{self, complains};

/// Secret, what it sealed, and what came of it: made by cryptr 6.4.0.
const KEY: &str = "legacy-secret-1";
const TOKEN: &str = "AC5f0e1d2c3b4a59687786950413223140";
const SEALED: &str = "845df302cccfeb299165c64941fa11c0b7081e3610293a5cd4af3b1cd5c4e36d86fd41e4f52679b2f5175b9282bc88792d95d26a6238fc08038f1f8c070e5570ce035699140e39c362a72e07e39589b11e0bfcf309812f004b3041368e90bc68583c549fe0d7a43469b6e62c2a081b127b359c66e039938c5f45deac33b9baddc983";

/// A folder with a database and two locations.
struct Place {
    folder: TempDir,
    key: String,
}

impl Place {
    fn new() -> Self {
        let folder = commands::folder();
        let key = commands::key(&folder);
        let place = Self { folder, key };
        place.shows(&["migrate"]);
        for name in ["Casa Lima", "Other"] {
            place.shows(&["location", "create", "--name", name, "--time-zone", "UTC"]);
        }
        place
    }

    fn run_with(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = commands::command(&self.folder, words);
        command.env("REJOINDER_KEYS", &self.key);
        command.envs(variables.iter().copied());
        let output = command.output().expect("it runs");
        // Whatever comes of it, no secret is told.
        let told = [&output.stdout[..], &output.stderr[..]].concat();
        let told = String::from_utf8_lossy(&told);
        for secret in [TOKEN, SEALED, KEY, "plain-token", "misplaced-token"] {
            assert!(!told.contains(secret), "{words:?} tells '{secret}': {told}");
        }
        output
    }

    fn run(&self, words: &[&str]) -> Output {
        self.run_with(
            words,
            &[
                ("LEGACY_ENCRYPTION_KEY", KEY),
                ("ENCRYPTION_KEY", "another"),
            ],
        )
    }

    fn shows(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("written");
    }

    fn channels(&self, location: &str) -> Vec<Value> {
        let listed = self.shows(&["--json", "channel", "list", "--location", location]);
        let mut listed: Value = serde_json::from_str(&listed).expect("JSON");
        serde_json::from_value(listed["channels"].take()).expect("channels")
    }
}

fn row(location: &str, phone: &str) -> Value {
    json!({
        "location": location, "provider": "twilio", "account": "AC0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "phone": phone, "name": "front desk", "encrypted_credentials": { "auth_token": SEALED },
    })
}

#[test]
fn a_legacy_secret_is_a_source_of_a_credential() {
    let place = Place::new();
    let create = |phone: &'static str, source: &'static str| {
        [
            "channel",
            "create",
            "--location",
            "Casa Lima",
            "--provider",
            "twilio",
            "--account",
            "AC0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "--phone",
            phone,
            "--name",
            "A",
            "--credential",
            source,
        ]
    };
    place.write("sealed", &format!("{SEALED}\n"));
    place.shows(&create("+4930901821", "auth_token=cryptr:@sealed"));
    let of_env = [("OLD", SEALED), ("ENCRYPTION_KEY", KEY)];
    let output = place.run_with(&create("+4930901822", "auth_token=cryptr:env:OLD"), &of_env);
    assert!(output.status.success(), "{output:?}");
    for channel in place.channels("Casa Lima") {
        assert_eq!(channel["credentials"], json!({ "auth_token": "…3140" }));
    }

    let create = |source| create("+4930901823", source);
    let no_key = place.run_with(&create("auth_token=cryptr:@sealed"), &[]);
    complains(&no_key, &["LEGACY_ENCRYPTION_KEY", "ENCRYPTION_KEY"]);
    let wrong = place.run_with(
        &create("auth_token=cryptr:@sealed"),
        &[("ENCRYPTION_KEY", "another")],
    );
    complains(&wrong, &["auth_token", "does not open"]);
    place.write("short", "0011");
    complains(
        &place.run(&create("auth_token=cryptr:@short")),
        &["96 bytes"],
    );
    complains(
        &place.run(&create("auth_token=cryptr:0011")),
        &["cryptr:@file"],
    );
    assert_eq!(place.channels("Casa Lima").len(), 2);
}

#[test]
fn legacy_rows_become_channels_or_are_named_and_it_may_be_run_again() {
    let place = Place::new();
    let other = json!({
        "location": "Other", "provider": "meta", "account": "215589313241560883", "key": "106853218861309",
        "phone": "+4930901820", "name": "shop", "settings": { "messages_per_second": 20 },
        "credentials": { "access_token": "the-plain-token-of-a-number" },
    });
    let mut wrong_type = row("Other", "+4930901824");
    wrong_type["credentials"] = json!("misplaced-token");
    let mut wrong_field = row("Other", "+4930901825");
    wrong_field["encrypted_credentials"]["auth_token"] = json!({ "value": "misplaced-token" });
    let mut unknown = row("Other", "+4930901826");
    unknown["token"] = json!("misplaced-token");
    let mut damaged = row("Other", "+4930901827");
    damaged["encrypted_credentials"]["auth_token"] = json!(SEALED.replace('8', "9"));
    let mut twice = row("Other", "+4930901828");
    twice["credentials"] = json!({ "auth_token": "plain-token" });
    let mut without = row("Other", "+4930901829");
    without["encrypted_credentials"] = json!({});
    let rows = json!([
        row("Casa Lima", "+4930901821"),
        other,
        // The same number, in its own location and in another one.
        row("Casa Lima", "+4930901821"),
        row("Other", "+4930901821"),
        row("Nowhere", "+4930901823"),
        wrong_type,
        wrong_field,
        unknown,
        damaged,
        twice,
        without,
        "misplaced-token",
    ]);
    place.write("rows.json", &rows.to_string());
    let expected = [
        ("connected", ""),
        ("connected", ""),
        ("connected_already", ""),
        ("failed", "another location"),
        ("failed", "there is no location 'Nowhere'"),
        ("failed", "'credentials' is not an object"),
        ("failed", "'encrypted_credentials.auth_token' is not a text"),
        ("failed", "unknown field `token`"),
        ("failed", "'auth_token': it does not open"),
        ("failed", "give it once"),
        ("failed", "the credential 'auth_token' is missing"),
        ("failed", "it is not an object"),
    ];
    for again in [false, true] {
        let output = place.run(&["channel", "import", "rows.json", "--json"]);
        complains(&output, &["9 row(s) of rows.json"]);
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        for (nth, (state, problem)) in expected.into_iter().enumerate() {
            let row = &told["rows"][nth];
            assert_eq!(row["row"], nth + 1);
            let is_connected = again && state == "connected";
            let state = if is_connected {
                "connected_already"
            } else {
                state
            };
            assert_eq!(row["state"], state, "{row}");
            let told = row["problem"].as_str().unwrap_or_default();
            assert!(told.contains(problem), "{row}");
        }
        assert_eq!(place.channels("Casa Lima").len(), 1, "{told}");
        assert_eq!(place.channels("Other").len(), 1, "{told}");
    }
    assert_eq!(
        place.channels("Casa Lima")[0]["credentials"],
        json!({ "auth_token": "…3140" })
    );
    assert_eq!(
        place.channels("Other")[0]["settings"]["messages_per_second"],
        20
    );

    // For people, a line for each.
    let output = place.run(&["channel", "import", "rows.json"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        shown.contains("row 1: connected already as chn_"),
        "{shown}"
    );
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("row 5: there is no location"), "{told}");
    place.write("odd.json", "{\"credentials\": \"misplaced-token\"");
    complains(
        &place.run(&["channel", "import", "odd.json"]),
        &["odd.json", "line 1"],
    );
}
