//! Where the demo plays: server, engine, simulated provider, one location with a number at each of
//! the two providers, and a clock that can be moved. Knows nothing of what is shown.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono_tz::Tz;
use rejoinder_adapters::meta::MetaConfig;
use rejoinder_adapters::simulator::{
    MetaNumber, Pushed, ReceivedMessage, Simulator, Statuses, TwilioNumber,
};
use rejoinder_adapters::simulator::{meta, twilio};
use rejoinder_adapters::twilio::TwilioConfig;
use rejoinder_engine::clock::{Clock as _, ShiftedClock};
use rejoinder_engine::crypto::{Secret, Vault};
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::domain::location::LocationSettings;
use rejoinder_engine::domain::time::{Span, Timestamp};
use rejoinder_engine::store::{DeliveryFilter, NewRule, Store};
use rejoinder_engine::{Engine, NewChannel, NewLocation};
use rejoinder_migrations::{Migrator, MigratorTrait};
use serde::Deserialize;
use tempfile::TempDir;

use crate::serve::{ServeOptions, Server};

/// Where the location's clocks are.
pub(super) const ZONE: Tz = chrono_tz::Europe::Berlin;
/// Monday, 5 January 2026, 10:00 in Berlin: the scene reads the same whenever it is played.
const START: Timestamp = Timestamp::from_seconds(1_767_603_600);
/// How long anything in the demo may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The address that the simulated providers know; it leads to loopback.
const PUBLIC_URL: &str = "https://demo.rejoinder.example";
const TWILIO_ACCOUNT: &str = "AC0a1b2c3d4e5f60718293a4b5c6d7e8f9";

/// A customer, and the number they write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Customer {
    pub(super) name: &'static str,
    pub(super) phone: &'static str,
    pub(super) over: Over,
}

/// Which provider a customer is reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Meta,
    Twilio,
}

pub(super) const ADA: Customer = Customer {
    name: "Ada",
    phone: "5511987654321",
    over: Over::Meta,
};
pub(super) const BEN: Customer = Customer {
    name: "Ben",
    phone: "4915112345678",
    over: Over::Meta,
};
pub(super) const CLEO: Customer = Customer {
    name: "Cleo",
    phone: "33612345678",
    over: Over::Twilio,
};

pub(super) const CUSTOMERS: [Customer; 3] = [ADA, BEN, CLEO];

/// What `scripts/demo.toml` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    location: PlannedLocation,
    rules: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannedLocation {
    name: String,
    time_zone: String,
}

/// The rules that come with the program; a test keeps this list and the plan together.
const RULES: [(&str, &str); 2] = [
    ("price.rhai", include_str!("../../../scripts/price.rhai")),
    (
        "viewing.rhai",
        include_str!("../../../scripts/viewing.rhai"),
    ),
];

pub(super) struct Stage {
    engine: Engine,
    server: Server,
    simulator: Simulator,
    clock: Arc<ShiftedClock>,
    location_id: LocationId,
    pub(super) location_name: String,
    pub(super) rules: Vec<String>,
    meta: MetaNumber,
    twilio: TwilioNumber,
    shown: usize,
    _folder: TempDir,
}

impl Stage {
    pub(super) async fn set() -> anyhow::Result<Self> {
        let plan: Plan = toml::from_str(include_str!("../../../scripts/demo.toml"))
            .context("scripts/demo.toml")?;
        let folder = tempfile::tempdir().context("a temporary folder")?;
        let clock = Arc::new(ShiftedClock::starting_at(START));
        let simulator = Simulator::start_with(clock.clone())
            .await
            .context("the simulated provider")?;
        simulator.configure(|settings| settings.statuses = Statuses::Read);
        let app_secret = Vault::generate_ring("demo");
        let url = format!("sqlite:{}", folder.path().join("demo.db").display());
        let engine = engine(&url, &simulator.base_url(), &clock, app_secret.clone()).await?;
        let new = NewLocation {
            name: plan.location.name.clone(),
            time_zone: plan
                .location
                .time_zone
                .parse()
                .context("the time zone in scripts/demo.toml")?,
            settings: LocationSettings::default(),
        };
        let location = engine.create_location(new).await?;
        for name in &plan.rules {
            let (_, source) = RULES
                .iter()
                .find(|(known, _)| known == name)
                .with_context(|| format!("no rule {name}"))?;
            let new = NewRule {
                name: name.clone(),
                source: (*source).to_owned(),
                tests: String::new(),
                position: None,
            };
            let rule = engine.create_rule(location.id, new).await?;
            engine
                .publish_rule(location.id, rule.id)
                .await
                .with_context(|| name.clone())?;
        }
        engine.start().await?;
        let listen = ServeOptions {
            listen: ([127, 0, 0, 1], 0).into(),
            ..ServeOptions::default()
        };
        let server = Server::bind(engine.clone(), listen).await?;
        let origin = format!("http://{}", server.addr());
        let meta = connect_meta(&engine, &simulator, location.id, &origin, &app_secret).await?;
        let twilio = connect_twilio(&engine, &simulator, location.id, &origin).await?;
        Ok(Self {
            engine,
            server,
            simulator,
            clock,
            location_id: location.id,
            location_name: plan.location.name,
            rules: plan.rules,
            meta,
            twilio,
            shown: 0,
            _folder: folder,
        })
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A customer writes.
    pub(super) async fn says(&self, customer: Customer, text: &str) -> anyhow::Result<Pushed> {
        let Customer { name, phone, over } = customer;
        let pushed = match over {
            Over::Meta => self.meta.customer_says(name, phone, text).await,
            Over::Twilio => self.twilio.customer_says(name, phone, text).await,
        };
        accepted(pushed?)
    }

    /// The provider sends the same webhook again.
    pub(super) async fn again(&self, pushed: &Pushed) -> anyhow::Result<()> {
        accepted(self.meta.duplicate(pushed).await?).map(|_| ())
    }

    /// A customer taps the `nth` button (from 1) of the last message that had any; gives its title.
    pub(super) async fn tap(
        &self,
        customer: Customer,
        nth: usize,
    ) -> anyhow::Result<Option<String>> {
        let received = self.simulator.received();
        let last = received
            .iter()
            .rev()
            .find(|m| m.to == customer.phone && !m.summary.buttons.is_empty());
        let Some(message) = last else { return Ok(None) };
        let Some(button) = nth
            .checked_sub(1)
            .and_then(|nth| message.summary.buttons.get(nth))
        else {
            return Ok(None);
        };
        let (id, title, context) = (&button.id, &button.title, &message.provider_id);
        let Customer { name, phone, over } = customer;
        let pushed = match over {
            Over::Meta => {
                self.meta
                    .customer_taps(name, phone, id, title, context)
                    .await
            }
            Over::Twilio => {
                self.twilio
                    .customer_taps(name, phone, id, title, context)
                    .await
            }
        };
        accepted(pushed?)?;
        Ok(Some(title.clone()))
    }

    /// The owner answers from the phone app.
    pub(super) async fn owner_answers(&self, customer: Customer, text: &str) -> anyhow::Result<()> {
        accepted(self.meta.owner_echoes(customer.phone, text).await?).map(|_| ())
    }

    /// Time passes.
    pub(super) fn wait(&self, span: Span) {
        self.clock.advance(span);
    }

    /// Waits until everything that follows has happened.
    pub(super) async fn settle(&self) -> anyhow::Result<()> {
        let settled = async {
            let mut quiet = 0;
            // Quiet twice in a row: a timer that has just fallen due is seen the second time.
            while quiet < 2 {
                tokio::time::sleep(Duration::from_millis(30)).await;
                quiet = if self.is_quiet().await? { quiet + 1 } else { 0 };
            }
            self.simulator.settled().await;
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, settled)
            .await
            .context("the demo waited too long for an answer")?
    }

    async fn is_quiet(&self) -> anyhow::Result<bool> {
        let store = self.engine.store().of(self.location_id);
        let pending = store
            .events(None, 500)
            .await?
            .iter()
            .any(|row| row.state == "pending");
        let open = ["ready", "sending"];
        let deliveries = store.deliveries(&DeliveryFilter::default(), 500).await?;
        let leaving = deliveries
            .iter()
            .any(|row| open.contains(&row.delivery.state.name()));
        Ok(!pending && !leaving && self.engine.backlog() == (0, 0))
    }

    /// What has reached customers since this was last asked.
    pub(super) fn news(&mut self) -> Vec<ReceivedMessage> {
        let mut received = self.simulator.received();
        let news = received.split_off(self.shown.min(received.len()));
        self.shown += news.len();
        news
    }

    /// How many events and messages there were, and how many of these were read.
    pub(super) async fn tally(&self) -> anyhow::Result<(usize, usize, usize)> {
        let store = self.engine.store().of(self.location_id);
        let events = store.events(None, 500).await?.len();
        let deliveries = store.deliveries(&DeliveryFilter::default(), 500).await?;
        let read = deliveries
            .iter()
            .filter(|row| row.delivery.state.name() == "read")
            .count();
        Ok((events, deliveries.len(), read))
    }

    pub(super) async fn strike(self) {
        self.server.stop().await;
        self.engine.stop().await;
        self.simulator.shutdown().await;
    }
}

fn accepted(pushed: Pushed) -> anyhow::Result<Pushed> {
    if pushed.status != 200 {
        bail!("the server answered a webhook with {}", pushed.status);
    }
    Ok(pushed)
}

async fn engine(
    url: &str,
    provider: &str,
    clock: &Arc<ShiftedClock>,
    app_secret: Secret,
) -> anyhow::Result<Engine> {
    let store = Store::open(url).await?;
    Migrator::up(store.connection(), None).await?;
    let config = rejoinder_adapters::Config {
        meta: MetaConfig {
            base_url: provider.to_owned(),
            ..MetaConfig::default()
        },
        twilio: TwilioConfig {
            api_url: provider.to_owned(),
            content_url: provider.to_owned(),
            messaging_url: provider.to_owned(),
        },
    };
    let mut builder = Engine::on(store)
        .vault(Vault::from_ring(&Vault::generate_ring("demo"))?)
        .clock(clock.clone())
        .server_secret("meta", app_secret)
        .public_url(PUBLIC_URL);
    for adapter in rejoinder_adapters::all(&config) {
        builder = builder.shared_adapter(adapter);
    }
    Ok(builder.build().await?)
}

async fn connect_meta(
    engine: &Engine,
    simulator: &Simulator,
    location_id: LocationId,
    origin: &str,
    app_secret: &Secret,
) -> anyhow::Result<MetaNumber> {
    let registration = meta::Registration {
        webhook_url: format!("{origin}/api/webhooks/whatsapp"),
        app_secret: app_secret.expose().to_owned(),
        phone_number_id: "106853218861309".to_owned(),
        waba_id: "215589313241560883".to_owned(),
        display_phone: "4930901820".to_owned(),
        access_token: Some("demo-token".to_owned()),
    };
    let new = NewChannel {
        provider: "meta".to_owned(),
        account: registration.waba_id.clone(),
        key: Some(registration.phone_number_id.clone()),
        phone: Phone::parse(&registration.display_phone).context("a number")?,
        name: "Front desk".to_owned(),
        settings: rejoinder_engine::domain::channel::ChannelSettings::default(),
        credentials: [("access_token", Secret::new("demo-token"))]
            .into_iter()
            .collect(),
    };
    engine.create_channel(location_id, new).await?;
    Ok(simulator.meta_number(registration))
}

async fn connect_twilio(
    engine: &Engine,
    simulator: &Simulator,
    location_id: LocationId,
    origin: &str,
) -> anyhow::Result<TwilioNumber> {
    let registration = twilio::Registration {
        webhook_url: format!(
            "{PUBLIC_URL}/api/webhooks/twilio{}",
            engine.webhook_suffix("twilio")
        ),
        reach: Some(origin.to_owned()),
        account_sid: TWILIO_ACCOUNT.to_owned(),
        auth_token: "demo-auth-token".to_owned(),
        number: "4930901821".to_owned(),
    };
    let new = NewChannel {
        provider: "twilio".to_owned(),
        account: registration.account_sid.clone(),
        key: None,
        phone: Phone::parse(&registration.number).context("a number")?,
        name: "Second line".to_owned(),
        settings: rejoinder_engine::domain::channel::ChannelSettings::default(),
        credentials: [("auth_token", Secret::new(registration.auth_token.clone()))]
            .into_iter()
            .collect(),
    };
    engine.create_channel(location_id, new).await?;
    Ok(simulator.twilio_number(registration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_plan_comes_with_the_program() {
        let plan: Plan =
            toml::from_str(include_str!("../../../scripts/demo.toml")).expect("a plan");
        for name in &plan.rules {
            assert!(
                RULES.iter().any(|(known, _)| known == name),
                "{name}: add it to RULES"
            );
        }
        assert_eq!(
            plan.location.time_zone,
            ZONE.name(),
            "the screen shows the location's time"
        );
    }
}
