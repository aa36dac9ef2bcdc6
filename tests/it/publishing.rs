//! Tests of rules at work: they are kept with their rule, and one that fails keeps it a draft.

use std::fs;

use rejoinder_engine::crypto::Vault;
use rejoinder_engine::domain::ids::RuleId;
use rejoinder_engine::simulate::Report;
use rejoinder_engine::store::{NewRule, Store};
use rejoinder_engine::{Engine, LocationChange, NewLocation, Problem};
use rejoinder_migrations::{Migrator, MigratorTrait};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::database::{Database, on_both};
use crate::house::House;
use crate::world::World;

const RULE: &str = r#"fn on_message(chat, message) {
    if message.mentions("price") { chat.reply(`Call ${chat.location.vars.phone}.`); }
    if message.mentions("other") { stop(); }
}
"#;
const TESTS: &str = r#"fn test_the_number_of_the_shop_is_told() {
    let customer = customer("Ada");
    customer.says("the price?");
    customer.receives("Call +49 30 1.");
}
"#;

async fn draft(world: &World, name: &str, source: &str, tests: &str) -> RuleId {
    let new = NewRule {
        name: name.into(),
        source: source.into(),
        tests: tests.into(),
        position: None,
    };
    let rule = world.engine.create_rule(world.location_id, new).await;
    rule.expect("a rule").id
}

async fn with_a_phone(world: &World) {
    world
        .configure(json!({ "vars": { "phone": "+49 30 1" } }))
        .await;
}

fn failing(problem: Problem) -> Report {
    match problem {
        Problem::Tests(report) => *report,
        other => panic!("{other}"),
    }
}

on_both! {
    async fn a_rule_whose_test_fails_stays_a_draft(world: World) {
        with_a_phone(&world).await;
        let (engine, location_id) = (&world.engine, world.location_id);
        let wrong = RULE.replace("Call", "Ring");
        let id = draft(&world, "price", &wrong, TESTS).await;
        let refused = engine.publish_rule(location_id, id).await.expect_err("a test fails");
        assert!(refused.to_string().starts_with("1 of 1 tests failed; the first: price.test.rhai:4:14"), "{refused}");
        let report = failing(refused);
        let failure = report.tests[0].failure.as_ref().expect("a failure");
        assert_eq!(failure.expected.as_deref(), Some("«Call» +49 30 1."));
        assert_eq!(failure.received.as_deref(), Some("«Ring» +49 30 1."));
        let rule = engine.store().of(location_id).rule(id).await.expect("read").expect("it is there");
        assert_eq!((rule.published, rule.tests.as_str()), (None, TESTS));

        // A better draft keeps its tests, and is published with them.
        engine.save_draft(location_id, id, RULE.into(), None).await.expect("saved");
        assert!(engine.test_rule(location_id, id).await.expect("run").passed());
        let published = engine.publish_rule(location_id, id).await.expect("published").rule;
        let version = published.published.expect("a version");
        let version = engine.store().of(location_id).rule_version(id, version).await;
        let version = version.expect("read").expect("it is there");
        assert_eq!((version.source.as_str(), version.tests.as_str()), (RULE, TESTS));

        // What runs is untouched by a later draft that fails, or whose tests do not even read.
        for (source, tests) in [(wrong.as_str(), None), (RULE, Some("fn test_it( {".to_owned()))] {
            engine.save_draft(location_id, id, source.into(), tests).await.expect("saved");
            let _ = failing(engine.publish_rule(location_id, id).await.expect_err("refused"));
        }
        let rule = engine.store().of(location_id).rule(id).await.expect("read").expect("it is there");
        assert_eq!(rule.published, Some(1));
    }

    async fn tests_run_with_the_settings_of_the_location_and_beside_its_rules(world: World) {
        with_a_phone(&world).await;
        let (engine, location_id) = (&world.engine, world.location_id);
        let change = LocationChange {
            time_zone: Some(chrono_tz::America::Lima),
            ..LocationChange::default()
        };
        engine.change_location(location_id, change).await.expect("changed");
        let other = draft(&world, "price", RULE, "").await;
        engine.publish_rule(location_id, other).await.expect("published");
        let source = "fn on_message(chat, message) { chat.reply(`${chat.location.name} ${now().hour}`); }";
        let tests = r#"fn test_where_and_when() {
                rule_before("price");
                let customer = customer("Ada");
                customer.says("another");
                customer.receives("Casa Lima 10");
                customer.says("other");
                customer.receives_nothing();
            }
            fn test_strangers_are_not_there() { rule("stranger"); }"#;
        let id = draft(&world, "clock", source, tests).await;
        let report = engine.test_rule(location_id, id).await.expect("run");
        let failed: Vec<&str> = report.tests.iter().filter(|test| !test.passed()).map(|test| test.name.as_str()).collect();
        assert_eq!(failed, ["test_strangers_are_not_there"]);
        // Nothing of it happened in the location itself.
        assert!(world.events().await.is_empty() && world.deliveries().await.is_empty());
    }
}

#[tokio::test]
async fn a_host_without_tables_for_worlds_publishes_without_tests_only() {
    let database = Database::sqlite().await;
    let store = Store::open(&database.url).await.expect("it opens");
    Migrator::up(store.connection(), None)
        .await
        .expect("the tables are made");
    let vault = Vault::from_ring(&Vault::generate_ring("test")).expect("a ring");
    let engine = Engine::on(store)
        .vault(vault)
        .build()
        .await
        .expect("an engine");
    let new = NewLocation {
        name: "Casa Lima".into(),
        time_zone: chrono_tz::Europe::Berlin,
        settings: Default::default(),
    };
    let location = engine.create_location(new).await.expect("a location").id;
    let new = |name: &str, tests: &str| NewRule {
        name: name.into(),
        source: "fn on_message(chat, message) {}".into(),
        tests: tests.into(),
        position: None,
    };
    let tested = engine
        .create_rule(location, new("tested", TESTS))
        .await
        .expect("a rule");
    let refused = engine
        .publish_rule(location, tested.id)
        .await
        .expect_err("refused");
    assert!(refused.to_string().contains("`.scratch(…)`"), "{refused}");
    let plain = engine
        .create_rule(location, new("plain", ""))
        .await
        .expect("a rule");
    engine
        .publish_rule(location, plain.id)
        .await
        .expect("published");
}

#[tokio::test]
async fn rules_and_their_tests_by_http() {
    let house = House::on(Database::sqlite().await).await;
    let location = house
        .created(
            "/locations",
            json!({ "name": "Casa Lima", "time_zone": "Europe/Berlin" }),
        )
        .await;
    let rules = format!("/locations/{location}/rules");
    let source = RULE.replace("${chat.location.vars.phone}", "us");
    let body = json!({ "name": "price", "source": source, "tests": TESTS });
    let rule = house.created(&rules, body).await;
    let rule = format!("{rules}/{rule}");

    let (status, shown) = house.api(Method::GET, &rule, None).await;
    assert_eq!((status, &shown["tests"]), (StatusCode::OK, &json!(TESTS)));
    let (status, report) = house.api(Method::POST, &format!("{rule}/test"), None).await;
    assert_eq!((status, &report["passed"]), (StatusCode::OK, &json!(false)));
    let failure = &report["tests"][0]["failure"];
    assert_eq!(failure["file"], "price.test.rhai");
    assert_eq!(
        (&failure["line"], &failure["column"]),
        (&json!(4), &json!(14))
    );
    assert_eq!(failure["received"], "Call «us.»");
    assert!(
        failure["story"][0]
            .as_str()
            .expect("a line")
            .ends_with("Ada: the price?")
    );

    let (status, refused) = house
        .api(Method::POST, &format!("{rule}/publish"), None)
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused["error"]["code"], "tests");
    assert_eq!(refused["error"]["report"]["tests"][0]["passed"], false);

    let body = json!({ "source": source, "tests": TESTS.replace("+49 30 1.", "us.") });
    let (status, _) = house.api(Method::PUT, &rule, Some(body)).await;
    assert_eq!(status, StatusCode::OK);
    let (status, published) = house
        .api(Method::POST, &format!("{rule}/publish"), None)
        .await;
    assert_eq!(
        (status, &published["published"]),
        (StatusCode::OK, &json!(1))
    );
    house.close().await;
}

#[test]
fn the_program_takes_the_tests_beside_a_script_along() {
    use crate::commands::{command, complains, folder, key};
    let folder = folder();
    let key = key(&folder);
    let run = |words: &[&str]| {
        let output = command(&folder, words).env("REJOINDER_KEYS", &key).output();
        output.expect("it runs")
    };
    let says = |words: &[&str]| {
        let output = run(words);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {told}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    says(&["migrate"]);
    says(&[
        "location",
        "create",
        "--name",
        "Casa Lima",
        "--time-zone",
        "Europe/Berlin",
    ]);
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("written");
    };
    let source = RULE.replace("${chat.location.vars.phone}", "us");
    write("price.rhai", &source);
    write("price.test.rhai", TESTS);
    let refused = run(&[
        "rule",
        "create",
        "--name",
        "price",
        "--publish",
        "price.rhai",
    ]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    complains(&refused, &["price stays a draft", "1 of 1 tests failed"]);
    assert!(told.contains("received: Call «us.»"), "{told}");
    assert_eq!(run(&["rule", "test", "price"]).status.code(), Some(1));

    // The same tests in files, without a database.
    let output = run(&["test", "price.rhai"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        told.contains("FAILED  test_the_number_of_the_shop_is_told"),
        "{told}"
    );
    assert!(told.contains("1 tests: 0 ok, 1 FAILED, in "), "{told}");
    assert_eq!(run(&["test", "nowhere"]).status.code(), Some(2));
    let told = says(&["test", "price.rhai", "--filter", "no such test"]);
    assert!(told.contains("0 tests: 0 ok"), "{told}");
    write("location.toml", "langage = 'es'");
    let output = run(&["test", "price.rhai"]);
    assert_eq!(output.status.code(), Some(2));
    complains(&output, &["location.toml", "langage"]);
    fs::remove_file(folder.path().join("location.toml")).expect("removed");

    write("price.test.rhai", &TESTS.replace("+49 30 1.", "us."));
    assert!(says(&["rule", "publish", "price", "price.rhai"]).contains("published"));
    assert!(says(&["rule", "test", "price"]).contains("ok"));
    assert!(says(&["test"]).contains("1 tests: 1 ok, in "));
    let json: serde_json::Value = serde_json::from_str(&says(&["test", "--json"])).expect("JSON");
    assert_eq!(json["passed"], true);
    assert_eq!(
        json["files"][0]["tests"][0]["name"],
        "test_the_number_of_the_shop_is_told"
    );
}
