//! The state that faces, customers and statuses share: settings, time, ids, windows, numbers.
//! Knows no protocol and answers no request.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use rejoinder_engine::adapter::SendError;
use rejoinder_engine::clock::Clock;
use rejoinder_engine::domain::time::{Span, Timestamp};
use rejoinder_engine::domain::window;
use tokio::sync::watch;

use super::access::Access;
use super::faults::Faults;
use super::log::Log;
use super::{Face, meta, twilio};
use crate::http::{Answer, Http};

/// The wait before a webhook is sent again; doubles each time.
const REDELIVERY_WAIT: Span = Span::from_ms(200);
/// Parts of the windows' table, so that many requests at once do not queue for one lock.
const WINDOW_PARTS: usize = 16;

/// How the providers behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How far the statuses of a message go.
    pub statuses: Statuses,
    /// How long after the request the first status is sent, and each further one after its predecessor
    /// (by the real clock).
    pub status_delay: Span,
    /// What happens to free-form messages outside the service window.
    pub window: WindowRule,
    /// How many times a webhook is sent again that was not answered with success: Meta's habit, and
    /// Twilio's when asked for.
    pub redeliveries: u32,
    /// Whether messages are kept: off, only counters remain, and Twilio's list stays empty.
    pub log: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            statuses: Statuses::None,
            status_delay: Span::ZERO,
            window: WindowRule::FailLater,
            redeliveries: 0,
            log: true,
        }
    }
}

/// How far the statuses of a message go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statuses {
    /// None is sent, except of failures.
    None,
    /// Sent.
    Sent,
    /// Sent, delivered.
    Delivered,
    /// Sent, delivered, read.
    Read,
}

/// What happens to free-form messages outside the service window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowRule {
    /// They are delivered like any other.
    Ignore,
    /// The request is refused at once where the provider knows such an answer (Meta: 400, 131047);
    /// Twilio takes the message all the same, and it fails later.
    Refuse,
    /// The message is taken, and a status says later that it failed (131047, 63016).
    FailLater,
}

/// A webhook that was sent.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The HTTP status that answered it.
    pub status: u16,
    /// The body that answered it.
    pub answer: Bytes,
    /// The id that the provider gave to what the webhook tells of; empty for a raw body.
    pub id: String,
    /// The body that was sent, to send it again.
    pub body: Bytes,
    /// The address it was meant for, as signed.
    pub url: String,
}

/// The shared state.
pub(super) struct World {
    clock: Arc<dyn Clock>,
    shift_ms: AtomicI64,
    started: Timestamp,
    last_id: AtomicU64,
    settings: RwLock<Settings>,
    windows: [Mutex<HashMap<String, Timestamp>>; WINDOW_PARTS],
    http: Http,
    pending: watch::Sender<usize>,
    stopped: watch::Sender<bool>,
    pub(super) base_url: String,
    pub(super) faults: Faults,
    pub(super) log: Log,
    pub(super) meta_access: Access,
    pub(super) meta_numbers: RwLock<HashMap<String, Arc<meta::Registration>>>,
    pub(super) meta_graph: meta::Graph,
    pub(super) meta_templates: meta::Templates,
    pub(super) twilio_access: Access,
    pub(super) twilio_numbers: RwLock<HashMap<String, Arc<twilio::Registration>>>,
    pub(super) twilio_store: twilio::Store,
}

impl World {
    pub(super) fn new(clock: Arc<dyn Clock>, base_url: String) -> Self {
        let started = clock.now();
        Self {
            clock,
            shift_ms: AtomicI64::new(0),
            started,
            last_id: AtomicU64::new(0),
            settings: RwLock::default(),
            windows: Default::default(),
            http: Http::new(),
            pending: watch::Sender::new(0),
            stopped: watch::Sender::new(false),
            base_url,
            faults: Faults::default(),
            log: Log::new(),
            meta_access: Access::default(),
            meta_numbers: RwLock::default(),
            meta_graph: meta::Graph::default(),
            meta_templates: meta::Templates::default(),
            twilio_access: Access::default(),
            twilio_numbers: RwLock::default(),
            twilio_store: twilio::Store::default(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now() + Span::from_ms(self.shift_ms.load(Ordering::Relaxed))
    }

    pub(super) fn advance(&self, span: Span) {
        self.shift_ms.fetch_add(span.ms(), Ordering::Relaxed);
    }

    pub(super) fn settings(&self) -> Settings {
        *read(&self.settings)
    }

    pub(super) fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut write(&self.settings));
    }

    /// The next id as 32 hexadecimal digits: the start of this simulator, so that another one on the
    /// same database does not repeat it, and a counter.
    pub(super) fn next_id(&self) -> String {
        let count = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{:016x}{count:016x}", self.started.ms())
    }

    /// Notes that `customer` wrote to `number` at a moment; an earlier one never shortens the window.
    pub(super) fn open_window(&self, face: Face, number: &str, customer: &str, at: Timestamp) {
        let key = window_key(face, number, customer);
        let mut windows = lock(self.window_part(&key));
        let last = windows.entry(key).or_insert(at);
        *last = at.max(*last);
    }

    pub(super) fn is_window_open(&self, face: Face, number: &str, customer: &str) -> bool {
        let key = window_key(face, number, customer);
        let last = lock(self.window_part(&key)).get(&key).copied();
        last.is_some_and(|last| self.now() < last + window::LENGTH)
    }

    fn window_part(&self, key: &str) -> &Mutex<HashMap<String, Timestamp>> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let part = hasher.finish() % (WINDOW_PARTS as u64);
        &self.windows[usize::try_from(part).expect("it is below the number of parts")]
    }

    /// Sends a webhook, and again after a failure as often as the settings say.
    /// Calls an address, as providers do to see whether it is answered.
    pub(super) async fn call(
        &self,
        url: &str,
        query: &[(&str, &str)],
    ) -> Result<Answer, SendError> {
        let request = self.http.request(http::Method::GET, url).query(query);
        self.http.send(request).await
    }

    pub(super) async fn push(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        id: String,
    ) -> Result<Pushed, SendError> {
        let mut wait = REDELIVERY_WAIT;
        let mut left = self.settings().redeliveries;
        loop {
            let mut request = self
                .http
                .request(http::Method::POST, url)
                .body(body.clone());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let result = self.http.send(request).await;
            self.log.webhooks.add();
            let success = matches!(&result, Ok(answer) if (200..300).contains(&answer.status));
            if !success {
                self.log.webhooks_failed.add();
            }
            if success || left == 0 {
                return result.map(|answer| Pushed {
                    status: answer.status,
                    answer: answer.body,
                    id,
                    body,
                    url: url.to_owned(),
                });
            }
            left -= 1;
            tokio::time::sleep(wait.to_std()).await;
            wait = Span::from_ms(wait.ms() * 2);
        }
    }

    /// Runs `work` beside the requests; `settled` waits for it, `stop` ends it.
    pub(super) fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let world = Arc::clone(self);
        world.pending.send_modify(|pending| *pending += 1);
        tokio::spawn(async move {
            tokio::select! {
                () = world.stopping() => {}
                () = work => {}
            }
            world.pending.send_modify(|pending| *pending -= 1);
        });
    }

    pub(super) async fn settled(&self) {
        // The sender lives in `self`, so that waiting cannot fail.
        let _ = self.pending.subscribe().wait_for(|left| *left == 0).await;
    }

    pub(super) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Resolves when the simulator stops.
    pub(super) async fn stopping(&self) {
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("base_url", &self.base_url)
            .field("settings", &self.settings())
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

fn window_key(face: Face, number: &str, customer: &str) -> String {
    format!("{face:?}/{}/{}", plain(number), plain(customer))
}

/// An address without what providers put before it: `whatsapp:+4930901820` is `4930901820`.
pub(super) fn plain(address: &str) -> &str {
    let address = address.strip_prefix("whatsapp:").unwrap_or(address);
    address.strip_prefix('+').unwrap_or(address)
}

/// A value of a form or query by its name.
pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

/// Locks, also after a panic elsewhere: the simulator's values are whole at every step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads, also after a panic elsewhere.
pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Writes, also after a panic elsewhere.
pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// The values of a form.
pub(super) fn decode(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}
