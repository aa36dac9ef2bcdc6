//! The providers' protocols: one folder per provider, the same files in each.

pub mod http;
pub mod simulator;
