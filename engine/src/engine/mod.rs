//! What a host holds: it builds the engine on its database, starts it, hands it webhooks, and stops it.

mod builder;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::accept::{self, Accepted, Error as AcceptError};
use crate::adapter::{CredentialField, Webhook};
use crate::core::{Core, SEND_PERMITS};
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::{ConversationId, LocationId};
use crate::domain::snapshot::Line;
use crate::domain::time::{Span, Timestamp};
use crate::store::{self, Connection as DatabaseConnection, Lock, Orphaned, Store};
use crate::work::HandOver;
use crate::{deliver, schedule, work};

use self::builder::Database;
pub use self::builder::{Builder, Error};

/// Events decided at once: most of their time they wait for the disk.
const WORKERS: usize = 128;
/// How often other processes' changes of the set-up are looked for.
const REFRESH: Duration = Duration::from_secs(1);
/// How long a stop waits for messages on their way.
const DRAIN: Duration = Duration::from_secs(25);
/// How long we wait for evidence of a message that was being sent when the last process ended.
const DOUBT: Span = Span::seconds(120);

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) core: Arc<Core>,
    running: Arc<Mutex<Running>>,
    resumed: Arc<AtomicBool>,
}

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
            resumed: Arc::default(),
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

    /// Takes up what was left, and works until `stop`.
    ///
    /// # Errors
    /// Another process works on this database, or it cannot be read.
    pub async fn start(&self) -> Result<(), Error> {
        let mut running = self.running.lock().await;
        running.lock = Some(self.core.store.lock().await?);
        self.resume().await?;
        for _ in 0..WORKERS {
            let core = Arc::clone(&self.core);
            running.tasks.spawn(async move {
                loop {
                    while work::step(&core, HandOver::AtOnce).await {}
                    core.inbox.changed().await;
                }
            });
        }
        let core = Arc::clone(&self.core);
        running
            .tasks
            .spawn(async move { deliver::run(&core).await });
        let core = Arc::clone(&self.core);
        running
            .tasks
            .spawn(async move { schedule::run(&core).await });
        let core = Arc::clone(&self.core);
        running.tasks.spawn(async move {
            loop {
                tokio::time::sleep(REFRESH).await;
                if let Err(error) = core.setup.refresh().await {
                    tracing::warn!(%error, "changes of the set-up could not be looked for");
                }
            }
        });
        Ok(())
    }

    /// Takes on nothing new, and waits for the messages on their way: nothing is left in doubt.
    pub async fn stop(&self) {
        let mut running = self.running.lock().await;
        running.tasks.shutdown().await;
        // With all permits in hand no message is on its way.
        let all = u32::try_from(SEND_PERMITS).expect("a small number");
        if tokio::time::timeout(DRAIN, self.core.permits.acquire_many(all))
            .await
            .is_err()
        {
            tracing::warn!(
                "messages on their way did not finish in time; they are in doubt until evidence comes"
            );
        }
        if let Some(lock) = running.lock.take() {
            lock.release().await;
        }
    }

    /// Does everything that can be done at this moment, and nothing that must wait: for tests and
    /// simulations, on one task, always in the same order. Gives how many steps it took.
    ///
    /// # Errors
    /// The database failed.
    pub async fn run_once(&self) -> Result<usize, Error> {
        self.resume().await?;
        self.core.setup.refresh().await?;
        let mut steps = 0;
        loop {
            let before = steps;
            let now = self.core.clock.now();
            self.core.inbox.advance(now);
            self.core.outbox.advance(now);
            steps += schedule::step(&self.core).await?;
            while work::step(&self.core, HandOver::Queued).await {
                steps += 1;
            }
            while deliver::step(&self.core).await {
                steps += 1;
            }
            if steps == before {
                return Ok(steps);
            }
        }
    }

    /// Loads what was left when the last process ended, once.
    async fn resume(&self) -> Result<(), Error> {
        if self.resumed.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let core = &self.core;
        core.enqueue(core.store.pending_events().await?);
        let now = core.clock.now();
        for mut delivery in core.store.open_deliveries().await? {
            let key = (delivery.location_id, Some(delivery.conversation_id));
            if delivery.state == DeliveryState::Sending {
                core.store
                    .write(Orphaned {
                        location_id: delivery.location_id,
                        id: delivery.id,
                        now,
                    })
                    .await?;
                delivery.state = DeliveryState::InDoubt;
            }
            if delivery.state == DeliveryState::InDoubt && core.outbox.reserve(key) {
                core.outbox.rest(key, Box::new(delivery), now + DOUBT);
            } else {
                core.outbox.push(key, Box::new(delivery));
            }
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
