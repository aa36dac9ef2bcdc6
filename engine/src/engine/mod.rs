//! What a host holds: it builds the engine on its database, starts it, hands it webhooks, and stops it.

mod builder;
mod upkeep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};

use crate::accept::{self, Accepted, Error as AcceptError};
use crate::adapter::{CredentialField, Webhook};
use crate::core::Core;
use crate::domain::ids::{ChannelId, ConversationId, LocationId};
use crate::domain::snapshot::Line;
use crate::domain::time::{Span, Timestamp};
use crate::store::{self, Connection as DatabaseConnection, Lock, Store};
use crate::work::HandOver;
use crate::{deliver, request, schedule, sweep, work};

use self::builder::Database;
pub use self::builder::{Builder, Error};

/// Events decided at once: most of their time they wait for the disk.
const WORKERS: usize = 128;
/// How often the lock is looked after, and how long the database may take to answer.
const GUARD: Duration = Duration::from_secs(5);
/// How long a stop waits for messages on their way.
const DRAIN: Duration = Duration::from_secs(25);

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) core: Arc<Core>,
    running: Arc<Mutex<Running>>,
    /// Looks after the lock for as long as the host wants the engine to work.
    guard: Arc<std::sync::Mutex<Option<JoinHandle<()>>>>,
    resumed: Arc<AtomicBool>,
    reloaded_at: Arc<AtomicI64>,
}

/// What works, while the database is ours.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    lock: Option<Lock>,
}

impl Engine {
    pub(crate) fn of(core: Arc<Core>) -> Self {
        Self {
            core,
            running: Arc::default(),
            guard: Arc::default(),
            resumed: Arc::default(),
            reloaded_at: Arc::default(),
        }
    }

    /// Begins an engine on the host's own connection. Its tables must be there (`Migrator::up`).
    pub fn builder(connection: DatabaseConnection) -> Builder {
        Builder::new(Database::Connection(connection))
    }

    /// Begins an engine on a store that was opened with `Store::open`.
    pub fn on(store: Store) -> Builder {
        Builder::new(Database::Store(store))
    }

    /// Takes up what was left, and works until `stop`. What works already goes on.
    ///
    /// # Errors
    /// Another process works on this database, or it cannot be read: then it may be tried again.
    pub async fn start(&self) -> Result<(), Error> {
        let mut running = self.running.lock().await;
        if running.lock.is_some() {
            return Ok(());
        }
        self.begin(&mut running).await?;
        let guard = tokio::spawn(self.clone().keep_lock());
        *self.guard.lock().expect("no one panics while holding it") = Some(guard);
        Ok(())
    }

    /// Whether this engine has the database for itself: it was started, and not stopped since.
    pub(crate) async fn is_started(&self) -> bool {
        self.running.lock().await.lock.is_some()
    }

    /// Takes the database for this process, and lets everything work.
    async fn begin(&self, running: &mut Running) -> Result<(), Error> {
        let lock = self.core.store.lock().await?;
        if let Err(error) = self.resume().await {
            lock.release().await;
            return Err(error);
        }
        running.lock = Some(lock);
        self.core.halt.lift();
        for _ in 0..WORKERS {
            let core = Arc::clone(&self.core);
            running.tasks.spawn(async move { work::run(&core).await });
        }
        let core = Arc::clone(&self.core);
        running
            .tasks
            .spawn(async move { deliver::run(&core).await });
        let core = Arc::clone(&self.core);
        running
            .tasks
            .spawn(async move { request::run(&core).await });
        let core = Arc::clone(&self.core);
        running
            .tasks
            .spawn(async move { schedule::run(&core).await });
        let core = Arc::clone(&self.core);
        running.tasks.spawn(async move { sweep::run(&core).await });
        let core = Arc::clone(&self.core);
        running
            .tasks
            .spawn(async move { upkeep::refresh(&core).await });
        let core = Arc::clone(&self.core);
        running
            .tasks
            .spawn(async move { upkeep::keep_pace(&core).await });
        let core = Arc::clone(&self.core);
        running
            .tasks
            .spawn(async move { upkeep::clear_away(&core).await });
        let core = Arc::clone(&self.core);
        running
            .tasks
            .spawn(async move { upkeep::reload(&core).await });
        Ok(())
    }

    /// Looks whether the database is still ours, for as long as it is to be. If it is lost, nothing is worked
    /// on any more, since another process may; and as soon as it is free again, it is taken again.
    async fn keep_lock(self) {
        loop {
            tokio::time::sleep(GUARD).await;
            let mut running = self.running.lock().await;
            let Some(lock) = &mut running.lock else {
                return;
            };
            let problem = match tokio::time::timeout(GUARD, lock.ping()).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it does not answer".to_owned(),
            };
            tracing::error!(
                problem,
                "the lock on the database is lost; nothing is worked on until it is ours again"
            );
            self.wind_down(&mut running).await;
            while let Err(error) = self.begin(&mut running).await {
                tracing::error!(%error, "the database cannot be worked on yet");
                tokio::time::sleep(GUARD).await;
            }
            tracing::info!("the database is ours again");
        }
    }

    /// Whether what comes in is worked on: not after `stop`, nor while the database is not ours.
    pub fn is_working(&self) -> bool {
        !self.core.halt.is_asked()
    }

    /// Takes on nothing new, and waits for what is in hand: nothing is left in doubt.
    pub async fn stop(&self) {
        let guard = self
            .guard
            .lock()
            .expect("no one panics while holding it")
            .take();
        if let Some(guard) = guard {
            guard.abort();
            // It was told to end, and has no other way to.
            let _ = guard.await;
        }
        let mut running = self.running.lock().await;
        self.wind_down(&mut running).await;
    }

    async fn wind_down(&self, running: &mut Running) {
        let core = &self.core;
        core.halt.ask();
        let drained = tokio::time::timeout(DRAIN, async {
            while running.tasks.join_next().await.is_some() {}
            core.halt.all_landed().await;
        });
        if drained.await.is_ok() {
            core.outbox.clear();
        } else {
            tracing::warn!(
                "messages on their way did not finish in time; they are in doubt until evidence comes"
            );
            core.halt.end();
            running.tasks.shutdown().await;
        }
        // Nobody decides any more, and what was not decided is in the database.
        core.inbox.clear();
        core.rota.clear();
        self.resumed.store(false, Ordering::SeqCst);
        if let Some(lock) = running.lock.take() {
            // A connection that is dead in silence may not even say so.
            let _ = tokio::time::timeout(GUARD, lock.release()).await;
        }
    }

    /// Does everything that can be done at this moment, and nothing that must wait: for tests and
    /// simulations, on one task, always in the same order. Gives how many steps it took.
    ///
    /// # Errors
    /// The database failed.
    pub async fn run_once(&self) -> Result<usize, Error> {
        self.resume().await?;
        self.reload().await?;
        while self.core.store.clear_away(self.core.clock.now()).await? > 0 {}
        upkeep::look_for_changes(&self.core).await?;
        let mut steps = 0;
        loop {
            let before = steps;
            let now = self.core.clock.now();
            self.core.inbox.advance(now);
            self.core.outbox.advance(now);
            steps += Box::pin(sweep::step(&self.core)).await?;
            steps += schedule::step(&self.core).await?;
            while work::step(&self.core, HandOver::Queued).await {
                steps += 1;
            }
            while deliver::step(&self.core).await {
                steps += 1;
            }
            steps += request::step(&self.core).await?;
            if steps == before {
                return Ok(steps);
            }
        }
    }

    /// The next moment at which something that waits falls due: a follow-up, a schedule, a message that
    /// is tried again or waits for its pace or for evidence, a request, chats
    /// that a rule visits at a pace, a look into a provider's list for what no webhook told. `None` if nothing waits for time to pass.
    /// What can go on at once is due now, and what is late was due before now.
    ///
    /// With it a simulation moves its clock from moment to moment instead of guessing:
    /// after `run_once` it advances by `next_due` less `now`, and steps again.
    ///
    /// # Errors
    /// The database failed.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        self.resume().await?;
        Ok(schedule::next_due(&self.core).await?)
    }

    /// Loads what was left when the last process ended, once; and now and then what was lost since.
    async fn resume(&self) -> Result<(), Error> {
        let now = self.core.clock.now();
        if !self.resumed.load(Ordering::SeqCst) {
            upkeep::load_all(&self.core).await?;
            self.resumed.store(true, Ordering::SeqCst);
            self.reloaded_at.store(now.ms(), Ordering::SeqCst);
        }
        Ok(())
    }

    /// For those who step by hand, what `upkeep::reload` does for those who do not.
    async fn reload(&self) -> Result<(), Error> {
        let now = self.core.clock.now();
        let last = Timestamp::from_ms(self.reloaded_at.load(Ordering::SeqCst));
        if self.core.store.is_shaken() {
            upkeep::recover(&self.core).await?;
        }
        if now.since(last) >= upkeep::LOST {
            upkeep::load_lost(&self.core, upkeep::LOST).await?;
            upkeep::write_pace(&self.core, Span::default()).await?;
            self.reloaded_at.store(now.ms(), Ordering::SeqCst);
        }
        Ok(())
    }

    /// Verifies, parses and stores a webhook. Once this returns, it is on disk.
    ///
    /// # Errors
    /// It was refused, or could not be stored.
    pub async fn accept(&self, provider: &str, webhook: &Webhook) -> Result<Accepted, AcceptError> {
        accept::accept(&self.core, provider, webhook).await
    }

    /// Tells the engine that a host turned a webhook away before it could be accepted: a provider that will
    /// not send it again is asked for it soon.
    pub fn turned_away(&self, provider: &str) {
        accept::missed(&self.core, provider);
    }

    /// What must follow the address of webhooks where a provider is told it.
    pub fn webhook_suffix(&self, provider: &str) -> &'static str {
        let adapter = self.core.adapters.get(provider);
        adapter.map_or("", |adapter| adapter.webhook_suffix())
    }

    /// The address to be entered at a provider: the one that all its channels share, or a channel's own.
    /// `None` if there is no public address, or no such provider.
    pub fn webhook_url(&self, provider: &str, channel_id: Option<ChannelId>) -> Option<String> {
        self.core.webhook_url(provider, channel_id)
    }

    /// The kind of the adapter that the address of webhooks calls `name`, or that is itself called so.
    pub fn webhook_kind(&self, name: &str) -> Option<&'static str> {
        let mut adapters = self.core.adapters.values();
        adapters
            .find(|adapter| adapter.webhook_name() == name || adapter.kind() == name)
            .map(|adapter| adapter.kind())
    }

    /// The answer to the handshake by which a provider tests a webhook's address.
    ///
    /// # Errors
    /// It does not carry the right word.
    pub async fn handshake(
        &self,
        provider: &str,
        webhook: &Webhook,
    ) -> Result<String, AcceptError> {
        accept::handshake(&self.core, provider, webhook).await
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.core.store
    }

    /// The present, as the engine sees it.
    pub fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    /// Our public address without a slash at its end, or "".
    pub fn public_url(&self) -> &str {
        &self.core.public_url
    }

    /// The providers, and what the credentials of their channels consist of.
    pub fn providers(
        &self,
    ) -> impl Iterator<Item = (&'static str, &'static [CredentialField])> + '_ {
        self.core
            .adapters
            .iter()
            .map(|(kind, adapter)| (*kind, adapter.credential_fields()))
    }

    /// Events and deliveries that wait in memory.
    pub fn backlog(&self) -> (usize, usize) {
        (self.core.inbox.len(), self.core.outbox.len())
    }

    /// The latest lines of a conversation, ours and theirs, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn history(
        &self,
        location_id: LocationId,
        conversation_id: ConversationId,
        limit: u64,
    ) -> Result<Vec<Line>, store::Error> {
        work::history(&self.core, location_id, conversation_id, limit).await
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("node", &self.core.node)
            .finish_non_exhaustive()
    }
}
