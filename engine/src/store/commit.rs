//! Committing a decision: state, runs, deliveries, timers and the event itself, in one transaction.

use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::Uuid;
use serde_json::{Map, Value};

use super::delivery;
use super::settle::{Departure, departure};
use super::timer::{self, TimerRow};
use super::{Error, Operation, contact, event, lane, rule_state, run};
use crate::domain::contact::Contact;
use crate::domain::conversation::Hold;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::event::{Event, EventState};
use crate::domain::ids::RuleId;
use crate::domain::run::Run;
use crate::domain::time::Timestamp;

/// A decision about one event, to be written as a whole.
pub(crate) struct Commit {
    pub(crate) event: Event,
    pub(crate) decided_at: Timestamp,
    pub(crate) runs: Vec<Run>,
    /// The rules that did not run, and why, as JSON.
    pub(crate) visits: Option<String>,
    pub(crate) states: Vec<RuleState>,
    /// The contact, if rules changed it.
    pub(crate) contact: Option<Contact>,
    pub(crate) hold: HoldChange,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) timers: Vec<TimerChange>,
    /// Set if the first delivery may be committed as *sending* at once: who sends it.
    pub(crate) sender: Option<Uuid>,
}

/// What a rule remembers from now on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RuleState {
    pub(crate) rule_id: RuleId,
    pub(crate) state: Map<String, Value>,
}

/// Who is in charge from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum HoldChange {
    /// Whoever was.
    #[default]
    None,
    /// A person.
    Hold(Hold),
    /// The rules.
    Release,
}

/// A timer to be set or dropped.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TimerChange {
    Set(TimerRow),
    Cancel { rule_id: RuleId, handler: String },
}

/// What came of a commit.
#[derive(Debug)]
pub(crate) enum Committed {
    /// It is on disk, with these deliveries; the first may be *sending* already.
    Done(Vec<Delivery>),
    /// The event was decided before: nothing was written.
    Before,
}

impl Operation for Commit {
    type Output = Committed;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<Committed, Error> {
        let location_id = self.event.location_id;
        let done = EventState::Done;
        if !event::finish(tx, location_id, self.event.id, done, self.visits.as_deref()).await? {
            return Ok(Committed::Before);
        }
        for run in &self.runs {
            run::insert(tx, location_id, run, self.decided_at).await?;
        }
        if let Some(contact) = &self.contact {
            contact::save_facts(tx, contact).await?;
        }
        if let Some(conversation_id) = self.event.conversation_id {
            for RuleState { rule_id, state } in &self.states {
                rule_state::save(tx, location_id, conversation_id, *rule_id, state).await?;
            }
            for change in &self.timers {
                match change {
                    TimerChange::Set(timer) => timer::set(tx, timer).await?,
                    TimerChange::Cancel { rule_id, handler } => {
                        timer::cancel(tx, location_id, conversation_id, *rule_id, handler).await?;
                    }
                }
            }
        }
        let deliveries = self.deliveries(tx).await?;
        if let Some(conversation_id) = self.event.conversation_id {
            match self.hold {
                HoldChange::None => {}
                HoldChange::Hold(hold) => {
                    lane::set_hold(tx, location_id, conversation_id, Some(hold)).await?
                }
                HoldChange::Release => {
                    lane::set_hold(tx, location_id, conversation_id, None).await?
                }
            }
        }
        Ok(Committed::Done(deliveries))
    }
}

impl Commit {
    async fn deliveries(&self, tx: &DatabaseTransaction) -> Result<Vec<Delivery>, Error> {
        let mut deliveries = self.deliveries.clone();
        if let (Some(node), Some(first)) = (self.sender, deliveries.first_mut()) {
            let lane = lane::read(tx, first.location_id, first.conversation_id).await?;
            // Anything but a plain departure takes the longer way, which tells the reasons.
            if let Departure::Send(content) = departure(&lane, first, self.decided_at) {
                if content != first.content {
                    first.content = content;
                    first.fallback = None;
                }
                first.state = DeliveryState::Sending;
                first.attempts = 1;
                delivery::insert(tx, first, None, Some(node)).await?;
            } else {
                delivery::insert(tx, first, None, None).await?;
            }
        }
        let inserted = usize::from(self.sender.is_some());
        for delivery in deliveries.iter().skip(inserted) {
            delivery::insert(tx, delivery, None, None).await?;
        }
        Ok(deliveries)
    }
}
