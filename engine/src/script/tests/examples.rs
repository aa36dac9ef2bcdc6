//! Every example of the reference, run as a tenant would run it.

use super::World;
use crate::script::catalog::{Entry, Kind, catalog};

/// Functions that examples name as the target of a follow-up.
const TARGETS: &str = "fn nudge(chat) {} fn remind(chat) {} fn last_word(chat) {} fn ask_for_rating(chat, args) { log(args.order); }";

/// A whole script for an example, and the event that runs it.
fn staged(entry: &Entry) -> (String, String) {
    let example = &entry.example;
    let is_script = example
        .lines()
        .any(|line| line.starts_with("fn ") || line.starts_with("every("));
    if is_script {
        let event = match entry.kind {
            Kind::Handler => event(entry.name).to_owned(),
            _ => first_function(example),
        };
        return (example.clone(), event);
    }
    let (head, event) = match entry.receiver {
        Some("status") => ("fn on_status(chat, status)", "failed window_closed"),
        Some("reaction") => ("fn on_reaction(chat, reaction)", event("on_reaction")),
        Some("response") => ("fn on_response(chat, response)", event("on_response")),
        _ => ("fn on_message(chat, message)", event("on_message")),
    };
    (
        format!("{head} {{\n{example}\n}}\n{TARGETS}"),
        event.to_owned(),
    )
}

fn event(handler: &str) -> &'static str {
    match handler {
        "on_message" => "message What is the price? ref-42",
        "on_echo" => "echo /bot",
        "on_status" => "failed unreachable",
        "on_start" => "start Hello",
        "on_reaction" => "react 👍",
        "on_edit" => "edit Two rooms",
        "on_revoke" => "revoke",
        "on_window_closing" => "timer on_window_closing",
        "on_response" => "response on_response 200 {\"id\":7,\"name\":\"Ada\",\"next\":\"Monday\"}",
        other => panic!("say here by which event {other} is called"),
    }
}

/// Calls the first function of a script that is no handler of its own.
fn first_function(script: &str) -> String {
    let rest = script.split("fn ").nth(1).expect("a function");
    let (name, parameters) = rest.split_once('(').expect("parameters");
    match (name, parameters.split(')').next()) {
        (_, Some("location")) => format!("tick {name}"),
        (name, _) if name.starts_with("on_") => event(name).to_owned(),
        _ => format!("timer {name}"),
    }
}

#[test]
fn every_example_runs_without_an_error() {
    let mut failed = Vec::new();
    for entry in catalog().entries() {
        let (script, event) = staged(entry);
        let mut world = World::new();
        let outcome = match world.host.compile(&script) {
            Err(problems) => Err(format!("{problems:?}")),
            Ok(script) => {
                let result = world.play(&script, &event).result;
                result.map_err(|failure| format!("{failure:?}"))
            }
        };
        if let Err(problem) = outcome {
            failed.push(format!("{}: {problem}\n{script}", entry.signature));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn an_example_shows_what_it_is_an_example_of() {
    for entry in catalog().entries() {
        let shows = entry.example.contains(entry.name);
        assert!(shows, "{}: {}", entry.signature, entry.example);
    }
}

#[test]
fn what_rhai_brings_along_can_be_called_as_told() {
    for more in catalog().more() {
        let script = format!("fn on_message(chat, message) {{ {}; }}", more.example);
        let mut world = World::new();
        let compiled = world.host.compile(&script).expect(more.example);
        let result = world.play(&compiled, "message hello").result;
        assert!(result.is_ok(), "{}: {result:?}", more.example);
        assert!(more.example.contains(more.name), "{}", more.example);
    }
}
