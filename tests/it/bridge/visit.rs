//! A person at a website of a location, in a browser: opens the bridge page, and sees how it goes.

use rejoinder_server::bridge::BridgeOptions;
use serde_json::{Value, json};

use super::browser::Browser;
use super::stand::{APP_SECRET, NAME, Stand, TOKEN};
use super::tenant::Tenant;
use crate::database::Database;

/// A stand, a website and a browser that shows it.
pub(crate) struct Visit {
    pub(crate) stand: Stand,
    pub(crate) browser: Browser,
    tenant: Tenant,
    /// The window with the website.
    pub(crate) website: String,
    /// The ticket with which the page was opened last.
    pub(crate) word: String,
}

impl Visit {
    pub(crate) async fn begin() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut BridgeOptions)) -> Self {
        let stand = Stand::with(Database::sqlite().await, change).await;
        let tenant = Tenant::start().await;
        let browser = Browser::start().await;
        stand
            .change_location(json!({ "settings": { "origins": [tenant.origin] } }))
            .await;
        browser.go(&tenant.origin).await;
        let website = browser.windows().await.remove(0);
        Self {
            stand,
            browser,
            tenant,
            website,
            word: String::new(),
        }
    }

    /// The person clicks at the website; the bridge page is the present window then.
    pub(crate) async fn open(&mut self) {
        self.open_for(json!({})).await;
    }

    /// The same with a ticket that says more.
    pub(crate) async fn open_for(&mut self, more: Value) {
        let mut body = json!({ "origin": self.tenant.origin, "name": NAME });
        let members = body.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        self.word = self.stand.ticket_for(body).await;
        let address = self.stand.url(&format!("/bridge/start?t={}", self.word));
        self.open_at(&address).await;
    }

    /// The same with an address of another kind.
    pub(crate) async fn open_at(&mut self, address: &str) {
        for window in self.browser.windows().await {
            if window != self.website {
                self.browser.switch(&window).await;
                self.browser.close_window(&self.website).await;
            }
        }
        let known = self.browser.windows().await;
        self.browser.switch(&self.website).await;
        let set = "window.address = arguments[0]; window.told.length = 0";
        self.browser.script_with(set, json!([address])).await;
        self.browser.press("Connect WhatsApp").await;
        self.browser.switch_to_new(&known).await;
        self.hold().await;
    }

    /// The window stays open at the end, however long a look at it takes.
    async fn hold(&self) {
        const HOLD: &str = "window.shut = window.close; window.close = () => {};";
        self.browser
            .eventually("return Boolean(document.body?.dataset.state)")
            .await;
        self.browser.script(HOLD).await;
        self.browser.on_each_page(HOLD).await;
    }

    /// Waits until the page shows a state, and keeps a picture of it.
    pub(crate) async fn sees(&self, state: &str) -> String {
        let reached = format!("return document.body?.dataset.state === '{state}'");
        self.browser.eventually(&reached).await;
        self.violations().await;
        self.browser.text().await
    }

    /// The same with a picture.
    pub(crate) async fn sees_as(&self, state: &str, name: &str) -> String {
        let text = self.sees(state).await;
        self.browser.shot(name).await;
        text
    }

    /// Nothing was kept from loading: neither by what the page has seen, nor by what the browser told.
    pub(crate) async fn violations(&self) {
        let reported = "const observer = new ReportingObserver(() => {}, { types: ['csp-violation'], buffered: true }); \
             observer.observe(); return observer.takeRecords().map((it) => JSON.stringify(it.body))";
        let reported = self.browser.script(reported).await;
        assert_eq!(reported, json!([]), "the policy was violated");
        let told = self.browser.log().await;
        let told: Vec<&String> = told
            .iter()
            .filter(|it| it.contains("Content Security Policy"))
            .collect();
        assert!(told.is_empty(), "{told:?}");
    }

    /// What the website was told, in order, and by whom. Nothing of it is a code or a token.
    pub(crate) async fn told(&self) -> Vec<Value> {
        self.browser.switch(&self.website).await;
        let told = self.browser.script("return window.told").await;
        let text = told.to_string();
        for hidden in ["AQ", TOKEN, "EAA", APP_SECRET, "forged", "access_token"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
        let told = told.as_array().cloned().unwrap_or_default();
        let told = told.into_iter().map(|message| {
            assert_eq!(message["origin"], self.stand.public_url);
            assert_eq!(message["data"]["ticket"], self.word);
            let data = message["data"].as_object().expect("an object");
            let names: Vec<&String> = data.keys().collect();
            assert_eq!(names, ["error", "ok", "step", "ticket"]);
            json!([data["ok"], data["error"], data["step"]])
        });
        told.collect()
    }

    /// The page says that all is well, tells the website so, and closes; the number is there.
    pub(crate) async fn succeeds(&self) {
        let text = self.sees("done").await;
        assert!(text.contains("The number is connected"), "{text}");
        self.holds_nothing().await;
        self.browser.close_window(&self.website).await;
        let told = self.told_once(&json!([true, null, null])).await;
        assert!(told, "{:?}", self.told().await);
        self.browser.only(1).await;
        let channels = self.stand.channels().await;
        assert_eq!(channels.len(), 1);
        assert_eq!(channels[0].name, NAME);
    }

    /// Neither the page nor its address nor what it keeps holds what Facebook gave.
    pub(crate) async fn holds_nothing(&self) {
        let all = "return [location.href, document.documentElement.outerHTML, JSON.stringify(sessionStorage), \
             JSON.stringify(localStorage), document.cookie, JSON.stringify(history.state), \
             ...Object.values(window).filter((it) => typeof it === 'string')].join('\\n')";
        let all = self.browser.script(all).await;
        let all = all.as_str().expect("text");
        for hidden in ["code=", "AQ1", TOKEN, "EAA", APP_SECRET] {
            assert!(!all.contains(hidden), "{hidden} in {all}");
        }
    }

    /// Whether the website was told this, perhaps in a moment.
    pub(crate) async fn told_once(&self, wanted: &Value) -> bool {
        for _ in 0..100 {
            let told = self.told().await;
            if told.contains(wanted) {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        false
    }

    pub(crate) async fn end(self) {
        drop(self.browser);
        self.stand.close().await;
    }
}
