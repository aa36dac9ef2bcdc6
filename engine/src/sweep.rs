//! What customers wrote and no webhook told, found in the lists of providers that do not send a webhook again:
//! it is accepted as if its webhook had come, and what had come is a duplicate. Knows no provider.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};

use crate::accept;
use crate::adapter::{Adapter, Arrivals, SendError, Stretch};
use crate::core::Core;
use crate::domain::inbound::{HistoryLine, Inbound, Item};
use crate::domain::time::{Span, Timestamp};
use crate::domain::window;
use crate::rota::{SETTLING, Swept};
use crate::setup::{ChannelSetup, Channels};
use crate::store::{self, NoteSwept};

/// Swept again each time: clocks differ, and lists may be late.
const OVERLAP: Span = Span::minutes(10);
/// How far the first sweep of a channel reaches back, if the channel is as old. What is older was handled, or
/// missed, by whoever looked after it then.
const FIRST_REACH: Span = Span::hours(24);
/// How far a sweep reaches back after the engine was down: over a long weekend.
const REACH: Span = Span::days(4);
/// What comes later than this is stored for people to see, and answered by no rule: the window is shut.
const LATE: Span = window::LENGTH;
/// A stretch that holds too many messages is halved, down to this one.
const NARROWEST: Span = Span::seconds(4);
/// How long the list of one stretch may take: its pages, and the files of its messages.
const DEADLINE: Duration = Duration::from_secs(120);
/// Channels swept at once.
const AT_ONCE: usize = 4;
/// Messages stored in one transaction at most.
const MAX_BATCH: usize = 100;
/// The longest nap: a channel may have been connected.
const NAP: Span = Span::seconds(1);

/// Sweeps the channels whose turn it is; gives how many messages were found that nobody had told.
pub(crate) async fn step(core: &Core) -> Result<usize, store::Error> {
    let channels = core.setup.channels().await?;
    let mut sweeps: Vec<BoxFuture<'_, usize>> = Vec::new();
    for (setup, adapter) in due(core, &channels) {
        sweeps.push(Box::pin(sweep(core, setup, adapter)));
    }
    let mut ended = futures_util::stream::iter(sweeps).buffer_unordered(AT_ONCE);
    let mut found = 0;
    while let Some(of_one) = ended.next().await {
        found += of_one;
    }
    Ok(found)
}

/// The channels whose turn it is: enabled ones of providers that do not send a webhook again and can be asked.
fn due(core: &Core, channels: &Channels) -> Vec<(Arc<ChannelSetup>, Arc<dyn Adapter>)> {
    let mut swept = Vec::new();
    for setup in channels.all() {
        let adapter = core.adapters.get(setup.channel.provider.as_str());
        let adapter = adapter.filter(|adapter| adapter.lists_messages() && !adapter.comes_again());
        if let Some(adapter) = adapter.filter(|_| setup.channel.enabled) {
            swept.push((Arc::clone(setup), Arc::clone(adapter)));
        }
    }
    let turns: Vec<_> = swept
        .iter()
        .map(|(setup, adapter)| (setup.channel.id, adapter.kind()))
        .collect();
    let due = core.rota.due(&turns, core.clock.now());
    swept.retain(|(setup, _)| due.contains(&setup.channel.id));
    swept
}

/// Sweeps until the engine stops.
pub(crate) async fn run(core: &Core) {
    let asked = core.halt.asked();
    tokio::pin!(asked);
    loop {
        let moved = core.clock.moved();
        if core.halt.is_asked() {
            return;
        }
        tokio::select! {
            // What was found so far is stored, and noted as swept.
            () = &mut asked => return,
            stepped = Box::pin(step(core)) => if let Err(error) = stepped {
                tracing::error!(%error, "no channel could be swept");
            }
        }
        let due = core.rota.next_sweep();
        let rest = due.map_or(NAP, |due| due.since(core.clock.now()).min(NAP));
        tokio::select! {
            // Never at once, so that a turn which cannot be taken does not come round and round.
            () = tokio::time::sleep(rest.max(Span::from_ms(10)).to_std()) => {}
            () = moved => {}
            () = &mut asked => return,
        }
    }
}

/// Sweeps a channel; gives how many messages were found that nobody had told.
async fn sweep(core: &Core, setup: Arc<ChannelSetup>, adapter: Arc<dyn Adapter>) -> usize {
    let channel = &setup.channel;
    let now = core.clock.now();
    let mut found = 0;
    let reached = AssertUnwindSafe(reach(core, &setup, adapter.as_ref(), now, &mut found));
    let swept = match Box::pin(reached.catch_unwind()).await {
        Ok(Ok(swept)) => swept,
        Ok(Err(error)) => {
            tracing::warn!(channel.id = %channel.id, %error, "a channel could not be swept for messages whose webhooks were lost");
            Swept::Failed
        }
        Err(_) => {
            tracing::error!(channel.id = %channel.id, "sweeping a channel panicked");
            Swept::Failed
        }
    };
    core.rota.swept(channel.id, swept, core.clock.now());
    if found > 0 {
        tracing::warn!(channel.id = %channel.id, found, "messages were found whose webhooks did not come");
    }
    found
}

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the provider does not tell: {0}")]
    Untold(SendError),
    #[error("more messages came within {} seconds than are listed at once", NARROWEST.ms() / 1000)]
    TooMany,
    #[error(transparent)]
    NotAccepted(#[from] accept::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Goes from where the last sweep ended to where webhooks may still come, stretch by stretch.
async fn reach(
    core: &Core,
    setup: &ChannelSetup,
    adapter: &dyn Adapter,
    now: Timestamp,
    found: &mut usize,
) -> Result<Swept, Error> {
    let (location_id, channel_id) = (setup.channel.location_id, setup.channel.id);
    let end = now - SETTLING;
    let Some(known) = core.store.of(location_id).swept(channel_id).await? else {
        return Ok(Swept::Until(end));
    };
    let last = known.until.map_or(now - FIRST_REACH, |until| {
        (until - OVERLAP).max(now - REACH)
    });
    let mut since = last.max(known.created_at);
    let mut length = end.since(since);
    while since < end {
        if accept::is_crowded(core) {
            return Ok(Swept::Crowded);
        }
        let until = (since + length).min(end);
        let Some(items) = list(setup, adapter, since, until).await? else {
            if length <= NARROWEST {
                return Err(Error::TooMany);
            }
            length = Span::from_ms(length.ms() / 2).max(NARROWEST);
            continue;
        };
        let verifier = accept::verifier_of(setup);
        let before = *found;
        for chunk in items.chunks(MAX_BATCH) {
            let chunk = chunk.iter().map(|item| dated(item, now)).collect();
            let counts = accept::repeat(core, adapter.kind(), &verifier, chunk).await?;
            *found += counts.stored;
        }
        let noted = NoteSwept {
            location_id,
            channel_id,
            until,
            found_at: (*found > before).then(|| core.clock.now()),
        };
        core.store.write(noted).await?;
        since = until;
        length = length + length;
    }
    Ok(Swept::Until(end))
}

/// What customers wrote in a stretch of time; `None` if that is too much at once.
async fn list(
    setup: &ChannelSetup,
    adapter: &dyn Adapter,
    since: Timestamp,
    until: Timestamp,
) -> Result<Option<Vec<Inbound>>, Error> {
    let stretch = Stretch {
        channel: &setup.channel,
        credentials: &setup.credentials,
        since,
        until,
    };
    match tokio::time::timeout(DEADLINE, adapter.arrivals(&stretch)).await {
        Ok(Ok(Arrivals::Listed(items))) => Ok(Some(items)),
        Ok(Ok(Arrivals::TooMany)) | Err(_) => Ok(None),
        Ok(Err(error)) => Err(Error::Untold(error)),
    }
}

/// An item as it is accepted: what is long late is no news any more, but a line of the conversation's past.
fn dated(inbound: &Inbound, now: Timestamp) -> Inbound {
    let (Item::Message { peer, message }, Some(at)) = (&inbound.item, inbound.at) else {
        return inbound.clone();
    };
    if now.since(at) <= LATE {
        return inbound.clone();
    }
    let line = HistoryLine {
        peer: peer.clone(),
        outgoing: false,
        at,
        message: message.clone(),
    };
    Inbound {
        item: Item::History {
            lines: vec![line],
            progress: 100,
            phase: None,
        },
        ..inbound.clone()
    }
}
