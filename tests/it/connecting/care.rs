//! What can be done once, or wrong so many times only, is done with care; and what an answer changes is looked at.

use rejoinder_adapters::simulator::meta::MetaToken;
use rejoinder_engine::domain::time::Span;
use serde_json::{Value, json};

use super::meta::{NUMBER, TOKEN, WABA, business, first_message, sign_up, sign_up_by_token};
use super::{graph_error, once, twilio};
use crate::desk::{APP_ID, APP_SECRET, Desk, step};

async fn resume(desk: &Desk, onboarding: &Value, more: &[&str]) -> Value {
    let id = onboarding["id"].as_str().expect("an id");
    desk.json(&[&["connect", "resume", id][..], more].concat())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_is_tried_once_and_none_is_made_up_for_a_number_that_has_its_own() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    graph.edit_phone(NUMBER, |phone| phone.pin = Some("481502".to_owned()));
    desk.write("wrong", "000000");
    desk.write("right", "481502");
    let tried = || graph.phone_of(NUMBER).expect("the number").registrations;
    let begun = sign_up(&desk, &graph, TOKEN, &[]).await;
    assert_eq!(step(&begun, "register")["state"], "asking", "{begun}");
    assert_eq!(tried(), 0);
    let wrong = resume(&desk, &begun, &["--credential", "pin=@wrong"]).await;
    assert_eq!(step(&wrong, "register")["failure"]["code"], "pin_wrong");
    assert_eq!(tried(), 1);
    let again = resume(&desk, &begun, &[]).await;
    assert_eq!(step(&again, "register")["state"], "asking", "{again}");
    assert_eq!(tried(), 1, "Meta counts them");
    let right = resume(&desk, &begun, &["--credential", "pin=@right"]).await;
    assert_eq!(right["state"], "waiting", "{right}");
    assert_eq!(tried(), 2);
    first_message(&desk, &number, &right).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_flagged_is_not_registered_again() {
    let desk = Desk::new().await;
    let (graph, _) = business(&desk);
    graph.edit_phone(NUMBER, |phone| {
        phone.details["status"] = "FLAGGED".into();
        phone.details["platform_type"] = "CLOUD_API".into();
    });
    let begun = sign_up(&desk, &graph, TOKEN, &[]).await;
    assert_eq!(step(&begun, "register")["state"], "done", "{begun}");
    assert_eq!(graph.phone_of(NUMBER).expect("it").registrations, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phone_gives_once_is_not_asked_for_while_nobody_hears_it() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    graph.put_on_phone(NUMBER);
    let asked = || graph.phone_of(NUMBER).expect("the number").asked.len();
    graph.edit_app(APP_ID, |app| {
        app.callback_url = "https://elsewhere.example/hook".to_owned();
        app.fields = vec!["messages".to_owned()];
    });
    let begun = sign_up(&desk, &graph, TOKEN, &[]).await;
    let fields = &step(&begun, "fields")["failure"];
    assert_eq!(fields["code"], "field_missing", "{begun}");
    assert!(fields["detail"].to_string().contains("history"), "{fields}");
    // Not even if somebody takes the step alone.
    let id = begun["id"].as_str().expect("an id");
    let code = |onboarding: &Value| step(onboarding, "history")["failure"]["code"].clone();
    let repeated = desk.json(&["connect", "repeat", id, "history"]).await;
    assert_eq!(code(&repeated), "not_subscribed", "{repeated}");
    graph.edit_account(WABA, |account| {
        account.subscribed.insert(APP_ID.to_owned(), None);
    });
    let repeated = desk.json(&["connect", "repeat", id, "history"]).await;
    assert_eq!(code(&repeated), "field_missing", "{repeated}");
    graph.edit_app(APP_ID, |app| {
        let more = ["smb_message_echoes", "smb_app_state_sync", "history"];
        app.fields.extend(more.map(str::to_owned));
    });
    let repeated = desk.json(&["connect", "repeat", id, "history"]).await;
    assert_eq!(code(&repeated), "heard_elsewhere", "{repeated}");
    assert_eq!(asked(), 0);
    let onboarding = resume(&desk, &begun, &[]).await;
    assert_eq!(onboarding["state"], "waiting", "{onboarding}");
    assert_eq!(asked(), 2);
    let shared = number.shares_history(2, 1, 100, "+5511987654321", &["Oi"]);
    shared.await.expect("heard");
    first_message(&desk, &number, &onboarding).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phone_gives_no_more_holds_nothing_up() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    graph.put_on_phone(NUMBER);
    graph.edit_phone(NUMBER, |phone| {
        phone.onboarded_at = phone.onboarded_at - Span::hours(25);
    });
    let begun = sign_up(&desk, &graph, TOKEN, &[]).await;
    for name in ["contacts", "history"] {
        let step = step(&begun, name);
        assert_eq!(step["state"], "skipped", "{begun}");
        assert!(step["says"].to_string().contains("sign up again"), "{step}");
    }
    first_message(&desk, &number, &begun).await;
    // Who signs up again has another day for it.
    graph.edit_phone(NUMBER, |phone| {
        phone.onboarded_at = phone.onboarded_at + Span::hours(25);
    });
    desk.write("code", &graph.code(TOKEN, None));
    let anew = resume(&desk, &begun, &["--credential", "code=@code"]).await;
    assert_eq!(step(&anew, "contacts")["state"], "done", "{anew}");
    assert_eq!(graph.phone_of(NUMBER).expect("it").asked.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_answers_a_later_step_is_prolonged_as_well() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    graph.edit_token(TOKEN, |token| {
        token.kind = "USER".to_owned();
        token.scopes.clear();
    });
    let begun = sign_up_by_token(&desk, &[]).await;
    let failure = &step(&begun, "permissions")["failure"];
    assert_eq!(failure["code"], "permission_missing", "{begun}");
    let token = MetaToken {
        kind: "USER".to_owned(),
        ..MetaToken::of(APP_ID, &[WABA])
    };
    graph.token("EAAGsecondToken77", token);
    desk.write("second", "EAAGsecondToken77");
    let resumed = resume(&desk, &begun, &["--credential", "access_token=@second"]).await;
    assert_eq!(resumed["state"], "waiting", "{resumed}");
    let listed = desk.json(&["channel", "list"]).await;
    let kept = &listed["channels"][0]["credentials"]["access_token"];
    assert_eq!(kept, "…Long", "{listed}");
    first_message(&desk, &number, &resumed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_sent_twice_does_no_lasting_harm() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    let begun = sign_up(&desk, &graph, TOKEN, &[]).await;
    assert_eq!(begun["state"], "waiting", "{begun}");
    let again = resume(&desk, &begun, &["--credential", "code=@code"]).await;
    assert_eq!(step(&again, "token")["failure"]["code"], "code_spent");
    let onwards = resume(&desk, &begun, &[]).await;
    assert_eq!(onwards["state"], "waiting", "{onwards}");
    first_message(&desk, &number, &onwards).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_secret_is_told_to_nobody_though_meta_repeats_it() {
    let desk = Desk::new().await;
    let (graph, _) = business(&desk);
    let echo = || {
        let message = format!("Malformed access token {APP_ID}|{APP_SECRET}");
        graph_error(400, &json!({ "message": message, "code": 190 }))
    };
    once(&desk.simulator, "GET", "debug_token", echo());
    let begun = sign_up(&desk, &graph, TOKEN, &[]).await;
    let failure = &step(&begun, "permissions")["failure"];
    assert!(
        failure["detail"].to_string().contains("Malformed"),
        "{begun}"
    );
    assert!(!begun.to_string().contains(APP_SECRET), "{begun}");
    let onboarding = resume(&desk, &begun, &[]).await;
    assert_eq!(onboarding["state"], "waiting", "{onboarding}");
    once(&desk.simulator, "GET", "subscriptions", echo());
    let report = desk.run(&["doctor", "--json"]).await;
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(report.contains("Malformed"), "{report}");
    assert!(!report.contains(APP_SECRET), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_needed_can_be_left_out_again() {
    let desk = Desk::new().await;
    let (_, number) = twilio::business(&desk);
    desk.write("wrong", "ffffffffffffffffffffffffffffffff");
    desk.write("none", "");
    let wrong = ["--credential", "auth_token_secondary=@wrong"];
    let begun = twilio::start(&desk, &wrong).await;
    assert_eq!(step(&begun, "rotation")["state"], "failed", "{begun}");
    let without = ["--credential", "auth_token_secondary=@none"];
    let resumed = resume(&desk, &begun, &without).await;
    assert_eq!(step(&resumed, "rotation")["state"], "skipped", "{resumed}");
    twilio::first_message(&desk, &number, &resumed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_senders_of_one_service_are_both_heard() {
    let desk = Desk::new().await;
    let (accounts, first) = twilio::business(&desk);
    let other = "XE00000000000000000000000000000008";
    accounts.sender(other, twilio::ACCOUNT, "+4930111111", "Dois");
    accounts.service(twilio::SERVICE, twilio::ACCOUNT, &[twilio::SENDER, other]);
    let service = format!("messaging_service={}", twilio::SERVICE);
    let usual = ["--field", &service, "--field"];
    let of_first = ["sender=+4930901820", "--location", "Shop"];
    let begun = twilio::start(&desk, &[&usual[..], &of_first].concat()).await;
    assert_eq!(begun["state"], "waiting", "{begun}");
    let there = [
        "location",
        "create",
        "--name",
        "There",
        "--time-zone",
        "UTC",
    ];
    desk.done(&there).await;
    let of_other = ["sender=+4930111111", "--location", "There"];
    let second = twilio::start(&desk, &[&usual[..], &of_other].concat()).await;
    assert_eq!(second["state"], "waiting", "{second}");
    let pushed = first
        .customer_says("Ana", "+5511987654321", "still here?")
        .await;
    assert_eq!(pushed.expect("heard").status, 200, "{}", desk.log());
    desk.simulator.wait_for(1).await;
    let report = desk.run(&["doctor", "Shop", "--json"]).await;
    let report: Value = serde_json::from_slice(&report.stdout).expect("JSON");
    let findings = report["channels"][0]["findings"]
        .as_array()
        .expect("findings");
    let webhook = findings
        .iter()
        .find(|it| it["check"] == "webhook")
        .expect("it looks");
    assert_eq!(webhook["state"], "good", "{webhook}");
}
