//! A webhook comes in, is verified, parsed, and stored once; only then is it acknowledged.

use std::sync::Arc;
use std::time::Duration;

use crate::adapter::{Adapter, Refused, Reply, Route, Webhook};
use crate::core::Core;
use crate::crypto::Secret;
use crate::domain::contact::{Address, Peer};
use crate::domain::ids::LocationId;
use crate::domain::inbound::{ChannelKey, Inbound, Item};
use crate::setup::{ChannelSetup, Channels};
use crate::store::{self, Record, RecordItem, Stray};

/// Events that wait for their rules above which acknowledgements wait, too: else they outrun the answers.
const MANY_WAITING: usize = 1_000;
/// How long an acknowledgement waits at most; then the webhook is refused for now, and comes again.
const MAX_WAIT: Duration = Duration::from_secs(3);
/// How often it is looked whether the wait is over.
const GLANCE: Duration = Duration::from_millis(5);

/// A webhook was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such adapter.
    #[error("there is no adapter named '{0}'")]
    UnknownProvider(String),
    /// It could not be verified. The sender learns nothing more.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be stored; the provider should send it again.
    #[error("the webhook could not be stored")]
    NotStored(#[from] store::Error),
}

/// What became of an accepted webhook.
#[derive(Debug)]
pub struct Accepted {
    /// What the provider wants to read.
    pub reply: Reply,
    /// What became of its items.
    pub counts: Counts,
}

/// What became of the items of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Stored for the first time.
    pub stored: usize,
    /// Stored before.
    pub duplicates: usize,
    /// Of no channel we know: listed for the operator.
    pub unrouted: usize,
}

#[tracing::instrument(name = "engine.accept", skip_all, fields(adapter.kind = provider))]
pub(crate) async fn accept(
    core: &Core,
    provider: &str,
    webhook: &Webhook,
) -> Result<Accepted, Error> {
    let adapter = adapter(core, provider)?;
    admit(core).await?;
    let channels = core.setup.channels().await?;
    let secrets = candidates(core, adapter, &channels, webhook);
    if secrets.is_empty() {
        return Err(Refused.into());
    }
    let received = adapter.receive(webhook, &secrets)?;
    let verified_by = secrets.get(received.secret).ok_or(Refused)?;
    let only = match webhook.channel_id {
        Some(id) => Some(channels.get(id).ok_or(Refused)?.channel.location_id),
        None => None,
    };
    let routing = Routing {
        core,
        adapter,
        channels: &channels,
        verified_by: Some(verified_by),
        only,
    };
    let counts = record(&routing, received.items).await?;
    Ok(Accepted {
        reply: adapter.reply(),
        counts,
    })
}

/// Waits until the rules have caught up with what was accepted before.
async fn admit(core: &Core) -> Result<(), Error> {
    let mut waited = Duration::ZERO;
    while core.inbox.len() > MANY_WAITING {
        if waited >= MAX_WAIT {
            return Err(store::Error::Overloaded.into());
        }
        tokio::time::sleep(GLANCE).await;
        waited += GLANCE;
    }
    Ok(())
}

/// Stores items anew that were not understood, or had no channel, when they came.
pub(crate) async fn repeat(
    core: &Core,
    provider: &str,
    items: Vec<Inbound>,
    only: Option<LocationId>,
) -> Result<Counts, Error> {
    let adapter = adapter(core, provider)?;
    let channels = core.setup.channels().await?;
    let routing = Routing {
        core,
        adapter,
        channels: &channels,
        verified_by: None,
        only,
    };
    record(&routing, items).await
}

/// The answer to a provider's handshake, if it carries the right word.
pub(crate) async fn handshake(
    core: &Core,
    provider: &str,
    webhook: &Webhook,
) -> Result<String, Error> {
    let adapter = adapter(core, provider)?;
    let mut tokens = core
        .handshake_tokens
        .get(provider)
        .cloned()
        .unwrap_or_default();
    if let Some(id) = webhook.channel_id {
        let channels = core.setup.channels().await?;
        let setup = channels.get(id).ok_or(Refused)?;
        tokens.extend(adapter.handshake_tokens(&setup.credentials));
    }
    Ok(adapter.handshake(webhook, &tokens).ok_or(Refused)?)
}

fn adapter<'a>(core: &'a Core, provider: &str) -> Result<&'a Arc<dyn Adapter>, Error> {
    core.adapters
        .get(provider)
        .ok_or_else(|| Error::UnknownProvider(provider.to_owned()))
}

/// The secrets that may verify a webhook; none of them, and it is refused.
fn candidates(
    core: &Core,
    adapter: &Arc<dyn Adapter>,
    channels: &Channels,
    webhook: &Webhook,
) -> Vec<Secret> {
    match adapter.route(webhook) {
        Route::Server => core
            .server_secrets
            .get(adapter.kind())
            .cloned()
            .unwrap_or_default(),
        Route::Channel(id) => channels
            .get(id)
            .filter(|setup| setup.channel.provider == adapter.kind())
            .map(|setup| secrets_of(core, adapter, setup))
            .unwrap_or_default(),
        Route::Account(account) => {
            let mut secrets: Vec<Secret> = Vec::new();
            for setup in channels.with_account(adapter.kind(), &account) {
                for secret in secrets_of(core, adapter, setup) {
                    if !secrets.iter().any(|known| known.matches(&secret)) {
                        secrets.push(secret);
                    }
                }
            }
            secrets
        }
        Route::Nowhere => Vec::new(),
    }
}

/// A channel's own secrets, or the server's if it has none.
fn secrets_of(core: &Core, adapter: &Arc<dyn Adapter>, setup: &ChannelSetup) -> Vec<Secret> {
    let own = adapter.webhook_secrets(&setup.credentials);
    if own.is_empty() {
        core.server_secrets
            .get(adapter.kind())
            .cloned()
            .unwrap_or_default()
    } else {
        own
    }
}

/// Finds the channels that an item may belong to.
struct Routing<'a> {
    core: &'a Core,
    adapter: &'a Arc<dyn Adapter>,
    channels: &'a Channels,
    /// An item is accepted only for channels served by the secret that verified its webhook.
    verified_by: Option<&'a Secret>,
    /// On a channel's own address, only for that channel's location.
    only: Option<LocationId>,
}

impl Routing<'_> {
    fn channels_for(&self, key: &ChannelKey) -> Vec<&Arc<ChannelSetup>> {
        let provider = self.adapter.kind();
        let found: Vec<&Arc<ChannelSetup>> = match key {
            ChannelKey::Key(key) => self.channels.with_key(provider, key).iter().collect(),
            ChannelKey::Display { account, phone } => {
                let of_account = self.channels.with_account(provider, account).iter();
                of_account
                    .filter(|setup| setup.channel.phone == *phone)
                    .collect()
            }
            ChannelKey::Account(account) => self
                .channels
                .with_account(provider, account)
                .iter()
                .collect(),
        };
        found
            .into_iter()
            .filter(|setup| self.may_serve(setup))
            .collect()
    }

    fn may_serve(&self, setup: &ChannelSetup) -> bool {
        let right_location = self
            .only
            .is_none_or(|only| only == setup.channel.location_id);
        let right_secret = self.verified_by.is_none_or(|verified_by| {
            secrets_of(self.core, self.adapter, setup)
                .iter()
                .any(|secret| secret.matches(verified_by))
        });
        right_location && right_secret
    }

    /// A message whose sender is a business number of ours, where the channel says that this means an echo.
    fn as_echo(&self, inbound: &Inbound) -> Option<(&Arc<ChannelSetup>, Inbound)> {
        let Item::Message { peer, message } = &inbound.item else {
            return None;
        };
        let sender = ChannelKey::Key(peer.phone.as_ref()?.digits().to_owned());
        let channels = self.channels_for(&sender);
        let channel = channels
            .into_iter()
            .find(|setup| setup.channel.settings.echo_by_sender)?;
        let Some(ChannelKey::Key(to)) = &inbound.to else {
            return None;
        };
        let peer = match Address::parse(to)? {
            Address::Phone(phone) => Peer {
                phone: Some(phone),
                ..Peer::default()
            },
            Address::UserId(user_id) => Peer {
                user_id: Some(user_id),
                ..Peer::default()
            },
        };
        Some((
            channel,
            Inbound {
                item: Item::Echo {
                    peer,
                    message: message.clone(),
                },
                ..inbound.clone()
            },
        ))
    }
}

async fn record(routing: &Routing<'_>, items: Vec<Inbound>) -> Result<Counts, Error> {
    let core = routing.core;
    let (mut routed, mut strays) = (Vec::with_capacity(items.len()), Vec::new());
    for inbound in items {
        let channels = inbound
            .to
            .as_ref()
            .map(|key| routing.channels_for(key))
            .unwrap_or_default();
        if !channels.is_empty() {
            for setup in channels {
                routed.push(item(core, setup, inbound.clone()).await?);
            }
        } else if let Some((setup, echo)) = routing.as_echo(&inbound) {
            routed.push(item(core, setup, echo).await?);
        } else {
            strays.push(stray(routing.adapter.kind(), &inbound));
        }
    }
    let unrouted = strays.len();
    let record = Record {
        items: routed,
        strays,
        received_at: core.clock.now(),
    };
    let recorded = core.store.record(record).await?;
    let counts = (recorded.stored, recorded.duplicates);
    core.enqueue_fallbacks(recorded.fallbacks);
    for (location_id, conversation_id) in recorded.settled {
        core.outbox.wake((location_id, Some(conversation_id)));
    }
    if unrouted > 0 {
        tracing::warn!(
            items = unrouted,
            "items of a webhook belong to no channel; `rejoinder unrouted` lists them"
        );
    }
    Ok(Counts {
        stored: counts.0,
        duplicates: counts.1,
        unrouted,
    })
}

async fn item(
    core: &Core,
    setup: &ChannelSetup,
    inbound: Inbound,
) -> Result<RecordItem, store::Error> {
    let location = core.setup.location(setup.channel.location_id).await?;
    let hold = location
        .map(|setup| setup.location.settings.hold_ms)
        .unwrap_or_default();
    Ok(RecordItem {
        channel: Arc::clone(&setup.channel),
        hold,
        inbound,
    })
}

fn stray(provider: &'static str, inbound: &Inbound) -> Stray {
    let reason = match (&inbound.item, &inbound.to) {
        (Item::Unknown { reason }, _) => reason.clone(),
        (_, None) => "it names no number".to_owned(),
        (_, Some(ChannelKey::Key(key))) => format!("no channel has the number or id {key}"),
        (_, Some(ChannelKey::Display { phone, .. })) => {
            format!("no channel has the number {phone}")
        }
        (_, Some(ChannelKey::Account(account))) => {
            format!("no channel belongs to the account {account}")
        }
    };
    Stray {
        provider,
        reason,
        raw: store::write_json(inbound),
    }
}
