//! Signed requests, changed: one is refused unless nothing that is signed has changed. The first byte says
//! which request it is, the next what of it is changed, the rest how.

use std::collections::{BTreeMap, BTreeSet};

use rejoinder_adapters::simulator::{meta as meta_face, twilio as twilio_face};
use rejoinder_engine::adapter::{Adapter, Webhook};
use rejoinder_engine::crypto::Secret;

use crate::text::edited;
use crate::webhook::{FORM, META, META_HEADER, SECRET, TWILIO, TWILIO_HEADER, URL, post};

const META_BODY: &str =
    r#"{"object":"whatsapp_business_account","entry":[{"id":"215589313241560883","changes":[]}]}"#;
const TWILIO_BODY: &str = "Body=Hello+there&From=whatsapp%3A%2B5511987654321&SmsStatus=received&To=whatsapp%3A%2B4930901820&Tag=b&Tag=a";
/// The address of a webhook that is no form, with the hash of `META_BODY`.
const HASHED_URL: &str = "https://rejoinder.example/api/webhooks/twilio?bodySHA256=";

/// A request whose parts can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Request {
    url: String,
    content_type: String,
    signature: Vec<u8>,
    body: Vec<u8>,
}

/// Which request, what of it, and how it is changed.
pub fn run(data: &[u8]) {
    let [which, part, changes @ ..] = data else {
        return;
    };
    match which % 3 {
        0 => {
            let request = Request {
                url: String::new(),
                content_type: "application/json".into(),
                signature: meta_face::sign(SECRET, META_BODY.as_bytes()).into_bytes(),
                body: META_BODY.into(),
            };
            let changed = request.changed(*part, changes);
            let same = changed.signature == request.signature && changed.body == request.body;
            judge(&*META, &changed.webhook(META_HEADER), same, &changed);
        }
        1 => {
            let values: Vec<_> = form_urlencoded::parse(TWILIO_BODY.as_bytes()).collect();
            let request = Request {
                url: URL.into(),
                content_type: FORM.into(),
                signature: twilio_face::sign(SECRET, URL, &values).into_bytes(),
                body: TWILIO_BODY.into(),
            };
            let changed = request.changed(*part, changes);
            let same = changed.signature == request.signature
                && is_form(&changed.content_type)
                && signed_text(&changed) == signed_text(&request);
            judge(&*TWILIO, &changed.webhook(TWILIO_HEADER), same, &changed);
        }
        _ => {
            let url = format!("{HASHED_URL}{}", sha256_hex());
            let none: [(&str, &str); 0] = [];
            let request = Request {
                signature: twilio_face::sign(SECRET, &url, &none).into_bytes(),
                url,
                content_type: "application/json".into(),
                body: META_BODY.into(),
            };
            let changed = request.changed(*part, changes);
            let same = changed.signature == request.signature
                && plain(&changed.url) == plain(&request.url)
                && !is_form(&changed.content_type)
                && changed.body == request.body;
            judge(&*TWILIO, &changed.webhook(TWILIO_HEADER), same, &changed);
        }
    }
}

/// The hash of `META_BODY`, written down, so that it is not made by what is tested.
const fn sha256_hex() -> &'static str {
    "75072bc04923fdcd9f712c6115e7abd0b79588e37c05639a49d9fadb384f393b"
}

impl Request {
    fn changed(&self, part: u8, changes: &[u8]) -> Self {
        let mut request = self.clone();
        let text = |text: &str| String::from_utf8_lossy(&edited(text.as_bytes(), changes)).into();
        match part % 4 {
            0 => request.body = edited(&self.body, changes),
            1 => request.signature = edited(&self.signature, changes),
            2 => request.url = text(&self.url),
            _ => request.content_type = text(&self.content_type),
        }
        request
    }

    fn webhook(&self, header: &str) -> Webhook {
        let headers = vec![("content-type", self.content_type.clone())];
        let mut webhook = post(&self.url, headers, self.body.clone());
        let signature = bytes::Bytes::from(self.signature.clone());
        webhook.headers.push((header.to_owned(), signature));
        webhook
    }
}

fn judge(adapter: &dyn Adapter, webhook: &Webhook, same: bool, changed: &Request) {
    let received = adapter.receive(webhook, &[Secret::new(SECRET)]).is_ok();
    assert_eq!(received, same, "whether it is received: {changed:?}");
}

/// What Twilio signs of a form: its address, then each name before each of its different values. Where one
/// ends and the other begins is not signed.
fn signed_text(request: &Request) -> Option<String> {
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(&request.body) {
        values
            .entry(name.into_owned())
            .or_default()
            .insert(value.into_owned());
    }
    let mut text = plain(&request.url)?;
    for (name, values) in &values {
        for value in values {
            text.push_str(name);
            text.push_str(value);
        }
    }
    Some(text)
}

/// An address without its port, which may be signed or not, and without what is never sent.
fn plain(url: &str) -> Option<String> {
    let url = url.split('#').next().unwrap_or_default();
    let rest = url.strip_prefix("https://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    Some(format!("https://{host}{path}"))
}

fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// What to begin with.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for which in 0..3 {
        for part in 0..4 {
            seeds.push(vec![which, part]);
            seeds.push(vec![which, part, 0, 9, 1, 3]);
            seeds.push(vec![which, part, 0, 60, 4, 40, 0, 1, 5, b'&']);
        }
    }
    seeds
}
