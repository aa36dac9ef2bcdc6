//! The real program under load, killed at random moments: nothing that was acknowledged is lost, answered
//! twice or out of order. `REJOINDER_KILLS=20000 tests/run --fast crash` kills it more often.

use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rejoinder_adapters::meta::MetaConfig;
use rejoinder_adapters::simulator::meta::{Arrival, Registration, sign, text_message};
use rejoinder_adapters::simulator::{MetaNumber, Simulator, Statuses, WindowRule};
use rejoinder_engine::Engine;
use rejoinder_engine::crypto::{Secret, Vault};
use rejoinder_engine::domain::channel::ChannelSettings;
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::domain::location::{InDoubtPolicy, LocationSettings};
use rejoinder_engine::domain::time::Timestamp;
use rejoinder_engine::store::{NewRule, Store};
use rejoinder_engine::{NewChannel, NewLocation};
use rejoinder_migrations::{Migrator, MigratorTrait};
use tempfile::TempDir;

use crate::chance::Chance;
use crate::checker::{Acknowledged, Evidence, breaches, open_work};
use crate::commands::command;
use crate::database::Database;

/// How often the program is killed where nobody says otherwise.
const KILLS_ON_SQLITE: usize = 200;
const KILLS_ON_POSTGRES: usize = 100;
/// Customers who write at the same time.
const WRITERS: usize = 16;
/// What each of them writes before another customer comes: fewer than a pair's limits hold up.
const MESSAGES_EACH: usize = 3;
/// Lives of the program: long enough for work to be under way, short enough for many.
const LIFE_MS: (u64, u64) = (10, 400);
/// How long the program may take to be ready, and to be done with what is left.
const PATIENCE: Duration = Duration::from_secs(240);

const APP_SECRET: &str = "the-app-secret";
const RULE: &str = "fn on_message(chat, message) { chat.state.n = (chat.state.n ?? 0) + 1; chat.reply(message.text); }";

/// What stays when the program dies: the database, the provider, and what customers remember.
struct Scene {
    folder: TempDir,
    database: Database,
    simulator: Simulator,
    number: MetaNumber,
    location_id: LocationId,
    ring: Secret,
    port: u16,
    acknowledged: Mutex<Vec<Acknowledged>>,
    customers: AtomicUsize,
    is_over: AtomicBool,
}

impl Scene {
    async fn set(database: Database) -> Arc<Self> {
        let simulator = Simulator::start().await.expect("a free port");
        simulator.configure(|settings| {
            settings.statuses = Statuses::Sent;
            settings.window = WindowRule::Ignore;
        });
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let number = Registration {
            webhook_url: format!("http://127.0.0.1:{port}/api/webhooks/whatsapp"),
            app_secret: APP_SECRET.into(),
            phone_number_id: "106853218861309".into(),
            waba_id: "215589313241560883".into(),
            display_phone: "4930901820".into(),
            access_token: Some("token".into()),
        };
        let number = simulator.meta_number(number);
        let ring = Vault::generate_ring("test");
        let location_id = furnish(&database, &ring, &simulator.base_url(), &number).await;
        Arc::new(Self {
            folder: crate::commands::folder(),
            database,
            simulator,
            number,
            location_id,
            ring,
            port,
            acknowledged: Mutex::default(),
            customers: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        })
    }

    /// Starts the program.
    fn start(&self) -> Program {
        let child = command(&self.folder, &["serve", "--log", "error"])
            .env("REJOINDER_KEYS", self.ring.expose())
            .env("REJOINDER_DATABASE_URL", &self.database.url)
            .env("REJOINDER_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("REJOINDER_META_APP_SECRET", APP_SECRET)
            .env("REJOINDER_META_BASE_URL", self.simulator.base_url())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        Program(child)
    }

    /// Waits until the program answers.
    async fn ready(&self, client: &reqwest::Client) {
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        let began_at = Instant::now();
        while began_at.elapsed() < PATIENCE {
            let answer = client.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the program is not ready after {PATIENCE:?}");
    }

    /// Customers write, one after the other, until it is over.
    async fn write(self: Arc<Self>, client: reqwest::Client, mut chance: Chance) {
        while !self.is_over.load(Ordering::Relaxed) {
            let customer = 4_915_000_000_000 + self.customers.fetch_add(1, Ordering::Relaxed);
            for nth in 1..=MESSAGES_EACH {
                self.say(&client, &customer.to_string(), nth).await;
                tokio::time::sleep(Duration::from_millis(chance.between(0, 100))).await;
            }
        }
    }

    /// Writes a message, as often as the provider would, until it is acknowledged.
    async fn say(&self, client: &reqwest::Client, customer: &str, nth: usize) {
        let text = format!("{customer} says {nth}");
        let id = format!("wamid.{customer}.{nth}");
        let arrival = Arrival {
            name: "Ada",
            phone: customer,
            user_id: None,
            id: &id,
            at: self.simulator.now(),
            context: None,
        };
        let registration = self.number.registration();
        let body = text_message(registration, &arrival, &text);
        let signature = sign(APP_SECRET, &body);
        loop {
            let request = client
                .post(&registration.webhook_url)
                .header("x-hub-signature-256", &signature)
                .body(body.clone());
            let answer = request.send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut acknowledged = self.acknowledged.lock().expect("no one panics");
        acknowledged.push(Acknowledged {
            id,
            customer: customer.to_owned(),
            text,
        });
    }

    /// Statuses that met a dead program come again, as Meta sends them for days.
    async fn tell_again(&self) {
        for message in self.simulator.received() {
            let told = self.number.status(&message, "sent").await;
            let told = told.expect("the program answers");
            assert_eq!(told.status, 200);
        }
    }

    /// Waits until nothing is left to be done.
    async fn settle(&self, store: &Store) {
        let began_at = Instant::now();
        while open_work(store).await > 0 {
            assert!(
                began_at.elapsed() < PATIENCE,
                "work is left after {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// A location with a number and a rule that says everything once more.
async fn furnish(
    database: &Database,
    ring: &Secret,
    provider: &str,
    number: &MetaNumber,
) -> LocationId {
    let store = Store::open(&database.url).await.expect("it opens");
    Migrator::up(store.connection(), None)
        .await
        .expect("the tables are made");
    let mut builder = Engine::on(store).vault(Vault::from_ring(ring).expect("a ring"));
    let config = rejoinder_adapters::Config {
        meta: MetaConfig {
            base_url: provider.to_owned(),
            ..MetaConfig::default()
        },
        ..rejoinder_adapters::Config::default()
    };
    for adapter in rejoinder_adapters::all(&config) {
        builder = builder.shared_adapter(adapter);
    }
    let engine = builder.build().await.expect("an engine");
    let location = NewLocation {
        name: "Casa Lima".into(),
        time_zone: chrono_tz::Europe::Berlin,
        settings: LocationSettings {
            in_doubt_replies: InDoubtPolicy::Hold,
            ..LocationSettings::default()
        },
    };
    let location = engine.create_location(location).await.expect("a location");
    let registration = number.registration();
    let channel = NewChannel {
        provider: "meta".into(),
        account: registration.waba_id.clone(),
        key: Some(registration.phone_number_id.clone()),
        phone: Phone::parse(&format!("+{}", registration.display_phone)).expect("a number"),
        name: "Front desk".into(),
        settings: ChannelSettings {
            messages_per_second: 1_000,
            ..ChannelSettings::default()
        },
        credentials: [("access_token", Secret::new("token"))]
            .into_iter()
            .collect(),
    };
    let channel = engine.create_channel(location.id, channel).await;
    channel.expect("a channel");
    let rule = NewRule {
        name: "echo".into(),
        source: RULE.into(),
        tests: String::new(),
        position: None,
    };
    let rule = engine.create_rule(location.id, rule).await.expect("a rule");
    let published = engine.publish_rule(location.id, rule.id).await;
    published.expect("it is published");
    location.id
}

/// The program; it does not outlive the test.
struct Program(Child);

impl Program {
    /// Ends it as a power switch would end its process.
    fn kill(mut self) {
        self.0.kill().expect("it lives");
        self.0.wait().expect("it ends");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn kill_and_look(database: Database, kills: usize) {
    let scene = Scene::set(database).await;
    #[expect(clippy::disallowed_methods, reason = "the customers' own client")]
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .expect("a client");
    let seed = u64::try_from(Timestamp::ms(scene.simulator.now())).expect("after 1970");
    say(&format!("seed {seed}, {kills} kills"));
    let mut chance = Chance::from_seed(seed);
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let chance = Chance::from_seed(chance.next());
            tokio::spawn(Arc::clone(&scene).write(client.clone(), chance))
        })
        .collect();
    for _ in 0..kills {
        let program = scene.start();
        scene.ready(&client).await;
        let life = chance.between(LIFE_MS.0, LIFE_MS.1);
        tokio::time::sleep(Duration::from_millis(life)).await;
        program.kill();
    }
    let program = scene.start();
    scene.ready(&client).await;
    scene.is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("it ends");
    }
    scene.tell_again().await;
    let store = Store::open(&scene.database.url).await.expect("it opens");
    scene.settle(&store).await;
    scene.tell_again().await;
    scene.settle(&store).await;
    let acknowledged = scene.acknowledged.lock().expect("no one panics").clone();
    let received = scene.simulator.received();
    let evidence = Evidence {
        store: &store,
        location_id: scene.location_id,
        acknowledged: &acknowledged,
        received: &received,
    };
    let found = breaches(&evidence).await;
    let many = found.len();
    let shown: Vec<&String> = found.iter().take(20).collect();
    assert!(
        many == 0,
        "seed {seed}: {many} breaches, such as {shown:#?}"
    );
    assert!(
        acknowledged.len() >= kills,
        "there was hardly any load: {}",
        acknowledged.len()
    );
    say(&format!(
        "{} acknowledged, {} taken by the provider",
        acknowledged.len(),
        received.len()
    ));
    program.kill();
}

#[expect(clippy::print_stdout, reason = "who repeats a run needs its seed")]
fn say(text: &str) {
    println!("{text}");
}

/// How often the program is killed: as whoever runs the tests says, or as usual.
fn kills(usual: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "the test's own setting")]
    let said = std::env::var("REJOINDER_KILLS");
    said.map_or(usual, |text| {
        text.parse().expect("REJOINDER_KILLS is a number")
    })
}

mod heavy {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_acknowledged_is_lost_or_doubled_on_sqlite() {
        kill_and_look(Database::sqlite().await, kills(KILLS_ON_SQLITE)).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_acknowledged_is_lost_or_doubled_on_postgres() {
        kill_and_look(Database::postgres().await, kills(KILLS_ON_POSTGRES)).await;
    }
}
