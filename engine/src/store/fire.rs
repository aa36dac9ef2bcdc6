//! Timers, cron lines and held answers that are due become events: taken and stored in one transaction.

use sea_orm::DatabaseTransaction;

use super::answer::{self, HeldAnswer};
use super::batch::Batch;
use super::event::NewEvent;
use super::schedule::{self, Schedule};
use super::timer::{self, TimerRow};
use super::{Error, Operation, conversation, event, lane};
use crate::domain::event::{Event, EventState, Payload};
use crate::domain::ids::ChannelId;
use crate::domain::time::Timestamp;

/// Something that is due.
#[derive(Clone, Debug)]
pub(crate) enum Due {
    /// A timer of a conversation.
    Timer(TimerRow),
    /// A timer that waits longer: until the quiet hours are over.
    Postponed { timer: TimerRow, until: Timestamp },
    /// The occurrences of a cron line that come now, and when it falls due next.
    Ticks {
        schedule: Schedule,
        fire: Vec<Timestamp>,
        next_at: Option<Timestamp>,
    },
    /// An answer that waited for the release of its conversation.
    Answer(HeldAnswer),
    /// One that waits longer: until the quiet hours are over.
    PostponedAnswer { held: HeldAnswer, until: Timestamp },
}

/// Turns what is due into events.
pub(crate) struct Fire {
    pub(crate) due: Vec<Due>,
    pub(crate) now: Timestamp,
}

/// The events that came of it; what was moved, cancelled or taken meanwhile gives none.
pub(crate) type Fired = Vec<Event>;

impl Operation for Fire {
    type Output = Fired;

    fn take_events(&self, fired: &mut Fired) -> Vec<Event> {
        std::mem::take(fired)
    }

    async fn apply(&self, tx: &DatabaseTransaction, batch: &mut Batch) -> Result<Fired, Error> {
        let mut events = Vec::with_capacity(self.due.len());
        for due in &self.due {
            match due {
                Due::Timer(timer) => {
                    events.extend(fire_timer(tx, batch, timer, self.now).await?);
                }
                Due::Postponed { timer, until } => timer::postpone(tx, timer, *until).await?,
                Due::Answer(held) => {
                    events.extend(answer::release(tx, batch, held, self.now).await?);
                }
                Due::PostponedAnswer { held, until } => {
                    answer::postpone(tx, held, *until).await?;
                }
                Due::Ticks {
                    schedule,
                    fire,
                    next_at,
                } => {
                    if !schedule::advance(tx, schedule, *next_at).await? {
                        continue;
                    }
                    for due_at in fire {
                        events.extend(fire_tick(tx, batch, schedule, *due_at, self.now).await?);
                    }
                }
            }
        }
        Ok(events)
    }
}

async fn fire_timer(
    tx: &DatabaseTransaction,
    batch: &mut Batch,
    timer: &TimerRow,
    now: Timestamp,
) -> Result<Option<Event>, Error> {
    if !timer::take(tx, timer).await? {
        return Ok(None);
    }
    let (location_id, id) = (timer.location_id, timer.conversation_id);
    let Some(channel_id) = conversation::channel_of(tx, location_id, id).await? else {
        return Ok(None);
    };
    let new = NewEvent {
        location_id,
        channel_id,
        conversation_id: Some(id),
        external_key: &timer.id.to_string(),
        payload: Payload::Timer {
            timer_id: timer.id,
            handler: timer.handler.clone(),
            args: timer.args.clone(),
            due_at: timer.due_at,
            set_seq: timer.set_seq,
            silent_since: timer.if_silent.then_some(timer.set_seq),
        },
        at: timer.due_at,
        received_at: now,
        rule_id: Some(timer.rule_id),
        state: EventState::Pending,
    };
    let event = event::insert(tx, batch, new).await?;
    if event.is_some() {
        lane::advance(tx, location_id, id).await?;
    }
    Ok(event)
}

async fn fire_tick(
    tx: &DatabaseTransaction,
    batch: &mut Batch,
    schedule: &Schedule,
    due_at: Timestamp,
    now: Timestamp,
) -> Result<Option<Event>, Error> {
    let Schedule {
        location_id,
        rule_id,
        handler,
        cron,
        ..
    } = schedule;
    let new = NewEvent {
        location_id: *location_id,
        channel_id: ChannelId::NONE,
        conversation_id: None,
        external_key: &format!("{rule_id}:{handler}:{cron}:{}", due_at.ms()),
        payload: Payload::Tick {
            handler: handler.clone(),
            cron: cron.clone(),
            due_at,
        },
        at: due_at,
        received_at: now,
        rule_id: Some(*rule_id),
        state: EventState::Pending,
    };
    event::insert(tx, batch, new).await
}
