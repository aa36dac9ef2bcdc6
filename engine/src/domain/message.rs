//! What a message that came in says, whatever the provider: the normal form of an inbound
//! message, of an echo and of a line of imported history.

use serde::{Deserialize, Serialize};

use super::content::{ContactCard, MediaKind, Place};

/// A message as received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The provider's id (`wamid…`, `SM…`); unique per channel.
    pub provider_id: String,
    /// What it says.
    pub body: Body,
    /// The message it answers, if it quotes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// Whether the sender forwarded it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forwarded: bool,
    /// The advertisement that the customer came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral>,
}

/// What a received message says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// Plain text.
    Text {
        /// The text as typed.
        text: String,
    },
    /// A picture, sound, film, file or sticker.
    Media(Media),
    /// A place on the map.
    Location(Place),
    /// Business cards.
    Contacts {
        /// The cards, at least one.
        contacts: Vec<ContactCard>,
    },
    /// A tap on a reply button, of a message or of a template.
    Button(Choice),
    /// A row picked from a list.
    List(Choice),
    /// A completed form (a WhatsApp Flow).
    Form {
        /// The answers by field name.
        answers: serde_json::Map<String, serde_json::Value>,
    },
    /// A shopping basket.
    Order(Order),
    /// A reaction to an earlier message.
    Reaction {
        /// The provider's id of the message reacted to.
        message_id: String,
        /// The emoji; "" takes the reaction back.
        emoji: String,
    },
    /// The sender changed an earlier message.
    Edit {
        /// The provider's id of the earlier message.
        message_id: String,
        /// What it says now.
        body: Box<Self>,
    },
    /// The sender deleted an earlier message for everyone.
    Revoke {
        /// The provider's id of the earlier message.
        message_id: String,
    },
    /// The customer changed number or identity.
    System(SystemChange),
    /// Something that WhatsApp does not pass on (a poll, a view-once picture …).
    Unsupported {
        /// The provider's word for it, or "".
        what: String,
    },
}

impl Body {
    /// The stable name of the kind, as stored and printed.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Media(media) => media.media.name(),
            Self::Location(_) => "location",
            Self::Contacts { .. } => "contacts",
            Self::Button(_) => "button",
            Self::List(_) => "list",
            Self::Form { .. } => "form",
            Self::Order(_) => "order",
            Self::Reaction { .. } => "reaction",
            Self::Edit { .. } => "edit",
            Self::Revoke { .. } => "revoke",
            Self::System(_) => "system",
            Self::Unsupported { .. } => "unsupported",
        }
    }

    /// What a person would read: the text, the caption, the title of the choice, else "".
    pub fn text(&self) -> &str {
        match self {
            Self::Text { text } => text,
            Self::Media(media) => media.caption.as_deref().unwrap_or(""),
            Self::Button(choice) | Self::List(choice) => &choice.title,
            Self::Location(place) => place.name.as_deref().unwrap_or(""),
            Self::Order(order) => &order.text,
            Self::Reaction { emoji, .. } => emoji,
            Self::Edit { body, .. } => body.text(),
            Self::System(change) => &change.text,
            Self::Contacts { .. }
            | Self::Form { .. }
            | Self::Revoke { .. }
            | Self::Unsupported { .. } => "",
        }
    }

    /// Whether the customer's sending it opens the service window (decisions: text, media,
    /// location, contacts, button, list, form and order do; the rest is not evidence enough).
    pub const fn opens_window(&self) -> bool {
        match self {
            Self::Text { .. }
            | Self::Media(_)
            | Self::Location(_)
            | Self::Contacts { .. }
            | Self::Button(_)
            | Self::List(_)
            | Self::Form { .. }
            | Self::Order(_) => true,
            Self::Reaction { .. }
            | Self::Edit { .. }
            | Self::Revoke { .. }
            | Self::System(_)
            | Self::Unsupported { .. } => false,
        }
    }

    /// Whether it is a line of the conversation of its own, rather than a change to another.
    pub const fn is_line(&self) -> bool {
        !matches!(
            self,
            Self::Reaction { .. } | Self::Edit { .. } | Self::Revoke { .. }
        )
    }
}

/// A file as received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// What it is.
    pub media: MediaKind,
    /// The provider's id or address, by which the adapter fetches it.
    pub reference: String,
    /// Its media type (`image/jpeg`), or "".
    #[serde(default)]
    pub mime: String,
    /// The file name (documents).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The text below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// The provider's SHA-256 of the file, as lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How large it is, where the provider tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Where it lies, where the provider tells; behind the provider's own door, and often for minutes only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A tapped button or a picked row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The stable id that was sent along with the button or row.
    pub id: String,
    /// What the customer read.
    pub title: String,
    /// The second line of a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A shopping basket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The provider's id of the catalogue.
    pub catalog_id: String,
    /// What the customer wrote with it.
    #[serde(default)]
    pub text: String,
    /// What is in it.
    pub items: Vec<OrderItem>,
}

/// One line of a shopping basket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderItem {
    /// The seller's own id of the product.
    pub product_id: String,
    /// How many.
    pub quantity: f64,
    /// The price of one, in units of the currency.
    pub price: f64,
    /// ISO 4217 code.
    pub currency: String,
}

/// The message that another one answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// The provider's id of the quoted message; "" if the provider no longer knows it.
    pub message_id: String,
    /// The product asked about, if the quote is of a product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
}

/// The advertisement that brought the customer here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// Where it was shown.
    pub source_url: String,
    /// The provider's id of the advertisement or post.
    pub source_id: String,
    /// `ad` or `post`.
    pub source_type: String,
    /// Its headline.
    #[serde(default)]
    pub headline: String,
    /// Its text.
    #[serde(default)]
    pub body: String,
    /// The click's id, to report conversions with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub click_id: Option<String>,
}

/// A change of the customer's own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemChange {
    /// The provider's sentence.
    #[serde(default)]
    pub text: String,
    /// What changed.
    pub change: SystemChangeKind,
}

/// What changed about a customer's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SystemChangeKind {
    /// A new phone number, and with it a new business-scoped id.
    Number {
        /// The new number, if told.
        phone: Option<super::contact::Phone>,
        /// The new business-scoped id, if told.
        user_id: Option<String>,
    },
    /// A new business-scoped id under the same number.
    UserId {
        /// The new id.
        user_id: String,
    },
    /// The encryption identity changed (a new phone, a reinstalled app).
    Identity,
    /// Anything else, by the provider's word.
    Other {
        /// The provider's word.
        what: String,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}
