//! Twilio's list of messages: what became of one of ours, and what customers wrote while nobody listened.
//! Knows nothing of when it is asked. The list is newest first and shows less than webhooks do: of a message
//! that customers sent only its text and its files.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use http::Method;
use rejoinder_engine::adapter::{
    Arrivals, Credentials, Inquiry, Likeness, SendError, SendErrorKind, Stretch, Trace,
};
use rejoinder_engine::domain::channel::Channel;
use rejoinder_engine::domain::content::Content;
use rejoinder_engine::domain::inbound::{Inbound, Stage, Status};
use rejoinder_engine::domain::time::{Span, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{TwilioConfig, errors, inbound, login, outbound};
use crate::http::{Http, without_doubt};

/// Messages of a page: of so many of WhatsApp's longest texts, with every letter escaped, the largest answer
/// that is read has room.
const PAGE_SIZE: usize = 40;
/// Pages that a stretch of time may have: a thousand messages are kept in memory.
const MAX_PAGES: usize = 25;
/// Pages in which one of our messages is looked for: a customer gets fewer within minutes.
const MAX_SOUGHT_PAGES: usize = 5;
/// How much earlier than our clock Twilio's may date a message.
const CLOCKS: Span = Span::seconds(60);
/// Messages whose files are asked for at once.
const FILES_AT_ONCE: usize = 8;

/// The messages to the customer since the attempt. The list is asked without dates: what still waits at Twilio
/// has no date of sending yet, by which it filters.
pub(super) async fn seek(
    http: &Http,
    config: &TwilioConfig,
    inquiry: &Inquiry<'_>,
) -> Result<Vec<Trace>, SendError> {
    let account = Account::of(http, config, inquiry.channel, inquiry.credentials);
    let since = inquiry.attempted_at - CLOCKS;
    let mut traces = Vec::new();
    let mut query = form_urlencoded::Serializer::new(String::new())
        .append_pair("From", &outbound::sender(inquiry.channel))
        .append_pair("To", &format!("whatsapp:{}", inquiry.to))
        .append_pair("PageSize", &PAGE_SIZE.to_string())
        .finish();
    for _ in 0..MAX_SOUGHT_PAGES {
        let page: Page = account.ask("Messages.json", &query).await?;
        let mut is_past = false;
        for message in page.messages {
            if message.at().is_some_and(|at| at < since) {
                is_past = true;
            } else if let Some(likeness) = likeness(&message, inquiry.content) {
                let status = message.status(inquiry)?;
                traces.push(Trace { status, likeness });
            }
        }
        match page.next_page_uri {
            Some(next) if !is_past => query = query_of(&next)?,
            _ => return Ok(traces),
        }
    }
    Err(unreadable(
        "more messages left for this customer than are looked through",
    ))
}

/// What customers wrote to the channel in a stretch of time.
pub(super) async fn arrivals(
    http: &Http,
    config: &TwilioConfig,
    stretch: &Stretch<'_>,
) -> Result<Arrivals, SendError> {
    let account = Account::of(http, config, stretch.channel, stretch.credentials);
    let date = |at: Timestamp| at.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut query = form_urlencoded::Serializer::new(String::new())
        .append_pair("To", &outbound::sender(stretch.channel))
        .append_pair("DateSent>", &date(stretch.since))
        .append_pair("DateSent<", &date(stretch.until))
        .append_pair("PageSize", &PAGE_SIZE.to_string())
        .finish();
    let mut messages = Vec::new();
    for _ in 0..MAX_PAGES {
        let page: Page = account.ask("Messages.json", &query).await?;
        let inbound = page.messages.into_iter();
        messages.extend(inbound.filter(|message| message.direction.as_deref() == Some("inbound")));
        let Some(next) = page.next_page_uri else {
            messages.reverse();
            return account.read(messages).await.map(Arrivals::Listed);
        };
        query = query_of(&next)?;
    }
    Ok(Arrivals::TooMany)
}

/// Whether a listed message may be one of ours that says this. Free text is listed as it was sent; what a
/// Content resource makes of its variables need not be, and of a template only Twilio knows the words.
fn likeness(message: &Listed, content: &Content) -> Option<Likeness> {
    let says = |text: &str| normal(message.body.as_deref().unwrap_or("")) == normal(text);
    let same_or_perhaps = |same: bool| {
        Some(if same {
            Likeness::Same
        } else {
            Likeness::Perhaps
        })
    };
    match content {
        Content::Text { text } => (says(text) && message.files() == 0).then_some(Likeness::Same),
        // A file may be counted only once Twilio has fetched it.
        Content::Media(media) if says(media.caption.as_deref().unwrap_or("")) => {
            same_or_perhaps(message.files() > 0)
        }
        Content::Media(_) => None,
        Content::Location(place) => same_or_perhaps(says(&outbound::place_text(place))),
        Content::Buttons { text, .. } | Content::List { text, .. } => same_or_perhaps(says(text)),
        Content::Template(_)
        | Content::Contacts { .. }
        | Content::Reaction { .. }
        | Content::Form { .. } => Some(Likeness::Perhaps),
    }
}

fn normal(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

/// A page of the list.
#[derive(Deserialize)]
struct Page {
    messages: Vec<Listed>,
    #[serde(default)]
    next_page_uri: Option<String>,
}

/// A message as the list shows it.
#[derive(Deserialize)]
struct Listed {
    sid: String,
    #[serde(default)]
    direction: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    status: Option<String>,
    /// A number, written as a text.
    #[serde(default)]
    num_media: Value,
    #[serde(default)]
    error_code: Option<i64>,
    #[serde(default)]
    date_created: Option<String>,
    #[serde(default)]
    date_sent: Option<String>,
}

impl Listed {
    /// When Twilio got it.
    fn at(&self) -> Option<Timestamp> {
        let dates = [&self.date_created, &self.date_sent];
        let mut dates = dates.into_iter().flatten();
        dates.find_map(|date| Timestamp::parse_rfc2822(date))
    }

    fn files(&self) -> u64 {
        let text = self.num_media.as_str();
        text.map_or_else(|| self.num_media.as_u64(), |text| text.parse().ok())
            .unwrap_or(0)
    }

    /// How far it has come, as a webhook would tell it.
    fn status(&self, inquiry: &Inquiry<'_>) -> Result<Status, SendError> {
        if !is_sid(&self.sid) {
            return Err(unreadable("Twilio lists a message without a SID"));
        }
        let word = self.status.as_deref().and_then(inbound::stage);
        let stage = word.unwrap_or(Stage::Accepted);
        Ok(Status {
            provider_id: self.sid.clone(),
            stage,
            delivery_id: None,
            peer: inbound::peer(inquiry.to.clone()),
            failure: (stage == Stage::Failed).then(|| errors::failure(self.error_code, None)),
            pricing: None,
        })
    }

    /// The form that its webhook would have been, as far as the list tells.
    fn form(&self, files: &[File], files_url: &str) -> String {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("MessageSid", &self.sid)
            .append_pair("From", &text(&self.from))
            .append_pair("To", &text(&self.to))
            .append_pair("Body", &text(&self.body))
            .append_pair("SmsStatus", "received");
        for (nth, file) in files.iter().enumerate() {
            form.append_pair(
                &format!("MediaUrl{nth}"),
                &format!("{files_url}/{}", file.sid),
            )
            .append_pair(&format!("MediaContentType{nth}"), &text(&file.content_type));
        }
        form.finish()
    }
}

/// The files of a message.
#[derive(Deserialize)]
struct Files {
    media_list: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    sid: String,
    #[serde(default)]
    content_type: Option<String>,
}

/// The account of a channel, as far as its messages go.
struct Account<'a> {
    http: &'a Http,
    config: &'a TwilioConfig,
    channel: &'a Channel,
    credentials: &'a Credentials,
}

impl<'a> Account<'a> {
    fn of(
        http: &'a Http,
        config: &'a TwilioConfig,
        channel: &'a Channel,
        credentials: &'a Credentials,
    ) -> Self {
        Self {
            http,
            config,
            channel,
            credentials,
        }
    }

    fn url(&self, path: &str) -> String {
        format!(
            "{}/2010-04-01/Accounts/{}/{path}",
            self.config.api_url, self.channel.account
        )
    }

    async fn ask<A: DeserializeOwned>(&self, path: &str, query: &str) -> Result<A, SendError> {
        let (user, password) = login(self.channel, self.credentials)?;
        let request = self
            .http
            .request(Method::GET, &format!("{}?{query}", self.url(path)))
            .basic_auth(user, Some(password.expose()));
        let answer = self.http.send(request).await.map_err(without_doubt)?;
        if !(200..300).contains(&answer.status) {
            return Err(without_doubt(errors::refusal(&answer)));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| unreadable("Twilio's list of messages cannot be read"))
    }

    /// Reads what customers wrote as if it had come by webhooks, in the order given.
    async fn read(&self, messages: Vec<Listed>) -> Result<Vec<Inbound>, SendError> {
        let read = stream::iter(messages)
            .map(|message| self.read_one(message))
            .buffered(FILES_AT_ONCE)
            .try_collect::<Vec<_>>();
        Ok(read.await?.into_iter().flatten().collect())
    }

    async fn read_one(&self, message: Listed) -> Result<Vec<Inbound>, SendError> {
        let at = message.at();
        let place = format!("Messages/{}/Media", message.sid);
        let mut files = Vec::new();
        if message.files() > 0 && is_sid(&message.sid) {
            files = match self.ask::<Files>(&format!("{place}.json"), "").await {
                Ok(listed) => listed.media_list,
                // They were deleted, or will never be told: the message counts without them.
                Err(error) if error.kind == SendErrorKind::Invalid => Vec::new(),
                Err(error) => return Err(error),
            };
        }
        let form = message.form(&files, &self.url(&place));
        let mut items = inbound::parse(&form, None);
        for item in &mut items {
            item.at = at;
        }
        Ok(items)
    }
}

/// What to ask for the next page. Only the query of its address is followed: the credentials go to one host.
fn query_of(next: &str) -> Result<String, SendError> {
    let query = next.split_once('?').map(|(_, query)| query.to_owned());
    query.ok_or_else(|| unreadable("Twilio's list of messages names no next page"))
}

/// A SID becomes a part of a path, so it must not hold a slash.
fn is_sid(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn unreadable(detail: &str) -> SendError {
    SendError::new(SendErrorKind::Temporary, detail)
}
