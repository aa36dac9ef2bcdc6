//! End to end, in one binary: each module says who, what, then.

mod beginnings;
mod closing;
mod commands;
mod crm;
mod database;
mod delivering;
mod embedding;
mod endpoints;
mod hours;
mod house;
mod main_job;
mod payloads;
mod quiet;
mod reactions;
mod repeat;
mod requests;
mod schedules;
mod scripts;
mod server;
mod templates;
mod tidy;
mod timers;
mod truths;
mod twilio;
mod webhooks;
mod world;
