//! The common case of a delivery about to leave: window and hold allow it, and the row says so in bulk.
//! Anything else takes the longer way (`Intend`), which tells the reasons.

use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::Uuid;
use serde_json::json;

use super::batch::{self, Batch, Flushed};
use super::{Error, Operation};
use crate::domain::delivery::{Delivery, DeliveryState, Flag, Origin};
use crate::domain::time::Timestamp;
use crate::domain::window;

/// Commits that a delivery is about to be sent, if nothing speaks against it.
pub(crate) struct Depart {
    pub(crate) delivery: Box<Delivery>,
    pub(crate) node: Uuid,
    pub(crate) now: Timestamp,
}

impl Operation for Depart {
    /// The delivery as *sending*; `None` if something speaks against it.
    type Output = Option<Box<Delivery>>;

    async fn apply(
        &self,
        _tx: &DatabaseTransaction,
        batch: &mut Batch,
    ) -> Result<Self::Output, Error> {
        let delivery = &self.delivery;
        let floor = (!delivery.content.is_template()).then(|| (self.now + window::MARGIN).ms());
        let may_be_held = delivery.flags.has(Flag::WhenHeld) || delivery.origin == Origin::Person;
        batch.depart(vec![
            batch::uuid(delivery.location_id.uuid()),
            batch::uuid(delivery.id.uuid()),
            batch::uuid(delivery.conversation_id.uuid()),
            batch::uuid(self.node),
            json!(self.now.ms()),
            json!(floor),
            json!(may_be_held),
        ]);
        Ok(None)
    }

    fn complete(&self, _output: Self::Output, flushed: &Flushed) -> Self::Output {
        flushed.is_sending(self.delivery.id).then(|| {
            let mut delivery = self.delivery.clone();
            delivery.state = DeliveryState::Sending;
            delivery.attempts += 1;
            delivery
        })
    }
}
