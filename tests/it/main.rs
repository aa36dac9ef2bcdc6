//! The integration tests: one binary, so that the crates are linked once.

mod tidy;
