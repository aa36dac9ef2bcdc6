//! What customers send besides text. Knows no world: the files are nowhere.

use rejoinder_engine::domain::content::{ContactCard, MediaKind, MediaLink, Place};
use rejoinder_engine::domain::message::Body;
use rejoinder_engine::simulate::media;

/// What customers send besides text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    Image,
    Video,
    Document,
    Voice,
    Audio,
    Sticker,
    Location,
    Contact,
}

impl Thing {
    /// All of them, by what they are called.
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("image", Self::Image),
        ("video", Self::Video),
        ("document", Self::Document),
        ("voice", Self::Voice),
        ("audio", Self::Audio),
        ("sticker", Self::Sticker),
        ("location", Self::Location),
        ("contact", Self::Contact),
    ];

    /// It as a message, with a text where one can stand.
    pub(super) fn with(self, text: String) -> Body {
        let (kind, file) = match self {
            Self::Image => (MediaKind::Image, "image.jpg"),
            Self::Video => (MediaKind::Video, "video.mp4"),
            Self::Document => (MediaKind::Document, "document.pdf"),
            Self::Voice => (MediaKind::Voice, "voice.ogg"),
            Self::Audio => (MediaKind::Audio, "audio.mp3"),
            Self::Sticker => (MediaKind::Sticker, "sticker.webp"),
            Self::Location => {
                return Body::Location(Place {
                    latitude: 52.52,
                    longitude: 13.405,
                    name: Some(text).filter(|name| !name.is_empty()),
                    address: None,
                });
            }
            Self::Contact => {
                let name = if text.is_empty() { "Ben" } else { &text };
                return Body::Contacts {
                    contacts: vec![ContactCard {
                        name: name.to_owned(),
                        phones: vec!["+49 30 901820".to_owned()],
                        ..ContactCard::default()
                    }],
                };
            }
        };
        Body::Media(media(MediaLink {
            media: kind,
            url: format!("https://phone.example/{file}"),
            name: (self == Self::Document).then(|| file.to_owned()),
            caption: Some(text).filter(|text| !text.is_empty()),
        }))
    }
}
