//! What an engine is made of, collected by the host and checked before anything runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use crate::adapter::Adapter;
use crate::breaker::Breakers;
use crate::caller::Caller;
use crate::clock::{Clock, SystemClock};
use crate::core::{Core, SEND_PERMITS, TRIALS};
use crate::crypto::{Secret, Vault};
use crate::gate::Gate;
use crate::guard::Guard;
use crate::halt::Halt;
use crate::lanes::Lanes;
use crate::pace::Pace;
use crate::refusals::Refusals;
use crate::rota::Rota;
use crate::script::{ScriptHost, ScriptHostBuilder};
use crate::setup::Setup;
use crate::store::{self, Connection as DatabaseConnection, Scratch, Store};
use crate::unsent::Unsent;

use super::Engine;

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

pub(super) enum Database {
    Connection(DatabaseConnection),
    Store(Store),
}

/// Collects what an engine is made of.
pub struct Builder {
    database: Database,
    vault: Option<Vault>,
    adapters: Vec<Arc<dyn Adapter>>,
    caller: Option<Arc<dyn Caller>>,
    clock: Arc<dyn Clock>,
    scripts: ScriptHostBuilder,
    script_host: Option<ScriptHost>,
    scratch: Option<Scratch>,
    server_secrets: BTreeMap<String, Vec<Secret>>,
    handshake_tokens: BTreeMap<String, Vec<Secret>>,
    public_url: String,
}

impl Builder {
    pub(super) fn new(database: Database) -> Self {
        Self {
            database,
            vault: None,
            adapters: Vec::new(),
            caller: None,
            clock: Arc::new(SystemClock),
            scripts: ScriptHost::builder(),
            script_host: None,
            scratch: None,
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

    /// Lets rules call the endpoints that a location's admin has allowed; without one they are
    /// answered `unavailable`.
    #[must_use]
    pub fn caller(mut self, caller: impl Caller) -> Self {
        self.caller = Some(Arc::new(caller));
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

    /// Lets rules have tests: in throw-away databases with these tables they are run before their rule
    /// is published. Without, rules are published without tests only.
    #[must_use]
    pub fn scratch(mut self, scratch: Scratch) -> Self {
        self.scratch = Some(scratch);
        self
    }

    /// Runs scripts by a host that is there already, and shared.
    pub(crate) fn script_host(mut self, host: ScriptHost) -> Self {
        self.script_host = Some(host);
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
        let scripts = self.script_host.unwrap_or_else(|| self.scripts.build());
        let began_at = self.clock.now();
        let core = Core {
            setup: Setup::new(store.clone(), vault, scripts),
            store,
            adapters,
            caller: self.caller,
            clock: self.clock,
            server_secrets: self.server_secrets,
            handshake_tokens: self.handshake_tokens,
            public_url: self.public_url,
            node: Uuid::now_v7(),
            began_at,
            inbox: Lanes::new(),
            outbox: Lanes::new(),
            gate: Gate::default(),
            pace: Pace::default(),
            breakers: Breakers::default(),
            guard: Guard::default(),
            rota: Rota::default(),
            permits: Arc::new(Semaphore::new(SEND_PERMITS)),
            halt: Halt::default(),
            scratch: self.scratch,
            tests: OnceLock::new(),
            unsent: Unsent::default(),
            refusals: Refusals::default(),
            onboardings: Mutex::default(),
            trials: Semaphore::new(TRIALS),
            requested: Notify::new(),
        };
        let core = Arc::new(core);
        // Weak, so that the store does not keep alive what keeps it alive.
        let listener = Arc::downgrade(&core);
        core.store.tell(Arc::new(move |events| {
            if let Some(core) = listener.upgrade() {
                core.enqueue(events);
            }
        }));
        Ok(Engine::of(core))
    }
}
