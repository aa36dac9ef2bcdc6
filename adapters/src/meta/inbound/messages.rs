//! Messages of customers, and of the business itself when it writes on the phone.
//! Knows who wrote and around what; what a message says is `bodies`.

use rejoinder_engine::domain::inbound::{Inbound, Item};
use rejoinder_engine::domain::message::{Message, Referral, ReplyTo};

use serde_json::json;

use super::json::{self, Object};
use super::{Change, Unread, bodies};

/// "Something went wrong": with it comes a message whose content Meta could not express.
const NOT_EXPRESSED: i64 = 131_000;

/// Reads one item of `messages`.
pub(super) fn message(change: &Change<'_>, item: &Object) -> Result<Inbound, Unread> {
    // An answer to one of a group would go to that one alone, who did not write to us alone.
    if item.contains_key("group_id") {
        return Err(Unread("a message to a group".to_owned()));
    }
    let message = content(change, item)?;
    let peer = change.peer("messages", item, "from", "from_user_id");
    if peer.addresses().next().is_none() {
        return Err(Unread::lacks("message.from"));
    }
    Ok(Inbound {
        to: Some(change.number()?),
        at: json::timestamp(item, "timestamp").or_else(|| change.time()),
        item: Item::Message { peer, message },
        raw: None,
    })
}

/// Reads one item of `message_echoes`.
pub(super) fn echo(change: &Change<'_>, item: &Object) -> Result<Inbound, Unread> {
    let message = content(change, item)?;
    let peer = change.peer("message_echoes", item, "to", "to_user_id");
    if peer.addresses().next().is_none() {
        return Err(Unread::lacks("message_echo.to"));
    }
    Ok(Inbound {
        to: Some(change.number()?),
        at: json::timestamp(item, "timestamp").or_else(|| change.time()),
        item: Item::Echo { peer, message },
        raw: None,
    })
}

/// What a message says, whoever wrote it.
pub(super) fn content(change: &Change<'_>, item: &Object) -> Result<Message, Unread> {
    let provider_id = json::id(item, "id").ok_or_else(|| Unread::lacks("message.id"))?;
    let body = match bodies::body(item) {
        Err(_) if is_not_expressed(change, item) => Ok(bodies::unsupported(item)),
        body => body,
    }?;
    let context = json::object(item, "context");
    Ok(Message {
        provider_id,
        body,
        reply_to: context.and_then(reply_to),
        forwarded: context.is_some_and(|context| {
            ["forwarded", "frequently_forwarded"]
                .iter()
                .any(|key| context.get(*key).is_some_and(|value| value == true))
        }),
        referral: json::object(item, "referral").map(referral),
    })
}

/// Whether an error says that a message could not be expressed.
pub(super) fn is_not_expressed_error(error: &Object) -> bool {
    error.get("code").and_then(json::integer) == Some(NOT_EXPRESSED)
}

/// Whether a change holds a message to which such an error belongs.
pub(super) fn any_not_expressed(change: &Change<'_>) -> bool {
    json::objects(change.value, "messages").any(is_interactive_without_object)
}

/// A message together with the reason why it is empty, if only its change tells that: what the
/// message needs to be read alone.
pub(super) fn with_reason(change: &Change<'_>, item: &Object) -> Option<Object> {
    let has_reason = !json::array(item, "errors").is_empty();
    (is_not_expressed(change, item) && !has_reason).then(|| {
        let mut item = item.clone();
        item.insert("errors".to_owned(), json!([{ "code": NOT_EXPRESSED }]));
        item
    })
}

fn is_not_expressed(change: &Change<'_>, item: &Object) -> bool {
    is_interactive_without_object(item) && !json::array(change.value, "errors").is_empty()
}

fn is_interactive_without_object(item: &Object) -> bool {
    json::text(item, "type") == Some("interactive") && json::object(item, "interactive").is_none()
}

fn reply_to(context: &Object) -> Option<ReplyTo> {
    let message_id = json::id(context, "id");
    let product_id = json::object(context, "referred_product")
        .and_then(|product| json::id(product, "product_retailer_id"));
    (message_id.is_some() || product_id.is_some()).then(|| ReplyTo {
        message_id: message_id.unwrap_or_default(),
        product_id,
    })
}

fn referral(referral: &Object) -> Referral {
    let text = |key| json::id(referral, key).unwrap_or_default();
    Referral {
        source_url: text("source_url"),
        source_id: text("source_id"),
        source_type: text("source_type"),
        headline: text("headline"),
        body: text("body"),
        click_id: json::id(referral, "ctwa_clid"),
    }
}
