//! Which secrets may verify a webhook, and which channels its items may belong to.

use std::fmt;
use std::sync::Arc;

use crate::adapter::{Adapter, Route, Webhook};
use crate::core::Core;
use crate::crypto::Secret;
use crate::domain::contact::{Address, Peer};
use crate::domain::ids::{ChannelId, LocationId};
use crate::domain::inbound::{ChannelKey, Inbound, Item};
use crate::setup::{ChannelSetup, Channels};
use crate::store::{self, Stray};

/// Whose secret verified a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verifier {
    /// The server's own app's.
    Server,
    /// A channel's, on the channel's own address: only its location's channels are served.
    Channel(ChannelId),
    /// A channel's, on the address that all share: every channel with the same secret is served.
    Account(ChannelId),
}

impl Verifier {
    /// Reads what `Display` wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => (text == "server").then_some(Self::Server),
            Some(("channel", id)) => id.parse().ok().map(Self::Channel),
            Some(("account", id)) => id.parse().ok().map(Self::Account),
            Some(_) => None,
        }
    }

    /// Its secrets as they are now.
    pub(super) fn secrets(
        self,
        core: &Core,
        adapter: &Arc<dyn Adapter>,
        channels: &Channels,
    ) -> Vec<Secret> {
        match self {
            Self::Server => server_secrets(core, adapter),
            Self::Channel(id) | Self::Account(id) => match channels.get(id) {
                Some(setup) => secrets_of(core, adapter, setup),
                // Its own secrets are destroyed; the server's verified it if it had none.
                None if channels.deleted(id).is_some() => server_secrets(core, adapter),
                None => Vec::new(),
            },
        }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("server"),
            Self::Channel(id) => write!(f, "channel:{id}"),
            Self::Account(id) => write!(f, "account:{id}"),
        }
    }
}

/// The secrets that may verify a webhook; none of them, and it is refused.
pub(super) fn candidates(
    core: &Core,
    adapter: &Arc<dyn Adapter>,
    channels: &Channels,
    webhook: &Webhook,
) -> Vec<(Verifier, Secret)> {
    let of = |verifier: Verifier| {
        let secrets = verifier.secrets(core, adapter, channels);
        secrets.into_iter().map(move |secret| (verifier, secret))
    };
    match adapter.route(webhook) {
        Route::Server => of(Verifier::Server).collect(),
        Route::Channel(id) => {
            let setup = channels.get(id).map(|setup| &setup.channel.provider);
            let deleted = channels.deleted(id).map(|deleted| &deleted.provider);
            match setup.or(deleted) {
                Some(provider) if provider == adapter.kind() => of(Verifier::Channel(id)).collect(),
                _ => Vec::new(),
            }
        }
        Route::Account(account) => {
            let mut found: Vec<(Verifier, Secret)> = Vec::new();
            for setup in channels.with_account(adapter.kind(), &account) {
                for (verifier, secret) in of(Verifier::Account(setup.channel.id)) {
                    if !found.iter().any(|(_, known)| known.matches(&secret)) {
                        found.push((verifier, secret));
                    }
                }
            }
            found
        }
        Route::Nowhere => Vec::new(),
    }
}

/// Why a webhook that nobody's secret verifies may yet be right: it names a channel whose secrets do not open.
pub(super) fn out_of_order(
    adapter: &Arc<dyn Adapter>,
    channels: &Channels,
    webhook: &Webhook,
) -> Option<store::Error> {
    let kind = adapter.kind();
    let locked = match adapter.route(webhook) {
        Route::Channel(id) => channels.locked(id).filter(|it| it.channel.provider == kind),
        Route::Account(account) => {
            let account = ChannelKey::Account(account);
            channels.locked_with(kind, &account).next()
        }
        Route::Server | Route::Nowhere => None,
    };
    locked.map(|locked| locked.why.clone())
}

/// A channel's own secrets, or the server's if it has none.
fn secrets_of(core: &Core, adapter: &Arc<dyn Adapter>, setup: &ChannelSetup) -> Vec<Secret> {
    let own = adapter.webhook_secrets(&setup.credentials);
    if own.is_empty() {
        server_secrets(core, adapter)
    } else {
        own
    }
}

fn server_secrets(core: &Core, adapter: &Arc<dyn Adapter>) -> Vec<Secret> {
    core.server_secrets
        .get(adapter.kind())
        .cloned()
        .unwrap_or_default()
}

/// Finds the channels that an item may belong to.
pub(super) struct Routing<'a> {
    pub(super) core: &'a Core,
    pub(super) adapter: &'a Arc<dyn Adapter>,
    pub(super) channels: &'a Channels,
    pub(super) verifier: Verifier,
    /// An item is accepted only for channels served by one of these.
    pub(super) verified_by: Vec<Secret>,
}

/// Where an item belongs.
pub(super) enum Place<'a> {
    /// To these channels: one, or for news of an account one of each location concerned.
    Channels(Vec<&'a Arc<ChannelSetup>>),
    /// To this channel, as a message of the business itself.
    Echo(&'a Arc<ChannelSetup>, Box<Inbound>),
    /// To a channel that is out of order, and why it is: it must come again.
    Locked(store::Error),
    /// To a number whose location was deleted: it is taken, and stored nowhere.
    Deleted,
    /// Nowhere, and why.
    Nowhere(String),
}

impl<'a> Routing<'a> {
    pub(super) fn place(&self, inbound: &Inbound) -> Place<'a> {
        let Some(key) = &inbound.to else {
            // Whatever it is, it came to the address of a deleted number.
            if self.deleted_location().is_some() {
                return Place::Deleted;
            }
            return Place::Nowhere(match &inbound.item {
                Item::Unknown { reason } => reason.clone(),
                _ => "it names no number".to_owned(),
            });
        };
        let found = self.channels_for(key);
        if found.is_empty() {
            return self
                .locked(key)
                .or_else(|| self.echo(inbound))
                .or_else(|| self.deleted(inbound, key))
                .unwrap_or_else(|| Place::Nowhere(unplaced(key)));
        }
        let mut one_each: Vec<&Arc<ChannelSetup>> = Vec::new();
        for setup in found {
            if !one_each
                .iter()
                .any(|known| known.channel.location_id == setup.channel.location_id)
            {
                one_each.push(setup);
            }
        }
        // The server's secret says nothing about whose an account is: two who claim it are for a person to tell apart.
        if one_each.len() > 1 && self.verifier == Verifier::Server {
            return Place::Nowhere("several locations claim this account".to_owned());
        }
        Place::Channels(one_each)
    }

    /// Whether an item belongs to no channel, or to one that was deleted.
    pub(super) fn is_homeless(&self, inbound: &Inbound) -> bool {
        matches!(self.place(inbound), Place::Nowhere(_) | Place::Deleted)
    }

    /// The channels that an item is stored for.
    pub(super) fn channels_of(&self, inbound: &Inbound) -> Vec<ChannelId> {
        match self.place(inbound) {
            Place::Channels(channels) => channels.iter().map(|setup| setup.channel.id).collect(),
            Place::Echo(setup, _) => vec![setup.channel.id],
            Place::Locked(_) | Place::Deleted | Place::Nowhere(_) => Vec::new(),
        }
    }

    /// An item to be kept for the operator.
    pub(super) fn stray(&self, inbound: &Inbound, reason: String) -> Stray {
        Stray {
            provider: self.adapter.kind(),
            verifier: self.verifier.to_string(),
            reason,
            raw: store::write_json(inbound),
        }
    }

    fn channels_for(&self, key: &ChannelKey) -> Vec<&'a Arc<ChannelSetup>> {
        let named = self.named(key).into_iter();
        named.filter(|setup| self.may_serve(setup)).collect()
    }

    fn named(&self, key: &ChannelKey) -> Vec<&'a Arc<ChannelSetup>> {
        let provider = self.adapter.kind();
        match key {
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
        }
    }

    /// Unless somebody else has the number or the account now, for whom it may be.
    fn deleted(&self, inbound: &Inbound, key: &ChannelKey) -> Option<Place<'a>> {
        let provider = self.adapter.kind();
        let sender = match &inbound.item {
            Item::Message { peer, .. } => peer.phone.as_ref(),
            _ => None,
        };
        let sender = sender.map(|phone| ChannelKey::Key(phone.digits().to_owned()));
        let is_of = |key: &ChannelKey| {
            self.named(key).is_empty() && self.channels.was_deleted(provider, key)
        };
        (is_of(key) || sender.as_ref().is_some_and(is_of)).then_some(Place::Deleted)
    }

    /// The location whose address it came to, if that was deleted.
    fn deleted_location(&self) -> Option<LocationId> {
        match self.verifier {
            Verifier::Channel(id) => self.channels.deleted(id).map(|deleted| deleted.location_id),
            Verifier::Server | Verifier::Account(_) => None,
        }
    }

    /// Whose secret verifies it cannot be known while none of theirs opens.
    fn locked(&self, key: &ChannelKey) -> Option<Place<'a>> {
        let mut locked = self.channels.locked_with(self.adapter.kind(), key);
        let locked = locked.find(|locked| {
            self.only()
                .is_none_or(|only| only == locked.channel.location_id)
        })?;
        Some(Place::Locked(locked.why.clone()))
    }

    fn may_serve(&self, setup: &ChannelSetup) -> bool {
        let secrets = secrets_of(self.core, self.adapter, setup);
        let right_secret = secrets.iter().any(|secret| {
            self.verified_by
                .iter()
                .any(|verified_by| secret.matches(verified_by))
        });
        right_secret
            && self
                .only()
                .is_none_or(|only| only == setup.channel.location_id)
    }

    /// On a channel's own address, only that channel's location is served.
    fn only(&self) -> Option<LocationId> {
        match self.verifier {
            Verifier::Channel(id) => {
                let setup = self.channels.get(id);
                let location_id = setup.map(|setup| setup.channel.location_id);
                location_id.or_else(|| self.deleted_location())
            }
            Verifier::Server | Verifier::Account(_) => None,
        }
    }

    /// A message whose sender is a business number of ours, where the channel says that this means an echo.
    fn echo(&self, inbound: &Inbound) -> Option<Place<'a>> {
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
        let echo = Inbound {
            item: Item::Echo {
                peer,
                message: message.clone(),
            },
            ..inbound.clone()
        };
        Some(Place::Echo(channel, Box::new(echo)))
    }
}

fn unplaced(key: &ChannelKey) -> String {
    match key {
        ChannelKey::Key(key) => {
            format!("no channel that this webhook may serve has the number or id {key}")
        }
        ChannelKey::Display { phone, .. } => {
            format!("no channel that this webhook may serve has the number {phone}")
        }
        ChannelKey::Account(account) => {
            format!("no channel that this webhook may serve is of the account {account}")
        }
    }
}
