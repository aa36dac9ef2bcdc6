//! Identifiers as types of their own, so that one kind cannot be passed for another.
//! Knows their printed form (`dlv_018f…`), not where they are stored.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A printed identifier could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not an id of the form {prefix}_ and 32 hexadecimal digits")]
pub struct ParseIdError {
    text: String,
    prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What the printed form begins with, before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, ordered by time of creation (UUIDv7).
            pub fn generate() -> Self {
                Self(next())
            }

            /// The id that follows from `parts`: the same parts always give the same id.
            pub fn derive(parts: &[&[u8]]) -> Self {
                Self(derive(Self::PREFIX, parts))
            }

            /// The id as stored.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The id to store.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The sixteen bytes of the id, as a part for `derive`.
            pub const fn bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", Self::PREFIX, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse(text, Self::PREFIX).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A tenant.
    LocationId = "loc";
    /// One WhatsApp number of a location at one provider.
    ChannelId = "chn";
    /// A customer of a location.
    ContactId = "con";
    /// Channel × contact: the unit of order.
    ConversationId = "cnv";
    /// Something that happened, stored once.
    EventId = "evt";
    /// One message of a conversation, in either direction.
    MessageId = "msg";
    /// A named script of a location.
    RuleId = "rul";
    /// One rule looking at one event.
    RunId = "run";
    /// One outgoing message and its attempts.
    DeliveryId = "dlv";
    /// A pending handler call for one conversation.
    TimerId = "tmr";
    /// One call of an endpoint that a rule asked for.
    RequestId = "req";
    /// A function of a rule that is called for many chats.
    FanoutId = "fan";
    /// A remark beside a conversation.
    NoteId = "note";
    /// A number on its way to being connected.
    OnboardingId = "onb";
    /// What lets a page of a location's website connect one number.
    TicketId = "tkt";
    /// A webhook item that belongs to no channel we know.
    UnroutedId = "unr";
    /// A bearer token of the API.
    TokenId = "tok";
}

impl ChannelId {
    /// Stands for "no channel" in keys that must be unique without one (a location's own events).
    pub const NONE: Self = Self(Uuid::nil());
}

thread_local! {
    /// How many ids were made on this thread since they are counted.
    static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Lets the ids made on this thread follow from a counter for as long as it lives, so that a simulated
/// world repeats byte for byte. Only for a thread, and a database, that serve one world and nothing else.
pub(crate) struct CountedIds(PhantomData<*const ()>);

impl CountedIds {
    /// Begins to count, from nought.
    pub(crate) fn begin() -> Self {
        COUNTED.set(Some(0));
        Self(PhantomData)
    }
}

impl Drop for CountedIds {
    fn drop(&mut self) {
        COUNTED.set(None);
    }
}

fn next() -> Uuid {
    let Some(count) = COUNTED.get() else {
        return Uuid::now_v7();
    };
    COUNTED.set(Some(count + 1));
    uuid::Builder::from_unix_timestamp_millis(count, &[0; 10]).into_uuid()
}

fn parse(text: &str, prefix: &'static str) -> Result<Uuid, ParseIdError> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|digits| digits.len() == 32)
        .and_then(|digits| Uuid::try_parse(digits).ok())
        .ok_or_else(|| ParseIdError {
            text: text.chars().take(64).collect(),
            prefix,
        })
}

/// The first sixteen bytes of a hash over the parts, each preceded by its length so that
/// ("ab", "c") and ("a", "bc") differ, shaped as a custom UUID (version 8).
fn derive(prefix: &str, parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(prefix.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_id_reads_back_and_another_kind_is_refused() {
        let id = DeliveryId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().parse::<RunId>().is_err());
        assert!("dlv_zz".parse::<DeliveryId>().is_err());
    }

    #[test]
    fn counted_ids_repeat_in_order_and_end_with_their_guard() {
        let three = || {
            let _counted = CountedIds::begin();
            [(); 3].map(|()| EventId::generate())
        };
        let ids = three();
        assert_eq!(ids, three());
        assert!(ids.is_sorted() && ids[0] != ids[1]);
        assert_ne!(EventId::generate(), EventId::generate());
    }

    #[test]
    fn a_derived_id_depends_on_every_part_and_its_borders() {
        let id = RunId::derive(&[b"ab", b"c"]);
        assert_eq!(id, RunId::derive(&[b"ab", b"c"]));
        assert_ne!(id, RunId::derive(&[b"a", b"bc"]));
        assert_ne!(id.uuid(), DeliveryId::derive(&[b"ab", b"c"]).uuid());
    }
}
