//! The next event of a free conversation is taken, decided and committed.

mod gather;
mod restrain;
mod suspect;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;

use self::gather::{Burst, Gathered, gather, gathered};
use self::restrain::restrain;
use self::suspect::Suspicion;
use crate::adapter::Signal;
use crate::core::{Core, LaneKey, urgency};
use crate::decide::{Decision, ON_WINDOW_CLOSING, Question, decide};
use crate::deliver::{self, Reservation};
use crate::domain::content::Content;
use crate::domain::delivery::{DeliveryState, Flag};
use crate::domain::event::{Event, Payload};
use crate::domain::ids::{ConversationId, LocationId};
use crate::domain::run::Outcome;
use crate::domain::snapshot::{Line, Snapshot};
use crate::domain::time::{Span, Timestamp};
use crate::failpoint::Point;
use crate::lanes::{Taken, Urgency};
use crate::setup::LocationSetup;
use crate::store::{self, Commit, DeliveryFilter};

/// How long a conversation rests after the database failed it.
const RETRY_AFTER: Span = Span::seconds(2);
/// How long it rests after its event met a mistake of the program, which will not mend itself soon.
const AFTER_PANIC: Span = Span::minutes(1);
/// How long it rests after something about it did not read: a person must mend that.
const AFTER_DAMAGE: Span = Span::minutes(1);

/// Whether a commit may hand its first delivery over to a sender at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandOver {
    /// A sender is started for it, outside this call.
    AtOnce,
    /// It waits in the outbox: for those who step the engine by hand.
    Queued,
}

/// Takes events through their rules, until the engine stops.
pub(crate) async fn run(core: &Arc<Core>) {
    let asked = core.halt.asked();
    tokio::pin!(asked);
    loop {
        while !core.halt.is_asked() && step(core, HandOver::AtOnce).await {}
        tokio::select! {
            biased;
            () = &mut asked => return,
            () = core.inbox.changed() => {}
        }
    }
}

/// Takes one event through its rules; false if none waits.
pub(crate) async fn step(core: &Arc<Core>, hand_over: HandOver) -> bool {
    if core.store.is_shaken() {
        // An earlier event of a conversation may be on disk without anyone knowing of it.
        return false;
    }
    let Some(Taken { key, item, urgency }) = core.inbox.take() else {
        return false;
    };
    let is_live = urgency == Urgency::Live;
    let _counted = is_live.then(|| core.gate.count());
    let processing = AssertUnwindSafe(attend(core, key, &item, hand_over));
    let until = match processing.catch_unwind().await {
        Ok(Ok(until)) => until,
        Err(_) => {
            tracing::error!(event.id = %item.id, "deciding an event panicked; it is tried again in a while");
            Some(core.clock.now() + AFTER_PANIC)
        }
        Ok(Err(error)) => {
            tracing::error!(event.id = %item.id, %error, "an event could not be decided and is tried again");
            let rest = match error {
                store::Error::Corrupt { .. } | store::Error::Sealed(_) => AFTER_DAMAGE,
                _ => RETRY_AFTER,
            };
            Some(core.clock.now() + rest)
        }
    };
    match until {
        Some(until) => core.inbox.rest(key, item, until),
        None => {
            core.inbox.done(key);
            if is_live {
                core.gate.done();
            }
        }
    }
    true
}

/// Takes the head of a lane through its rules, with what was gathered into it. Says until when it waits, if
/// it does.
async fn attend(
    core: &Arc<Core>,
    key: LaneKey,
    event: &Event,
    hand_over: HandOver,
) -> Result<Option<Timestamp>, store::Error> {
    let burst = match gather(core, key, event, core.clock.now()).await? {
        Gathered::Wait(until) => return Ok(Some(until)),
        Gathered::Burst(burst) => burst,
    };
    let until = attempt(core, &burst, hand_over).await?;
    if until.is_none() {
        core.inbox.remove(key, burst.others());
    }
    Ok(until)
}

/// Takes an event through its rules, counting the attempt if it is suspect. Says until when it waits, if it does.
async fn attempt(
    core: &Arc<Core>,
    burst: &Burst,
    hand_over: HandOver,
) -> Result<Option<Timestamp>, store::Error> {
    let counted = suspect::count(core, &burst.event, core.clock.now()).await?;
    match counted {
        Suspicion::Wait(until) => return Ok(Some(until)),
        Suspicion::PutAside => return Ok(None),
        Suspicion::None | Suspicion::Counted => {}
    }
    let processed = process(core, burst, hand_over).await;
    if processed.is_err() && counted == Suspicion::Counted {
        suspect::uncount(core, &burst.event).await;
    }
    processed.map(|()| None)
}

async fn process(core: &Arc<Core>, burst: &Burst, hand_over: HandOver) -> Result<(), store::Error> {
    let event = &burst.event;
    let Some(setup) = core.setup.location(event.location_id).await? else {
        tracing::debug!(location.id = %event.location_id, "an event of a location that is gone is dropped");
        return Ok(());
    };
    let now = core.clock.now();
    let (mut decision, snapshot) = ask(core, &setup, burst, now).await?;
    restrain(core, event, snapshot.as_ref(), &mut decision, now).await?;
    let gathered_visits = (!burst.earlier.is_empty()).then(|| gathered(&setup, event.id));
    let Decision {
        runs,
        visits,
        states,
        contact,
        hold,
        mut deliveries,
        timers,
        signals,
        requests,
        held_answer,
        fanouts,
        notes,
        assigned,
    } = decision;
    let asks = !requests.is_empty();
    // What was waited for to gather is no delay.
    let waited = setup.location.settings.gather_ms.unwrap_or_default();
    if urgency(event, now - waited) == Urgency::Background {
        for delivery in &mut deliveries {
            delivery.flags = delivery.flags.with(Flag::Background);
        }
    }
    for run in &runs {
        if let Outcome::Error { line, column, .. } = &run.outcome {
            tracing::warn!(location.id = %event.location_id, rule.id = %run.rule_id, run.id = %run.id, line, column,
                "a rule failed");
        }
    }
    Point::DecideDecided.pass().await?;
    // A delivery that may leave at once is committed as *sending* together with its run.
    let first = (deliveries.iter()).find(|delivery| delivery.state == DeliveryState::Ready);
    let reservation = match (hand_over, first) {
        (HandOver::AtOnce, Some(first)) => deliver::reserve(core, first, now).await,
        _ => None,
    };
    let commit = Commit {
        location_id: event.location_id,
        event_id: event.id,
        gathered: burst.earlier.clone(),
        gathered_visits,
        conversation_id: event.conversation_id,
        decided_at: now,
        runs,
        visits: (!visits.is_empty()).then(|| store::write_json(&visits)),
        states,
        contact,
        hold,
        deliveries,
        timers,
        requests,
        held_answer,
        fanouts,
        notes,
        assigned,
        sender: reservation.is_some().then_some(core.node),
    };
    let committed = {
        use tracing::Instrument as _;
        let span = tracing::debug_span!("engine.commit", event.id = %event.id);
        core.store.write(commit).instrument(span).await
    };
    let deliveries = match committed {
        Ok(deliveries) => deliveries,
        // It was committed before, and nobody heard of it.
        Err(store::Error::Stale) => {
            drop(reservation);
            return follow(core, event).await;
        }
        Err(error) => {
            reservation.into_iter().for_each(Reservation::give_up);
            return Err(error);
        }
    };
    Point::DecideCommitted.pass().await?;
    if asks {
        core.requested.notify_one();
    }
    let mut deliveries = deliveries.into_iter().map(Box::new);
    match (reservation, deliveries.next()) {
        (Some(reservation), Some(first)) => {
            // The rest follows in its lane, which is busy until the first is settled.
            for delivery in deliveries {
                core.queue(delivery);
            }
            reservation.start(first);
        }
        (reservation, first) => {
            drop(reservation);
            for delivery in first.into_iter().chain(deliveries) {
                core.queue(delivery);
            }
        }
    }
    if let Some(snapshot) = snapshot.filter(|_| !signals.is_empty()) {
        show(core, &snapshot, &signals).await;
    }
    Ok(())
}

/// Takes up what an event's rules wanted to send when it was decided, before the next one is.
async fn follow(core: &Core, event: &Event) -> Result<(), store::Error> {
    let open = core.store.of(event.location_id).open_of(event.id).await?;
    for delivery in open {
        deliver::take_up(core, Box::new(delivery)).await?;
    }
    Ok(())
}

#[tracing::instrument(name = "engine.decide", level = "debug", skip_all, fields(event.id = %burst.event.id))]
async fn ask(
    core: &Core,
    setup: &LocationSetup,
    burst: &Burst,
    now: Timestamp,
) -> Result<(Decision, Option<Snapshot>), store::Error> {
    let event = &burst.event;
    let snapshot = match event.conversation_id {
        Some(_) if setup.rules.is_empty() => None,
        Some(_) => look(core, setup, burst).await?,
        None => None,
    };
    let states = match &snapshot {
        Some(snapshot) => {
            core.store
                .of(event.location_id)
                .rule_states(snapshot.conversation.id)
                .await?
        }
        None => BTreeMap::new(),
    };
    let question = Question {
        event,
        location: &setup.location,
        rules: &setup.rules,
        endpoints: &setup.endpoints,
        snapshot: snapshot.as_ref(),
        states: &states,
        now,
    };
    let decision = decide(core.setup.scripts(), &question);
    Ok((decision, snapshot))
}

/// The conversation as it is now.
async fn look(
    core: &Core,
    setup: &LocationSetup,
    burst: &Burst,
) -> Result<Option<Snapshot>, store::Error> {
    let event = &burst.event;
    let store = core.store.of(event.location_id);
    let Some(id) = event.conversation_id else {
        return Ok(None);
    };
    let Some((conversation, contact)) = store.conversation_and_contact(id).await? else {
        return Err(store::Error::corrupt("event", "its conversation is gone"));
    };
    let channels = core.setup.channels().await?;
    let Some(channel) = channels.get(conversation.channel_id) else {
        return Err(store::Error::corrupt("conversation", "its channel is gone"));
    };
    let history = match setup.history_lines {
        0 => Vec::new(),
        limit => history(core, event.location_id, id, limit).await?,
    };
    let previous_message_at = match &burst.first.payload {
        Payload::Message { message } if setup.has_on_start => {
            let seq = burst.first.seq;
            store.previous_message_at(id, message, seq).await?
        }
        _ => None,
    };
    let answered = match &event.payload {
        Payload::Timer {
            handler, set_seq, ..
        } if handler == ON_WINDOW_CLOSING => store.is_answered(id, *set_seq).await?,
        _ => false,
    };
    Ok(Some(Snapshot {
        location: setup.location.clone(),
        channel: channel.channel.as_ref().clone(),
        contact,
        conversation,
        history,
        previous_message_at,
        answered,
    }))
}

/// The latest lines of a conversation, ours and theirs, oldest first.
pub(crate) async fn history(
    core: &Core,
    location_id: LocationId,
    id: ConversationId,
    limit: u64,
) -> Result<Vec<Line>, store::Error> {
    let store = core.store.of(location_id);
    let theirs = store
        .messages(id, limit)
        .await?
        .into_iter()
        .map(|row| Line {
            kind: row.message.body.kind().to_owned(),
            text: row.message.body.text().to_owned(),
            by: row.origin,
            at: row.at,
        });
    let filter = DeliveryFilter {
        conversation_id: Some(id),
        state: None,
    };
    let ours = store
        .deliveries(&filter, limit)
        .await?
        .into_iter()
        .map(|row| Line {
            by: match row.delivery.origin {
                crate::domain::delivery::Origin::Rule { .. } => "rule".to_owned(),
                crate::domain::delivery::Origin::Person => "inbox".to_owned(),
            },
            kind: row.delivery.content.kind().to_owned(),
            text: match &row.delivery.content {
                Content::Reaction { emoji, .. } => emoji.clone(),
                content => content.text().to_owned(),
            },
            at: row.delivery.created_at,
        });
    let mut lines: Vec<Line> = theirs.chain(ours).collect();
    lines.sort_by_key(|line| line.at);
    let surplus = lines
        .len()
        .saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    lines.drain(..surplus);
    Ok(lines)
}

/// Marks on the customer's message: best effort, outside the lane, never retried.
async fn show(
    core: &Arc<Core>,
    snapshot: &Snapshot,
    signals: &[(crate::adapter::SignalKind, String)],
) {
    let Ok(channels) = core.setup.channels().await else {
        return;
    };
    let Some(setup) = channels.get(snapshot.channel.id).cloned() else {
        return;
    };
    let Some(adapter) = core.adapters.get(setup.channel.provider.as_str()).cloned() else {
        return;
    };
    let signals = signals.to_vec();
    tokio::spawn(async move {
        for (kind, message_id) in signals {
            let signal = Signal {
                channel: &setup.channel,
                credentials: &setup.credentials,
                message_id: &message_id,
                kind,
            };
            if let Err(error) = adapter.signal(&signal).await {
                tracing::debug!(channel.id = %setup.channel.id, %error, "a read or typing mark was not shown");
            }
        }
    });
}
