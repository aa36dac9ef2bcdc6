//! Channels in the API. Credentials go in; what comes out are their last letters.

use std::collections::BTreeMap;

use rejoinder_engine::adapter::Credentials;
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::channel::{Channel, ChannelSettings};
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::ids::ChannelId;
use rejoinder_engine::{ChannelChange, Engine, NewChannel, ShownCredentials};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use warp::reply::Response;

use super::merge;
use super::request::{Scoped, id};
use crate::reply::{self, Error};

/// A channel as printed.
#[derive(Serialize)]
pub(crate) struct ChannelJson {
    id: String,
    location_id: String,
    provider: String,
    account: String,
    key: String,
    phone: String,
    name: String,
    enabled: bool,
    settings: ChannelSettings,
    /// The fields that are set, each with the last letters of its secret.
    credentials: BTreeMap<String, String>,
    /// Why its credentials do not open; absent if they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    out_of_order: Option<String>,
    /// Where its provider sends webhooks; absent if the server has no public address.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_url: Option<String>,
    /// Why nothing leaves at the moment; absent if the channel sends, or if only the server knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<PauseJson>,
}

#[derive(Serialize)]
struct PauseJson {
    until: String,
    why: String,
}

impl ChannelJson {
    /// A channel of an engine.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn new(channel: Channel, engine: &Engine) -> Result<Self, Error> {
        let shown = engine.shown_credentials(channel.id).await?;
        let (credentials, out_of_order) = match shown {
            Some(ShownCredentials::Set(fields)) => (fields, None),
            Some(ShownCredentials::OutOfOrder(why)) => (BTreeMap::new(), Some(why)),
            // It went while it was looked at.
            None => (BTreeMap::new(), None),
        };
        Ok(Self {
            webhook_url: engine.webhook_url(&channel.provider, Some(channel.id)),
            id: channel.id.to_string(),
            location_id: channel.location_id.to_string(),
            provider: channel.provider,
            account: channel.account,
            key: channel.key,
            phone: channel.phone.to_string(),
            name: channel.name,
            enabled: channel.enabled,
            settings: channel.settings,
            credentials,
            out_of_order,
            paused: None,
        })
    }

    /// A channel of an engine that runs.
    async fn live(channel: Channel, engine: &Engine) -> Result<Self, Error> {
        let paused = engine.channel_pause(channel.id).map(|pause| PauseJson {
            until: pause.until.to_string(),
            why: pause.why,
        });
        Ok(Self {
            paused,
            ..Self::new(channel, engine).await?
        })
    }
}

/// A list of channels as printed.
#[derive(Serialize)]
pub(crate) struct ChannelsJson {
    channels: Vec<ChannelJson>,
}

impl ChannelsJson {
    /// Channels of an engine.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn new(found: Vec<Channel>, engine: &Engine) -> Result<Self, Error> {
        let mut channels = Vec::with_capacity(found.len());
        for channel in found {
            channels.push(ChannelJson::new(channel, engine).await?);
        }
        Ok(Self { channels })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    provider: String,
    account: String,
    key: Option<String>,
    phone: String,
    name: String,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    credentials: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    enabled: Option<bool>,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    credentials: BTreeMap<String, String>,
}

/// A phone number, from what people write.
///
/// # Errors
/// It is not one.
pub(crate) fn phone(text: &str) -> Result<Phone, Error> {
    Phone::parse(text).ok_or_else(|| {
        Error::Invalid(format!(
            "'{text}' is not a phone number; write it with its country, such as +4930901820"
        ))
    })
}

/// A channel's settings, with those that people name changed.
///
/// # Errors
/// One of them does not read.
pub(crate) fn settings(
    current: &ChannelSettings,
    change: Map<String, Value>,
) -> Result<ChannelSettings, Error> {
    merge(current, change)
}

fn credentials(fields: BTreeMap<String, String>) -> Credentials {
    let fields = fields.into_iter();
    fields
        .map(|(field, value)| (field, Secret::new(value)))
        .collect()
}

/// `/channels…`
pub(crate) async fn route(path: &[&str], scoped: &Scoped) -> Result<Response, Error> {
    match (scoped.request.method.as_str(), path) {
        ("GET", []) => list(scoped).await,
        ("POST", []) => create(scoped).await,
        (_, []) => Err(Error::Method("GET, POST")),
        ("PATCH", [channel]) => change(scoped, id(channel, "channel")?).await,
        ("GET", [channel]) => {
            let channel = find(scoped, id(channel, "channel")?).await?;
            Ok(reply::ok(
                &ChannelJson::live(channel, scoped.engine()).await?,
            ))
        }
        ("DELETE", [channel]) => {
            let id = id(channel, "channel")?;
            let engine = scoped.engine();
            let channel = engine.disconnect_channel(scoped.location_id, id).await?;
            Ok(reply::ok(&ChannelJson::live(channel, engine).await?))
        }
        (_, [_]) => Err(Error::Method("GET, PATCH, DELETE")),
        _ => Err(Error::Missing("path")),
    }
}

async fn find(scoped: &Scoped, id: ChannelId) -> Result<Channel, Error> {
    let channels = scoped.store().channels().await?;
    let mut channels = channels.into_iter();
    channels
        .find(|channel| channel.id == id)
        .ok_or(Error::Missing("channel"))
}

async fn list(scoped: &Scoped) -> Result<Response, Error> {
    scoped.request.query.only(&[])?;
    let engine = scoped.engine();
    let mut channels = Vec::new();
    for channel in scoped.store().channels().await? {
        channels.push(ChannelJson::live(channel, engine).await?);
    }
    Ok(reply::ok(&ChannelsJson { channels }))
}

async fn create(scoped: &Scoped) -> Result<Response, Error> {
    let create: Create = scoped.request.json()?;
    let new = NewChannel {
        provider: create.provider,
        account: create.account,
        key: create.key,
        phone: phone(&create.phone)?,
        name: create.name,
        settings: settings(&ChannelSettings::default(), create.settings)?,
        credentials: credentials(create.credentials),
    };
    let engine = scoped.engine();
    // What the server's app hears may be another tenant's.
    let is_operator = scoped.request.caller.is_operator();
    if !is_operator && engine.rests_on_server(&new.provider, &new.credentials) {
        return Err(Error::Invalid(
            "the server's app would verify the webhooks of this channel, and nothing here proves that the number is \
             yours: connect it by POST …/onboardings, or give the secret of an app of your own"
                .to_owned(),
        ));
    }
    let channel = engine.create_channel(scoped.location_id, new).await?;
    Ok(reply::created(&ChannelJson::live(channel, engine).await?))
}

async fn change(scoped: &Scoped, id: ChannelId) -> Result<Response, Error> {
    let change: Change = scoped.request.json()?;
    let change = ChannelChange {
        name: change.name,
        edits: change.settings,
        enabled: change.enabled,
        credentials: credentials(change.credentials),
        ..ChannelChange::default()
    };
    let engine = scoped.engine();
    let channel = engine
        .change_channel(scoped.location_id, id, change)
        .await?;
    Ok(reply::ok(&ChannelJson::live(channel, engine).await?))
}
