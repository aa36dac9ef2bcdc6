//! Everything that is tested from outside a crate, in one binary.

mod payloads;
