//! Secrets in the database: each opens in its own place, and nowhere else. And what of them is seen.

use rejoinder_adapters::simulator::meta::{self as meta_face};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::endpoint::Method;
use rejoinder_engine::domain::ids::{ChannelId, LocationId};
use rejoinder_engine::{
    ChannelChange, EndpointChange, Engine, Given, NewEndpoint, NewOnboarding, Problem,
    ShownCredentials, store,
};
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use crate::commands;
use crate::crm::Crm;
use crate::database::{cell, on_both};
use crate::world::{ADA, BEN, World, connect, number};

/// Somebody with a hand in the database changes it; the engine looks at its set-up anew.
async fn tamper(world: &World, text: &str) {
    let connection = world.engine.store().connection();
    let changed = connection.execute_unprepared(text).await;
    assert_eq!(changed.expect("it runs").rows_affected(), 1, "{text}");
    let raise = "UPDATE rejoinder_revision SET value = value + 1";
    connection.execute_unprepared(raise).await.expect("it runs");
    world.settle().await;
}

async fn is_out_of_order(world: &World, id: ChannelId) -> bool {
    let shown = world.engine.shown_credentials(id).await.expect("it works");
    matches!(shown.expect("a channel"), ShownCredentials::OutOfOrder(_))
}

/// Whether the others still work: a customer of the world's own number is answered.
async fn answers(world: &World, text: &str) {
    world.hears(ADA, text).await;
    assert_eq!(world.heard(ADA).last().map(String::as_str), Some(text));
}

async fn endpoint(engine: &Engine, location_id: LocationId, name: &str, url: &str) {
    let new = NewEndpoint {
        name: name.into(),
        url: url.into(),
        method: Method::Post,
        headers: [(
            "x-key".to_owned(),
            Secret::new(format!("the-key-of-{name}")),
        )]
        .into(),
        timeout_ms: None,
    };
    engine
        .create_endpoint(location_id, new)
        .await
        .expect("an endpoint");
}

on_both! {
    async fn credentials_open_only_in_their_own_row_column_location_and_version(world: World) {
        world.rule("fn on_message(chat, message) { chat.reply(message.text); }").await;
        let engine = &world.engine;
        let other_location = engine.create_location(rejoinder_engine::NewLocation {
            name: "Other".into(),
            time_zone: chrono_tz::UTC,
            settings: Default::default(),
        }).await.expect("a location").id;
        let beside = connect(engine, world.location_id, &number("2000000000001", "4930900001")).await;
        let elsewhere = connect(engine, other_location, &number("2000000000002", "4930900002")).await;
        endpoint(engine, world.location_id, "crm", "https://crm.example/").await;
        answers(&world, "whole").await;

        let credentials = |key: &str| format!("(SELECT credentials FROM rejoinder_channel WHERE key = '{key}')");
        let own = credentials("106853218861309");
        let set = |key: &str, column: &str, value: &str| {
            format!("UPDATE rejoinder_channel SET {column} = {value} WHERE key = '{key}'")
        };
        for (key, id) in [("2000000000001", beside), ("2000000000002", elsewhere)] {
            let before: String = cell(engine.store(), &format!("SELECT {}", credentials(key))).await;
            // Of another row, and for the second of another location as well.
            tamper(&world, &set(key, "credentials", &own)).await;
            assert!(is_out_of_order(&world, id).await, "{key}");
            answers(&world, &format!("beside {key}")).await;
            // Of another column.
            let headers = "(SELECT headers FROM rejoinder_endpoint)";
            tamper(&world, &set(key, "credentials", headers)).await;
            assert!(is_out_of_order(&world, id).await, "{key}");
            // Of a version to come.
            tamper(&world, &set(key, "credentials", &format!("'{before}'"))).await;
            assert!(!is_out_of_order(&world, id).await, "{key}");
            tamper(&world, &set(key, "credentials_version", "2")).await;
            assert!(is_out_of_order(&world, id).await, "{key}");
            tamper(&world, &set(key, "credentials_version", "1")).await;
            assert!(!is_out_of_order(&world, id).await, "{key}");
        }
        // Of an older version.
        let before: String = cell(engine.store(), &format!("SELECT {}", credentials("2000000000001"))).await;
        let change = ChannelChange {
            credentials: [("access_token", Secret::new("another-token-of-the-channel"))].into_iter().collect(),
            ..ChannelChange::default()
        };
        engine.change_channel(world.location_id, beside, change).await.expect("it is there");
        assert!(!is_out_of_order(&world, beside).await);
        tamper(&world, &set("2000000000001", "credentials", &format!("'{before}'"))).await;
        assert!(is_out_of_order(&world, beside).await);
        answers(&world, "beside an old one").await;

        // The data key of another location opens nothing here.
        let data_key = "(SELECT data_key FROM rejoinder_location WHERE name = 'Casa Lima')";
        tamper(&world, &format!("UPDATE rejoinder_location SET data_key = {data_key} WHERE name = 'Other'")).await;
        assert!(is_out_of_order(&world, elsewhere).await);
        answers(&world, "beside another key").await;
        // What comes for it is neither lost nor refused.
        let body = world.arrival_at(&number("2000000000002", "4930900002"), BEN, |number, arrival| {
            meta_face::text_message(number, arrival, "hello")
        });
        assert!(world.accept(&body).await.is_err());
        assert_eq!(engine.store().of(other_location).events(None, 9).await.expect("events").len(), 0);
        assert_eq!(engine.store().unrouted(None, 9).await.expect("rows").len(), 0);
    }

    async fn what_an_onboarding_was_given_opens_only_in_its_own_row_and_version(world: World) {
        let (engine, location_id) = (&world.engine, world.location_id);
        let mut ids = Vec::new();
        for token in ["EAAGone", "EAAGother"] {
            let given = Given {
                secrets: [("access_token", Secret::new(token))].into_iter().collect(),
                ..Given::default()
            };
            let new = NewOnboarding { route: "meta-keys".into(), name: token.into(), given };
            ids.push(engine.begin_onboarding(location_id, new).await.expect("it begins").id);
        }
        let resume = async |nth: usize| engine.continue_onboarding(location_id, ids[nth], Given::default()).await;
        resume(1).await.expect("it opens");
        let secrets = |name: &str| format!("(SELECT secrets FROM rejoinder_onboarding WHERE name = '{name}')");
        let set = |column: &str, value: &str| {
            format!("UPDATE rejoinder_onboarding SET {column} = {value} WHERE name = 'EAAGother'")
        };
        let before: String = cell(engine.store(), &format!("SELECT {}", secrets("EAAGother"))).await;
        assert!(!before.contains("EAAG"), "{before}");
        tamper(&world, &set("secrets", &secrets("EAAGone"))).await;
        assert!(matches!(resume(1).await, Err(Problem::Store(store::Error::Sealed(_)))));
        tamper(&world, &set("secrets", &format!("'{before}'"))).await;
        resume(1).await.expect("it opens again");
        // Each step seals anew: what was sealed before is of an older version.
        tamper(&world, &set("secrets", &format!("'{before}'"))).await;
        assert!(matches!(resume(1).await, Err(Problem::Store(store::Error::Sealed(_)))));
        resume(0).await.expect("the other is as it was");
    }

    async fn headers_open_only_in_their_own_row_column_location_and_version(world: World) {
        let crm = Crm::start().await;
        let engine = &world.engine;
        endpoint(engine, world.location_id, "crm", &crm.url()).await;
        endpoint(engine, world.location_id, "other", &crm.url()).await;
        world.rule(r#"
            fn on_message(chat, message) { chat.request(message.text, #{}, "told"); }
            fn told(chat, response) { chat.reply(if response.ok { "ok" } else { response.error }); }
        "#).await;
        let asks = async |name: &str| {
            world.hears(ADA, name).await;
            world.heard(ADA).pop().expect("an answer")
        };
        assert_eq!(asks("crm").await, "ok");
        let headers = |name: &str| format!("(SELECT headers FROM rejoinder_endpoint WHERE name = '{name}')");
        let set = |column: &str, value: &str| {
            format!("UPDATE rejoinder_endpoint SET {column} = {value} WHERE name = 'crm'")
        };
        let before: String = cell(engine.store(), &format!("SELECT {}", headers("crm"))).await;
        let credentials = "(SELECT credentials FROM rejoinder_channel)";
        for moved in [headers("other"), credentials.to_owned()] {
            tamper(&world, &set("headers", &moved)).await;
            assert_eq!(asks("crm").await, "unavailable", "{moved}");
            assert_eq!(asks("other").await, "ok");
        }
        tamper(&world, &set("headers", &format!("'{before}'"))).await;
        assert_eq!(asks("crm").await, "ok");
        let change = EndpointChange {
            headers: [("x-key".to_owned(), Some(Secret::new("a newer key")))].into(),
            ..EndpointChange::default()
        };
        engine.change_endpoint(world.location_id, "crm", change).await.expect("it is there");
        assert_eq!(asks("crm").await, "ok");
        tamper(&world, &set("headers", &format!("'{before}'"))).await;
        assert_eq!(asks("crm").await, "unavailable", "of an older version");
    }
}

#[test]
fn a_channel_shows_the_last_letters_of_its_credentials_and_says_when_they_do_not_open() {
    let folder = commands::folder();
    let key = commands::key(&folder);
    let run = |words: &[&str]| {
        commands::command(&folder, words)
            .env("REJOINDER_KEYS", &key)
            .env("REJOINDER_DATABASE_URL", "sqlite:test.db")
            .env("TOKEN", "EAAG-a-long-token-3f9c")
            .env("WORD", "short")
            .output()
            .expect("it runs")
    };
    assert!(run(&["migrate"]).status.success());
    let create = ["location", "create", "--name", "A", "--time-zone", "UTC"];
    assert!(run(&create).status.success());
    let channel = "--json channel create --provider meta --account 215589313241560883 --key 1068 --phone +4930901820 \
                   --name A --credential access_token=env:TOKEN --credential verify_token=env:WORD";
    let channel: Vec<&str> = channel.split_whitespace().collect();
    let output = run(&channel);
    assert!(output.status.success(), "{output:?}");
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let expected = json!({ "access_token": "…3f9c", "verify_token": "…" });
    assert_eq!(shown["credentials"], expected, "{shown}");
    let listed = run(&["--json", "channel", "list"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(listed["channels"][0]["credentials"], expected, "{listed}");

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = rejoinder_engine::store::Store::open(&url)
            .await
            .expect("it opens");
        let text = "UPDATE rejoinder_channel SET credentials_version = 9";
        store
            .connection()
            .execute_unprepared(text)
            .await
            .expect("it runs");
        store.close().await;
    });
    let output = run(&["--json", "channel", "list"]);
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(listed["channels"][0]["credentials"], json!({}), "{listed}");
    let why = listed["channels"][0]["out_of_order"]
        .as_str()
        .expect("a reason");
    assert!(why.contains("does not belong here"), "{why}");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        log.contains("ERROR") && log.contains("out of order"),
        "{log}"
    );
}
