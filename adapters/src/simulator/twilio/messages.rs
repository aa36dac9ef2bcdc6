//! The messages that Twilio keeps and lists, in both directions.
//! Knows nothing of why they were sent.

use std::collections::HashMap;
use std::sync::Mutex;

use http::StatusCode;
use rejoinder_engine::domain::time::Timestamp;
use serde_json::{Value, json};

use super::super::server::{Answer, json};
use super::super::world::{field, lock};
use super::{decode, encode};

/// Entries of a page, unless asked for otherwise.
const PAGE_SIZE: usize = 50;
/// The most that may be asked for.
const PAGE_SIZE_MAX: usize = 1000;
/// Dates are compared as text to the second: `2026-01-01T00:00:00`.
const SECONDS_LENGTH: usize = 19;

/// A message that Twilio keeps.
#[derive(Clone, Debug)]
pub(super) struct StoredMessage {
    pub(super) sid: String,
    pub(super) account_sid: String,
    pub(super) service_sid: Option<String>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) body: String,
    pub(super) media: usize,
    /// The media types of a customer's files.
    pub(super) files: Vec<String>,
    pub(super) direction: &'static str,
    pub(super) status: String,
    pub(super) error_code: Option<i64>,
    pub(super) at: Timestamp,
}

impl StoredMessage {
    /// A customer's message, from the parameters of its webhook.
    pub(super) fn inbound(params: &[(String, String)], at: Timestamp) -> Self {
        let value = |name| field(params, name).unwrap_or_default().to_owned();
        let files = params
            .iter()
            .filter(|(name, _)| name.starts_with("MediaContentType"));
        let files: Vec<String> = files.map(|(_, kind)| kind.clone()).collect();
        Self {
            sid: value("MessageSid"),
            account_sid: value("AccountSid"),
            service_sid: None,
            from: value("From"),
            to: value("To"),
            body: value("Body"),
            media: files.len(),
            files,
            direction: "inbound",
            status: "received".to_owned(),
            error_code: None,
            at,
        }
    }

    /// The message as the API writes it.
    pub(super) fn to_json(&self) -> Value {
        let uri = format!(
            "/2010-04-01/Accounts/{}/Messages/{}",
            self.account_sid, self.sid
        );
        let created = self.at.to_utc().format("%a, %d %b %Y %H:%M:%S +0000");
        let created = created.to_string();
        let waiting = matches!(self.status.as_str(), "queued" | "accepted");
        json!({
            "sid": self.sid,
            "account_sid": self.account_sid,
            "messaging_service_sid": self.service_sid,
            "from": self.from,
            "to": self.to,
            "body": self.body,
            "num_media": self.media.to_string(),
            "num_segments": "1",
            "direction": self.direction,
            "status": self.status,
            "error_code": self.error_code,
            "error_message": self.error_code.map(super::title),
            "date_created": created,
            "date_updated": created,
            "date_sent": (!waiting).then_some(&created),
            "price": null,
            "price_unit": null,
            "api_version": "2010-04-01",
            "uri": format!("{uri}.json"),
            "subresource_uris": { "media": format!("{uri}/Media.json") },
        })
    }
}

impl StoredMessage {
    /// The list of its files as the API writes it.
    pub(super) fn files_json(&self) -> Value {
        let files = self.files.iter().enumerate().map(|(nth, kind)| {
            json!({
                "sid": format!("ME{}{nth}", &self.sid[2..]),
                "account_sid": self.account_sid,
                "parent_sid": self.sid,
                "content_type": kind,
            })
        });
        json!({ "media_list": files.collect::<Vec<_>>(), "next_page_uri": null })
    }
}

/// The messages of every account, oldest first.
#[derive(Debug, Default)]
pub(super) struct Messages(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    messages: Vec<StoredMessage>,
    positions: HashMap<String, usize>,
}

impl Messages {
    pub(super) fn add(&self, message: StoredMessage) {
        let mut kept = lock(&self.0);
        let position = kept.messages.len();
        kept.positions.insert(message.sid.clone(), position);
        kept.messages.push(message);
    }

    pub(super) fn update(&self, sid: &str, status: &str, error_code: Option<i64>) {
        let kept = &mut *lock(&self.0);
        if let Some(message) = kept
            .positions
            .get(sid)
            .and_then(|position| kept.messages.get_mut(*position))
        {
            status.clone_into(&mut message.status);
            message.error_code = error_code;
        }
    }

    /// One message of an account.
    pub(super) fn get(&self, account_sid: &str, sid: &str) -> Option<StoredMessage> {
        let kept = lock(&self.0);
        let message = kept.messages.get(*kept.positions.get(sid)?)?;
        (message.account_sid == account_sid).then(|| message.clone())
    }

    /// A page of an account's messages, newest first.
    pub(super) fn list(&self, account_sid: &str, query: &str) -> Answer {
        let filters = decode(query.as_bytes());
        let size = number(&filters, "PageSize").unwrap_or(PAGE_SIZE);
        let size = size.clamp(1, PAGE_SIZE_MAX);
        let page = number(&filters, "Page").unwrap_or(0);
        let after = field(&filters, "PageToken").and_then(|token| token.strip_prefix("PA"));
        let kept = lock(&self.0);
        // The token is the last message of the page before, so that newer ones do not shift the pages.
        let end = after
            .and_then(|sid| kept.positions.get(sid).copied())
            .unwrap_or(kept.messages.len());
        let mut matching = kept.messages[..end]
            .iter()
            .rev()
            .filter(|message| message.account_sid == account_sid && matches(message, &filters));
        let shown: Vec<&StoredMessage> = matching.by_ref().take(size).collect();
        let more = matching.next().is_some();
        let uri = |page: usize, token: Option<&str>| {
            let mut pairs: Vec<(&str, String)> = filters
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "Page" | "PageToken" | "PageSize"))
                .map(|(name, value)| (name.as_str(), value.clone()))
                .collect();
            pairs.push(("PageSize", size.to_string()));
            pairs.push(("Page", page.to_string()));
            pairs.extend(token.map(|sid| ("PageToken", format!("PA{sid}"))));
            let query = encode(&pairs);
            format!("/2010-04-01/Accounts/{account_sid}/Messages.json?{query}")
        };
        let last = shown.last().map(|message| message.sid.as_str());
        let start = page * size;
        let body = json!({
            "messages": shown.iter().map(|message| message.to_json()).collect::<Vec<_>>(),
            "page": page,
            "page_size": size,
            "start": start,
            "end": (start + shown.len()).saturating_sub(1),
            "uri": uri(page, after),
            "first_page_uri": uri(0, None),
            "next_page_uri": more.then(|| uri(page + 1, last)),
            "previous_page_uri": null,
        });
        json(StatusCode::OK, body.to_string())
    }
}

fn number(filters: &[(String, String)], name: &str) -> Option<usize> {
    field(filters, name)?.parse().ok()
}

/// Whether a message passes the filters. Twilio's date filters end in their operator.
fn matches(message: &StoredMessage, filters: &[(String, String)]) -> bool {
    let sent = message.at.to_utc().format("%Y-%m-%dT%H:%M:%S").to_string();
    filters.iter().all(|(name, value)| {
        let value = value.as_str();
        let until = value.get(..SECONDS_LENGTH).unwrap_or(value);
        match name.as_str() {
            "To" => message.to == value,
            "From" => message.from == value,
            "DateSent" => value.get(..10).is_some_and(|day| sent.starts_with(day)),
            "DateSent>" => sent.as_str() >= until,
            "DateSent<" => sent.get(..until.len()).is_some_and(|sent| sent <= until),
            _ => true,
        }
    })
}
