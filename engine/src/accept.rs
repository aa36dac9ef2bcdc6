//! A webhook comes in, is verified, parsed, and stored once; only then is it acknowledged.

mod routing;

use std::sync::Arc;

use crate::adapter::{Adapter, Refused, Reply, Route, Webhook};
use crate::core::{Core, OutLane};
use crate::domain::ids::ChannelId;
use crate::domain::inbound::Inbound;
use crate::failpoint::Point;
use crate::gate::{Caller, Crowd, Inside};
use crate::setup::{ChannelSetup, Channels};
use crate::store::{self, Record, RecordItem, Stray};

use self::routing::{Place, Routing, Verifier, candidates, out_of_order};

/// A webhook was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such adapter.
    #[error("there is no adapter named '{0}'")]
    UnknownProvider(String),
    /// It could not be verified. The sender learns nothing more.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be stored; the provider should send it again.
    #[error("the webhook could not be stored")]
    NotStored(#[from] store::Error),
}

/// What became of an accepted webhook.
#[derive(Debug)]
pub struct Accepted {
    /// What the provider wants to read.
    pub reply: Reply,
    /// What became of its items.
    pub counts: Counts,
}

/// What became of the items of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Stored for the first time.
    pub stored: usize,
    /// Stored before.
    pub duplicates: usize,
    /// Of no channel we know: listed for the operator.
    pub unrouted: usize,
    /// Of a number whose location was deleted: stored nowhere.
    pub dropped: usize,
}

#[tracing::instrument(name = "engine.accept", skip_all, fields(adapter.kind = provider))]
pub(crate) async fn accept(
    core: &Core,
    provider: &str,
    webhook: &Webhook,
) -> Result<Accepted, Error> {
    let adapter = adapter(core, provider)?;
    let accepted = Box::pin(take(core, adapter, webhook)).await;
    if let Err(Error::NotStored(_)) = &accepted {
        missed(core, provider);
    }
    accepted
}

/// A webhook of a provider was turned away: what it told may have to be found otherwise.
pub(crate) fn missed(core: &Core, provider: &str) {
    core.rota.missed(provider, core.clock.now());
}

async fn take(
    core: &Core,
    adapter: &Arc<dyn Adapter>,
    webhook: &Webhook,
) -> Result<Accepted, Error> {
    let _inside = admit(core, adapter.as_ref()).await?;
    let mut channels = core.setup.channels().await?;
    let mut found = candidates(core, adapter, &channels, webhook);
    if found.is_empty() {
        channels = fresh(core).await?;
        found = candidates(core, adapter, &channels, webhook);
    }
    let (verifiers, secrets): (Vec<Verifier>, Vec<_>) = found.into_iter().unzip();
    let received = if secrets.is_empty() {
        Err(Refused)
    } else {
        adapter.receive(webhook, &secrets)
    };
    let received = match received {
        Ok(received) => received,
        // Whose secret does not open may well have sent it: then it comes again.
        Err(refused) => match out_of_order(adapter, &channels, webhook) {
            Some(why) => return Err(why.into()),
            None => {
                note_refusal(core, adapter, &channels, webhook);
                return Err(refused.into());
            }
        },
    };
    let verifier = *verifiers.get(received.secret).ok_or(Refused)?;
    let verified_by = secrets.get(received.secret).cloned().ok_or(Refused)?;
    let mut routing = Routing {
        core,
        adapter,
        channels: &channels,
        verifier,
        verified_by: vec![verified_by],
    };
    let newer;
    if received.items.iter().any(|item| routing.is_homeless(item)) {
        newer = fresh(core).await?;
        routing.channels = &newer;
    }
    let mut counts = record(&routing, &received.items).await?;
    if counts.duplicates + counts.dropped > 0 {
        counts = follow(routing, &received.items, counts).await?;
    }
    Ok(Accepted {
        reply: adapter.reply(),
        counts,
    })
}

/// Stores again what went to a channel that is gone by now: its number may have been connected anew meanwhile,
/// by another process.
async fn follow(
    mut routing: Routing<'_>,
    items: &[Inbound],
    mut counts: Counts,
) -> Result<Counts, Error> {
    let newer = fresh(routing.core).await?;
    let is_gone = |inbound: &&Inbound| {
        let ids = routing.channels_of(inbound);
        ids.iter().any(|id| newer.get(*id).is_none())
    };
    let missed: Vec<Inbound> = items.iter().filter(is_gone).cloned().collect();
    if missed.is_empty() {
        return Ok(counts);
    }
    routing.channels = &newer;
    let again = record(&routing, &missed).await?;
    counts.stored += again.stored;
    counts.unrouted += again.unrouted;
    Ok(counts)
}

/// The channels as they are in the database now: one may have been connected a moment ago, by another process.
async fn fresh(core: &Core) -> Result<Arc<Channels>, store::Error> {
    core.setup.refresh().await?;
    core.setup.channels().await
}

/// Notes whose webhook was refused, as far as it says: for whoever looks why nothing arrives.
fn note_refusal(core: &Core, adapter: &Arc<dyn Adapter>, channels: &Channels, webhook: &Webhook) {
    let (kind, now) = (adapter.kind(), core.clock.now());
    match adapter.route(webhook) {
        Route::Nowhere => {}
        Route::Server => core.refusals.note(kind, ChannelId::NONE, now),
        Route::Channel(id) => {
            if channels.get(id).is_some() {
                core.refusals.note(kind, id, now);
            }
        }
        Route::Account(account) => {
            for setup in channels.with_account(kind, &account) {
                core.refusals.note(kind, setup.channel.id, now);
            }
        }
    }
}

/// Lets a webhook in once rules and senders have caught up with those before it.
async fn admit<'a>(core: &'a Core, adapter: &dyn Adapter) -> Result<Inside<'a>, Error> {
    let caller = if adapter.comes_again() {
        Caller::ComesAgain
    } else {
        Caller::ComesOnce
    };
    let admitted = core.gate.enter(caller, core.clock.as_ref(), || crowd(core));
    Ok(admitted.await.ok_or(store::Error::Overloaded)?)
}

/// Whether so much waits for rules and senders that what can wait should.
pub(crate) fn is_crowded(core: &Core) -> bool {
    core.gate.is_full(core.clock.now(), crowd(core))
}

/// Conversations in which someone waits for a turn: what a provider paused does not count, nor what nobody
/// waits for.
fn crowd(core: &Core) -> Crowd {
    Crowd {
        waiting: core.inbox.live_lanes() + core.outbox.live_lanes(),
        held: core.inbox.len() + core.outbox.len(),
    }
}

/// Stores items anew that were not understood, or had no channel, when they came, or that no webhook told:
/// for the channels that the secret which verifies them serves now, and no others.
pub(crate) async fn repeat(
    core: &Core,
    provider: &str,
    verifier: &str,
    items: Vec<Inbound>,
) -> Result<Counts, Error> {
    let adapter = adapter(core, provider)?;
    let channels = core.setup.channels().await?;
    let verifier = Verifier::parse(verifier).ok_or(Refused)?;
    let verified_by = verifier.secrets(core, adapter, &channels);
    let routing = Routing {
        core,
        adapter,
        channels: &channels,
        verifier,
        verified_by,
    };
    record(&routing, &items).await
}

/// Whose secret would verify what comes to a channel's own address.
pub(crate) fn verifier_of(setup: &ChannelSetup) -> String {
    Verifier::Channel(setup.channel.id).to_string()
}

/// The answer to a provider's handshake, if it carries the right word.
pub(crate) async fn handshake(
    core: &Core,
    provider: &str,
    webhook: &Webhook,
) -> Result<String, Error> {
    let adapter = adapter(core, provider)?;
    let mut tokens = core
        .handshake_tokens
        .get(provider)
        .cloned()
        .unwrap_or_default();
    if let Some(id) = webhook.channel_id {
        let channels = fresh(core).await?;
        let setup = channels.get(id).ok_or(Refused)?;
        tokens.extend(adapter.handshake_tokens(&setup.credentials));
    }
    Ok(adapter.handshake(webhook, &tokens).ok_or(Refused)?)
}

fn adapter<'a>(core: &'a Core, provider: &str) -> Result<&'a Arc<dyn Adapter>, Error> {
    core.adapters
        .get(provider)
        .ok_or_else(|| Error::UnknownProvider(provider.to_owned()))
}

async fn record(routing: &Routing<'_>, items: &[Inbound]) -> Result<Counts, Error> {
    let core = routing.core;
    let (mut routed, mut strays) = (Vec::with_capacity(items.len()), Vec::new());
    let (mut locked, mut dropped) = (None, 0);
    for inbound in items {
        match routing.place(inbound) {
            Place::Channels(channels) => {
                for setup in channels {
                    routed.push(item(core, setup, inbound.clone()).await?);
                }
            }
            Place::Echo(setup, echo) => routed.push(item(core, setup, *echo).await?),
            Place::Locked(why) => locked = Some(why),
            Place::Deleted => dropped += 1,
            Place::Nowhere(reason) => strays.push(routing.stray(inbound, reason)),
        }
    }
    let mut counts = match write(core, routed.clone(), strays.clone()).await {
        // Something in it cannot be written, ever: its neighbours must not suffer, and it must not be lost.
        Err(
            store::Error::Unwritable(_) | store::Error::Corrupt { .. } | store::Error::Conflict(_),
        ) => write_apart(routing, routed, strays).await?,
        other => other?,
    };
    counts.dropped += dropped;
    // Its neighbours are stored, and duplicates when it comes again.
    if let Some(why) = locked {
        return Err(why.into());
    }
    if counts.unrouted > 0 {
        tracing::warn!(
            items = counts.unrouted,
            "items of a webhook belong to no channel; `rejoinder unrouted list` shows them"
        );
    }
    Ok(counts)
}

/// Stores items one by one; what cannot be stored as what it is, is kept raw.
async fn write_apart(
    routing: &Routing<'_>,
    items: Vec<RecordItem>,
    strays: Vec<Stray>,
) -> Result<Counts, Error> {
    let mut counts = write(routing.core, Vec::new(), strays).await?;
    for item in items {
        let written = match write(routing.core, vec![item.clone()], Vec::new()).await {
            Err(
                error @ (store::Error::Unwritable(_)
                | store::Error::Corrupt { .. }
                | store::Error::Conflict(_)),
            ) => {
                let stray =
                    routing.stray(&item.inbound, format!("it could not be stored: {error}"));
                // If the database is the trouble, this fails as well, and the webhook comes again.
                write(routing.core, Vec::new(), vec![stray]).await?
            }
            other => other?,
        };
        counts.stored += written.stored;
        counts.duplicates += written.duplicates;
        counts.unrouted += written.unrouted;
        counts.dropped += written.dropped;
    }
    Ok(counts)
}

async fn write(
    core: &Core,
    items: Vec<RecordItem>,
    strays: Vec<Stray>,
) -> Result<Counts, store::Error> {
    let unrouted = strays.len();
    Point::AcceptVerified.pass().await?;
    let recorded = core
        .store
        .record(Record {
            items,
            strays,
            received_at: core.clock.now(),
        })
        .await?;
    let counts = Counts {
        stored: recorded.stored,
        duplicates: recorded.duplicates,
        unrouted,
        dropped: recorded.dropped,
    };
    core.enqueue_fallbacks(recorded.fallbacks);
    for (location_id, conversation_id) in recorded.settled {
        core.outbox
            .wake(OutLane::InOrder(location_id, conversation_id));
    }
    Point::AcceptRecorded.pass().await?;
    Ok(counts)
}

async fn item(
    core: &Core,
    setup: &ChannelSetup,
    inbound: Inbound,
) -> Result<RecordItem, store::Error> {
    let location = core.setup.location(setup.channel.location_id).await?;
    let hold = location
        .map(|setup| setup.location.settings.hold_ms)
        .unwrap_or_default();
    Ok(RecordItem {
        channel: Arc::clone(&setup.channel),
        hold,
        inbound,
    })
}
