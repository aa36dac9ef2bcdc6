//! One WhatsApp number of a location at one provider.

use serde::{Deserialize, Serialize};

use super::contact::Phone;
use super::ids::{ChannelId, LocationId};

/// A channel, without its credentials.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// The tenant.
    pub location_id: LocationId,
    /// This channel.
    pub id: ChannelId,
    /// The adapter's kind: `meta`, `twilio`, or a host's own.
    pub provider: String,
    /// The account at the provider that the credentials belong to (Meta: business account; Twilio: account SID).
    pub account: String,
    /// The provider's own key of the number (Meta: phone number id; Twilio: digits of the number).
    pub key: String,
    /// The number that customers see.
    pub phone: Phone,
    /// What people call it.
    pub name: String,
    /// How it behaves.
    pub settings: ChannelSettings,
    /// Whether it takes part; a disabled channel stores what comes in and sends nothing.
    pub enabled: bool,
}

/// What stands before the account and the key of a channel that was disconnected: no webhook names these.
const DISCONNECTED: &str = "disconnected:";

impl Channel {
    /// Whether it was disconnected: then it never takes part again, and its number may be another channel's.
    pub fn is_disconnected(&self) -> bool {
        self.key.starts_with(DISCONNECTED)
    }

    /// Gives the number up.
    pub(crate) fn disconnect(&mut self) {
        self.enabled = false;
        self.account = format!("{DISCONNECTED}{}", self.account);
        // One number may be connected and disconnected many times.
        self.key = format!("{DISCONNECTED}{}", self.id);
    }
}

/// How a channel behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelSettings {
    /// Twilio only: a message whose sender is the business's own number is an echo from the phone app.
    /// Off by default: there is no evidence that Twilio sends such echoes.
    pub echo_by_sender: bool,
    /// Meta only: the number is in use in the WhatsApp Business app on a phone as well.
    pub coexistence: bool,
    /// Twilio only: the Messaging Service (`MG…`) that messages leave by, which picks the sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messaging_service: Option<String>,
    /// Messages per second that leave at most over this number (Meta: 80, or 20 in coexistence; Twilio: 80).
    pub messages_per_second: u32,
}

impl Default for ChannelSettings {
    fn default() -> Self {
        Self {
            echo_by_sender: false,
            coexistence: false,
            messaging_service: None,
            messages_per_second: 80,
        }
    }
}
