//! The engine of Rejoinder: **accept → decide → commit → deliver**.
//!
//! `accept` stores what came in, once, and only then answers the provider. `decide` is a pure
//! function of rules, conversation, event and time. `commit` writes the decision in one transaction.
//! `deliver` talks to the outside world. Scripts decide; the engine does.

mod accept;
pub mod adapter;
mod breaker;
pub mod caller;
pub mod clock;
mod core;
pub mod crypto;
pub mod decide;
mod deliver;
pub mod domain;
mod engine;
mod failpoint;
mod gate;
mod guard;
mod halt;
mod lanes;
mod mutant;
mod pace;
mod provision;
mod publish;
mod refusals;
mod request;
mod retry;
mod rota;
mod schedule;
pub mod script;
mod setup;
pub mod simulate;
pub mod store;
mod sweep;
mod unsent;
mod work;

pub use accept::{Accepted, Counts, Error as AcceptError};
pub use breaker::ChannelPause;
pub use engine::{Builder, Engine, Error};
#[cfg(feature = "mutants")]
pub use failpoint::{Action, Failpoint, Point};
#[cfg(feature = "mutants")]
pub use mutant::{Mutant, Shown};
pub use provision::{
    Bridged, ChannelChange, EndpointChange, Examined, Given, LocationChange, NewChannel,
    NewEndpoint, NewLocation, NewOnboarding, NewTicket, PersonSend, Problem, Published, Rotation,
    RuleAssistance, RuleCheck, ShownCredentials, SyncedAccount, Unopened, Upcoming,
};
pub use store::Connection as DatabaseConnection;
