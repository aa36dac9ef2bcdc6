//! A message that came in: what it says, and whether it says what a rule is looking for.

use std::sync::{Arc, OnceLock};

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::text::Words;
use super::time::Time;
use super::{Fallible, Usage, fail, no_property, no_setter};
use crate::domain::content::{ContactCard, Place};
use crate::domain::effect::Effect;
use crate::domain::message::{Body, Media, Message, Order, Referral};
use crate::domain::time::Timestamp;
use crate::script::convert;
use crate::script::run::Run;

/// A message, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct MessageView(Arc<Inner>);

struct Inner {
    run: Arc<Run>,
    message: Message,
    at: Timestamp,
    /// The text as words, made when first asked for.
    words: OnceLock<Words>,
}

pub(super) const USAGE: Usage = &[
    (
        "mentions",
        "message.mentions(\"price\"), or message.mentions([\"price\", \"cost\"])",
    ),
    ("matches", "message.matches(\"(?i)ref-\\\\d+\")"),
    ("capture", "message.capture(\"ref-(\\\\d+)\")"),
    ("react", "message.react(\"👍\")"),
];

const PROPERTIES: [&str; 13] = [
    "id",
    "kind",
    "text",
    "choice",
    "media",
    "location",
    "contacts",
    "form",
    "order",
    "reply_to",
    "forwarded",
    "referral",
    "at",
];

impl MessageView {
    pub(in crate::script) fn new(run: &Arc<Run>, message: &Message, at: Timestamp) -> Self {
        Self(Arc::new(Inner {
            run: Arc::clone(run),
            message: message.clone(),
            at,
            words: OnceLock::new(),
        }))
    }

    fn body(&self) -> &Body {
        &self.0.message.body
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<MessageView>("message")
        .register_fn("mentions", mentions)
        .register_fn("matches", matches)
        .register_fn("capture", capture)
        .register_fn("react", react)
        .register_get("id", |message: &mut MessageView| {
            message.0.message.provider_id.clone()
        })
        .register_get("kind", |message: &mut MessageView| message.body().kind())
        .register_get("text", |message: &mut MessageView| {
            message.body().text().to_owned()
        })
        .register_get("choice", choice)
        .register_get("media", media)
        .register_get("location", location)
        .register_get("contacts", contacts)
        .register_get("form", form)
        .register_get("order", order)
        .register_get("reply_to", reply_to)
        .register_get("forwarded", |message: &mut MessageView| {
            message.0.message.forwarded
        })
        .register_get("referral", referral)
        .register_get("at", |message: &mut MessageView| Time {
            at: message.0.at,
            zone: message.0.run.zone,
        })
        .register_indexer_get(|_: &mut MessageView, name: &str| {
            no_property::<Dynamic>("message", name, &PROPERTIES)
        })
        .register_indexer_set(
            |context: NativeCallContext<'_>, own: &mut MessageView, name: &str, value: Dynamic| {
                no_setter(
                    &context,
                    "message",
                    Dynamic::from(own.clone()),
                    name,
                    &value,
                )
            },
        );
}

/// Whether the text has a word or phrase, or one of several; whole words, case and accents ignored.
///
/// ```rhai
/// if message.mentions(["price", "how much"]) { … }
/// ```
fn mentions(message: &mut MessageView, what: Dynamic) -> Fallible<bool> {
    let words = message
        .0
        .words
        .get_or_init(|| Words::of(message.body().text()));
    if let Ok(phrase) = what.as_immutable_string_ref() {
        return Ok(words.contain(&phrase));
    }
    let Ok(phrases) = what.as_array_ref() else {
        return fail(format!(
            "mentions needs text or an array of texts, not {}",
            convert::describe(&what)
        ));
    };
    for phrase in phrases.iter() {
        match phrase.as_immutable_string_ref() {
            Ok(phrase) if words.contain(&phrase) => return Ok(true),
            Ok(_) => {}
            Err(_) => {
                return fail(format!(
                    "mentions needs an array of texts, but {} is in it",
                    convert::describe(phrase)
                ));
            }
        }
    }
    Ok(false)
}

/// Whether a regular expression matches somewhere in the text; it takes time by the length only.
///
/// ```rhai
/// if message.matches("(?i)ref-\\d+") { … }
/// ```
fn matches(message: &mut MessageView, pattern: &str) -> Fallible<bool> {
    let regex = message.0.run.regexes.get(pattern)?;
    Ok(regex.is_match(message.body().text()))
}

/// What a regular expression finds: an array of the whole match and its groups, or `()`.
///
/// A group that takes no part is `""`.
///
/// ```rhai
/// let found = message.capture("ref-(\\d+)");
/// if found != () { chat.state.reference = found[1]; }
/// ```
fn capture(message: &mut MessageView, pattern: &str) -> Fallible<Dynamic> {
    let regex = message.0.run.regexes.get(pattern)?;
    let found = regex.captures(message.body().text());
    Ok(found.map_or(Dynamic::UNIT, |groups| {
        let groups = groups
            .iter()
            .map(|group| group.map_or("", |group| group.as_str()).into());
        Dynamic::from_array(groups.collect::<Array>())
    }))
}

/// Reacts to the message with an emoji; `""` takes the reaction back. Sent after the run.
///
/// ```rhai
/// message.react("👍");
/// ```
fn react(message: &mut MessageView, emoji: &str) -> Fallible<()> {
    if emoji.chars().count() > 16 {
        return fail("a reaction is one emoji; write message.react(\"👍\")");
    }
    message.0.run.want(Effect::React {
        message_id: message.0.message.provider_id.clone(),
        emoji: emoji.to_owned(),
    })
}

/// The stable id of the tapped button or the picked row, or `()`.
fn choice(message: &mut MessageView) -> Dynamic {
    match message.body() {
        Body::Button(choice) | Body::List(choice) => choice.id.as_str().into(),
        _ => Dynamic::UNIT,
    }
}

/// The file: a map of `kind`, `mime`, `name` and `id`; `()` for other messages.
fn media(message: &mut MessageView) -> Dynamic {
    match message.body() {
        Body::Media(Media {
            media,
            reference,
            mime,
            name,
            ..
        }) => Dynamic::from_map(Map::from_iter([
            ("kind".into(), media.name().into()),
            ("mime".into(), mime.as_str().into()),
            ("name".into(), name.as_deref().unwrap_or("").into()),
            ("id".into(), reference.as_str().into()),
        ])),
        _ => Dynamic::UNIT,
    }
}

/// The place: a map of `latitude`, `longitude`, `name` and `address`; `()` for other messages.
fn location(message: &mut MessageView) -> Dynamic {
    match message.body() {
        Body::Location(Place {
            latitude,
            longitude,
            name,
            address,
        }) => Dynamic::from_map(Map::from_iter([
            ("latitude".into(), (*latitude).into()),
            ("longitude".into(), (*longitude).into()),
            ("name".into(), name.as_deref().unwrap_or("").into()),
            ("address".into(), address.as_deref().unwrap_or("").into()),
        ])),
        _ => Dynamic::UNIT,
    }
}

/// The business cards: an array of maps of `name`, `phones`, `emails` and `company`; `[]` for other messages.
fn contacts(message: &mut MessageView) -> Array {
    let texts = |texts: &[String]| {
        Dynamic::from_array(texts.iter().map(|text| text.as_str().into()).collect())
    };
    let card = |card: &ContactCard| {
        Dynamic::from_map(Map::from_iter([
            ("name".into(), card.name.as_str().into()),
            ("phones".into(), texts(&card.phones)),
            ("emails".into(), texts(&card.emails)),
            (
                "company".into(),
                card.company.as_deref().unwrap_or("").into(),
            ),
        ]))
    };
    match message.body() {
        Body::Contacts { contacts } => contacts.iter().map(card).collect(),
        _ => Array::new(),
    }
}

/// The answers of a form as a map, or `()`.
fn form(message: &mut MessageView) -> Dynamic {
    match message.body() {
        Body::Form { answers } => {
            Dynamic::from_map(convert::map_from_json(answers, message.0.run.zone))
        }
        _ => Dynamic::UNIT,
    }
}

/// The shopping basket: a map of `catalog_id`, `text` and `items`, each of `product_id`, `quantity`,
/// `price` and `currency`; `()` for other messages.
fn order(message: &mut MessageView) -> Dynamic {
    let Body::Order(Order {
        catalog_id,
        text,
        items,
    }) = message.body()
    else {
        return Dynamic::UNIT;
    };
    let items = items.iter().map(|item| {
        Dynamic::from_map(Map::from_iter([
            ("product_id".into(), item.product_id.as_str().into()),
            ("quantity".into(), item.quantity.into()),
            ("price".into(), item.price.into()),
            ("currency".into(), item.currency.as_str().into()),
        ]))
    });
    Dynamic::from_map(Map::from_iter([
        ("catalog_id".into(), catalog_id.as_str().into()),
        ("text".into(), text.as_str().into()),
        ("items".into(), Dynamic::from_array(items.collect())),
    ]))
}

/// The id of the message that this one quotes, or `()`.
fn reply_to(message: &mut MessageView) -> Dynamic {
    let quoted = message.0.message.reply_to.as_ref();
    quoted.map_or(Dynamic::UNIT, |quoted| quoted.message_id.as_str().into())
}

/// The advertisement that the customer came from: a map of `url`, `id`, `type`, `headline`, `body`
/// and `click_id`; or `()`.
fn referral(message: &mut MessageView) -> Dynamic {
    let Some(Referral {
        source_url,
        source_id,
        source_type,
        headline,
        body,
        click_id,
    }) = &message.0.message.referral
    else {
        return Dynamic::UNIT;
    };
    Dynamic::from_map(Map::from_iter([
        ("url".into(), source_url.as_str().into()),
        ("id".into(), source_id.as_str().into()),
        ("type".into(), source_type.as_str().into()),
        ("headline".into(), headline.as_str().into()),
        ("body".into(), body.as_str().into()),
        ("click_id".into(), click_id.as_deref().unwrap_or("").into()),
    ]))
}
