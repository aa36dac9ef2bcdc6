//! End to end, in one binary: each module says who, what, then.

mod payloads;
mod tidy;
