//! What an outgoing message says, whatever the provider.
//! Knows nothing of a provider's limits: adapters check those before they send.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The content of an outgoing message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// Plain text; WhatsApp's marks (`*bold*`) are the provider's business.
    Text {
        /// The text, never empty.
        text: String,
    },
    /// A file that the provider fetches from a public address.
    Media(MediaLink),
    /// Text with up to a few buttons to tap.
    Buttons {
        /// The text above the buttons.
        text: String,
        /// The buttons, in order.
        buttons: Vec<Button>,
    },
    /// Text with a menu of rows behind one button.
    List {
        /// The text above the button.
        text: String,
        /// The caption of the button that opens the menu.
        button: String,
        /// The menu, in sections.
        sections: Vec<Section>,
    },
    /// A place on the map.
    Location(Place),
    /// Business cards.
    Contacts {
        /// The cards, at least one.
        contacts: Vec<ContactCard>,
    },
    /// A reaction to an earlier message; an empty emoji takes it back.
    Reaction {
        /// The provider's id of the message reacted to.
        message_id: String,
        /// One emoji, or "".
        emoji: String,
    },
    /// A form (a WhatsApp Flow) behind a button.
    Form {
        /// The text above the button.
        text: String,
        /// The caption of the button that opens the form.
        button: String,
        /// The provider's id of the flow.
        flow: String,
        /// Data for the first screen.
        #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
        data: serde_json::Value,
    },
    /// A template that the provider has approved; the only content allowed outside the service window.
    Template(TemplateContent),
}

impl Content {
    /// The stable name of the kind, as stored and printed.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Media(media) => media.media.name(),
            Self::Buttons { .. } => "buttons",
            Self::List { .. } => "list",
            Self::Location(_) => "location",
            Self::Contacts { .. } => "contacts",
            Self::Reaction { .. } => "reaction",
            Self::Form { .. } => "form",
            Self::Template(_) => "template",
        }
    }

    /// Whether it may leave outside the service window.
    pub const fn is_template(&self) -> bool {
        matches!(self, Self::Template(_))
    }

    /// What a person would read first: the text, the caption, or the template's name.
    pub fn text(&self) -> &str {
        match self {
            Self::Text { text }
            | Self::Buttons { text, .. }
            | Self::List { text, .. }
            | Self::Form { text, .. } => text,
            Self::Media(media) => media.caption.as_deref().unwrap_or(""),
            Self::Location(place) => place.name.as_deref().unwrap_or(""),
            Self::Contacts { contacts } => contacts.first().map_or("", |card| &card.name),
            Self::Reaction { emoji, .. } => emoji,
            Self::Template(template) => &template.name,
        }
    }

    /// A hash of the readable text, by which an echo or a listed message is recognised as this one.
    pub fn text_hash(&self) -> String {
        text_hash(self.text())
    }
}

/// The hash by which two texts are recognised as the same, white space at both ends aside.
pub fn text_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.trim().as_bytes())[..16])
}

/// The kinds of media that WhatsApp knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// JPEG or PNG.
    Image,
    /// MP4.
    Video,
    /// A sound file.
    Audio,
    /// A sound recorded in the app.
    Voice,
    /// Any other file.
    Document,
    /// WebP.
    Sticker,
}

impl MediaKind {
    /// The stable name, as stored and printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }
}

/// A file to send, by its public address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediaLink {
    /// What it is.
    pub media: MediaKind,
    /// A public https address from which the provider fetches it.
    pub url: String,
    /// The text below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// The file name that the customer sees (documents).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A button: what is shown, and the stable id that comes back when it is tapped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// Comes back as `message.choice`.
    pub id: String,
    /// What the customer reads.
    pub title: String,
}

/// A section of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// The heading; may be empty when there is one section only.
    #[serde(default)]
    pub title: String,
    /// The rows, in order.
    pub rows: Vec<Row>,
}

/// A row of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Comes back as `message.choice`.
    pub id: String,
    /// What the customer reads.
    pub title: String,
    /// A second, smaller line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A place on the map, sent or received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// What the place is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A business card, sent or received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactCard {
    /// The full name.
    pub name: String,
    /// Phone numbers as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<String>,
    /// E-mail addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    /// The company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
}

/// A template with its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateContent {
    /// The approved name.
    pub name: String,
    /// The language code (`en`, `pt_BR`); absent: the location's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The value of the header, if the template has a variable or media there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<TemplateHeader>,
    /// The values of the body's variables.
    #[serde(default, skip_serializing_if = "TemplateValues::is_empty")]
    pub body: TemplateValues,
    /// The values of the buttons that have one, by position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<TemplateButton>,
}

/// The values of a template's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TemplateValues {
    /// For `{{1}}`, `{{2}}` … in order.
    Positional(Vec<String>),
    /// For `{{first_name}}` …, as pairs of name and value in the order written.
    Named(Vec<(String, String)>),
}

impl TemplateValues {
    /// Whether there is no value at all.
    pub const fn is_empty(&self) -> bool {
        match self {
            Self::Positional(values) => values.is_empty(),
            Self::Named(values) => values.is_empty(),
        }
    }

    /// Every value with the name that a person would know it by.
    pub fn iter(&self) -> Box<dyn Iterator<Item = (String, &str)> + '_> {
        match self {
            Self::Positional(values) => Box::new(
                values
                    .iter()
                    .enumerate()
                    .map(|(i, value)| ((i + 1).to_string(), value.as_str())),
            ),
            Self::Named(values) => Box::new(
                values
                    .iter()
                    .map(|(name, value)| (name.clone(), value.as_str())),
            ),
        }
    }
}

impl Default for TemplateValues {
    fn default() -> Self {
        Self::Positional(Vec::new())
    }
}

/// The value of a template's header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TemplateHeader {
    /// For a text header with a variable.
    Text {
        /// Its value.
        value: String,
    },
    /// For a media header.
    Media {
        /// Image, video or document.
        media: MediaKind,
        /// A public https address.
        url: String,
        /// The file name (documents).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// The value of a template's button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TemplateButton {
    /// What comes back when a quick reply is tapped.
    QuickReply {
        /// Position among the template's buttons, from 0.
        index: u8,
        /// Comes back as `message.choice`.
        payload: String,
    },
    /// The variable end of a link.
    Url {
        /// Position among the template's buttons, from 0.
        index: u8,
        /// Appended to the approved address.
        suffix: String,
    },
    /// A code to copy.
    CopyCode {
        /// Position among the template's buttons, from 0.
        index: u8,
        /// The code.
        code: String,
    },
}
