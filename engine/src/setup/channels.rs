//! The channels that are set up, found by what webhooks and deliveries name. Knows neither store nor keys.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::ChannelSetup;
use crate::domain::channel::Channel;
use crate::domain::contact::{Address, Phone};
use crate::domain::ids::{ChannelId, LocationId};
use crate::domain::inbound::ChannelKey;
use crate::store::{self, DeletedChannel};

/// Every channel, found by its id or by its provider's key.
#[derive(Default)]
pub(crate) struct Channels {
    by_id: HashMap<ChannelId, Arc<ChannelSetup>>,
    by_key: HashMap<(String, String), Vec<Arc<ChannelSetup>>>,
    by_account: HashMap<(String, String), Vec<Arc<ChannelSetup>>>,
    /// Their digits.
    phones: HashSet<String>,
    /// Those that are out of order.
    locked: HashMap<ChannelId, Locked>,
    /// Those of locations that were deleted.
    deleted: Vec<DeletedChannel>,
}

/// A channel whose credentials do not open: what comes for it comes again, and what it sends waits.
pub(crate) struct Locked {
    pub(crate) channel: Channel,
    pub(crate) why: store::Error,
}

impl Channels {
    pub(super) fn add(&mut self, setup: Arc<ChannelSetup>) {
        let channel = &setup.channel;
        let (provider, key, account) = (&channel.provider, &channel.key, &channel.account);
        self.by_key
            .entry((provider.clone(), key.clone()))
            .or_default()
            .push(Arc::clone(&setup));
        self.by_account
            .entry((provider.clone(), account.clone()))
            .or_default()
            .push(Arc::clone(&setup));
        self.phones.insert(channel.phone.digits().to_owned());
        self.by_id.insert(channel.id, setup);
    }

    pub(super) fn lock(&mut self, channel: Channel, why: store::Error) {
        self.phones.insert(channel.phone.digits().to_owned());
        self.locked.insert(channel.id, Locked { channel, why });
    }

    pub(super) fn remember(&mut self, deleted: Vec<DeletedChannel>) {
        self.deleted = deleted;
    }

    /// A channel whose location was deleted, as long as it is remembered.
    pub(crate) fn deleted(&self, id: ChannelId) -> Option<&DeletedChannel> {
        self.deleted.iter().find(|deleted| deleted.id == id)
    }

    /// Whether something names a channel whose location was deleted.
    pub(crate) fn was_deleted(&self, provider: &str, key: &ChannelKey) -> bool {
        self.deleted.iter().any(|deleted| {
            let DeletedChannel {
                key: own,
                account,
                phone,
                ..
            } = deleted;
            deleted.provider == provider && names(key, own, account, phone)
        })
    }

    /// A channel that is out of order.
    pub(crate) fn locked(&self, id: ChannelId) -> Option<&Locked> {
        self.locked.get(&id)
    }

    /// The channels that are out of order and that something names in this way.
    pub(crate) fn locked_with(
        &self,
        provider: &str,
        key: &ChannelKey,
    ) -> impl Iterator<Item = &Locked> {
        let of_provider = self.locked.values();
        let of_provider = of_provider.filter(move |locked| locked.channel.provider == provider);
        of_provider.filter(move |locked| {
            let channel = &locked.channel;
            names(key, &channel.key, &channel.account, &channel.phone)
        })
    }

    pub(crate) fn get(&self, id: ChannelId) -> Option<&Arc<ChannelSetup>> {
        self.by_id.get(&id)
    }

    pub(crate) fn with_key(&self, provider: &str, key: &str) -> &[Arc<ChannelSetup>] {
        self.by_key
            .get(&(provider.to_owned(), key.to_owned()))
            .map_or(&[], Vec::as_slice)
    }

    /// All of them, in the order of creation.
    pub(crate) fn all(&self) -> Vec<&Arc<ChannelSetup>> {
        let mut all: Vec<_> = self.by_id.values().collect();
        all.sort_by_key(|setup| setup.channel.id);
        all
    }

    /// A location's channels, in the order of creation.
    pub(crate) fn of(&self, location_id: LocationId) -> Vec<&Arc<ChannelSetup>> {
        let all = self.by_id.values();
        let mut found: Vec<_> = all
            .filter(|setup| setup.channel.location_id == location_id)
            .collect();
        found.sort_by_key(|setup| setup.channel.id);
        found
    }

    /// Whether an address is that of a channel: the business writes to itself, or to another.
    pub(crate) fn has_phone(&self, address: &Address) -> bool {
        match address {
            Address::Phone(phone) => self.phones.contains(phone.digits()),
            Address::UserId(_) => false,
        }
    }

    pub(crate) fn with_account(&self, provider: &str, account: &str) -> &[Arc<ChannelSetup>] {
        self.by_account
            .get(&(provider.to_owned(), account.to_owned()))
            .map_or(&[], Vec::as_slice)
    }
}

/// Whether a webhook means a channel by this key.
fn names(named: &ChannelKey, key: &str, account: &str, phone: &Phone) -> bool {
    match named {
        ChannelKey::Key(named) => named == key,
        ChannelKey::Display {
            account: of,
            phone: named,
        } => of == account && named == phone,
        ChannelKey::Account(named) => named == account,
    }
}
