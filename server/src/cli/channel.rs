//! `rejoinder channel`: the WhatsApp numbers of a location.

use clap::{Args, Subcommand};
use rejoinder_engine::adapter::Credentials;
use rejoinder_engine::domain::channel::{Channel, ChannelSettings};
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::{ChannelChange, Engine, NewChannel};

use super::import::Import;
use super::{Failure, open, secret};
use crate::api::channels::{ChannelJson, ChannelsJson, phone, settings};
use crate::out::Format;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Connect a number to a location
    Create(Create),
    /// List a location's channels
    List {
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
    /// Change a channel; what is not named stays
    Set(Set),
    /// Disconnect a number: its credentials are destroyed, and what was said stays
    ///
    /// It may be connected anew then, here or in another location. The provider is not told: what it sends to the
    /// address of this channel is not taken any more.
    Disconnect {
        /// The channel's id
        channel: String,
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
        /// Do it: it cannot be undone
        #[arg(long)]
        yes: bool,
    },
    Import(Import),
}

#[derive(Args, Debug)]
pub(super) struct Create {
    /// Its id or name [default: the only one]
    #[arg(long)]
    location: Option<String>,
    /// meta or twilio
    #[arg(long)]
    provider: String,
    /// Meta: business account id; Twilio: SID
    #[arg(long)]
    account: String,
    /// Meta: phone number id; Twilio: not needed
    #[arg(long)]
    key: Option<String>,
    /// The number, such as +4930901820
    #[arg(long)]
    phone: String,
    /// What people call it
    #[arg(long)]
    name: String,
    #[command(flatten)]
    details: Details,
}

#[derive(Args, Debug)]
pub(super) struct Set {
    /// The channel's id
    channel: String,
    /// Its id or name [default: the only one]
    #[arg(long)]
    location: Option<String>,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// Let it take part again
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Keep what comes in, and send nothing
    #[arg(long)]
    disable: bool,
    #[command(flatten)]
    details: Details,
}

#[derive(Args, Debug)]
struct Details {
    /// Repeatable: name=@file, name=- (asks), name=env:VAR; cryptr:@file … if cryptr sealed it
    #[arg(long, value_name = "NAME=SOURCE")]
    credential: Vec<String>,
    /// Repeatable: such as messages_per_second=20
    #[arg(long, value_name = "NAME=VALUE")]
    setting: Vec<String>,
}

impl Command {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(engine, format).await,
            Self::List { location } => list(engine, location.as_deref(), format).await,
            Self::Set(set) => set.run(engine, format).await,
            Self::Disconnect {
                channel,
                location,
                yes,
            } => {
                let location = open::location(engine, location.as_deref()).await?;
                let channel = find(engine, location.id, &channel).await?;
                if !yes {
                    return Err(Failure::new(format!(
                        "{} would be disconnected and its credentials destroyed; say --yes to do it",
                        channel.phone
                    )));
                }
                let channel = engine.disconnect_channel(location.id, channel.id).await?;
                format.one(&ChannelJson::new(channel, engine).await?);
                Ok(())
            }
            Self::Import(import) => import.run(engine, format).await,
        }
    }
}

impl Create {
    async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        let location = open::location(engine, self.location.as_deref()).await?;
        let change = open::settings(&self.details.setting)?;
        let new = NewChannel {
            provider: self.provider,
            account: self.account,
            key: self.key,
            phone: phone(&self.phone)?,
            name: self.name,
            settings: settings(&ChannelSettings::default(), change)?,
            credentials: credentials(&self.details.credential).await?,
        };
        let channel = engine.create_channel(location.id, new).await?;
        format.one(&ChannelJson::new(channel, engine).await?);
        Ok(())
    }
}

async fn list(engine: &Engine, location: Option<&str>, format: Format) -> Result<(), Failure> {
    let location = open::location(engine, location).await?;
    let channels = engine.store().of(location.id).channels().await?;
    let columns = [
        ("ID", "id"),
        ("PROVIDER", "provider"),
        ("PHONE", "phone"),
        ("NAME", "name"),
    ];
    let channels = ChannelsJson::new(channels, engine).await?;
    format.list(&channels, "channels", &columns);
    Ok(())
}

impl Set {
    async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        let location = open::location(engine, self.location.as_deref()).await?;
        let channel = find(engine, location.id, &self.channel).await?;
        let change = open::settings(&self.details.setting)?;
        let change = ChannelChange {
            name: self.name,
            edits: change,
            enabled: (self.enable || self.disable).then_some(self.enable),
            credentials: credentials(&self.details.credential).await?,
            ..ChannelChange::default()
        };
        let channel = engine
            .change_channel(location.id, channel.id, change)
            .await?;
        format.one(&ChannelJson::new(channel, engine).await?);
        Ok(())
    }
}

async fn find(engine: &Engine, location_id: LocationId, id: &str) -> Result<Channel, Failure> {
    let channels = engine.store().of(location_id).channels().await?;
    let mut channels = channels.into_iter();
    channels
        .find(|channel| channel.id.to_string() == id)
        .ok_or_else(|| Failure::missing("channel", id, "channel list"))
}

/// Reads credentials from where people say they are.
async fn credentials(sources: &[String]) -> Result<Credentials, Failure> {
    Ok(secret::read("credential", sources)
        .await?
        .into_iter()
        .collect())
}
