//! What is set up: locations with their compiled rules, channels with their opened credentials.
//! Read from the store, kept until someone changes it, in this process or another.

mod channels;
mod headers;
mod keys;
mod sealed;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, RwLock};

use sha2::{Digest, Sha256};

use crate::adapter::Credentials;
use crate::crypto::{DataKey, Place, Vault};
use crate::decide::ActiveRule;
use crate::domain::channel::Channel;
use crate::domain::ids::LocationId;
use crate::domain::location::Location;
use crate::script::{Script, ScriptHost};
use crate::store::{self, Store, StoredChannel, StoredOnboarding};

pub(crate) use self::channels::Channels;
pub(crate) use self::headers::{EndpointSetup, open_headers, seal_headers};
pub(crate) use self::keys::reason;
use self::sealed::{open_fields, seal_fields};

/// Compiled scripts that are kept although no rule may use them any more: about 20 MB.
const MAX_SCRIPTS: usize = 2_000;

/// A location and its published rules.
pub(crate) struct LocationSetup {
    pub(crate) location: Location,
    pub(crate) rules: Vec<ActiveRule>,
    /// How many lines of history any of the rules reads.
    pub(crate) history_lines: u64,
    /// Whether any of the rules has `on_start`, which depends on when the customer wrote before.
    pub(crate) has_on_start: bool,
    /// The names of the endpoints that the rules may call.
    pub(crate) endpoints: BTreeSet<String>,
}

/// A channel and what opens its provider's API.
pub(crate) struct ChannelSetup {
    pub(crate) channel: Arc<Channel>,
    pub(crate) credentials: Credentials,
    /// It grows with each change of the credentials.
    pub(crate) credentials_version: i32,
}

/// What is set up, as far as it was asked for.
pub(crate) struct Setup {
    store: Store,
    vault: Vault,
    scripts: ScriptHost,
    kept: RwLock<Kept>,
    /// The data keys that were opened.
    keys: Mutex<HashMap<LocationId, DataKey>>,
    compiled: Mutex<HashMap<[u8; 32], Script>>,
}

#[derive(Default)]
struct Kept {
    revision: i64,
    channels: Option<Arc<Channels>>,
    locations: HashMap<LocationId, Arc<LocationSetup>>,
}

impl Setup {
    pub(crate) fn new(store: Store, vault: Vault, scripts: ScriptHost) -> Self {
        Self {
            store,
            vault,
            scripts,
            kept: RwLock::default(),
            keys: Mutex::default(),
            compiled: Mutex::default(),
        }
    }

    pub(crate) const fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(crate) const fn scripts(&self) -> &ScriptHost {
        &self.scripts
    }

    /// Forgets what was kept if someone changed anything since.
    pub(crate) async fn refresh(&self) -> Result<(), store::Error> {
        let revision = self.store.revision().await?;
        if self
            .kept
            .read()
            .expect("no one panics while holding it")
            .revision
            != revision
        {
            let mut kept = self.kept.write().expect("no one panics while holding it");
            *kept = Kept {
                revision,
                ..Kept::default()
            };
        }
        Ok(())
    }

    /// Every channel.
    pub(crate) async fn channels(&self) -> Result<Arc<Channels>, store::Error> {
        if let Some(channels) = &self
            .kept
            .read()
            .expect("no one panics while holding it")
            .channels
        {
            return Ok(Arc::clone(channels));
        }
        let revision = self.store.revision().await?;
        let stored = self.store.channels().await?;
        // After the channels: each of them has a location then, unless that went meanwhile.
        let keys = self.open_keys(self.store.data_keys().await?);
        let mut channels = Channels::default();
        channels.remember(self.store.deleted_channels().await?);
        for stored in stored {
            let channel = stored.channel.clone();
            let opened = match keys.get(&channel.location_id) {
                Some(Ok(key)) => open(key, stored),
                // Its location was told of already.
                Some(Err(error)) => {
                    channels.lock(channel, error.clone().into());
                    continue;
                }
                None => continue,
            };
            match opened {
                Ok(setup) => channels.add(Arc::new(setup)),
                Err(error) => {
                    let why = reason(&error);
                    tracing::error!(location.id = %channel.location_id, channel.id = %channel.id, why,
                        "a channel's credentials do not open; it is out of order");
                    channels.lock(channel, error);
                }
            }
        }
        let channels = Arc::new(channels);
        let mut kept = self.kept.write().expect("no one panics while holding it");
        if kept.revision != revision {
            *kept = Kept {
                revision,
                ..Kept::default()
            };
        }
        kept.channels = Some(Arc::clone(&channels));
        Ok(channels)
    }

    /// A location with its published rules, compiled.
    pub(crate) async fn location(
        &self,
        id: LocationId,
    ) -> Result<Option<Arc<LocationSetup>>, store::Error> {
        if let Some(setup) = self
            .kept
            .read()
            .expect("no one panics while holding it")
            .locations
            .get(&id)
        {
            return Ok(Some(Arc::clone(setup)));
        }
        let revision = self.store.revision().await?;
        let Some((location, _)) = self.store.location(id).await? else {
            return Ok(None);
        };
        let store = self.store.of(id);
        let mut rules = Vec::new();
        for rule in store.rules().await?.into_iter().filter(|rule| rule.enabled) {
            let Some(version) = rule.published else {
                continue;
            };
            let Some(published) = store.rule_version(rule.id, version).await? else {
                continue;
            };
            match self.compile(&published.source) {
                Ok(script) => rules.push(ActiveRule {
                    id: rule.id,
                    name: rule.name,
                    version,
                    script,
                }),
                // It compiled when it was published; an upgrade may see it differently.
                Err(error) => {
                    tracing::error!(location.id = %id, rule.id = %rule.id, %error, "a rule does not compile");
                }
            }
        }
        let history_lines = rules
            .iter()
            .map(|rule| rule.script.history_lines() as u64)
            .max()
            .unwrap_or(0);
        let endpoints = store.endpoints().await?.into_iter();
        let setup = Arc::new(LocationSetup {
            has_on_start: rules.iter().any(|rule| rule.script.defines("on_start")),
            location,
            rules,
            history_lines,
            endpoints: endpoints
                .map(|endpoint| endpoint.name.to_string())
                .collect(),
        });
        let mut kept = self.kept.write().expect("no one panics while holding it");
        if kept.revision != revision {
            *kept = Kept {
                revision,
                ..Kept::default()
            };
        }
        kept.locations.insert(id, Arc::clone(&setup));
        Ok(Some(setup))
    }

    /// A script, compiled once for all rules that say the same.
    fn compile(&self, source: &str) -> Result<Script, String> {
        let hash: [u8; 32] = Sha256::digest(source.as_bytes()).into();
        if let Some(script) = self
            .compiled
            .lock()
            .expect("no one panics while holding it")
            .get(&hash)
        {
            return Ok(script.clone());
        }
        let script = self.scripts.compile(source).map_err(|diagnostics| {
            diagnostics
                .first()
                .map_or_else(|| "it does not compile".to_owned(), ToString::to_string)
        })?;
        let mut compiled = self
            .compiled
            .lock()
            .expect("no one panics while holding it");
        if compiled.len() >= MAX_SCRIPTS {
            compiled.clear();
        }
        compiled.insert(hash, script.clone());
        Ok(script)
    }
}

/// Where a channel's credentials belong.
pub(crate) fn credentials_place<'a>(channel: &Channel, row: &'a str, version: i32) -> Place<'a> {
    Place {
        table: "channel",
        column: "credentials",
        location_id: channel.location_id,
        row,
        version,
    }
}

/// Seals a channel's credentials.
pub(crate) fn seal(
    key: &DataKey,
    channel: &Channel,
    version: i32,
    credentials: &Credentials,
) -> String {
    let row = channel.id.to_string();
    let place = credentials_place(channel, &row, version);
    seal_fields(key, &place, credentials.iter())
}

/// Opens a channel's credentials.
pub(crate) fn open(key: &DataKey, stored: StoredChannel) -> Result<ChannelSetup, store::Error> {
    let row = stored.channel.id.to_string();
    let place = credentials_place(&stored.channel, &row, stored.credentials_version);
    let credentials = open_fields(key, &place, &stored.credentials)?;
    Ok(ChannelSetup {
        channel: Arc::new(stored.channel),
        credentials,
        credentials_version: stored.credentials_version,
    })
}

/// Where the secrets of an onboarding belong.
fn onboarding_place<'a>(stored: &StoredOnboarding, row: &'a str) -> Place<'a> {
    Place {
        table: "onboarding",
        column: "secrets",
        location_id: stored.onboarding.location_id,
        row,
        version: stored.version,
    }
}

/// Puts secrets, sealed, into an onboarding of the version that it has; none if there are none.
pub(crate) fn seal_onboarding(key: &DataKey, stored: &mut StoredOnboarding, secrets: &Credentials) {
    let row = stored.onboarding.id.to_string();
    stored.secrets = if secrets.fields().next().is_none() {
        String::new()
    } else {
        seal_fields(key, &onboarding_place(stored, &row), secrets.iter())
    };
}

/// Opens the secrets of an onboarding.
pub(crate) fn open_onboarding(
    key: &DataKey,
    stored: &StoredOnboarding,
) -> Result<Credentials, store::Error> {
    if stored.secrets.is_empty() {
        return Ok(Credentials::default());
    }
    let row = stored.onboarding.id.to_string();
    open_fields(key, &onboarding_place(stored, &row), &stored.secrets)
}
