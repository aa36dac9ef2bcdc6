//! The providers' protocols: one folder per provider, the same files in each.
//! Knows no database and no script: an adapter turns bytes into plain data, and plain data into requests.

pub mod http;
pub mod meta;
pub mod simulator;
pub mod twilio;
