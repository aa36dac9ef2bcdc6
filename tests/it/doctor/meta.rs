//! Meta: what can be wrong with a token, an app, an account and a number, each as Meta shows it.

use rejoinder_adapters::simulator::meta::{MetaGraph, MetaToken};
use rejoinder_adapters::simulator::{Fault, MetaNumber};
use rejoinder_engine::domain::time::Span;
use reqwest::Method;
use serde_json::{Value, json};

use super::{finding, look, mend, stands, troubles};
use crate::connecting::meta::{NUMBER, TOKEN, WABA, business, first_message, sign_up};
use crate::desk::{APP_ID, Desk, step};

/// A number that was signed up, and heard of.
async fn connected(desk: &Desk) -> (MetaGraph, MetaNumber) {
    let (graph, number) = business(desk);
    connect(desk, &graph, &number).await;
    (graph, number)
}

async fn connect(desk: &Desk, graph: &MetaGraph, number: &MetaNumber) {
    let begun = sign_up(desk, graph, TOKEN, &[]).await;
    assert_eq!(begun["state"], "waiting", "{begun}");
    if step(&begun, "history")["state"] == "waiting" {
        let all = number.shares_history(2, 1, 100, "+5511912345678", &["Oi"]);
        all.await.expect("heard");
    }
    first_message(desk, number, &begun).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_in_order_has_nothing_bad_to_tell() {
    let desk = Desk::new().await;
    let visit = json!({ "id": "1", "name": "visit", "language": "en", "status": "APPROVED", "category": "UTILITY",
        "components": [{ "type": "BODY", "text": "We visit you." }] });
    connected(&desk).await;
    let report = look(&desk).await;
    assert_eq!(troubles(&report), ["templates"], "{report}");
    desk.simulator.meta_template(WABA, visit);
    let report = mend(&desk, &report, "templates").await;
    assert_eq!(troubles(&report), Vec::<String>::new(), "{report}");
    assert_eq!(report["server"][0]["state"], "good", "{report}");
    for check in [
        "token",
        "permissions",
        "clock",
        "subscription",
        "override",
        "webhook_fields",
        "number_status",
        "phone_app",
        "verification",
        "name",
        "quality",
        "tier",
        "throughput",
        "health",
        "account_review",
        "business_verification",
        "connection",
        "last_webhook",
        "signature",
        "deliveries",
    ] {
        stands(&report, check, "good", &[]);
    }
    // People see what is wrong, and are told how much is well.
    let shown = desk.done(&["doctor"]).await;
    assert!(shown.contains("check(s); --all shows them"), "{shown}");
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mobile_app_is_disconnected() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    graph.put_on_phone(NUMBER);
    connect(&desk, &graph, &number).await;
    let report = look(&desk).await;
    stands(&report, "history", "good", &["all of the history"]);
    stands(&look(&desk).await, "phone_app", "good", &["on the phone"]);
    graph.edit_phone(NUMBER, |phone| {
        phone.details["is_on_biz_app"] = false.into();
        phone.details["status"] = "DISCONNECTED".into();
    });
    let told = json!({ "event": "PARTNER_REMOVED",
        "waba_info": { "waba_id": WABA, "owner_business_id": "2329417887457253" },
        "disconnection_info": { "reason": "PRIMARY_INACTIVITY", "initiated_by": "SYSTEM" } });
    number.news("account_update", &told).await.expect("heard");
    let report = look(&desk).await;
    stands(
        &report,
        "phone_app",
        "bad",
        &["mobile app is disconnected", "14 days"],
    );
    stands(
        &report,
        "number_status",
        "bad",
        &["DISCONNECTED", "sign up again"],
    );
    // A number that stays on its phone must never be registered.
    let status = finding(&report, "number_status");
    assert!(status["action"].is_null(), "{status}");
    stands(
        &report,
        "connection",
        "bad",
        &["PARTNER_REMOVED", "PRIMARY_INACTIVITY"],
    );
    number
        .news("account_update", &json!({ "event": "ACCOUNT_RECONNECTED" }))
        .await
        .expect("heard");
    stands(
        &look(&desk).await,
        "connection",
        "good",
        &["ACCOUNT_RECONNECTED"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_and_the_business_are_unverified() {
    let desk = Desk::new().await;
    let (graph, _) = connected(&desk).await;
    graph.edit_phone(NUMBER, |phone| {
        phone.details["code_verification_status"] = "NOT_VERIFIED".into();
        phone.details["status"] = "PENDING".into();
    });
    graph.edit_account(WABA, |account| {
        account.details["business_verification_status"] = "not_verified".into();
    });
    let report = look(&desk).await;
    stands(
        &report,
        "verification",
        "bad",
        &["NOT_VERIFIED", "WhatsApp Manager"],
    );
    stands(
        &report,
        "business_verification",
        "warning",
        &["unverified", "250"],
    );
    // Registering is offered, and says why it does not work yet.
    stands(&report, "number_status", "bad", &["register"]);
    let channel = report["channels"][0]["channel_id"]
        .as_str()
        .expect("a channel")
        .to_owned();
    let output = desk
        .run(&["doctor", "--channel", &channel, "--fix", "register"])
        .await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("verified first"), "{told}");
    graph.edit_phone(NUMBER, |phone| {
        phone.details["code_verification_status"] = "VERIFIED".into();
    });
    let report = mend(&desk, &report, "number_status").await;
    stands(&report, "number_status", "good", &["CONNECTED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_not_syncing() {
    let desk = Desk::new().await;
    let (graph, number) = connected(&desk).await;
    graph.edit_app(APP_ID, |app| app.fields.retain(|field| field != "messages"));
    graph.edit_account(WABA, |account| account.subscribed.clear());
    let report = look(&desk).await;
    stands(
        &report,
        "webhook_fields",
        "bad",
        &["messages are not syncing"],
    );
    stands(&report, "subscription", "bad", &["not subscribed"]);
    let report = mend(&desk, &report, "webhook_fields").await;
    stands(&report, "webhook_fields", "good", &[]);
    let report = mend(&desk, &report, "subscription").await;
    // That clears the account's own address.
    stands(&report, "override", "warning", &["dashboard"]);
    let report = mend(&desk, &report, "override").await;
    stands(&report, "override", "good", &[&desk.public_url]);
    let pushed = number
        .customer_says("Ana", "+5511987654321", "again")
        .await
        .expect("heard");
    assert_eq!(pushed.status, 200);
    // Somebody else's address is worse than none.
    graph.edit_account(WABA, |account| {
        account.subscribed.insert(
            APP_ID.to_owned(),
            Some("https://elsewhere.example/hook".to_owned()),
        );
    });
    stands(
        &look(&desk).await,
        "override",
        "bad",
        &["elsewhere.example"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_is_told_before_and_after() {
    let desk = Desk::new().await;
    let (graph, _) = connected(&desk).await;
    let now = desk.simulator.now();
    graph.edit_token(TOKEN, |token| token.expires_at = Some(now + Span::days(3)));
    stands(&look(&desk).await, "token", "warning", &["expires"]);
    graph.edit_token(TOKEN, |token| token.expires_at = Some(now - Span::days(1)));
    stands(&look(&desk).await, "token", "bad", &["sign up again"]);
    graph.token(
        TOKEN,
        MetaToken {
            scopes: vec!["whatsapp_business_messaging".to_owned()],
            ..MetaToken::of(APP_ID, &[WABA])
        },
    );
    stands(
        &look(&desk).await,
        "permissions",
        "bad",
        &["whatsapp_business_management"],
    );
    graph.token(TOKEN, MetaToken::of("999", &[WABA]));
    let report = look(&desk).await;
    assert_eq!(finding(&report, "token")["state"], "bad", "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_quality_limits_payment_and_clocks_are_told() {
    let desk = Desk::new().await;
    let (graph, _) = connected(&desk).await;
    graph.edit_phone(NUMBER, |phone| {
        phone.details["name_status"] = "PENDING_REVIEW".into();
        phone.details["quality_rating"] = "RED".into();
        phone.details["whatsapp_business_manager_messaging_limit"] = "TIER_250".into();
        phone.details["throughput"] = json!({ "level": "HIGH" });
        phone.details["health_status"] = json!({ "can_send_message": "LIMITED", "entities": [{
            "entity_type": "WABA", "id": WABA, "can_send_message": "LIMITED",
            "errors": [{ "error_code": 141_006, "error_description": "No payment method",
                "possible_solution": "Add a payment method" }] }] });
    });
    desk.simulator.advance(Span::minutes(5));
    let report = look(&desk).await;
    // A name in review is no disconnection.
    stands(
        &report,
        "name",
        "warning",
        &["in review", "works meanwhile"],
    );
    stands(&report, "number_status", "good", &["CONNECTED"]);
    stands(&report, "quality", "bad", &["RED"]);
    stands(&report, "tier", "warning", &["TIER_250"]);
    stands(&report, "throughput", "good", &["1,000"]);
    stands(
        &report,
        "health",
        "warning",
        &["No payment method", "Add a payment method", "141006"],
    );
    stands(&report, "clock", "warning", &["NTP"]);
    graph.edit_phone(NUMBER, |phone| {
        phone.details["name_status"] = "DECLINED".into();
    });
    stands(&look(&desk).await, "name", "bad", &["DECLINED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_is_wrong_by_now_is_tried_once() {
    let desk = Desk::new().await;
    let (graph, _) = connected(&desk).await;
    graph.edit_phone(NUMBER, |phone| {
        phone.pin = Some("918273".to_owned());
        phone.details["status"] = "PENDING".into();
    });
    let before = graph.phone_of(NUMBER).expect("it").registrations;
    let report = look(&desk).await;
    let channel = report["channels"][0]["channel_id"]
        .as_str()
        .expect("a channel");
    for told in ["another PIN", "'pin' is needed"] {
        let fix = ["doctor", "--channel", channel, "--fix", "register"];
        let output = desk.run(&fix).await;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.contains(told), "{said}");
        let tried = graph.phone_of(NUMBER).expect("it").registrations;
        assert_eq!(tried, before + 1, "Meta counts them");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn news_that_go_elsewhere_and_news_of_another_number_are_told_apart() {
    let desk = Desk::new().await;
    let (graph, number) = connected(&desk).await;
    let of = |phone: &str| json!({ "event": "PARTNER_REMOVED", "phone_number": phone });
    let heard = number.news("account_update", &of("4930111111")).await;
    heard.expect("heard");
    stands(&look(&desk).await, "connection", "good", &[]);
    let heard = number.news("account_update", &of("4930901820")).await;
    heard.expect("heard");
    stands(
        &look(&desk).await,
        "connection",
        "bad",
        &["PARTNER_REMOVED"],
    );
    graph.edit_app(APP_ID, |app| {
        app.callback_url = "https://elsewhere.example/hook".to_owned();
    });
    stands(
        &look(&desk).await,
        "webhook_fields",
        "warning",
        &["elsewhere.example", "templates"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_webhooks_lost_answers_and_a_dead_address_are_told() {
    let mut desk = Desk::new().await;
    let (_, number) = connected(&desk).await;
    let token = desk.token().await;
    let locations = desk.api(&token, Method::GET, "/locations", None).await;
    let location = locations["locations"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let doctor = format!("/locations/{location}/doctor");

    let url = format!("{}/api/webhooks/whatsapp", desk.public_url);
    let forged = desk
        .client()
        .post(url)
        .header("x-hub-signature-256", "sha256=00")
        .body("{}");
    assert_eq!(forged.send().await.expect("an answer").status(), 403);
    let report = desk.api(&token, Method::POST, &doctor, None).await;
    stands(
        &report,
        "signature",
        "warning",
        &["all channels share", "strangers"],
    );
    stands(&report, "sending", "good", &[]);

    desk.simulator.fault_next(1, Fault::AcceptThenDrop);
    number
        .customer_says("Ana", "+5511987654321", "hello?")
        .await
        .expect("heard");
    let mut report = Value::Null;
    for _ in 0..100 {
        report = desk.api(&token, Method::POST, &doctor, None).await;
        if finding(&report, "deliveries")["state"] != "good" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    stands(
        &report,
        "deliveries",
        "warning",
        &["unknown whether they were sent"],
    );
    stands(&report, "signature", "good", &["verified"]);

    // The server is gone: its address leads nowhere.
    desk.halt();
    let report = look(&desk).await;
    assert_eq!(report["server"][0]["state"], "bad", "{report}");
    assert!(
        report["server"][0]["evidence"]
            .as_str()
            .expect("words")
            .contains("cannot be reached"),
        "{report}"
    );
    stands(&report, "sending", "unknown", &[]);
}
