//! Due timers, cron occurrences, answers that waited, and chats that a rule wants to visit become events.

mod fanout;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use crate::core::Core;
use crate::domain::ids::LocationId;
use crate::domain::misfire::{self, Misfire, Missed};
use crate::domain::occurrence::CronLine;
use crate::domain::time::{Span, Timestamp};
use crate::failpoint::Point;
use crate::store::{self, Due, Fire, HeldAnswer, Schedule, TimerRow};

/// Fired in one transaction at most.
const MAX_BATCH: u64 = 200;
/// Occurrences of one cron line fired in one transaction at most; after downtime there may be many.
const MAX_TICKS: usize = 50;
/// Conversations that may wait for their rules before more is fired: after downtime a hundred thousand timers
/// are due, and the database keeps them as well as memory does.
const MANY_AHEAD: usize = 1_000;
/// The nap until they are fewer.
const SHORT_NAP: Span = Span::from_ms(50);
/// The longest nap: another process may have set a timer.
const NAP: Span = Span::seconds(1);

/// Fires what is due; gives how much it was.
pub(crate) async fn step(core: &Core) -> Result<usize, store::Error> {
    let now = core.clock.now();
    let mut due: Vec<Due> = Vec::new();
    for timer in core.store.due_timers(now, MAX_BATCH).await? {
        let location_id = timer.location_id;
        due.extend(legible(location_id, follow_up(core, timer, now).await)?);
    }
    for schedule in core.store.due_schedules(now, MAX_BATCH).await? {
        let location_id = schedule.location_id;
        due.extend(legible(location_id, ticks(core, schedule, now).await)?);
    }
    for held in core.store.released_answers(now, MAX_BATCH).await? {
        let location_id = held.location_id;
        due.extend(legible(location_id, answer(core, held, now).await)?);
    }
    let count = due.len();
    if count > 0 {
        Point::FireDue.pass().await?;
        core.store.write(Fire { due, now }).await?;
        Point::FireFired.pass().await?;
    }
    Ok(count + fanout::step(core, now).await?)
}

/// What is due, unless something of its location does not read: that must not keep the others waiting.
fn legible(
    location_id: LocationId,
    due: Result<Due, store::Error>,
) -> Result<Option<Due>, store::Error> {
    match due {
        Err(error @ (store::Error::Corrupt { .. } | store::Error::Sealed(_))) => {
            tracing::error!(location.id = %location_id, %error, "what is due of a location waits");
            Ok(None)
        }
        due => due.map(Some),
    }
}

/// A follow-up comes now, or when the quiet hours are over: they may have been set since it was, or it
/// was late.
async fn follow_up(core: &Core, timer: TimerRow, now: Timestamp) -> Result<Due, store::Error> {
    let setup = core.setup.location(timer.location_id).await?;
    let until = setup.and_then(|setup| setup.location.quiet_until(now));
    Ok(match until {
        Some(until) => Due::Postponed { timer, until },
        None => Due::Timer(timer),
    })
}

/// An answer that waited for the release of its conversation comes now, or when the quiet hours are over.
async fn answer(core: &Core, held: HeldAnswer, now: Timestamp) -> Result<Due, store::Error> {
    let setup = core.setup.location(held.location_id).await?;
    let until = setup.and_then(|setup| setup.location.quiet_until(now));
    Ok(match until {
        Some(until) => Due::PostponedAnswer { held, until },
        None => Due::Answer(held),
    })
}

async fn ticks(core: &Core, schedule: Schedule, now: Timestamp) -> Result<Due, store::Error> {
    let setup = core.setup.location(schedule.location_id).await?;
    let line = CronLine::parse(&schedule.cron).ok();
    let Some((setup, line)) = setup.zip(line) else {
        return Ok(Due::Ticks {
            schedule,
            fire: Vec::new(),
            next_at: None,
        });
    };
    let zone = setup.location.time_zone;
    let Missed { mut fire, too_many } =
        misfire::missed(&line, zone, schedule.next_at, now, schedule.misfire);
    if too_many {
        tracing::warn!(location.id = %schedule.location_id, rule.id = %schedule.rule_id,
            "more than {} occurrences of a schedule were missed; only the latest come", Misfire::MAX_MISSED);
    }
    let next_at = fire.get(MAX_TICKS).copied();
    fire.truncate(MAX_TICKS);
    Ok(Due::Ticks {
        next_at: next_at.or_else(|| line.next(now, zone)),
        schedule,
        fire,
    })
}

/// The next moment at which something that waits can go on; `None` if nothing waits for time to pass.
pub(crate) async fn next_due(core: &Core) -> Result<Option<Timestamp>, store::Error> {
    if core.inbox.ready_lanes() + core.outbox.ready_lanes() > 0 {
        return Ok(Some(core.clock.now()));
    }
    let mut timer: Option<Timestamp> = None;
    for (location_id, at) in core.store.next_timers().await? {
        let setup = core.setup.location(location_id).await?;
        let until = setup.and_then(|setup| setup.location.quiet_until(at));
        let at = until.unwrap_or(at);
        timer = Some(timer.map_or(at, |timer| timer.min(at)));
    }
    let schedule = core.store.next_schedule().await?;
    let rests = [core.inbox.next_rest(), core.outbox.next_rest()];
    let request = core.store.next_request().await?;
    let fanout = core.store.next_fanout().await?;
    let sweep = core.rota.next_sweep();
    let moments = [timer, schedule, request, fanout, sweep];
    let moments = moments.into_iter().chain(rests);
    Ok(moments.flatten().min())
}

/// Fires what falls due, and ends the rest of lanes, until the engine stops.
pub(crate) async fn run(core: &Core) {
    let asked = core.halt.asked();
    tokio::pin!(asked);
    // Timers are looked for now and then; lanes rest and wake far more often.
    let mut look_at = core.clock.now();
    loop {
        let moved = core.clock.moved();
        let now = core.clock.now();
        if core.halt.is_asked() {
            return;
        }
        if now >= look_at || look_at.since(now) > NAP {
            let is_ahead = core.inbox.ready_lanes() >= MANY_AHEAD;
            if !is_ahead && attempt(core).await {
                continue;
            }
            look_at = now + if is_ahead { SHORT_NAP } else { NAP };
        }
        let resting = [core.inbox.advance(now), core.outbox.advance(now)];
        let until = resting.into_iter().flatten().fold(look_at, Timestamp::min);
        tokio::select! {
            () = tokio::time::sleep(until.since(now).to_std()) => {}
            () = moved => look_at = core.clock.now(),
            () = core.inbox.rested() => {}
            () = core.outbox.rested() => {}
            () = &mut asked => return,
        }
    }
}

/// Whether something was fired, so that there may be more.
async fn attempt(core: &Core) -> bool {
    match AssertUnwindSafe(step(core)).catch_unwind().await {
        Ok(Ok(count)) => count > 0,
        Ok(Err(error)) => {
            tracing::error!(%error, "due timers could not be fired and are tried again");
            false
        }
        Err(_) => {
            tracing::error!("firing due timers panicked; they are tried again");
            false
        }
    }
}
