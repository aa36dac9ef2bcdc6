//! The sender: found among the account's or a service's, and its webhooks sent here, and read back.

use std::time::Duration;

use rejoinder_engine::adapter::{Case, Progress, StepError};
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::onboarding::Choice;
use serde_json::{Value, json};

use super::rest::{Body, Login, Rest, RestError};
use super::{PREFIX, SENDER, SENDER_SID, SERVICE, is_sid, login, need, with};

/// Senders that are looked at: more than an account has.
const PAGE_SIZE: &str = "100";
/// Twilio takes some seconds to take a change over; it is looked at so often …
const LOOKS: usize = 8;
/// … with this rest in between.
const REST: Duration = Duration::from_millis(1_500);
/// A sender that is taking a change over.
const UPDATING: &str = "ONLINE:UPDATING";

/// Finds the WhatsApp sender: of the service that is named, or of the account.
pub(super) async fn sender(
    mut rest: Rest<'_>,
    messaging_url: &str,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    let login = login(case)?;
    let wanted = match case.fact(SENDER) {
        None => None,
        Some(text) => Some(number(text).ok_or_else(|| not_a_number(text))?),
    };
    let found = match case.fact(SERVICE) {
        Some(service) if !is_sid(service, "MG") => return Err(not_a_service(service)),
        Some(service) => of_service(&mut rest, messaging_url, service, login).await,
        None => of_account(&mut rest, messaging_url, login).await,
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let failure = rest.failed(&error);
            let is_missing = failure.failure.code == "not_there" && case.fact(SERVICE).is_some();
            return Err(if is_missing {
                failure.asks(
                    SERVICE,
                    "the SID (MG…) of a Messaging Service of this account",
                )
            } else {
                failure
            });
        }
    };
    let fits = |sender: &&Sender| {
        let known = number(&sender.address);
        wanted
            .as_ref()
            .is_none_or(|wanted| known.as_ref() == Some(wanted))
    };
    let fitting: Vec<&Sender> = found.iter().filter(fits).collect();
    match (fitting.as_slice(), wanted) {
        ([only], _) => Ok(with(only.progress(), rest)),
        ([], Some(wanted)) if case.fact(SERVICE).is_none() => {
            // The sandbox, and senders of before, stand in no list.
            let listed: Vec<&str> = found.iter().map(Sender::shown).collect();
            let listed = if listed.is_empty() {
                "there is none".to_owned()
            } else {
                listed.join(", ")
            };
            let says = format!(
                "{wanted} is not among the senders that Twilio lists ({listed}): its webhooks are set by hand; if it \
                 was mistyped, give 'sender' anew"
            );
            Ok(with(
                Progress::done(says)
                    .fact(SENDER, wanted.to_string())
                    .fact(SENDER_SID, ""),
                rest,
            ))
        }
        ([], Some(wanted)) => {
            let error = StepError::new(
                "sender_not_there",
                format!("the Messaging Service has no WhatsApp sender {wanted}"),
                "add it to the service's sender pool (Console, Messaging, Services), or leave 'sender' out to choose",
            );
            Err(rest.with(error.asks(SENDER, "the number of a WhatsApp sender of the service")))
        }
        ([], None) => {
            let error = StepError::new(
                "no_sender",
                "there is no WhatsApp sender yet",
                "make one in Twilio's Console (Messaging, Senders, WhatsApp senders), and take the step again; or give \
                 the number of one that is not listed, such as the sandbox's, as 'sender'",
            );
            Err(rest.with(error.asks(SENDER, "the sender's number")))
        }
        (several, _) => {
            let options = several.iter().map(|sender| Choice {
                value: sender.shown().to_owned(),
                label: sender.label(),
            });
            let help = "there are several WhatsApp senders: choose one";
            Ok(with(Progress::ask(SENDER, help, options.collect()), rest))
        }
    }
}

/// A sender as Twilio lists it.
#[derive(Debug)]
pub(super) struct Sender {
    sid: String,
    /// `whatsapp:+4930901820`.
    address: String,
    pub(super) status: String,
    pub(super) name: String,
    pub(super) callback_url: String,
    pub(super) status_callback_url: String,
    pub(super) quality: String,
    pub(super) limit: String,
    /// Why it is offline.
    pub(super) reasons: Vec<String>,
}

impl Sender {
    fn read(value: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reasons = value["offline_reasons"].as_array().into_iter().flatten();
        Some(Self {
            sid: value["sid"].as_str()?.to_owned(),
            address: value["sender_id"]
                .as_str()
                .or(value["sender"].as_str())?
                .to_owned(),
            status: text(&value["status"]),
            name: text(&value["profile"]["name"]),
            callback_url: text(&value["webhook"]["callback_url"]),
            status_callback_url: text(&value["webhook"]["status_callback_url"]),
            quality: text(&value["properties"]["quality_rating"]),
            limit: text(&value["properties"]["messaging_limit"]),
            reasons: reasons
                .map(|reason| format!("{} ({})", text(&reason["message"]), text(&reason["code"])))
                .collect(),
        })
    }

    /// Its number, as people write it.
    fn shown(&self) -> &str {
        self.address.strip_prefix(PREFIX).unwrap_or(&self.address)
    }

    fn label(&self) -> String {
        format!("{} {}", self.name, self.status).trim().to_owned()
    }

    fn progress(&self) -> Progress {
        let phone =
            number(&self.address).map_or_else(|| self.address.clone(), |phone| phone.to_string());
        Progress::done(format!("{phone} {}", self.label()))
            .fact(SENDER, phone)
            .fact(SENDER_SID, self.sid.clone())
    }

    /// Whether it may send.
    pub(super) fn is_online(&self) -> bool {
        self.status == "ONLINE" || self.status == UPDATING
    }
}

/// The account's WhatsApp senders.
pub(super) async fn of_account(
    rest: &mut Rest<'_>,
    messaging_url: &str,
    login: Login<'_>,
) -> Result<Vec<Sender>, RestError> {
    let query = [("Channel", "whatsapp"), ("PageSize", PAGE_SIZE)];
    let path = "/v2/Channels/Senders";
    let listed = rest
        .list(messaging_url, path, &query, "senders", login)
        .await?;
    let senders: Vec<Sender> = listed.iter().filter_map(Sender::read).collect();
    rest.says(format!("{} WhatsApp sender(s)", senders.len()));
    Ok(senders)
}

/// A service's WhatsApp senders.
async fn of_service(
    rest: &mut Rest<'_>,
    messaging_url: &str,
    service: &str,
    login: Login<'_>,
) -> Result<Vec<Sender>, RestError> {
    let path = format!("/v1/Services/{service}/ChannelSenders");
    let query = [("PageSize", PAGE_SIZE)];
    let listed = rest
        .list(messaging_url, &path, &query, "senders", login)
        .await?;
    let senders = listed.iter().filter_map(Sender::read);
    let senders: Vec<Sender> = senders
        .filter(|sender| sender.address.starts_with(PREFIX))
        .collect();
    rest.says(format!("{} WhatsApp sender(s)", senders.len()));
    Ok(senders)
}

/// The sender of a connected number, if Twilio lists it.
pub(super) async fn find(
    rest: &mut Rest<'_>,
    messaging_url: &str,
    case: &Case<'_>,
    login: Login<'_>,
) -> Result<Option<Sender>, RestError> {
    let wanted = case.fact(SENDER).and_then(number);
    let senders = of_account(rest, messaging_url, login).await?;
    let mut senders = senders.into_iter();
    Ok(senders.find(|sender| wanted.is_some() && number(&sender.address) == wanted))
}

fn number(text: &str) -> Option<Phone> {
    Phone::parse(text.strip_prefix(PREFIX).unwrap_or(text))
}

fn not_a_number(text: &str) -> StepError {
    StepError::new(
        "not_a_number",
        format!("'{text}' is not a phone number"),
        "write it with its country, such as +4930901820",
    )
    .asks(SENDER, "the sender's number, such as +4930901820")
}

fn not_a_service(text: &str) -> StepError {
    StepError::new(
        "not_a_sid",
        format!("'{text}' is no Messaging Service's SID: MG and 32 hexadecimal digits"),
        "copy it once more (Console, Messaging, Services)",
    )
    .asks(SERVICE, "the SID (MG…) of the Messaging Service")
}

/// Has the webhooks of the sender sent to the channel's own address, or those of its service to the address that all
/// channels share, and reads that back.
pub(super) async fn webhook(
    rest: Rest<'_>,
    messaging_url: &str,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    let login = login(case)?;
    let url = case.channel_webhook_url;
    if url.is_empty() {
        return Err(StepError::new(
            "no_public_url",
            "the server has no `public_url`, which Twilio must be told and signs",
            "set `public_url` (REJOINDER_PUBLIC_URL) to the https address that leads to this server, and take the step \
             again",
        ));
    }
    if let Some(service) = case.fact(SERVICE) {
        // Its other senders may be channels as well, here or in other locations: each is found by what is written.
        let url = case.shared_webhook_url;
        return webhook_of_service(rest, messaging_url, service, url, login).await;
    }
    webhook_of_sender(rest, messaging_url, case, url, login).await
}

/// How a person does it.
fn by_hand(url: &str) -> String {
    format!(
        "in Twilio's Console (Messaging, Senders, the sender; or the WhatsApp sandbox's settings) enter this address, \
         to the letter, for incoming messages and for the status callback, both with POST: {url}"
    )
}

async fn webhook_of_sender(
    mut rest: Rest<'_>,
    messaging_url: &str,
    case: &Case<'_>,
    url: &str,
    login: Login<'_>,
) -> Result<Progress, StepError> {
    need(case, SENDER)?;
    let found = match find(&mut rest, messaging_url, case, login).await {
        Ok(found) => found,
        Err(error) => return Err(rest.failed(&error)),
    };
    let Some(sender) = found else {
        // Whether a person has done it shows by what comes.
        let progress = if case.reports.is_heard {
            Progress::done(format!("a webhook came to {url}"))
        } else {
            Progress::waiting(by_hand(url))
        };
        return Ok(with(progress, rest));
    };
    if sender.callback_url == url && sender.status_callback_url == url && sender.status != UPDATING
    {
        return Ok(with(Progress::done(format!("webhooks go to {url}")), rest));
    }
    let path = format!("/v2/Channels/Senders/{}", sender.sid);
    if sender.callback_url != url || sender.status_callback_url != url {
        let body = json!({ "webhook": {
            "callback_url": url,
            "callback_method": "POST",
            "status_callback_url": url,
            "status_callback_method": "POST",
        }});
        match rest
            .post(messaging_url, &path, Body::Json(body), login)
            .await
        {
            Ok(_) => rest.says("taken over"),
            Err(error) => return Err(rest.failed(&error)),
        }
    }
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(REST).await;
        }
        let seen = match rest.get(messaging_url, &path, &[], login).await {
            Ok(seen) => seen,
            Err(error) => return Err(rest.failed(&error)),
        };
        let Some(seen) = Sender::read(&seen) else {
            return Err(rest.failed(&RestError::NoAnswer));
        };
        rest.says(format!("{}, {}", seen.status, seen.callback_url));
        if seen.status == UPDATING {
            continue;
        }
        if seen.callback_url == url && seen.status_callback_url == url {
            return Ok(with(Progress::done(format!("webhooks go to {url}")), rest));
        }
        let error = StepError::new(
            "not_taken_over",
            format!("Twilio shows another address: {}", seen.callback_url),
            by_hand(url),
        );
        return Err(rest.with(error));
    }
    Ok(with(
        Progress::waiting("Twilio is taking the address over"),
        rest,
    ))
}

/// A service hears what comes to its senders itself, unless it leaves that to them.
async fn webhook_of_service(
    mut rest: Rest<'_>,
    messaging_url: &str,
    service: &str,
    url: &str,
    login: Login<'_>,
) -> Result<Progress, StepError> {
    let path = format!("/v1/Services/{service}");
    let is_set = |seen: &Value| {
        seen["inbound_request_url"] == url
            && seen["status_callback"] == url
            && seen["use_inbound_webhook_on_number"] != true
    };
    let seen = match rest.get(messaging_url, &path, &[], login).await {
        Ok(seen) => seen,
        Err(error) => return Err(rest.failed(&error)),
    };
    rest.says(format!(
        "webhooks go to {}",
        seen["inbound_request_url"].as_str().unwrap_or("no address")
    ));
    if is_set(&seen) {
        return Ok(with(Progress::done(format!("webhooks go to {url}")), rest));
    }
    let form = [
        ("InboundRequestUrl", url),
        ("InboundMethod", "POST"),
        ("StatusCallback", url),
        ("UseInboundWebhookOnNumber", "false"),
    ];
    match rest
        .post(messaging_url, &path, Body::Form(&form), login)
        .await
    {
        Ok(_) => rest.says("taken over"),
        Err(error) => return Err(rest.failed(&error)),
    }
    let seen = match rest.get(messaging_url, &path, &[], login).await {
        Ok(seen) => seen,
        Err(error) => return Err(rest.failed(&error)),
    };
    let shown = seen["inbound_request_url"]
        .as_str()
        .unwrap_or("no address")
        .to_owned();
    rest.says(format!("webhooks go to {shown}"));
    if is_set(&seen) {
        return Ok(with(Progress::done(format!("webhooks go to {url}")), rest));
    }
    let error = StepError::new(
        "not_taken_over",
        format!("Twilio shows another address: {shown}"),
        format!("in Twilio's Console (Messaging, Services, Integration) send a webhook to {url}"),
    );
    Err(rest.with(error))
}
