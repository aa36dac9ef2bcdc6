//! Channels in the API. Credentials go in and never come out.

use std::collections::BTreeMap;

use rejoinder_engine::adapter::Credentials;
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::channel::{Channel, ChannelSettings};
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::ids::ChannelId;
use rejoinder_engine::{ChannelChange, Engine, NewChannel};
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
    pub(crate) fn new(channel: Channel, engine: &Engine) -> Self {
        Self {
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
            paused: None,
        }
    }

    /// A channel of an engine that runs.
    fn live(channel: Channel, engine: &Engine) -> Self {
        let paused = engine.channel_pause(channel.id).map(|pause| PauseJson {
            until: pause.until.to_string(),
            why: pause.why,
        });
        Self {
            paused,
            ..Self::new(channel, engine)
        }
    }
}

/// A list of channels as printed.
#[derive(Serialize)]
pub(crate) struct ChannelsJson {
    channels: Vec<ChannelJson>,
}

impl ChannelsJson {
    pub(crate) fn new(channels: Vec<Channel>, engine: &Engine) -> Self {
        let channels = channels.into_iter();
        Self {
            channels: channels
                .map(|channel| ChannelJson::new(channel, engine))
                .collect(),
        }
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
            Ok(reply::ok(&ChannelJson::live(channel, scoped.engine())))
        }
        (_, [_]) => Err(Error::Method("GET, PATCH")),
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
    let channels = scoped.store().channels().await?.into_iter();
    Ok(reply::ok(&ChannelsJson {
        channels: channels
            .map(|channel| ChannelJson::live(channel, engine))
            .collect(),
    }))
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
    let channel = engine.create_channel(scoped.location_id, new).await?;
    Ok(reply::created(&ChannelJson::live(channel, engine)))
}

async fn change(scoped: &Scoped, id: ChannelId) -> Result<Response, Error> {
    let change: Change = scoped.request.json()?;
    let current = find(scoped, id).await?;
    let change = ChannelChange {
        name: change.name,
        account: None,
        settings: Some(settings(&current.settings, change.settings)?),
        enabled: change.enabled,
        credentials: credentials(change.credentials),
    };
    let engine = scoped.engine();
    let channel = engine
        .change_channel(scoped.location_id, id, change)
        .await?;
    Ok(reply::ok(&ChannelJson::live(channel, engine)))
}
