//! What failed or was put aside is done anew: one, or all that are meant.

use super::Problem;
use crate::adapter::SendErrorKind;
use crate::domain::delivery::{DeliveryState, Flag, Flags};
use crate::domain::event::EventState;
use crate::domain::ids::{DeliveryId, EventId, LocationId};
use crate::domain::inbound::Stage;
use crate::engine::Engine;
use crate::store::{FailedFilter, Replay};

impl Engine {
    /// Sends a message that failed anew, as a message of its own at the end of its conversation. Whoever is in
    /// charge, since a person asks for it. The window and the template rules hold as for any other.
    ///
    /// # Errors
    /// It did not fail, was replaced before, or the customer does not want it; it is not there; the database failed.
    pub async fn replay_delivery(
        &self,
        location_id: LocationId,
        id: DeliveryId,
    ) -> Result<DeliveryId, Problem> {
        let row = self.store().of(location_id).delivery(id).await?;
        let row = row.ok_or(Problem::Missing("delivery"))?;
        if row.delivery.state != DeliveryState::Reached(Stage::Failed) {
            return Err(Problem::Invalid(format!(
                "only a message that failed can be sent anew; this one is {}",
                row.delivery.state.name()
            )));
        }
        if row
            .failure
            .is_some_and(|it| it.kind == SendErrorKind::OptedOut.code())
        {
            return Err(Problem::Invalid(
                "the customer opted out, and does not want this message".to_owned(),
            ));
        }
        let flags = Flags::NONE.with(Flag::WhenHeld);
        self.replay(location_id, id, flags).await?.ok_or_else(|| {
            Problem::Invalid(
                "it was replaced before; look at the message that replaces it".to_owned(),
            )
        })
    }

    /// Sends messages that failed anew, the oldest first, in the background and not while a person is in charge.
    /// Gives the new ones.
    ///
    /// # Errors
    /// The database failed; what was stored until then goes out.
    pub async fn replay_failed(
        &self,
        location_id: LocationId,
        filter: &FailedFilter,
        limit: u64,
    ) -> Result<Vec<DeliveryId>, Problem> {
        let rows = self.store().of(location_id).failed(filter, limit).await?;
        let mut new = Vec::with_capacity(rows.len());
        for row in rows {
            let flags = Flags::NONE.with(Flag::Background);
            new.extend(self.replay(location_id, row.delivery.id, flags).await?);
        }
        Ok(new)
    }

    /// Runs the location's events again that were put aside or not understood, the oldest first; says of each
    /// what still keeps it from running, if anything does.
    ///
    /// # Errors
    /// The database failed; what was taken up until then is decided.
    pub async fn rerun_parked(
        &self,
        location_id: LocationId,
        limit: u64,
    ) -> Result<Vec<(EventId, Option<String>)>, Problem> {
        let store = self.store().of(location_id);
        let rows = store
            .events_in(Some(EventState::Parked), None, limit)
            .await?;
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.event.id;
            let why = match self.rerun_event(location_id, id).await {
                Ok(_) => None,
                Err(Problem::Store(error)) => return Err(error.into()),
                Err(problem) => Some(problem.to_string()),
            };
            outcomes.push((id, why));
        }
        Ok(outcomes)
    }

    async fn replay(
        &self,
        location_id: LocationId,
        id: DeliveryId,
        flags: Flags,
    ) -> Result<Option<DeliveryId>, Problem> {
        let replay = Replay {
            location_id,
            id,
            flags,
            now: self.core.clock.now(),
        };
        let new = self.core.store.write(replay).await?;
        Ok(new.map(|delivery| {
            let id = delivery.id;
            self.core.queue(delivery);
            id
        }))
    }
}
