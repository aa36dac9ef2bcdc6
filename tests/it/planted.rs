//! Planted secrets are found nowhere: in no log at trace level, no error, no answer of the API, nothing that a
//! command prints, no panic, and in the database only sealed.

use rejoinder_adapters::meta::{MetaApp, MetaConfig};
use rejoinder_adapters::simulator::meta::MetaToken;
use rejoinder_adapters::simulator::{self, Fault};
use rejoinder_engine::adapter::{Case, Credentials, Progress};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::onboarding::{Facts, Reports};
use rejoinder_engine::domain::time::Timestamp;
use rejoinder_engine::{Given, NewOnboarding};
use reqwest::Method;
use serde_json::json;

use crate::connecting::twilio;
use crate::desk::Desk;

/// What is planted, where.
const PLANTED: [(&str, &str); 9] = [
    ("the server's app secret", "server-app-secret-4f1c"),
    ("the server's verify token", "server-verify-token-9b"),
    ("an access token", "EAAGplantedAccessToken0001"),
    ("another access token", "EAAGplantedAccessToken0002"),
    ("an app secret", "planted-own-app-secret-0003"),
    ("a verify token", "planted-verify-token-0004"),
    ("Twilio's auth token", twilio::TOKEN),
    ("an API key's secret", "planted-api-key-secret-0005"),
    ("an endpoint's header", "planted-header-value-0006"),
];

/// A panic prints what it is about: nothing that holds a secret may show it.
#[test]
fn what_holds_secrets_prints_none_of_them() {
    let secret = || Secret::new("planted-secret-that-panics-0007");
    let credentials = || -> Credentials { [("access_token", secret())].into_iter().collect() };
    let given = || Given {
        secrets: credentials(),
        ..Given::default()
    };
    let facts = Facts::new();
    let case_secrets = credentials();
    let case = Case {
        facts: &facts,
        secrets: &case_secrets,
        shared_webhook_url: "",
        channel_webhook_url: "",
        reports: Reports::default(),
        since: Timestamp::from_ms(0),
        now: Timestamp::from_ms(0),
    };
    let app = MetaApp {
        id: "1".to_owned(),
        secret: secret(),
        verify_token: secret(),
    };
    let config = MetaConfig {
        app: Some(app),
        ..MetaConfig::default()
    };
    let onboarding = NewOnboarding {
        route: "meta-keys".to_owned(),
        name: "Loja".to_owned(),
        given: given(),
    };
    let progress = Progress::done("done").secret("access_token", secret());
    let printed = format!(
        "{:?} {:?} {case:?} {config:?} {onboarding:?} {progress:?}",
        credentials(),
        given()
    );
    assert!(printed.contains("access_token"), "{printed}");
    assert!(!printed.contains("planted-secret"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_are_found_nowhere() {
    let mut desk = Desk::new().await;
    let graph = desk.simulator.meta_graph();
    graph.app(simulator::meta::MetaApp {
        id: "111222333".to_owned(),
        secret: "planted-own-app-secret-0003".to_owned(),
        ..simulator::meta::MetaApp::default()
    });
    graph.account("215589313241560883", "Loja", "1");
    let number = graph.phone(
        "106853218861309",
        "215589313241560883",
        "+49 30 901820",
        "Loja",
    );
    graph.token(
        "EAAGplantedAccessToken0001",
        MetaToken::of("111222333", &["215589313241560883"]),
    );
    for (name, text) in [
        ("token", "EAAGplantedAccessToken0001"),
        ("unknown", "EAAGplantedAccessToken0002"),
        ("secret", "planted-own-app-secret-0003"),
        ("verify", "planted-verify-token-0004"),
        ("header", "planted-header-value-0006"),
        ("key_sid", "SK00000000000000000000000000000001"),
        ("key_secret", "planted-api-key-secret-0005"),
    ] {
        desk.write(name, text);
    }
    // Meta repeats a token that it does not know, whole.
    let begun = desk
        .json(&[
            "connect",
            "start",
            "meta-keys",
            "--name",
            "Loja",
            "--credential",
            "access_token=@unknown",
            "--credential",
            "app_secret=@secret",
            "--credential",
            "verify_token=@verify",
        ])
        .await;
    let id = begun["id"].as_str().expect("an id").to_owned();
    desk.simulator.fault_next_when(1, |request| request.text == "register", Fault::Answer {
        status: 400,
        body: json!({ "error": { "code": 100, "message": "Malformed access token EAAGplantedAccessToken0001 \
            (planted-own-app-secret-0003)" } }).to_string(),
    });
    desk.json(&[
        "connect",
        "resume",
        &id,
        "--credential",
        "access_token=@token",
    ])
    .await;
    let resumed = desk.json(&["connect", "resume", &id]).await;
    assert_eq!(resumed["state"], "waiting", "{resumed}");
    let pin = graph
        .phone_of("106853218861309")
        .expect("the number")
        .pin
        .expect("a PIN");

    let (_, sender) = twilio::business(&desk);
    desk.simulator.grant_twilio(
        twilio::ACCOUNT,
        "SK00000000000000000000000000000001",
        "planted-api-key-secret-0005",
    );
    let begun = twilio::start(
        &desk,
        &[
            "--credential",
            "api_key_sid=@key_sid",
            "--credential",
            "api_key_secret=@key_secret",
        ],
    )
    .await;
    assert_eq!(begun["state"], "waiting", "{begun}");
    desk.done(&[
        "endpoint",
        "create",
        "crm",
        "--url",
        "https://crm.example",
        "--header",
        "authorization=@header",
    ])
    .await;

    // Customers write; sends fail as they do when a credential ends.
    desk.simulator.fault_next(1, Fault::Answer {
        status: 401,
        body: json!({ "error": { "code": 190, "message": "Malformed access token EAAGplantedAccessToken0001" } }).to_string(),
    });
    number
        .customer_says("Ana", "+5511987654321", "hello")
        .await
        .expect("heard");
    sender
        .customer_says("Ana", "+5511987654321", "hello")
        .await
        .expect("heard");
    desk.simulator.wait_for(1).await;

    let token = desk.token().await;
    let locations = desk.api(&token, Method::GET, "/locations", None).await;
    let location = locations["locations"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for path in [
        "channels",
        "endpoints",
        "onboardings",
        "events",
        "deliveries",
        "conversations",
        "contacts",
        "rules",
        "templates",
        "requests",
        "fanouts",
    ] {
        desk.api(
            &token,
            Method::GET,
            &format!("/locations/{location}/{path}"),
            None,
        )
        .await;
    }
    desk.api(
        &token,
        Method::POST,
        &format!("/locations/{location}/doctor"),
        None,
    )
    .await;
    let wrong = json!({ "route": "meta-keys", "name": "x", "fields": { "access_token": "EAAGplantedAccessToken0001" } });
    desk.api(
        &token,
        Method::POST,
        &format!("/locations/{location}/onboardings"),
        Some(wrong),
    )
    .await;
    for words in [
        &["doctor", "--all"][..],
        &["channel", "list", "--json"],
        &["endpoint", "list", "--json"],
        &["connect", "show", &id],
        &["connect", "list"],
        &["deliveries"],
        &["events"],
    ] {
        desk.run(words).await;
    }
    desk.halt();

    let (log, printed) = (desk.log(), desk.printed());
    assert!(log.contains("TRACE"), "the log is at trace level");
    let mut found = Vec::new();
    for (what, secret) in PLANTED.iter().copied().chain([("a PIN", pin.as_str())]) {
        for (place, text) in [
            ("the log", &log),
            ("what was printed or answered", &printed),
        ] {
            if let Some(at) = text.find(secret) {
                // A PIN's digits occur by chance in times and ids; as a word of its own they do not.
                let before = text[..at].chars().next_back();
                let after = text[at + secret.len()..].chars().next();
                let is_word = |letter: Option<char>| {
                    letter.is_none_or(|letter| !letter.is_ascii_alphanumeric())
                };
                if what != "a PIN" || (is_word(before) && is_word(after)) {
                    let start = text[..at]
                        .char_indices()
                        .rev()
                        .nth(100)
                        .map_or(0, |(at, _)| at);
                    found.push(format!("{what} in {place}: {}", &text[start..at]));
                }
            }
        }
        if what == "a PIN" {
            continue;
        }
        for (file, bytes) in desk.bytes() {
            if bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
            {
                found.push(format!("{what} in {file}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
