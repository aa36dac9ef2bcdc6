//! Bodies of webhooks, signed as their provider would: whatever they say, they are read, and what was not
//! understood can be read again; with another's signature nothing is read.

use std::sync::LazyLock;

use bytes::Bytes;
use rejoinder_adapters::simulator::{meta as meta_face, twilio as twilio_face};
use rejoinder_adapters::{meta, twilio};
use rejoinder_engine::adapter::{Adapter, Method, Webhook};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::inbound::{Inbound, Item};
use serde_json::Value;

use crate::{bytes, contents};

/// Who signs.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Who does not.
const ANOTHER: &str = "another secret";
/// Where Twilio sends its forms.
pub(crate) const URL: &str = "https://rejoinder.example/api/webhooks/twilio";
/// How Twilio calls its forms.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// Meta's header.
pub(crate) const META_HEADER: &str = "x-hub-signature-256";
/// Twilio's header.
pub(crate) const TWILIO_HEADER: &str = "x-twilio-signature";

/// Meta's adapter.
pub(crate) static META: LazyLock<meta::Meta> =
    LazyLock::new(|| meta::Meta::new(meta::MetaConfig::default()));
/// Twilio's adapter.
pub(crate) static TWILIO: LazyLock<twilio::Twilio> =
    LazyLock::new(|| twilio::Twilio::new(twilio::TwilioConfig::default()));

/// A body as Meta sends them.
pub fn meta(body: &[u8]) {
    let webhook = |secret| {
        post(
            "",
            vec![(META_HEADER, meta_face::sign(secret, body))],
            body.to_vec(),
        )
    };
    read(&*META, &webhook(SECRET), &webhook(ANOTHER));
}

/// A form as Twilio sends them.
pub fn twilio(body: &[u8]) {
    let values: Vec<_> = form_urlencoded::parse(body).collect();
    let webhook = |secret| {
        let headers = vec![
            ("content-type", FORM.to_owned()),
            (TWILIO_HEADER, twilio_face::sign(secret, URL, &values)),
        ];
        post(URL, headers, body.to_vec())
    };
    read(&*TWILIO, &webhook(SECRET), &webhook(ANOTHER));
}

fn read(adapter: &dyn Adapter, signed: &Webhook, otherwise: &Webhook) {
    let secrets = [Secret::new(SECRET)];
    let _ = adapter.route(signed);
    let received = adapter.receive(signed, &secrets).expect("it is signed");
    for inbound in &received.items {
        can_be_kept(adapter, inbound);
    }
    assert!(
        adapter.receive(otherwise, &secrets).is_err(),
        "what another has signed was received"
    );
}

/// What comes of an item is written, and is the same when it is read; every database takes it.
fn can_be_kept(adapter: &dyn Adapter, inbound: &Inbound) {
    let written = serde_json::to_string(inbound).expect("an item can be written");
    let read: Inbound = serde_json::from_str(&written).expect("and read");
    assert_eq!(&read, inbound, "written and read it is another");
    let value: Value = serde_json::from_str(&written).expect("JSON");
    assert!(!has_nul(&value), "PostgreSQL takes no NUL");
    let is_unknown = matches!(inbound.item, Item::Unknown { .. });
    assert_eq!(
        inbound.raw.is_some(),
        is_unknown,
        "kept raw is what was not understood"
    );
    if let Some(raw) = &inbound.raw {
        let again = adapter.parse(raw);
        assert_eq!(
            again,
            std::slice::from_ref(inbound),
            "read again it is another"
        );
    }
}

/// Whether any text holds the character that PostgreSQL does not take.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| name.contains('\0') || has_nul(member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A webhook that is posted.
pub(crate) fn post(url: &str, headers: Vec<(&str, String)>, body: Vec<u8>) -> Webhook {
    let header = |(name, value): (&str, String)| (name.to_owned(), Bytes::from(value));
    Webhook {
        method: Method::Post,
        channel_id: None,
        url: url.to_owned(),
        query: url
            .split_once('?')
            .map_or_else(String::new, |(_, query)| query.to_owned()),
        headers: headers.into_iter().map(header).collect(),
        body: Bytes::from(body),
    }
}

/// What to begin with.
pub fn meta_seeds() -> Vec<Vec<u8>> {
    let mut seeds = contents("tests/payloads/meta", ".json");
    seeds.extend(bytes(&["", "{}", "[]", "null", "\"\"", "0"]));
    seeds
}

/// What to begin with.
pub fn twilio_seeds() -> Vec<Vec<u8>> {
    let mut seeds = contents("tests/payloads/twilio", ".txt");
    seeds.extend(bytes(&["", "=", "&&", "a=%", "From=&From=whatsapp:%2B1"]));
    seeds
}
