//! The bridge page in a browser, when all goes well: by Facebook's script and by its full page, in whatever order
//! and with whatever missing.

use rejoinder_adapters::simulator::meta::{
    LoginAnswer, MetaToken, SignUp, SignUpCompany, SignUpOrder,
};
use rejoinder_adapters::simulator::{Fault, Operation};
use rejoinder_engine::domain::time::Span;
use serde_json::{Value, json};

use super::stand::{APP_ID, BUSINESS, CONFIG_ID, NUMBER, TOKEN, WABA};
use super::visit::Visit;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
/// What a configuration with a user's token hands over.
const OF_USER: &str = "EAAofUser";

fn data() -> Value {
    json!({ "phone_number_id": NUMBER, "waba_id": WABA, "business_id": BUSINESS })
}

fn finished() -> SignUp {
    SignUp::finished(TOKEN, data())
}

#[tokio::test]
async fn a_business_signs_up_in_facebooks_window() {
    let mut visit = Visit::begin().await;
    visit.stand.graph.sign_up(SignUp {
        company: SignUpCompany::Person,
        ..finished()
    });
    visit.open().await;
    let text = visit.sees_as("ready", "ready").await;
    assert!(text.contains("Connecting Café <b>Mitte</b>"), "{text}");
    assert!(text.contains("on behalf of localhost:"), "{text}");
    let page = visit.browser.windows().await;
    visit.browser.press("Continue with Facebook").await;
    visit.sees_as("waiting", "waiting").await;
    visit.browser.switch_to_new(&page).await;
    visit.browser.click("button").await;
    visit.browser.only(2).await;
    visit.browser.switch(&page[1]).await;
    visit.sees_as("done", "done").await;
    visit.succeeds().await;
    let opened = visit.stand.graph.opened_sign_ups().remove(0);
    let extras: Value = serde_json::from_str(&opened["extras"]).expect("JSON");
    assert_eq!(extras, json!({ "setup": {}, "sessionInfoVersion": "3" }));
    assert_eq!(
        [&opened["client_id"], &opened["config_id"]],
        [APP_ID, CONFIG_ID]
    );
    visit.end().await;
}

#[tokio::test]
async fn the_window_closes_itself_when_all_is_done() {
    let mut visit = Visit::begin().await;
    visit.stand.graph.sign_up(finished());
    visit.open().await;
    visit.sees("ready").await;
    visit.browser.script("window.close = window.shut").await;
    visit.browser.press("Continue with Facebook").await;
    visit.browser.only(1).await;
    assert_eq!(visit.told().await, [json!([true, null, null])]);
    visit.end().await;
}

/// However Facebook's window hands over what it gives, the number is connected.
async fn signs_up(plan: SignUp) {
    let mut visit = Visit::begin().await;
    let of_user = MetaToken {
        kind: "USER".to_owned(),
        expires_at: Some(visit.stand.simulator.now() + Span::hours(2)),
        ..MetaToken::of(APP_ID, &[WABA])
    };
    visit.stand.graph.token(OF_USER, of_user);
    visit.stand.graph.sign_up(plan);
    visit.open().await;
    visit.sees("ready").await;
    visit.browser.press("Continue with Facebook").await;
    visit.succeeds().await;
    visit.end().await;
}

#[tokio::test]
async fn the_answer_may_come_before_the_event() {
    signs_up(SignUp {
        order: SignUpOrder::AnswerFirst,
        ..finished()
    })
    .await;
}

#[tokio::test]
async fn the_event_may_not_come_at_all() {
    signs_up(SignUp {
        event: None,
        ..finished()
    })
    .await;
}

#[tokio::test]
async fn a_users_token_may_come_instead_of_a_code() {
    signs_up(SignUp {
        answer: LoginAnswer::Token(OF_USER.to_owned()),
        ..finished()
    })
    .await;
}

#[tokio::test]
async fn a_number_that_stays_on_its_phone_is_asked_for_as_such() {
    let mut visit = Visit::begin().await;
    let graph = visit.stand.graph.clone();
    graph.put_on_phone(NUMBER);
    graph.sign_up(SignUp {
        event: Some((
            "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING".to_owned(),
            json!({ "waba_id": WABA }),
        )),
        ..finished()
    });
    visit.open_for(json!({ "coexistence": true })).await;
    visit.sees("ready").await;
    visit.browser.press("Continue with Facebook").await;
    visit.succeeds().await;
    let opened = graph.opened_sign_ups().remove(0);
    let extras: Value = serde_json::from_str(&opened["extras"]).expect("JSON");
    assert_eq!(extras["featureType"], "whatsapp_business_app_onboarding");
    assert_eq!(graph.phone_of(NUMBER).expect("a number").registrations, 0);
    visit.end().await;
}

#[tokio::test]
async fn without_facebooks_script_its_full_page_does_the_same() {
    let mut visit =
        Visit::with(|bridge| bridge.sdk_url = "http://127.0.0.1:9/sdk.js".to_owned()).await;
    visit.stand.graph.sign_up(finished());
    visit.open().await;
    visit.sees_as("script_blocked", "script_blocked").await;
    visit.browser.press("Continue with Facebook").await;
    visit.succeeds().await;
    let opened = visit.stand.graph.opened_sign_ups().remove(0);
    let callback = visit.stand.url("/bridge/callback");
    for (name, value) in [
        ("client_id", APP_ID),
        ("config_id", CONFIG_ID),
        ("response_type", "code"),
        ("override_default_response_type", "true"),
        ("redirect_uri", &callback),
        ("state", &visit.word),
        ("extras", r#"{"sessionInfoVersion":"3","setup":{}}"#),
    ] {
        assert_eq!(opened[name], value, "{name}");
    }
    visit.end().await;
}

#[tokio::test]
async fn nobody_has_to_wait_for_facebooks_script() {
    // It takes connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("an address");
    let mut visit = Visit::with(|bridge| bridge.sdk_url = format!("http://{address}/sdk.js")).await;
    visit.stand.graph.sign_up(finished());
    visit.open().await;
    visit.sees_as("opening", "opening").await;
    visit.browser.press("Continue in this window instead").await;
    visit.succeeds().await;
    visit.end().await;
}

#[tokio::test]
async fn without_anybody_to_tell_it_works_as_well() {
    let mut visit = Visit::begin().await;
    visit.stand.graph.sign_up(finished());
    visit.open().await;
    visit.sees("ready").await;
    // What a website with a policy of its own would have come to: the two are cut apart.
    visit.browser.script("window.opener = null").await;
    visit.browser.press("Continue with Facebook").await;
    visit.sees("done").await;
    let left = "return document.body.innerText.includes('You can close this window')";
    visit.browser.eventually(left).await;
    assert_eq!(visit.stand.channels().await.len(), 1);
    assert!(visit.told().await.is_empty());
    visit.end().await;
}

#[tokio::test]
async fn the_full_page_can_be_chosen() {
    let mut visit = Visit::begin().await;
    visit.stand.graph.sign_up(finished());
    visit.open().await;
    visit.sees("ready").await;
    visit.browser.press("Continue in this window instead").await;
    visit.succeeds().await;
    visit.end().await;
}

#[tokio::test]
async fn who_did_not_leave_from_here_is_asked_before_anything_is_connected() {
    let mut visit = Visit::begin().await;
    visit.open().await;
    let code = visit
        .stand
        .graph
        .code(TOKEN, Some(&visit.stand.url("/bridge/callback")));
    let lured = format!("/bridge/callback?code={code}&state={}", visit.word);
    visit.browser.go(&visit.stand.url(&lured)).await;
    let text = visit.sees_as("confirm", "confirm").await;
    assert!(text.contains("on behalf of localhost:"), "{text}");
    visit.holds_nothing().await;
    assert_eq!(visit.stand.onboardings().await, 0);
    visit.browser.press("Connect").await;
    visit.succeeds().await;
    visit.end().await;
}

#[tokio::test]
async fn it_shows_how_it_goes_on_and_goes_on_showing_it_when_loaded_again() {
    let mut visit = Visit::begin().await;
    visit.stand.graph.sign_up(finished());
    let slow = |edge: &'static str| {
        visit.stand.simulator.fault_when(
            move |request| {
                request.operation == Operation::Manage
                    && (request.text == edge || request.number == edge)
            },
            Fault::Delay(Span::seconds(3)),
        )
    };
    let (first, second) = (slow("oauth"), slow("subscribed_apps"));
    visit.open().await;
    visit.sees("ready").await;
    visit.browser.press("Continue with Facebook").await;
    visit.sees_as("exchanging", "exchanging").await;
    visit.stand.simulator.clear_fault(first);
    visit.sees_as("subscribing", "subscribing").await;
    let row = "return document.querySelector('#steps li').textContent";
    assert_eq!(
        visit.browser.script(row).await,
        "Facebook’s permission: done"
    );
    visit.browser.script("location.reload()").await;
    visit.sees("subscribing").await;
    visit.stand.simulator.clear_fault(second);
    visit.succeeds().await;
    visit.end().await;
}

#[tokio::test]
async fn it_can_be_used_by_keys_alone_and_is_told_to_who_cannot_see_it() {
    let mut visit = Visit::begin().await;
    visit.stand.graph.sign_up(SignUp::cancelled(
        json!({ "current_step": "PHONE_NUMBER_SETUP" }),
    ));
    visit.stand.graph.sign_up(finished());
    visit.open().await;
    visit.sees("ready").await;
    let role = "const told = document.getElementById('told');
        return told.getAttribute('role') === 'status' && told.innerText.startsWith('Sign in at Facebook')";
    assert_eq!(visit.browser.script(role).await, true);
    visit.browser.keys(&[TAB]).await;
    let focus = "return document.activeElement.textContent";
    assert_eq!(visit.browser.script(focus).await, "Continue with Facebook");
    visit.browser.keys(&[ENTER]).await;
    visit.sees("cancelled").await;
    // The button is gone, and with it the focus would be.
    assert_eq!(
        visit.browser.script(focus).await,
        "The sign-up was cancelled"
    );
    visit.browser.keys(&[TAB]).await;
    assert_eq!(visit.browser.script(focus).await, "Try again");
    visit.browser.keys(&[ENTER]).await;
    visit.succeeds().await;
    visit.end().await;
}
