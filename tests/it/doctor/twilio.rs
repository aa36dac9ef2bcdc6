//! Twilio: what can be wrong with an account, a sender and its webhooks, each as Twilio shows it.

use serde_json::json;

use super::{look, mend, stands, troubles};
use crate::connecting::twilio::{ACCOUNT, SENDER, SERVICE, TOKEN, business, first_message, start};
use crate::desk::Desk;

#[tokio::test(flavor = "multi_thread")]
async fn a_senders_state_and_its_address_are_told_and_the_address_is_mended() {
    let desk = Desk::new().await;
    let (accounts, number) = business(&desk);
    let begun = start(&desk, &[]).await;
    first_message(&desk, &number, &begun).await;
    let report = look(&desk).await;
    assert_eq!(troubles(&report), ["templates"], "{report}");
    stands(&report, "webhook", "good", &[&desk.public_url]);

    accounts.edit_sender(SENDER, |sender| {
        sender.details["webhook"]["callback_url"] = "https://elsewhere.example/in".into();
        sender.details["status"] = "OFFLINE".into();
        sender.details["offline_reasons"] =
            json!([{ "code": "63020", "message": "The business account was restricted" }]);
        sender.details["properties"]["quality_rating"] = "LOW".into();
    });
    let report = look(&desk).await;
    stands(&report, "webhook", "bad", &["elsewhere.example"]);
    stands(
        &report,
        "sender",
        "bad",
        &["OFFLINE", "restricted", "63020"],
    );
    stands(&report, "quality", "bad", &["LOW"]);
    accounts.edit_sender(SENDER, |sender| sender.details["status"] = "ONLINE".into());
    let report = mend(&desk, &report, "webhook").await;
    stands(&report, "webhook", "good", &[&desk.public_url]);

    accounts.edit_account(ACCOUNT, |account| account.status = "suspended".to_owned());
    stands(&look(&desk).await, "account", "bad", &["suspended"]);
    accounts.edit_account(ACCOUNT, |account| {
        account.status = "active".to_owned();
        account.kind = "Trial".to_owned();
    });
    stands(&look(&desk).await, "account", "warning", &["trial"]);
    desk.simulator.revoke_twilio(ACCOUNT, TOKEN);
    stands(
        &look(&desk).await,
        "account",
        "bad",
        &["not accepted", "rotated"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_leaves_webhooks_to_its_senders_is_told_and_mended() {
    let desk = Desk::new().await;
    let (accounts, number) = business(&desk);
    accounts.service(SERVICE, ACCOUNT, &[SENDER]);
    let begun = start(&desk, &["--field", &format!("messaging_service={SERVICE}")]).await;
    first_message(&desk, &number, &begun).await;
    stands(&look(&desk).await, "webhook", "good", &[]);
    accounts.edit_service(SERVICE, |service| {
        service.details["use_inbound_webhook_on_number"] = true.into();
    });
    let report = look(&desk).await;
    stands(
        &report,
        "webhook",
        "bad",
        &["leaves webhooks to its senders"],
    );
    stands(
        &mend(&desk, &report, "webhook").await,
        "webhook",
        "good",
        &[],
    );
}
