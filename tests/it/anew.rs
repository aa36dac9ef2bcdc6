//! The command line does anew what failed or was put aside, and leaves it to a server at work. Knows no reason.

use std::process::Output;

use rejoinder_adapters::simulator::Fault;
use rejoinder_engine::clock::{Clock, SystemClock};
use rejoinder_engine::domain::time::Span;
use sea_orm::ConnectionTrait;
use serde_json::Value;
use tempfile::TempDir;

use crate::commands::{command, complains, folder};
use crate::database::Database;
use crate::world::{ADA, BEN, World};

const HELLO: &str = r#"fn on_message(chat, message) { chat.reply("hello"); }"#;

/// A command beside the world, on its database.
fn run(world: &World, folder: &TempDir, words: &str) -> Output {
    let words: Vec<&str> = words.split(' ').collect();
    command(folder, &words)
        .env("REJOINDER_KEYS", world.vault.expose())
        .env("REJOINDER_DATABASE_URL", &world.database.url)
        .output()
        .expect("it runs")
}

/// What a command prints for machines.
fn json(world: &World, folder: &TempDir, words: &str) -> Value {
    let output = run(world, folder, &format!("--json {words}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {told}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A world in which it is now, as for a command.
async fn world() -> World {
    let world = World::on(Database::sqlite().await).await;
    world
        .clock
        .advance(SystemClock.now().since(world.clock.now()));
    world.rule(HELLO).await;
    world
}

#[tokio::test]
async fn what_failed_is_shown_and_sent_anew_once() {
    let (mut world, folder) = (world().await, folder());
    // The parameter is not valid: it will not be tried again.
    world.simulator.fault_next(2, Fault::Refuse(131_009));
    world.hears(ADA, "hi").await;
    world.wait(Span::seconds(1)).await;
    world.hears(BEN, "hi").await;
    let failed = json(&world, &folder, "deliveries --state failed");
    let many = |value: &Value, list: &str| value[list].as_array().expect("a list").len();
    assert_eq!(many(&failed, "deliveries"), 2);

    let shown = json(
        &world,
        &folder,
        "deliveries replay --dry-run --reason invalid",
    );
    assert_eq!(shown, failed, "what would be sent");
    let other = json(&world, &folder, "deliveries replay --reason expired");
    assert_eq!(many(&other, "deliveries"), 0);
    complains(
        &run(&world, &folder, "deliveries replay --reason odd"),
        &["'odd'", "expired"],
    );

    let id = failed["deliveries"][0]["id"].as_str().expect("an id");
    let one = format!("deliveries replay {id}");
    assert_eq!(json(&world, &folder, &one)["state"], "ready");
    complains(&run(&world, &folder, &one), &["replaced"]);
    let rest = json(&world, &folder, "deliveries replay");
    assert_eq!(
        rest["deliveries"][0]["flags"],
        serde_json::json!(["background"])
    );
    assert_eq!(many(&rest, "deliveries"), 1);
    assert_eq!(
        many(&json(&world, &folder, "deliveries replay"), "deliveries"),
        0
    );

    world.restart().await;
    world.wait(Span::minutes(1)).await;
    assert_eq!((world.heard(ADA).len(), world.heard(BEN).len()), (1, 1));
}

#[tokio::test]
async fn what_was_put_aside_is_shown_and_run_again_but_not_beside_a_server() {
    let (mut world, folder) = (world().await, folder());
    world.says(ADA, "hi").await;
    let connection = world.engine.store().connection();
    let parked = "UPDATE rejoinder_event SET state = 'parked', attempts = 3";
    connection
        .execute_unprepared(parked)
        .await
        .expect("it is put aside");
    world.restart().await;
    world.engine.start().await.expect("it starts");
    for (words, route) in [
        ("events run", "/events/run"),
        ("deliveries replay", "/deliveries/replay"),
    ] {
        complains(
            &run(&world, &folder, words),
            &["a server works on this database", route],
        );
    }
    let shown = json(&world, &folder, "events run --dry-run");
    assert_eq!(shown["events"][0]["text"], "hi", "looking is no work");
    world.engine.stop().await;

    let ran = json(&world, &folder, "events run");
    assert_eq!(ran["events"][0]["id"], shown["events"][0]["id"]);
    assert_eq!(ran["events"][0]["problem"], Value::Null);
    let again = json(&world, &folder, "events run");
    assert_eq!(again["events"], serde_json::json!([]));
    world.restart().await;
    world.settle().await;
    assert_eq!(world.heard(ADA), ["hello"]);
}
