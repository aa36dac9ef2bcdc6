//! Channels: connect a number, and change it. Credentials go in and never come out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Problem, name, save};
use crate::adapter::Credentials;
use crate::breaker::ChannelPause;
use crate::core::Core;
use crate::domain::channel::{Channel, ChannelSettings};
use crate::domain::contact::Phone;
use crate::domain::ids::{ChannelId, LocationId};
use crate::engine::Engine;
use crate::setup;
use crate::store::{self, SaveChannel, StoredChannel};

/// A channel to be created.
#[derive(Clone, Debug)]
pub struct NewChannel {
    /// The adapter's kind: `meta`, `twilio`, or a host's own.
    pub provider: String,
    /// The account at the provider (Meta: business account id; Twilio: account SID).
    pub account: String,
    /// The provider's own key of the number, where that is not its digits (Meta: phone number id).
    pub key: Option<String>,
    /// The number that customers see.
    pub phone: Phone,
    /// What people call it.
    pub name: String,
    /// How it behaves.
    pub settings: ChannelSettings,
    /// What opens the provider's API; sealed before it is stored.
    pub credentials: Credentials,
}

/// What changes about a channel; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct ChannelChange {
    /// What people call it.
    pub name: Option<String>,
    /// The account at the provider, to which the number has moved.
    pub account: Option<String>,
    /// How it behaves.
    pub settings: Option<ChannelSettings>,
    /// Some of its settings, by name; the others stay as they are at that moment.
    pub edits: Map<String, Value>,
    /// Whether it takes part.
    pub enabled: Option<bool>,
    /// Credentials that replace those of the same field.
    pub credentials: Credentials,
}

impl Engine {
    /// Connects a number to a location.
    ///
    /// # Errors
    /// The location is not there, something is missing, or the number is connected already.
    pub async fn create_channel(
        &self,
        location_id: LocationId,
        new: NewChannel,
    ) -> Result<Channel, Problem> {
        let core = &self.core;
        let known = || core.adapters.keys().copied().collect::<Vec<_>>().join(", ");
        let adapter = core.adapters.get(new.provider.as_str()).ok_or_else(|| {
            Problem::Invalid(format!(
                "there is no provider '{}'; there are: {}",
                new.provider,
                known()
            ))
        })?;
        let key = match new.key {
            Some(key) if !key.trim().is_empty() => key.trim().to_owned(),
            _ if adapter.key_is_phone() => new.phone.digits().to_owned(),
            _ => {
                return Err(Problem::Invalid(
                    "'key' is missing: the provider's own id of the number".to_owned(),
                ));
            }
        };
        if new.account.trim().is_empty() {
            return Err(Problem::Invalid(
                "'account' is missing: the id of the account at the provider".to_owned(),
            ));
        }
        if let Some(sentence) = adapter.misread(new.account.trim(), &key) {
            return Err(Problem::Invalid(sentence));
        }
        check_credentials(core, &new.provider, &new.credentials)?;
        if core.store.location(location_id).await?.is_none() {
            return Err(Problem::Missing("location"));
        }
        let channel = Channel {
            location_id,
            id: ChannelId::generate(),
            provider: new.provider,
            account: new.account.trim().to_owned(),
            key,
            phone: new.phone,
            name: name(&new.name)?,
            settings: new.settings,
            enabled: true,
        };
        let data_key = core.setup.data_key(location_id).await?;
        let credentials = setup::seal(&data_key, &channel, 1, &new.credentials);
        let stored = StoredChannel {
            channel: channel.clone(),
            credentials,
            credentials_version: 1,
        };
        save(
            core,
            SaveChannel {
                stored,
                new: Some(core.clock.now()),
                was: None,
            },
        )
        .await?;
        Ok(channel)
    }

    /// Whether nothing in these credentials verifies the webhooks of a channel, so that what the server's own app
    /// signs would be taken for it.
    ///
    /// Such a channel receives whatever that app hears for the number it names: let it be made only by an
    /// onboarding, which proves whose the number is, or by whoever operates the server.
    pub fn rests_on_server(&self, provider: &str, credentials: &Credentials) -> bool {
        let adapter = self.core.adapters.get(provider);
        adapter.is_some_and(|adapter| adapter.webhook_secrets(credentials).is_empty())
    }

    /// Changes a channel.
    ///
    /// # Errors
    /// It is not there, the change does not do, it takes away the secret by which the channel's webhooks are
    /// verified, or the database failed.
    pub async fn change_channel(
        &self,
        location_id: LocationId,
        id: ChannelId,
        change: ChannelChange,
    ) -> Result<Channel, Problem> {
        self.change(location_id, id, change, false).await
    }

    /// Changes a channel of a number that an onboarding has just proved to be the location's.
    pub(super) async fn change_proven_channel(
        &self,
        location_id: LocationId,
        id: ChannelId,
        change: ChannelChange,
    ) -> Result<Channel, Problem> {
        self.change(location_id, id, change, true).await
    }

    async fn change(
        &self,
        location_id: LocationId,
        id: ChannelId,
        change: ChannelChange,
        is_proven: bool,
    ) -> Result<Channel, Problem> {
        let core = &self.core;
        let mut stored = core
            .store
            .of(location_id)
            .channel(id)
            .await?
            .ok_or(Problem::Missing("channel"))?;
        let was = Some(stored.clone());
        let channel = &mut stored.channel;
        if channel.is_disconnected() {
            return Err(Problem::Invalid(
                "this channel was disconnected and stays so; connect its number again".to_owned(),
            ));
        }
        if let Some(new) = change.name {
            channel.name = name(&new)?;
        }
        if let Some(account) = change.account {
            channel.account = account;
        }
        channel.settings = change.settings.unwrap_or_else(|| channel.settings.clone());
        if !change.edits.is_empty() {
            channel.settings = edited(&channel.settings, change.edits)?;
        }
        channel.enabled = change.enabled.unwrap_or(channel.enabled);
        let channel = channel.clone();
        if change.credentials.iter().next().is_some() {
            let data_key = core.setup.data_key(location_id).await?;
            let mut credentials = setup::open(&data_key, stored.clone())?.credentials;
            let had_own = !self.rests_on_server(&channel.provider, &credentials);
            for (field, secret) in change.credentials.iter() {
                credentials.set(field, secret.clone());
            }
            check_credentials(core, &channel.provider, &credentials)?;
            if had_own && !is_proven && self.rests_on_server(&channel.provider, &credentials) {
                return Err(Problem::Invalid(
                    "the channel needs the secret that verifies its webhooks; to have the server's app do that, \
                     connect the number again: `rejoinder connect start`"
                        .to_owned(),
                ));
            }
            stored.credentials_version += 1;
            stored.credentials = setup::seal(
                &data_key,
                &channel,
                stored.credentials_version,
                &credentials,
            );
        }
        let new = None;
        save(core, SaveChannel { stored, new, was }).await?;
        Ok(channel)
    }
}

impl Engine {
    /// Disconnects a number: its credentials are destroyed, nothing is sent or received by the channel any more, and
    /// the number may be connected anew, here or in another location. What was said stays. Done again it changes
    /// nothing. The provider is not told.
    ///
    /// # Errors
    /// The channel is not there, or the database failed.
    pub async fn disconnect_channel(
        &self,
        location_id: LocationId,
        id: ChannelId,
    ) -> Result<Channel, Problem> {
        let core = &self.core;
        let stored = core.store.of(location_id).channel(id).await?;
        let mut stored = stored.ok_or(Problem::Missing("channel"))?;
        if stored.channel.is_disconnected() {
            return Ok(stored.channel);
        }
        let data_key = core.setup.data_key(location_id).await?;
        let was = Some(stored.clone());
        stored.channel.disconnect();
        stored.credentials_version += 1;
        stored.credentials = setup::seal(
            &data_key,
            &stored.channel,
            stored.credentials_version,
            &Credentials::default(),
        );
        let channel = stored.channel.clone();
        let new = None;
        save(core, SaveChannel { stored, new, was }).await?;
        Ok(channel)
    }
}

/// What may be seen of a channel's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShownCredentials {
    /// The fields that are set, each with the last letters of its secret.
    Set(BTreeMap<String, String>),
    /// They do not open, and why: the channel is out of order.
    OutOfOrder(String),
}

impl Engine {
    /// What may be seen of a channel's credentials; `None` if there is no such channel.
    ///
    /// # Errors
    /// The database failed.
    pub async fn shown_credentials(
        &self,
        id: ChannelId,
    ) -> Result<Option<ShownCredentials>, store::Error> {
        let channels = self.core.setup.channels().await?;
        if let Some(locked) = channels.locked(id) {
            return Ok(Some(ShownCredentials::OutOfOrder(setup::reason(
                &locked.why,
            ))));
        }
        let shown = channels.get(id).map(|setup| {
            let fields = setup.credentials.iter();
            let fields = fields.filter(|(_, secret)| !secret.is_empty());
            fields.map(|(field, secret)| (field.to_owned(), secret.hint()))
        });
        Ok(shown.map(|fields| ShownCredentials::Set(fields.collect())))
    }

    /// Why a channel sends nothing at the moment, if it does not: its provider asked for a rest, refuses its
    /// credentials, or fails. Its messages wait.
    pub fn channel_pause(&self, id: ChannelId) -> Option<ChannelPause> {
        let core = &self.core;
        let asked_for = core.pace.paused(id, core.clock.now());
        let asked_for = asked_for.map(|until| ChannelPause {
            until,
            why: "the provider says that the number sends too fast".to_owned(),
        });
        core.breakers.pause(id).or(asked_for)
    }
}

/// Settings with those changed that somebody named.
fn edited(
    settings: &ChannelSettings,
    edits: Map<String, Value>,
) -> Result<ChannelSettings, Problem> {
    let invalid = |error: serde_json::Error| Problem::Invalid(format!("'settings': {error}"));
    let mut value = serde_json::to_value(settings).map_err(invalid)?;
    if let Some(members) = value.as_object_mut() {
        members.extend(edits);
    }
    serde_json::from_value(value).map_err(invalid)
}

fn check_credentials(
    core: &Core,
    provider: &str,
    credentials: &Credentials,
) -> Result<(), Problem> {
    let Some(adapter) = core.adapters.get(provider) else {
        return Err(Problem::Missing("provider"));
    };
    let fields = adapter.credential_fields();
    if let Some(missing) = fields
        .iter()
        .find(|field| field.required && credentials.get(field.name).is_none())
    {
        return Err(Problem::Invalid(format!(
            "the credential '{}' is missing: {}",
            missing.name, missing.help
        )));
    }
    if let Some(unknown) = credentials
        .fields()
        .find(|name| !fields.iter().any(|field| field.name == *name))
    {
        let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
        return Err(Problem::Invalid(format!(
            "{provider} has no credential '{unknown}'; it has: {}",
            names.join(", ")
        )));
    }
    Ok(())
}
