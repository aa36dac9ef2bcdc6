//! Looking after connected numbers: what is wrong with one, by what evidence, and mending it where that can be
//! done from here. What only the provider knows, its adapter looks at.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::onboarding::{Urls, in_time, read_templates, write_down};
use super::{ChannelChange, Problem};
use crate::adapter::{
    Adapter, CHANNEL_STEP, Case, Credentials, MESSAGE_STEP, Onboard, SendErrorKind, TEMPLATES_STEP,
};
use crate::core::Core;
use crate::crypto::Secret;
use crate::domain::channel::Channel;
use crate::domain::finding::Finding;
use crate::domain::ids::{ChannelId, LocationId};
use crate::domain::onboarding::{Facts, Reports, Step};
use crate::domain::template::TemplateStatus;
use crate::domain::time::{Span, Timestamp};
use crate::engine::Engine;
use crate::setup::{self, ChannelSetup};
use crate::store::ChannelHealth;

/// An examination takes no longer: a dozen requests of eight seconds each at worst.
const EXAMINATION: Duration = Duration::from_secs(100);
/// Nothing came for so long: perhaps nobody wrote, perhaps nothing arrives.
const SILENCE: Span = Span::days(7);

/// A channel that was examined.
#[derive(Clone, Debug, PartialEq)]
pub struct Examined {
    /// The channel.
    pub channel: Channel,
    /// What was found, in the order in which it was looked at.
    pub findings: Vec<Finding>,
}

impl Engine {
    /// Looks at everything that can be wrong with the numbers of a location, or with one of them.
    ///
    /// # Errors
    /// The location has no such channel, or the database failed. That a provider cannot be asked is a finding.
    pub async fn examine(
        &self,
        location_id: LocationId,
        only: Option<ChannelId>,
    ) -> Result<Vec<Examined>, Problem> {
        let core = &self.core;
        core.keep_refusals().await?;
        let mut channels = core.store.of(location_id).channels().await?;
        channels.retain(|channel| {
            let is_meant = only.is_none_or(|id| channel.id == id);
            is_meant && !channel.is_disconnected()
        });
        if channels.is_empty() && only.is_some() {
            return Err(Problem::Missing("channel"));
        }
        let mut examined = Vec::new();
        for channel in channels {
            let findings = self.examine_channel(&channel).await?;
            examined.push(Examined { channel, findings });
        }
        Ok(examined)
    }

    /// Does what a finding's action says.
    ///
    /// # Errors
    /// The channel is not there, its provider knows no such action, or the database failed. That it did not
    /// work is said in the step.
    pub async fn mend(
        &self,
        location_id: LocationId,
        channel_id: ChannelId,
        action: &str,
    ) -> Result<Step, Problem> {
        // Who asked may hang up: what a provider was asked for is written down all the same.
        let (engine, action) = (self.clone(), action.to_owned());
        let work = async move { engine.take_action(location_id, channel_id, &action).await };
        tokio::spawn(Box::pin(work)).await.unwrap_or_else(|_| {
            Err(Problem::Invalid(
                "the action ended in a mistake of the program; look again at what is wrong"
                    .to_owned(),
            ))
        })
    }

    async fn take_action(
        &self,
        location_id: LocationId,
        channel_id: ChannelId,
        action: &str,
    ) -> Result<Step, Problem> {
        let core = &self.core;
        let channels = core.setup.channels().await?;
        if let Some(locked) = channels.locked(channel_id)
            && locked.channel.location_id == location_id
        {
            return Err(Problem::Invalid(setup::reason(&locked.why)));
        }
        let setup = channels
            .get(channel_id)
            .filter(|setup| setup.channel.location_id == location_id)
            .ok_or(Problem::Missing("channel"))?;
        let (adapter, onboard) = onboard_of(core, &setup.channel)
            .ok_or(Problem::Missing("way to mend a channel of this provider"))?;
        let steps = onboard.routes().iter().flat_map(|route| route.steps);
        let names = steps.map(|step| step.name);
        let names: BTreeSet<&str> = names
            .filter(|name| *name != CHANNEL_STEP && *name != MESSAGE_STEP)
            .collect();
        if !names.contains(action) {
            let names: Vec<&str> = names.into_iter().collect();
            return Err(Problem::Invalid(format!(
                "there is no action '{action}'; there are: {}",
                names.join(", ")
            )));
        }
        let patient = Patient::of(self, adapter, onboard, setup).await?;
        let taken = if action == TEMPLATES_STEP {
            read_templates(core, location_id, channel_id).await?
        } else {
            let case = patient.case(core.clock.now());
            in_time(onboard.take(action, &case)).await
        };
        let learnt = match &taken {
            Ok(progress) => progress.secrets.clone(),
            // What must not be tried again is forgotten.
            Err(error) => {
                let spent = error.spent.iter();
                let spent = spent.map(|name| (*name, Secret::new(String::new())));
                spent.collect()
            }
        };
        let mut step = Step::open(action);
        write_down(&mut step, taken, &setup.credentials, core.clock.now());
        let mut credentials = Credentials::default();
        let fields = adapter.credential_fields();
        for (name, secret) in learnt.iter() {
            if fields.iter().any(|field| field.name == name) {
                credentials.set(name, secret.clone());
            }
        }
        if credentials.iter().next().is_some() {
            let change = ChannelChange {
                credentials,
                ..ChannelChange::default()
            };
            self.change_channel(location_id, channel_id, change).await?;
        }
        Ok(step)
    }

    async fn examine_channel(&self, channel: &Channel) -> Result<Vec<Finding>, Problem> {
        let core = &self.core;
        let now = core.clock.now();
        let channels = core.setup.channels().await?;
        let Some(setup) = channels.get(channel.id) else {
            let why = channels
                .locked(channel.id)
                .map(|locked| setup::reason(&locked.why));
            let why = why.unwrap_or_else(|| "the sealed credentials do not open".to_owned());
            let finding = Finding::bad("credentials", why)
                .breaks("nothing is sent or received by this number")
                .fix("put the key that sealed them back into the key ring, or give the credentials anew");
            return Ok(vec![finding]);
        };
        let mut findings = vec![enabled(channel), self.sending(channel, now).await];
        let store = core.store.of(channel.location_id);
        let health = store.health(channel, now).await?;
        findings.push(heard(&health, now));
        let adapter = core.adapters.get(channel.provider.as_str());
        let own = adapter.map(|adapter| adapter.webhook_secrets(&setup.credentials));
        let is_shared = own.is_none_or(|own| own.is_empty());
        findings.push(signature(&health, is_shared));
        findings.push(deliveries(&health));
        findings.push(failures(&health));
        findings.push(self.templates_of(channel).await?);
        if let Some((adapter, onboard)) = onboard_of(core, channel) {
            let patient = Patient::of(self, adapter, onboard, setup).await?;
            let case = patient.case(now);
            match tokio::time::timeout(EXAMINATION, onboard.examine(&case)).await {
                Ok(found) => findings.extend(found),
                Err(_) => findings.push(Finding::unknown(
                    "provider",
                    "the provider did not answer everything in time",
                )),
            }
        }
        for finding in &mut findings {
            finding.evidence = setup.credentials.hide(&finding.evidence);
            finding.fix = setup.credentials.hide(&finding.fix);
        }
        Ok(findings)
    }

    async fn sending(&self, channel: &Channel, now: Timestamp) -> Finding {
        if !self.is_started().await {
            return Finding::unknown(
                "sending",
                "only the server that sends knows: ask it by its API",
            );
        }
        match self.channel_pause(channel.id) {
            Some(pause) if pause.until > now => Finding::bad(
                "sending",
                format!("paused until {}: {}", pause.until, pause.why),
            )
            .breaks("messages wait")
            .fix("see the other findings for why; messages leave by themselves afterwards"),
            _ => Finding::good("sending", "messages leave"),
        }
    }

    async fn templates_of(&self, channel: &Channel) -> Result<Finding, Problem> {
        const CHECK: &str = "templates";
        let rows = self.core.store.of(channel.location_id).templates().await?;
        let own = rows.iter().filter(|row| row.account == channel.account);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut usable = 0;
        for row in own {
            *counts.entry(row.shape.status.name()).or_default() += 1;
            usable += usize::from(row.shape.status == TemplateStatus::Approved);
        }
        if counts.is_empty() {
            return Ok(Finding::warning(CHECK, "none is known of this account")
                .breaks("nothing can be sent once 24 hours have passed since the customer wrote")
                .fix("have a template approved at the provider, and read the list again")
                .action(TEMPLATES_STEP));
        }
        let told: Vec<String> = counts
            .iter()
            .map(|(status, count)| format!("{count} {status}"))
            .collect();
        let told = told.join(", ");
        Ok(if usable == 0 {
            Finding::warning(CHECK, told)
                .breaks("nothing can be sent once 24 hours have passed since the customer wrote")
                .fix("have a template approved at the provider, and read the list again")
                .action(TEMPLATES_STEP)
        } else {
            Finding::good(CHECK, told)
        })
    }
}

/// What an adapter must know of a connected number.
struct Patient<'a> {
    facts: Facts,
    secrets: &'a Credentials,
    urls: Urls,
    reports: Reports,
    since: Timestamp,
}

impl<'a> Patient<'a> {
    async fn of(
        engine: &Engine,
        adapter: &dyn Adapter,
        onboard: &dyn Onboard,
        setup: &'a ChannelSetup,
    ) -> Result<Self, Problem> {
        let channel = &setup.channel;
        let store = engine.core.store.of(channel.location_id);
        // What came before the channel was made cannot be in its rows.
        let since = Timestamp::from_ms(0);
        Ok(Self {
            facts: onboard.facts_of(channel),
            secrets: &setup.credentials,
            urls: Urls::of(engine, adapter.kind(), Some(channel.id)),
            reports: store.reports(channel.id, since).await?,
            since,
        })
    }

    fn case(&'a self, now: Timestamp) -> Case<'a> {
        Case {
            facts: &self.facts,
            secrets: self.secrets,
            shared_webhook_url: &self.urls.shared,
            channel_webhook_url: &self.urls.own,
            reports: self.reports.clone(),
            since: self.since,
            now,
        }
    }
}

fn onboard_of<'a>(core: &'a Core, channel: &Channel) -> Option<(&'a dyn Adapter, &'a dyn Onboard)> {
    let adapter = core.adapters.get(channel.provider.as_str())?;
    Some((&**adapter, adapter.onboard()?))
}

fn enabled(channel: &Channel) -> Finding {
    if channel.enabled {
        Finding::good("enabled", "the channel takes part")
    } else {
        Finding::bad("enabled", "the channel is switched off")
            .breaks("what comes in is stored, and nothing is sent")
            .fix("switch it on: `rejoinder channel set … --enable`")
    }
}

fn heard(health: &ChannelHealth, now: Timestamp) -> Finding {
    const CHECK: &str = "last_webhook";
    match (by_webhook(health), health.found_at) {
        (None, Some(at)) => Finding::warning(
            CHECK,
            format!("no webhook came since {at}, when messages were found in the provider's list that none had told"),
        )
        .breaks("customers wait minutes for answers, and what they press and send is told in part only")
        .fix("see what the findings about webhooks and signatures say; write to the number, and look again"),
        (None, None) => Finding::warning(CHECK, "no webhook of this number has come yet")
            .breaks("perhaps nobody wrote, perhaps nothing arrives")
            .fix("write to the number from a phone, and look again"),
        (Some(at), _) if now.since(at) > SILENCE => {
            Finding::warning(CHECK, format!("the last one came at {at}"))
                .breaks("perhaps nobody wrote, perhaps nothing arrives")
                .fix("write to the number from a phone, and look again")
        }
        (Some(at), _) => Finding::good(CHECK, format!("the last one came at {at}")),
    }
}

/// When the last webhook came, unless what came last was found by a sweep.
fn by_webhook(health: &ChannelHealth) -> Option<Timestamp> {
    let is_later = |at: &Timestamp| health.found_at.is_none_or(|found| *at > found);
    health.heard_at.filter(is_later)
}

/// `is_shared`: its webhooks are verified by the server's own secret, on the address that all channels share.
fn signature(health: &ChannelHealth, is_shared: bool) -> Finding {
    const CHECK: &str = "signature";
    let heard_at = by_webhook(health);
    let since = heard_at.unwrap_or(health.made_at);
    let is_newer = |at: &Timestamp| *at > since;
    if let Some(at) = health.refused_at.filter(is_newer) {
        return Finding::bad(CHECK, format!("the last webhook, at {at}, was refused: its signature does not fit"))
            .breaks("what customers write is not received")
            .fix("give the channel the secret that signs its webhooks: Meta's app secret or Twilio's auth token; \
                  for Twilio, `public_url` must be exactly the address that Twilio calls");
    }
    let of_all = health.shared_refused_at.filter(|_| is_shared);
    if let Some(at) = of_all.filter(is_newer) {
        return Finding::warning(
            CHECK,
            format!("a webhook on the address that all channels share was refused at {at}"),
        )
        .breaks("if it was for this number, what customers write is not received")
        .fix("compare `meta.app_secret` with the app's; strangers who knock are refused as well");
    }
    match heard_at {
        Some(_) => Finding::good(CHECK, "the last webhook was verified"),
        None => Finding::unknown(CHECK, "no webhook has come of late"),
    }
}

fn deliveries(health: &ChannelHealth) -> Finding {
    const CHECK: &str = "deliveries";
    match (health.stuck, health.in_doubt) {
        (0, 0) => Finding::good(CHECK, "nothing is stuck"),
        (0, in_doubt) => Finding::warning(
            CHECK,
            format!("of {in_doubt} message(s) it is unknown whether they were sent"),
        )
        .breaks("their conversations may wait for them")
        .fix("see `rejoinder deliveries --state in_doubt`; settle them by hand if you know better"),
        (stuck, _) => Finding::bad(
            CHECK,
            format!("{stuck} message(s) could have left more than ten minutes ago"),
        )
        .breaks("customers wait for answers")
        .fix("see the other findings for why; is the server running?"),
    }
}

/// What failed lately, by reason; a customer who cannot be reached is no fault of the number.
fn failures(health: &ChannelHealth) -> Finding {
    const CHECK: &str = "failures";
    let about_the_number = [
        SendErrorKind::Credential,
        SendErrorKind::ChannelUnready,
        SendErrorKind::RateLimited,
        SendErrorKind::Refused,
    ];
    let mut counts: BTreeMap<(&str, i64), usize> = BTreeMap::new();
    for failure in &health.failures {
        let key = (failure.kind.as_str(), failure.provider_code);
        *counts.entry(key).or_default() += 1;
    }
    if counts.is_empty() {
        return Finding::good(CHECK, "no message failed in the last 24 hours");
    }
    let told: Vec<String> = counts
        .iter()
        .map(|((kind, code), count)| match code {
            0 => format!("{count} {kind}"),
            code => format!("{count} {kind} ({code})"),
        })
        .collect();
    let told = format!("failed in the last 24 hours: {}", told.join(", "));
    let is_grave = |(kind, _): &(&str, i64)| about_the_number.iter().any(|it| it.code() == *kind);
    if counts.keys().any(is_grave) {
        Finding::bad(CHECK, told)
            .breaks("messages of this number do not arrive")
            .fix("`rejoinder deliveries --state failed` tells the provider's reason of each")
    } else {
        Finding::good(CHECK, told)
    }
}
