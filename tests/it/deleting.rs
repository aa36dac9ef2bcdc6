//! A location is deleted: its key is destroyed, nothing of it is sent or called any more, nothing of it is left,
//! and what still comes for its numbers is taken and dropped.

mod program;
mod search;
mod tables;

use std::process::{Command, Stdio};
use std::time::Duration;

use rejoinder_adapters::simulator::meta::{self as meta_face, Registration};
use rejoinder_engine::adapter::Webhook;
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::endpoint::Method;
use rejoinder_engine::domain::ids::{ChannelId, LocationId};
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::{
    AcceptError, ChannelChange, Engine, NewChannel, NewEndpoint, NewLocation, Point, Problem,
};
use serde_json::json;

use self::search::Everything;
use crate::commands;
use crate::crm::Crm;
use crate::database::{Database, on_both};
use crate::house::House;
use crate::world::{ADA, APP_SECRET, BEN, Customer, World, connect, number, signed};

/// What must not be found any more.
const HEADER: &str = "the-canary-in-a-header";
const TEXT: &str = "the-canary-in-a-message";
const CARL: Customer = Customer {
    name: "Carl-the-canary",
    phone: "4915112349999",
};

const RULE: &str = r#"
every("0 9 * * *", "morning");
fn morning(location) { location.each_chat(#{}, "visit"); }
fn visit(chat) { chat.send(template("good_morning")); }
fn on_message(chat, message) {
    chat.reply(`About ${message.text}`);
    chat.note(message.text);
    chat.contact.attributes.canary = message.text;
    chat.state.said = message.text;
    chat.if_silent("5m", "nudge");
    chat.request("crm", #{ text: message.text }, "told");
}
fn nudge(chat) { chat.reply("Still there?"); }
fn told(chat, response) { chat.reply(`Told ${response.request.text}`); }
"#;

async fn location(engine: &Engine, name: &str) -> LocationId {
    let new = NewLocation {
        name: name.into(),
        time_zone: chrono_tz::UTC,
        settings: Default::default(),
    };
    engine.create_location(new).await.expect("a location").id
}

/// Lets the world's rules call a program as `crm`.
async fn allow(world: &World, crm: &Crm) {
    let new = NewEndpoint {
        name: "crm".into(),
        url: crm.url(),
        method: Method::Post,
        headers: [("x-key".to_owned(), Secret::new(HEADER))].into(),
        timeout_ms: None,
    };
    let created = world.engine.create_endpoint(world.location_id, new).await;
    created.expect("an endpoint");
}

/// A location in the middle of its life, beside another one.
async fn furnished(world: &World, crm: &Crm) -> LocationId {
    allow(world, crm).await;
    world.rule(RULE).await;
    world.hears(ADA, TEXT).await;
    world.hears(CARL, TEXT).await;
    let token = world.engine.create_token("theirs", Some(world.location_id));
    token.await.expect("a token");
    let other = location(&world.engine, "Other").await;
    let channel = number("2000000000001", "4930900001");
    connect(&world.engine, other, &channel).await;
    let body = world.arrival_at(&channel, BEN, |number, arrival| {
        meta_face::text_message(number, arrival, "to the other")
    });
    world.accept(&body).await.expect("it is accepted");
    world.settle().await;
    other
}

/// Everything that can be cleared away is, once nobody can have missed the deletion.
async fn cleared(world: &World) {
    world.settle().await;
    world.wait(Span::minutes(2)).await;
    assert_eq!(world.engine.clear_away().await.expect("it works"), 0);
}

fn own(channel_id: ChannelId, secret: &str, body: &[u8]) -> Webhook {
    Webhook {
        channel_id: Some(channel_id),
        ..signed(secret, body)
    }
}

/// A number whose webhooks its own app signs.
async fn with_own_app(world: &World, number: &Registration) -> ChannelId {
    let new = NewChannel {
        provider: "meta".into(),
        account: number.waba_id.clone(),
        key: Some(number.phone_number_id.clone()),
        phone: rejoinder_engine::domain::contact::Phone::parse(&number.display_phone).expect("one"),
        name: "own app".into(),
        settings: Default::default(),
        credentials: [
            ("access_token", Secret::new("a-token-of-its-own")),
            ("app_secret", Secret::new("an-app-secret-of-its-own")),
            ("verify_token", Secret::new("a-word-of-its-own")),
        ]
        .into_iter()
        .collect(),
    };
    let created = world.engine.create_channel(world.location_id, new).await;
    created.expect("a channel").id
}

on_both! {
    async fn nothing_of_a_deleted_location_is_left(world: World) {
        let crm = Crm::start().await;
        let other = furnished(&world, &crm).await;
        let connection = world.engine.store().connection();
        let sealed = search::value(connection, "SELECT data_key FROM rejoinder_location WHERE name = 'Casa Lima'").await;
        let location_id = world.location_id;
        let canaries = [
            sealed.clone(), TEXT.into(), CARL.phone.into(), CARL.name.into(), ADA.phone.into(), location_id.to_string(),
            crm.url(), "good_morning".into(), "Casa Lima".into(),
        ];
        let before = Everything::of(connection).await;
        for canary in &canaries {
            let is_known = before.names(canary) || *canary == location_id.to_string();
            assert!(is_known, "{canary} is nowhere: it proves nothing");
        }
        let contents = world.engine.location_contents(location_id).await.expect("it is there");
        assert!(contents.contains(&("conversations", 2)) && contents.contains(&("rules", 1)), "{contents:?}");

        world.engine.delete_location(location_id).await.expect("it is there");
        let at_once = Everything::of(connection).await;
        assert!(!at_once.names(&sealed), "the key is destroyed with the deletion");
        assert_eq!(at_once.rows_of("rejoinder_channel", location_id), 0);
        for table in ["channel", "endpoint", "token", "rule", "timer", "schedule", "lane"] {
            assert_eq!(at_once.rows_of(&format!("rejoinder_{table}"), location_id), 0, "{table}");
        }
        assert!(at_once.names(TEXT), "what was said goes in batches");
        let missing = world.engine.delete_location(location_id).await;
        assert!(matches!(missing, Err(Problem::Missing("location"))), "{missing:?}");

        cleared(&world).await;
        let after = Everything::of(connection).await;
        for canary in &canaries {
            assert!(!after.names(canary), "{canary} is left in {:?}", after.tables_that_name(canary));
        }
        let rows = after.rows(location_id);
        assert_eq!(rows, [("rejoinder_tombstone".to_owned(), 1), ("rejoinder_tombstone_channel".to_owned(), 1)]);
        // The other one did not notice.
        assert_eq!(world.engine.store().of(other).events(None, 10).await.expect("events").len(), 1);
        let counts = |all: &Everything| {
            let mut rows = all.rows(other);
            rows.retain(|(table, _)| table != "rejoinder_pace");
            rows
        };
        assert_eq!(counts(&after), counts(&before));
    }

    async fn nothing_leaves_once_another_process_has_deleted_the_location(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(RULE).await;
        let slow = ChannelChange {
            settings: Some(serde_json::from_value(json!({ "messages_per_second": 1 })).expect("settings")),
            ..ChannelChange::default()
        };
        world.engine.change_channel(world.location_id, world.channel_id, slow).await.expect("it is there");
        world.engine.start().await.expect("it starts");
        let crowd = crate::rounds::crowd(30);
        // What is asked is to be asked again.
        for _ in 0..2 * crowd.len() {
            crm.will_answer(503, "later");
        }
        for customer in &crowd {
            world.says(*customer, TEXT).await;
        }
        // The first have left; the others wait for the pace, in memory.
        while world.simulator.received().is_empty() || crm.heard().len() < crowd.len() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        // Some are not even decided.
        world.configure(json!({ "gather_ms": 20_000 })).await;
        for customer in &crowd[..10] {
            world.says(*customer, "undecided").await;
        }
        let beside = world.beside(&world.vault).await.expect("another process");
        let (sent, called) = (world.simulator.received().len(), crm.heard().len());
        assert!(sent < crowd.len(), "{sent} left already: it proves nothing");
        beside.delete_location(world.location_id).await.expect("it is there");
        // The server has not looked at its set-up since: one whom it knows, and one whom it does not.
        for customer in [crowd[0], CARL] {
            let body = world.message(customer, "after the deletion");
            world.accept(&body).await.expect("it is taken");
        }
        for _ in 0..20 {
            world.clock.advance(Span::minutes(1));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Timers, schedules and pauses are long over.
        world.clock.advance(Span::hours(30));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(world.simulator.received().len(), sent);
        assert_eq!(crm.heard().len(), called);
        let taken = world.accept(&world.message(ADA, "later")).await.expect("it is taken");
        assert_eq!((taken.counts.stored, taken.counts.dropped), (0, 1));
        world.engine.stop().await;
        cleared(&world).await;
        let all = Everything::of(world.engine.store().connection()).await;
        for canary in [TEXT, "after the deletion", "undecided", CARL.phone, "later"] {
            assert!(!all.names(canary), "{canary} is left in {:?}", all.tables_that_name(canary));
        }
        assert_eq!(world.engine.backlog().1, 0);
    }

    async fn webhooks_for_a_deleted_number_are_taken_and_stored_nowhere_for_a_month(world: World) {
        let own_number = number("2000000000007", "4930900007");
        let own_app = with_own_app(&world, &own_number).await;
        // What was kept for the operator of it goes as well.
        world.accept(&world.webhook("nonsense", json!({ "canary": TEXT }))).await.expect("it is taken");
        world.engine.delete_location(world.location_id).await.expect("it is there");
        cleared(&world).await;
        let message = |text: &str| world.message(ADA, text);
        let counts = async |webhook: &Webhook| {
            let accepted = world.engine.accept("meta", webhook).await;
            accepted.map(|accepted| (accepted.counts.stored, accepted.counts.dropped, accepted.counts.unrouted))
        };
        let refused = |result: &Result<_, AcceptError>| matches!(result, Err(AcceptError::Refused(_)));

        // The server's own app still verifies: on the address that all share, and on the channel's own.
        let body = message(TEXT);
        for webhook in [signed(APP_SECRET, &body), own(world.channel_id, APP_SECRET, &body)] {
            assert!(matches!(counts(&webhook).await, Ok((0, 1, 0))));
            assert!(refused(&counts(&Webhook { headers: Vec::new(), ..webhook }).await));
        }
        let odd = world.webhook("nonsense", json!({ "canary": TEXT }));
        assert!(matches!(counts(&own(world.channel_id, APP_SECRET, &odd)).await, Ok((0, _, 0))));
        // A status of something that was sent before.
        let status = meta_face::status(&world.number, &meta_face::StatusUpdate {
            id: "wamid.before", status: "delivered", to: ADA.phone, at: world.engine.now(), callback: None, error_code: None,
        });
        assert!(matches!(counts(&signed(APP_SECRET, &status)).await, Ok((0, 1, 0))));
        // What its own app signed nobody can verify any more: the constant refusal, also for the right secret.
        let body = world.arrival_at(&own_number, ADA, |number, arrival| meta_face::text_message(number, arrival, TEXT));
        for secret in ["an-app-secret-of-its-own", "another"] {
            assert!(refused(&counts(&own(own_app, secret, &body)).await));
        }
        let handshake = Webhook {
            query: "hub.mode=subscribe&hub.challenge=1&hub.verify_token=a-word-of-its-own".into(),
            ..own(own_app, APP_SECRET, b"")
        };
        assert!(world.engine.handshake("meta", &handshake).await.is_err());
        let all = Everything::of(world.engine.store().connection()).await;
        assert!(!all.names(TEXT), "it is stored in {:?}", all.tables_that_name(TEXT));

        // Connected anew, the number is served again; what is meant for the deleted one's address is not.
        let other = location(&world.engine, "Other").await;
        let channel_id = connect(&world.engine, other, &world.number).await;
        assert!(matches!(counts(&signed(APP_SECRET, &message("anew"))).await, Ok((1, 0, 0))));
        assert!(matches!(counts(&own(channel_id, APP_SECRET, &message("anew too"))).await, Ok((1, 0, 0))));
        world.settle().await;
        world.engine.delete_location(other).await.expect("it is there");

        // After a month they are as unknown as any.
        world.wait(Span::hours(29 * 24)).await;
        assert!(matches!(counts(&signed(APP_SECRET, &message("a month"))).await, Ok((0, 1, 0))));
        world.wait(Span::hours(2 * 24)).await;
        assert!(matches!(counts(&signed(APP_SECRET, &message("later"))).await, Ok((0, 0, 1))));
        assert!(refused(&counts(&own(world.channel_id, APP_SECRET, &message("later"))).await));
        let all = Everything::of(world.engine.store().connection()).await;
        assert_eq!(all.rows(world.location_id), []);
    }

    async fn a_number_that_another_process_connects_anew_misses_nothing(world: World) {
        world.says(ADA, "before").await;
        let beside = world.beside(&world.vault).await.expect("another process");
        let anew = async |name: &str| {
            let id = location(&beside, name).await;
            connect(&beside, id, &world.number).await;
            id
        };
        let stored = async |customer, text: &str| {
            let accepted = world.accept(&world.message(customer, text)).await.expect("it is taken");
            (accepted.counts.stored, accepted.counts.unrouted)
        };
        // The server knows neither of the deletion nor of the channel: one whom it knows, and one whom it does not.
        beside.delete_location(world.location_id).await.expect("it is there");
        let second = anew("Second").await;
        assert_eq!(stored(ADA, "to the second").await, (1, 0));
        assert_eq!(stored(CARL, "to the second").await, (1, 0));
        beside.delete_location(second).await.expect("it is there");
        let third = anew("Third").await;
        assert_eq!(stored(CARL, "to the third").await, (1, 0));
        // It knows of the deletion, and not yet of the channel.
        world.engine.delete_location(third).await.expect("it is there");
        assert_eq!(stored(ADA, "to nobody").await, (0, 0));
        anew("Fourth").await;
        assert_eq!(stored(ADA, "to the fourth").await, (1, 0));
        world.settle().await;
    }

    async fn a_deletion_that_is_killed_is_whole_or_did_not_happen_and_is_finished(world: World) {
        let crm = Crm::start().await;
        let mut world = world;
        furnished(&world, &crm).await;
        let lives: [(Point, u32, bool); 6] = [
            (Point::WriterBegins, 1, false),
            (Point::WriterApplied, 1, false),
            // It is deleted, and nothing cleared away.
            (Point::WriterCommitted, 1, true),
            (Point::WriterCommitted, 2, true),
            (Point::WriterApplied, 4, true),
            (Point::WriterCommitted, 7, true),
        ];
        for (nth, (point, passing, is_deleted)) in lives.into_iter().enumerate() {
            // Each death needs a location of its own.
            let name = format!("shop {nth}");
            let id = location(&world.engine, &name).await;
            let text = format!("canary-of-{nth}");
            let at = number(&format!("3{nth:014}"), &format!("49309{nth:05}"));
            let channel_id = connect(&world.engine, id, &at).await;
            for customer in [ADA, BEN, CARL] {
                let body = world.arrival_at(&at, customer, |number, arrival| meta_face::text_message(number, arrival, &text));
                world.accept(&body).await.expect("it is accepted");
            }
            world.settle().await;
            let output = delete(&world, &name, &format!("{}:abort:{passing}", point.name())).output().expect("it runs");
            assert!(!output.status.success(), "{output:?}");
            let all = Everything::of(world.engine.store().connection()).await;
            assert_eq!(all.rows_of("rejoinder_channel", id), usize::from(!is_deleted), "{nth}");
            assert!(all.names(&text), "{nth}: something is left to be cleared away");
            world.restart().await;
            let shown = world.engine.shown_credentials(channel_id).await.expect("it works");
            assert_eq!(shown.is_some(), !is_deleted, "{nth}");
            if !is_deleted {
                assert!(delete(&world, &name, "").output().expect("it runs").status.success());
            }
            cleared(&world).await;
            let all = Everything::of(world.engine.store().connection()).await;
            assert!(!all.names(&text), "{nth}: {text} is left in {:?}", all.tables_that_name(&text));
        }
    }
}

/// The command, built so that tests can end it.
fn delete(world: &World, name: &str, failpoint: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rejoinder-mistaken"));
    command
        .env_clear()
        .stdin(Stdio::null())
        .args(["location", "delete", name, "--yes"])
        .env("REJOINDER_KEYS", world.vault.expose())
        .env("REJOINDER_DATABASE_URL", &world.database.url)
        .env("TEST_FAILPOINTS", failpoint);
    command
}

#[tokio::test]
async fn only_operators_delete_by_the_api() {
    use reqwest::{Method, StatusCode};
    let house = House::on(Database::sqlite().await).await;
    let new = json!({ "name": "Casa Lima", "time_zone": "Europe/Berlin" });
    let location = house.created("/locations", new.clone()).await;
    let stays = house.created("/locations", new).await;
    let path = format!("/locations/{location}");
    let id: LocationId = location.parse().expect("an id");
    let theirs = house.engine.create_token("theirs", Some(id)).await;
    let theirs = theirs.expect("a token").1;
    let as_them = async |method: Method| {
        let request = house
            .client
            .request(method, house.url(&format!("/api/v1{path}")));
        let answer = request.bearer_auth(theirs.expose()).send().await;
        answer.expect("an answer").status()
    };
    assert_eq!(as_them(Method::DELETE).await, StatusCode::NOT_FOUND);
    assert_eq!(as_them(Method::GET).await, StatusCode::OK);
    let (status, _) = house.api(Method::DELETE, &path, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(as_them(Method::GET).await, StatusCode::UNAUTHORIZED);
    let (status, _) = house.api(Method::DELETE, &path, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, listed) = house.api(Method::GET, "/locations", None).await;
    let listed = listed["locations"].as_array().expect("locations");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], stays);
    house.close().await;
}

#[test]
fn the_command_tells_what_would_go_and_does_it_only_when_told_to() {
    let folder = commands::folder();
    let key = commands::key(&folder);
    let run = |words: &[&str]| {
        let mut command = commands::command(&folder, words);
        command
            .env("REJOINDER_KEYS", &key)
            .output()
            .expect("it runs")
    };
    assert!(run(&["migrate"]).status.success());
    let create = [
        "location",
        "create",
        "--name",
        "Casa Lima",
        "--time-zone",
        "UTC",
    ];
    assert!(run(&create).status.success());
    let foretold = run(&["location", "delete", "Casa Lima"]);
    commands::complains(&foretold, &["nothing was deleted", "--yes"]);
    let shown = String::from_utf8_lossy(&foretold.stdout).into_owned();
    assert!(
        shown.contains("Casa Lima") && shown.contains("channels: 0"),
        "{shown}"
    );
    assert!(run(&["location", "show", "Casa Lima"]).status.success());
    let deleted = run(&["location", "delete", "Casa Lima", "--yes"]);
    assert!(deleted.status.success(), "{deleted:?}");
    let shown = String::from_utf8_lossy(&deleted.stdout).into_owned();
    assert!(shown.contains("its key is destroyed"), "{shown}");
    commands::complains(
        &run(&["location", "show", "Casa Lima"]),
        &["there is no location"],
    );
}
