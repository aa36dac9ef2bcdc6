//! Simulated worlds: the real engine on a throw-away database, with a clock moved by hand and customers
//! whose phones are in memory. Tests of rules, the terminal's chat and the editor's preview live in them.
//! Knows no network, no file and no time but its own.

mod business;
mod customers;
mod endpoints;
mod phones;
mod stage;
mod story;
mod suite;
mod world;

pub use crate::script::testing::{
    CustomerKey, Failure, Heard, Mistake, Person, Report, Said, TestHost, TestReport,
};
pub use business::{Business, Provider, Workshop};
pub use story::{Asked, Cause, Reply, Scene, Story};
pub use suite::{Beside, Source, Suite};
pub use world::{Error, World};
