//! Rules that call a program of somebody else's: each request is made, tried again if that may help,
//! and answered once.

use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::endpoint::Method;
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::store::RequestRow;
use rejoinder_engine::{NewEndpoint, Problem};
use reqwest::Method as HttpMethod;
use serde_json::json;

use crate::crm::Crm;
use crate::database::{Database, on_both};
use crate::house::House;
use crate::world::{ADA, BEN, World};

const LOOKUP: &str = r#"
fn on_message(chat, message) {
    chat.request("crm", #{ phone: chat.contact.phone, text: message.text }, "found");
}
fn found(chat, response) {
    if response.ok {
        chat.reply(`Hello ${response.body.name}, about ${response.request.text}: ${response.status}`);
    } else {
        chat.reply(`no: ${response.status} ${response.error} of ${response.endpoint}`);
    }
}
"#;

/// Lets the rules of a world call a program as `crm`.
async fn allow(world: &World, crm: &Crm) {
    let new = NewEndpoint {
        name: "crm".into(),
        url: crm.url(),
        method: Method::Post,
        headers: [("Authorization".to_owned(), Secret::new("Bearer hunter2"))].into(),
        timeout_ms: None,
    };
    world
        .engine
        .create_endpoint(world.location_id, new)
        .await
        .expect("an endpoint");
}

async fn requests(world: &World) -> Vec<RequestRow> {
    let store = world.engine.store().of(world.location_id);
    store.requests(None, 100).await.expect("requests")
}

async fn trace(world: &World, kind: &str) -> String {
    let events = world.events().await;
    let event = events.iter().rfind(|row| row.event.payload.kind() == kind);
    let event = event.expect("an event").event.id;
    let store = world.engine.store().of(world.location_id);
    let runs = store.runs(event).await.expect("runs");
    let lines = runs.iter().flat_map(|row| &row.run.trace);
    lines
        .map(|line| line.text.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

on_both! {
    async fn an_answer_is_an_event_that_the_named_function_hears(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(LOOKUP).await;
        crm.will_answer(201, r#"{"name":"Ms Lovelace"}"#);
        world.hears(ADA, "flats").await;
        assert_eq!(world.heard(ADA), ["Hello Ms Lovelace, about flats: 201"]);
        let heard = crm.heard().remove(0);
        assert_eq!(heard.line, "POST /leads");
        assert_eq!(heard.body, json!({ "phone": "+5511987654321", "text": "flats" }));
        assert_eq!(heard.header("authorization"), Some("Bearer hunter2"));
        let row = requests(&world).await.remove(0);
        assert_eq!(heard.header("idempotency-key"), Some(row.request.id.to_string().as_str()));
        assert_eq!((row.state.as_str(), row.status, row.fault), ("answered", Some(201), None));
        assert!(row.request.data.is_empty(), "the event has it");
        let kinds: Vec<&str> = world.events().await.iter().map(|row| row.event.payload.kind()).collect();
        assert_eq!(kinds, ["message", "response"]);
    }

    async fn without_a_name_on_response_hears_it(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(r#"
            fn on_message(chat, message) { chat.request("crm", #{ n: 1 }); }
            fn on_response(chat, response) { chat.reply(`${response.body[1]} ${type_of(response.body)}`); }
        "#).await;
        crm.will_answer(200, "[1, 2]");
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), ["2 array"]);
    }

    async fn what_is_no_json_is_a_text_and_what_says_nothing_is_nothing(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(r#"
            fn on_message(chat, message) { chat.request("crm", #{}); }
            fn on_response(chat, response) { log(response.body, response.body == (), response.ok); }
        "#).await;
        crm.will_answer(200, "<p>fine</p>");
        world.hears(ADA, "one").await;
        assert_eq!(trace(&world, "response").await, "<p>fine</p> false true");
        crm.will_answer(404, "");
        world.hears(ADA, "two").await;
        assert_eq!(trace(&world, "response").await, "() true false");
    }

    async fn what_may_help_is_tried_again_under_the_same_key(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(LOOKUP).await;
        crm.will_answer(503, "");
        crm.will_answer(429, "");
        crm.will_answer(200, r#"{"name":"Ada"}"#);
        world.hears(ADA, "flats").await;
        assert_eq!(world.heard(ADA), Vec::<String>::new());
        // Nobody waits for it: what the customer writes meanwhile is seen to.
        world.hears(BEN, "houses").await;
        assert_eq!(crm.heard().len(), 2);
        for _ in 0..4 {
            let due = world.engine.next_due().await.expect("the database works");
            let Some(due) = due else { break };
            world.wait(due.since(world.engine.now())).await;
        }
        let keys: Vec<String> = crm.heard().iter()
            .filter(|heard| heard.body["text"] == "flats")
            .map(|heard| heard.header("idempotency-key").expect("a key").to_owned())
            .collect();
        assert_eq!(keys.len(), 2, "{keys:?}");
        assert_eq!(keys[0], keys[1]);
        let rows = requests(&world).await;
        assert!(rows.iter().all(|row| row.state == "answered"), "{rows:?}");
        assert_eq!(world.engine.next_due().await.expect("the database works"), None);
    }

    async fn after_three_attempts_the_answer_is_what_it_is(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(LOOKUP).await;
        for _ in 0..3 {
            crm.will_answer(502, "bad gateway");
        }
        world.hears(ADA, "flats").await;
        world.wait(Span::seconds(4)).await;
        world.wait(Span::seconds(15)).await;
        assert_eq!(crm.heard().len(), 3);
        assert_eq!(world.heard(ADA), ["no: 502  of crm"]);
        world.wait(Span::minutes(5)).await;
        assert_eq!((crm.heard().len(), world.heard(ADA).len()), (3, 1));
    }

    async fn what_will_not_help_is_not_tried_again(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(LOOKUP).await;
        crm.will_answer(500, r#"{"message":"no"}"#);
        world.hears(ADA, "flats").await;
        assert_eq!(world.heard(ADA), ["no: 500  of crm"]);
        assert_eq!(crm.heard().len(), 1);
    }

    async fn who_is_not_there_is_unreachable_in_the_end(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(LOOKUP).await;
        drop(crm);
        tokio::task::yield_now().await;
        world.hears(ADA, "flats").await;
        world.wait(Span::seconds(4)).await;
        world.wait(Span::seconds(15)).await;
        assert_eq!(world.heard(ADA), ["no: 0 unreachable of crm"]);
    }

    async fn an_endpoint_that_nobody_allowed_is_not_called_and_the_trace_says_so(world: World) {
        let crm = Crm::start().await;
        // A rule that names an endpoint is published only where there is one; it may go afterwards.
        allow(&world, &crm).await;
        world.rule(LOOKUP).await;
        world.engine.delete_endpoint(world.location_id, "crm").await.expect("it was there");
        world.hears(ADA, "flats").await;
        assert_eq!(world.heard(ADA), ["no: 0 not_allowed of crm"]);
        assert_eq!(
            trace(&world, "message").await,
            "not called: the location has no endpoint 'crm', and the answer is not_allowed"
        );
        allow(&world, &crm).await;
        world.hears(ADA, "flats").await;
        world.engine.delete_endpoint(world.location_id, "crm").await.expect("it was there");
        world.hears(ADA, "flats").await;
        assert_eq!(crm.heard().len(), 1);
        assert_eq!(world.heard(ADA)[2], "no: 0 not_allowed of crm");
        let again = world.engine.delete_endpoint(world.location_id, "crm").await;
        assert!(matches!(again, Err(Problem::Missing("endpoint"))));
    }

    async fn an_answer_that_is_too_large_for_a_rule_is_none(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(LOOKUP).await;
        for body in [format!("{:?}", "x".repeat(100_000)), format!("{}{}", "[".repeat(100), "]".repeat(100)), "x".repeat(300_000)] {
            crm.will_answer(200, &body);
            world.hears(ADA, "flats").await;
        }
        let expected = ["no: 200 too_large of crm", "no: 200 too_large of crm", "no: 0 too_large of crm"];
        assert_eq!(world.heard(ADA), expected);
    }

    async fn an_open_request_is_made_after_a_restart(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(LOOKUP).await;
        crm.will_answer(503, "");
        world.hears(ADA, "flats").await;
        let mut world = world;
        world.restart().await;
        crm.will_answer(200, r#"{"name":"Ada"}"#);
        world.wait(Span::seconds(4)).await;
        assert_eq!(world.heard(ADA), ["Hello Ada, about flats: 200"]);
    }

    async fn an_answer_waits_while_a_person_is_in_charge(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(LOOKUP).await;
        crm.will_answer(503, "");
        crm.will_answer(200, r#"{"name":"Ada"}"#);
        world.hears(ADA, "flats").await;
        world.owner_says(ADA, "Let me see.").await;
        world.wait(Span::seconds(4)).await;
        assert_eq!(crm.heard().len(), 2, "the call is made all the same");
        assert_eq!(requests(&world).await[0].state, "held");
        world.wait(Span::hours(6)).await;
        // The owner writes again: the hold begins anew, and the answer waits on.
        world.owner_says(ADA, "Still looking.").await;
        world.wait(Span::hours(7)).await;
        assert_eq!(world.heard(ADA), Vec::<String>::new());
        let due = world.engine.next_due().await.expect("the database works").expect("a release");
        world.wait(due.since(world.engine.now())).await;
        assert_eq!(world.heard(ADA), ["Hello Ada, about flats: 200"]);
        assert_eq!(requests(&world).await[0].state, "answered");
        world.wait(Span::days(2)).await;
        assert_eq!(world.heard(ADA).len(), 1);
    }

    async fn a_rule_hears_of_an_answer_while_held_if_it_says_so(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(&format!("even_when_held();{LOOKUP}")).await;
        crm.will_answer(503, "");
        crm.will_answer(200, r#"{"name":"Ada"}"#);
        world.hears(ADA, "flats").await;
        world.owner_says(ADA, "Let me see.").await;
        world.wait(Span::seconds(4)).await;
        assert_eq!(world.heard(ADA), ["Hello Ada, about flats: 200"]);
    }

    async fn a_run_that_asks_too_often_fails_and_calls_nobody(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(r#"
            fn on_message(chat, message) { for i in 0..6 { chat.request("crm", #{ i: i }); } }
            fn on_response(chat, response) { }
        "#).await;
        world.hears(ADA, "hello").await;
        assert_eq!(crm.heard().len(), 0);
        let event = world.events().await.remove(0).event.id;
        let runs = world.engine.store().of(world.location_id).runs(event).await.expect("runs");
        assert!(format!("{:?}", runs[0].run.outcome).contains("5 times at most"), "{runs:?}");
    }

    async fn what_is_beyond_the_limit_of_open_requests_is_answered_busy(world: World) {
        let crm = Crm::start().await;
        allow(&world, &crm).await;
        world.rule(r#"
            fn on_message(chat, message) { chat.request("crm", #{}); }
            fn on_response(chat, response) { chat.reply(response.error); }
        "#).await;
        // A thousand that wait for later stand in the way.
        use sea_orm::ConnectionTrait as _;
        crm.will_answer(503, "");
        world.hears(ADA, "hello").await;
        let connection = world.engine.store().connection();
        let id = match connection.get_database_backend() {
            sea_orm::DbBackend::Postgres => "gen_random_uuid()",
            _ => "randomblob(16)",
        };
        for _ in 0..10 {
            let copies = format!(
                "INSERT INTO rejoinder_request (location_id, id, conversation_id, rule_id, event_id, endpoint, data, \
                 state, attempts, not_before, created_at) SELECT location_id, {id}, conversation_id, rule_id, event_id, \
                 endpoint, data, state, attempts, not_before + 1000000000, created_at FROM rejoinder_request"
            );
            connection.execute_unprepared(&copies).await.expect("copies");
        }
        world.hears(ADA, "hello again").await;
        assert_eq!(world.heard(ADA), ["busy"]);
        assert_eq!(crm.heard().len(), 1);
    }
}

#[tokio::test]
async fn requests_and_their_answers_by_http_and_on_a_real_clock() {
    let house = House::on(Database::sqlite().await).await;
    let crm = Crm::start().await;
    crm.will_answer(200, r#"{"name":"Ada"}"#);
    let location = json!({ "name": "Casa Lima", "time_zone": "Europe/Berlin" });
    let location = house.created("/locations", location).await;
    let path = |tail: &str| format!("/locations/{location}/{tail}");
    let endpoint = json!({ "name": "crm", "url": crm.url() });
    let (status, _) = house
        .api(HttpMethod::POST, &path("endpoints"), Some(endpoint))
        .await;
    assert!(status.is_success());
    let number = house.number(&location).await;
    house.publish(&location, LOOKUP).await;
    number
        .customer_says("Ada", "+5511987654321", "flats")
        .await
        .expect("an answer");
    let answers = tokio::time::timeout(
        std::time::Duration::from_secs(10),
        house.simulator.wait_for(1),
    );
    let answers = answers.await.expect("a reply");
    assert_eq!(answers[0].summary.text, "Hello Ada, about flats: 200");
    house.simulator.settled().await;
    let (_, listed) = house.api(HttpMethod::GET, &path("requests"), None).await;
    let row = &listed["requests"][0];
    assert_eq!(
        (
            &row["endpoint"],
            &row["state"],
            &row["status"],
            &row["data"]
        ),
        (&json!("crm"), &json!("answered"), &json!(200), &json!(null)),
        "{row}"
    );
    let one = path(&format!("requests/{}", row["id"].as_str().expect("an id")));
    let (_, shown) = house.api(HttpMethod::GET, &one, None).await;
    assert_eq!(&shown, row);
    let (_, events) = house.api(HttpMethod::GET, &path("events"), None).await;
    let mut events = events["events"].as_array().expect("events").iter();
    let event = events.find(|event| event["event"] == "response");
    let event = event.expect("the answer is an event");
    assert_eq!(
        (&event["text"], &event["body"]["status"]),
        (&json!("crm"), &json!(200))
    );
    house.close().await;
}
