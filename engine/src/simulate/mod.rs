//! Simulated worlds: the real engine on a throw-away database, with a clock moved by hand and customers
//! whose phones are in memory. Tests of rules, the terminal's chat and the editor's preview live in them.
//! Knows no network, no file and no time but its own.

mod business;
mod customers;
pub mod effects;
mod endpoints;
mod phones;
mod repeat;
mod stage;
mod story;
mod suite;
mod templates;
mod world;

pub use crate::script::testing::{
    CustomerKey, Failure, Heard, Mistake, Person, Report, Said, TestHost, TestReport, choices,
    media, read_moment, words,
};
pub use business::{Business, Provider, Workshop, first_morning};
pub use repeat::on_own_thread;
pub use story::{Asked, Cause, Reply, Scene, Story, clock};
pub use suite::{Beside, Source, Suite};
pub use world::{Error, World};
