//! Committing a decision: state, runs, deliveries, timers and the event itself, in one transaction.

use std::collections::BTreeMap;

use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::Uuid;
use serde_json::{Map, Value};

use super::batch::{Batch, Flushed};
use super::delivery;
use super::timer::{self, TimerRow};
use super::{Error, Operation, answer, contact, fanout, lane, note, request, rule_state, run};
use crate::domain::contact::ContactChanges;
use crate::domain::conversation::Hold;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::fanout::Fanout;
use crate::domain::ids::{ConversationId, EventId, LocationId, RequestId, RuleId};
use crate::domain::note::Note;
use crate::domain::request::Request;
use crate::domain::run::Run;
use crate::domain::time::Timestamp;

/// A decision about one event, to be written as a whole.
pub(crate) struct Commit {
    pub(crate) location_id: LocationId,
    /// The event that was decided.
    pub(crate) event_id: EventId,
    /// Events that were decided with it, and what is kept of that, as JSON.
    pub(crate) gathered: Vec<EventId>,
    pub(crate) gathered_visits: Option<String>,
    /// Its conversation, if it has one.
    pub(crate) conversation_id: Option<ConversationId>,
    pub(crate) decided_at: Timestamp,
    pub(crate) runs: Vec<Run>,
    /// The rules that did not run, and why, as JSON.
    pub(crate) visits: Option<String>,
    pub(crate) states: Vec<RuleState>,
    /// What rules changed about the contact.
    pub(crate) contact: Option<ContactChanges>,
    pub(crate) hold: HoldChange,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) timers: Vec<TimerChange>,
    pub(crate) requests: Vec<Request>,
    pub(crate) fanouts: Vec<Fanout>,
    pub(crate) notes: Vec<Note>,
    /// Set if rules named who should take over: a name, or "" for nobody.
    pub(crate) assigned: Option<String>,
    /// The request whose answer this is, if it waits for the release of the conversation.
    pub(crate) held_answer: Option<RequestId>,
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
    /// Someone else, or with `None` the rules; but only if it is still as the rules saw it: a person who
    /// wrote while they ran stays in charge.
    Change {
        seen: Option<Hold>,
        to: Option<Hold>,
    },
}

/// A timer to be set or dropped.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TimerChange {
    Set(TimerRow),
    Cancel { rule_id: RuleId, handler: String },
}

impl Operation for Commit {
    type Output = Vec<Delivery>;

    async fn apply(
        &self,
        tx: &DatabaseTransaction,
        batch: &mut Batch,
    ) -> Result<Vec<Delivery>, Error> {
        let location_id = self.location_id;
        for id in &self.gathered {
            batch.finish(location_id, *id, self.gathered_visits.as_deref());
        }
        batch.finish(location_id, self.event_id, self.visits.as_deref());
        for run in &self.runs {
            batch.run(run::row(location_id, run, self.decided_at));
        }
        if let Some(changes) = &self.contact {
            contact::change(tx, location_id, changes).await?;
        }
        if let Some(conversation_id) = self.conversation_id {
            for RuleState { rule_id, state } in &self.states {
                batch.state(rule_state::row(
                    location_id,
                    conversation_id,
                    *rule_id,
                    state,
                ));
            }
            for change in self.last_timer_changes() {
                match change {
                    TimerChange::Set(timer) => batch.timer(timer::row(timer)),
                    TimerChange::Cancel { rule_id, handler } => {
                        timer::cancel(tx, location_id, conversation_id, *rule_id, handler).await?;
                    }
                }
            }
        }
        self.apply_errands(tx).await?;
        // Only the first to be sent may leave at once: the others follow it.
        let mut sender = self.sender;
        for delivery in &self.deliveries {
            let leaves = delivery.state == DeliveryState::Ready;
            batch.delivery(delivery::row(
                delivery,
                if leaves { sender.take() } else { None },
            ));
        }
        if let Some(conversation_id) = self.conversation_id {
            match self.hold {
                HoldChange::None => {}
                HoldChange::Change { seen, to } => {
                    // A rule's hold does not stop what the same run sends.
                    batch.flush(tx).await?;
                    lane::change_hold(tx, location_id, conversation_id, seen, to).await?;
                }
            }
        }
        // What was refused at once is written, and goes no further.
        let to_send = self
            .deliveries
            .iter()
            .filter(|delivery| delivery.state == DeliveryState::Ready);
        Ok(to_send.cloned().collect())
    }

    fn complete(&self, mut deliveries: Vec<Delivery>, flushed: &Flushed) -> Vec<Delivery> {
        for delivery in &mut deliveries {
            if flushed.is_sending(delivery.id) {
                delivery.state = DeliveryState::Sending;
                delivery.attempts = 1;
            }
        }
        deliveries
    }
}

impl Commit {
    /// What is done beside the conversation.
    async fn apply_errands(&self, tx: &DatabaseTransaction) -> Result<(), Error> {
        let location_id = self.location_id;
        request::insert(tx, &self.requests).await?;
        if let Some(id) = self.held_answer {
            answer::hold(tx, location_id, id, self.event_id).await?;
        }
        fanout::insert(tx, &self.fanouts).await?;
        for note in &self.notes {
            note::insert(tx, note).await?;
        }
        if let (Some(id), Some(to)) = (self.conversation_id, &self.assigned) {
            lane::assign(tx, location_id, id, to).await?;
        }
        Ok(())
    }

    /// For each handler of each rule what was asked last: a statement cannot change a row twice.
    fn last_timer_changes(&self) -> impl Iterator<Item = &TimerChange> {
        let mut last: BTreeMap<(RuleId, &str), &TimerChange> = BTreeMap::new();
        for change in &self.timers {
            let key = match change {
                TimerChange::Set(timer) => (timer.rule_id, timer.handler.as_str()),
                TimerChange::Cancel { rule_id, handler } => (*rule_id, handler.as_str()),
            };
            last.insert(key, change);
        }
        last.into_values()
    }
}
