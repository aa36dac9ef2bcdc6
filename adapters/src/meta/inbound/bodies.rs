//! What a message says: one function for each of Meta's message types.
//! Knows neither who wrote it nor when.

use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::content::{ContactCard, MediaKind, Place};
use rejoinder_engine::domain::message::{
    Body, Choice, Media, Order, OrderItem, SystemChange, SystemChangeKind,
};
use serde_json::{Map, Value};

use crate::nesting::is_too_deep;

use super::Unread;
use super::json::{self, Object};

/// The message was written, and Meta passes nothing on: its type, its file, or the device that
/// wrote it is not supported.
const WITHHELD: [i64; 3] = [131_051, 131_052, 131_060];

/// Reads the object that belongs to the message's type.
pub(super) fn body(message: &Object) -> Result<Body, Unread> {
    let kind = json::text(message, "type").ok_or_else(|| Unread::lacks("message.type"))?;
    let object = || {
        json::object(message, kind).ok_or_else(|| {
            Unread(format!(
                "a message of type {} without its object",
                word(kind)
            ))
        })
    };
    let read = match kind {
        "text" => object().and_then(text),
        "image" => object().and_then(|file| media(file, MediaKind::Image)),
        "video" => object().and_then(|file| media(file, MediaKind::Video)),
        "document" => object().and_then(|file| media(file, MediaKind::Document)),
        "sticker" => object().and_then(|file| media(file, MediaKind::Sticker)),
        "audio" => object().and_then(|file| {
            let recorded = file.get("voice").is_some_and(|voice| voice == true);
            media(
                file,
                if recorded {
                    MediaKind::Voice
                } else {
                    MediaKind::Audio
                },
            )
        }),
        "location" => object().and_then(location),
        "contacts" => contacts(message),
        "interactive" => object().and_then(interactive),
        "button" => object().and_then(button),
        "reaction" => object().and_then(reaction),
        "order" => object().and_then(order),
        "system" => object().and_then(system),
        "edit" => object().and_then(edit),
        "revoke" => object().and_then(|revoke| {
            Ok(Body::Revoke {
                message_id: original(revoke)?,
            })
        }),
        // The history shows where a file was; the file may follow.
        "unsupported" | "unknown" | "media_placeholder" => return Ok(unsupported(message)),
        _ => Err(Unread(format!("a message of type {}", word(kind)))),
    };
    match read {
        Err(_) if is_withheld(message, kind) => Ok(unsupported(message)),
        read => read,
    }
}

/// A message whose content Meta does not pass on, with Meta's hint of what it was.
pub(super) fn unsupported(message: &Object) -> Body {
    let hint = json::object(message, "unsupported").and_then(|hint| json::text(hint, "type"));
    let what = hint.unwrap_or_else(|| match json::text(message, "type") {
        None | Some("unsupported" | "unknown") => "",
        Some(kind) => kind,
    });
    Body::Unsupported {
        what: what.to_owned(),
    }
}

/// Whether Meta says, by an error within the message, that there is nothing to read.
fn is_withheld(message: &Object, kind: &str) -> bool {
    let is_empty = KNOWN.contains(&kind) && !message.contains_key(kind);
    json::objects(message, "errors").any(|error| {
        let code = error.get("code").and_then(json::integer);
        is_empty || code.is_some_and(|code| WITHHELD.contains(&code))
    })
}

/// The types that have an object here.
const KNOWN: [&str; 13] = [
    "text",
    "image",
    "video",
    "document",
    "sticker",
    "audio",
    "location",
    "contacts",
    "interactive",
    "button",
    "reaction",
    "order",
    "system",
];

/// A type as it may be shown to the operator: a word, not a text.
fn word(kind: &str) -> String {
    kind.chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
        .take(40)
        .collect()
}

fn text(text: &Object) -> Result<Body, Unread> {
    let text = text
        .get("body")
        .and_then(Value::as_str)
        .ok_or_else(|| Unread::lacks("text.body"))?;
    Ok(Body::Text {
        text: text.to_owned(),
    })
}

fn media(file: &Object, media: MediaKind) -> Result<Body, Unread> {
    Ok(Body::Media(Media {
        media,
        reference: json::id(file, "id").ok_or_else(|| Unread::lacks("the file's id"))?,
        mime: json::string(file, "mime_type").unwrap_or_default(),
        name: json::string(file, "filename"),
        caption: json::string(file, "caption"),
        sha256: json::sha256(file, "sha256"),
        // Webhooks do not say it by the reference; the answer to a look-up does, as number or text.
        size_bytes: file
            .get("file_size")
            .and_then(json::integer)
            .and_then(|size| u64::try_from(size).ok()),
        url: json::string(file, "url"),
    }))
}

fn location(place: &Object) -> Result<Body, Unread> {
    let degrees = |key| json::number(place, key).ok_or_else(|| Unread::lacks("location"));
    Ok(Body::Location(Place {
        latitude: degrees("latitude")?,
        longitude: degrees("longitude")?,
        name: json::string(place, "name"),
        address: json::string(place, "address"),
    }))
}

fn contacts(message: &Object) -> Result<Body, Unread> {
    let contacts: Vec<ContactCard> = json::objects(message, "contacts").map(card).collect();
    if contacts.is_empty() {
        return Err(Unread::lacks("contacts"));
    }
    Ok(Body::Contacts { contacts })
}

fn card(contact: &Object) -> ContactCard {
    let name = json::object(contact, "name").map_or_else(String::new, |name| {
        json::string(name, "formatted_name").unwrap_or_else(|| {
            ["prefix", "first_name", "middle_name", "last_name", "suffix"]
                .iter()
                .filter_map(|part| json::text(name, part))
                .collect::<Vec<_>>()
                .join(" ")
        })
    });
    let each = |list, key| {
        json::objects(contact, list)
            .filter_map(|item| json::string(item, key))
            .collect::<Vec<_>>()
    };
    let mut card = ContactCard {
        name,
        phones: each("phones", "phone"),
        emails: each("emails", "email"),
        company: json::object(contact, "org").and_then(|org| json::string(org, "company")),
    };
    // The answer to a request for contact details may say everything in a vCard only.
    for line in json::text(contact, "vcard").unwrap_or_default().lines() {
        let Some((property, value)) = line.split_once(':') else {
            continue;
        };
        let property = property.split(';').next().unwrap_or_default();
        // Some programs put a group before the name: `item1.TEL`.
        let property = property.rsplit('.').next().unwrap_or_default();
        let value = value.trim();
        if property.eq_ignore_ascii_case("FN") && card.name.is_empty() {
            card.name = value.to_owned();
        } else if property.eq_ignore_ascii_case("TEL") && !value.is_empty() {
            let number = value.strip_prefix("tel:").unwrap_or(value);
            let same = |phone: &String| Phone::parse(phone) == Phone::parse(number);
            if !card.phones.iter().any(same) {
                card.phones.push(number.to_owned());
            }
        }
    }
    card
}

fn interactive(interactive: &Object) -> Result<Body, Unread> {
    let kind = json::text(interactive, "type").unwrap_or_default();
    let reply = json::object(interactive, kind)
        .ok_or_else(|| Unread::lacks("the reply of an interactive message"))?;
    match kind {
        "button_reply" => Ok(Body::Button(choice(reply)?)),
        "list_reply" => Ok(Body::List(choice(reply)?)),
        "nfm_reply" => Ok(Body::Form {
            answers: answers(reply)?,
        }),
        _ => Err(Unread(format!(
            "an interactive message of type {}",
            word(kind)
        ))),
    }
}

fn choice(reply: &Object) -> Result<Choice, Unread> {
    Ok(Choice {
        id: json::id(reply, "id").ok_or_else(|| Unread::lacks("the id of a choice"))?,
        title: json::string(reply, "title").unwrap_or_default(),
        description: json::string(reply, "description"),
    })
}

fn answers(reply: &Object) -> Result<Map<String, Value>, Unread> {
    let answers = match reply.get("response_json") {
        Some(Value::String(text)) => json::read(text),
        Some(value) => Some(value.clone()),
        None => None,
    };
    match answers {
        Some(answers) if is_too_deep(&answers) => Err(Unread(
            "a form whose answers are nested too deeply".to_owned(),
        )),
        Some(Value::Object(answers)) => Ok(answers),
        _ => Err(Unread::lacks("nfm_reply.response_json")),
    }
}

/// A tap on a quick reply of a template; one without a payload is known by its text.
fn button(button: &Object) -> Result<Body, Unread> {
    let text = json::string(button, "text");
    let payload = json::id(button, "payload");
    let id = payload
        .or_else(|| text.clone())
        .ok_or_else(|| Unread::lacks("button.payload"))?;
    Ok(Body::Button(Choice {
        title: text.unwrap_or_else(|| id.clone()),
        id,
        description: None,
    }))
}

fn reaction(reaction: &Object) -> Result<Body, Unread> {
    Ok(Body::Reaction {
        message_id: json::id(reaction, "message_id")
            .ok_or_else(|| Unread::lacks("reaction.message_id"))?,
        emoji: json::string(reaction, "emoji").unwrap_or_default(),
    })
}

fn order(order: &Object) -> Result<Body, Unread> {
    let items: Option<Vec<OrderItem>> = json::array(order, "product_items")
        .iter()
        .map(|item| {
            let item = item.as_object()?;
            Some(OrderItem {
                product_id: json::id(item, "product_retailer_id")?,
                quantity: json::number(item, "quantity")?,
                price: json::number(item, "item_price")?,
                currency: json::string(item, "currency").unwrap_or_default(),
            })
        })
        .collect();
    Ok(Body::Order(Order {
        catalog_id: json::id(order, "catalog_id").unwrap_or_default(),
        text: json::string(order, "text").unwrap_or_default(),
        items: items
            .filter(|items| !items.is_empty())
            .ok_or_else(|| Unread::lacks("order.product_items"))?,
    }))
}

fn system(system: &Object) -> Result<Body, Unread> {
    let phone = |key| json::id(system, key).and_then(|number| Phone::parse(&number));
    let kind = json::text(system, "type").unwrap_or_default();
    let user_id = json::string(system, "user_id");
    let change = match (kind, user_id) {
        ("user_changed_number" | "customer_changed_number", user_id) => SystemChangeKind::Number {
            phone: phone("wa_id").or_else(|| phone("new_wa_id")),
            user_id,
        },
        ("user_changed_user_id", Some(user_id)) => SystemChangeKind::UserId { user_id },
        ("customer_identity_changed" | "user_identity_changed", _) => SystemChangeKind::Identity,
        (other, _) => SystemChangeKind::Other {
            what: other.to_owned(),
        },
    };
    Ok(Body::System(SystemChange {
        text: json::string(system, "body").unwrap_or_default(),
        change,
    }))
}

fn edit(edit: &Object) -> Result<Body, Unread> {
    let message = json::object(edit, "message").ok_or_else(|| Unread::lacks("edit.message"))?;
    Ok(Body::Edit {
        message_id: original(edit)?,
        body: Box::new(body(message)?),
    })
}

fn original(change: &Object) -> Result<String, Unread> {
    json::id(change, "original_message_id").ok_or_else(|| Unread::lacks("original_message_id"))
}
