//! Where an item belongs: its location, and of a customer the contact and conversation, found or made.

use super::Recorder;
use crate::domain::contact::Peer;
use crate::domain::inbound::Item;
use crate::store::known::KnownPeer;
use crate::store::{Error, contact, conversation};

impl Recorder<'_> {
    /// Whether there is a location for the item: not if that was deleted while the webhook was on its way in.
    pub(super) async fn has_place(&mut self) -> Result<bool, Error> {
        let channel = &self.item.channel;
        if let Item::Message { peer, .. } = &self.item.inbound.item
            && self.known.peer(channel.id, peer).is_some()
        {
            // Who is known had a lane: without it nothing of theirs is stored.
            return Ok(true);
        }
        self.batch.is_there(self.tx, channel.location_id).await
    }

    /// The contact and conversation of a peer, found or created; `None` for a peer without any address.
    pub(super) async fn place(&mut self, peer: &Peer) -> Result<Option<KnownPeer>, Error> {
        let channel = &self.item.channel;
        if let Some(place) = self.known.peer(channel.id, peer) {
            return Ok(Some(place));
        }
        let now = self.received_at;
        let Some(contact_id) = contact::resolve(self.tx, channel.location_id, peer, now).await?
        else {
            return Ok(None);
        };
        let (conversation_id, address) = conversation::resolve(
            self.tx,
            channel.location_id,
            channel.id,
            contact_id,
            peer,
            now,
        )
        .await?;
        let named = peer.name.as_ref().is_some_and(|name| !name.is_empty());
        let place = KnownPeer {
            contact_id,
            conversation_id,
            address,
            named,
        };
        self.recorded
            .places
            .push((channel.id, peer.clone(), place.clone()));
        Ok(Some(place))
    }
}
