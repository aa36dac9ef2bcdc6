//! Setting up: locations, channels, rules, tokens; and running again what was put aside.

use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use crate::accept::{self, Counts};
use crate::adapter::Credentials;
use crate::core::Core;
use crate::crypto::{Secret, Vault};
use crate::domain::channel::{Channel, ChannelSettings};
use crate::domain::contact::Phone;
use crate::domain::event::Payload;
use crate::domain::ids::{ChannelId, EventId, LocationId, RuleId, TokenId, UnroutedId};
use crate::domain::inbound::{Inbound, Item};
use crate::domain::location::{Location, LocationSettings};
use crate::domain::rule::Rule;
use crate::script::{Diagnostic, Script};
use crate::setup;
use crate::store::{
    self, CreateToken, ForgetUnrouted, NewRule, PublishRule, SaveChannel, SaveLocation, SaveRule,
    Schedule, StoredChannel, TokenRow, Unpark,
};

/// Letters of a name at most.
const MAX_NAME: usize = 200;
/// Bytes of a script at most: a rule of twenty lines has about one thousand.
pub(crate) const MAX_SCRIPT_BYTES: usize = 64 * 1024;

/// What was asked for could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is not there.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// It cannot be as asked; the sentence says why and what to do.
    #[error("{0}")]
    Invalid(String),
    /// The script has mistakes.
    #[error("the script has {} mistake(s); the first: {}", .0.len(), .0.first().map_or_else(String::new, ToString::to_string))]
    Script(Vec<Diagnostic>),
    /// The database failed, or has it already.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A location to be created.
#[derive(Clone, Debug)]
pub struct NewLocation {
    /// What people call it.
    pub name: String,
    /// Where its clocks are.
    pub time_zone: Tz,
    /// How it behaves.
    pub settings: LocationSettings,
}

/// What changes about a location; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct LocationChange {
    /// What people call it.
    pub name: Option<String>,
    /// Where its clocks are.
    pub time_zone: Option<Tz>,
    /// How it behaves.
    pub settings: Option<LocationSettings>,
}

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
    /// How it behaves.
    pub settings: Option<ChannelSettings>,
    /// Whether it takes part.
    pub enabled: Option<bool>,
    /// Credentials that replace those of the same field.
    pub credentials: Credentials,
}

pub(crate) async fn create_location(core: &Core, new: NewLocation) -> Result<Location, Problem> {
    let id = LocationId::generate();
    let location = Location {
        id,
        name: name(&new.name)?,
        time_zone: new.time_zone,
        settings: new.settings,
    };
    let data_key = core.setup.vault().new_data_key(id);
    save(
        core,
        SaveLocation {
            location: location.clone(),
            new: Some((data_key, core.clock.now())),
        },
    )
    .await?;
    Ok(location)
}

pub(crate) async fn change_location(
    core: &Core,
    id: LocationId,
    change: LocationChange,
) -> Result<Location, Problem> {
    let (mut location, _) = core
        .store
        .location(id)
        .await?
        .ok_or(Problem::Missing("location"))?;
    if let Some(new) = change.name {
        location.name = name(&new)?;
    }
    location.time_zone = change.time_zone.unwrap_or(location.time_zone);
    location.settings = change.settings.unwrap_or(location.settings);
    save(
        core,
        SaveLocation {
            location: location.clone(),
            new: None,
        },
    )
    .await?;
    Ok(location)
}

pub(crate) async fn create_channel(
    core: &Core,
    location_id: LocationId,
    new: NewChannel,
) -> Result<Channel, Problem> {
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
        },
    )
    .await?;
    Ok(channel)
}

pub(crate) async fn change_channel(
    core: &Core,
    location_id: LocationId,
    id: ChannelId,
    change: ChannelChange,
) -> Result<Channel, Problem> {
    let mut stored = core
        .store
        .of(location_id)
        .channel(id)
        .await?
        .ok_or(Problem::Missing("channel"))?;
    let channel = &mut stored.channel;
    if let Some(new) = change.name {
        channel.name = name(&new)?;
    }
    channel.settings = change.settings.unwrap_or_else(|| channel.settings.clone());
    channel.enabled = change.enabled.unwrap_or(channel.enabled);
    let channel = channel.clone();
    if change.credentials.fields().next().is_some() {
        let data_key = core.setup.data_key(location_id).await?;
        let mut credentials = setup::open(&data_key, stored.clone())?.credentials;
        for (field, secret) in change.credentials.iter() {
            credentials.set(field, secret.clone());
        }
        check_credentials(core, &channel.provider, &credentials)?;
        stored.credentials_version += 1;
        stored.credentials = setup::seal(
            &data_key,
            &channel,
            stored.credentials_version,
            &credentials,
        );
    }
    save(core, SaveChannel { stored, new: None }).await?;
    Ok(channel)
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

/// Compiles a script as publishing would.
pub(crate) fn check(core: &Core, source: &str) -> Result<Script, Problem> {
    if source.len() > MAX_SCRIPT_BYTES {
        let kib = MAX_SCRIPT_BYTES / 1024;
        return Err(Problem::Invalid(format!(
            "a script has {kib} KiB at most; split it into several rules"
        )));
    }
    core.setup
        .scripts()
        .compile(source)
        .map_err(Problem::Script)
}

pub(crate) async fn create_rule(
    core: &Core,
    location_id: LocationId,
    new: NewRule,
) -> Result<Rule, Problem> {
    if core.store.location(location_id).await?.is_none() {
        return Err(Problem::Missing("location"));
    }
    let rules = core.store.of(location_id).rules().await?;
    let last = rules.iter().map(|rule| rule.position).max();
    let rule = Rule {
        location_id,
        id: RuleId::generate(),
        name: name(&new.name)?,
        position: new
            .position
            .unwrap_or_else(|| last.map_or(0, |last| last.saturating_add(10))),
        enabled: true,
        draft: new.source,
        published: None,
        updated_at: core.clock.now(),
    };
    save(
        core,
        SaveRule {
            rule: rule.clone(),
            is_new: true,
        },
    )
    .await?;
    Ok(rule)
}

pub(crate) async fn save_draft(
    core: &Core,
    location_id: LocationId,
    id: RuleId,
    source: String,
) -> Result<Rule, Problem> {
    let rule = core
        .store
        .of(location_id)
        .rule(id)
        .await?
        .ok_or(Problem::Missing("rule"))?;
    let rule = Rule {
        draft: source,
        updated_at: core.clock.now(),
        ..rule
    };
    save(
        core,
        SaveRule {
            rule: rule.clone(),
            is_new: false,
        },
    )
    .await?;
    Ok(rule)
}

pub(crate) async fn set_rule_enabled(
    core: &Core,
    location_id: LocationId,
    id: RuleId,
    enabled: bool,
) -> Result<Rule, Problem> {
    let rule = core
        .store
        .of(location_id)
        .rule(id)
        .await?
        .ok_or(Problem::Missing("rule"))?;
    if enabled && rule.published.is_some() {
        return publish(core, location_id, id).await;
    }
    let rule = Rule {
        enabled,
        updated_at: core.clock.now(),
        ..rule
    };
    save(
        core,
        SaveRule {
            rule: rule.clone(),
            is_new: false,
        },
    )
    .await?;
    Ok(rule)
}

/// Publishes a rule's draft, if it has no mistakes.
pub(crate) async fn publish(
    core: &Core,
    location_id: LocationId,
    id: RuleId,
) -> Result<Rule, Problem> {
    let rule = core
        .store
        .of(location_id)
        .rule(id)
        .await?
        .ok_or(Problem::Missing("rule"))?;
    let (location, _) = core
        .store
        .location(location_id)
        .await?
        .ok_or(Problem::Missing("location"))?;
    let script = check(core, &rule.draft)?;
    let now = core.clock.now();
    let schedules = script.schedules().iter().filter_map(|line| {
        Some(Schedule {
            location_id,
            rule_id: id,
            handler: line.handler.clone(),
            cron: line.cron.text().to_owned(),
            next_at: line.cron.next(now, location.time_zone)?,
        })
    });
    let publish = PublishRule {
        location_id,
        rule_id: id,
        source: rule.draft.clone(),
        schedules: schedules.collect(),
        now,
    };
    let version = save(core, publish).await?;
    Ok(Rule {
        published: Some(version),
        enabled: true,
        updated_at: now,
        ..rule
    })
}

/// Makes a bearer token; it is shown this once, and only its hash is kept.
pub(crate) async fn create_token(
    core: &Core,
    token_name: &str,
    location_id: Option<LocationId>,
) -> Result<(TokenRow, Secret), Problem> {
    // A key of the vault is 32 bytes of chance: as good a token as any.
    let ring = Vault::generate_ring("t");
    let word = ring
        .expose()
        .trim_start_matches("t:")
        .replace(['+', '/', '='], "");
    let secret = Secret::new(format!("rjt_{word}"));
    let token = TokenRow {
        id: TokenId::generate(),
        name: name(token_name)?,
        location_id,
    };
    let hash = token_hash(secret.expose());
    core.store
        .write(CreateToken {
            token: token.clone(),
            hash,
            now: core.clock.now(),
        })
        .await?;
    Ok((token, secret))
}

/// The token that a request carries, if it is one of ours.
pub(crate) async fn authenticate(
    core: &Core,
    token: &str,
) -> Result<Option<TokenRow>, store::Error> {
    core.store.token(&token_hash(token)).await
}

fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Runs a parked event again: by now it may be understood.
pub(crate) async fn rerun(
    core: &Core,
    location_id: LocationId,
    id: EventId,
) -> Result<Counts, Problem> {
    let row = core
        .store
        .of(location_id)
        .event(id)
        .await?
        .ok_or(Problem::Missing("event"))?;
    let Payload::Unknown { raw, .. } = &row.event.payload else {
        return Err(Problem::Invalid(
            "only an event that was not understood can be run again".to_owned(),
        ));
    };
    let channels = core.setup.channels().await?;
    let channel = channels
        .get(row.event.channel_id)
        .ok_or(Problem::Missing("channel"))?;
    let provider = channel.channel.provider.clone();
    let items = parse_again(core, &provider, raw, None);
    if items
        .iter()
        .any(|item| matches!(item.item, Item::Unknown { .. }))
    {
        return Err(Problem::Invalid(
            "it is still not understood; it stays listed".to_owned(),
        ));
    }
    let counts = again(core, &provider, items, Some(location_id)).await?;
    core.store.write(Unpark { location_id, id }).await?;
    Ok(counts)
}

/// Runs an item again that belonged to no channel: by now there may be one.
pub(crate) async fn rerun_unrouted(core: &Core, id: UnroutedId) -> Result<Counts, Problem> {
    let row = core
        .store
        .unrouted_item(id)
        .await?
        .ok_or(Problem::Missing("unrouted item"))?;
    let inbound: Inbound = serde_json::from_str(&row.raw).map_err(|error| {
        Problem::Invalid(format!("the kept item does not read any more: {error}"))
    })?;
    let items = match (&inbound.item, &inbound.raw) {
        (Item::Unknown { .. }, Some(raw)) => parse_again(core, &row.provider, raw, Some(&inbound)),
        _ => vec![inbound],
    };
    let counts = again(core, &row.provider, items, None).await?;
    if counts.unrouted > 0 {
        return Err(Problem::Invalid(format!(
            "it still belongs to no channel ({}); it stays listed",
            row.reason
        )));
    }
    core.store.write(ForgetUnrouted(id)).await?;
    Ok(counts)
}

fn parse_again(
    core: &Core,
    provider: &str,
    raw: &str,
    otherwise: Option<&Inbound>,
) -> Vec<Inbound> {
    let items = core
        .adapters
        .get(provider)
        .map(|adapter| adapter.parse(raw))
        .unwrap_or_default();
    if items.is_empty() {
        otherwise.cloned().into_iter().collect()
    } else {
        items
    }
}

async fn again(
    core: &Core,
    provider: &str,
    items: Vec<Inbound>,
    only: Option<LocationId>,
) -> Result<Counts, Problem> {
    accept::repeat(core, provider, items, only)
        .await
        .map_err(|error| match error {
            accept::Error::NotStored(error) => Problem::Store(error),
            other => Problem::Invalid(other.to_string()),
        })
}

async fn save<O: store::Operation>(core: &Core, operation: O) -> Result<O::Output, Problem> {
    let output = core.store.write(operation).await?;
    core.setup.refresh().await?;
    Ok(output)
}

fn name(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_NAME {
        return Err(Problem::Invalid(format!(
            "a name has 1 to {MAX_NAME} letters"
        )));
    }
    Ok(text.to_owned())
}
