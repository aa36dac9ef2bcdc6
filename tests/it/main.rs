//! End to end, in one binary: each module says who, what, then.

mod commands;
mod database;
mod delivering;
mod embedding;
mod endpoints;
mod house;
mod main_job;
mod payloads;
mod scripts;
mod server;
mod tidy;
mod timers;
mod truths;
mod twilio;
mod webhooks;
mod world;
