//! A customer who is known before they write: imported, or imagined for a simulated world.

use sea_orm::DatabaseTransaction;
use serde_json::{Map, Value};

use super::batch::Batch;
use super::{Error, Operation, contact, conversation};
use crate::domain::contact::{ContactChange, ContactChanges, Peer};
use crate::domain::ids::{ChannelId, ConversationId, LocationId};
use crate::domain::time::Timestamp;

/// Makes a contact and their conversation over a channel, with what is known of them. Their service
/// window is shut: they have not written yet.
pub(crate) struct Introduce {
    pub(crate) location_id: LocationId,
    pub(crate) channel_id: ChannelId,
    pub(crate) peer: Peer,
    pub(crate) language: String,
    pub(crate) tags: Vec<String>,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) now: Timestamp,
}

impl Operation for Introduce {
    type Output = ConversationId;

    async fn apply(
        &self,
        tx: &DatabaseTransaction,
        _batch: &mut Batch,
    ) -> Result<ConversationId, Error> {
        let (location_id, peer, now) = (self.location_id, &self.peer, self.now);
        let Some(contact_id) = contact::resolve(tx, location_id, peer, now).await? else {
            return Err(Error::corrupt("contact", "it has no address"));
        };
        let (id, _) =
            conversation::resolve(tx, location_id, self.channel_id, contact_id, peer, now).await?;
        if !self.language.is_empty() {
            contact::set_language(tx, location_id, contact_id, &self.language).await?;
        }
        let tags = self.tags.iter().cloned().map(ContactChange::Tag);
        let attributes = self.attributes.iter().map(|(name, value)| {
            let (name, value) = (name.clone(), value.clone());
            ContactChange::SetAttribute { name, value }
        });
        let changes = ContactChanges {
            contact_id,
            changes: tags.chain(attributes).collect(),
        };
        contact::change(tx, location_id, &changes).await?;
        Ok(id)
    }
}
