//! What stays when the real program dies: its database, the provider, an endpoint, and what customers
//! remember. Starts the program and lets customers write; knows nothing of why it dies.

mod furnish;
mod heal;
mod program;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rejoinder_adapters::simulator::meta::{Arrival, Registration, sign, text_message};
use rejoinder_adapters::simulator::{MetaNumber, Simulator, Statuses, WindowRule};
use rejoinder_engine::crypto::{Secret, Vault};
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::domain::time::Timestamp;
use rejoinder_engine::store::Store;
use reqwest::Response;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use self::furnish::{APP_SECRET, TOKEN_OF_THE_NUMBER, engine, follows, furnish};
use crate::chance::Chance;
use crate::checker::{Acknowledged, Evidence, breaches};
use crate::commands::command;
use crate::crm::Crm;
use crate::database::Database;
use crate::port::Port;

pub(crate) use self::furnish::Errand;
pub(crate) use self::program::Program;

/// What a customer writes before another one comes: fewer than a pair's limits hold up.
const MESSAGES_EACH: usize = 3;
/// How long the program may take to be ready, and to be done with what is left.
const PATIENCE: Duration = Duration::from_secs(240);

pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) database: Database,
    simulator: Simulator,
    /// Kept alive, for rules to call.
    _crm: Crm,
    number: MetaNumber,
    pub(crate) location_id: LocationId,
    ring: Secret,
    token: Secret,
    /// The program's, also between its lives.
    port: Port,
    pub(crate) client: reqwest::Client,
    acknowledged: Mutex<Vec<Acknowledged>>,
    customers: AtomicUsize,
    is_over: AtomicBool,
    errand: Mutex<Errand>,
    cared_at: Mutex<Instant>,
}

/// A message that a customer wrote, and the webhook that tells of it.
pub(crate) struct Letter {
    message: Acknowledged,
    body: Vec<u8>,
}

impl Scene {
    pub(crate) async fn set(database: Database) -> Arc<Self> {
        let simulator = Simulator::start().await.expect("a free port");
        simulator.configure(|settings| {
            settings.statuses = Statuses::Sent;
            settings.window = WindowRule::Ignore;
        });
        let port = Port::free();
        let number = Registration {
            webhook_url: format!("http://{}/api/webhooks/whatsapp", port.address()),
            app_secret: APP_SECRET.into(),
            phone_number_id: "106853218861309".into(),
            waba_id: "215589313241560883".into(),
            display_phone: "4930901820".into(),
            access_token: Some(TOKEN_OF_THE_NUMBER.into()),
        };
        let number = simulator.meta_number(number);
        let crm = Crm::start().await;
        let ring = Vault::generate_ring("test");
        let engine = engine(&database, &ring, &simulator.base_url()).await;
        let location_id = furnish(&engine, &number, &crm).await;
        let token = engine.create_token("a person", None).await;
        let (_, token) = token.expect("a token");
        #[expect(clippy::disallowed_methods, reason = "the customers' own client")]
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .expect("a client");
        Arc::new(Self {
            folder: crate::commands::folder(),
            database,
            simulator,
            _crm: crm,
            number,
            location_id,
            ring,
            token,
            port,
            client,
            acknowledged: Mutex::default(),
            customers: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            errand: Mutex::new(Errand::Nothing),
            cared_at: Mutex::new(Instant::now()),
        })
    }

    /// A seed nobody used before; who repeats a run writes it here.
    pub(crate) fn seed(&self) -> u64 {
        u64::try_from(Timestamp::ms(self.simulator.now())).expect("after 1970")
    }

    /// The program as operators start it.
    pub(crate) fn program(&self) -> Command {
        self.prepare(command(&self.folder, &["serve"]))
    }

    /// A command of an operator beside the program.
    pub(crate) fn operator(&self, words: &[&str]) -> Command {
        self.prepare(command(&self.folder, words))
    }

    /// Nobody writes any more.
    pub(crate) async fn hush(&self, crowd: Vec<JoinHandle<()>>) {
        self.is_over.store(true, Ordering::Relaxed);
        for writer in crowd {
            writer.await.expect("it ends");
        }
    }

    /// The same program, built so that tests can make it fail.
    pub(crate) fn mistaken(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rejoinder-mistaken"));
        command
            .env_clear()
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .arg("serve");
        self.prepare(command)
    }

    /// The program as operators start it, for whom a file that may not grow is no reason to end: writing fails.
    pub(crate) fn undaunted(&self) -> Command {
        let mut command = Command::new("/bin/sh");
        let path = crate::commands::program();
        command
            .env_clear()
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .args(["-c", "trap '' XFSZ; exec \"$0\" serve \"$@\""])
            .arg(path);
        self.prepare(command)
    }

    fn prepare(&self, mut command: Command) -> Command {
        command
            .args(["--log", "warn,rejoinder_engine=debug"])
            .env("REJOINDER_KEYS", self.ring.expose())
            .env("REJOINDER_DATABASE_URL", &self.database.url)
            .env("REJOINDER_LISTEN", self.port.address().to_string())
            .env("REJOINDER_META_APP_SECRET", APP_SECRET)
            .env("REJOINDER_META_BASE_URL", self.simulator.base_url())
            .env("REJOINDER_REQUESTS_ALLOW_PRIVATE", "true")
            .stdout(Stdio::null())
            .stderr(self.log_file());
        command
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Where all lives of the program log to.
    fn log_file(&self) -> File {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log());
        file.expect("the folder is ours")
    }

    /// Waits until the program answers; false if it ended instead.
    pub(crate) async fn ready(&self, program: &mut Program) -> bool {
        let url = self.url("/readyz");
        let began_at = Instant::now();
        while began_at.elapsed() < PATIENCE {
            let answer = self.client.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            if program.ended().is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the program is not ready after {PATIENCE:?}");
    }

    /// Starts the program and waits until it answers.
    pub(crate) async fn start(&self) -> Program {
        let mut program = Program::start(self.program());
        let is_ready = self.ready(&mut program).await;
        assert!(
            is_ready,
            "the program does not start: {}",
            self.last_words()
        );
        program
    }

    /// The end of what the program logged.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// From now on customers who come want this.
    pub(crate) fn want(&self, errand: Errand) {
        *self.errand.lock().expect("no one panics") = errand;
    }

    /// Customers write, so many at the same time, until `heal`.
    pub(crate) fn crowd(self: &Arc<Self>, many: usize, chance: &mut Chance) -> Vec<JoinHandle<()>> {
        let crowd = (0..many).map(|_| {
            let chance = Chance::from_seed(chance.next());
            tokio::spawn(Arc::clone(self).write(chance))
        });
        crowd.collect()
    }

    /// Customers write, one after the other.
    async fn write(self: Arc<Self>, mut chance: Chance) {
        while !self.is_over.load(Ordering::Relaxed) {
            let customer = self.customer();
            let errand = self.next_errand();
            for nth in 1..=MESSAGES_EACH {
                let errand = if nth == 1 { errand } else { Errand::Nothing };
                self.say(&customer, nth, errand).await;
                tokio::time::sleep(Duration::from_millis(chance.between(0, 100))).await;
            }
        }
    }

    fn next_errand(&self) -> Errand {
        let mut errand = self.errand.lock().expect("no one panics");
        match *errand {
            // Each takes a second: of many some would be dropped.
            Errand::Visit => std::mem::replace(&mut errand, Errand::Nothing),
            errand => errand,
        }
    }

    /// A customer who has not written before.
    pub(crate) fn customer(&self) -> String {
        let customer = 4_915_000_000_000 + self.customers.fetch_add(1, Ordering::Relaxed);
        customer.to_string()
    }

    /// Writes a message, as often as the provider would, until it is acknowledged; gives its id.
    pub(crate) async fn say(&self, customer: &str, nth: usize, errand: Errand) -> String {
        let letter = self.letter(customer, nth, errand);
        loop {
            let answer = self.post(&letter).await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return letter.message.id;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What a customer writes, as the provider tells of it.
    pub(crate) fn letter(&self, customer: &str, nth: usize, errand: Errand) -> Letter {
        let message = Acknowledged {
            id: format!("wamid.{customer}.{nth}"),
            customer: customer.to_owned(),
            text: format!("{customer} says {nth}{}", errand.word()),
        };
        let arrival = Arrival {
            name: "Ada",
            phone: customer,
            user_id: None,
            id: &message.id,
            at: self.simulator.now(),
            context: None,
        };
        let body = text_message(self.number.registration(), &arrival, &message.text);
        Letter { message, body }
    }

    /// Tells the program of it once; what is acknowledged is remembered.
    pub(crate) async fn post(&self, letter: &Letter) -> reqwest::Result<Response> {
        let request = self
            .client
            .post(&self.number.registration().webhook_url)
            .header("x-hub-signature-256", sign(APP_SECRET, &letter.body))
            .body(letter.body.clone());
        let answer = request.send().await?;
        if answer.status().is_success() {
            let mut acknowledged = self.acknowledged.lock().expect("no one panics");
            acknowledged.push(letter.message.clone());
        }
        Ok(answer)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.port.address())
    }

    /// Asks the program's API something.
    pub(crate) async fn ask(&self, path: &str) -> reqwest::Result<Response> {
        let request = self
            .client
            .get(self.url(path))
            .bearer_auth(self.token.expose());
        request.send().await
    }

    /// What of the promise is broken.
    pub(crate) async fn breaches(&self) -> Vec<String> {
        let store = Store::open(&self.database.url).await.expect("it opens");
        let acknowledged = self.acknowledged();
        let received = self.simulator.received();
        let also = acknowledged.iter().filter_map(|it| follows(&it.text));
        let evidence = Evidence {
            store: &store,
            location_id: self.location_id,
            acknowledged: &acknowledged,
            also: also.collect(),
            received: &received,
        };
        let mut found = breaches(&evidence).await;
        store.close().await;
        found.extend(self.leaks());
        found
    }

    /// What customers wrote, and secrets, stay out of logs.
    fn leaks(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.log()).expect("a log");
        let secrets = [
            " says ",
            APP_SECRET,
            TOKEN_OF_THE_NUMBER,
            self.token.expose(),
            "49150000",
        ];
        let leaks = secrets.into_iter().filter_map(|secret| {
            let line = log.lines().find(|line| line.contains(secret))?;
            Some(format!("the log tells '{secret}': {line}"))
        });
        leaks.collect()
    }

    pub(crate) fn acknowledged(&self) -> Vec<Acknowledged> {
        self.acknowledged.lock().expect("no one panics").clone()
    }

    /// How many messages the provider took.
    pub(crate) fn taken(&self) -> usize {
        self.simulator.received().len()
    }

    /// The file of an SQLite database.
    pub(crate) fn file(&self) -> &Path {
        Path::new(self.database.url.trim_start_matches("sqlite:"))
    }
}
