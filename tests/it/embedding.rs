//! The engine inside another program: its connection, its adapter, its script function, its keys.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use rejoinder_engine::adapter::{
    Adapter, CredentialField, Credentials, Method, Outgoing, Received, Refused, Route, SendError,
    Sent, Signal, Webhook,
};
use rejoinder_engine::crypto::{Secret, Vault};
use rejoinder_engine::domain::contact::{Peer, Phone};
use rejoinder_engine::domain::content::Content;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::domain::inbound::{ChannelKey, Inbound, Item};
use rejoinder_engine::domain::location::LocationSettings;
use rejoinder_engine::domain::message::{Body, Message};
use rejoinder_engine::store::{DeliveryFilter, NewRule, Store};
use rejoinder_engine::{Engine, NewChannel, NewLocation};
use rejoinder_migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection};

use crate::database::Database;

/// A provider that exists in this program only: the body is `number|sender|id|text`, signed by its first letter.
#[derive(Clone, Default)]
struct Pager(Arc<Mutex<Vec<String>>>);

impl Adapter for Pager {
    fn kind(&self) -> &'static str {
        "pager"
    }

    fn credential_fields(&self) -> &'static [CredentialField] {
        &[CredentialField {
            name: "word",
            required: true,
            help: "the word that signs",
        }]
    }

    fn key_is_phone(&self) -> bool {
        true
    }

    fn route(&self, _webhook: &Webhook) -> Route {
        Route::Account("pagers".into())
    }

    fn webhook_secrets(&self, credentials: &Credentials) -> Vec<Secret> {
        credentials.get("word").cloned().into_iter().collect()
    }

    fn receive(&self, webhook: &Webhook, secrets: &[Secret]) -> Result<Received, Refused> {
        let signed = Secret::new(webhook.header("x-word").unwrap_or_default());
        let secret = secrets
            .iter()
            .position(|secret| secret.matches(&signed))
            .ok_or(Refused)?;
        Ok(Received {
            secret,
            items: self.parse(std::str::from_utf8(&webhook.body).map_err(|_| Refused)?),
        })
    }

    fn parse(&self, raw: &str) -> Vec<Inbound> {
        let parts: Vec<&str> = raw.split('|').collect();
        let [to, from, id, text] = parts[..] else {
            return Vec::new();
        };
        let message = Message {
            provider_id: id.into(),
            body: Body::Text { text: text.into() },
            reply_to: None,
            forwarded: false,
            referral: None,
        };
        let peer = Peer {
            phone: Phone::parse(from),
            ..Peer::default()
        };
        vec![Inbound {
            to: Some(ChannelKey::Key(to.into())),
            at: None,
            item: Item::Message { peer, message },
            raw: None,
        }]
    }

    fn check(&self, _content: &Content) -> Result<(), SendError> {
        Ok(())
    }

    fn send<'a>(&'a self, outgoing: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Sent, SendError>> {
        let text = format!("{}: {}", outgoing.to, outgoing.content.text());
        self.0.lock().expect("no one panics").push(text);
        Box::pin(async {
            assert_ne!(
                outgoing.content.text(),
                "break",
                "a mistake of the adapter's"
            );
            Ok(Sent {
                provider_id: outgoing.delivery_id.to_string(),
            })
        })
    }

    fn signal<'a>(&'a self, _signal: &'a Signal<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Ok(()) })
    }
}

async fn host_connection(database: &Database) -> DatabaseConnection {
    let mut options = ConnectOptions::new(format!("{}?mode=rwc", database.url));
    options.map_sqlx_sqlite_opts(|options| {
        use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
        options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(5))
    });
    sea_orm::Database::connect(options)
        .await
        .expect("the host's database")
}

fn ring() -> Secret {
    Vault::generate_ring("host")
}

/// A shop with one rule, on the host's own connection and with its own adapter and function.
async fn shop(database: &Database, pager: &Pager, source: &str) -> (Engine, LocationId) {
    let connection = host_connection(database).await;
    connection
        .execute_unprepared("CREATE TABLE orders (id INTEGER)")
        .await
        .expect("the host's own table");
    Migrator::up(&connection, None)
        .await
        .expect("the tables are made");
    let engine = Engine::builder(connection)
        .vault(Vault::from_ring(&ring()).expect("a ring"))
        .adapter(pager.clone())
        .script_function("with_vat", 1, |args| {
            let net = args[0].as_f64().ok_or("with_vat wants a number")?;
            assert!(net > 0.0, "a mistake of the host's");
            Ok(serde_json::json!(net * 1.19))
        })
        .build()
        .await
        .expect("an engine");
    let location = engine
        .create_location(NewLocation {
            name: "Shop".into(),
            time_zone: chrono_tz::UTC,
            settings: LocationSettings::default(),
        })
        .await
        .expect("a location");
    let channel = NewChannel {
        provider: "pager".into(),
        account: "pagers".into(),
        key: None,
        phone: Phone::parse("4930901820").expect("a number"),
        name: "pager".into(),
        settings: Default::default(),
        credentials: [("word", Secret::new("sesame"))].into_iter().collect(),
    };
    engine
        .create_channel(location.id, channel)
        .await
        .expect("a channel");
    let rule = NewRule {
        name: "vat".into(),
        source: source.into(),
        tests: String::new(),
        position: None,
    };
    let rule = engine.create_rule(location.id, rule).await.expect("a rule");
    engine
        .publish_rule(location.id, rule.id)
        .await
        .expect("published");
    (engine, location.id)
}

/// A customer pages the shop.
async fn page(engine: &Engine, from: &str, text: &str) {
    let webhook = Webhook {
        method: Method::Post,
        channel_id: None,
        url: String::new(),
        query: String::new(),
        headers: vec![("x-word".into(), "sesame".into())],
        body: format!("4930901820|{from}|{from}-{text}|{text}").into(),
    };
    engine.accept("pager", &webhook).await.expect("accepted");
    engine.run_once().await.expect("it works");
}

#[tokio::test]
async fn a_hosts_own_adapter_function_and_connection_do_the_main_job() {
    let (database, pager) = (Database::sqlite().await, Pager::default());
    let source = "fn on_message(chat, message) { chat.reply(`${with_vat(100)}`); }";
    let (engine, _) = shop(&database, &pager, source).await;
    page(&engine, "5511987654321", "how much?").await;
    let sent = pager.0.lock().expect("no one panics").clone();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].starts_with("+5511987654321: 119"), "{}", sent[0]);
}

#[tokio::test]
async fn a_panic_of_an_adapter_or_a_function_harms_nobody_else() {
    let (database, pager) = (Database::sqlite().await, Pager::default());
    let source = r#"fn on_message(chat, message) {
        if message.text == "function" { with_vat(0); }
        chat.reply(message.text);
    }"#;
    let (engine, location_id) = shop(&database, &pager, source).await;
    page(&engine, "5511987654321", "break").await;
    page(&engine, "4915112345678", "function").await;
    page(&engine, "393331234567", "hello").await;
    let filter = DeliveryFilter::default();
    let store = engine.store().of(location_id);
    let deliveries = store.deliveries(&filter, 10).await.expect("deliveries");
    let states: Vec<_> = deliveries
        .iter()
        .map(|row| row.delivery.state.name())
        .collect();
    assert_eq!(states, ["in_doubt", "accepted"]);
    assert_eq!(engine.backlog(), (0, 1), "only the one in doubt waits");
}

#[tokio::test]
async fn a_connection_that_could_lose_messages_is_refused_with_the_line_to_add() {
    let database = Database::sqlite().await;
    let connection = sea_orm::Database::connect(format!("{}?mode=rwc", database.url))
        .await
        .expect("a database");
    Migrator::up(&connection, None)
        .await
        .expect("the tables are made");
    let refused = Engine::builder(connection)
        .vault(Vault::from_ring(&ring()).expect("a ring"))
        .build()
        .await;
    let sentence = refused.expect_err("it is refused").to_string();
    assert!(
        sentence.contains(".journal_mode(SqliteJournalMode::Wal)"),
        "{sentence}"
    );
}

#[tokio::test]
async fn an_engine_without_tables_or_keys_says_what_to_do() {
    let database = Database::sqlite().await;
    let store = Store::open(&database.url).await.expect("it opens");
    let refused = Engine::on(store.clone())
        .build()
        .await
        .expect_err("it is refused")
        .to_string();
    assert!(refused.contains("keys generate"), "{refused}");
    let vault = Vault::from_ring(&ring()).expect("a ring");
    let refused = Engine::on(store)
        .vault(vault)
        .build()
        .await
        .expect_err("it is refused")
        .to_string();
    assert!(refused.contains("Migrator::up"), "{refused}");
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_noticed_before_anything_runs() {
    let database = Database::sqlite().await;
    let store = Store::open(&database.url).await.expect("it opens");
    Migrator::up(store.connection(), None)
        .await
        .expect("the tables are made");
    let first = ring();
    let build = |ring: Secret| {
        let store = store.clone();
        async move {
            Engine::on(store)
                .vault(Vault::from_ring(&ring).expect("a ring"))
                .build()
                .await
        }
    };
    build(first.clone()).await.expect("the first key is taken");
    let wrong = build(ring())
        .await
        .expect_err("another key of that id is refused")
        .to_string();
    assert!(
        wrong.contains("not the one this database was sealed with"),
        "{wrong}"
    );
    let missing = build(Vault::generate_ring("other"))
        .await
        .expect_err("a ring without it is refused")
        .to_string();
    assert!(
        missing.contains("'host'") && missing.contains("add it"),
        "{missing}"
    );
    let both = Secret::new(format!(
        "{},{}",
        Vault::generate_ring("new").expose(),
        first.expose()
    ));
    build(both)
        .await
        .expect("the old key behind a new one will do");
}

#[tokio::test]
async fn two_engines_do_not_work_on_one_database() {
    for database in [Database::sqlite().await, Database::postgres().await] {
        let ring = ring();
        let engine = || async {
            let store = Store::open(&database.url).await.expect("it opens");
            Migrator::up(store.connection(), None)
                .await
                .expect("the tables are made");
            Engine::on(store)
                .vault(Vault::from_ring(&ring).expect("a ring"))
                .build()
                .await
                .expect("an engine")
        };
        let (first, second) = (engine().await, engine().await);
        first.start().await.expect("the first one starts");
        let refused = second
            .start()
            .await
            .expect_err("the second is refused")
            .to_string();
        assert!(refused.contains("another Rejoinder"), "{refused}");
        first.stop().await;
        second.start().await.expect("now it may");
        second.stop().await;
    }
}

#[tokio::test]
async fn migrations_go_up_and_down_and_up_on_both_databases() {
    for database in [Database::sqlite().await, Database::postgres().await] {
        let store = Store::open(&database.url).await.expect("it opens");
        Migrator::up(store.connection(), None).await.expect("up");
        Migrator::down(store.connection(), None)
            .await
            .expect("down");
        Migrator::up(store.connection(), None)
            .await
            .expect("up again");
    }
}
