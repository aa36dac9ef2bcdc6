//! The providers' protocols: one folder per provider, the same files in each.
//! Knows no database and no script: an adapter turns bytes into plain data, and plain data into requests.

mod address;
mod asking;
mod call;
pub mod http;
pub mod meta;
mod nesting;
mod placeholders;
pub mod simulator;
pub mod twilio;

use std::sync::Arc;

use rejoinder_engine::adapter::Adapter;

pub use self::address::is_global;
pub use self::call::{Calls, Reach};
pub use self::http::probe::Probe;

/// Where the providers are, and how they are spoken to.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Meta's Graph API.
    pub meta: meta::MetaConfig,
    /// Twilio's APIs.
    pub twilio: twilio::TwilioConfig,
}

/// Every adapter: the only list of them.
pub fn all(config: &Config) -> Vec<Arc<dyn Adapter>> {
    vec![
        Arc::new(meta::Meta::new(config.meta.clone())),
        Arc::new(twilio::Twilio::new(config.twilio.clone())),
    ]
}
