//! What the writer remembers between operations, to spare look-ups: which address leads to which
//! conversation, and which statuses came before we knew the message. Only a shortcut: forgetting all
//! of it changes nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::entity::prelude::Uuid;

use crate::domain::contact::{Address, Peer};
use crate::domain::ids::{ChannelId, ContactId, ConversationId};

/// Entries above which everything is forgotten: about 20 MB.
const MAX_ENTRIES: usize = 200_000;

/// Where an address leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownPeer {
    pub(crate) contact_id: ContactId,
    pub(crate) conversation_id: ConversationId,
    /// Where answers go.
    pub(crate) address: Address,
    pub(crate) named: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Known {
    peers: Mutex<HashMap<(ChannelId, Address), KnownPeer>>,
    orphans: Mutex<HashSet<String>>,
    /// The rows that were found not to read.
    unreadable: Mutex<HashSet<Uuid>>,
    /// How often addresses were forgotten.
    epoch: AtomicU64,
}

impl Known {
    /// Where every address of `peer` leads, if that is one place and nothing about it is to be filled in.
    pub(super) fn peer(&self, channel_id: ChannelId, peer: &Peer) -> Option<KnownPeer> {
        let peers = self.peers.lock().expect("no one panics while holding it");
        let mut places = peer
            .addresses()
            .map(|address| peers.get(&(channel_id, address)));
        let first = places.next()??;
        let complete = first.named || peer.name.as_ref().is_none_or(String::is_empty);
        (complete && places.all(|place| place == Some(first))).then(|| first.clone())
    }

    /// Changes whenever addresses are forgotten.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Remembers places that are on disk, unless addresses changed hands since they were found.
    pub(super) fn remember(
        &self,
        epoch: u64,
        places: impl IntoIterator<Item = (ChannelId, Peer, KnownPeer)>,
    ) {
        let mut peers = self.peers.lock().expect("no one panics while holding it");
        if self.epoch() != epoch {
            return;
        }
        for (channel_id, peer, place) in places {
            if peers.len() >= MAX_ENTRIES {
                peers.clear();
            }
            for address in peer.addresses() {
                peers.insert((channel_id, address), place.clone());
            }
        }
    }

    /// Forgets where addresses lead: one of them changed hands.
    pub(super) fn forget_peers(&self) {
        let mut peers = self.peers.lock().expect("no one panics while holding it");
        self.epoch.fetch_add(1, Ordering::SeqCst);
        peers.clear();
    }

    /// Whether nobody was told yet that a row does not read.
    pub(super) fn is_news(&self, row_id: Uuid) -> bool {
        let mut told = self
            .unreadable
            .lock()
            .expect("no one panics while holding it");
        if told.len() >= MAX_ENTRIES {
            told.clear();
        }
        told.insert(row_id)
    }

    /// A status came for a message that is not known to be ours.
    pub(super) fn add_orphan(&self, provider_id: &str) {
        let mut orphans = self.orphans.lock().expect("no one panics while holding it");
        if orphans.len() >= MAX_ENTRIES {
            orphans.clear();
        }
        orphans.insert(provider_id.to_owned());
    }

    /// Whether statuses of a message came before it was known.
    pub(super) fn is_orphan(&self, provider_id: &str) -> bool {
        let orphans = self.orphans.lock().expect("no one panics while holding it");
        orphans.contains(provider_id)
    }

    /// The message is known now, and its statuses are applied.
    pub(super) fn forget_orphan(&self, provider_id: &str) {
        let mut orphans = self.orphans.lock().expect("no one panics while holding it");
        orphans.remove(provider_id);
    }
}
