//! A location with a number of Meta's, an engine on a clock that stands still, and a provider on
//! loopback. A test says who does what; `settle` does everything that can be done at that moment.
//! Nothing sleeps. What is still waiting at the end of a test is a mistake of the test or the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rejoinder_adapters::meta::MetaConfig;
use rejoinder_adapters::simulator::meta::{self as meta_face, Arrival, Registration, StatusUpdate};
use rejoinder_adapters::simulator::{Face, ReceivedMessage, Simulator, WindowRule};
use rejoinder_adapters::twilio::TwilioConfig;
use rejoinder_adapters::{Calls, Reach};
use rejoinder_engine::adapter::{Method, Webhook};
use rejoinder_engine::clock::{Clock, ManualClock};
use rejoinder_engine::crypto::{Secret, Vault};
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::ids::{ChannelId, LocationId, RuleId};
use rejoinder_engine::domain::location::LocationSettings;
use rejoinder_engine::domain::run::Run;
use rejoinder_engine::domain::time::{Span, Timestamp};
use rejoinder_engine::store::{DeliveryFilter, DeliveryRow, EventRow, NewRule, Store};
use rejoinder_engine::{AcceptError, Accepted, Engine, LocationChange, NewChannel, NewLocation};
use rejoinder_migrations::{Migrator, MigratorTrait};
use serde_json::{Value, json};

use crate::database::Database;

/// The app secret of the server.
pub(crate) const APP_SECRET: &str = "the-app-secret-of-the-server";
/// Monday, 5 January 2026, 10:00 UTC.
const START: Timestamp = Timestamp::from_seconds(1_767_607_200);

/// A customer who writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Customer {
    pub(crate) name: &'static str,
    pub(crate) phone: &'static str,
}

pub(crate) const ADA: Customer = Customer {
    name: "Ada",
    phone: "5511987654321",
};
pub(crate) const BEN: Customer = Customer {
    name: "Ben",
    phone: "4915112345678",
};

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) simulator: Simulator,
    pub(crate) number: Registration,
    pub(crate) location_id: LocationId,
    pub(crate) channel_id: ChannelId,
    pub(crate) vault: Secret,
    pub(crate) database: Database,
    messages: AtomicU64,
}

impl World {
    pub(crate) async fn on(database: Database) -> Self {
        let clock = Arc::new(ManualClock::starting_at(START));
        let simulator = Simulator::start_with(clock.clone())
            .await
            .expect("a free port");
        simulator.configure(|settings| settings.window = WindowRule::Refuse);
        let vault = Vault::generate_ring("test");
        let engine = build(&database, &vault, &clock, &simulator.base_url()).await;
        let engine = engine.expect("an engine");
        let location = engine
            .create_location(NewLocation {
                name: "Casa Lima".into(),
                time_zone: chrono_tz::Europe::Berlin,
                settings: LocationSettings::default(),
            })
            .await
            .expect("a location");
        let number = number("106853218861309", "4930901820");
        let _ = simulator.meta_number(number.clone());
        let channel_id = connect(&engine, location.id, &number).await;
        Self {
            engine,
            clock,
            simulator,
            number,
            location_id: location.id,
            channel_id,
            vault,
            database,
            messages: AtomicU64::new(0),
        }
    }

    /// The server is stopped where it stands, and another one starts on the same database.
    pub(crate) async fn restart(&mut self) {
        self.engine = self.beside(&self.vault).await.expect("an engine");
    }

    /// Another process on the same database, with keys of its own.
    pub(crate) async fn beside(&self, vault: &Secret) -> Result<Engine, rejoinder_engine::Error> {
        let provider = self.simulator.base_url();
        build(&self.database, vault, &self.clock, &provider).await
    }

    /// Publishes a rule.
    pub(crate) async fn rule(&self, source: &str) -> RuleId {
        let nth = self.next();
        let new = NewRule {
            name: format!("rule {nth}"),
            source: source.into(),
            tests: String::new(),
            position: None,
        };
        let rule = self
            .engine
            .create_rule(self.location_id, new)
            .await
            .expect("a rule");
        self.engine
            .publish_rule(self.location_id, rule.id)
            .await
            .unwrap_or_else(|problem| panic!("{problem}"));
        rule.id
    }

    /// Changes settings of the location, as the API does: those not named stay.
    pub(crate) async fn configure(&self, change: Value) {
        let store = self.engine.store().of(self.location_id);
        let location = store.location().await.expect("the database works");
        let mut settings =
            serde_json::to_value(location.expect("a location").settings).expect("settings");
        for (name, value) in change.as_object().expect("settings by name") {
            settings[name] = value.clone();
        }
        let change = LocationChange {
            settings: Some(serde_json::from_value(settings).expect("settings that can be meant")),
            ..LocationChange::default()
        };
        let changed = self.engine.change_location(self.location_id, change).await;
        changed.expect("the settings are taken");
    }

    /// A customer writes; the webhook is accepted and nothing more happens yet.
    pub(crate) async fn says(&self, customer: Customer, text: &str) -> Vec<u8> {
        let body = self.message(customer, text);
        self.accept(&body).await.expect("the webhook is accepted");
        body
    }

    /// A customer writes, and everything that follows at that moment happens.
    pub(crate) async fn hears(&self, customer: Customer, text: &str) {
        self.says(customer, text).await;
        self.settle().await;
    }

    /// The body of a webhook by which a customer writes.
    pub(crate) fn message(&self, customer: Customer, text: &str) -> Vec<u8> {
        self.arrival(customer, |number, arrival| {
            meta_face::text_message(number, arrival, text)
        })
    }

    /// The body of any webhook by which a customer does something.
    pub(crate) fn arrival(
        &self,
        customer: Customer,
        build: impl FnOnce(&Registration, &Arrival<'_>) -> Vec<u8>,
    ) -> Vec<u8> {
        self.arrival_at(&self.number, customer, build)
    }

    /// The same at any number of Meta's.
    pub(crate) fn arrival_at(
        &self,
        number: &Registration,
        customer: Customer,
        build: impl FnOnce(&Registration, &Arrival<'_>) -> Vec<u8>,
    ) -> Vec<u8> {
        self.simulator
            .open_window(Face::Meta, &number.phone_number_id, customer.phone);
        let id = format!("wamid.{}.{}", customer.name, self.next());
        let at = self.clock.now();
        let Customer { name, phone } = customer;
        build(
            number,
            &Arrival {
                name,
                phone,
                user_id: None,
                id: &id,
                at,
                context: None,
            },
        )
    }

    /// The body of a webhook of any kind.
    pub(crate) fn webhook(&self, field: &str, mut value: Value) -> Vec<u8> {
        value["messaging_product"] = "whatsapp".into();
        value["metadata"] = json!({
            "display_phone_number": self.number.display_phone,
            "phone_number_id": self.number.phone_number_id,
        });
        let body = json!({
            "object": "whatsapp_business_account",
            "entry": [{ "id": self.number.waba_id, "changes": [{ "field": field, "value": value }] }],
        });
        serde_json::to_vec(&body).expect("JSON")
    }

    /// The owner answers from the phone app.
    pub(crate) async fn owner_says(&self, customer: Customer, text: &str) {
        let id = format!("wamid.owner.{}", self.next());
        self.owner_says_as(customer, &id, text).await;
    }

    /// An echo of the phone app under an id of the provider's.
    pub(crate) async fn owner_says_as(&self, customer: Customer, id: &str, text: &str) {
        let body = meta_face::echo(&self.number, customer.phone, id, self.clock.now(), text);
        self.accept(&body).await.expect("the echo is accepted");
        self.settle().await;
    }

    /// The provider tells how far a message has come.
    pub(crate) async fn status(
        &self,
        message: &ReceivedMessage,
        status: &str,
        error_code: Option<i64>,
    ) {
        let update = StatusUpdate {
            id: &message.provider_id,
            status,
            to: &message.to,
            at: self.clock.now(),
            callback: message.callback.as_deref(),
            error_code,
        };
        let body = meta_face::status(&self.number, &update);
        self.accept(&body).await.expect("the status is accepted");
        self.settle().await;
    }

    /// Hands the engine a webhook, properly signed.
    pub(crate) async fn accept(&self, body: &[u8]) -> Result<Accepted, AcceptError> {
        self.engine.accept("meta", &signed(APP_SECRET, body)).await
    }

    /// Everything that can be done at this moment is done.
    pub(crate) async fn settle(&self) {
        self.engine.run_once().await.expect("the database works");
    }

    /// Time passes, and what falls due happens.
    pub(crate) async fn wait(&self, span: Span) {
        self.clock.advance(span);
        self.settle().await;
    }

    /// How long until something falls due.
    pub(crate) async fn until_next(&self) -> Option<Span> {
        let next = self.engine.next_due().await.expect("the database works");
        next.map(|at| at.since(self.engine.now()))
    }

    /// Moves the clock to the next moment at which something falls due, and lets it happen.
    pub(crate) async fn to_next(&self) -> Span {
        let span = self.until_next().await.expect("something waits");
        self.wait(span).await;
        span
    }

    /// The words that reached a customer, oldest first; a template as `template:name(values)`.
    pub(crate) fn heard(&self, customer: Customer) -> Vec<String> {
        self.received(customer).iter().map(words).collect()
    }

    /// The messages that reached a customer.
    pub(crate) fn received(&self, customer: Customer) -> Vec<ReceivedMessage> {
        self.simulator
            .received()
            .into_iter()
            .filter(|message| message.to == customer.phone)
            .collect()
    }

    /// Every event of the location.
    pub(crate) async fn events(&self) -> Vec<EventRow> {
        self.engine
            .store()
            .of(self.location_id)
            .events(None, 500)
            .await
            .expect("events")
    }

    /// Every delivery of the location.
    pub(crate) async fn deliveries(&self) -> Vec<DeliveryRow> {
        let filter = DeliveryFilter::default();
        self.engine
            .store()
            .of(self.location_id)
            .deliveries(&filter, 500)
            .await
            .expect("deliveries")
    }

    /// The states of every delivery, oldest first.
    pub(crate) async fn states(&self) -> Vec<&'static str> {
        self.deliveries()
            .await
            .iter()
            .map(|row| row.delivery.state.name())
            .collect()
    }

    /// Every run of the location's rules, in the order of their events.
    pub(crate) async fn runs(&self) -> Vec<Run> {
        let mut all = Vec::new();
        for row in self.events().await {
            let store = self.engine.store().of(self.location_id);
            let runs = store.runs(row.event.id).await.expect("runs");
            all.extend(runs.into_iter().map(|row| row.run));
        }
        all
    }

    /// What the rules logged, and what the engine noted about their runs.
    pub(crate) async fn traced(&self) -> Vec<String> {
        let runs = self.runs().await;
        let lines = runs.into_iter().flat_map(|run| run.trace);
        lines.map(|line| line.text).collect()
    }

    fn next(&self) -> u64 {
        self.messages.fetch_add(1, Ordering::SeqCst)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(
                self.engine.backlog().0,
                0,
                "events are left undecided: the test forgot to settle"
            );
        }
    }
}

/// What a customer reads.
pub(crate) fn words(message: &ReceivedMessage) -> String {
    match &message.summary.template {
        Some(template) => format!("template:{}({})", template.name, template.params.join(", ")),
        None => message.summary.text.clone(),
    }
}

/// A number of Meta's whose webhooks go nowhere by themselves.
pub(crate) fn number(phone_number_id: &str, display_phone: &str) -> Registration {
    Registration {
        webhook_url: "http://127.0.0.1:9/nowhere".into(),
        app_secret: APP_SECRET.into(),
        phone_number_id: phone_number_id.into(),
        waba_id: "215589313241560883".into(),
        display_phone: display_phone.into(),
        access_token: Some(format!("token-of-{phone_number_id}")),
    }
}

/// Connects a number of Meta's to a location.
pub(crate) async fn connect(
    engine: &Engine,
    location_id: LocationId,
    number: &Registration,
) -> ChannelId {
    let token = number.access_token.clone().expect("a token");
    let new = NewChannel {
        provider: "meta".into(),
        account: number.waba_id.clone(),
        key: Some(number.phone_number_id.clone()),
        phone: Phone::parse(&number.display_phone).expect("a number"),
        name: "shop".into(),
        settings: Default::default(),
        credentials: [("access_token", Secret::new(token))].into_iter().collect(),
    };
    engine
        .create_channel(location_id, new)
        .await
        .expect("a channel")
        .id
}

/// A webhook as Meta would send it.
pub(crate) fn signed(secret: &str, body: &[u8]) -> Webhook {
    Webhook {
        method: Method::Post,
        channel_id: None,
        url: "https://rejoinder.example/api/webhooks/whatsapp".into(),
        query: String::new(),
        headers: vec![(
            "x-hub-signature-256".into(),
            Bytes::from(meta_face::sign(secret, body)),
        )],
        body: Bytes::copy_from_slice(body),
    }
}

async fn build(
    database: &Database,
    vault: &Secret,
    clock: &Arc<ManualClock>,
    provider: &str,
) -> Result<Engine, rejoinder_engine::Error> {
    let store = Store::open(&database.url)
        .await
        .expect("the database opens");
    Migrator::up(store.connection(), None)
        .await
        .expect("the tables are made");
    let config = rejoinder_adapters::Config {
        meta: MetaConfig {
            base_url: provider.into(),
            ..MetaConfig::default()
        },
        twilio: TwilioConfig {
            api_url: provider.into(),
            content_url: provider.into(),
            messaging_url: provider.into(),
        },
    };
    let mut builder = Engine::on(store)
        .vault(Vault::from_ring(vault).expect("a ring"))
        .clock(clock.clone())
        .server_secret("meta", Secret::new(APP_SECRET))
        .public_url("https://rejoinder.example")
        .scratch(rejoinder_server::workshop::scratch())
        .caller(Calls::new(Reach::Everywhere));
    for adapter in rejoinder_adapters::all(&config) {
        builder = builder.shared_adapter(adapter);
    }
    builder.build().await
}
