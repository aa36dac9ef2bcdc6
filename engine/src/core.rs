//! What the verbs share: the store, the adapters, what is set up, and who works on what.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use crate::adapter::Adapter;
use crate::breaker::Breakers;
use crate::caller::Caller;
use crate::clock::Clock;
use crate::crypto::Secret;
use crate::domain::delivery::{Delivery, Flag};
use crate::domain::event::{Event, Payload};
use crate::domain::ids::{
    ChannelId, ConversationId, DeliveryId, EventId, LocationId, OnboardingId,
};
use crate::domain::time::{Span, Timestamp};
use crate::gate::Gate;
use crate::guard::Guard;
use crate::halt::Halt;
use crate::lanes::{Item, Key, Lanes, Urgency};
use crate::mutant::Mutant;
use crate::pace::Pace;
use crate::refusals::Refusals;
use crate::rota::Rota;
use crate::script::testing::TestHost;
use crate::setup::Setup;
use crate::store::{self, KeepRefusals, Scratch, Store};
use crate::unsent::Unsent;

/// Messages on their way to providers at once, per process (decisions: send permits).
pub(crate) const SEND_PERMITS: usize = 64;

/// Rules whose tests are run at once: each takes a processor, which webhooks need as well.
pub(crate) const TRIALS: usize = 2;

/// How long we wait for evidence of a message whose provider is not set up any more.
const DOUBT: Span = Span::seconds(120);

/// An event that is older is nobody's business of this moment any more.
const LIVE: Span = Span::seconds(10);

/// The unit of order: a conversation, or a location's own events.
pub(crate) type LaneKey = (LocationId, Option<ConversationId>);

impl Key for LaneKey {
    type Share = LocationId;

    fn share(&self) -> LocationId {
        self.0
    }
}

/// The unit of order of what leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OutLane {
    /// A conversation.
    InOrder(LocationId, ConversationId),
    /// A delivery that was overtaken: it holds up nobody any more.
    Aside(LocationId, DeliveryId),
}

impl OutLane {
    pub(crate) const fn of(delivery: &Delivery) -> Self {
        if delivery.flags.has(Flag::Overtaken) {
            Self::Aside(delivery.location_id, delivery.id)
        } else {
            Self::InOrder(delivery.location_id, delivery.conversation_id)
        }
    }
}

impl Key for OutLane {
    type Share = LocationId;

    fn share(&self) -> LocationId {
        let (Self::InOrder(location_id, _) | Self::Aside(location_id, _)) = self;
        *location_id
    }
}

/// Whether someone waits for what follows from an event.
pub(crate) fn urgency(event: &Event, now: Timestamp) -> Urgency {
    match event.payload {
        Payload::Timer { .. } | Payload::Tick { .. } | Payload::Each { .. } => Urgency::Background,
        _ if event.received_at + LIVE < now => Urgency::Background,
        _ => Urgency::Live,
    }
}

/// Whether someone waits for a delivery.
pub(crate) const fn urgency_of(delivery: &Delivery) -> Urgency {
    if delivery.flags.has(Flag::Background) {
        Urgency::Background
    } else {
        Urgency::Live
    }
}

pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) setup: Setup,
    pub(crate) adapters: BTreeMap<&'static str, Arc<dyn Adapter>>,
    /// Calls endpoints, if the host lets rules do so.
    pub(crate) caller: Option<Arc<dyn Caller>>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The server's own secrets by adapter: Meta's app secret, for channels without an app of their own.
    pub(crate) server_secrets: BTreeMap<String, Vec<Secret>>,
    /// What a provider's handshake must carry on the address that all channels share.
    pub(crate) handshake_tokens: BTreeMap<String, Vec<Secret>>,
    /// Our public address without a slash at its end, or "".
    pub(crate) public_url: String,
    /// This process, for as long as it lives.
    pub(crate) node: Uuid,
    /// When it began.
    pub(crate) began_at: Timestamp,
    /// Events that wait for their rules.
    pub(crate) inbox: Lanes<LaneKey, Event>,
    /// Deliveries that wait to leave.
    pub(crate) outbox: Lanes<OutLane, Box<Delivery>>,
    /// Lets webhooks in as fast as they can be answered.
    pub(crate) gate: Gate,
    pub(crate) pace: Pace,
    pub(crate) breakers: Breakers,
    pub(crate) guard: Guard,
    /// When providers are asked what nobody told.
    pub(crate) rota: Rota,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) halt: Halt,
    /// Tables for simulated worlds, if the host gives any.
    pub(crate) scratch: Option<Scratch>,
    /// The language of tests, once it was needed.
    pub(crate) tests: OnceLock<TestHost>,
    /// Rules whose tests may be run at once.
    pub(crate) trials: Semaphore,
    pub(crate) unsent: Unsent,
    /// When webhooks were last refused.
    pub(crate) refusals: Refusals,
    /// Onboardings in hand, each with whose it is.
    pub(crate) onboardings: Mutex<HashMap<OnboardingId, Hand>>,
    /// Told when a rule has asked for a call.
    pub(crate) requested: Notify,
}

/// Who has an onboarding in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    /// Whoever asked for its steps.
    Person,
    /// The engine, which looks whether what it waits for has come.
    Watch,
}

impl Item for Event {
    type Id = EventId;

    fn id(&self) -> EventId {
        self.id
    }

    fn place(&self) -> (i64, Timestamp) {
        (self.seq, self.received_at)
    }
}

impl Item for Box<Delivery> {
    type Id = DeliveryId;

    fn id(&self) -> DeliveryId {
        self.id
    }

    fn place(&self) -> (i64, Timestamp) {
        (self.position, self.created_at)
    }
}

impl Core {
    /// How long to wait for evidence of a message that left by a channel.
    pub(crate) async fn doubt(&self, channel_id: ChannelId) -> Span {
        let channels = self.setup.channels().await.ok();
        channels
            .as_ref()
            .and_then(|channels| channels.get(channel_id))
            .and_then(|setup| self.adapters.get(setup.channel.provider.as_str()))
            .map_or(DOUBT, |adapter| adapter.doubt())
    }

    /// The address of webhooks that all channels of a provider share, or that of one channel.
    pub(crate) fn webhook_url(
        &self,
        provider: &str,
        channel_id: Option<ChannelId>,
    ) -> Option<String> {
        let adapter = self.adapters.get(provider)?;
        let public_url = Some(self.public_url.as_str()).filter(|url| !url.is_empty())?;
        let (name, suffix) = (adapter.webhook_name(), adapter.webhook_suffix());
        let own = channel_id.map_or_else(String::new, |id| format!("/{id}"));
        Some(format!("{public_url}/api/webhooks/{name}{own}{suffix}"))
    }

    /// Tells the database of webhooks that were refused.
    pub(crate) async fn keep_refusals(&self) -> Result<(), store::Error> {
        let changes = self.refusals.changes();
        if changes.is_empty() {
            return Ok(());
        }
        self.store.write(KeepRefusals(changes)).await
    }

    /// Onboardings in hand, each with whose it is.
    pub(crate) fn onboardings(&self) -> MutexGuard<'_, HashMap<OnboardingId, Hand>> {
        self.onboardings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enqueue(&self, events: Vec<Event>) {
        let now = self.clock.now();
        for event in events {
            let lane = (event.location_id, event.conversation_id);
            let urgency = urgency(&event, now);
            if Mutant::LatestFirst.is_loose() {
                self.inbox.push_front(lane, event, urgency);
            } else {
                self.inbox.push(lane, event, urgency);
            }
        }
    }

    /// A delivery waits in its lane.
    pub(crate) fn queue(&self, delivery: Box<Delivery>) {
        let urgency = urgency_of(&delivery);
        self.outbox.push(OutLane::of(&delivery), delivery, urgency);
    }

    /// A delivery waits at its place in its lane, if it does not yet.
    pub(crate) fn requeue(&self, delivery: Box<Delivery>) {
        let urgency = urgency_of(&delivery);
        self.outbox
            .restore(OutLane::of(&delivery), delivery, urgency);
    }

    /// A delivery that replaces a refused one goes before all others of its conversation.
    pub(crate) fn enqueue_fallbacks(&self, fallbacks: impl IntoIterator<Item = Delivery>) {
        for fallback in fallbacks {
            let (lane, urgency) = (OutLane::of(&fallback), urgency_of(&fallback));
            self.outbox.push_front(lane, Box::new(fallback), urgency);
        }
    }
}
