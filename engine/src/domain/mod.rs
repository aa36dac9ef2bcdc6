//! Plain data: what the engine knows, without a database, a clock or a network.
//! Nothing here is async, and nothing here imports from the rest of the engine.

pub mod channel;
pub mod contact;
pub mod content;
pub mod conversation;
pub mod delivery;
pub mod effect;
pub mod endpoint;
pub mod event;
pub mod fanout;
pub mod finding;
pub mod hours;
pub mod ids;
pub mod inbound;
pub mod local;
pub mod location;
pub mod message;
pub mod misfire;
pub mod note;
pub mod occurrence;
pub mod onboarding;
pub mod origin;
pub mod quiet;
pub mod request;
pub mod rule;
pub mod run;
pub mod shift;
pub mod snapshot;
pub mod template;
pub mod ticket;
pub mod time;
pub mod window;
#[cfg(test)]
mod zones;
