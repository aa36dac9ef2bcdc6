//! What the adapter makes of the files in `tests/payloads/twilio`, and what it says over a wire.

mod files;
mod lists;
mod wire;

use rejoinder_engine::adapter::{Credentials, Outgoing};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::channel::Channel;
use rejoinder_engine::domain::contact::{Address, Phone};
use rejoinder_engine::domain::content::Content;
use rejoinder_engine::domain::ids::{ChannelId, DeliveryId, LocationId};

const ACCOUNT: &str = "AC0a1b2c3d4e5f60718293a4b5c6d7e8f9";
const CONTENT_SID: &str = "HX000000000000000000000000000000d1";
const CALLBACK_URL: &str = "https://api.example.com/webhooks/twilio/status?v=1";

/// A message about to leave, whose parts a test may change first.
struct Parcel {
    channel: Channel,
    credentials: Credentials,
    to: Address,
    content: Content,
    reference: Option<&'static str>,
}

impl Parcel {
    fn new(content: Content) -> Self {
        let phone = Phone::parse("4930901820").unwrap();
        Self {
            channel: Channel {
                location_id: LocationId::derive(&[b"location"]),
                id: ChannelId::derive(&[b"channel"]),
                provider: "twilio".to_owned(),
                account: ACCOUNT.to_owned(),
                key: phone.digits().to_owned(),
                phone,
                name: "Loja".to_owned(),
                settings: rejoinder_engine::domain::channel::ChannelSettings::default(),
                enabled: true,
            },
            credentials: credentials(&[("auth_token", "token")]),
            to: Address::parse("+5511987654321").unwrap(),
            content,
            reference: None,
        }
    }

    fn text() -> Self {
        Self::new(Content::Text {
            text: "oi".to_owned(),
        })
    }

    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            channel: &self.channel,
            credentials: &self.credentials,
            to: &self.to,
            content: &self.content,
            language: "pt_BR",
            reply_to: Some("SM1"),
            delivery_id: DeliveryId::derive(&[b"delivery"]),
            callback_url: Some(CALLBACK_URL),
            reference: self.reference,
        }
    }
}

fn credentials(fields: &[(&str, &str)]) -> Credentials {
    fields
        .iter()
        .map(|(field, secret)| (*field, Secret::new(*secret)))
        .collect()
}
