//! Attempts at events: counted before they are made, so that what never comes to an end is put aside.
//! Knows no rule.

use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult};

use super::batch::Batch;
use super::event::change_state;
use super::{Error, Operation, sql};
use crate::domain::event::EventState;
use crate::domain::ids::{EventId, LocationId};

/// Counts an attempt at an event before it is made, so that one which ends the process counts as well.
pub(crate) struct CountAttempt {
    pub(crate) location_id: LocationId,
    pub(crate) id: EventId,
    /// After so many the event is put aside, and its conversation goes on.
    pub(crate) at_most: i32,
    /// After so many it may be attempted already; one that was attempted more often waits.
    pub(crate) so_far: i32,
}

#[derive(FromQueryResult)]
struct Attempts {
    attempts: i32,
}

/// Whether an event may be attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// It may, and the attempt is counted.
    Attempt,
    /// It was attempted so often, and waits a while.
    Wait(i32),
    /// It was attempted often enough and has been put aside.
    PutAside,
}

impl Operation for CountAttempt {
    type Output = Counted;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<Counted, Error> {
        let key = [self.location_id.uuid().into(), self.id.uuid().into()];
        let text = "SELECT attempts FROM rejoinder_event \
             WHERE location_id = $1 AND id = $2 AND state = 'pending'";
        let found = Attempts::find_by_statement(sql(tx, text, key.clone()));
        let attempts = found.one(tx).await?.map(|row| row.attempts);
        if let Some(attempts) = attempts.filter(|attempts| *attempts < self.at_most) {
            if attempts > self.so_far {
                return Ok(Counted::Wait(attempts));
            }
            let text = "UPDATE rejoinder_event SET attempts = attempts + 1 \
                 WHERE location_id = $1 AND id = $2";
            tx.execute_raw(sql(tx, text, key)).await?;
            return Ok(Counted::Attempt);
        }
        // Also one that is done by now: then there is nothing to put aside.
        let (from, to) = (EventState::Pending, EventState::Parked);
        change_state(tx, self.location_id, self.id, from, to).await?;
        Ok(Counted::PutAside)
    }
}

/// Takes an attempt back: it failed for reasons that are not the event's.
pub(crate) struct UncountAttempt {
    pub(crate) location_id: LocationId,
    pub(crate) id: EventId,
}

impl Operation for UncountAttempt {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let values = [self.location_id.uuid().into(), self.id.uuid().into()];
        let text = "UPDATE rejoinder_event SET attempts = attempts - 1 \
             WHERE location_id = $1 AND id = $2 AND state = 'pending' AND attempts > 0";
        tx.execute_raw(sql(tx, text, values)).await?;
        Ok(())
    }
}

/// Lets a parked event wait for its rules once more, its attempts forgotten; says whether it was parked.
pub(crate) struct Requeue {
    pub(crate) location_id: LocationId,
    pub(crate) id: EventId,
}

impl Operation for Requeue {
    type Output = bool;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<bool, Error> {
        let values = [self.location_id.uuid().into(), self.id.uuid().into()];
        let text = "UPDATE rejoinder_event SET state = 'pending', attempts = 0 \
             WHERE location_id = $1 AND id = $2 AND state = 'parked'";
        let changed = tx.execute_raw(sql(tx, text, values)).await?;
        Ok(changed.rows_affected() == 1)
    }
}
