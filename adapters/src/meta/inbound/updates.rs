//! News of templates, accounts, numbers and preferences, and errors that belong to no message.
//! Says what they are about and passes the value on as it came.

use rejoinder_engine::domain::inbound::{ChannelKey, Inbound, Item, TemplateNews, Topic, Update};
use rejoinder_engine::domain::template::TemplateStatus;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::json::{self, Object};
use super::{Change, Unread};
use crate::meta::templates;

/// Reads a change that is news as a whole.
pub(super) fn update(change: &Change<'_>) -> Result<Inbound, Unread> {
    // Meta's own example of a quality update carries the name of the status update.
    let field = match change.field {
        "message_template_status_update" if change.value.contains_key("new_quality_score") => {
            "message_template_quality_update"
        }
        field => field,
    };
    let topic = match field {
        "message_template_status_update"
        | "message_template_quality_update"
        | "message_template_components_update"
        | "template_category_update" => Topic::Template {
            news: template_news(field, change.value),
        },
        "phone_number_quality_update"
        | "phone_number_name_update"
        | "security"
        | "business_username_update" => Topic::Number,
        "account_update"
        | "account_alerts"
        | "account_review_update"
        | "account_settings_update"
        | "business_capability_update"
        | "flows"
        | "partner_solutions"
        | "payment_configuration_update" => Topic::Account,
        _ => return Err(Unread("a field that this version does not know".to_owned())),
    };
    let to = match topic {
        Topic::Number => change
            .number()
            .ok()
            .or_else(|| change.displayed(change.value))
            .ok_or_else(|| Unread::lacks("display_phone_number"))?,
        _ => account(change)?,
    };
    let value = Value::Object(change.value.clone());
    Ok(news(change, Some(to), field, topic, value))
}

/// Whether a template may be sent, if that is what the news says.
fn template_news(field: &str, value: &Object) -> Option<TemplateNews> {
    if field != "message_template_status_update" {
        return None;
    }
    let title = json::object(value, "other_info").and_then(|info| json::text(info, "title"));
    let status = match title {
        // The end of a pause comes under the event of the pause.
        Some("UNPAUSE") => TemplateStatus::Approved,
        _ => templates::status(json::text(value, "event")?)?,
    };
    Some(TemplateNews {
        name: json::id(value, "message_template_name")?,
        language: json::id(value, "message_template_language")?.replace('-', "_"),
        status,
    })
}

/// The business account: the entry's, except that news of partners comes under the partner's own id.
fn account(change: &Change<'_>) -> Result<ChannelKey, Unread> {
    json::object(change.value, "waba_info")
        .and_then(|info| json::id(info, "waba_id"))
        .or_else(|| change.account())
        .map(ChannelKey::Account)
        .ok_or_else(|| Unread::lacks("entry.id"))
}

/// Reads one item of `user_preferences`.
pub(super) fn preference(change: &Change<'_>, item: &Object) -> Result<Inbound, Unread> {
    if json::text(item, "category").is_some_and(|category| category != "marketing_messages") {
        return Err(Unread("a preference of unknown category".to_owned()));
    }
    let opted_out = match json::text(item, "value").unwrap_or_default() {
        "stop" => true,
        "resume" | "signup" => false,
        _ => return Err(Unread("a preference of unknown value".to_owned())),
    };
    let peer = change.peer("user_preferences", item, "wa_id", "user_id");
    if peer.addresses().next().is_none() {
        return Err(Unread::lacks("user_preferences.wa_id"));
    }
    let topic = Topic::Preference { peer, opted_out };
    let value = Value::Object(item.clone());
    let mut inbound = news(change, Some(change.number()?), change.field, topic, value);
    inbound.at = json::timestamp(item, "timestamp").or(inbound.at);
    Ok(inbound)
}

/// Reads one item of `errors`, which may have any form.
pub(super) fn error(change: &Change<'_>, item: &Value) -> Inbound {
    let to = change
        .number()
        .ok()
        .or_else(|| change.account().map(ChannelKey::Account));
    news(change, to, change.field, Topic::Error, item.clone())
}

fn news(
    change: &Change<'_>,
    to: Option<ChannelKey>,
    field: &str,
    topic: Topic,
    value: Value,
) -> Inbound {
    let at = change.time();
    Inbound {
        to,
        at,
        item: Item::Update(Update {
            field: field.to_owned(),
            topic,
            key: key(field, at.map_or(0, |at| at.ms()), &value),
            value,
        }),
        raw: None,
    }
}

fn key(field: &str, at_ms: i64, value: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update(field.as_bytes());
    hash.update([0]);
    hash.update(at_ms.to_be_bytes());
    hash.update(value.to_string().as_bytes());
    hex::encode(&hash.finalize()[..16])
}
