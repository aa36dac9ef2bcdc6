//! Each file in `tests/payloads/twilio` and its expectation beside it; `UPDATE=1` rewrites these.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rejoinder_engine::adapter::{Adapter, Method, Webhook};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::content::Content;
use rejoinder_engine::domain::ids::DeliveryId;
use rejoinder_engine::domain::inbound::{Inbound, Item};
use serde::Deserialize;

use super::{CONTENT_SID, Parcel};
use crate::twilio::{Twilio, TwilioConfig, outbound, templates};

#[test]
fn every_payload_reads_as_expected() {
    let twilio = twilio();
    for path in files("", ".txt") {
        let raw = fs::read_to_string(&path).unwrap();
        let items = twilio.parse(&raw);
        expect(
            &path.with_extension("expected.json"),
            &(serde_json::to_string_pretty(&items).unwrap() + "\n"),
        );
        for item in items {
            reads_again(&twilio, &path, &item);
        }
    }
}

/// What is kept of an item that was not understood must give that item, and no other.
fn reads_again(twilio: &Twilio, path: &Path, item: &Inbound) {
    let is_unknown = matches!(item.item, Item::Unknown { .. });
    assert_eq!(item.raw.is_some(), is_unknown, "{}", path.display());
    if let Some(raw) = &item.raw {
        let again = twilio.parse(raw);
        assert_eq!(again, std::slice::from_ref(item), "{}", path.display());
    }
    // Without escaped backslashes, which may stand before a plain "u0000".
    let json = serde_json::to_string(item).unwrap().replace(r"\\", "");
    assert!(!json.contains("\\u0000"), "{}: {json}", path.display());
}

#[test]
fn a_payload_that_breaks_off_anywhere_still_reads_as_something() {
    let twilio = twilio();
    for path in files("", ".txt") {
        let raw = fs::read_to_string(&path).unwrap();
        for cut in (0..raw.len()).filter(|cut| raw.is_char_boundary(*cut)) {
            let items = twilio.parse(&raw[..cut]);
            assert!(!items.is_empty(), "{} at {cut}", path.display());
            for item in items {
                reads_again(&twilio, &path, &item);
            }
        }
    }
}

#[test]
fn every_signature_is_judged_as_expected() {
    let twilio = twilio();
    for path in files("signatures", ".json") {
        let case: Case = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let (webhook, secrets) = case.webhook();
        let received = twilio.receive(&webhook, &secrets);
        assert_eq!(received.is_ok(), case.verifies, "{}", case.name);
        if let Ok(received) = received {
            assert!(!secrets[received.secret].is_empty());
            assert!(!received.items.is_empty(), "{}", path.display());
        }
    }
}

#[test]
fn a_status_carries_the_delivery_id_of_the_address_that_was_called() {
    let path = folder("signatures").join("sample_status_sent.json");
    let mut case: Case = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let delivery_id = DeliveryId::derive(&[b"delivery"]);
    case.url = format!("{}?v=1&delivery={delivery_id}", case.url);
    case.resign();
    let (webhook, secrets) = case.webhook();
    let received = twilio().receive(&webhook, &secrets).unwrap();
    let [
        Inbound {
            item: Item::Status(status),
            ..
        },
    ] = received.items.as_slice()
    else {
        panic!("{:?}", received.items);
    };
    assert_eq!(status.delivery_id, Some(delivery_id));
}

#[test]
fn a_single_changed_byte_anywhere_in_the_body_is_refused() {
    let path = folder("signatures").join("t1_form.json");
    let case: Case = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let (webhook, secrets) = case.webhook();
    let twilio = twilio();
    for position in 0..webhook.body.len() {
        let mut body = webhook.body.to_vec();
        // Hexadecimal digits after a percent sign mean the same in either case.
        body[position] = if body[position] == b'x' { b'y' } else { b'x' };
        let changed = Webhook {
            body: Bytes::from(body),
            ..webhook.clone()
        };
        let received = twilio.receive(&changed, &secrets);
        assert!(received.is_err(), "{position}");
    }
}

#[test]
fn every_content_becomes_the_form_as_expected() {
    let twilio = twilio();
    for path in files("outbound", ".json") {
        let mut parcel = Parcel::new(content(&path));
        twilio.check(&parcel.content).unwrap();
        let mut text = String::new();
        if let Some(resource) = twilio.resource(&parcel.outgoing()) {
            parcel.reference = Some(CONTENT_SID);
            assert_eq!(resource.account, super::ACCOUNT);
            writeln!(text, "# resource {}", resource.key).unwrap();
        }
        if let Some(draft) = templates::Draft::of(&parcel.content) {
            writeln!(text, "# {}", serde_json::to_string(&draft).unwrap()).unwrap();
        }
        for (name, value) in outbound::form(&parcel.outgoing()).unwrap() {
            writeln!(text, "{name}={value}").unwrap();
        }
        expect(&path.with_extension("request.txt"), &text);
    }
}

#[test]
fn every_content_beyond_a_limit_is_refused_as_expected() {
    let twilio = twilio();
    for path in files("refused", ".json") {
        let error = twilio.check(&content(&path)).unwrap_err();
        expect(&path.with_extension("error.txt"), &format!("{error}\n"));
    }
}

#[test]
fn every_list_of_contents_reads_as_the_templates_expected() {
    for path in files("templates", ".json") {
        let shapes = templates::shapes(&fs::read(&path).unwrap());
        expect(
            &path.with_extension("expected.json"),
            &(serde_json::to_string_pretty(&shapes).unwrap() + "\n"),
        );
    }
}

/// A webhook, the secrets to try, and whether one of them signed it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    url: String,
    method: String,
    secrets: Vec<String>,
    headers: Vec<(String, String)>,
    body: String,
    verifies: bool,
}

impl Case {
    fn webhook(&self) -> (Webhook, Vec<Secret>) {
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let webhook = Webhook {
            method: match self.method.as_str() {
                "GET" => Method::Get,
                _ => Method::Post,
            },
            channel_id: None,
            url: self.url.clone(),
            query: query.to_owned(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), Bytes::from(value.clone())))
                .collect(),
            body: Bytes::from(self.body.clone()),
        };
        (webhook, self.secrets.iter().map(Secret::new).collect())
    }

    /// Signs anew with the first secret.
    fn resign(&mut self) {
        let signature = super::wire::sign(&self.url, &self.body, &self.secrets[0]);
        for (name, value) in &mut self.headers {
            if name == "x-twilio-signature" {
                signature.clone_into(value);
            }
        }
    }
}

fn twilio() -> Twilio {
    Twilio::new(TwilioConfig::default())
}

fn content(path: &Path) -> Content {
    serde_json::from_slice(&fs::read(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/payloads/twilio")
        .join(name)
}

/// The files that a person wrote, in order: names with one dot.
fn files(folder_name: &str, extension: &str) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder(folder_name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.ends_with(extension) && name.matches('.').count() == 1
        })
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn expect(path: &Path, actual: &str) {
    // Read when this is compiled, so that a test takes nothing from its environment.
    if option_env!("UPDATE").is_some() {
        fs::write(path, actual).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(expected, actual, "{}", path.display());
}
