//! What one request needs besides its delivery, and the request itself. Writes nothing about deliveries.

use std::sync::Arc;

use crate::adapter::{Adapter, Outgoing, SendError, SendErrorKind};
use crate::core::Core;
use crate::domain::contact::Address;
use crate::domain::delivery::Delivery;
use crate::setup::{ChannelSetup, LocationSetup};
use crate::store::{self, KeepResource};

/// Everything that a request needs besides the delivery.
pub(super) struct Way {
    pub(super) adapter: Arc<dyn Adapter>,
    pub(super) channel: Arc<ChannelSetup>,
    pub(super) location: Arc<LocationSetup>,
    pub(super) address: Address,
}

impl Way {
    pub(super) async fn of(core: &Core, delivery: &Delivery) -> Result<Option<Self>, store::Error> {
        let channels = core.setup.channels().await?;
        let Some(channel) = channels.get(delivery.channel_id).cloned() else {
            return Ok(None);
        };
        let Some(adapter) = core
            .adapters
            .get(channel.channel.provider.as_str())
            .cloned()
        else {
            return Ok(None);
        };
        let Some(location) = core.setup.location(delivery.location_id).await? else {
            return Ok(None);
        };
        let address = match &delivery.address {
            Some(address) => Some(address.clone()),
            None => {
                let store = core.store.of(delivery.location_id);
                store
                    .conversation(delivery.conversation_id)
                    .await?
                    .map(|conversation| conversation.address)
            }
        };
        Ok(address.map(|address| Self {
            adapter,
            channel,
            location,
            address,
        }))
    }
}

/// One request, and before it what must exist at the provider for it.
pub(super) async fn request(
    core: &Core,
    way: &Way,
    delivery: &Delivery,
) -> Result<String, SendError> {
    way.adapter.check(&delivery.content)?;
    let callback_url = core.webhook_url(way.adapter.kind(), Some(delivery.channel_id));
    let mut outgoing = Outgoing {
        channel: &way.channel.channel,
        credentials: &way.channel.credentials,
        to: &way.address,
        content: &delivery.content,
        language: &way.location.location.settings.language,
        reply_to: delivery.reply_to.as_deref(),
        delivery_id: delivery.id,
        callback_url: callback_url.as_deref(),
        reference: None,
    };
    let reference = provide(core, way, &outgoing, delivery).await?;
    outgoing.reference = reference.as_deref();
    Ok(way.adapter.send(&outgoing).await?.provider_id)
}

/// The provider's reference of what the content needs there, created once and remembered.
async fn provide(
    core: &Core,
    way: &Way,
    outgoing: &Outgoing<'_>,
    delivery: &Delivery,
) -> Result<Option<String>, SendError> {
    let Some(resource) = way.adapter.resource(outgoing) else {
        return Ok(None);
    };
    let unwritten =
        |error: store::Error| SendError::new(SendErrorKind::NotConnected, error.to_string());
    let known = core
        .store
        .of(delivery.location_id)
        .resource(&resource)
        .await
        .map_err(unwritten)?;
    if known.is_some() {
        return Ok(known);
    }
    // Nothing reaches the customer by this: whatever goes wrong, the message was certainly not sent.
    let reference = way
        .adapter
        .provide(outgoing)
        .await
        .map_err(|error| match error.kind {
            SendErrorKind::InDoubt => SendError {
                kind: SendErrorKind::NotConnected,
                ..error
            },
            _ => error,
        })?;
    let location_id = delivery.location_id;
    let keep = KeepResource {
        location_id,
        resource,
        reference: reference.clone(),
        now: core.clock.now(),
    };
    core.store.write(keep).await.map_err(unwritten)?;
    Ok(Some(reference))
}
