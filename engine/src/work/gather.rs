//! Messages that a customer writes one right after the other are decided as one, if the location asks for it.
//! Only text waits for more of it: whatever else comes is not kept waiting, and ends the wait.

use crate::core::{Core, LaneKey};
use crate::decide::{ActiveRule, Visit};
use crate::domain::event::{Event, Payload};
use crate::domain::ids::EventId;
use crate::domain::message::Body;
use crate::domain::run::Outcome;
use crate::domain::time::{Span, Timestamp};
use crate::setup::LocationSetup;
use crate::store;

/// However long a customer goes on writing, an answer comes after this.
const LONGEST_WAIT: Span = Span::minutes(1);
/// Messages that are decided as one at most.
const MAX_GATHERED: usize = 20;

/// What there is to decide.
pub(super) enum Gathered {
    /// More may come until then.
    Wait(Timestamp),
    /// This, in one.
    Burst(Box<Burst>),
}

/// An event, and those before it that were gathered into it.
pub(super) struct Burst {
    /// The last one, with the words of all.
    pub(super) event: Event,
    /// The first one: what was before it is what was before all.
    pub(super) first: Event,
    /// The others.
    pub(super) earlier: Vec<EventId>,
}

impl Burst {
    fn of(event: Event) -> Self {
        Self {
            first: event.clone(),
            event,
            earlier: Vec::new(),
        }
    }

    /// The events besides the one at the head of the lane.
    pub(super) fn others(&self) -> impl Iterator<Item = EventId> {
        let ids = self.earlier.iter().copied().chain([self.event.id]);
        ids.filter(|id| *id != self.first.id)
    }
}

/// Gathers what the customer wrote right after `event`, the head of its lane.
pub(super) async fn gather(
    core: &Core,
    key: LaneKey,
    event: &Event,
    now: Timestamp,
) -> Result<Gathered, store::Error> {
    let setup = match text(event) {
        Some(_) => core.setup.location(event.location_id).await?,
        None => None,
    };
    let span = setup.and_then(|setup| setup.location.settings.gather_ms);
    let Some(span) = span else {
        return Ok(Gathered::Burst(Box::new(Burst::of(event.clone()))));
    };
    let behind = core.inbox.behind(key, MAX_GATHERED);
    let texts = behind
        .iter()
        .take_while(|event| text(event).is_some())
        .count();
    let last = behind[..texts].last().unwrap_or(event);
    let until = (last.received_at + span).min(event.received_at + LONGEST_WAIT);
    let is_interrupted = texts < behind.len() || behind.len() == MAX_GATHERED;
    if now < until && !is_interrupted {
        return Ok(Gathered::Wait(until));
    }
    let mut burst = Burst::of(event.clone());
    for next in behind.into_iter().take(texts) {
        burst.earlier.push(burst.event.id);
        burst.event = joined(&burst.event, next);
    }
    Ok(Gathered::Burst(Box::new(burst)))
}

fn text(event: &Event) -> Option<&str> {
    match &event.payload {
        Payload::Message { message } => match &message.body {
            Body::Text { text } => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The later message with the words of both, and with what only the earlier one tells.
fn joined(earlier: &Event, mut later: Event) -> Event {
    let words = text(earlier).unwrap_or_default().to_owned();
    if let (Payload::Message { message: before }, Payload::Message { message }) =
        (&earlier.payload, &mut later.payload)
    {
        if let Body::Text { text } = &mut message.body {
            *text = format!("{words}\n{text}");
        }
        message.reply_to = message.reply_to.take().or_else(|| before.reply_to.clone());
        message.referral = message.referral.take().or_else(|| before.referral.clone());
    }
    later
}

/// What the rules know of messages that were decided with a later one.
pub(super) fn gathered(setup: &LocationSetup, into: EventId) -> String {
    let visit = |rule: &ActiveRule| Visit {
        rule_id: rule.id,
        outcome: Outcome::Gathered { into },
    };
    let visits: Vec<Visit> = setup.rules.iter().map(visit).collect();
    store::write_json(&visits)
}
