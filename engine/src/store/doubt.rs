//! A message whose fate is open: it waits for evidence, and then for a person or for another attempt.

use sea_orm::prelude::Uuid;
use sea_orm::{ActiveValue::Set, DatabaseTransaction};

use super::batch::Batch;
use super::delivery::{self, ActiveModel};
use super::{Error, Operation, write_json};
use crate::adapter::{SendError, SendErrorKind};
use crate::domain::delivery::{Delivery, DeliveryState, Flag};
use crate::domain::ids::{DeliveryId, LocationId};
use crate::domain::inbound::Stage;
use crate::domain::time::Timestamp;
use crate::mutant::Mutant;

/// Looks whether the wait for evidence is over, and ends it if it is.
pub(crate) struct Doubt {
    pub(crate) location_id: LocationId,
    pub(crate) id: DeliveryId,
    /// Whether it may be sent once more.
    pub(crate) resend: bool,
    /// How long to wait for evidence of what turns out to be in doubt only now.
    pub(crate) until: Timestamp,
    pub(crate) now: Timestamp,
}

/// What became of the doubt.
#[derive(Debug)]
pub(crate) enum Doubted {
    /// Evidence came, or it is left to a person: the conversation goes on.
    Over,
    /// The wait goes on until then.
    Wait(Timestamp),
    /// It is to be sent: once more, or because it never was.
    Send(Box<Delivery>),
}

impl Operation for Doubt {
    type Output = Doubted;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<Doubted, Error> {
        let key = (self.location_id, self.id);
        let Some(row) = delivery::find(tx, self.location_id, self.id).await? else {
            return Ok(Doubted::Over);
        };
        let mut delivery = row.delivery;
        match delivery.state {
            DeliveryState::Ready => return Ok(Doubted::Send(Box::new(delivery))),
            DeliveryState::Sending => {
                orphan(tx, key, self.until, self.now).await?;
                return Ok(Doubted::Wait(self.until));
            }
            DeliveryState::Reached(_) | DeliveryState::Cancelled => return Ok(Doubted::Over),
            DeliveryState::InDoubt if delivery.not_before > self.now => {
                return Ok(Doubted::Wait(delivery.not_before));
            }
            DeliveryState::InDoubt => {}
        }
        // Once more at the most: what is in doubt twice waits for a person.
        let again = self.resend && !delivery.flags.has(Flag::Resent);
        let mut change = ActiveModel::default();
        let to = if again {
            delivery.state = DeliveryState::Ready;
            if !Mutant::UnmarkedResend.is_loose() {
                delivery.flags = delivery.flags.with(Flag::Resent);
            }
            delivery.not_before = self.now;
            delivery.retrying_since = None;
            change.not_before = Set(self.now.ms());
            change.retrying_since = Set(None);
            DeliveryState::Ready
        } else {
            delivery.flags = delivery.flags.with(Flag::LeftInDoubt);
            DeliveryState::InDoubt
        };
        change.flags = Set(delivery.flags.to_string());
        delivery::change_state(tx, key, &[DeliveryState::InDoubt], to, change, self.now).await?;
        Ok(if again {
            Doubted::Send(Box::new(delivery))
        } else {
            Doubted::Over
        })
    }
}

/// What a person says of a message that is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was sent: nothing more happens, and the conversation goes on.
    Sent,
    /// It is sent once more, though it may arrive twice.
    Again,
}

/// Ends a doubt as a person says.
pub(crate) struct Judge {
    pub(crate) location_id: LocationId,
    pub(crate) id: DeliveryId,
    pub(crate) verdict: Verdict,
    pub(crate) now: Timestamp,
}

impl Operation for Judge {
    /// The delivery as it is now; `None` if it was not in doubt.
    type Output = Option<Box<Delivery>>;

    async fn apply(
        &self,
        tx: &DatabaseTransaction,
        _batch: &mut Batch,
    ) -> Result<Self::Output, Error> {
        let key = (self.location_id, self.id);
        let row = delivery::find(tx, self.location_id, self.id).await?;
        let in_doubt = |delivery: &Delivery| delivery.state == DeliveryState::InDoubt;
        let Some(mut delivery) = row.map(|row| row.delivery).filter(in_doubt) else {
            return Ok(None);
        };
        let mut change = ActiveModel::default();
        delivery.flags = delivery.flags.without(Flag::LeftInDoubt);
        match self.verdict {
            Verdict::Sent => {
                delivery.state = DeliveryState::Reached(Stage::Accepted);
                change.failure = Set(None);
            }
            Verdict::Again => {
                delivery.state = DeliveryState::Ready;
                delivery.flags = delivery.flags.with(Flag::Resent);
                delivery.not_before = self.now;
                delivery.retrying_since = None;
                change.not_before = Set(self.now.ms());
                change.retrying_since = Set(None);
            }
        }
        change.flags = Set(delivery.flags.to_string());
        let from = [DeliveryState::InDoubt];
        delivery::change_state(tx, key, &from, delivery.state, change, self.now).await?;
        Ok(Some(Box::new(delivery)))
    }
}

/// What another process, or this one before it ended, was sending: its fate is open.
pub(crate) struct Orphaned {
    pub(crate) location_id: LocationId,
    pub(crate) id: DeliveryId,
    /// How long to wait for evidence.
    pub(crate) until: Timestamp,
    pub(crate) now: Timestamp,
}

impl Operation for Orphaned {
    /// Whether it was still being sent.
    type Output = bool;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<bool, Error> {
        orphan(tx, (self.location_id, self.id), self.until, self.now).await
    }
}

/// What is perhaps written as being sent by this process, which certainly did not send it.
pub(crate) struct Recall {
    pub(crate) location_id: LocationId,
    pub(crate) id: DeliveryId,
    pub(crate) node: Uuid,
    pub(crate) now: Timestamp,
}

impl Operation for Recall {
    /// Whether it may leave.
    type Output = bool;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<bool, Error> {
        let key = (self.location_id, self.id);
        let row = delivery::find(tx, key.0, key.1).await?;
        if row.is_none_or(|row| row.node != Some(self.node)) {
            return Ok(false);
        }
        let (from, to) = (&[DeliveryState::Sending], DeliveryState::Ready);
        delivery::change_state(tx, key, from, to, ActiveModel::default(), self.now).await
    }
}

async fn orphan(
    tx: &DatabaseTransaction,
    key: (LocationId, DeliveryId),
    until: Timestamp,
    now: Timestamp,
) -> Result<bool, Error> {
    let failure = SendError::new(
        SendErrorKind::InDoubt,
        "the server stopped while the message was being sent",
    );
    let row = delivery::find(tx, key.0, key.1).await?;
    let change = ActiveModel {
        // It was being sent since its row last changed.
        attempted_at: Set(row.map(|row| row.updated_at.ms())),
        failure: Set(Some(write_json(&failure.to_failure()))),
        not_before: Set(until.ms()),
        ..Default::default()
    };
    let to = if Mutant::OrphanIsReady.is_loose() {
        DeliveryState::Ready
    } else {
        DeliveryState::InDoubt
    };
    delivery::change_state(tx, key, &[DeliveryState::Sending], to, change, now).await
}
