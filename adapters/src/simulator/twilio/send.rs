//! Sending by Twilio: what it checks, what it answers, and what the message says.
//! Knows nothing of how statuses are written.

use std::sync::Arc;

use http::StatusCode;
use rejoinder_engine::domain::contact::Address;
use serde_json::{Map, Value};

use super::super::Face;
use super::super::faults::{Fault, Operation, Request};
use super::super::log::{self, Outcome, ReceivedMessage, Summary};
use super::super::server::{Answer, Call, Dropped, Taken, carry, json};
use super::super::statuses::{self, Subject};
use super::super::world::{WindowRule, World, field, plain, read};
use super::content::Found;
use super::decode;
use super::face::{RATE_CODE, refusal};
use super::messages::StoredMessage;

/// The code of free-form text outside the service window.
const WINDOW_CODE: i64 = 63_016;
/// The longest text.
const BODY_MAX: usize = 1600;

/// A message that passed the checks.
struct Checked<'a> {
    to: &'a str,
    from: String,
    service_sid: Option<&'a str>,
    callback: Option<&'a str>,
    summary: Summary,
    /// Whether it may leave outside the service window.
    template: bool,
    media: usize,
}

/// Takes a message of an account, or refuses it as Twilio does.
pub(super) async fn message(
    world: &Arc<World>,
    account: &str,
    call: Call<'_>,
) -> Result<Answer, Dropped> {
    let form = decode(call.body);
    let checked = match check(world, account, &form) {
        Ok(checked) => checked,
        Err(code) => return Ok(refusal(code)),
    };
    let request = Request {
        face: Face::Twilio,
        operation: Operation::Send,
        number: plain(&checked.from),
        to: plain(checked.to),
        text: &checked.summary.text,
    };
    let take = |fault: Option<&Fault>| take(world, account, &checked, call, fault);
    carry(world, &request, refusal, RATE_CODE, take).await
}

/// The checks, in Twilio's order as far as it is known; an error is Twilio's code.
fn check<'a>(
    world: &World,
    account: &str,
    form: &'a [(String, String)],
) -> Result<Checked<'a>, i64> {
    let to = field(form, "To").ok_or(21_604)?;
    let service_sid = field(form, "MessagingServiceSid");
    let from = match (field(form, "From"), service_sid) {
        (Some(from), _) => from.to_owned(),
        (None, Some(service)) => sender_of(world, account).unwrap_or_else(|| service.to_owned()),
        (None, None) => return Err(21_603),
    };
    if !is_address(to) {
        return Err(21_211);
    }
    if field(form, "From").is_some_and(|from| !is_address(from)) {
        return Err(21_212);
    }
    {
        let numbers = read(&world.twilio_numbers);
        let own = numbers
            .get(plain(&from))
            .is_some_and(|number| number.account_sid == account);
        if !own && !numbers.is_empty() && service_sid.is_none() {
            return Err(63_007);
        }
    }
    if plain(to) == plain(&from) {
        return Err(63_031);
    }
    let callback = field(form, "StatusCallback");
    if callback.is_some_and(|url| !is_url(url)) {
        return Err(21_609);
    }
    let (summary, template, media) = says(world, account, form)?;
    Ok(Checked {
        to,
        from,
        service_sid,
        callback,
        summary,
        template,
        media,
    })
}

/// What the message says, whether it is a template, and how many files it has.
fn says(
    world: &World,
    account: &str,
    form: &[(String, String)],
) -> Result<(Summary, bool, usize), i64> {
    if let Some(sid) = field(form, "ContentSid") {
        let values = variables(field(form, "ContentVariables"))?;
        let contents = &world.twilio_store.contents;
        return match contents.find(account, sid, &values) {
            Found::Template(summary) => Ok((summary, true, 0)),
            Found::FreeForm(summary) => Ok((summary, false, 0)),
            Found::Nothing => Err(21_655),
        };
    }
    let text = field(form, "Body").unwrap_or_default();
    if text.chars().count() > BODY_MAX {
        return Err(21_617);
    }
    let media: Vec<&str> = form
        .iter()
        .filter(|(name, _)| name == "MediaUrl")
        .map(|(_, url)| url.as_str())
        .collect();
    let place = field(form, "PersistentAction").filter(|action| action.starts_with("geo:"));
    if media.len() > 1 {
        return Err(21_623);
    }
    if media.iter().any(|url| !is_url(url)) {
        return Err(21_620);
    }
    let kind = match (media.first(), place) {
        (Some(url), _) => media_kind(url),
        (None, Some(_)) => "location",
        (None, None) if text.is_empty() => return Err(21_602),
        (None, None) => "text",
    };
    let summary = Summary {
        kind: kind.to_owned(),
        text: text.to_owned(),
        media: media.first().map(|url| (*url).to_owned()),
        ..Summary::default()
    };
    Ok((summary, false, media.len()))
}

fn take(
    world: &Arc<World>,
    account: &str,
    checked: &Checked<'_>,
    call: Call<'_>,
    fault: Option<&Fault>,
) -> Taken {
    let settings = world.settings();
    let shut = settings.window != WindowRule::Ignore
        && !checked.template
        && !world.is_window_open(Face::Twilio, &checked.from, checked.to);
    let fails = match fault {
        Some(Fault::FailLater(code)) => Some(*code),
        _ => shut.then_some(WINDOW_CODE),
    };
    let prefix = if checked.media > 0 { "MM" } else { "SM" };
    let sid = format!("{prefix}{}", world.next_id());
    let stored = StoredMessage {
        sid: sid.clone(),
        account_sid: account.to_owned(),
        service_sid: checked.service_sid.map(str::to_owned),
        from: checked.from.clone(),
        to: checked.to.to_owned(),
        body: checked.summary.text.clone(),
        media: checked.media,
        files: Vec::new(),
        direction: "outbound-api",
        status: match checked.service_sid {
            Some(_) => "accepted".to_owned(),
            None => "queued".to_owned(),
        },
        error_code: None,
        at: world.now(),
    };
    let answer = json(StatusCode::CREATED, stored.to_json().to_string());
    let number = plain(&checked.from).to_owned();
    let to = plain(checked.to).to_owned();
    let callback = checked.callback.map(str::to_owned);
    if settings.log {
        world.twilio_store.messages.add(stored);
    }
    world.log.accept(settings.log.then(|| ReceivedMessage {
        face: Face::Twilio,
        number: number.clone(),
        to: to.clone(),
        summary: checked.summary.clone(),
        raw: String::from_utf8_lossy(call.body).into_owned(),
        callback: callback.clone(),
        delivery_id: checked.callback.and_then(log::delivery_id),
        provider_id: sid.clone(),
        at: world.now(),
        outcome: fails.map_or(Outcome::Accepted, Outcome::Fails),
    }));
    let subject = Subject {
        face: Face::Twilio,
        number,
        to,
        id: sid,
        callback,
    };
    Taken {
        answer,
        follow: Some((subject, statuses::steps(settings, fault, fails))),
    }
}

/// The values of a template's variables: JSON in a form field, strings that are neither empty nor broken
/// over lines.
fn variables(text: Option<&str>) -> Result<Map<String, Value>, i64> {
    let Some(text) = text else {
        return Ok(Map::new());
    };
    let values: Map<String, Value> = serde_json::from_str(text).map_err(|_| 21_656)?;
    let valid = values.values().all(|value| {
        value
            .as_str()
            .is_some_and(|text| !text.is_empty() && !text.contains(['\n', '\t']))
    });
    if valid { Ok(values) } else { Err(21_656) }
}

/// The sender that a Messaging Service picks: the account's first.
fn sender_of(world: &World, account: &str) -> Option<String> {
    let numbers = read(&world.twilio_numbers);
    let mut own: Vec<&str> = numbers
        .values()
        .filter(|number| number.account_sid == account)
        .map(|number| number.number.as_str())
        .collect();
    own.sort_unstable();
    own.first().map(|number| super::webhook::address(number))
}

/// A number must have its plus sign, a business-scoped id must not.
fn is_address(text: &str) -> bool {
    let Some(address) = text.strip_prefix("whatsapp:") else {
        return false;
    };
    match Address::parse(address) {
        Some(Address::Phone(_)) => address.starts_with('+'),
        Some(Address::UserId(_)) => true,
        None => false,
    }
}

fn is_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// The kind of a file by the end of its address; Twilio looks at the file itself.
fn media_kind(url: &str) -> &'static str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    match path.rsplit_once('.').map_or("", |(_, end)| end) {
        "jpg" | "jpeg" | "png" => "image",
        "mp4" | "3gp" => "video",
        "ogg" | "mp3" | "aac" | "amr" => "audio",
        "webp" => "sticker",
        _ => "document",
    }
}
