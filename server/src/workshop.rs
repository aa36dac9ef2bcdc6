//! What simulated worlds are made with here: our tables, the language of rules, and Meta's limits.
//! Knows no rule and no test.

use std::sync::Arc;

use rejoinder_adapters::meta::{Meta, MetaConfig};
use rejoinder_engine::script::ScriptHost;
use rejoinder_engine::simulate::{Provider, TestHost, Workshop};
use rejoinder_engine::store::Scratch;
use rejoinder_migrations::{Migrator, MigratorTrait};

/// Empty tables for throw-away databases.
pub fn scratch() -> Scratch {
    Scratch::of(|connection| async move { Migrator::up(&connection, None).await })
}

/// What worlds for scripts in files are made with.
pub fn workshop() -> Workshop {
    Workshop {
        scratch: scratch(),
        scripts: ScriptHost::new(),
        tests: TestHost::new(),
        provider: Provider::like(Arc::new(Meta::new(MetaConfig::default()))),
    }
}
