//! Twilio: a sender of the account, one in a Messaging Service, and one that stands in no list.

use std::time::Duration;

use rejoinder_adapters::simulator::twilio::{Registration, TwilioAccounts};
use rejoinder_adapters::simulator::{Fault, Operation, Request, TwilioNumber};
use serde_json::{Value, json};

use super::{answer_each, once, pairs, persist, refused};
use crate::desk::{Desk, halted, states, step};

pub(crate) const ACCOUNT: &str = "AC0a1b2c3d4e5f60718293a4b5c6d7e8f9";
pub(crate) const SENDER: &str = "XE00000000000000000000000000000007";
pub(crate) const SERVICE: &str = "MG00000000000000000000000000000011";
pub(crate) const TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const CUSTOMER: &str = "+5511987654321";
const PATIENCE: Duration = Duration::from_secs(20);

/// Twilio's own error.
fn twilio_error(status: u16, code: i64, message: &str) -> Fault {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    refused(
        status,
        &json!({ "code": code, "message": message, "more_info": more_info, "status": status }),
    )
}

/// An account with one sender.
pub(crate) fn business(desk: &Desk) -> (TwilioAccounts, TwilioNumber) {
    let accounts = desk.simulator.twilio_accounts();
    accounts.account(ACCOUNT, TOKEN);
    let number = accounts.sender(SENDER, ACCOUNT, "+4930901820", "Loja Exemplo");
    desk.write("token", TOKEN);
    (accounts, number)
}

pub(crate) async fn start(desk: &Desk, more: &[&str]) -> Value {
    let account = format!("account_sid={ACCOUNT}");
    let usual = [
        "connect",
        "start",
        "twilio",
        "--name",
        "Loja",
        "--field",
        &account,
        "--credential",
        "auth_token=@token",
    ];
    desk.json(&[&usual[..], more].concat()).await
}

/// A customer writes the test word; the rule answers, and the onboarding is done.
pub(crate) async fn first_message(desk: &Desk, number: &TwilioNumber, onboarding: &Value) -> Value {
    let word = onboarding["facts"]["test_word"].as_str().expect("a word");
    let pushed = number
        .customer_says("Ana", CUSTOMER, word)
        .await
        .expect("somebody hears it");
    assert_eq!(pushed.status, 200, "{}", desk.log());
    let answers = tokio::time::timeout(PATIENCE, desk.simulator.wait_for(1)).await;
    let answers = answers.unwrap_or_else(|_| panic!("no answer: {}", desk.log()));
    assert_eq!(answers[0].summary.text, format!("You said {word}"));
    let id = onboarding["id"].as_str().expect("an id");
    let done = desk.json(&["connect", "wait", id, "--seconds", "20"]).await;
    assert_eq!(done["state"], "done", "{done}");
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_reaches_an_answered_message_though_every_step_fails_once() {
    let desk = Desk::new().await;
    let (accounts, number) = business(&desk);
    let simulator = &desk.simulator;
    simulator.grant_twilio(ACCOUNT, ACCOUNT, "secondary00secondary00secondary0");
    simulator.grant_twilio(
        ACCOUNT,
        "SK00000000000000000000000000000001",
        "key-secret-5d",
    );
    desk.write("secondary", "secondary00secondary00secondary0");
    desk.write("key_sid", "SK00000000000000000000000000000001");
    desk.write("key_secret", "key-secret-5d");
    once(
        simulator,
        "GET",
        ACCOUNT,
        twilio_error(503, 20_503, "Service Unavailable"),
    );
    once(simulator, "GET", ACCOUNT, Fault::DropUnprocessed);
    once(
        simulator,
        "GET",
        "Channels",
        twilio_error(429, 20_429, "Too Many Requests"),
    );
    once(simulator, "POST", "Channels", Fault::AcceptThenDrop);
    let list = |request: &Request<'_>| request.operation == Operation::Content;
    simulator.fault_next_when(1, list, Fault::DropUnprocessed);
    let begun = start(
        &desk,
        &[
            "--credential",
            "auth_token_secondary=@secondary",
            "--credential",
            "api_key_sid=@key_sid",
            "--credential",
            "api_key_secret=@key_secret",
        ],
    )
    .await;
    let id = begun["id"].as_str().expect("an id").to_owned();
    let (onboarding, failed) = persist(&desk, begun).await;
    assert_eq!(
        pairs(&failed),
        [
            ("account", "temporary"),
            ("account", "no_answer"),
            ("sender", "rate_limited"),
            ("webhook", "no_answer"),
            ("templates", "temporary"),
        ],
        "{onboarding}"
    );
    assert_eq!(onboarding["state"], "waiting", "{onboarding}");
    let channel = onboarding["channel_id"].as_str().expect("a channel");
    let own = format!(
        "{}/api/webhooks/twilio/{channel}#rc=3&rp=all&ct=3000&rt=5000",
        desk.public_url
    );
    let sender = accounts.sender_of(SENDER).expect("the sender");
    let webhook = &sender.details["webhook"];
    assert_eq!(
        (&webhook["callback_url"], &webhook["status_callback_url"]),
        (&json!(own), &json!(own))
    );
    for (name, _) in states(&onboarding) {
        let repeated = desk.json(&["connect", "repeat", &id, &name]).await;
        let expected = if name == "message" { "waiting" } else { "done" };
        assert_eq!(step(&repeated, &name)["state"], expected, "{repeated}");
    }
    first_message(&desk, &number, &onboarding).await;
    // Sent with the key, not with the auth token: the account's answers never stand in the evidence.
    let shown = desk.json(&["connect", "show", &id]).await.to_string();
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_in_a_messaging_service_is_heard_and_sends_by_it() {
    let desk = Desk::new().await;
    let (accounts, number) = business(&desk);
    accounts.service(SERVICE, ACCOUNT, &[SENDER]);
    once(
        &desk.simulator,
        "POST",
        "Services",
        twilio_error(500, 20_500, "Internal Server Error"),
    );
    let service = format!("messaging_service={SERVICE}");
    let begun = start(&desk, &["--field", &service]).await;
    let (onboarding, failed) = persist(&desk, begun).await;
    assert_eq!(pairs(&failed), [("webhook", "temporary")], "{onboarding}");
    first_message(&desk, &number, &onboarding).await;
    let service = accounts.service_of(SERVICE).expect("the service").details;
    assert_eq!(service["use_inbound_webhook_on_number"], false);
    let raw = desk.simulator.received()[0].raw.clone();
    assert!(
        raw.contains(&format!("MessagingServiceSid={SERVICE}")),
        "{raw}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_stands_in_no_list_is_told_where_to_paste_the_address() {
    let desk = Desk::new().await;
    let accounts = desk.simulator.twilio_accounts();
    accounts.account(ACCOUNT, TOKEN);
    desk.write("token", TOKEN);
    let begun = start(&desk, &[]).await;
    let asked = halted(&begun).expect("it asks");
    assert_eq!(
        (&asked["name"], &asked["ask"]["field"]),
        (&json!("sender"), &json!("sender")),
        "{begun}"
    );
    let id = begun["id"].as_str().expect("an id").to_owned();
    let onboarding = desk
        .json(&["connect", "resume", &id, "--field", "sender=+14155238886"])
        .await;
    let webhook = step(&onboarding, "webhook");
    let channel = onboarding["channel_id"].as_str().expect("a channel");
    let own = format!(
        "{}/api/webhooks/twilio/{channel}#rc=3&rp=all&ct=3000&rt=5000",
        desk.public_url
    );
    assert_eq!(webhook["state"], "waiting", "{onboarding}");
    assert!(
        webhook["says"]
            .as_str()
            .expect("a sentence")
            .ends_with(&own),
        "{onboarding}"
    );
    // A person pastes it.
    let number = desk.simulator.twilio_number(Registration {
        webhook_url: own,
        reach: None,
        account_sid: ACCOUNT.to_owned(),
        auth_token: TOKEN.to_owned(),
        number: "+14155238886".to_owned(),
    });
    let done = first_message(&desk, &number, &onboarding).await;
    assert_eq!(step(&done, "webhook")["state"], "done", "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_asked_for_again() {
    let desk = Desk::new().await;
    let (accounts, _) = business(&desk);
    accounts.sender(
        "XE00000000000000000000000000000008",
        ACCOUNT,
        "+4930111111",
        "Dois",
    );
    desk.write("wrong", "ffffffffffffffffffffffffffffffff");
    let begun = desk
        .json(&["connect", "start", "twilio", "--name", "Loja"])
        .await;
    let id = begun["id"].as_str().expect("an id").to_owned();
    let account = format!("account_sid={ACCOUNT}");
    let answers = [
        ["--field", "account_sid=AC123"],
        ["--field", &account],
        ["--credential", "auth_token=@wrong"],
        ["--credential", "auth_token=@token"],
        ["--field", "sender=+4930111111"],
    ];
    let (onboarding, asked) = answer_each(&desk, begun, &answers).await;
    assert_eq!(
        asked,
        [
            "account asks account_sid",
            "account not_a_sid account_sid",
            "account asks auth_token",
            "account credentials_wrong auth_token",
            "sender asks sender",
        ],
        "{onboarding}"
    );
    assert_eq!(onboarding["state"], "waiting", "{onboarding}");
    // One that is given in the wrong place is not stored in the open.
    let output = desk
        .run(&["connect", "resume", &id, "--field", "auth_token=oops"])
        .await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("must stay hidden"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_sender_is_corrected_and_heard() {
    let desk = Desk::new().await;
    let (accounts, number) = business(&desk);
    let begun = start(&desk, &["--field", "sender=+4930901886"]).await;
    let id = begun["id"].as_str().expect("an id").to_owned();
    let says = step(&begun, "sender")["says"].as_str().expect("a sentence");
    assert!(
        says.contains("+4930901820"),
        "it lists what there is: {says}"
    );
    let mistaken = begun["channel_id"].clone();
    let onboarding = desk
        .json(&["connect", "resume", &id, "--field", "sender=+4930901820"])
        .await;
    assert_eq!(onboarding["facts"]["sender"], "+4930901820", "{onboarding}");
    assert_ne!(onboarding["channel_id"], mistaken, "{onboarding}");
    let channel = onboarding["channel_id"].as_str().expect("a channel");
    let sender = accounts.sender_of(SENDER).expect("the sender");
    let called = sender.details["webhook"]["callback_url"].to_string();
    assert!(called.contains(channel), "{called}");
    first_message(&desk, &number, &onboarding).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_disconnected_here_and_connected_there() {
    let desk = Desk::new().await;
    let (_, number) = business(&desk);
    let begun = start(&desk, &["--location", "Shop"]).await;
    let channel = begun["channel_id"].as_str().expect("a channel");
    let there = [
        "location",
        "create",
        "--name",
        "There",
        "--time-zone",
        "UTC",
    ];
    desk.done(&there).await;
    let second = start(&desk, &["--location", "There"]).await;
    let refused = step(&second, "channel");
    assert_eq!(
        refused["failure"]["code"], "connected_elsewhere",
        "{second}"
    );
    let disconnect = ["channel", "disconnect", channel, "--location", "Shop"];
    let asked = desk.run(&disconnect).await;
    assert!(!asked.status.success());
    assert!(String::from_utf8_lossy(&asked.stderr).contains("--yes"));
    let gone = desk.json(&[&disconnect[..], &["--yes"]].concat()).await;
    assert_eq!(
        (&gone["enabled"], &gone["credentials"]),
        (&json!(false), &json!({}))
    );
    let again = desk.json(&[&disconnect[..], &["--yes"]].concat()).await;
    assert_eq!(again, gone, "once more changes nothing");
    let enable = ["channel", "set", channel, "--location", "Shop", "--enable"];
    let enabled = desk.run(&enable).await;
    assert!(String::from_utf8_lossy(&enabled.stderr).contains("was disconnected"));
    let report = desk.json(&["doctor", "--location", "Shop"]).await;
    assert_eq!(
        report["channels"],
        json!([]),
        "there is nothing to look after"
    );

    let rule = [
        "rule",
        "create",
        "answer.rhai",
        "--name",
        "echo",
        "--publish",
        "--location",
        "There",
    ];
    desk.done(&rule).await;
    let id = second["id"].as_str().expect("an id");
    let second = desk
        .json(&["connect", "resume", id, "--location", "There"])
        .await;
    assert_eq!(second["state"], "waiting", "{second}");
    let word = second["facts"]["test_word"].as_str().expect("a word");
    let pushed = number
        .customer_says("Ana", CUSTOMER, word)
        .await
        .expect("heard");
    assert_eq!(pushed.status, 200, "{}", desk.log());
    let answers = tokio::time::timeout(PATIENCE, desk.simulator.wait_for(1)).await;
    let answers = answers.unwrap_or_else(|_| panic!("no answer: {}", desk.log()));
    assert_eq!(answers[0].summary.text, format!("You said {word}"));
}
