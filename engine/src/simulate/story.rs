//! What happened in a world, as it can be told: what was said, which rules were asked and why they did
//! what they did, and what became of every message. Changes nothing.

use std::collections::BTreeMap;
use std::fmt;

use chrono_tz::Tz;

use super::effects;
use super::world::{Error, World};
use crate::decide::Visit;
use crate::domain::content::Content;
use crate::domain::delivery::{DeliveryState, Origin};
use crate::domain::effect::Effect;
use crate::domain::event::{EchoOrigin, Event, Payload};
use crate::domain::ids::{ContactId, DeliveryId, EventId};
use crate::domain::inbound::Stage;
use crate::domain::local;
use crate::domain::run::{Outcome, TraceLine};
use crate::domain::time::Timestamp;
use crate::script::testing::words;
use crate::store::{DeliveryFilter, DeliveryRow};

/// Events and messages told of at most.
const MOST: u64 = 2_000;

/// What happened, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// One scene for each event.
    pub scenes: Vec<Scene>,
    zone: Tz,
}

/// Something that happened, and what followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The event.
    pub event_id: EventId,
    /// When it was looked at.
    pub at: Timestamp,
    /// The customer whose chat it belongs to, if to any.
    pub customer: String,
    /// Who or what did it.
    pub cause: Cause,
    /// In one line.
    pub text: String,
    /// The rules that were asked, in their order.
    pub asked: Vec<Asked>,
    /// What was to be sent.
    pub replies: Vec<Reply>,
}

/// Who or what made something happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The customer.
    Customer,
    /// The owner, from the phone app.
    Owner,
    /// A person, from the inbox.
    Agent,
    /// The provider, telling what became of a message.
    Provider,
    /// A program that a rule has called.
    Endpoint,
    /// Time: a follow-up, or a schedule.
    Time,
    /// Anything else.
    Other,
}

/// A rule that was asked about an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The rule, by the name it was published under.
    pub rule: String,
    /// The function that ran, or "".
    pub handler: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What it wanted.
    pub effects: Vec<Effect>,
    /// What it logged.
    pub trace: Vec<TraceLine>,
}

/// A message that was to be sent, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// This message.
    pub delivery_id: DeliveryId,
    /// What left, or would have.
    pub content: Content,
    /// When that was settled.
    pub at: Timestamp,
    /// How far it came.
    pub state: DeliveryState,
    /// Why it failed, or "".
    pub failure: String,
}

impl World {
    /// What happened after an event, or since the world began.
    ///
    /// # Errors
    /// The database failed.
    pub async fn story(&self, after: Option<EventId>) -> Result<Story, Error> {
        let location = self.location();
        let store = self.engine().store().of(location.id);
        let mut replies: BTreeMap<EventId, Vec<Reply>> = BTreeMap::new();
        for row in store.deliveries(&DeliveryFilter::default(), MOST).await? {
            if let Origin::Rule { event_id, .. } = row.delivery.origin {
                replies.entry(event_id).or_default().push(Reply::from(row));
            }
        }
        let names: BTreeMap<ContactId, String> = {
            let contacts = store.contacts(None, MOST).await?.into_iter();
            contacts.map(|contact| (contact.id, contact.name)).collect()
        };
        let conversations = store.conversations(None, MOST).await?;
        let mut scenes = Vec::new();
        for row in store.events(after, MOST).await? {
            let event = row.event;
            let customer = conversations
                .iter()
                .find(|one| Some(one.id) == event.conversation_id)
                .and_then(|one| names.get(&one.contact_id).cloned())
                .unwrap_or_default();
            let mut asked = Vec::new();
            let mut at = event.received_at;
            for row in store.runs(event.id).await? {
                at = row.decided_at;
                let run = row.run;
                asked.push(Asked {
                    rule: self.rule_name(run.rule_id).to_owned(),
                    handler: run.handler,
                    outcome: run.outcome,
                    effects: run.effects,
                    trace: run.trace,
                });
            }
            let visits: Vec<Visit> = match &row.visits {
                Some(visits) => crate::store::read_json("event", visits)?,
                None => Vec::new(),
            };
            asked.extend(visits.into_iter().map(|visit| Asked {
                rule: self.rule_name(visit.rule_id).to_owned(),
                handler: String::new(),
                outcome: visit.outcome,
                effects: Vec::new(),
                trace: Vec::new(),
            }));
            let place = |asked: &Asked| {
                let mut rules = self.rules().iter();
                rules.position(|(_, name)| *name == asked.rule)
            };
            asked.sort_by_key(place);
            let (cause, text) = self.tell(&event);
            scenes.push(Scene {
                event_id: event.id,
                at,
                customer,
                cause,
                text,
                asked,
                replies: replies.remove(&event.id).unwrap_or_default(),
            });
        }
        Ok(Story {
            scenes,
            zone: location.time_zone,
        })
    }

    fn tell(&self, event: &Event) -> (Cause, String) {
        let rule = || event.rule_id.map_or("a rule", |id| self.rule_name(id));
        match &event.payload {
            Payload::Message { message } => (Cause::Customer, words::body(&message.body)),
            Payload::Echo { message, origin } => {
                let cause = match origin {
                    EchoOrigin::Phone => Cause::Owner,
                    EchoOrigin::Inbox => Cause::Agent,
                };
                (cause, words::body(&message.body))
            }
            Payload::Status { status, .. } => {
                let why = status
                    .failure
                    .iter()
                    .map(|failure| format!(": {}", failure.kind));
                let why: String = why.collect();
                let became = match status.stage {
                    Stage::Failed => "failed".to_owned(),
                    stage => format!("was {}", stage.name()),
                };
                let text = format!("a message {became}{why}");
                (Cause::Provider, text)
            }
            Payload::Timer { handler, .. } | Payload::Tick { handler, .. } => {
                (Cause::Time, format!("{} calls {handler}", rule()))
            }
            Payload::Response {
                endpoint, response, ..
            } => {
                let text = match response.error {
                    Some(fault) => format!("{endpoint} did not answer: {}", fault.name()),
                    None => format!("{endpoint} answered with {}", response.status),
                };
                (Cause::Endpoint, text)
            }
            other => (Cause::Other, other.kind().to_owned()),
        }
    }
}

impl From<DeliveryRow> for Reply {
    fn from(row: DeliveryRow) -> Self {
        let failure = row.failure.map_or_else(String::new, |failure| {
            if failure.detail.is_empty() {
                failure.kind
            } else {
                format!("{}: {}", failure.kind, failure.detail)
            }
        });
        Self {
            delivery_id: row.delivery.id,
            content: row.delivery.content,
            at: row.updated_at,
            state: row.delivery.state,
            failure,
        }
    }
}

impl Asked {
    /// Why the rule did what it did, as a sentence that goes on after its name.
    pub fn why(&self, zone: Tz) -> String {
        let ran = &self.handler;
        match &self.outcome {
            Outcome::Nothing => format!("ran {ran} and wanted nothing"),
            Outcome::Effects => {
                let wanted = self.effects.iter();
                let wanted: Vec<String> = wanted.map(|it| effects::briefly(it, zone)).collect();
                format!("ran {ran}: {}", wanted.join(", "))
            }
            Outcome::Error {
                message,
                line,
                column,
            } => format!("failed in {ran} at {line}:{column}: {message}"),
            Outcome::NoHandler => format!("has {}", self.why_not()),
            Outcome::Held | Outcome::Stopped => format!("was not asked: {}", self.why_not()),
            Outcome::Gathered { .. } => format!("waited for more: {}", self.why_not()),
            Outcome::Moot { .. } | Outcome::NotSilent => {
                format!("was not called: {}", self.why_not())
            }
        }
    }

    /// What kept the rule from running; "" if it ran.
    pub fn why_not(&self) -> &str {
        match &self.outcome {
            Outcome::Nothing | Outcome::Effects | Outcome::Error { .. } => "",
            Outcome::NoHandler => "no function for this",
            Outcome::Held => "someone else is in charge of the chat",
            Outcome::Stopped => "an earlier rule said stop()",
            Outcome::Moot { why } => why,
            Outcome::Gathered { .. } => "it was decided with the next message",
            Outcome::NotSilent => "someone wrote in the meantime",
        }
    }
}

impl Scene {
    /// Who did it, in front of what they did.
    pub fn who(&self) -> String {
        match self.cause {
            Cause::Customer => format!("{}: ", self.customer),
            Cause::Owner => format!("the owner, to {}: ", self.customer),
            Cause::Agent => format!("the inbox, to {}: ", self.customer),
            _ if self.customer.is_empty() => "· ".to_owned(),
            Cause::Provider | Cause::Endpoint | Cause::Time | Cause::Other => {
                format!("· {}: ", self.customer)
            }
        }
    }
}

/// What the clocks in `zone` show, as it stands in front of what happened then: `Wed 07 Jan 10:00`.
pub fn clock(at: Timestamp, zone: Tz) -> String {
    local::shown(at, zone).format("%a %d %b %H:%M").to_string()
}

impl Reply {
    /// What became of it, as a remark; "" if it arrived.
    pub fn remark(&self) -> String {
        let failure = if self.failure.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.failure)
        };
        match self.state {
            DeliveryState::Reached(Stage::Failed) => format!("did not arrive{failure}"),
            DeliveryState::Reached(_) => String::new(),
            DeliveryState::Ready | DeliveryState::Sending => format!("waits{failure}"),
            DeliveryState::InDoubt => "in doubt: the provider did not answer".to_owned(),
            DeliveryState::Cancelled => format!("cancelled{failure}"),
        }
    }
}

/// As lines for a person, each with the location's time.
impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |at: Timestamp| clock(at, self.zone);
        const MARGIN: &str = "                  ";
        for scene in &self.scenes {
            writeln!(f, "{}  {}{}", clock(scene.at), scene.who(), scene.text)?;
            for asked in &scene.asked {
                writeln!(f, "{MARGIN}{} {}", asked.rule, asked.why(self.zone))?;
                for line in &asked.trace {
                    writeln!(f, "{MARGIN}  · {}", line.text)?;
                }
            }
            for reply in &scene.replies {
                let remark = reply.remark();
                let remark = if remark.is_empty() {
                    remark
                } else {
                    format!(" — {remark}")
                };
                let text = words::content(&reply.content);
                writeln!(
                    f,
                    "{}  → {}: {text}{remark}",
                    clock(reply.at),
                    scene.customer
                )?;
            }
        }
        Ok(())
    }
}
