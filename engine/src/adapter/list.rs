//! What is asked of a provider that keeps a list of messages, and what the list tells.
//! Knows neither when it is asked nor what follows.

use super::{Credentials, SendError, SendErrorKind};
use crate::domain::channel::Channel;
use crate::domain::contact::Address;
use crate::domain::content::Content;
use crate::domain::inbound::{Inbound, Status};
use crate::domain::time::Timestamp;

/// A message whose fate is open.
#[derive(Debug)]
pub struct Inquiry<'a> {
    /// The number it left by, if it did.
    pub channel: &'a Channel,
    /// What opens the provider's API.
    pub credentials: &'a Credentials,
    /// Where it goes.
    pub to: &'a Address,
    /// What it says.
    pub content: &'a Content,
    /// When the request was made, by our clock.
    pub attempted_at: Timestamp,
}

/// A message of the list that may be the one whose fate is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Its id, and how far it has come.
    pub status: Status,
    /// How much it looks like it.
    pub likeness: Likeness,
}

/// How much a message of the list looks like ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// It says the very same.
    Same,
    /// The list does not show enough to tell: it proves nothing, and that there is none is no proof either.
    Perhaps,
}

/// A stretch of time in which customers may have written to a channel.
#[derive(Debug)]
pub struct Stretch<'a> {
    /// The number.
    pub channel: &'a Channel,
    /// What opens the provider's API.
    pub credentials: &'a Credentials,
    /// Its beginning, by our clock.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

/// What customers sent in a stretch of time.
#[derive(Debug)]
pub enum Arrivals {
    /// All of it, oldest first.
    Listed(Vec<Inbound>),
    /// More than the adapter reads at once: a shorter stretch must be asked for.
    TooMany,
}

/// The error of a provider that keeps no list.
pub(super) fn none() -> SendError {
    SendError::new(
        SendErrorKind::Invalid,
        "this provider keeps no list of messages",
    )
}
