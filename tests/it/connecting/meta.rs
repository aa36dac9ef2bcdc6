//! Meta's Embedded Signup: with a code and with a token, on a phone as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rejoinder_adapters::simulator::meta::{MetaApp, MetaGraph, MetaToken};
use rejoinder_adapters::simulator::{Fault, MetaNumber, Operation, Request};
use rejoinder_engine::domain::time::Span;
use serde_json::{Value, json};

use super::{graph_error, once, pairs, persist};
use crate::desk::{APP_ID, APP_SECRET, Desk, states, step};

pub(crate) const WABA: &str = "215589313241560883";
pub(crate) const NUMBER: &str = "106853218861309";
pub(crate) const TOKEN: &str = "EAAGbusinessToken5e1f";
const CUSTOMER: &str = "+5511987654321";
/// How long an answer may take by the real clock.
const PATIENCE: Duration = Duration::from_secs(20);

/// The fields that the server's app should hear of.
const FIELDS: [&str; 11] = [
    "messages",
    "message_template_status_update",
    "template_category_update",
    "phone_number_quality_update",
    "phone_number_name_update",
    "account_update",
    "user_preferences",
    "security",
    "smb_message_echoes",
    "smb_app_state_sync",
    "history",
];

/// A business with one account and one number, and a token of the server's app for it.
pub(crate) fn business(desk: &Desk) -> (MetaGraph, MetaNumber) {
    let graph = desk.simulator.meta_graph();
    graph.app(MetaApp {
        id: APP_ID.to_owned(),
        secret: APP_SECRET.to_owned(),
        ..MetaApp::default()
    });
    graph.account(WABA, "Loja Exemplo", "2329417887457253");
    let number = graph.phone(NUMBER, WABA, "+49 30 901820", "Loja Exemplo");
    graph.token(TOKEN, MetaToken::of(APP_ID, &[WABA]));
    (graph, number)
}

/// Begins a sign-up with a code for `token`.
pub(crate) async fn sign_up(desk: &Desk, graph: &MetaGraph, token: &str, more: &[&str]) -> Value {
    desk.write("code", &graph.code(token, None));
    begin(desk, &[&["--credential", "code=@code"][..], more].concat()).await
}

/// Begins a sign-up with a token, as some configurations give one.
pub(crate) async fn sign_up_by_token(desk: &Desk, more: &[&str]) -> Value {
    desk.write("token", TOKEN);
    begin(
        desk,
        &[&["--credential", "access_token=@token"][..], more].concat(),
    )
    .await
}

/// Begins a sign-up.
pub(crate) async fn begin(desk: &Desk, more: &[&str]) -> Value {
    let usual = ["connect", "start", "meta-signup", "--name", "Loja"];
    desk.json(&[&usual[..], more].concat()).await
}

/// A customer writes the test word; the rule answers, and the onboarding is done.
pub(crate) async fn first_message(desk: &Desk, number: &MetaNumber, onboarding: &Value) {
    let word = onboarding["facts"]["test_word"].as_str().expect("a word");
    let pushed = number
        .customer_says("Ana", CUSTOMER, word)
        .await
        .expect("somebody hears it");
    assert_eq!(pushed.status, 200);
    let answers = tokio::time::timeout(PATIENCE, desk.simulator.wait_for(1)).await;
    let answers = answers.unwrap_or_else(|_| panic!("no answer: {}", desk.log()));
    assert_eq!(answers[0].summary.text, format!("You said {word}"));
    let id = onboarding["id"].as_str().expect("an id");
    let done = desk.json(&["connect", "wait", id, "--seconds", "20"]).await;
    assert_eq!(done["state"], "done", "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_up_with_a_code_reaches_an_answered_message_though_every_step_fails_once() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    let simulator = &desk.simulator;
    let temporary = json!({ "message": "Service temporarily unavailable", "type": "OAuthException", "code": 2,
        "is_transient": true, "fbtrace_id": "AbCtemp" });
    once(
        simulator,
        "GET",
        "access_token",
        graph_error(503, &temporary),
    );
    once(simulator, "GET", "debug_token", Fault::DropUnprocessed);
    once(
        simulator,
        "GET",
        "node",
        graph_error(
            500,
            &json!({ "message": "An unknown error occurred", "code": 1 }),
        ),
    );
    once(
        simulator,
        "GET",
        "phone_numbers",
        graph_error(
            400,
            &json!({
        "message": "(#80007) There have been too many calls to this WhatsApp Business account. Wait a bit and try again.",
        "type": "OAuthException", "code": 80_007, "fbtrace_id": "AbCrate" }),
        ),
    );
    once(simulator, "POST", "subscriptions", Fault::AcceptThenDrop);
    once(simulator, "POST", "subscribed_apps", Fault::AcceptThenDrop);
    once(simulator, "POST", "register", Fault::AcceptThenDrop);
    let list = |request: &Request<'_>| request.operation == Operation::Content;
    simulator.fault_next_when(1, list, Fault::EmptyServerError);
    let begun = sign_up(
        &desk,
        &graph,
        TOKEN,
        &[
            "--field",
            "event=FINISH",
            "--field",
            &format!("waba_id={WABA}"),
        ],
    )
    .await;
    let id = begun["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        step(&begun, "token")["failure"]["request_id"],
        "AbCtemp",
        "{begun}"
    );
    let (onboarding, failed) = persist(&desk, begun).await;
    assert_eq!(
        pairs(&failed),
        [
            ("token", "temporary"),
            ("permissions", "no_answer"),
            ("account", "temporary"),
            ("number", "rate_limited"),
            ("fields", "no_answer"),
            ("subscribe", "no_answer"),
            ("register", "no_answer"),
            ("templates", "temporary"),
        ],
        "{onboarding}"
    );
    // What was done although its answer was lost is found to be done, and not done again.
    let phone = graph.phone_of(NUMBER).expect("the number");
    assert_eq!(
        (phone.registrations, &phone.details["status"]),
        (1, &json!("CONNECTED"))
    );
    let account = graph.account_of(WABA).expect("the account");
    let shared = format!("{}/api/webhooks/whatsapp", desk.public_url);
    assert_eq!(account.subscribed.get(APP_ID), Some(&Some(shared)));
    assert_eq!(onboarding["state"], "waiting", "{onboarding}");
    let skipped = ["contacts", "history"].map(|name| step(&onboarding, name)["state"].clone());
    assert_eq!(skipped, ["skipped", "skipped"]);

    // Each step repeated alone does no harm.
    for (name, _) in states(&onboarding) {
        // The code worked once; the token that came of it is a system user's.
        let repeated = desk.json(&["connect", "repeat", &id, &name]).await;
        let state = step(&repeated, &name)["state"].clone();
        let expected = if name == "message" { "waiting" } else { "done" };
        assert!(
            state == expected || state == "skipped",
            "{name}: {repeated}"
        );
    }
    assert_eq!(graph.phone_of(NUMBER).expect("the number").registrations, 1);
    assert!(
        graph.account_of(WABA).expect("it").subscribed[APP_ID].is_some(),
        "the override is there"
    );
    first_message(&desk, &number, &onboarding).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_up_with_a_token_on_a_phone_brings_its_past_along() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    graph.put_on_phone(NUMBER);
    graph.edit_app(APP_ID, |app| {
        app.callback_url = format!("{}/api/webhooks/whatsapp", desk.public_url);
        app.fields = FIELDS.map(str::to_owned).into();
    });
    graph.edit_token(TOKEN, |token| token.kind = "USER".to_owned());
    let simulator = &desk.simulator;
    once(simulator, "POST", "smb_app_data", Fault::AcceptThenDrop);
    // The event of such a sign-up tells the account only, and here not even that.
    let begun = sign_up_by_token(
        &desk,
        &["--field", "event=FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING"],
    )
    .await;
    let (onboarding, failed) = persist(&desk, begun).await;
    assert_eq!(pairs(&failed), [("contacts", "no_answer")], "{onboarding}");
    assert_eq!(
        step(&onboarding, "contacts")["state"],
        "done",
        "{onboarding}"
    );
    assert_eq!(
        step(&onboarding, "history")["state"],
        "waiting",
        "{onboarding}"
    );
    let phone = graph.phone_of(NUMBER).expect("the number");
    assert_eq!(
        phone.registrations, 0,
        "a number on a phone is never registered"
    );
    assert_eq!(phone.asked.len(), 2);

    // The past comes in phases, in any order.
    let id = onboarding["id"].as_str().expect("an id").to_owned();
    number
        .shares_history(1, 1, 60, CUSTOMER, &["Bom dia"])
        .await
        .expect("heard");
    let looked = desk.json(&["connect", "resume", &id]).await;
    let says = step(&looked, "history")["says"]
        .as_str()
        .expect("a sentence")
        .to_owned();
    assert!(says.contains("90 days") && says.contains("60 %"), "{says}");
    number
        .shares_history(2, 2, 100, CUSTOMER, &["Oi"])
        .await
        .expect("heard");
    let looked = desk.json(&["connect", "resume", &id]).await;
    assert_eq!(step(&looked, "history")["state"], "done", "{looked}");
    assert!(
        simulator.received().is_empty(),
        "the past is answered by no rule"
    );
    first_message(&desk, &number, &looked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_business_that_keeps_its_history_is_connected_all_the_same() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    graph.put_on_phone(NUMBER);
    let begun = sign_up(&desk, &graph, TOKEN, &[]).await;
    let id = begun["id"].as_str().expect("an id").to_owned();
    number.declines_history().await.expect("heard");
    let looked = desk.json(&["connect", "resume", &id]).await;
    let history = step(&looked, "history");
    assert_eq!(history["state"], "skipped", "{looked}");
    assert!(
        history["says"]
            .as_str()
            .expect("a sentence")
            .contains("not to share"),
        "{looked}"
    );
    first_message(&desk, &number, &looked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_does_not_answer_in_time_is_asked_again() {
    let desk = Desk::new().await;
    let (graph, _) = business(&desk);
    once(
        &desk.simulator,
        "GET",
        "debug_token",
        Fault::Delay(Span::seconds(9)),
    );
    let begun = sign_up(&desk, &graph, TOKEN, &[]).await;
    assert_eq!(
        step(&begun, "permissions")["failure"]["code"],
        "no_answer",
        "{begun}"
    );
    let (onboarding, failed) = persist(&desk, begun).await;
    assert_eq!(failed.len(), 1);
    assert_eq!(onboarding["state"], "waiting", "{onboarding}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_learnt_is_kept_though_another_process_was_at_it_as_well() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    desk.write("code", &graph.code(TOKEN, None));
    let is_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_asked);
    let is_first = move |request: &Request<'_>| {
        request.text == "access_token" && !asked.swap(true, Ordering::SeqCst)
    };
    let slow = Fault::Delay(Span::seconds(3));
    desk.simulator.fault_next_when(1, is_first, slow);
    let usual = ["connect", "start", "meta-signup", "--name", "Loja"];
    let mut first = desk.begin(&[&usual[..], &["--credential", "code=@code"]].concat());
    let began = std::time::Instant::now();
    while !is_asked.load(Ordering::SeqCst) {
        assert!(began.elapsed() < PATIENCE, "it gets that far");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let down = graph_error(503, &json!({ "message": "Try again", "code": 2 }));
    once(&desk.simulator, "GET", "access_token", down);
    let listed = desk.json(&["connect", "list"]).await;
    let id = listed["onboardings"][0]["id"].as_str().expect("an id");
    let second = desk.json(&["connect", "resume", id]).await;
    assert_eq!(step(&second, "token")["state"], "failed", "{second}");
    let first = first.wait().expect("it ends");
    assert!(!first.success(), "it says that it does not go on");
    // The code is used up: without the token of the first there would be none.
    let resumed = desk.json(&["connect", "resume", id]).await;
    assert_eq!(step(&resumed, "token")["state"], "done", "{resumed}");
    first_message(&desk, &number, &resumed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_on_the_way_goes_on_from_there() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    desk.write("code", &graph.code(TOKEN, None));
    // Meta registers the number, and whoever asked for it is gone by then.
    let slow = Fault::Delay(Span::seconds(2));
    once(&desk.simulator, "POST", "register", slow);
    let usual = ["connect", "start", "meta-signup", "--name", "Loja"];
    let mut killed = desk.begin(&[&usual[..], &["--credential", "code=@code"]].concat());
    let began = std::time::Instant::now();
    while desk
        .simulator
        .meta_graph()
        .account_of(WABA)
        .expect("it")
        .subscribed
        .is_empty()
    {
        assert!(began.elapsed() < PATIENCE, "it gets that far");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    killed.kill().expect("it is there");
    killed.wait().expect("it ends");
    let listed = desk.json(&["connect", "list"]).await;
    let onboarding = &listed["onboardings"][0];
    assert_eq!(
        step(onboarding, "override")["state"],
        "done",
        "{onboarding}"
    );
    assert_eq!(
        step(onboarding, "register")["state"],
        "open",
        "{onboarding}"
    );
    while graph.phone_of(NUMBER).expect("the number").registrations == 0 {
        assert!(began.elapsed() < PATIENCE, "Meta registers it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let id = onboarding["id"].as_str().expect("an id");
    let resumed = desk.json(&["connect", "resume", id]).await;
    assert_eq!(resumed["state"], "waiting", "{resumed}");
    assert_eq!(graph.phone_of(NUMBER).expect("the number").registrations, 1);
    first_message(&desk, &number, &resumed).await;
}
