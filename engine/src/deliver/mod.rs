//! The next delivery of a free conversation is paced, intended, sent and settled.
//!
//! The request is written only after *sending* is on disk, and it carries our id; whatever happens
//! then, the delivery is accepted, to be tried again, failed, or in doubt, and nothing else.

mod lookup;
mod resume;
mod sequence;
mod settle;
mod way;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::OwnedSemaphorePermit;

pub(crate) use self::resume::take_up;
use self::settle::settle;
use self::way::{Way, request};
use crate::adapter::{SendError, SendErrorKind};
use crate::breaker::Change;
use crate::core::{Core, OutLane, urgency_of};
use crate::domain::delivery::{Delivery, DeliveryState, Flag};
use crate::domain::ids::DeliveryId;
use crate::domain::location::InDoubtPolicy;
use crate::domain::time::{Span, Timestamp};
use crate::failpoint::Point;
use crate::lanes::{Taken, Urgency};
use crate::mutant::Mutant;
use crate::retry::is_expired;
use crate::store::{self, Depart, Doubt, Doubted, Intend, Intended};

/// How long a conversation rests after the database failed it.
const RETRY_AFTER: Span = Span::seconds(2);

/// How long a delivery waits for a channel that is out of order: a person must mend that, and a changed set-up is
/// noticed by the next look.
const LOCKED: Span = Span::minutes(1);

/// Makes one attempt at the delivery that is next; false if none is.
pub(crate) async fn step(core: &Arc<Core>) -> bool {
    let Some(Taken { key, item, urgency }) = core.outbox.take() else {
        return false;
    };
    attend(core, key, item, urgency, None).await;
    true
}

/// Waits for a permit and a delivery, and starts a sender for it, until the engine stops.
pub(crate) async fn run(core: &Arc<Core>) {
    let asked = core.halt.asked();
    tokio::pin!(asked);
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&core.permits).acquire_owned() => {
                permit.expect("the permits are never closed")
            }
            () = &mut asked => return,
        };
        let Taken { key, item, urgency } = loop {
            if core.halt.is_asked() {
                return;
            }
            if let Some(next) = core.outbox.take() {
                break next;
            }
            tokio::select! {
                () = core.outbox.changed() => {}
                () = &mut asked => return,
            }
        };
        start(core, key, item, urgency, permit);
    }
}

/// Counts a message as on its way for as long as it lives.
struct Flight(Arc<Core>);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.halt.land();
    }
}

/// Attends to a delivery in a task of its own.
fn start(
    core: &Arc<Core>,
    key: OutLane,
    delivery: Box<Delivery>,
    urgency: Urgency,
    permit: OwnedSemaphorePermit,
) {
    core.halt.take_off();
    let flight = Flight(Arc::clone(core));
    tokio::spawn(async move { attend(&flight.0, key, delivery, urgency, Some(permit)).await });
}

/// A permit, and the lane made busy; unused, it frees both.
pub(crate) struct Reservation {
    core: Arc<Core>,
    key: OutLane,
    id: DeliveryId,
    permit: Option<OwnedSemaphorePermit>,
}

impl Reservation {
    /// Sends what was committed under it.
    pub(crate) fn start(mut self, delivery: Box<Delivery>) {
        if let Some(permit) = self.permit.take() {
            self.core.unsent.remove(self.id);
            let urgency = urgency_of(&delivery);
            start(&self.core, self.key, delivery, urgency, permit);
        }
    }

    /// Whether something was committed under it is unknown: nothing was sent.
    pub(crate) fn give_up(self) {
        self.core.unsent.insert(self.id);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.permit.is_some() {
            self.core.outbox.done(self.key);
        }
    }
}

/// Reserves what `delivery` needs to leave right after its commit, if it may.
pub(crate) async fn reserve(
    core: &Arc<Core>,
    delivery: &Delivery,
    now: Timestamp,
) -> Option<Reservation> {
    if core.halt.is_asked() || Mutant::SendBeforeIntent.is_loose() {
        return None;
    }
    let permit = Arc::clone(&core.permits).try_acquire_owned().ok()?;
    let channels = core.setup.channels().await.ok()?;
    let setup = channels.get(delivery.channel_id)?;
    let channel = &setup.channel;
    let (key, urgency) = (OutLane::of(delivery), urgency_of(delivery));
    let may_leave = channel.enabled
        && (core.breakers)
            .check(channel.id, setup.credentials_version, now)
            .is_ok();
    if sequence::is_kept(core, delivery).await {
        return None;
    }
    if !may_leave || !core.outbox.reserve(key, delivery.id, urgency) {
        return None;
    }
    let reservation = Reservation {
        core: Arc::clone(core),
        key,
        id: delivery.id,
        permit: Some(permit),
    };
    core.pace
        .take(channel, delivery.conversation_id, urgency, now)
        .and_then(|()| (core.breakers).enter(channel.id, setup.credentials_version, now))
        .is_ok()
        .then_some(reservation)
}

/// What becomes of a lane after its head was attended to.
enum Next {
    /// On to the next.
    Done,
    /// The head again, but not before then.
    Again(Box<Delivery>, Timestamp),
    /// On to the next; this one goes aside, where it holds up nobody.
    Aside(Box<Delivery>),
}

#[tracing::instrument(name = "engine.deliver", level = "debug", skip_all, fields(delivery.id = %delivery.id))]
async fn attend(
    core: &Arc<Core>,
    key: OutLane,
    delivery: Box<Delivery>,
    urgency: Urgency,
    permit: Option<OwnedSemaphorePermit>,
) {
    let mut kept = delivery.clone();
    let next = async {
        match delivery.state {
            DeliveryState::Ready => depart(core, delivery, urgency, permit).await,
            DeliveryState::Sending => {
                let way = Way::of(core, &delivery).await;
                Ok(send(core, way, delivery, permit).await)
            }
            DeliveryState::InDoubt => doubt(core, delivery).await,
            DeliveryState::Reached(_) | DeliveryState::Cancelled => Ok(Next::Done),
        }
    };
    match AssertUnwindSafe(next).catch_unwind().await {
        Ok(Ok(Next::Done)) => core.outbox.done(key),
        Ok(Ok(Next::Again(delivery, at))) => core.outbox.rest(key, delivery, at),
        Ok(Ok(Next::Aside(delivery))) => {
            core.outbox.done(key);
            core.queue(delivery);
        }
        Ok(Err(error)) => {
            tracing::error!(delivery.id = %kept.id, %error, "a delivery could not be written and is tried again");
            core.outbox.rest(key, kept, core.clock.now() + RETRY_AFTER);
        }
        Err(_) => {
            tracing::error!(delivery.id = %kept.id, "sending a message panicked; its row tells how far it came");
            kept.state = DeliveryState::InDoubt;
            core.outbox.rest(key, kept, core.clock.now() + RETRY_AFTER);
        }
    }
}

async fn depart(
    core: &Arc<Core>,
    delivery: Box<Delivery>,
    urgency: Urgency,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Next, store::Error> {
    let now = core.clock.now();
    if is_expired(&delivery, now) {
        let error = SendError::new(SendErrorKind::Expired, "it waited longer than it was worth");
        return Ok(settle(core, delivery, Err(error), now, permit).await);
    }
    if delivery.not_before > now {
        let at = delivery.not_before;
        return Ok(Next::Again(delivery, at));
    }
    if let Some(at) = sequence::turn(core, &delivery, now).await? {
        return Ok(Next::Again(delivery, at));
    }
    // The pace comes before anything else is read: many may wait for it, again and again.
    let channels = core.setup.channels().await?;
    if let Some(setup) = channels.get(delivery.channel_id) {
        let (channel, version) = (&setup.channel, setup.credentials_version);
        if !channel.enabled {
            return Ok(Next::Again(delivery, now + Span::minutes(1)));
        }
        let may_leave = (core.breakers.check(channel.id, version, now))
            .and_then(|()| (core.pace).take(channel, delivery.conversation_id, urgency, now))
            .and_then(|()| core.breakers.enter(channel.id, version, now));
        if let Err(at) = may_leave {
            return Ok(Next::Again(delivery, at));
        }
    }
    if channels.locked(delivery.channel_id).is_some() {
        return Ok(Next::Again(delivery, now + LOCKED));
    }
    drop(channels);
    let Some(way) = Way::of(core, &delivery).await? else {
        return Ok(settle(core, delivery, Err(no_way()), now, permit).await);
    };
    let depart = Depart {
        delivery: delivery.clone(),
        node: core.node,
        now,
    };
    Point::DeliverIntends.pass().await?;
    if Mutant::SendBeforeIntent.is_loose() {
        let outcome = ask(core, &way, &delivery).await;
        return Ok(match core.store.write(depart).await? {
            Some(delivery) => settle(core, delivery, outcome, now, permit).await,
            None => Next::Done,
        });
    }
    if let Some(delivery) = core.store.write(depart).await? {
        return Ok(send(core, Ok(Some(way)), delivery, permit).await);
    }
    let intend = Intend {
        location_id: delivery.location_id,
        id: delivery.id,
        attempts: delivery.attempts,
        node: core.node,
        now,
    };
    match core.store.write(intend).await? {
        Intended::Send(delivery) => Ok(send(core, Ok(Some(way)), delivery, permit).await),
        Intended::Over(_) => Ok(Next::Done),
    }
}

fn no_way() -> SendError {
    SendError::new(
        SendErrorKind::ChannelUnready,
        "the channel or its provider is not set up any more",
    )
}

/// Sends what is committed as *sending*, and settles it: from here on only the settlement is repeated.
async fn send(
    core: &Arc<Core>,
    way: Result<Option<Way>, store::Error>,
    delivery: Box<Delivery>,
    permit: Option<OwnedSemaphorePermit>,
) -> Next {
    let sent_at = core.clock.now();
    let outcome = match way {
        Err(error) => Err(SendError::new(
            SendErrorKind::NotConnected,
            error.to_string(),
        )),
        Ok(None) => Err(no_way()),
        Ok(Some(way)) => ask(core, &way, &delivery).await,
    };
    pause_or_resume(core, &delivery, &outcome).await;
    settle(core, delivery, outcome, sent_at, permit).await
}

/// The channel learns from how a request ended.
async fn pause_or_resume(core: &Core, delivery: &Delivery, outcome: &Result<String, SendError>) {
    let id = delivery.channel_id;
    let Ok(channels) = core.setup.channels().await else {
        return;
    };
    let version = channels
        .get(id)
        .map_or(0, |setup| setup.credentials_version);
    match core.breakers.tell(id, version, outcome, core.clock.now()) {
        Change::None => {}
        Change::Paused(until) => {
            let problem = outcome.as_ref().err().map(ToString::to_string);
            tracing::warn!(channel.id = %id, %until, problem, "a channel pauses; its messages wait");
        }
        Change::Resumed => {
            tracing::info!(channel.id = %id, "a channel sends again");
            core.outbox.wake_all();
        }
    }
}

/// Makes the request; a panic on its way leaves its fate open.
async fn ask(core: &Core, way: &Way, delivery: &Delivery) -> Result<String, SendError> {
    use tracing::Instrument as _;
    let unsent = |tripped| SendError::new(SendErrorKind::NotConnected, format!("{tripped}"));
    Point::DeliverIntended.pass().await.map_err(unsent)?;
    let span = tracing::debug_span!("channel.send", channel.id = %delivery.channel_id);
    let sending = AssertUnwindSafe(request(core, way, delivery).instrument(span));
    let outcome = sending.catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(delivery.id = %delivery.id, channel.id = %delivery.channel_id, "an adapter panicked");
        Err(SendError::new(SendErrorKind::InDoubt, "the adapter panicked"))
    });
    let unheard = |tripped| SendError::new(SendErrorKind::InDoubt, format!("{tripped}"));
    Point::DeliverSent.pass().await.map_err(unheard)?;
    outcome
}

/// Waiting for evidence is over, or evidence has come: for this message, or for another one.
async fn doubt(core: &Arc<Core>, mut delivery: Box<Delivery>) -> Result<Next, store::Error> {
    if let Some(next) = Box::pin(lookup::look_up(core, &delivery)).await {
        return Ok(next);
    }
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
    let now = core.clock.now();
    let doubt = Doubt {
        location_id: delivery.location_id,
        id: delivery.id,
        resend: policy == InDoubtPolicy::Resend,
        until: now + core.doubt(delivery.channel_id).await,
        now,
    };
    Point::DoubtEnds.pass().await?;
    let doubted = core.store.write(doubt).await?;
    Point::DoubtEnded.pass().await?;
    if !matches!(doubted, Doubted::Wait(_)) {
        core.rota.forget(delivery.id);
    }
    Ok(match doubted {
        Doubted::Over => Next::Done,
        Doubted::Wait(at) => {
            delivery.state = DeliveryState::InDoubt;
            delivery.not_before = at;
            let wakes_at = lookup::next_at(core, &delivery, at);
            Next::Again(delivery, wakes_at)
        }
        Doubted::Send(delivery) => {
            if delivery.flags.has(Flag::Resent) {
                tracing::warn!(delivery.id = %delivery.id, "a message in doubt is sent once more and may arrive twice");
            }
            Next::Again(delivery, now)
        }
    })
}
