//! What a host holds: it builds the engine on its database, starts it, hands it webhooks, and stops it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::accept::{self, Accepted, Counts, Error as AcceptError};
use crate::adapter::{Adapter, CredentialField, Webhook};
use crate::clock::{Clock, SystemClock};
use crate::core::{Core, SEND_PERMITS};
use crate::crypto::{Secret, Vault};
use crate::domain::channel::Channel;
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::{
    ChannelId, ConversationId, DeliveryId, EventId, LocationId, RuleId, UnroutedId,
};
use crate::domain::location::Location;
use crate::domain::rule::Rule;
use crate::domain::snapshot::Line;
use crate::domain::time::{Span, Timestamp};
use crate::lanes::Lanes;
use crate::pace::Pace;
use crate::person::{self, PersonSend};
use crate::provision::{self, ChannelChange, LocationChange, NewChannel, NewLocation, Problem};
use crate::script::{Diagnostic, ScriptHost, ScriptHostBuilder};
use crate::setup::Setup;
use crate::store::{
    self, Connection as DatabaseConnection, Lock, NewRule, Orphaned, Store, TokenRow,
};
use crate::work::HandOver;
use crate::{deliver, schedule, work};

/// Events decided at once: most of their time they wait for the disk.
const WORKERS: usize = 64;
/// How often other processes' changes of the set-up are looked for.
const REFRESH: Duration = Duration::from_secs(1);
/// How long a stop waits for messages on their way.
const DRAIN: Duration = Duration::from_secs(25);
/// How long we wait for evidence of a message that was being sent when the last process ended.
const DOUBT: Span = Span::seconds(120);

/// The engine could not be built or started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database is not fit, not reachable, or not migrated.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// No key ring was given.
    #[error("no key ring was given: call `.vault(…)`; `rejoinder keys generate` makes a key")]
    NoVault,
    /// Two adapters of one name.
    #[error("two adapters are named '{0}'")]
    DoubledAdapter(&'static str),
    /// The tables are not there.
    #[error("the tables are missing: run `Migrator::up(&db, None)` of rejoinder-migrations first")]
    NotMigrated,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    core: Arc<Core>,
    running: Arc<Mutex<Running>>,
    resumed: Arc<AtomicBool>,
}

#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    lock: Option<Lock>,
}

enum Database {
    Connection(DatabaseConnection),
    Store(Store),
}

/// Collects what an engine is made of.
pub struct Builder {
    database: Database,
    vault: Option<Vault>,
    adapters: Vec<Arc<dyn Adapter>>,
    clock: Arc<dyn Clock>,
    scripts: ScriptHostBuilder,
    server_secrets: BTreeMap<String, Vec<Secret>>,
    handshake_tokens: BTreeMap<String, Vec<Secret>>,
    public_url: String,
}

impl Builder {
    fn new(database: Database) -> Self {
        Self {
            database,
            vault: None,
            adapters: Vec::new(),
            clock: Arc::new(SystemClock),
            scripts: ScriptHost::builder(),
            server_secrets: BTreeMap::new(),
            handshake_tokens: BTreeMap::new(),
            public_url: String::new(),
        }
    }

    /// The master keys under which credentials are sealed. Required.
    #[must_use]
    pub fn vault(mut self, vault: Vault) -> Self {
        self.vault = Some(vault);
        self
    }

    /// Adds a provider.
    #[must_use]
    pub fn adapter(mut self, adapter: impl Adapter) -> Self {
        self.adapters.push(Arc::new(adapter));
        self
    }

    /// Adds a provider that is shared already.
    #[must_use]
    pub fn shared_adapter(mut self, adapter: Arc<dyn Adapter>) -> Self {
        self.adapters.push(adapter);
        self
    }

    /// Tells the time otherwise than by the operating system.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Adds a function that scripts may call, with as many values as `arity` says. It must be pure.
    #[must_use]
    pub fn script_function(
        mut self,
        name: &str,
        arity: usize,
        function: impl Fn(&[serde_json::Value]) -> Result<serde_json::Value, String>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.scripts = self.scripts.function(name, arity, function);
        self
    }

    /// Adds a secret of the server's own app at a provider: it verifies the webhooks of channels that
    /// have no app of their own (Meta's app secret).
    #[must_use]
    pub fn server_secret(mut self, provider: &str, secret: Secret) -> Self {
        self.server_secrets
            .entry(provider.to_owned())
            .or_default()
            .push(secret);
        self
    }

    /// Adds a word that a provider's handshake may carry on the address that all channels share
    /// (Meta's verify token).
    #[must_use]
    pub fn handshake_token(mut self, provider: &str, token: Secret) -> Self {
        self.handshake_tokens
            .entry(provider.to_owned())
            .or_default()
            .push(token);
        self
    }

    /// Our public https address: Twilio signs it, and is told where statuses go.
    #[must_use]
    pub fn public_url(mut self, url: &str) -> Self {
        url.trim_end_matches('/').clone_into(&mut self.public_url);
        self
    }

    /// Checks the database and the keys, and puts the parts together. Nothing runs yet.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub async fn build(self) -> Result<Engine, Error> {
        let vault = self.vault.ok_or(Error::NoVault)?;
        let store = match self.database {
            Database::Connection(connection) => Store::on(connection).await?,
            Database::Store(store) => store,
        };
        let mut adapters: BTreeMap<&'static str, Arc<dyn Adapter>> = BTreeMap::new();
        for adapter in self.adapters {
            let kind = adapter.kind();
            if adapters.insert(kind, adapter).is_some() {
                return Err(Error::DoubledAdapter(kind));
            }
        }
        if store.revision().await.is_err() {
            store.ping().await?;
            return Err(Error::NotMigrated);
        }
        store.check_keys(&vault).await?;
        let core = Core {
            setup: Setup::new(store.clone(), vault, self.scripts.build()),
            store,
            adapters,
            clock: self.clock,
            server_secrets: self.server_secrets,
            handshake_tokens: self.handshake_tokens,
            public_url: self.public_url,
            node: Uuid::now_v7(),
            inbox: Lanes::new(),
            outbox: Lanes::new(),
            pace: Pace::default(),
            permits: Arc::new(Semaphore::new(SEND_PERMITS)),
        };
        Ok(Engine {
            core: Arc::new(core),
            running: Arc::default(),
            resumed: Arc::default(),
        })
    }
}

impl Engine {
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
        running.lock = None;
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
}

/// Setting up. Changes are in force when these return; other processes follow within a second.
impl Engine {
    /// Creates a location.
    ///
    /// # Errors
    /// Its name does not do, or the database failed.
    pub async fn create_location(&self, new: NewLocation) -> Result<Location, Problem> {
        provision::create_location(&self.core, new).await
    }

    /// Changes a location.
    ///
    /// # Errors
    /// It is not there, the change does not do, or the database failed.
    pub async fn change_location(
        &self,
        id: LocationId,
        change: LocationChange,
    ) -> Result<Location, Problem> {
        provision::change_location(&self.core, id, change).await
    }

    /// Connects a number to a location.
    ///
    /// # Errors
    /// The location is not there, something is missing, or the number is connected already.
    pub async fn create_channel(
        &self,
        location_id: LocationId,
        new: NewChannel,
    ) -> Result<Channel, Problem> {
        provision::create_channel(&self.core, location_id, new).await
    }

    /// Changes a channel.
    ///
    /// # Errors
    /// It is not there, the change does not do, or the database failed.
    pub async fn change_channel(
        &self,
        location_id: LocationId,
        id: ChannelId,
        change: ChannelChange,
    ) -> Result<Channel, Problem> {
        provision::change_channel(&self.core, location_id, id, change).await
    }

    /// What is wrong with a script; nothing if it can be published.
    pub fn check_rule(&self, source: &str) -> Vec<Diagnostic> {
        match provision::check(&self.core, source) {
            Ok(_) => Vec::new(),
            Err(Problem::Script(diagnostics)) => diagnostics,
            Err(other) => vec![Diagnostic {
                message: other.to_string(),
                line: 0,
                column: 0,
            }],
        }
    }

    /// Creates a rule as a draft.
    ///
    /// # Errors
    /// The location is not there, or has a rule of that name.
    pub async fn create_rule(
        &self,
        location_id: LocationId,
        new: NewRule,
    ) -> Result<Rule, Problem> {
        provision::create_rule(&self.core, location_id, new).await
    }

    /// Replaces a rule's draft; what is published stays.
    ///
    /// # Errors
    /// It is not there, or the database failed.
    pub async fn save_draft(
        &self,
        location_id: LocationId,
        id: RuleId,
        source: String,
    ) -> Result<Rule, Problem> {
        provision::save_draft(&self.core, location_id, id, source).await
    }

    /// Publishes a rule's draft.
    ///
    /// # Errors
    /// The script has mistakes; the rule is not there; the database failed.
    pub async fn publish_rule(&self, location_id: LocationId, id: RuleId) -> Result<Rule, Problem> {
        provision::publish(&self.core, location_id, id).await
    }

    /// Lets a rule take part, or not.
    ///
    /// # Errors
    /// It is not there, or the database failed.
    pub async fn set_rule_enabled(
        &self,
        location_id: LocationId,
        id: RuleId,
        enabled: bool,
    ) -> Result<Rule, Problem> {
        provision::set_rule_enabled(&self.core, location_id, id, enabled).await
    }

    /// Makes a bearer token for the API; it is shown this once.
    ///
    /// # Errors
    /// The database failed.
    pub async fn create_token(
        &self,
        name: &str,
        location_id: Option<LocationId>,
    ) -> Result<(TokenRow, Secret), Problem> {
        provision::create_token(&self.core, name, location_id).await
    }

    /// The first token, if there was none yet.
    ///
    /// # Errors
    /// The database failed.
    pub async fn first_token(&self) -> Result<Option<Secret>, Problem> {
        if self.core.store.has_tokens().await? {
            return Ok(None);
        }
        Ok(Some(self.create_token("first", None).await?.1))
    }

    /// The token that a request carries, if it is one of ours.
    ///
    /// # Errors
    /// The database failed.
    pub async fn authenticate(&self, token: &str) -> Result<Option<TokenRow>, store::Error> {
        provision::authenticate(&self.core, token).await
    }

    /// Sends a person's message: nothing automatic goes out to that customer for a while.
    ///
    /// # Errors
    /// The conversation is not there, the provider would not take it, or the database failed.
    pub async fn send(
        &self,
        location_id: LocationId,
        conversation_id: ConversationId,
        send: PersonSend,
    ) -> Result<DeliveryId, Problem> {
        person::send(&self.core, location_id, conversation_id, send).await
    }

    /// Runs an event again that was not understood when it came.
    ///
    /// # Errors
    /// It still is not, or is not there, or the database failed.
    pub async fn rerun_event(
        &self,
        location_id: LocationId,
        id: EventId,
    ) -> Result<Counts, Problem> {
        provision::rerun(&self.core, location_id, id).await
    }

    /// Runs an item again that belonged to no channel when it came.
    ///
    /// # Errors
    /// It still belongs to none, or is not there, or the database failed.
    pub async fn rerun_unrouted(&self, id: UnroutedId) -> Result<Counts, Problem> {
        provision::rerun_unrouted(&self.core, id).await
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
