//! The bridge page in a browser, when something is wrong: it says what, and what to do; nobody else learns more
//! than that.

use rejoinder_adapters::simulator::meta::{LoginAnswer, MetaToken, SignUp, SignUpCompany};
use rejoinder_engine::domain::time::Span;
use rejoinder_server::bridge::BridgeOptions;
use serde_json::{Value, json};

use super::stand::{APP_ID, NUMBER, TOKEN, WABA};
use super::visit::Visit;

fn data() -> Value {
    json!({ "phone_number_id": NUMBER, "waba_id": WABA })
}

fn finished() -> SignUp {
    SignUp::finished(TOKEN, data())
}

#[tokio::test]
async fn a_cancelled_sign_up_says_at_which_step_and_can_be_tried_again() {
    let mut visit = Visit::begin().await;
    let graph = visit.stand.graph.clone();
    graph.sign_up(SignUp::cancelled(
        json!({ "current_step": "PHONE_NUMBER_SETUP" }),
    ));
    graph.sign_up(SignUp::cancelled(json!({
        "error_message": "Your account is restricted.", "error_id": "524126", "session_id": "s-19",
        "timestamp": "1767220000",
    })));
    // The window is closed, and nothing is said.
    graph.sign_up(SignUp {
        event: None,
        answer: LoginAnswer::Nothing,
        ..finished()
    });
    graph.sign_up(finished());
    visit.open().await;
    visit.sees("ready").await;
    visit.browser.press("Continue with Facebook").await;
    let text = visit.sees_as("cancelled", "cancelled").await;
    assert!(text.contains("phone number setup"), "{text}");
    visit.browser.press("Try again").await;
    visit
        .browser
        .eventually("return document.body.innerText.includes('restricted')")
        .await;
    let text = visit.sees_as("cancelled", "cancelled_with_error").await;
    assert!(text.contains("524126") && text.contains("s-19"), "{text}");
    visit.browser.press("Try again").await;
    visit
        .browser
        .eventually("return document.body.innerText.includes('left before')")
        .await;
    let text = visit.sees_as("cancelled", "closed").await;
    assert!(text.contains("Did Facebook show an error?"), "{text}");
    let page = visit
        .browser
        .windows()
        .await
        .into_iter()
        .find(|it| *it != visit.website);
    let heard = visit.told().await;
    visit.browser.switch(&page.expect("the page")).await;
    assert_eq!(
        heard,
        [
            json!([false, "cancelled", "PHONE_NUMBER_SETUP"]),
            json!([false, "cancelled", null]),
            json!([false, "cancelled", null]),
        ]
    );
    visit.browser.press("Try again").await;
    visit.succeeds().await;
    visit.end().await;
}

#[tokio::test]
async fn without_a_code_the_full_page_is_offered() {
    let mut visit = Visit::begin().await;
    visit.stand.graph.sign_up(SignUp {
        answer: LoginAnswer::Nothing,
        ..finished()
    });
    visit.stand.graph.sign_up(finished());
    visit.open().await;
    visit.sees("ready").await;
    visit.browser.press("Continue with Facebook").await;
    visit.sees_as("no_code", "no_code").await;
    visit.browser.press("Continue with Facebook").await;
    visit.succeeds().await;
    visit.end().await;
}

#[tokio::test]
async fn what_another_website_says_counts_for_nothing() {
    let mut visit = Visit::begin().await;
    visit.stand.graph.sign_up(SignUp {
        company: SignUpCompany::Forger,
        ..finished()
    });
    visit.open().await;
    visit.sees("ready").await;
    visit.browser.press("Continue with Facebook").await;
    visit.succeeds().await;
    let channels = visit.stand.channels().await;
    assert_eq!([&channels[0].account, &channels[0].key], [WABA, NUMBER]);
    assert_eq!(visit.told().await, [json!([true, null, null])]);
    visit.end().await;
}

#[tokio::test]
async fn facebook_is_known_by_its_host_and_not_by_how_it_ends() {
    let mut visit =
        Visit::with(|bridge| bridge.dialog_url = "https://www.facebook.com".to_owned()).await;
    visit.open().await;
    visit.sees("ready").await;
    // The window opens, and nothing comes of it: what follows is said by the test.
    visit.browser.press("Continue with Facebook").await;
    visit.sees("waiting").await;
    let say =
        "const data = { type: 'WA_EMBEDDED_SIGNUP', event: 'CANCEL', data: { current_step: 'X' } };
        dispatchEvent(new MessageEvent('message', { origin: arguments[0], data: arguments[1] ?
            JSON.stringify(data) : data }));
        return document.body.dataset.state";
    for origin in [
        "https://evilfacebook.com",
        "https://www.evilfacebook.com",
        "https://facebook.com.evil.example",
        "https://www.facebook.com.evil.example",
        "https://facebook.com:8443",
        "https://facebook.community",
        "https://facebook.co",
        "http://www.facebook.com",
        "http://facebook.com",
        "https://www-facebook.com",
        "https://com",
        "null",
        "",
        "file://",
        "facebook.com",
        "https://localhost",
    ] {
        for is_text in [true, false] {
            let state = visit
                .browser
                .script_with(say, json!([origin, is_text]))
                .await;
            assert_eq!(state, "waiting", "{origin}");
        }
    }
    for origin in [
        "https://www.facebook.com",
        "https://web.facebook.com",
        "https://business.facebook.com",
        "https://facebook.com",
    ] {
        for is_text in [true, false] {
            let state = visit
                .browser
                .script_with(say, json!([origin, is_text]))
                .await;
            assert_eq!(state, "cancelled", "{origin}");
            visit.browser.press("Try again").await;
            visit.sees("waiting").await;
        }
    }
    // What Facebook's other scripts say, and what does not read, changes nothing.
    for data in [
        "",
        "x",
        "{",
        "null",
        "[]",
        "{\"type\":\"x\"}",
        "{\"type\":\"WA_EMBEDDED_SIGNUP\"}",
    ] {
        let say =
            "dispatchEvent(new MessageEvent('message', { origin: 'https://www.facebook.com', data:
            arguments[0] })); return document.body.dataset.state";
        assert_eq!(
            visit.browser.script_with(say, json!([data])).await,
            "waiting",
            "{data}"
        );
    }
    visit.end().await;
}

#[tokio::test]
async fn a_blocked_window_can_be_opened_again() {
    let mut visit = Visit::begin().await;
    visit.stand.graph.sign_up(finished());
    visit.open().await;
    visit.sees("ready").await;
    visit
        .browser
        .script("window.native = window.open; window.open = () => null")
        .await;
    visit.browser.press("Continue with Facebook").await;
    visit.sees_as("popup_blocked", "popup_blocked").await;
    visit
        .browser
        .script("window.open = window.native; delete window.native")
        .await;
    visit.browser.press("Open Facebook").await;
    visit.succeeds().await;
    visit.end().await;
}

#[tokio::test]
async fn a_domain_that_is_not_included_is_told_with_what_to_add() {
    let mut visit = Visit::begin().await;
    let graph = visit.stand.graph.clone();
    let says = "Can't load URL: The domain of this URL isn't included in the app's domains.";
    graph.sign_up(SignUp {
        answer: LoginAnswer::Refusal(1_349_048, says.to_owned()),
        ..finished()
    });
    graph.sign_up(SignUp {
        answer: LoginAnswer::Nothing,
        ..finished()
    });
    graph.sign_up(SignUp {
        answer: LoginAnswer::Refusal(1_349_003, "An <b>internal</b> error occurred.".to_owned()),
        ..finished()
    });
    graph.sign_up(finished());
    visit.open().await;
    visit.sees("ready").await;
    let full_page = "Continue in this window instead";
    visit.browser.press(full_page).await;
    let text = visit.sees_as("failed", "domain_not_included").await;
    let home = format!("{}/", visit.stand.public_url);
    let callback = visit.stand.url("/bridge/callback");
    for told in [
        says,
        "1349048",
        &home,
        &callback,
        "Valid OAuth Redirect URIs",
        "Allowed Domains",
    ] {
        assert!(text.contains(told), "'{told}' is not in: {text}");
    }
    visit.browser.press("Try again").await;
    visit.sees("ready").await;
    visit.browser.press(full_page).await;
    visit.sees_as("cancelled", "denied").await;
    visit.browser.press("Try again").await;
    visit.sees("ready").await;
    visit.browser.press(full_page).await;
    let text = visit.sees("failed").await;
    assert!(
        text.contains("An <b>internal</b> error occurred."),
        "{text}"
    );
    visit.browser.press("Try again").await;
    visit.sees("ready").await;
    visit.browser.press(full_page).await;
    visit.succeeds().await;
    let told = visit.told().await;
    assert_eq!(told[0], json!([false, "domain_not_included", null]));
    assert_eq!(told[1], json!([false, "cancelled", null]));
    assert_eq!(told[2], json!([false, "refused", null]));
    visit.end().await;
}

#[tokio::test]
async fn a_code_that_was_made_for_another_page_is_told_with_metas_request() {
    let mut visit = Visit::begin().await;
    visit.stand.graph.sign_up(SignUp {
        answer: LoginAnswer::ForeignCode(TOKEN.to_owned()),
        ..finished()
    });
    visit.open().await;
    visit.sees("ready").await;
    visit.browser.press("Continue with Facebook").await;
    let text = visit.sees_as("failed", "failed").await;
    for told in [
        "Exchange the code",
        "redirect_uri",
        "36008",
        "Facebook’s request",
        "What to do",
    ] {
        assert!(text.contains(told), "'{told}' is not in: {text}");
    }
    visit.holds_nothing().await;
    visit.browser.press("Copy the details").await;
    visit
        .browser
        .eventually("return /Copied|Marked/.test(document.body.innerText)")
        .await;
    assert_eq!(
        visit.told().await,
        [json!([false, "redirect_uri", "token"])]
    );
    assert!(visit.stand.channels().await.is_empty());
    visit.end().await;
}

#[tokio::test]
async fn what_must_be_chosen_is_chosen_at_the_website() {
    let mut visit = Visit::begin().await;
    let graph = visit.stand.graph.clone();
    graph.account("315589313241560884", "Other", "1");
    graph.token(TOKEN, MetaToken::of(APP_ID, &[WABA, "315589313241560884"]));
    graph.sign_up(SignUp {
        event: None,
        ..finished()
    });
    visit.open().await;
    visit.sees("ready").await;
    visit.browser.press("Continue with Facebook").await;
    let text = visit.sees_as("asking", "asking").await;
    assert!(text.contains("several business accounts"), "{text}");
    assert!(!text.contains("315589313241560884"), "{text}");
    assert_eq!(visit.told().await, [json!([false, "asking", "account"])]);
    visit.end().await;
}

#[tokio::test]
async fn a_ticket_that_opens_nothing_says_so() {
    let mut visit = Visit::begin().await;
    visit.stand.graph.sign_up(finished());
    // Loaded twice it is good still; used it is not.
    visit.open().await;
    visit.sees("ready").await;
    visit.browser.script("location.reload()").await;
    visit.sees("ready").await;
    visit.browser.press("Continue with Facebook").await;
    visit.succeeds().await;
    let address = visit.stand.url(&format!("/bridge/start?t={}", visit.word));
    // Its outcome is told for an hour.
    visit.open_at(&address).await;
    visit.succeeds().await;
    visit.stand.clock.advance(Span::minutes(61));
    visit.open_at(&address).await;
    let text = visit.sees_as("used", "used").await;
    assert!(text.contains("used already"), "{text}");
    assert_eq!(visit.told().await, [json!([false, "ticket_used", null])]);
    // One that was never made is nobody's, and nobody is told.
    visit
        .open_at(
            &visit
                .stand
                .url(&format!("/bridge/start?t={}", "0".repeat(64))),
        )
        .await;
    let text = visit.sees("expired").await;
    assert!(text.contains("Connect a WhatsApp number"), "{text}");
    assert!(visit.told().await.is_empty());
    // One that expires while the person is away.
    visit.stand.graph.sign_up(finished());
    visit.open().await;
    visit.sees("ready").await;
    visit.stand.clock.advance(Span::minutes(10));
    visit.browser.press("Continue with Facebook").await;
    visit.sees_as("expired", "expired").await;
    assert_eq!(visit.told().await, [json!([false, "ticket_expired", null])]);
    visit.end().await;
}

#[tokio::test]
async fn a_server_without_an_app_says_what_its_operator_must_set() {
    let unset = |bridge: &mut BridgeOptions| {
        bridge.config_id.clear();
        bridge.has_app_secret = false;
    };
    let mut visit = Visit::with(unset).await;
    visit.open().await;
    let text = visit.sees_as("unset", "unset").await;
    for setting in [
        "meta.config_id (REJOINDER_META_CONFIG_ID)",
        "meta.app_secret (REJOINDER_META_APP_SECRET)",
    ] {
        assert!(text.contains(setting), "{text}");
    }
    assert!(!text.contains("meta.app_id"), "{text}");
    assert_eq!(visit.told().await, [json!([false, "not_set_up", null])]);
    visit.end().await;
}

#[tokio::test]
async fn at_another_address_the_page_says_which_is_right() {
    let mut visit = Visit::begin().await;
    visit.open().await;
    let other = visit.stand.public_url.replace("127.0.0.1", "localhost");
    visit
        .open_at(&format!("{other}/bridge/start?t={}", visit.word))
        .await;
    let text = visit.sees("failed").await;
    assert!(text.contains(&visit.stand.public_url), "{text}");
    visit.end().await;
}

#[tokio::test]
#[should_panic(expected = "the policy was violated")]
async fn a_violation_of_the_policy_would_be_noticed() {
    let mut visit = Visit::begin().await;
    visit.open().await;
    visit.sees("ready").await;
    let inline = "const made = document.createElement('script'); made.textContent = '1'; document.head.append(made)";
    visit.browser.script(inline).await;
    visit.violations().await;
}
