//! A headless Chromium, driven by chromedriver as the WebDriver standard says: windows, clicks, keys, pictures.
//! Knows no page.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long something may take to be seen by the real clock.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked for.
const REST: Duration = Duration::from_millis(30);
/// How often chromedriver may be started until it does.
const STARTS: usize = 5;
/// By which name the standard hands elements over.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser of a test's own. Ends when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    client: reqwest::Client,
    _profile: TempDir,
}

impl Browser {
    /// Starts one, with one window.
    pub(crate) async fn start() -> Self {
        let chromium = installed("chromium");
        let profile = tempfile::tempdir().expect("a folder");
        let (driver, port) = driver();
        #[expect(clippy::disallowed_methods, reason = "it speaks to the driver alone")]
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            client,
            _profile: profile,
        };
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            // A page that still waits for a script can be used.
            "pageLoadStrategy": "eager",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": chromium,
                // Windows that no click opened are blocked, as at home.
                "excludeSwitches": ["disable-popup-blocking"],
                "args": [
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
                    "--no-first-run", "--disable-background-networking", "--disable-component-update",
                    "--disable-sync", "--no-proxy-server", "--window-size=900,760",
                    format!("--user-data-dir={}", browser._profile.path().display()),
                ],
            },
        }}});
        let started = browser
            .call(Method::POST, "/session", Some(capabilities))
            .await;
        started["sessionId"]
            .as_str()
            .expect("a session")
            .clone_into(&mut browser.session);
        browser
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let answer = self.try_call(method, path, body).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("the driver answers");
        let is_done = response.status().is_success();
        let mut answer: Value = response.json().await.expect("JSON");
        let value = answer["value"].take();
        if is_done {
            Ok(value)
        } else {
            Err(value["message"].to_string())
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.call(method, &path, body).await
    }

    /// Shows an address in the present window.
    pub(crate) async fn go(&self, url: &str) {
        self.ask(Method::POST, "/url", Some(json!({ "url": url })))
            .await;
    }

    /// What a function's body comes to in the present window.
    pub(crate) async fn script(&self, body: &str) -> Value {
        self.script_with(body, json!([])).await
    }

    /// The same with values, as `arguments`.
    pub(crate) async fn script_with(&self, body: &str, values: Value) -> Value {
        let body = json!({ "script": body, "args": values });
        self.ask(Method::POST, "/execute/sync", Some(body)).await
    }

    /// The same, as soon as it is something.
    pub(crate) async fn eventually(&self, body: &str) -> Value {
        let found = async {
            loop {
                let found = self.script(body).await;
                if found != Value::Null && found != false && found != "" {
                    return found;
                }
                tokio::time::sleep(REST).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        match found {
            Ok(found) => found,
            Err(_) => panic!("{body} does not come true: {}", self.text().await),
        }
    }

    /// Runs a script at the beginning of each page that the present window will show.
    pub(crate) async fn on_each_page(&self, script: &str) {
        let command = json!({ "cmd": "Page.addScriptToEvaluateOnNewDocument", "params": { "source": script } });
        self.ask(Method::POST, "/goog/cdp/execute", Some(command))
            .await;
    }

    /// What can be read in the present window.
    pub(crate) async fn text(&self) -> String {
        let text = self.script("return document.body.innerText").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks as a person does, on what this selects.
    pub(crate) async fn click(&self, css: &str) {
        let found = json!({ "using": "css selector", "value": css });
        let element = self.ask(Method::POST, "/element", Some(found)).await;
        let id = element[ELEMENT].as_str().expect("an element");
        self.ask(
            Method::POST,
            &format!("/element/{id}/click"),
            Some(json!({})),
        )
        .await;
    }

    /// Clicks what is called so.
    pub(crate) async fn press(&self, label: &str) {
        let mark = "const found = [...document.querySelectorAll('button, a, summary')]
            .find((it) => it.textContent === arguments[0] && it.checkVisibility());
            if (!found) return false;
            found.setAttribute('data-wanted', ''); return true;";
        let is_there = self.script_with(mark, json!([label])).await;
        assert_eq!(is_there, true, "no '{label}' in: {}", self.text().await);
        self.click("[data-wanted]").await;
    }

    /// Presses keys, one after the other; names are those of the standard's code points.
    pub(crate) async fn keys(&self, keys: &[&str]) {
        let strokes = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        let keyboard =
            json!({ "type": "key", "id": "keyboard", "actions": strokes.collect::<Vec<_>>() });
        self.ask(
            Method::POST,
            "/actions",
            Some(json!({ "actions": [keyboard] })),
        )
        .await;
    }

    /// All windows.
    pub(crate) async fn windows(&self) -> Vec<String> {
        let windows = self.ask(Method::GET, "/window/handles", None).await;
        serde_json::from_value(windows).expect("a list")
    }

    /// Goes to a window.
    pub(crate) async fn switch(&self, window: &str) {
        self.ask(Method::POST, "/window", Some(json!({ "handle": window })))
            .await;
    }

    /// Closes the present window, and goes to another.
    pub(crate) async fn close_window(&self, then: &str) {
        self.ask(Method::DELETE, "/window", None).await;
        self.switch(then).await;
    }

    /// Waits for a window that is not among these, and goes there.
    pub(crate) async fn switch_to_new(&self, known: &[String]) -> String {
        let new = async {
            loop {
                let windows = self.windows().await;
                if let Some(new) = windows.into_iter().find(|it| !known.contains(it)) {
                    return new;
                }
                tokio::time::sleep(REST).await;
            }
        };
        let new = tokio::time::timeout(PATIENCE, new)
            .await
            .expect("a window opens");
        self.switch(&new).await;
        new
    }

    /// Waits until so many windows are left.
    pub(crate) async fn only(&self, count: usize) {
        let fewer = async {
            while self.windows().await.len() > count {
                tokio::time::sleep(REST).await;
            }
        };
        tokio::time::timeout(PATIENCE, fewer)
            .await
            .expect("windows close");
    }

    /// What the consoles of all windows told since this was last asked: errors, warnings, violations.
    pub(crate) async fn log(&self) -> Vec<String> {
        let entries = self
            .ask(Method::POST, "/se/log", Some(json!({ "type": "browser" })))
            .await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let messages = entries.iter().filter(|entry| entry["level"] != "INFO");
        messages.map(|entry| entry["message"].to_string()).collect()
    }

    /// Has the device be light or dark, for pages that ask.
    pub(crate) async fn shade(&self, shade: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": shade },
            // A picture of what moves would show it half-way.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        let command =
            json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        self.ask(Method::POST, "/goog/cdp/execute", Some(command))
            .await;
    }

    /// Keeps a picture of the present window, if anybody wants it.
    pub(crate) async fn shot(&self, name: &str) {
        #[expect(clippy::disallowed_methods, reason = "the test's own setting")]
        let Ok(folder) = std::env::var("REJOINDER_TEST_SHOTS") else {
            return;
        };
        std::fs::create_dir_all(&folder).expect("a folder");
        for shade in ["light", "dark"] {
            self.shade(shade).await;
            let sized = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": {
                "width": 420, "height": 720, "deviceScaleFactor": 2, "mobile": false } });
            self.ask(Method::POST, "/goog/cdp/execute", Some(sized))
                .await;
            let shot = json!({ "cmd": "Page.captureScreenshot", "params": { "captureBeyondViewport": true } });
            let shot = self
                .ask(Method::POST, "/goog/cdp/execute", Some(shot))
                .await;
            let picture = decoded(shot["data"].as_str().expect("a picture"));
            let path = Path::new(&folder).join(format!("{name}.{shade}.png"));
            std::fs::write(path, picture).expect("it is written");
        }
        let command = json!({ "cmd": "Emulation.clearDeviceMetricsOverride", "params": {} });
        self.ask(Method::POST, "/goog/cdp/execute", Some(command))
            .await;
    }
}

impl Drop for Browser {
    /// The browser goes by its own session's end, the driver by its id; a test that panics leaves neither.
    fn drop(&mut self) {
        if !self.session.is_empty()
            && let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port))
        {
            let request = format!(
                "DELETE /session/{} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
                self.session
            );
            // If it does not answer, it is ended below.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read(&mut [0; 256]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Where a program is; without it no test of the page can pass.
fn installed(name: &str) -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "where programs are is no setting of ours"
    )]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "there is no {name}: run the tests by `tests/run`, or install Debian's packages chromium and \
             chromium-driver"
        )
    })
}

/// The driver, and the port that it chose. Now and then somebody else has that port by the other protocol, and
/// the driver ends.
fn driver() -> (Child, u16) {
    let mut said = String::new();
    for _ in 0..STARTS {
        let mut driver = Command::new(installed("chromedriver"))
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver can be run");
        let output = BufReader::new(driver.stdout.take().expect("it is piped"));
        for line in output.lines() {
            let line = line.expect("text");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                let port = port.trim_end_matches('.').parse().expect("a port");
                return (driver, port);
            }
            said = format!("{said}{line}\n");
        }
        driver.wait().expect("it has ended");
    }
    panic!("chromedriver does not start: {said}")
}

fn decoded(base64: &str) -> Vec<u8> {
    let letters = base64.bytes().filter_map(|letter| {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        Some(u32::from(value))
    });
    let letters: Vec<u32> = letters.collect();
    let mut bytes = Vec::with_capacity(letters.len() * 3 / 4);
    for four in letters.chunks(4) {
        let bits = four.iter().fold(0, |bits, value| bits << 6 | value) << (6 * (4 - four.len()));
        bytes.extend(
            bits.to_be_bytes()
                .into_iter()
                .skip(1)
                .take(four.len() * 6 / 8),
        );
    }
    bytes
}
