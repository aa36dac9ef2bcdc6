//! Due timers and cron occurrences become events.

use crate::core::Core;
use crate::domain::occurrence::CronLine;
use crate::domain::time::{Span, Timestamp};
use crate::store::{self, Due, Fire, Schedule};

/// Fired in one transaction at most.
const MAX_BATCH: u64 = 200;
/// An occurrence of a cron line that is later than this is skipped.
const MISFIRE: Span = Span::minutes(15);
/// The longest nap: another process may have set a timer.
const NAP: Span = Span::seconds(1);

/// Fires what is due; gives how much it was.
pub(crate) async fn step(core: &Core) -> Result<usize, store::Error> {
    let now = core.clock.now();
    let mut due: Vec<Due> = core
        .store
        .due_timers(now, MAX_BATCH)
        .await?
        .into_iter()
        .map(Due::Timer)
        .collect();
    for schedule in core.store.due_schedules(now, MAX_BATCH).await? {
        due.push(tick(core, schedule, now).await?);
    }
    let count = due.len();
    if count > 0 {
        core.store.write(Fire { due, now }).await?;
    }
    Ok(count)
}

async fn tick(core: &Core, schedule: Schedule, now: Timestamp) -> Result<Due, store::Error> {
    let setup = core.setup.location(schedule.location_id).await?;
    let line = CronLine::parse(&schedule.cron).ok();
    let next_at = setup
        .zip(line)
        .and_then(|(setup, line)| line.next(now, setup.location.time_zone));
    let skipped = now.since(schedule.next_at) > MISFIRE;
    Ok(Due::Tick {
        schedule,
        next_at,
        skipped,
    })
}

/// Fires what falls due, and ends the rest of lanes, for ever.
pub(crate) async fn run(core: &Core) {
    loop {
        let moved = core.clock.moved();
        match step(core).await {
            Ok(count) if count > 0 => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "due timers could not be fired and are tried again");
            }
        }
        let now = core.clock.now();
        let resting = [core.inbox.advance(now), core.outbox.advance(now)];
        let until = resting
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(now + NAP)
            .min(now + NAP);
        tokio::select! {
            () = tokio::time::sleep(until.since(now).to_std()) => {}
            () = moved => {}
            () = core.outbox.rested() => {}
        }
    }
}
