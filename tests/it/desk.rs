//! An operator's desk: a folder, the program's commands, its server as a process of its own, and the providers on
//! loopback.

use std::process::{Child, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rejoinder_adapters::simulator::Simulator;
use serde_json::Value;
use tempfile::TempDir;

use crate::commands::{command, folder, key};
use crate::port::Port;

/// How long something may take to happen by the real clock.
const PATIENCE: Duration = Duration::from_secs(30);
/// The server's app at Meta.
pub(crate) const APP_ID: &str = "670843887433847";
pub(crate) const APP_SECRET: &str = "server-app-secret-4f1c";
pub(crate) const VERIFY_TOKEN: &str = "server-verify-token-9b";

/// A folder, settings, and the providers.
pub(crate) struct Desk {
    folder: Arc<TempDir>,
    settings: Vec<(String, String)>,
    pub(crate) simulator: Simulator,
    pub(crate) public_url: String,
    /// The server's, also while it does not run.
    _port: Port,
    server: Option<Child>,
    /// All that commands printed, for whoever looks for what must not be in it.
    printed: Arc<Mutex<String>>,
}

impl Desk {
    /// A database, a location named Shop with a rule that answers everything, and a server at work.
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same with settings of its own, over the usual.
    pub(crate) async fn with(more: &[(&str, &str)]) -> Self {
        let simulator = Simulator::start().await.expect("a free port");
        let folder = folder();
        let port = Port::free();
        let listen = port.address().to_string();
        let public_url = format!("http://{listen}");
        let base = simulator.base_url();
        let mut settings: Vec<(String, String)> = [
            ("REJOINDER_KEYS", key(&folder).as_str()),
            ("REJOINDER_LISTEN", listen.as_str()),
            ("REJOINDER_PUBLIC_URL", public_url.as_str()),
            ("REJOINDER_META_APP_ID", APP_ID),
            ("REJOINDER_META_APP_SECRET", APP_SECRET),
            ("REJOINDER_META_VERIFY_TOKEN", VERIFY_TOKEN),
            ("REJOINDER_META_BASE_URL", base.as_str()),
            ("REJOINDER_TWILIO_API_URL", base.as_str()),
            ("REJOINDER_TWILIO_CONTENT_URL", base.as_str()),
            ("REJOINDER_TWILIO_MESSAGING_URL", base.as_str()),
            ("REJOINDER_LOG", "trace"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in more {
            settings.retain(|(known, _)| known != name);
            settings.push(((*name).to_owned(), (*value).to_owned()));
        }
        let mut desk = Self {
            folder: Arc::new(folder),
            settings,
            simulator,
            public_url,
            _port: port,
            server: None,
            printed: Arc::default(),
        };
        desk.done(&["migrate"]).await;
        desk.done(&[
            "location",
            "create",
            "--name",
            "Shop",
            "--time-zone",
            "Europe/Berlin",
        ])
        .await;
        desk.write(
            "answer.rhai",
            "fn on_message(chat, message) { chat.reply(`You said ${message.text}`); }",
        );
        desk.done(&[
            "rule",
            "create",
            "--name",
            "answer",
            "--publish",
            "answer.rhai",
        ])
        .await;
        desk.serve().await;
        desk
    }

    /// Puts a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("it is written");
    }

    /// A command, to its end.
    pub(crate) async fn run(&self, words: &[&str]) -> Output {
        let (folder, settings) = (Arc::clone(&self.folder), self.settings.clone());
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let output = tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut command = command(&folder, &words);
            command.envs(settings).output().expect("it runs")
        });
        let output = output.await.expect("it ends");
        let mut printed = self.printed.lock().expect("nobody panics");
        printed.push_str(&String::from_utf8_lossy(&output.stdout));
        printed.push_str(&String::from_utf8_lossy(&output.stderr));
        output
    }

    /// A command that may be killed on the way.
    pub(crate) fn begin(&self, words: &[&str]) -> Child {
        let mut command = command(&self.folder, words);
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet
            .envs(self.settings.clone())
            .spawn()
            .expect("it starts")
    }

    /// A command that succeeds; gives what it printed.
    pub(crate) async fn done(&self, words: &[&str]) -> String {
        let output = self.run(words).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{words:?}: {shown}{told}");
        shown
    }

    /// A command's JSON, whatever its outcome.
    pub(crate) async fn json(&self, words: &[&str]) -> Value {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let output = self.run(&words).await;
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Starts the server, and waits until it answers.
    pub(crate) async fn serve(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("server.log"))
            .expect("a log");
        let child = command(&self.folder, &["serve"])
            .envs(self.settings.clone())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        self.server = Some(child);
        let client = self.client();
        let health = format!("{}/readyz", self.public_url);
        let began = std::time::Instant::now();
        while !client
            .get(&health)
            .send()
            .await
            .is_ok_and(|it| it.status().is_success())
        {
            assert!(
                began.elapsed() < PATIENCE,
                "the server does not answer: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the server.
    pub(crate) fn halt(&mut self) {
        if let Some(mut server) = self.server.take() {
            // It may have ended by itself.
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// What the server logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// What commands printed.
    pub(crate) fn printed(&self) -> String {
        self.printed.lock().expect("nobody panics").clone()
    }

    /// Whoever calls the server.
    #[expect(clippy::disallowed_methods, reason = "the operator's own client")]
    pub(crate) fn client(&self) -> reqwest::Client {
        let client = reqwest::Client::builder().no_proxy().build();
        client.expect("a client")
    }

    /// An operator's call of the API; gives its answer, whatever the status.
    pub(crate) async fn api(
        &self,
        token: &str,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let url = format!("{}/api/v1{path}", self.public_url);
        let mut request = self.client().request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let text = request
            .send()
            .await
            .expect("an answer")
            .text()
            .await
            .expect("a text");
        self.printed.lock().expect("nobody panics").push_str(&text);
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// A token of the API that opens everything.
    pub(crate) async fn token(&self) -> String {
        let created = self.json(&["token", "create", "--name", "test"]).await;
        created["token"]
            .as_str()
            .unwrap_or_else(|| panic!("a token: {created}"))
            .to_owned()
    }

    /// Every byte in the folder, but for what the test itself put there.
    pub(crate) fn bytes(&self) -> Vec<(String, Vec<u8>)> {
        let entries = std::fs::read_dir(self.folder.path().join("data")).expect("a folder");
        let files = entries.map(|entry| entry.expect("an entry").path());
        files
            .map(|path| {
                let bytes = std::fs::read(&path).expect("it is read");
                (path.display().to_string(), bytes)
            })
            .collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.halt();
    }
}

/// The steps of an onboarding by name, with how each stands.
pub(crate) fn states(onboarding: &Value) -> Vec<(String, String)> {
    let steps = onboarding["steps"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    steps
        .map(|step| (text(&step["name"]), text(&step["state"])))
        .collect()
}

/// One step of an onboarding.
pub(crate) fn step<'a>(onboarding: &'a Value, name: &str) -> &'a Value {
    let steps = onboarding["steps"].as_array().expect("steps");
    let found = steps.iter().find(|step| step["name"] == name);
    found.unwrap_or_else(|| panic!("no step '{name}' in {onboarding}"))
}

/// The first step that failed or asks, if one does.
pub(crate) fn halted(onboarding: &Value) -> Option<&Value> {
    let mut steps = onboarding["steps"].as_array()?.iter();
    steps.find(|step| step["state"] == "failed" || step["state"] == "asking")
}
