//! What the database still has open and nobody has in hand goes back into its lane.
//! Knows not how it came to be lost.

use crate::core::Core;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::failpoint::Point;
use crate::mutant::Mutant;
use crate::store::{self, Orphaned, Recall};

/// Puts an open delivery back into its lane; false if somebody has it in hand, or it was settled meanwhile.
pub(crate) async fn take_up(
    core: &Core,
    mut delivery: Box<Delivery>,
) -> Result<bool, store::Error> {
    if core.outbox.holds(delivery.id) {
        return Ok(false);
    }
    if delivery.state == DeliveryState::Sending {
        let is_open = if core.unsent.contains(delivery.id) {
            recall(core, &mut delivery).await?
        } else {
            orphan(core, &mut delivery).await?
        };
        if !is_open {
            return Ok(false);
        }
    }
    core.requeue(delivery);
    Ok(true)
}

async fn recall(core: &Core, delivery: &mut Delivery) -> Result<bool, store::Error> {
    let recall = Recall {
        location_id: delivery.location_id,
        id: delivery.id,
        node: core.node,
        now: core.clock.now(),
    };
    let is_recalled = core.store.write(recall).await?;
    core.unsent.remove(delivery.id);
    delivery.state = DeliveryState::Ready;
    Ok(is_recalled)
}

async fn orphan(core: &Core, delivery: &mut Delivery) -> Result<bool, store::Error> {
    let now = core.clock.now();
    let until = now + core.doubt(delivery.channel_id).await;
    let orphaned = Orphaned {
        location_id: delivery.location_id,
        id: delivery.id,
        until,
        now,
    };
    if !core.store.write(orphaned).await? {
        return Ok(false);
    }
    Point::ResumeOrphaned.pass().await?;
    if Mutant::OrphanIsReady.is_loose() {
        delivery.state = DeliveryState::Ready;
    } else {
        delivery.state = DeliveryState::InDoubt;
        delivery.not_before = until;
    }
    Ok(true)
}
