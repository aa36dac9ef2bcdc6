//! What tests can say besides what rules can: reactions, voice messages, orders, and what WhatsApp does
//! not pass on. Turns what a customer sends into the message that a rule sees.

use rhai::{Dynamic, Map};

use crate::domain::content::{Content, MediaKind, MediaLink};
use crate::domain::message::{Body, Media, Order, OrderItem};
use crate::script::api::registrar::{Api, api};
use crate::script::api::{Fallible, fail, text};
use crate::script::convert;

/// Something that only customers send.
#[derive(Clone)]
pub(super) struct FromCustomer(pub(super) Body);

/// A reaction that a customer is expected to receive.
#[derive(Clone)]
pub(super) struct Reaction(pub(super) String);

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "What only tests say",
        "Besides these, everything that a rule can send can also be sent by a customer, and be expected.",
    );
    api.value::<FromCustomer>("from_customer", "what a customer sends");
    api.value::<Reaction>("reaction", "a reaction");
    api! { api;
        /// The reaction that a customer is expected to receive; `""` for one that is taken back.
        ///
        /// ```rhai
        /// customer.receives(reaction("👍"));
        /// ```
        fn "reaction(emoji: text) -> reaction" => |emoji: &str| Reaction(emoji.to_owned());

        /// A voice message of a customer.
        ///
        /// ```rhai
        /// customer.sends(voice());
        /// ```
        fn "voice() -> from_customer" => voice;

        /// An order from the catalog: maps of `product_id`, `quantity`, `price` and `currency`.
        ///
        /// ```rhai
        /// customer.sends(order([#{ product_id: "soap", quantity: 2, price: 4.5, currency: "EUR" }]));
        /// ```
        fn "order(items: array) -> from_customer" => order;

        /// Something that WhatsApp does not pass on, a poll for example.
        ///
        /// ```rhai
        /// customer.sends(unsupported("poll"));
        /// ```
        fn "unsupported(what: text) -> from_customer" => |what: &str| {
            FromCustomer(Body::Unsupported { what: what.to_owned() })
        };
    }
}

fn voice() -> FromCustomer {
    FromCustomer(Body::Media(media(MediaLink {
        media: MediaKind::Voice,
        url: "voice".to_owned(),
        name: None,
        caption: None,
    })))
}

fn order(items: rhai::Array) -> Fallible<FromCustomer> {
    let items = items.iter().map(order_item).collect::<Fallible<Vec<_>>>()?;
    Ok(FromCustomer(Body::Order(Order {
        catalog_id: "catalog".to_owned(),
        text: String::new(),
        items,
    })))
}

fn order_item(value: &Dynamic) -> Fallible<OrderItem> {
    const USAGE: &str =
        "an item is #{ product_id: \"soap\", quantity: 2, price: 4.5, currency: \"EUR\" }";
    let Ok(map) = value.as_map_ref() else {
        return fail(USAGE);
    };
    let number = |name: &str| number(&map, name).map_or_else(|| fail(USAGE), Ok);
    let word = |name: &str| match map.get(name) {
        Some(value) => text(value, name),
        None => fail(USAGE),
    };
    Ok(OrderItem {
        product_id: word("product_id")?,
        quantity: number("quantity")?,
        price: number("price")?,
        currency: word("currency")?,
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "prices and quantities are small"
)]
fn number(map: &Map, name: &str) -> Option<f64> {
    let value = map.get(name)?;
    let whole = value.as_int().map(|whole| whole as f64);
    value.as_float().or(whole).ok()
}

/// What a customer sends, as the rule will see it.
pub(super) fn body(value: Dynamic) -> Fallible<Body> {
    if value.is_string() {
        return Ok(Body::Text {
            text: text(&value, "what the customer says")?,
        });
    }
    if let Some(only) = value.read_lock::<FromCustomer>() {
        return Ok(only.0.clone());
    }
    match value.try_cast_result::<Content>() {
        Ok(Content::Text { text }) => Ok(Body::Text { text }),
        Ok(Content::Media(link)) => Ok(Body::Media(media(link))),
        Ok(Content::Location(place)) => Ok(Body::Location(place)),
        Ok(Content::Contacts { contacts }) => Ok(Body::Contacts { contacts }),
        Ok(other) => fail(format!(
            "customers do not send {}; write taps(…), picks(…) or fills(…) for an answer to it",
            other.kind()
        )),
        Err(value) => fail(format!(
            "customers send text, image(\"https://…\"), location(52.52, 13.4) and the like, not {}",
            convert::describe(&value)
        )),
    }
}

/// A file as the customer sends it.
pub fn media(link: MediaLink) -> Media {
    let mime = match link.media {
        MediaKind::Image => "image/jpeg",
        MediaKind::Video => "video/mp4",
        MediaKind::Audio => "audio/mpeg",
        MediaKind::Voice => "audio/ogg",
        MediaKind::Document => "application/pdf",
        MediaKind::Sticker => "image/webp",
    };
    let is_address = link.url.contains("://");
    Media {
        media: link.media,
        url: is_address.then(|| link.url.clone()),
        reference: link.url,
        mime: mime.to_owned(),
        name: link.name,
        caption: link.caption,
        sha256: None,
        size_bytes: None,
    }
}
