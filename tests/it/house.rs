//! A server as administrators meet it: by HTTP, on a real clock, with a provider on loopback that sends
//! signed webhooks and takes the answers.

use rejoinder_adapters::meta::MetaConfig;
use rejoinder_adapters::simulator::meta::Registration;
use rejoinder_adapters::simulator::{MetaNumber, Simulator, Statuses, WindowRule};
use rejoinder_adapters::{Calls, Reach};
use rejoinder_engine::Engine;
use rejoinder_engine::crypto::{Secret, Vault};
use rejoinder_engine::domain::location::LoopGuard;
use rejoinder_engine::store::Store;
use rejoinder_migrations::{Migrator, MigratorTrait};
use rejoinder_server::{ServeOptions, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::database::Database;

/// The app secret of the server.
pub(crate) const APP_SECRET: &str = "the-app-secret";

/// A server, a provider, and an administrator with a token.
pub(crate) struct House {
    pub(crate) engine: Engine,
    pub(crate) server: Server,
    pub(crate) simulator: Simulator,
    pub(crate) client: reqwest::Client,
    pub(crate) token: String,
    _database: Database,
}

impl House {
    pub(crate) async fn on(database: Database) -> Self {
        Self::serving(database, ServeOptions::default()).await
    }

    /// A house with limits of its own; it listens on any free port.
    pub(crate) async fn serving(database: Database, options: ServeOptions) -> Self {
        let simulator = Simulator::start().await.expect("a free port");
        simulator.configure(|settings| settings.statuses = Statuses::Delivered);
        let store = Store::open(&database.url).await.expect("it opens");
        Migrator::up(store.connection(), None)
            .await
            .expect("the tables are made");
        let meta = MetaConfig {
            base_url: simulator.base_url(),
            ..MetaConfig::default()
        };
        let config = rejoinder_adapters::Config {
            meta,
            ..rejoinder_adapters::Config::default()
        };
        let mut builder = Engine::on(store)
            .vault(Vault::from_ring(&Vault::generate_ring("test")).expect("a ring"))
            .server_secret("meta", Secret::new(APP_SECRET))
            .handshake_token("meta", Secret::new("vt-7f3a"))
            .scratch(rejoinder_server::workshop::scratch())
            .caller(Calls::new(Reach::Everywhere));
        for adapter in rejoinder_adapters::all(&config) {
            builder = builder.shared_adapter(adapter);
        }
        let engine = builder.build().await.expect("an engine");
        engine.start().await.expect("it starts");
        let listen = ServeOptions {
            listen: ([127, 0, 0, 1], 0).into(),
            ..options
        };
        let server = Server::bind(engine.clone(), listen)
            .await
            .expect("a free port");
        let token = engine
            .first_token()
            .await
            .expect("a token")
            .expect("the first one")
            .expose()
            .to_owned();
        #[expect(clippy::disallowed_methods, reason = "the administrator's own client")]
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self {
            engine,
            server,
            simulator,
            client,
            token,
            _database: database,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.addr())
    }

    /// An API call; gives status and answer.
    pub(crate) async fn api(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self
            .client
            .request(method, self.url(&format!("/api/v1{path}")))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        (
            response.status(),
            response.json().await.unwrap_or(Value::Null),
        )
    }

    pub(crate) async fn created(&self, path: &str, body: Value) -> String {
        let (status, answer) = self.api(Method::POST, path, Some(body)).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer["id"]
            .as_str()
            .unwrap_or_else(|| panic!("an id in {answer}"))
            .to_owned()
    }

    /// A location with a number, for customers who write as fast as no person does: nothing holds them up, and
    /// the provider tells nothing of what it took.
    pub(crate) async fn of_a_busy_shop(database: Database) -> (Self, String, MetaNumber) {
        let house = Self::on(database).await;
        house.simulator.configure(|settings| {
            settings.statuses = Statuses::None;
            settings.window = WindowRule::Ignore;
        });
        let location = json!({
            "name": "Casa Lima",
            "time_zone": "Europe/Berlin",
            "settings": { "loop_guard": LoopGuard::OFF },
        });
        let location = house.created("/locations", location).await;
        let number = house.number(&location).await;
        let channels = format!("/locations/{location}/channels");
        let (_, listed) = house.api(Method::GET, &channels, None).await;
        let id = listed["channels"][0]["id"].as_str().expect("a channel");
        let fast = json!({ "settings": { "messages_per_second": 1_000 } });
        let path = format!("{channels}/{id}");
        let (status, answer) = house.api(Method::PATCH, &path, Some(fast)).await;
        assert!(status.is_success(), "{answer}");
        (house, location, number)
    }

    /// Connects a number of Meta's to a location; the provider sends its webhooks here.
    pub(crate) async fn number(&self, location: &str) -> MetaNumber {
        let number = Registration {
            webhook_url: self.url("/api/webhooks/whatsapp"),
            app_secret: APP_SECRET.into(),
            phone_number_id: "106853218861309".into(),
            waba_id: "215589313241560883".into(),
            display_phone: "4930901820".into(),
            access_token: Some("a-token".into()),
        };
        let channel = json!({
            "provider": "meta", "account": number.waba_id, "key": number.phone_number_id, "phone": "+49 30 901820",
            "name": "front desk", "credentials": { "access_token": "a-token" }
        });
        self.created(&format!("/locations/{location}/channels"), channel)
            .await;
        self.simulator.meta_number(number)
    }

    /// Publishes a rule.
    pub(crate) async fn publish(&self, location: &str, source: &str) {
        let rule = json!({ "name": "rule", "source": source });
        let rules = format!("/locations/{location}/rules");
        let rule = self.created(&rules, rule).await;
        let path = format!("{rules}/{rule}/publish");
        let (status, answer) = self.api(Method::POST, &path, None).await;
        assert!(status.is_success(), "{answer}");
    }

    pub(crate) async fn close(self) {
        self.server.stop().await;
        self.engine.stop().await;
        self.simulator.shutdown().await;
    }
}
