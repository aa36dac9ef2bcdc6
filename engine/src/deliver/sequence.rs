//! The provider may deliver what it was given in another order. Where the location asks for it, a message leaves
//! only once the customer has the one before it, or after a while.

use crate::core::Core;
use crate::domain::delivery::{Delivery, Flag};
use crate::domain::time::{Span, Timestamp};
use crate::store;

/// Whether messages of the location wait for each other.
pub(super) async fn is_kept(core: &Core, delivery: &Delivery) -> bool {
    matches!(limit(core, delivery).await, Ok(Some(_)))
}

/// Until when a message waits at most for the one before it; `None` if it may leave.
pub(super) async fn turn(
    core: &Core,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<Option<Timestamp>, store::Error> {
    let Some(limit) = limit(core, delivery).await? else {
        return Ok(None);
    };
    // What was overtaken belongs to no order any more.
    if delivery.flags.has(Flag::Overtaken) {
        return Ok(None);
    }
    let store = core.store.of(delivery.location_id);
    let (id, position) = (delivery.conversation_id, delivery.position);
    let taken = store.on_its_way_before(id, position, now - limit).await?;
    Ok(taken.map(|at| at + limit))
}

async fn limit(core: &Core, delivery: &Delivery) -> Result<Option<Span>, store::Error> {
    let setup = core.setup.location(delivery.location_id).await?;
    Ok(setup.and_then(|setup| setup.location.settings.sequence_ms))
}
