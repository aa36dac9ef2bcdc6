//! A server with an app at Meta, and a location whose website may have numbers signed up: what the tests of the
//! bridge page stand on.

use std::sync::Arc;
use std::time::Duration;

use rejoinder_adapters::meta::{MetaApp as ServerApp, MetaConfig};
use rejoinder_adapters::simulator::Simulator;
use rejoinder_adapters::simulator::meta::{MetaApp, MetaGraph, MetaToken};
use rejoinder_engine::Engine;
use rejoinder_engine::clock::ShiftedClock;
use rejoinder_engine::crypto::{Secret, Vault};
use rejoinder_engine::domain::channel::Channel;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::store::Store;
use rejoinder_migrations::{Migrator, MigratorTrait};
use rejoinder_server::bridge::BridgeOptions;
use rejoinder_server::{ServeOptions, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::database::Database;
use crate::port::Port;

/// The website for which tickets are made.
pub(crate) const TENANT: &str = "https://bots.cafe.example";
/// The name that the number is to have; it must be seen as it is written.
pub(crate) const NAME: &str = "Café <b>Mitte</b>";
pub(crate) const APP_ID: &str = "670843887433847";
pub(crate) const APP_SECRET: &str = "server-app-secret-4f1c";
pub(crate) const CONFIG_ID: &str = "908172635445362";
pub(crate) const WABA: &str = "215589313241560883";
pub(crate) const NUMBER: &str = "106853218861309";
pub(crate) const BUSINESS: &str = "2329417887457253";
pub(crate) const TOKEN: &str = "EAAGbusinessToken5e1f";
/// How long steps may take by the real clock.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Stand {
    pub(crate) engine: Engine,
    server: Server,
    pub(crate) simulator: Simulator,
    pub(crate) graph: MetaGraph,
    pub(crate) clock: Arc<ShiftedClock>,
    pub(crate) client: reqwest::Client,
    pub(crate) public_url: String,
    pub(crate) location: String,
    token: String,
    _database: Database,
}

impl Stand {
    pub(crate) async fn on(database: Database) -> Self {
        Self::with(database, |_| {}).await
    }

    /// With other settings of the page.
    pub(crate) async fn with(database: Database, change: impl FnOnce(&mut BridgeOptions)) -> Self {
        let clock = Arc::new(ShiftedClock::default());
        let simulator = Simulator::start_with(clock.clone())
            .await
            .expect("a free port");
        let port = Port::free();
        let listen = port.address();
        let public_url = format!("http://{listen}");
        let engine = engine(&database, &simulator, &public_url, clock.clone()).await;
        let mut bridge = BridgeOptions {
            app_id: APP_ID.to_owned(),
            config_id: CONFIG_ID.to_owned(),
            has_app_secret: true,
            sdk_url: format!("{}/sdk.js", simulator.base_url()),
            dialog_url: simulator.base_url(),
            graph_url: simulator.base_url(),
            ..BridgeOptions::default()
        };
        change(&mut bridge);
        let options = ServeOptions {
            listen,
            bridge,
            ..ServeOptions::default()
        };
        let server = Server::bind(engine.clone(), options)
            .await
            .expect("the port is free");
        let token = engine
            .first_token()
            .await
            .expect("a token")
            .expect("the first one");
        #[expect(clippy::disallowed_methods, reason = "the website's own client")]
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let mut stand = Self {
            graph: business(&simulator),
            engine,
            server,
            simulator,
            clock,
            client,
            public_url,
            location: String::new(),
            token: token.expose().to_owned(),
            _database: database,
        };
        let location = json!({ "name": "Café", "time_zone": "Europe/Berlin", "settings": { "origins": [TENANT] } });
        let (status, made) = stand.api(Method::POST, "", location).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        stand.location = made["id"].as_str().expect("an id").to_owned();
        stand
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    async fn api(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self
            .client
            .request(method, self.url(&format!("/api/v1/locations{path}")));
        let response = request.bearer_auth(&self.token).json(&body).send().await;
        read(response.expect("an answer")).await
    }

    pub(crate) async fn ask_ticket(&self, body: Value) -> (StatusCode, Value) {
        self.api(
            Method::POST,
            &format!("/{}/bridge-tickets", self.location),
            body,
        )
        .await
    }

    pub(crate) async fn change_location(&self, body: Value) -> (StatusCode, Value) {
        self.api(Method::PATCH, &format!("/{}", self.location), body)
            .await
    }

    pub(crate) async fn another_location(&self) -> LocationId {
        let body =
            json!({ "name": "Other", "time_zone": "UTC", "settings": { "origins": [TENANT] } });
        let (_, made) = self.api(Method::POST, "", body).await;
        made["id"].as_str().expect("an id").parse().expect("an id")
    }

    /// The word of a new ticket.
    pub(crate) async fn ticket(&self) -> String {
        self.ticket_for(json!({ "origin": TENANT, "name": NAME }))
            .await
    }

    pub(crate) async fn ticket_for(&self, body: Value) -> String {
        let (status, made) = self.ask_ticket(body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["ticket"].as_str().expect("a word").to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.client
            .get(self.url(path))
            .send()
            .await
            .expect("an answer")
    }

    /// What the page itself would post.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self
            .client
            .post(self.url(path))
            .header("origin", &self.public_url);
        read(request.json(body).send().await.expect("an answer")).await
    }

    /// How a used ticket ends.
    pub(crate) async fn followed(&self, word: &str) -> Value {
        let end = async {
            loop {
                let (_, answer) = self
                    .post("/bridge/status", &json!({ "ticket": word }))
                    .await;
                if answer["state"] != "working" {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, end).await.expect("an end")
    }

    pub(crate) async fn channels(&self) -> Vec<Channel> {
        let id = self.location.parse().expect("an id");
        self.engine.store().of(id).channels().await.expect("a list")
    }

    pub(crate) async fn onboardings(&self) -> usize {
        let id = self.location.parse().expect("an id");
        let listed = self.engine.store().of(id).onboardings().await;
        listed.expect("a list").len()
    }

    pub(crate) async fn close(self) {
        self.server.stop().await;
        self.engine.stop().await;
        self.simulator.shutdown().await;
    }
}

async fn read(response: reqwest::Response) -> (StatusCode, Value) {
    let status = response.status();
    (status, response.json().await.unwrap_or(Value::Null))
}

async fn engine(
    database: &Database,
    simulator: &Simulator,
    public_url: &str,
    clock: Arc<ShiftedClock>,
) -> Engine {
    let store = Store::open(&database.url).await.expect("it opens");
    Migrator::up(store.connection(), None)
        .await
        .expect("the tables are made");
    let config = rejoinder_adapters::Config {
        meta: MetaConfig {
            base_url: simulator.base_url(),
            app: Some(ServerApp {
                id: APP_ID.to_owned(),
                secret: Secret::new(APP_SECRET),
                verify_token: Secret::new("vt-7f3a"),
            }),
            ..MetaConfig::default()
        },
        ..rejoinder_adapters::Config::default()
    };
    let mut builder = Engine::on(store)
        .vault(Vault::from_ring(&Vault::generate_ring("test")).expect("a ring"))
        .server_secret("meta", Secret::new(APP_SECRET))
        .handshake_token("meta", Secret::new("vt-7f3a"))
        .public_url(public_url)
        .clock(clock);
    for adapter in rejoinder_adapters::all(&config) {
        builder = builder.shared_adapter(adapter);
    }
    let engine = builder.build().await.expect("an engine");
    engine.start().await.expect("it starts");
    engine
}

/// A business with one account and one number, and a token of the server's app for it.
fn business(simulator: &Simulator) -> MetaGraph {
    let graph = simulator.meta_graph();
    graph.app(MetaApp {
        id: APP_ID.to_owned(),
        secret: APP_SECRET.to_owned(),
        ..MetaApp::default()
    });
    graph.account(WABA, "Café Mitte", BUSINESS);
    graph.phone(NUMBER, WABA, "+49 30 901820", "Café Mitte");
    graph.token(TOKEN, MetaToken::of(APP_ID, &[WABA]));
    graph
}
