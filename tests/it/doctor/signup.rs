//! Meta's sign-up: the troubles that people had with it before, each as Meta shows it.

use rejoinder_adapters::simulator::Fault;
use rejoinder_adapters::simulator::meta::Portfolios;
use serde_json::json;

use super::{look, stands};
use crate::connecting::meta::{TOKEN, begin, business, first_message, sign_up_by_token};
use crate::desk::{Desk, halted, step};

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_uri_that_does_not_match_is_named() {
    let desk = Desk::new().await;
    let (graph, _) = business(&desk);
    let code = graph.code(TOKEN, Some("https://bots.example/bridge/callback"));
    desk.write("code", &code);
    let begun = begin(&desk, &["--credential", "code=@code"]).await;
    let failure = &step(&begun, "token")["failure"];
    assert_eq!(
        (
            &failure["code"],
            &failure["provider_code"],
            &failure["provider_subcode"]
        ),
        (&json!("redirect_uri"), &json!(100), &json!(36_008)),
        "{begun}"
    );
    assert!(
        failure["fix"]
            .as_str()
            .expect("a way out")
            .contains("Valid OAuth Redirect URIs"),
        "{begun}"
    );
    let id = begun["id"].as_str().expect("an id");
    let resumed = desk
        .json(&[
            "connect",
            "resume",
            id,
            "--field",
            "redirect_uri=https://bots.example/bridge/callback",
        ])
        .await;
    assert_eq!(resumed["state"], "waiting", "{resumed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_field_whatsapp_business_accounts_finds_its_account_all_the_same() {
    let desk = Desk::new().await;
    let (graph, _) = business(&desk);
    graph.edit_token(TOKEN, |token| token.portfolios = Portfolios::Nonexisting);
    let begun = sign_up_by_token(&desk, &[]).await;
    assert_eq!(begun["state"], "waiting", "{begun}");
    let evidence = step(&begun, "account")["evidence"].to_string();
    assert!(
        evidence.contains("nonexisting field (whatsapp_business_accounts)"),
        "{evidence}"
    );
    // Where the token does not say what it was granted for either, a person is asked.
    graph.edit_token(TOKEN, |token| token.names_accounts = false);
    let begun = begin(&desk, &["--credential", "access_token=@token"]).await;
    let halted = halted(&begun).expect("it asks");
    assert_eq!(
        (&halted["failure"]["code"], &halted["ask"]["field"]),
        (&json!("no_account"), &json!("waba_id")),
        "{begun}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_domain_is_not_included_is_told_where_to_add_it() {
    let desk = Desk::new().await;
    let (graph, _) = business(&desk);
    let code = graph.code(TOKEN, None);
    desk.write("code", &code);
    let refused = json!({ "error": { "type": "OAuthException", "code": 1_349_048, "fbtrace_id": "AbCdomain",
        "message": "Can't load URL: The domain of this URL isn't included in the app's domains." } });
    desk.simulator.fault_next_when(
        1,
        |request| request.number == "oauth",
        Fault::Answer {
            status: 400,
            body: refused.to_string(),
        },
    );
    let begun = begin(&desk, &["--credential", "code=@code"]).await;
    let failure = &step(&begun, "token")["failure"];
    assert_eq!(failure["code"], "domain_not_included", "{begun}");
    assert!(
        failure["fix"]
            .as_str()
            .expect("a way out")
            .contains("Allowed Domains"),
        "{begun}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_token_option_is_greyed_out_a_users_token_does_and_is_warned_of() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    graph.edit_token(TOKEN, |token| token.kind = "USER".to_owned());
    let begun = sign_up_by_token(&desk, &[]).await;
    let says = step(&begun, "permissions")["says"]
        .as_str()
        .expect("a sentence")
        .to_owned();
    assert!(says.contains("greyed out"), "{says}");
    first_message(&desk, &number, &begun).await;
    stands(
        &look(&desk).await,
        "token",
        "warning",
        &["user's token", "greyed out"],
    );
}
