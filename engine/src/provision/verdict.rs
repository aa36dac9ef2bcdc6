//! What a person knows of a message that is in doubt.

use super::Problem;
use crate::core::OutLane;
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::{DeliveryId, LocationId};
use crate::engine::Engine;
use crate::store::{Judge, Verdict};

impl Engine {
    /// Ends the doubt about a message as a person says, whether or not the conversation still waits for
    /// evidence of it.
    ///
    /// # Errors
    /// The message is not in doubt, or not there; the database failed.
    pub async fn judge_delivery(
        &self,
        location_id: LocationId,
        id: DeliveryId,
        verdict: Verdict,
    ) -> Result<(), Problem> {
        let core = &self.core;
        if core.store.of(location_id).delivery(id).await?.is_none() {
            return Err(Problem::Missing("delivery"));
        }
        let judge = Judge {
            location_id,
            id,
            verdict,
            now: core.clock.now(),
        };
        let Some(delivery) = core.store.write(judge).await? else {
            return Err(Problem::Invalid(
                "only a message that is in doubt can be decided about; this one is not".to_owned(),
            ));
        };
        let lane = OutLane::of(&delivery);
        if delivery.state == DeliveryState::Ready {
            core.requeue(delivery);
        }
        // A conversation that waits for evidence goes on now.
        core.outbox.wake(lane);
        Ok(())
    }
}
