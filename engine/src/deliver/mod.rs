//! The next delivery of a free conversation is paced, intended, sent and settled.
//!
//! The request is written only after *sending* is on disk, and it carries our id; whatever happens
//! then, the delivery is accepted, to be tried again, failed, or in doubt, and nothing else.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::adapter::{Adapter, Outgoing, SendError, SendErrorKind};
use crate::core::{Core, LaneKey};
use crate::domain::contact::Address;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::location::InDoubtPolicy;
use crate::domain::time::{Span, Timestamp};
use crate::retry::{Again, again_at};
use crate::setup::{ChannelSetup, LocationSetup};
use crate::store::{self, Depart, Doubt, Intend, Intended, KeepResource, Settle, Settlement};

/// How long we wait for evidence of a message whose fate is open.
const DOUBT: Span = Span::seconds(120);
/// How long a conversation rests after the database failed it.
const RETRY_AFTER: Span = Span::seconds(2);

/// Makes one attempt at the delivery that is next; false if none is.
pub(crate) async fn step(core: &Arc<Core>) -> bool {
    let Some((key, delivery)) = core.outbox.take() else {
        return false;
    };
    attend(core, key, delivery, None).await;
    true
}

/// Waits for a permit and a delivery, and starts a sender for it; for ever.
pub(crate) async fn run(core: &Arc<Core>) {
    loop {
        let permit = Arc::clone(&core.permits)
            .acquire_owned()
            .await
            .expect("the permits are never closed");
        let (key, delivery) = loop {
            if let Some(next) = core.outbox.take() {
                break next;
            }
            core.outbox.changed().await;
        };
        start(core, key, delivery, permit);
    }
}

/// Attends to a delivery in a task of its own.
pub(crate) fn start(
    core: &Arc<Core>,
    key: LaneKey,
    delivery: Box<Delivery>,
    permit: OwnedSemaphorePermit,
) {
    let core = Arc::clone(core);
    tokio::spawn(async move { attend(&core, key, delivery, Some(permit)).await });
}

/// A permit, and the lane made busy, if `delivery` may leave right after its commit.
pub(crate) async fn reserve(
    core: &Core,
    key: LaneKey,
    delivery: &Delivery,
    now: Timestamp,
) -> Option<OwnedSemaphorePermit> {
    let permit = Arc::clone(&core.permits).try_acquire_owned().ok()?;
    let channels = core.setup.channels().await.ok()?;
    let channel = &channels.get(delivery.channel_id)?.channel;
    if !channel.enabled || !core.outbox.reserve(key) {
        return None;
    }
    if core
        .pace
        .take(channel, delivery.conversation_id, now)
        .is_err()
    {
        core.outbox.done(key);
        return None;
    }
    Some(permit)
}

/// What becomes of a lane after its head was attended to.
enum Next {
    /// On to the next.
    Done,
    /// The head again, but not before then.
    Again(Box<Delivery>, Timestamp),
}

#[tracing::instrument(name = "engine.deliver", level = "debug", skip_all, fields(delivery.id = %delivery.id))]
async fn attend(
    core: &Arc<Core>,
    key: LaneKey,
    delivery: Box<Delivery>,
    permit: Option<OwnedSemaphorePermit>,
) {
    let kept = delivery.clone();
    let next = match delivery.state {
        DeliveryState::Ready => depart(core, delivery, permit).await,
        DeliveryState::Sending => send(core, delivery, permit).await,
        DeliveryState::InDoubt => doubt(core, delivery).await,
        DeliveryState::Reached(_) | DeliveryState::Cancelled => Ok(Next::Done),
    };
    match next {
        Ok(Next::Done) => core.outbox.done(key),
        Ok(Next::Again(delivery, at)) => core.outbox.rest(key, delivery, at),
        Err(error) => {
            tracing::error!(delivery.id = %kept.id, %error, "a delivery could not be written and is tried again");
            core.outbox.rest(key, kept, core.clock.now() + RETRY_AFTER);
        }
    }
}

async fn depart(
    core: &Arc<Core>,
    delivery: Box<Delivery>,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Next, store::Error> {
    let now = core.clock.now();
    if delivery.not_before > now {
        let at = delivery.not_before;
        return Ok(Next::Again(delivery, at));
    }
    let Some(way) = Way::of(core, &delivery).await? else {
        let error = SendError::new(
            SendErrorKind::ChannelUnready,
            "the channel or its provider is not set up any more",
        );
        return settle(core, delivery, Err(error), now).await;
    };
    if !way.channel.channel.enabled {
        return Ok(Next::Again(delivery, now + Span::minutes(1)));
    }
    if let Err(at) = core
        .pace
        .take(&way.channel.channel, delivery.conversation_id, now)
    {
        return Ok(Next::Again(delivery, at));
    }
    let depart = Depart {
        delivery: delivery.clone(),
        node: core.node,
        now,
    };
    if let Some(delivery) = core.store.write(depart).await? {
        return send(core, delivery, permit).await;
    }
    let intend = Intend {
        location_id: delivery.location_id,
        id: delivery.id,
        node: core.node,
        now,
    };
    match core.store.write(intend).await? {
        Intended::Send(delivery) => send(core, delivery, permit).await,
        Intended::Over(_) => Ok(Next::Done),
    }
}

/// Sends what is committed as *sending*, and settles it.
async fn send(
    core: &Arc<Core>,
    delivery: Box<Delivery>,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Next, store::Error> {
    let sent_at = core.clock.now();
    let outcome = match Way::of(core, &delivery).await? {
        None => Err(SendError::new(
            SendErrorKind::ChannelUnready,
            "the channel is not set up any more",
        )),
        Some(way) => {
            use tracing::Instrument as _;
            let span = tracing::debug_span!("channel.send", channel.id = %delivery.channel_id);
            request(core, &way, &delivery).instrument(span).await
        }
    };
    drop(permit);
    settle(core, delivery, outcome, sent_at).await
}

/// Everything that a request needs besides the delivery.
struct Way {
    adapter: Arc<dyn Adapter>,
    channel: Arc<ChannelSetup>,
    location: Arc<LocationSetup>,
    address: Address,
}

impl Way {
    async fn of(core: &Core, delivery: &Delivery) -> Result<Option<Self>, store::Error> {
        let channels = core.setup.channels().await?;
        let Some(channel) = channels.get(delivery.channel_id).cloned() else {
            return Ok(None);
        };
        let Some(adapter) = core
            .adapters
            .get(channel.channel.provider.as_str())
            .cloned()
        else {
            return Ok(None);
        };
        let Some(location) = core.setup.location(delivery.location_id).await? else {
            return Ok(None);
        };
        let address = match &delivery.address {
            Some(address) => Some(address.clone()),
            None => {
                let store = core.store.of(delivery.location_id);
                store
                    .conversation(delivery.conversation_id)
                    .await?
                    .map(|conversation| conversation.address)
            }
        };
        Ok(address.map(|address| Self {
            adapter,
            channel,
            location,
            address,
        }))
    }
}

/// One request, and before it what must exist at the provider for it.
async fn request(core: &Core, way: &Way, delivery: &Delivery) -> Result<String, SendError> {
    way.adapter.check(&delivery.content)?;
    let callback_url = (!core.public_url.is_empty()).then(|| {
        format!(
            "{}/api/webhooks/{}/{}",
            core.public_url,
            way.adapter.kind(),
            delivery.channel_id
        )
    });
    let mut outgoing = Outgoing {
        channel: &way.channel.channel,
        credentials: &way.channel.credentials,
        to: &way.address,
        content: &delivery.content,
        language: &way.location.location.settings.language,
        reply_to: delivery.reply_to.as_deref(),
        delivery_id: delivery.id,
        callback_url: callback_url.as_deref(),
        reference: None,
    };
    let reference = provide(core, way, &outgoing, delivery).await?;
    outgoing.reference = reference.as_deref();
    Ok(way.adapter.send(&outgoing).await?.provider_id)
}

/// The provider's reference of what the content needs there, created once and remembered.
async fn provide(
    core: &Core,
    way: &Way,
    outgoing: &Outgoing<'_>,
    delivery: &Delivery,
) -> Result<Option<String>, SendError> {
    let Some(resource) = way.adapter.resource(outgoing) else {
        return Ok(None);
    };
    let unwritten =
        |error: store::Error| SendError::new(SendErrorKind::NotConnected, error.to_string());
    let known = core
        .store
        .of(delivery.location_id)
        .resource(&resource)
        .await
        .map_err(unwritten)?;
    if known.is_some() {
        return Ok(known);
    }
    // Nothing reaches the customer by this: whatever goes wrong, the message was certainly not sent.
    let reference = way
        .adapter
        .provide(outgoing)
        .await
        .map_err(|error| match error.kind {
            SendErrorKind::InDoubt => SendError {
                kind: SendErrorKind::NotConnected,
                ..error
            },
            _ => error,
        })?;
    let location_id = delivery.location_id;
    let keep = KeepResource {
        location_id,
        resource,
        reference: reference.clone(),
        now: core.clock.now(),
    };
    core.store.write(keep).await.map_err(unwritten)?;
    Ok(Some(reference))
}

async fn settle(
    core: &Arc<Core>,
    mut delivery: Box<Delivery>,
    outcome: Result<String, SendError>,
    sent_at: Timestamp,
) -> Result<Next, store::Error> {
    let now = core.clock.now();
    let settlement = match outcome {
        Ok(provider_id) => Settlement::Accepted { provider_id },
        Err(error) => {
            let failure = error.to_failure();
            match again_at(&delivery, &error, now) {
                _ if error.kind == SendErrorKind::InDoubt => Settlement::InDoubt(failure),
                Again::At(at) => Settlement::Retry { at, failure },
                Again::Final => Settlement::Failed(failure),
                Again::TooLate => {
                    let detail = format!(
                        "given up after {} attempts; the last met: {error}",
                        delivery.attempts
                    );
                    Settlement::Failed(SendError::new(SendErrorKind::Expired, detail).to_failure())
                }
            }
        }
    };
    if let Settlement::Retry { at, failure } = &settlement
        && failure.kind == SendErrorKind::RateLimited.code()
    {
        core.pace.pause(delivery.channel_id, *at);
    }
    let next = match &settlement {
        Settlement::Accepted { .. } | Settlement::Failed(_) => None,
        Settlement::Retry { at, .. } => {
            delivery.state = DeliveryState::Ready;
            delivery.not_before = *at;
            Some(*at)
        }
        Settlement::InDoubt(_) => Some(now + DOUBT),
    };
    let mut kept = delivery.clone();
    if let Settlement::InDoubt(_) = &settlement {
        kept.state = DeliveryState::InDoubt;
        tracing::warn!(delivery.id = %delivery.id, "whether a message was sent is unknown; waiting for evidence");
    }
    let settled = core
        .store
        .settle(Settle {
            delivery,
            settlement,
            sent_at,
            now,
        })
        .await?;
    core.enqueue_fallbacks(settled.fallback);
    Ok(next.map_or(Next::Done, |at| Next::Again(kept, at)))
}

/// Waiting for evidence is over, or evidence has come.
async fn doubt(core: &Arc<Core>, mut delivery: Box<Delivery>) -> Result<Next, store::Error> {
    let policy =
        core.setup
            .location(delivery.location_id)
            .await?
            .map_or(InDoubtPolicy::Hold, |setup| {
                let settings = &setup.location.settings;
                if delivery.content.is_template() {
                    settings.in_doubt_templates
                } else {
                    settings.in_doubt_replies
                }
            });
    // Once more at the most: what is in doubt twice waits for a person.
    let resend = policy == InDoubtPolicy::Resend && delivery.attempts < 2;
    let now = core.clock.now();
    if core
        .store
        .write(Doubt {
            location_id: delivery.location_id,
            id: delivery.id,
            resend,
            now,
        })
        .await?
    {
        tracing::warn!(delivery.id = %delivery.id, "a message in doubt is sent once more and may arrive twice");
        delivery.state = DeliveryState::Ready;
        delivery.not_before = now;
        return Ok(Next::Again(delivery, now));
    }
    Ok(Next::Done)
}
