//! The real program with a location of many numbers, ready to be offered more than it can do. Knows nothing of load.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rejoinder_adapters::simulator::Simulator;
use rejoinder_adapters::simulator::meta::Registration;
use rejoinder_engine::Engine;
use rejoinder_engine::crypto::{Secret, Vault};
use rejoinder_engine::domain::channel::ChannelSettings;
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::domain::location::{LocationSettings, LoopGuard};
use rejoinder_engine::store::{NewRule, Store};
use rejoinder_engine::{NewChannel, NewLocation};
use rejoinder_migrations::{Migrator, MigratorTrait};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::PATIENCE;
use crate::commands::command;
use crate::database::Database;
use crate::port::Port;
use crate::scene::Program;

/// Numbers of the location, so that no number's own rate is what holds back.
pub(super) const NUMBERS: usize = 20;

pub(super) const APP_SECRET: &str = "the-app-secret";
const RULE: &str = "fn on_message(chat, message) { chat.state.n = (chat.state.n ?? 0) + 1; chat.reply(message.text); }";

/// A location with many numbers and a rule that says everything once more.
pub(super) async fn furnish(
    database: &Database,
    ring: &Secret,
    simulator: &Simulator,
) -> (LocationId, Vec<Registration>) {
    let store = Store::open(&database.url).await.expect("it opens");
    Migrator::up(store.connection(), None)
        .await
        .expect("the tables are made");
    let mut builder = Engine::on(store).vault(Vault::from_ring(ring).expect("a ring"));
    for adapter in rejoinder_adapters::all(&rejoinder_adapters::Config::default()) {
        builder = builder.shared_adapter(adapter);
    }
    let engine = builder.build().await.expect("an engine");
    let location = NewLocation {
        name: "Casa Lima".into(),
        time_zone: chrono_tz::Europe::Berlin,
        settings: LocationSettings {
            loop_guard: LoopGuard::OFF,
            ..LocationSettings::default()
        },
    };
    let location = engine.create_location(location).await.expect("a location");
    let mut numbers = Vec::new();
    for nth in 0..NUMBERS {
        let number = Registration {
            webhook_url: String::new(),
            app_secret: APP_SECRET.into(),
            phone_number_id: format!("1068532188613{nth:02}"),
            waba_id: "215589313241560883".into(),
            display_phone: format!("49309018{nth:02}"),
            access_token: Some("token".into()),
        };
        let _ = simulator.meta_number(number.clone());
        let channel = NewChannel {
            provider: "meta".into(),
            account: number.waba_id.clone(),
            key: Some(number.phone_number_id.clone()),
            phone: Phone::parse(&number.display_phone).expect("a number"),
            name: format!("number {nth}"),
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
        numbers.push(number);
    }
    let rule = NewRule {
        name: "echo".into(),
        source: RULE.into(),
        tests: String::new(),
        position: None,
    };
    let rule = engine.create_rule(location.id, rule).await.expect("a rule");
    let published = engine.publish_rule(location.id, rule.id).await;
    published.expect("it is published");
    (location.id, numbers)
}

/// Starts the program, and waits until it answers.
pub(super) async fn start(
    folder: &TempDir,
    database: &Database,
    ring: &Secret,
    simulator: &Simulator,
) -> (Program, SocketAddr) {
    let port = Port::free();
    let addr = port.address();
    let mut command = command(folder, &["serve", "--log", "error"]);
    command
        .env("REJOINDER_KEYS", ring.expose())
        .env("REJOINDER_DATABASE_URL", &database.url)
        .env("REJOINDER_LISTEN", addr.to_string())
        .env("REJOINDER_META_APP_SECRET", APP_SECRET)
        .env("REJOINDER_META_BASE_URL", simulator.base_url())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    let program = Program::start(command);
    let began_at = Instant::now();
    while TcpStream::connect(addr).await.is_err() {
        assert!(began_at.elapsed() < PATIENCE, "the program is not ready");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (program, addr)
}
