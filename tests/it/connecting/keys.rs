//! Meta, where a person says more: which account and number, or the keys of an app of one's own.

use rejoinder_adapters::simulator::meta::{MetaApp, MetaToken, Portfolios};
use serde_json::json;

use super::answer_each;
use super::meta::{NUMBER, TOKEN, WABA, business, first_message, sign_up};
use crate::desk::{APP_ID, Desk, step};

#[tokio::test(flavor = "multi_thread")]
async fn where_there_are_several_the_operator_chooses() {
    let desk = Desk::new().await;
    let (graph, _) = business(&desk);
    graph.account("300000000000001", "Loja Dois", "2329417887457253");
    graph.phone(
        "400000000000001",
        "300000000000001",
        "+49 30 111111",
        "Dois A",
    );
    let number = graph.phone(
        "400000000000002",
        "300000000000001",
        "+49 30 222222",
        "Dois B",
    );
    graph.token(
        "EAAGwalker",
        MetaToken {
            portfolios: Portfolios::Listed,
            ..MetaToken::of(APP_ID, &[WABA, "300000000000001"])
        },
    );
    let begun = sign_up(&desk, &graph, "EAAGwalker", &[]).await;
    let id = begun["id"].as_str().expect("an id").to_owned();
    let ask = &step(&begun, "account")["ask"];
    assert_eq!(ask["field"], "waba_id", "{begun}");
    assert_eq!(
        ask["options"][1],
        json!({ "value": "300000000000001", "label": "Loja Dois" })
    );
    let asked = desk
        .json(&[
            "connect",
            "resume",
            &id,
            "--field",
            "waba_id=300000000000001",
        ])
        .await;
    let ask = &step(&asked, "number")["ask"];
    assert_eq!(
        ask["options"][1]["label"], "+49 30 222222 Dois B",
        "{asked}"
    );
    let onboarding = desk
        .json(&[
            "connect",
            "resume",
            &id,
            "--field",
            "phone_number_id=400000000000002",
        ])
        .await;
    assert_eq!(onboarding["state"], "waiting", "{onboarding}");
    first_message(&desk, &number, &onboarding).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_by_hand_are_checked_as_they_are_given() {
    // The server has no app: the number comes with its own.
    let desk = Desk::with(&[
        ("REJOINDER_META_APP_ID", ""),
        ("REJOINDER_META_APP_SECRET", ""),
        ("REJOINDER_META_VERIFY_TOKEN", ""),
    ])
    .await;
    let graph = desk.simulator.meta_graph();
    graph.app(MetaApp {
        id: "111222333".to_owned(),
        secret: "own-app-secret-77aa".to_owned(),
        ..MetaApp::default()
    });
    graph.account(WABA, "Loja Exemplo", "2329417887457253");
    let number = graph.phone(NUMBER, WABA, "+49 30 901820", "Loja Exemplo");
    graph.edit_phone(NUMBER, |phone| phone.pin = Some("481502".to_owned()));
    graph.token(TOKEN, MetaToken::of("111222333", &[WABA]));
    for (name, text) in [
        ("wrong_token", "EAAGwrongTokenWrongToken"),
        ("token", TOKEN),
        ("wrong_secret", "not-the-secret-of-it"),
        ("secret", "own-app-secret-77aa"),
        ("wrong_pin", "000000"),
        ("pin", "481502"),
    ] {
        desk.write(name, text);
    }
    let begun = desk
        .json(&["connect", "start", "meta-keys", "--name", "Loja"])
        .await;
    let answers = [
        ["--credential", "access_token=@wrong_token"],
        ["--credential", "access_token=@token"],
        ["--credential", "app_secret=@wrong_secret"],
        ["--credential", "app_secret=@secret"],
        ["--credential", "pin=@wrong_pin"],
        ["--credential", "pin=@pin"],
    ];
    let (onboarding, asked) = answer_each(&desk, begun, &answers).await;
    assert_eq!(
        asked,
        [
            "permissions asks access_token",
            "permissions token_invalid access_token",
            "secret asks app_secret",
            "secret app_secret_wrong app_secret",
            // None is made up for a number that has its own.
            "register asks pin",
            "register pin_wrong pin",
        ],
        "{onboarding}"
    );
    assert_eq!(onboarding["state"], "waiting", "{onboarding}");
    let channel = onboarding["channel_id"].as_str().expect("a channel");
    let own = format!("{}/api/webhooks/whatsapp/{channel}", desk.public_url);
    let place = |id| {
        graph.phone_of(id).expect("the number").details["webhook_configuration"]["phone_number"]
            .clone()
    };
    assert_eq!(place(NUMBER), own.as_str());
    first_message(&desk, &number, &onboarding).await;

    // Another number of the account, in another location: each goes on to hear what is its own.
    let other = graph.phone("106853218861310", WABA, "+49 30 901821", "Loja Dois");
    desk.done(&["location", "create", "--name", "Dois", "--time-zone", "UTC"])
        .await;
    let second = [
        "connect",
        "start",
        "meta-keys",
        "--name",
        "Dois",
        "--location",
        "Dois",
        "--credential",
        "access_token=@token",
        "--credential",
        "app_secret=@secret",
        "--field",
        "phone_number_id=106853218861310",
    ];
    let second = desk.json(&second).await;
    assert_eq!(second["state"], "waiting", "{second}");
    let channel = second["channel_id"].as_str().expect("a channel");
    assert!(
        place("106853218861310").to_string().contains(channel),
        "{second}"
    );
    assert_eq!(place(NUMBER), own.as_str());
    let word = second["facts"]["test_word"].as_str().expect("a word");
    for (number, text) in [(&number, "still here?"), (&other, word)] {
        let pushed = number
            .customer_says("Ana", "+5511987654321", text)
            .await
            .expect("heard");
        assert_eq!(pushed.status, 200, "{}", desk.log());
    }
    let id = second["id"].as_str().expect("an id");
    let wait = [
        "connect",
        "wait",
        id,
        "--seconds",
        "20",
        "--location",
        "Dois",
    ];
    assert_eq!(desk.json(&wait).await["state"], "done");
    let report = desk.run(&["doctor", "Dois", "--all", "--json"]).await;
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).expect("JSON");
    let findings = report["channels"][0]["findings"]
        .as_array()
        .expect("findings");
    for check in ["override", "webhook_fields"] {
        let found = findings.iter().find(|finding| finding["check"] == check);
        let found = found.expect("it looks");
        assert_eq!(found["state"], "good", "{found}");
    }
    let unrouted = desk.json(&["unrouted", "list"]).await;
    assert!(!unrouted.to_string().contains("still here?"), "{unrouted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_corrected_later_is_looked_at_again_with_all_that_came_of_it() {
    let desk = Desk::new().await;
    let (graph, _) = business(&desk);
    graph.account("300000000000001", "Loja Dois", "2329417887457253");
    let number = graph.phone(
        "400000000000002",
        "300000000000001",
        "+49 30 222222",
        "Dois",
    );
    graph.token(TOKEN, MetaToken::of(APP_ID, &[WABA, "300000000000001"]));
    desk.write("token", TOKEN);
    let usual = ["connect", "start", "meta-keys", "--name", "Loja"];
    let account = format!("waba_id={WABA}");
    let more = ["--credential", "access_token=@token", "--field", &account];
    let begun = desk.json(&[&usual[..], &more].concat()).await;
    assert_eq!(begun["state"], "waiting", "{begun}");
    assert_eq!(begun["facts"]["phone_number_id"], NUMBER);
    let id = begun["id"].as_str().expect("an id").to_owned();
    let other = "waba_id=300000000000001";
    let onboarding = desk
        .json(&["connect", "resume", &id, "--field", other])
        .await;
    assert_eq!(onboarding["state"], "waiting", "{onboarding}");
    assert_eq!(onboarding["facts"]["phone_number_id"], "400000000000002");
    assert_ne!(onboarding["channel_id"], begun["channel_id"]);
    first_message(&desk, &number, &onboarding).await;

    // A new token reaches the channel, also after all was done.
    graph.token(
        "EAAGrenewedToken9z9z",
        MetaToken::of(APP_ID, &["300000000000001"]),
    );
    desk.write("renewed", "EAAGrenewedToken9z9z");
    let renewed = [
        "connect",
        "resume",
        &id,
        "--credential",
        "access_token=@renewed",
    ];
    let renewed = desk.json(&renewed).await;
    assert_eq!(renewed["state"], "done", "{renewed}");
    let listed = desk.json(&["channel", "list"]).await.to_string();
    assert!(listed.contains("9z9z"), "{listed}");
    let again = desk
        .json(&[
            "connect",
            "resume",
            &id,
            "--credential",
            "access_token=@renewed",
        ])
        .await;
    let attempts = |onboarding: &serde_json::Value| step(onboarding, "account")["attempts"].clone();
    assert_eq!(
        attempts(&again),
        attempts(&renewed),
        "the same again changes nothing"
    );
}
