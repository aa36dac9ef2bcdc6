//! The engine of Rejoinder: **accept → decide → commit → deliver**.
//!
//! `accept` stores what came in, once, and only then answers the provider. `decide` is a pure
//! function of rules, conversation, event and time. `commit` writes the decision in one transaction.
//! `deliver` talks to the outside world. Scripts decide; the engine does.

pub mod adapter;
pub mod clock;
pub mod crypto;
pub mod decide;
pub mod domain;
mod lanes;
pub mod script;
mod setup;
pub mod store;
