//! What an engine that runs looks after besides its work: the set-up, the use of rates, and whether memory
//! and database still agree.

use std::time::Duration;

use crate::core::{Core, urgency};
use crate::deliver;
use crate::domain::ids::LocationId;
use crate::domain::time::{Span, Timestamp};
use crate::failpoint::Point;
use crate::mutant::Mutant;
use crate::store::{self, KeepPace};

/// How often other processes' changes of the set-up are looked for.
const REFRESH: Duration = Duration::from_secs(1);
/// How often the use of rates is kept …
const KEEP_PACE: Duration = Duration::from_secs(1);
/// … and so, how far ahead.
const KEPT_AHEAD: Span = Span::seconds(1);
/// What nobody has in hand after this long was lost; it is looked for as often.
pub(super) const LOST: Span = Span::seconds(30);
/// Likewise once it is unknown whether something was written.
const LOST_WHEN_SHAKEN: Span = Span::seconds(1);
/// How often it is looked whether deleted locations left something.
const CLEAR: Duration = Duration::from_secs(10);
/// Others write between two batches of it.
const BETWEEN_BATCHES: Duration = Duration::from_millis(20);
/// Rows that are read at once.
const PAGE: usize = 500;

/// Keeps the set-up fresh, until the engine stops.
pub(super) async fn refresh(core: &Core) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(REFRESH) => {}
            () = core.halt.asked() => return,
        }
        if let Err(error) = look_for_changes(core).await {
            tracing::warn!(%error, "changes of the set-up could not be looked for");
        }
    }
}

/// Looks for changes of the set-up: with other credentials, a channel that pauses may be worth trying again.
pub(super) async fn look_for_changes(core: &Core) -> Result<(), store::Error> {
    core.setup.refresh().await?;
    if core.breakers.any() {
        let channels = core.setup.channels().await?;
        let version = |id| channels.get(id).map(|setup| setup.credentials_version);
        if core.breakers.renew(version) {
            core.outbox.wake_all();
        }
    }
    Ok(())
}

/// Keeps up to when rates are used, until the engine stops, and once more then.
pub(super) async fn keep_pace(core: &Core) {
    loop {
        let is_over = tokio::select! {
            () = tokio::time::sleep(KEEP_PACE) => false,
            () = core.halt.asked() => true,
        };
        // Nothing leaves any more once the engine has stopped.
        let ahead = if is_over { Span::default() } else { KEPT_AHEAD };
        if let Err(error) = write_pace(core, ahead).await {
            tracing::warn!(%error, "the use of the numbers' rates could not be kept");
        }
        if is_over {
            return;
        }
    }
}

/// Keeps up to when rates are used, if that changed.
pub(super) async fn write_pace(core: &Core, ahead: Span) -> Result<(), store::Error> {
    let now = core.clock.now();
    let rows = core.pace.changes(ahead, now);
    if rows.is_empty() {
        return Ok(());
    }
    core.store.write(KeepPace { rows, now }).await
}

/// Finds what was lost, until the engine stops.
pub(super) async fn reload(core: &Core) {
    loop {
        let nap = if core.store.is_shaken() {
            LOST_WHEN_SHAKEN
        } else {
            LOST
        };
        tokio::select! {
            () = tokio::time::sleep(nap.to_std()) => {}
            () = core.store.shaken() => tokio::time::sleep(LOST_WHEN_SHAKEN.to_std()).await,
            () = core.halt.asked() => return,
        }
        let found = if core.store.is_shaken() {
            recover(core).await
        } else {
            load_lost(core, LOST).await
        };
        if let Err(error) = found {
            tracing::warn!(%error, "what is open could not be looked for");
        }
        if let Err(error) = core.keep_refusals().await {
            tracing::warn!(%error, "when webhooks were refused could not be kept");
        }
    }
}

/// Takes up everything that may have been written without anyone knowing; only then are events decided again.
pub(super) async fn recover(core: &Core) -> Result<(), store::Error> {
    let tremors = core.store.tremors();
    // Whoever has something in hand may still write it: only events can be ahead of their turn.
    load_lost(core, Span::default()).await?;
    core.store.mend(tremors);
    core.inbox.nudge();
    Ok(())
}

/// Clears away what deleted locations left, until the engine stops.
pub(super) async fn clear_away(core: &Core) {
    loop {
        let nap = match core.store.clear_away(core.clock.now()).await {
            Ok(0) => CLEAR,
            Ok(_) => BETWEEN_BATCHES,
            Err(error) => {
                tracing::warn!(%error, "what deleted locations left could not be cleared away");
                CLEAR
            }
        };
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = core.halt.asked() => return,
        }
    }
}

/// Loads everything that is open.
pub(super) async fn load_all(core: &Core) -> Result<(), store::Error> {
    let tremors = core.store.tremors();
    Point::ResumeBegins.pass().await?;
    let used = core.store.paces(core.clock.now()).await?;
    core.pace.restore(&used);
    load(core, Timestamp::from_ms(i64::MAX)).await?;
    core.store.mend(tremors);
    Ok(Point::ResumeEnds.pass().await?)
}

/// Loads what is open for longer than `age` and that nobody has in hand: a commit of unknown outcome,
/// or a caller that went away before it could pass on what it had stored.
pub(super) async fn load_lost(core: &Core, age: Span) -> Result<(), store::Error> {
    let found = load(core, core.clock.now() - age).await?;
    if found > 0 {
        tracing::warn!(
            found,
            "events or deliveries that were lost in memory are taken up again"
        );
    }
    Ok(())
}

async fn load(core: &Core, before: Timestamp) -> Result<usize, store::Error> {
    let mut found = 0;
    // First what was decided: what is decided next must find it ahead of it.
    let open = core.store.open_ids(before).await?;
    for (location_id, ids) in pages(&open, |id| !core.outbox.holds(id)) {
        for delivery in core.store.open_deliveries(location_id, &ids).await? {
            found += usize::from(deliver::take_up(core, Box::new(delivery)).await?);
        }
    }
    let now = core.clock.now();
    let pending = core.store.pending_ids(before).await?;
    for (location_id, ids) in pages(&pending, |id| !core.inbox.holds(id)) {
        for event in core.store.pending_events(location_id, &ids).await? {
            if !core.inbox.holds(event.id) && !Mutant::ForgottenEvents.is_loose() {
                found += 1;
                let urgency = urgency(&event, now);
                core.inbox
                    .restore((event.location_id, event.conversation_id), event, urgency);
            }
        }
    }
    Ok(found)
}

/// What of `all`, which is in the order of locations, is lost, in pages of one location each.
fn pages<I: Copy>(
    all: &[(LocationId, I)],
    is_lost: impl Fn(I) -> bool,
) -> Vec<(LocationId, Vec<I>)> {
    let lost: Vec<_> = all.iter().filter(|(_, id)| is_lost(*id)).collect();
    let of_one = lost.chunk_by(|one, other| one.0 == other.0);
    let chunks = of_one.flat_map(|of_one| of_one.chunks(PAGE));
    let page = |chunk: &[&(LocationId, I)]| (chunk[0].0, chunk.iter().map(|(_, id)| *id).collect());
    chunks.map(page).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_read_location_by_location_however_much_there_is() {
        let (one, other) = (LocationId::generate(), LocationId::generate());
        let mut all: Vec<(LocationId, usize)> = (0..30_000).map(|id| (one, id)).collect();
        all.extend((30_000..30_003).map(|id| (other, id)));
        // Nearly everything is in somebody's hands.
        let pages_of_lost = pages(&all, |id| id >= 29_998);
        assert_eq!(
            pages_of_lost,
            [
                (one, vec![29_998, 29_999]),
                (other, vec![30_000, 30_001, 30_002])
            ]
        );
        let pages_of_all = pages(&all, |_| true);
        assert_eq!(pages_of_all.len(), 30_000 / PAGE + 1);
        assert!(pages_of_all.iter().all(|(_, ids)| ids.len() <= PAGE));
    }
}
