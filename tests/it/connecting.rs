//! From nothing to an answered message, by the command line alone: each way to connect a number, with every step
//! failing once on the way as it does in life, and resumed.

mod care;
mod keys;
pub(crate) mod meta;
mod proof;
pub(crate) mod twilio;
mod watch;

use rejoinder_adapters::simulator::{Fault, Operation, Request, Simulator};
use serde_json::{Value, json};

use crate::desk::{Desk, halted};

/// The next request about this, by the method and what follows the id, meets a fault.
fn once(simulator: &Simulator, method: &'static str, edge: &'static str, fault: Fault) {
    let when = move |request: &Request<'_>| {
        let is_node = edge == "node" && request.text.is_empty() && request.number != "debug_token";
        let is_edge = request.text == edge || request.number == edge;
        request.operation == Operation::Manage && request.to == method && (is_node || is_edge)
    };
    simulator.fault_next_when(1, when, fault);
}

/// An answer that is none of success, with this body.
fn refused(status: u16, body: &Value) -> Fault {
    Fault::Answer {
        status,
        body: body.to_string(),
    }
}

/// Meta's error.
fn graph_error(status: u16, error: &Value) -> Fault {
    refused(status, &json!({ "error": error }))
}

/// Resumes until nothing fails any more; gives which steps failed on the way, with their codes.
async fn persist(desk: &Desk, mut onboarding: Value) -> (Value, Vec<(String, String)>) {
    let id = onboarding["id"].as_str().expect("an id").to_owned();
    let mut failed = Vec::new();
    while let Some(step) = halted(&onboarding) {
        assert!(
            failed.len() < 20,
            "it does not come to an end: {onboarding}"
        );
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        failed.push((text(&step["name"]), text(&step["failure"]["code"])));
        onboarding = desk.json(&["connect", "resume", &id]).await;
    }
    (onboarding, failed)
}

/// Gives one thing after the other to what asks for it; tells who asked, why and for what each time.
async fn answer_each(
    desk: &Desk,
    mut onboarding: Value,
    answers: &[[&str; 2]],
) -> (Value, Vec<String>) {
    let id = onboarding["id"].as_str().expect("an id").to_owned();
    let mut asked = Vec::new();
    for answer in answers {
        let step = halted(&onboarding).unwrap_or_else(|| panic!("it asks: {onboarding}"));
        let name = step["name"].as_str().expect("a name");
        let code = step["failure"]["code"].as_str().unwrap_or("asks");
        let field = step["ask"]["field"].as_str().unwrap_or("nothing");
        asked.push(format!("{name} {code} {field}"));
        onboarding = desk
            .json(&[&["connect", "resume", &id][..], answer].concat())
            .await;
    }
    (onboarding, asked)
}

/// What failed, to compare.
fn pairs(failed: &[(String, String)]) -> Vec<(&str, &str)> {
    failed
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect()
}
