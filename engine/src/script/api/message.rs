//! A message that came in: what it says, and whether it says what a rule is looking for.

use std::sync::{Arc, OnceLock};

use rhai::{Array, Dynamic, Map};

use super::text::Words;
use super::time::Time;
use super::{Api, Fallible, api, fail};
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

impl MessageView {
    pub(in crate::script) fn new(run: &Arc<Run>, message: &Message, at: Timestamp) -> Self {
        Self(Arc::new(Inner {
            run: Arc::clone(run),
            message: message.clone(),
            at,
            words: OnceLock::new(),
        }))
    }

    /// An earlier message as it says now.
    pub(in crate::script) fn edited(
        run: &Arc<Run>,
        message_id: &str,
        body: &Body,
        at: Timestamp,
    ) -> Self {
        let message = Message {
            provider_id: message_id.to_owned(),
            body: body.clone(),
            reply_to: None,
            forwarded: false,
            referral: None,
        };
        Self::new(run, &message, at)
    }

    fn body(&self) -> &Body {
        &self.0.message.body
    }
}

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "The message",
        "What the customer sent, in `on_message`; what a person of the business sent, in `on_echo`. `()` means \"nothing there\"; `message.choice ?? \"\"` gives something else instead.",
    );
    api.noun::<MessageView>("message", "message");
    api! { api;
        /// The text, the caption, or the title of what was tapped; else `""`.
        ///
        /// ```rhai
        /// if message.text.len() > 500 { chat.reply("Could you say that in a sentence?"); }
        /// ```
        get "message.text: text" => |message: &mut MessageView| message.body().text().to_owned();

        /// Whether the text has a word or phrase, or one of several: whole words, case and accents ignored.
        ///
        /// ```rhai
        /// if message.mentions(["price", "how much"]) { chat.reply("Prices start at €120,000."); }
        /// ```
        fn "message.mentions(words: text|array) -> bool" => mentions;

        /// Whether the text is a word or phrase, or one of several, and nothing else: case, accents and
        /// punctuation ignored.
        ///
        /// For words that must not be taken out of a sentence: "stop" means something else in "stop by tomorrow".
        ///
        /// ```rhai
        /// if message.says(["stop", "unsubscribe"]) { chat.contact.opt_out(); }
        /// ```
        fn "message.says(words: text|array) -> bool" => says;

        /// Whether a regular expression matches somewhere in the text.
        ///
        /// In `"…"` write `\\d`, in `` `…` `` write `\d`. A pattern may have 1,000 bytes.
        ///
        /// ```rhai
        /// if message.matches("(?i)ref-\\d+") { log("has a reference"); }
        /// ```
        fn "message.matches(pattern: pattern) -> bool" => matches;

        /// What a regular expression finds: an array of the whole match and its groups, or `()`.
        ///
        /// A group that takes no part is `""`.
        ///
        /// ```rhai
        /// let found = message.capture("ref-(\\d+)");
        /// if found != () { chat.state.reference = found[1]; }
        /// ```
        fn "message.capture(pattern: pattern) -> array?" => capture;

        /// Reacts to the message with an emoji; `""` takes the reaction back. Sent after the run.
        ///
        /// ```rhai
        /// message.react("👍");
        /// ```
        fn "message.react(emoji: text)" => react;
    }
    register_parts(api);
}

fn register_parts(api: &mut Api<'_>) {
    api! { api;
        /// What it is: `"text"`, `"image"`, `"video"`, `"audio"`, `"voice"`, `"document"`, `"sticker"`,
        /// `"location"`, `"contacts"`, `"button"`, `"list"`, `"form"`, `"order"` or `"unsupported"`.
        ///
        /// ```rhai
        /// if message.kind == "voice" { chat.reply("We cannot listen here; please write."); }
        /// ```
        get "message.kind: text" => |message: &mut MessageView| message.body().kind();

        /// The id of the tapped button or the picked row, else `()`.
        ///
        /// It is the id that the rule gave, so it stays the same when the wording changes; without one,
        /// the title.
        ///
        /// ```rhai
        /// if message.choice == "yes" { chat.reply("Wonderful."); }
        /// ```
        get "message.choice: text?" => choice;

        /// The file: a map of `kind`, `mime`, `name`, `size`, `url` and `id`; `()` for other messages.
        ///
        /// `size` (in bytes) and `url` are what the provider tells with the message, else `()`: Meta
        /// tells no size and sometimes an address, Twilio an address and no size. The address opens
        /// with the channel's own credentials only, Meta's for a few minutes; scripts cannot fetch files.
        ///
        /// ```rhai
        /// if message.media?.mime == "application/pdf" { chat.reply("Thank you for the document."); }
        /// ```
        get "message.media: map?" => media;

        /// The place: a map of `latitude`, `longitude`, `name` and `address`; `()` for other messages.
        ///
        /// ```rhai
        /// if message.location != () { chat.state.place = message.location; }
        /// ```
        get "message.location: map?" => location;

        /// The business cards: an array of maps of `name`, `phones`, `emails` and `company`; `[]` for other messages.
        ///
        /// ```rhai
        /// for card in message.contacts { log(card.name, card.phones); }
        /// ```
        get "message.contacts: array" => contacts;

        /// The answers of a form as a map, or `()`.
        ///
        /// ```rhai
        /// if message.form != () { chat.state.wishes = message.form; }
        /// ```
        get "message.form: map?" => form;

        /// The shopping basket, or `()`: a map of `catalog_id`, `text` and `items`, each of `product_id`,
        /// `quantity`, `price` and `currency`.
        ///
        /// ```rhai
        /// for item in message.order?.items ?? [] { log(item.product_id, item.quantity); }
        /// ```
        get "message.order: map?" => order;

        /// The id of the message that this one quotes, or `()`.
        ///
        /// ```rhai
        /// if message.reply_to != () { log("an answer to", message.reply_to); }
        /// ```
        get "message.reply_to: text?" => reply_to;

        /// Whether the customer forwarded it.
        ///
        /// ```rhai
        /// if message.forwarded { return; }
        /// ```
        get "message.forwarded: bool" => |message: &mut MessageView| message.0.message.forwarded;

        /// The advertisement that the customer came from, or `()`: a map of `url`, `id`, `type`,
        /// `headline`, `body` and `click_id`.
        ///
        /// ```rhai
        /// if message.referral != () { chat.contact.attributes.campaign = message.referral.headline; }
        /// ```
        get "message.referral: map?" => referral;

        /// The provider's id of the message.
        ///
        /// ```rhai
        /// log(message.id);
        /// ```
        get "message.id: text" => |message: &mut MessageView| message.0.message.provider_id.clone();

        /// When it was sent, by the provider's clock.
        ///
        /// ```rhai
        /// if now() - message.at > "1h" { chat.reply("Sorry for the wait."); }
        /// ```
        get "message.at: time" => |message: &mut MessageView| Time {
            at: message.0.at,
            zone: message.0.run.zone,
        };
    }
}

fn mentions(message: &mut MessageView, what: Dynamic) -> Fallible<bool> {
    look_for(message, "mentions", &what, Words::contain)
}

fn says(message: &mut MessageView, what: Dynamic) -> Fallible<bool> {
    look_for(message, "says", &what, Words::are)
}

/// Whether the words of a message are found, by `fits`, to be those of one of some phrases.
fn look_for(
    message: &MessageView,
    called: &str,
    what: &Dynamic,
    fits: fn(&Words, &str) -> bool,
) -> Fallible<bool> {
    let words = message
        .0
        .words
        .get_or_init(|| Words::of(message.body().text()));
    if let Ok(phrase) = what.as_immutable_string_ref() {
        return Ok(fits(words, &phrase));
    }
    let Ok(phrases) = what.as_array_ref() else {
        return fail(format!(
            "{called} needs text or an array of texts, not {}",
            convert::describe(what)
        ));
    };
    for phrase in phrases.iter() {
        match phrase.as_immutable_string_ref() {
            Ok(phrase) if fits(words, &phrase) => return Ok(true),
            Ok(_) => {}
            Err(_) => {
                return fail(format!(
                    "{called} needs an array of texts, but {} is in it",
                    convert::describe(phrase)
                ));
            }
        }
    }
    Ok(false)
}

fn matches(message: &mut MessageView, pattern: &str) -> Fallible<bool> {
    let regex = message.0.run.regexes.get(pattern)?;
    Ok(regex.is_match(message.body().text()))
}

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

fn react(message: &mut MessageView, emoji: &str) -> Fallible<()> {
    read_emoji(emoji).or_else(fail)?;
    message.0.run.want(Effect::React {
        message_id: message.0.message.provider_id.clone(),
        emoji: emoji.to_owned(),
    })
}

/// Refuses what is no emoji, as far as its letters tell; nothing at all takes a reaction back.
pub(in crate::script) fn read_emoji(emoji: &str) -> Result<(), String> {
    // Families and flags are written with many letters of their own.
    const LONGEST: usize = 16;
    // ℹ️ and Ⓜ️ are emoji; 1️⃣ begins with a digit.
    let is_letter = |letter: char| letter.is_alphabetic() && !matches!(letter, 'ℹ' | 'Ⓜ');
    let is_plain = !emoji.is_empty() && emoji.is_ascii();
    let has_words = emoji.contains(|letter: char| is_letter(letter) || letter.is_whitespace());
    if is_plain || has_words || emoji.chars().count() > LONGEST {
        return Err("a reaction is one emoji; write message.react(\"👍\")".into());
    }
    Ok(())
}

fn choice(message: &mut MessageView) -> Dynamic {
    match message.body() {
        Body::Button(choice) | Body::List(choice) => choice.id.as_str().into(),
        _ => Dynamic::UNIT,
    }
}

fn media(message: &mut MessageView) -> Dynamic {
    match message.body() {
        Body::Media(Media {
            media,
            reference,
            mime,
            name,
            size_bytes,
            url,
            ..
        }) => Dynamic::from_map(Map::from_iter([
            ("kind".into(), media.name().into()),
            ("mime".into(), mime.as_str().into()),
            ("name".into(), name.as_deref().unwrap_or("").into()),
            (
                "size".into(),
                size_bytes.map_or(Dynamic::UNIT, |size| {
                    i64::try_from(size).unwrap_or(i64::MAX).into()
                }),
            ),
            (
                "url".into(),
                url.as_deref().map_or(Dynamic::UNIT, Into::into),
            ),
            ("id".into(), reference.as_str().into()),
        ])),
        _ => Dynamic::UNIT,
    }
}

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

fn form(message: &mut MessageView) -> Dynamic {
    match message.body() {
        Body::Form { answers } => {
            Dynamic::from_map(convert::map_from_json(answers, message.0.run.zone))
        }
        _ => Dynamic::UNIT,
    }
}

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

fn reply_to(message: &mut MessageView) -> Dynamic {
    let quoted = message.0.message.reply_to.as_ref();
    quoted.map_or(Dynamic::UNIT, |quoted| quoted.message_id.as_str().into())
}

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
