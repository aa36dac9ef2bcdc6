//! News of messages that were sent. Knows what Meta's words mean, not what follows from them.

use rejoinder_engine::domain::contact::Peer;
use rejoinder_engine::domain::inbound::{Inbound, Item, Pricing, Stage, Status};

use super::json::{self, Object};
use super::{Change, Unread};
use crate::meta::errors;

/// Reads one item of `statuses`.
pub(super) fn status(change: &Change<'_>, item: &Object) -> Result<Inbound, Unread> {
    let provider_id = json::id(item, "id").ok_or_else(|| Unread::lacks("status.id"))?;
    let stage = match json::text(item, "status").unwrap_or_default() {
        "accepted" => Stage::Accepted,
        "sent" => Stage::Sent,
        "delivered" => Stage::Delivered,
        "read" => Stage::Read,
        "played" => Stage::Played,
        "failed" => Stage::Failed,
        _ => return Err(Unread("a status of unknown stage".to_owned())),
    };
    let failure =
        (stage == Stage::Failed).then(|| errors::failure(json::objects(item, "errors").next()));
    Ok(Inbound {
        to: Some(change.number()?),
        at: json::timestamp(item, "timestamp").or_else(|| change.time()),
        item: Item::Status(Status {
            provider_id,
            stage,
            delivery_id: json::text(item, "biz_opaque_callback_data")
                .and_then(|text| text.parse().ok()),
            peer: peer(change, item),
            failure,
            pricing: json::object(item, "pricing").and_then(pricing),
        }),
        raw: None,
    })
}

fn peer(change: &Change<'_>, item: &Object) -> Peer {
    // A group's id may look like a number.
    if json::text(item, "recipient_type") == Some("group") {
        return change.peer(
            "statuses",
            item,
            "recipient_participant_id",
            "recipient_participant_user_id",
        );
    }
    change.peer("statuses", item, "recipient_id", "recipient_user_id")
}

fn pricing(pricing: &Object) -> Option<Pricing> {
    Some(Pricing {
        billable: pricing.get("billable")?.as_bool()?,
        category: json::string(pricing, "category").unwrap_or_default(),
    })
}
