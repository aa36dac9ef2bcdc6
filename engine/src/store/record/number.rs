//! A customer's address changed: told by the provider, or seen when a known id writes from another
//! number. The old number may belong to somebody else tomorrow: nothing leads from it any more.

use super::Recorder;
use crate::domain::contact::{Address, Peer};
use crate::domain::ids::ContactId;
use crate::domain::message::{Message, SystemChangeKind};
use crate::store::known::KnownPeer;
use crate::store::{Error, address, contact, conversation, event};

impl Recorder<'_> {
    /// The customer's account changed: the new addresses lead to the same contact.
    pub(super) async fn system(
        &mut self,
        contact_id: ContactId,
        change: &SystemChangeKind,
    ) -> Result<(), Error> {
        let (phone, user_id, number_changed) = match change {
            SystemChangeKind::Number { phone, user_id } => (phone.clone(), user_id.clone(), true),
            SystemChangeKind::UserId { user_id } => (None, Some(user_id.clone()), false),
            SystemChangeKind::Identity | SystemChangeKind::Other { .. } => return Ok(()),
        };
        let peer = Peer {
            phone,
            user_id,
            name: None,
        };
        // A change without a new address is no way to reach the customer.
        if peer.addresses().next().is_none() || !self.are_free(contact_id, &peer).await? {
            return Ok(());
        }
        self.changed(contact_id, number_changed, &peer).await
    }

    /// The customer wrote, perhaps from another number than the one we answer to: answers follow.
    pub(super) async fn follow(
        &mut self,
        place: KnownPeer,
        peer: &Peer,
        message: &Message,
    ) -> Result<KnownPeer, Error> {
        let (Address::Phone(known), Some(phone)) = (&place.address, &peer.phone) else {
            return Ok(place);
        };
        let (location_id, channel_id) = (self.channel().location_id, self.channel().id);
        if known == phone
            // A message told again is no news of where the customer is now.
            || event::is_stored(self.tx, location_id, channel_id, "message", &message.provider_id)
                .await?
            || !self.are_free(place.contact_id, peer).await?
        {
            return Ok(place);
        }
        self.changed(place.contact_id, true, peer).await?;
        Ok(KnownPeer {
            address: Address::Phone(phone.clone()),
            ..place
        })
    }

    /// Whether no other contact has one of the addresses: what others have is not taken from them.
    async fn are_free(&mut self, contact_id: ContactId, peer: &Peer) -> Result<bool, Error> {
        let location_id = self.channel().location_id;
        for address in peer.addresses() {
            let owner = address::find(self.tx, location_id, &address).await?;
            if owner.is_some_and(|owner| owner != contact_id) {
                tracing::warn!(location.id = %location_id, contact.id = %contact_id,
                    "a customer's new address belongs to another contact; answers go where they went");
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts the addresses of `peer` in place of the contact's own, of the same kinds.
    async fn changed(
        &mut self,
        contact_id: ContactId,
        number_changed: bool,
        peer: &Peer,
    ) -> Result<(), Error> {
        let location_id = self.channel().location_id;
        // What came from the old address counts for the old address.
        self.batch.flush_inbound(self.tx).await?;
        if number_changed {
            address::unlink(self.tx, location_id, contact_id, "phone").await?;
            let phone = peer.phone.as_ref();
            contact::change_phone(self.tx, location_id, contact_id, phone).await?;
        }
        if peer.user_id.is_some() {
            address::unlink(self.tx, location_id, contact_id, "user_id").await?;
        }
        for address in peer.addresses() {
            address::link(self.tx, location_id, &address, contact_id).await?;
        }
        // Under the same number only those move that are known by their id.
        let kind = if number_changed { "" } else { "user_id" };
        if let Some(address) = peer.addresses().next() {
            conversation::readdress(self.tx, location_id, contact_id, kind, &address).await?;
        }
        self.known.forget_peers();
        self.recorded.peers_changed = true;
        Ok(())
    }
}
