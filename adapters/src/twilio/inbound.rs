//! From the form of a verified webhook to messages and statuses.
//! Knows no channel: whether a sender is the business itself is for the engine to see.

mod body;
pub(super) mod events;

use rejoinder_engine::domain::contact::{Address, Peer};
use rejoinder_engine::domain::ids::DeliveryId;
use rejoinder_engine::domain::inbound::{ChannelKey, Inbound, Item, Stage, Status};
use rejoinder_engine::domain::message::{Message, Referral, ReplyTo};

use super::errors;
use super::form::{Form, without_nul};

/// A SID has 34 characters; an id that is longer is none, and would not fit into an index.
const MAX_SID_CHARS: usize = 64;

/// Reads a form, a query or a JSON event. `delivery_id` is the one in the address that was called.
pub(super) fn parse(raw: &str, delivery_id: Option<DeliveryId>) -> Vec<Inbound> {
    // As it would be kept: what is run again later must read as it does now.
    let raw = &without_nul(raw);
    if events::is_json(raw) {
        return events::parse(raw);
    }
    read(&Form::parse(raw), delivery_id).unwrap_or_else(|reason| vec![unknown(raw, reason)])
}

/// An item that is kept as it came, because this version does not understand it.
pub(super) fn unknown(raw: &str, reason: impl Into<String>) -> Inbound {
    Inbound {
        to: None,
        at: None,
        item: Item::Unknown {
            reason: reason.into(),
        },
        raw: Some(without_nul(raw)),
    }
}

/// How far a message has come, by Twilio's word for it.
pub(super) fn stage(word: &str) -> Option<Stage> {
    match word {
        "accepted" | "scheduled" | "queued" | "sending" | "receiving" => Some(Stage::Accepted),
        "sent" => Some(Stage::Sent),
        "delivered" => Some(Stage::Delivered),
        "read" => Some(Stage::Read),
        "failed" | "undelivered" | "canceled" => Some(Stage::Failed),
        _ => None,
    }
}

/// Reads `whatsapp:+49…` or `whatsapp:BR.…`. An address without the prefix is another service's:
/// the same number may receive text messages, and those must not be answered here.
pub(super) fn whatsapp(address: &str) -> Option<Address> {
    address.strip_prefix("whatsapp:").and_then(Address::parse)
}

/// The key of the channel whose number this is.
pub(super) fn channel_key(address: &Address) -> ChannelKey {
    ChannelKey::Key(address.value().to_owned())
}

/// The person at an address of which nothing else is known.
pub(super) fn peer(address: Address) -> Peer {
    let mut peer = Peer::default();
    match address {
        Address::Phone(phone) => peer.phone = Some(phone),
        Address::UserId(user_id) => peer.user_id = Some(user_id),
    }
    peer
}

fn read(form: &Form, delivery_id: Option<DeliveryId>) -> Result<Vec<Inbound>, String> {
    for name in ["MessageSid", "From", "To", "MessageStatus", "SmsStatus"] {
        if form.is_ambiguous(name) {
            return Err(format!("the form has several values of {name}"));
        }
    }
    let sid = form.get("MessageSid").ok_or("the form has no MessageSid")?;
    if sid.len() > MAX_SID_CHARS {
        return Err("the MessageSid is too long".to_owned());
    }
    let address = |name| {
        let text = form.get(name).ok_or(format!("the form has no {name}"))?;
        whatsapp(text).ok_or(format!("{name} is not a WhatsApp address"))
    };
    let (from, to) = (address("From")?, address("To")?);
    match form.get("MessageStatus").or(form.get("SmsStatus")) {
        None | Some("received") => Ok(messages(form, sid, from, &to)),
        Some(word) => {
            let stage = stage(word).ok_or("the form has an unknown MessageStatus")?;
            Ok(vec![status(form, sid, stage, &from, to, delivery_id)])
        }
    }
}

/// One message, or one for each file if there are several, so that none is lost. WhatsApp has one
/// file to a message; the further ones get ids that follow from the message's.
fn messages(form: &Form, sid: &str, from: Address, to: &Address) -> Vec<Inbound> {
    let sender = sender(form, from);
    let reply_to = reply_to(form);
    let referral = referral(form);
    let forwarded = form.is_true("Forwarded") || form.is_true("FrequentlyForwarded");
    body::bodies(form)
        .into_iter()
        .enumerate()
        .map(|(position, body)| Inbound {
            to: Some(channel_key(to)),
            at: None,
            item: Item::Message {
                peer: sender.clone(),
                message: Message {
                    provider_id: match position {
                        0 => sid.to_owned(),
                        _ => format!("{sid}:{position}"),
                    },
                    body,
                    reply_to: reply_to.clone(),
                    forwarded,
                    referral: referral.clone(),
                },
            },
            raw: None,
        })
        .collect()
}

fn status(
    form: &Form,
    sid: &str,
    stage: Stage,
    from: &Address,
    to: Address,
    delivery_id: Option<DeliveryId>,
) -> Inbound {
    let is_cancelled = form.get("MessageStatus") == Some("canceled");
    let failure = (stage == Stage::Failed).then(|| {
        let number = |name| form.get(name).and_then(|code| code.parse::<i64>().ok());
        errors::failure(
            number("ErrorCode").or_else(|| errors::of_meta(number("ChannelStatusCode")?)),
            form.get("ErrorMessage")
                .or_else(|| form.get("ChannelStatusMessage"))
                .or_else(|| is_cancelled.then_some("the message was cancelled at Twilio")),
        )
    });
    Inbound {
        to: Some(channel_key(from)),
        at: None,
        item: Item::Status(Status {
            provider_id: sid.to_owned(),
            stage,
            delivery_id,
            peer: peer(to),
            failure,
            pricing: None,
        }),
        raw: None,
    }
}

/// The customer: the phone number and the business-scoped id may both be told, in three places.
fn sender(form: &Form, from: Address) -> Peer {
    let mut sender = peer(from);
    if sender.phone.is_none() {
        sender.phone = form
            .get("WaId")
            .and_then(Address::parse)
            .and_then(|address| peer(address).phone);
    }
    if let Some(Address::UserId(user_id)) = form.get("ExternalUserId").and_then(Address::parse) {
        sender.user_id = Some(user_id);
    }
    sender.name = form.get("ProfileName").map(str::to_owned);
    sender
}

/// Twilio names the sender of the quoted message even if it no longer knows the message.
fn reply_to(form: &Form) -> Option<ReplyTo> {
    let message_id = form.get("OriginalRepliedMessageSid");
    (message_id.is_some() || form.get("OriginalRepliedMessageSender").is_some()).then(|| ReplyTo {
        message_id: message_id.unwrap_or("").to_owned(),
        product_id: None,
    })
}

/// `ReferralNumMedia` comes with every message and means nothing.
fn referral(form: &Form) -> Option<Referral> {
    const EVIDENCE: [&str; 6] = [
        "ReferralSourceId",
        "ReferralSourceUrl",
        "ReferralSourceType",
        "ReferralHeadline",
        "ReferralBody",
        "ReferralCtwaClid",
    ];
    let text = |name| form.get(name).unwrap_or("").to_owned();
    EVIDENCE
        .iter()
        .any(|name| form.get(name).is_some())
        .then(|| Referral {
            source_url: text("ReferralSourceUrl"),
            source_id: text("ReferralSourceId"),
            source_type: text("ReferralSourceType"),
            headline: text("ReferralHeadline"),
            body: text("ReferralBody"),
            click_id: form.get("ReferralCtwaClid").map(str::to_owned),
        })
}
