//! The server of Rejoinder: it lets webhooks and API requests in, and answers them.
//!
//! A filter picks values out of a request, a handler calls the engine, and `reply` says how the
//! outcome looks on the wire. What happens to a message is the engine's business alone.

mod api;
mod auth;
pub mod body;
pub mod bridge;
pub mod cli;
pub mod config;
pub mod demo;
mod out;
mod refusals;
pub mod reply;
pub mod serve;
pub mod surroundings;
mod webhooks;
pub mod workshop;

pub use config::Config;
pub use serve::{ServeError, ServeOptions, Server};

/// The README's code is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
