//! What every adapter makes of the webhooks in `tests/payloads/<kind>`, with the expectation beside
//! each. Knows no provider: an adapter without cases fails.
//!
//! A case is a file that is a body; `<name>.expected.json` beside it is what `Adapter::parse` makes
//! of it. `signatures/*.json` go through `Adapter::receive`, `handshakes/*.json` through
//! `Adapter::handshake`. `UPDATE=1` writes the expectations anew; read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rejoinder_engine::adapter::{Adapter, Method, Webhook};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::inbound::{Inbound, Item};
use serde::Deserialize;

/// Every adapter of this workspace.
fn adapters() -> Vec<std::sync::Arc<dyn Adapter>> {
    rejoinder_adapters::all(&rejoinder_adapters::Config::default())
}

/// A request as it came, and whether its sender is who it says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureCase {
    #[expect(dead_code, reason = "for people")]
    name: String,
    #[serde(default)]
    url: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    verifies: bool,
}

/// A test of our address, and what must be answered, if anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HandshakeCase {
    #[expect(dead_code, reason = "for people")]
    name: String,
    url: String,
    method: String,
    tokens: Vec<String>,
    answer: Option<String>,
}

fn post() -> String {
    "POST".to_owned()
}

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("payloads")
        .join(kind)
}

/// The files of a folder in order of name; a folder that is missing has none.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn case<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn webhook(
    method: &str,
    url: &str,
    headers: impl IntoIterator<Item = (String, String)>,
    body: String,
) -> Webhook {
    Webhook {
        method: match method {
            "GET" => Method::Get,
            "POST" => Method::Post,
            other => panic!("no such method: {other}"),
        },
        channel_id: None,
        url: url.to_owned(),
        query: url
            .split_once('?')
            .map_or_else(String::new, |(_, query)| query.to_owned()),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_lowercase(), Bytes::from(value)))
            .collect(),
        body: Bytes::from(body),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that writes files asks the person who runs it"
)]
fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

#[test]
fn every_webhook_reads_as_its_expectation_says() {
    let update = is_update();
    let mut wrong = Vec::new();
    for adapter in adapters() {
        let folder = folder(adapter.kind());
        let (expectations, cases): (Vec<_>, Vec<_>) = files(&folder)
            .into_iter()
            .partition(|path| path.to_string_lossy().ends_with(".expected.json"));
        assert!(!cases.is_empty(), "{} has no cases", adapter.kind());
        for case in &cases {
            let expectation = case.with_extension("expected.json");
            let inbounds = adapter.parse(body(&text(case)));
            check_raw(adapter.as_ref(), case, &inbounds);
            let written = serde_json::to_string_pretty(&inbounds).expect("writable") + "\n";
            if update {
                fs::write(&expectation, written).expect("a writable folder");
            } else if !expectation.exists() {
                wrong.push(format!("{}: no expectation", case.display()));
            } else if self::case::<Vec<Inbound>>(&expectation) != inbounds {
                wrong.push(format!("{}: reads as\n{written}", case.display()));
            }
        }
        for expectation in expectations {
            let is_expected = |case: &PathBuf| case.with_extension("expected.json") == expectation;
            assert!(
                cases.iter().any(is_expected),
                "{} belongs to no case",
                expectation.display()
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE=1 writes the expectations anew",
        wrong.join("\n")
    );
}

/// The body of a case: the file without the newline at its end.
fn body(text: &str) -> &str {
    text.strip_suffix('\n').unwrap_or(text)
}

/// What was not understood must, stored alone and read again, be the same item; nothing else is
/// stored so. No text may hold a character that a database refuses.
fn check_raw(adapter: &dyn Adapter, case: &Path, inbounds: &[Inbound]) {
    for inbound in inbounds {
        let is_unknown = matches!(inbound.item, Item::Unknown { .. });
        assert_eq!(inbound.raw.is_some(), is_unknown, "{}", case.display());
        if let Some(raw) = &inbound.raw {
            let again = adapter.parse(raw);
            assert_eq!(again, std::slice::from_ref(inbound), "{}", case.display());
        }
        let written = serde_json::to_string(inbound).expect("writable");
        assert!(!written.contains("\\u0000"), "{}", case.display());
    }
}

#[test]
fn only_webhooks_with_a_true_signature_are_received() {
    for adapter in adapters() {
        let paths = files(&folder(adapter.kind()).join("signatures"));
        assert!(!paths.is_empty(), "{} has no signatures", adapter.kind());
        for path in paths {
            let case: SignatureCase = case(&path);
            let secrets: Vec<Secret> = case
                .secrets
                .into_iter()
                .chain(case.secret)
                .map(Secret::new)
                .collect();
            let webhook = webhook(&case.method, &case.url, case.headers, case.body);
            let received = adapter.receive(&webhook, &secrets);
            assert_eq!(received.is_ok(), case.verifies, "{}", path.display());
            if let Ok(received) = received {
                assert!(received.secret < secrets.len(), "{}", path.display());
            }
        }
    }
}

#[test]
fn only_a_handshake_with_a_known_token_is_answered() {
    for adapter in adapters() {
        for path in files(&folder(adapter.kind()).join("handshakes")) {
            let case: HandshakeCase = case(&path);
            let tokens: Vec<Secret> = case.tokens.into_iter().map(Secret::new).collect();
            let webhook = webhook(&case.method, &case.url, [], String::new());
            let answer = adapter.handshake(&webhook, &tokens);
            assert_eq!(answer, case.answer, "{}", path.display());
        }
    }
}

#[test]
fn every_folder_of_payloads_belongs_to_an_adapter() {
    let kinds: Vec<&str> = adapters().iter().map(|adapter| adapter.kind()).collect();
    let folders = fs::read_dir(folder("")).expect("the folder of payloads");
    for entry in folders {
        let name = entry.expect("a readable folder").file_name();
        assert!(kinds.iter().any(|kind| name == *kind), "{}", name.display());
    }
}
