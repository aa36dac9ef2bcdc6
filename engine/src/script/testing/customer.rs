//! Customers: what they do, and what happens to them. What they receive is looked at elsewhere.

use std::sync::Arc;

use rhai::{Dynamic, Map, NativeCallContext};

use super::play::{Play, play_of};
use super::received::Received;
use super::stage::{CustomerKey, Happening, Heard, Person, Said};
use super::{answers, content};
use crate::domain::contact::Phone;
use crate::domain::content::Content;
use crate::domain::message::{Referral, ReplyTo};
use crate::script::api::content::{known_keys, optional};
use crate::script::api::registrar::{Api, api};
use crate::script::api::{Fallible, fail};
use crate::script::convert;

/// A customer of a test's world.
#[derive(Clone)]
pub(super) struct Customer {
    pub(super) key: CustomerKey,
    pub(super) name: String,
    pub(super) play: Arc<Play>,
}

impl Customer {
    pub(super) fn whose(&self) -> (CustomerKey, &str) {
        (self.key, &self.name)
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.play.stage.heard(self.key)
    }

    pub(super) fn send(&self, said: &Said) -> Fallible<()> {
        let id = self.play.told(self.play.stage.send(self.key, said))?;
        if said.body.is_line() {
            self.play.said(self.key, id);
        }
        Ok(())
    }

    pub(super) fn happen(&self, event: &Happening) -> Fallible<()> {
        self.play.told(self.play.stage.happen(self.key, event))
    }
}

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Customers",
        "A customer does something, and everything that follows from it at that moment has happened when the line is over.",
    );
    api.noun::<Customer>("customer", "a customer");
    api! { api;
        /// A customer of that name, who has not written yet.
        ///
        /// With a map of `phone`, `language`, `tags` and `attributes` it is one who is known already.
        ///
        /// ```rhai
        /// let customer = customer("Ada");
        /// let lead = customer("Ben", #{ language: "de", tags: ["lead"], attributes: #{ budget: 200000 } });
        /// ```
        fn "customer(name: text, known?: map) -> customer" =>
            |context: NativeCallContext<'_>, name: &str| customer(&context, name, &Map::new()),
            |context: NativeCallContext<'_>, name: &str, known: Map| customer(&context, name, &known);

        /// The customer writes.
        ///
        /// A map adds `forwarded: true`, `reply_to: message` or `referral: #{ headline, body, url, id }`, an advertisement.
        ///
        /// ```rhai
        /// customer.says("What is the PRICE?");
        /// customer.says("Hello", #{ referral: #{ headline: "Sea view" } });
        /// ```
        fn "customer.says(text: text, more?: map)" =>
            |customer: &mut Customer, text: &str| says(customer, text.into(), &Map::new()),
            |customer: &mut Customer, text: &str, more: Map| says(customer, text.into(), &more);

        /// The customer sends a file, a place, a business card, a voice message …
        ///
        /// ```rhai
        /// customer.sends(image("https://example.com/kitchen.jpg", "like this?"));
        /// customer.sends(location(52.52, 13.405));
        /// ```
        fn "customer.sends(content: any, more?: map)" =>
            |customer: &mut Customer, what: Dynamic| says(customer, what, &Map::new()),
            |customer: &mut Customer, what: Dynamic, more: Map| says(customer, what, &more);

        /// The customer taps a button of the latest message that has it, by its title or id.
        ///
        /// ```rhai
        /// customer.taps("Yes");
        /// ```
        fn "customer.taps(button: text)" => answers::taps;

        /// The customer picks a row of the latest list that has it, by its title or id.
        ///
        /// ```rhai
        /// customer.picks("Monday");
        /// ```
        fn "customer.picks(row: text)" => answers::picks;

        /// The customer completes the form that was received.
        ///
        /// ```rhai
        /// customer.fills(#{ email: "ada@example.com" });
        /// ```
        fn "customer.fills(answers: map)" => answers::fills;

        /// The customer reacts to the latest message received.
        ///
        /// ```rhai
        /// customer.reacts("👍");
        /// ```
        fn "customer.reacts(emoji: text)" => answers::reacts;

        /// The customer changes their own latest message.
        ///
        /// ```rhai
        /// customer.edits("What is the price of the flat?");
        /// ```
        fn "customer.edits(text: text)" => edits;

        /// The customer deletes their own latest message for everyone.
        ///
        /// ```rhai
        /// customer.revokes();
        /// ```
        fn "customer.revokes()" => revokes;

        /// The customer opens what has arrived.
        ///
        /// ```rhai
        /// customer.reads();
        /// ```
        fn "customer.reads()" => |customer: &mut Customer| customer.happen(&Happening::Reads);

        /// The customer switches messages of this business off, in WhatsApp itself: templates are refused.
        ///
        /// ```rhai
        /// customer.opts_out();
        /// ```
        fn "customer.opts_out()" => |customer: &mut Customer| customer.happen(&Happening::OptsOut);

        /// The customer switches them on again.
        ///
        /// ```rhai
        /// customer.opts_in();
        /// ```
        fn "customer.opts_in()" => |customer: &mut Customer| customer.happen(&Happening::OptsIn);

        /// The owner answers from the phone app.
        ///
        /// ```rhai
        /// customer.hears_from_owner("I'll call you.");
        /// ```
        fn "customer.hears_from_owner(text: text)" => |customer: &mut Customer, text: &str| {
            customer.happen(&Happening::Owner(text.to_owned()))
        };

        /// A person answers from the inbox. It stands among what the customer receives.
        ///
        /// ```rhai
        /// customer.hears_from_agent("One moment, please.");
        /// ```
        fn "customer.hears_from_agent(text: text)" => |customer: &mut Customer, text: &str| {
            let content = Content::Text { text: text.to_owned() };
            customer.happen(&Happening::Agent(content))
        };

        /// The latest message turns out not to have arrived: by a kind of failure, or a code of the provider.
        ///
        /// ```rhai
        /// customer.message_fails("unreachable");
        /// customer.message_fails(131026);
        /// ```
        fn "customer.message_fails(failure: text|integer)" => |customer: &mut Customer, failure: Dynamic| {
            let failure = super::world::failure(&failure)?;
            customer.happen(&Happening::Fails(failure))
        };
    }
}

fn customer(context: &NativeCallContext<'_>, name: &str, known: &Map) -> Fallible<Customer> {
    let play = play_of(context)?;
    known_keys(
        known,
        &["phone", "language", "tags", "attributes"],
        "a customer",
    )?;
    let phone = match optional(known, "phone")? {
        None => None,
        Some(text) => match Phone::parse(&text) {
            Some(phone) => Some(phone),
            None => {
                return fail(format!(
                    "'{text}' is no phone number; write \"+49 30 901820\""
                ));
            }
        },
    };
    let tags = match known.get("tags").map(Dynamic::as_array_ref) {
        None => Vec::new(),
        Some(Ok(tags)) => tags
            .iter()
            .map(|tag| crate::script::api::text(tag, "a tag"))
            .collect::<Fallible<_>>()?,
        Some(Err(_)) => return fail("the tags are an array such as [\"lead\"]"),
    };
    let attributes = match known.get("attributes").map(Dynamic::as_map_ref) {
        None => serde_json::Map::new(),
        Some(Ok(map)) => convert::map_to_json(&map).or_else(fail)?,
        Some(Err(_)) => return fail("the attributes are a map such as #{ budget: 200000 }"),
    };
    let person = Person {
        name: name.to_owned(),
        phone,
        language: optional(known, "language")?.unwrap_or_default(),
        tags,
        attributes,
    };
    let key = play.told(play.stage.customer(&person))?;
    Ok(Customer {
        key,
        name: name.to_owned(),
        play,
    })
}

fn says(customer: &mut Customer, what: Dynamic, more: &Map) -> Fallible<()> {
    known_keys(more, &["forwarded", "reply_to", "referral"], "a message")?;
    let mut said = Said::from(content::body(what)?);
    said.forwarded = more
        .get("forwarded")
        .is_some_and(|value| value.as_bool() == Ok(true));
    if let Some(value) = more.get("reply_to") {
        let Some(received) = value.read_lock::<Received>() else {
            return fail("reply_to is a message that customer.receives(…) gave");
        };
        said.reply_to = Some(ReplyTo {
            message_id: received.heard.provider_id.clone(),
            product_id: None,
        });
    }
    match more.get("referral").map(Dynamic::as_map_ref) {
        None => {}
        Some(Ok(map)) => {
            known_keys(
                &map,
                &["headline", "body", "url", "id", "type"],
                "a referral",
            )?;
            let word = |name: &str| optional(&map, name);
            said.referral = Some(Referral {
                source_url: word("url")?.unwrap_or_default(),
                source_id: word("id")?.unwrap_or_default(),
                source_type: word("type")?.unwrap_or_else(|| "ad".to_owned()),
                headline: word("headline")?.unwrap_or_default(),
                body: word("body")?.unwrap_or_default(),
                click_id: None,
            });
        }
        Some(Err(_)) => return fail("a referral is a map such as #{ headline: \"Sea view\" }"),
    }
    customer.send(&said)
}

fn last_said(customer: &Customer) -> Fallible<String> {
    match customer.play.last_said(customer.key) {
        Some(id) => Ok(id),
        None => fail(format!("{} has said nothing yet", customer.name)),
    }
}

fn edits(customer: &mut Customer, text: &str) -> Fallible<()> {
    customer.send(&Said::edit(last_said(customer)?, text))
}

fn revokes(customer: &mut Customer) -> Fallible<()> {
    customer.send(&Said::revoke(last_said(customer)?))
}
