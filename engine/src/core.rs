//! What the verbs share: the store, the adapters, what is set up, and who works on what.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::adapter::Adapter;
use crate::clock::Clock;
use crate::crypto::Secret;
use crate::domain::delivery::Delivery;
use crate::domain::event::Event;
use crate::domain::ids::{ConversationId, LocationId};
use crate::lanes::Lanes;
use crate::pace::Pace;
use crate::setup::Setup;
use crate::store::Store;

/// Messages on their way to providers at once, per process (decisions: send permits).
pub(crate) const SEND_PERMITS: usize = 64;

/// The unit of order: a conversation, or a location's own events.
pub(crate) type LaneKey = (LocationId, Option<ConversationId>);

pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) setup: Setup,
    pub(crate) adapters: BTreeMap<&'static str, Arc<dyn Adapter>>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The server's own secrets by adapter: Meta's app secret, for channels without an app of their own.
    pub(crate) server_secrets: BTreeMap<String, Vec<Secret>>,
    /// What a provider's handshake must carry on the address that all channels share.
    pub(crate) handshake_tokens: BTreeMap<String, Vec<Secret>>,
    /// Our public address without a slash at its end, or "".
    pub(crate) public_url: String,
    /// This process, for as long as it lives.
    pub(crate) node: Uuid,
    /// Events that wait for their rules.
    pub(crate) inbox: Lanes<LaneKey, Event>,
    /// Deliveries that wait to leave.
    pub(crate) outbox: Lanes<LaneKey, Box<Delivery>>,
    pub(crate) pace: Pace,
    pub(crate) permits: Arc<Semaphore>,
}

impl Core {
    pub(crate) fn enqueue(&self, events: Vec<Event>) {
        for event in events {
            self.inbox
                .push((event.location_id, event.conversation_id), event);
        }
    }

    /// A delivery that replaces a refused one goes before all others of its conversation.
    pub(crate) fn enqueue_fallbacks(&self, fallbacks: impl IntoIterator<Item = Delivery>) {
        for fallback in fallbacks {
            self.outbox.push_front(
                (fallback.location_id, Some(fallback.conversation_id)),
                Box::new(fallback),
            );
        }
    }
}
