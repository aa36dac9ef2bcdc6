//! The database goes away, belongs to somebody else, or does not read: nothing acknowledged is lost, nothing is
//! done twice, others are not harmed, and everything goes on by itself.

use std::time::Duration;

use rejoinder_engine::NewLocation;
use rejoinder_engine::domain::ids::ConversationId;
use rejoinder_engine::domain::location::LocationSettings;
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::store::NewRule;
use sea_orm::{ConnectionTrait, Database as Connections, DatabaseConnection};
use serde_json::Value;

use crate::database::{Database, on_both};
use crate::world::{ADA, BEN, World, connect, number};

const HELLO: &str = r#"fn on_message(chat, message) { chat.reply("hello"); }"#;

const REMINDS: &str = r#"
fn on_message(chat, message) { chat.after("1h", "remind"); }
fn remind(chat) { chat.reply("still there?"); }
"#;

/// How long something may take to happen by the real clock.
const PATIENCE: Duration = Duration::from_secs(60);

async fn execute(world: &World, text: &str) {
    let connection = world.engine.store().connection();
    connection.execute_unprepared(text).await.expect("it runs");
}

async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "{what} within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A connection beside that of the engine, to the server's own database.
async fn operator() -> DatabaseConnection {
    #[expect(clippy::disallowed_methods, reason = "where the tests' server is")]
    let url = std::env::var("REJOINDER_TEST_POSTGRES").expect("tests/run sets it");
    Connections::connect(url).await.expect("it answers")
}

#[tokio::test]
async fn a_server_that_goes_away_is_waited_for_and_its_lock_is_taken_again() {
    let database = Database::postgres().await;
    let url = database.url.clone();
    let world = World::on(database).await;
    world.rule(HELLO).await;
    world.engine.start().await.expect("it starts");
    world.says(ADA, "hi").await;
    eventually("an answer", async || world.heard(ADA).len() == 1).await;
    let (url, _) = url.split_once('?').expect("the socket follows");
    let (_, name) = url.rsplit_once('/').expect("a name");
    let operator = operator().await;
    let gone = format!("ALTER DATABASE \"{name}\" WITH ALLOW_CONNECTIONS false");
    operator
        .execute_unprepared(&gone)
        .await
        .expect("it is shut");
    let ended =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    operator.execute_unprepared(&ended).await.expect("they end");
    let body = world.message(BEN, "hi");
    world
        .accept(&body)
        .await
        .expect_err("it is not acknowledged");
    eventually("the engine notices", async || !world.engine.is_working()).await;
    let back = format!("ALTER DATABASE \"{name}\" WITH ALLOW_CONNECTIONS true");
    operator
        .execute_unprepared(&back)
        .await
        .expect("it is open");
    eventually("it works again", async || world.engine.is_working()).await;
    eventually("it is acknowledged", async || {
        world.accept(&body).await.is_ok()
    })
    .await;
    eventually("an answer", async || world.heard(BEN).len() == 1).await;
    world.engine.stop().await;
    assert_eq!((world.heard(ADA).len(), world.heard(BEN).len()), (1, 1));
}

on_both! {
    async fn what_one_location_cannot_read_keeps_no_other_waiting(world: World) {
        world.rule(REMINDS).await;
        let engine = &world.engine;
        let new = NewLocation {
            name: "Clinic".into(),
            time_zone: chrono_tz::America::Sao_Paulo,
            settings: LocationSettings::default(),
        };
        let other = engine.create_location(new).await.expect("a location");
        let second = number("209912345678901", "551140028922");
        connect(engine, other.id, &second).await;
        let rule = NewRule {
            name: "reminds".into(),
            source: REMINDS.into(),
            tests: String::new(),
            position: None,
        };
        let rule = engine.create_rule(other.id, rule).await.expect("a rule");
        engine.publish_rule(other.id, rule.id).await.expect("it is published");
        let mut theirs: Value = serde_json::from_slice(&world.message(ADA, "hi")).expect("JSON");
        let value = &mut theirs["entry"][0]["changes"][0]["value"];
        value["metadata"]["phone_number_id"] = second.phone_number_id.clone().into();
        world.accept(&serde_json::to_vec(&theirs).expect("JSON")).await.expect("accepted");
        world.settle().await;
        world.hears(ADA, "hi").await;
        // Their timer is due first, and nobody can say what time it is there.
        execute(&world, "UPDATE rejoinder_location SET time_zone = 'Nowhere/At all' WHERE name = 'Clinic'").await;
        let mut world = world;
        world.restart().await;
        world.wait(Span::hours(1)).await;
        assert_eq!(world.heard(ADA), ["still there?"]);
        execute(&world, "UPDATE rejoinder_location SET time_zone = 'America/Sao_Paulo' WHERE name = 'Clinic'").await;
        world.restart().await;
        world.settle().await;
        let events = world.engine.store().of(other.id).events(None, 10).await.expect("events");
        assert_eq!(events.len(), 2, "theirs comes when it can be read again");
    }

    async fn what_is_wrong_with_a_channel_is_not_held_against_an_event(world: World) {
        world.rule(HELLO).await;
        world.says(ADA, "hi").await;
        let mut world = world;
        world.clock.advance(Span::minutes(1));
        execute(&world, "UPDATE rejoinder_channel SET credentials = 'x' || credentials").await;
        world.restart().await;
        for _ in 0..5 {
            world.wait(Span::minutes(2)).await;
        }
        assert_eq!(world.heard(ADA), [""; 0]);
        execute(&world, "UPDATE rejoinder_channel SET credentials = substr(credentials, 2)").await;
        world.restart().await;
        world.wait(Span::minutes(2)).await;
        assert_eq!(world.heard(ADA), ["hello"], "it was not put aside");
    }

    async fn a_follow_up_that_a_waiting_message_cancels_does_not_come(world: World) {
        world.rule(r#"
            fn on_message(chat, message) {
                if message.text == "remind me" { chat.after("1h", "remind"); }
                if message.text == "no" { chat.cancel("remind"); }
            }
            fn remind(chat) { chat.reply("still there?"); }
        "#).await;
        world.hears(ADA, "remind me").await;
        // The server is down when she changes her mind, and when the hour is over.
        world.says(ADA, "no").await;
        world.clock.advance(Span::hours(2));
        let mut world = world;
        world.restart().await;
        world.settle().await;
        assert_eq!(world.heard(ADA), [""; 0]);
    }

    async fn what_a_database_cannot_keep_is_changed_rather_than_refused(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.note("a\x00b"); chat.assign("c\x00d"); }"#).await;
        world.hears(ADA, "hi").await;
        let events = world.events().await;
        assert_eq!(events[0].state, "done");
        let id: ConversationId = events[0].event.conversation_id.expect("a conversation");
        let notes = world.engine.store().of(world.location_id).notes(id, 10).await;
        assert_eq!(notes.expect("notes")[0].text, "a\u{FFFD}b");
    }
}
