//! The bridge page: as a website's program meets it, by HTTP alone; and in a browser.

mod browser;
mod care;
mod page;
pub(crate) mod stand;
mod tenant;
mod trouble;
mod visit;

use rejoinder_engine::domain::time::Span;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::commands::{command, complains, folder, key};
use crate::database::{Database, on_both};
use stand::{APP_SECRET, Stand, TENANT, TOKEN, WABA};

#[tokio::test]
async fn a_ticket_is_made_for_a_website_of_the_location_and_no_other() {
    let stand = Stand::on(Database::sqlite().await).await;
    let (status, made) = stand
        .ask_ticket(json!({ "origin": TENANT, "name": "Café Mitte" }))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let word = made["ticket"].as_str().expect("a word");
    assert_eq!(word.len(), 64);
    assert_eq!(
        made["url"],
        format!("{}/bridge/start?t={word}", stand.public_url)
    );
    assert!(made["expires_at"].is_string());
    for (origin, told) in [
        ("https://other.example", "origins"),
        ("https://bots.cafe.example:8443", "origins"),
        ("https://evil.bots.cafe.example", "origins"),
        ("http://bots.cafe.example", "origin of a website"),
        ("https://bots.cafe.example/page", "origin of a website"),
        ("null", "origin of a website"),
    ] {
        let (status, answer) = stand
            .ask_ticket(json!({ "origin": origin, "name": "x" }))
            .await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{origin}");
        let sentence = answer["error"]["message"].as_str().expect("a sentence");
        assert!(sentence.contains(told), "{sentence}");
    }
    let settings = json!({ "settings": { "origins": ["http://bots.cafe.example"] } });
    let (status, answer) = stand.change_location(settings).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    stand.close().await;
}

#[tokio::test]
async fn a_token_of_another_location_makes_no_ticket() {
    let stand = Stand::on(Database::sqlite().await).await;
    let elsewhere = stand.another_location().await;
    let token = stand
        .engine
        .create_token("other", Some(elsewhere))
        .await
        .expect("a token");
    let response = stand
        .client
        .post(stand.url(&format!(
            "/api/v1/locations/{}/bridge-tickets",
            stand.location
        )))
        .bearer_auth(token.1.expose())
        .json(&json!({ "origin": TENANT, "name": "x" }))
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    stand.close().await;
}

#[tokio::test]
async fn the_page_loads_nothing_but_itself_and_facebook_and_stands_in_no_other() {
    let stand = Stand::on(Database::sqlite().await).await;
    let word = stand.ticket().await;
    let response = stand.get(&format!("/bridge/start?t={word}")).await;
    let header = |name: &str| {
        let value = response
            .headers()
            .get(name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        value.to_str().expect("text").to_owned()
    };
    let base = stand.simulator.base_url();
    assert_eq!(
        header("content-security-policy"),
        format!(
            "default-src 'none'; script-src 'self' {base}; style-src 'self'; img-src 'self'; connect-src 'self' \
             {base} {base}; frame-src {base}; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
        )
    );
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "unsafe-none"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(header(name), value, "{name}");
    }
    let html = response.text().await.expect("a page");
    assert!(
        html.contains("<strong>Café &lt;b&gt;Mitte&lt;/b&gt;</strong>"),
        "{html}"
    );
    assert!(
        html.contains("<strong>bots.cafe.example</strong>"),
        "{html}"
    );
    for inline in ["<style", "style=", "onclick", "javascript:"] {
        assert!(!html.contains(inline), "{inline} in {html}");
    }
    // Without a ticket that opens anything, Facebook has no business on the page.
    let callback = stand.get("/bridge/callback?error=access_denied").await;
    let policy = callback.headers()["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(policy.contains("script-src 'self';"), "{policy}");
    stand.close().await;
}

#[tokio::test]
async fn only_the_page_itself_may_hand_over_what_facebook_gave() {
    let stand = Stand::on(Database::sqlite().await).await;
    let word = stand.ticket().await;
    let code = stand.graph.code(TOKEN, None);
    let body = json!({ "ticket": word, "code": code }).to_string();
    let post = |path: &'static str, origin: Option<String>, kind: &'static str| {
        let mut request = stand
            .client
            .post(stand.url(path))
            .header("content-type", kind)
            .body(body.clone());
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        async move { request.send().await.expect("an answer").status() }
    };
    let own = Some(stand.public_url.clone());
    for origin in [
        None,
        Some("null".to_owned()),
        Some(TENANT.to_owned()),
        Some("https://evil.example".to_owned()),
        Some(format!("{}.evil.example", stand.public_url)),
        Some(stand.public_url.replace("127.0.0.1", "localhost")),
    ] {
        for path in ["/bridge/exchange", "/bridge/status"] {
            let status = post(path, origin.clone(), "application/json").await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} {origin:?}");
        }
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ] {
        let status = post("/bridge/exchange", own.clone(), kind).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    for (method, path) in [
        (Method::GET, "/bridge/exchange"),
        (Method::GET, "/bridge/status"),
        (Method::POST, "/bridge/start"),
        (Method::PUT, "/bridge/callback"),
        (Method::OPTIONS, "/bridge/exchange"),
    ] {
        let request = stand.client.request(method.clone(), stand.url(path));
        let status = request.send().await.expect("an answer").status();
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
    }
    let huge = json!({ "ticket": word, "code": "x".repeat(20_000) });
    let (status, _) = stand.post("/bridge/exchange", &huge).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    // After all of this the ticket is as good as new.
    let (status, answer) = stand
        .post("/bridge/exchange", &json!({ "ticket": word, "code": code }))
        .await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    stand.close().await;
}

on_both! {
    async fn of_two_who_use_a_ticket_at_once_one_wins(stand: Stand) {
        let word = stand.ticket().await;
        let exchanges = (0..8).map(|_| {
            let body = json!({ "ticket": word, "code": stand.graph.code(TOKEN, None) });
            let stand = &stand;
            async move { stand.post("/bridge/exchange", &body).await }
        });
        let answers = futures_util::future::join_all(exchanges).await;
        let won = answers
            .iter()
            .filter(|(status, _)| *status == StatusCode::ACCEPTED)
            .count();
        let lost = answers.iter().filter(|(status, answer)| {
            *status == StatusCode::GONE && answer["error"]["code"] == "ticket_used"
        });
        assert_eq!((won, lost.count()), (1, 7), "{answers:?}");
        let connected = stand.followed(&word).await;
        assert_eq!(connected["state"], "connected", "{connected}");
        assert_eq!(stand.onboardings().await, 1);
        assert_eq!(stand.channels().await.len(), 1);
        stand.close().await;
    }
}

#[tokio::test]
async fn a_ticket_works_for_ten_minutes_and_its_outcome_is_told_for_an_hour() {
    let stand = Stand::on(Database::sqlite().await).await;
    let (late, used) = (stand.ticket().await, stand.ticket().await);
    let body = json!({ "ticket": used, "code": stand.graph.code(TOKEN, None) });
    assert_eq!(
        stand.post("/bridge/exchange", &body).await.0,
        StatusCode::ACCEPTED
    );
    stand.followed(&used).await;
    stand.clock.advance(Span::minutes(10));
    let body = json!({ "ticket": late, "code": stand.graph.code(TOKEN, None) });
    let (status, answer) = stand.post("/bridge/exchange", &body).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::GONE, &json!("ticket_expired"))
    );
    let (status, answer) = stand
        .post("/bridge/status", &json!({ "ticket": used }))
        .await;
    assert_eq!(
        (status, &answer["state"]),
        (StatusCode::OK, &json!("connected"))
    );
    stand.clock.advance(Span::minutes(50));
    let (status, answer) = stand
        .post("/bridge/status", &json!({ "ticket": used }))
        .await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::GONE, &json!("ticket_used"))
    );
    for word in [
        "",
        "x",
        &"0".repeat(64),
        &"g".repeat(64),
        &format!("{late} "),
    ] {
        let (status, answer) = stand
            .post("/bridge/status", &json!({ "ticket": word }))
            .await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (StatusCode::GONE, &json!("ticket_expired"))
        );
    }
    stand.close().await;
}

#[tokio::test]
async fn a_ticket_ends_with_its_website_and_with_its_location() {
    let stand = Stand::on(Database::sqlite().await).await;
    let word = stand.ticket().await;
    let body = json!({ "ticket": word, "code": stand.graph.code(TOKEN, None) });
    stand
        .change_location(json!({ "settings": { "origins": ["https://other.example"] } }))
        .await;
    let (status, answer) = stand.post("/bridge/exchange", &body).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::GONE, &json!("ticket_expired"))
    );
    stand
        .change_location(json!({ "settings": { "origins": [TENANT] } }))
        .await;
    assert_eq!(
        stand.post("/bridge/exchange", &body).await.0,
        StatusCode::ACCEPTED
    );
    stand.close().await;
}

#[tokio::test]
async fn a_hundred_newer_tickets_make_an_old_one_go() {
    let stand = Stand::on(Database::sqlite().await).await;
    let oldest = stand.ticket().await;
    let second = stand.ticket().await;
    for _ in 0..99 {
        stand.ticket().await;
    }
    let page = |word: String| {
        let stand = &stand;
        async move {
            stand
                .get(&format!("/bridge/start?t={word}"))
                .await
                .text()
                .await
                .expect("a page")
        }
    };
    assert!(
        page(oldest)
            .await
            .contains("&quot;beginning&quot;:&quot;expired&quot;")
    );
    assert!(
        page(second)
            .await
            .contains("&quot;beginning&quot;:&quot;open&quot;")
    );
    stand.close().await;
}

#[tokio::test]
async fn what_the_page_is_told_of_an_onboarding_holds_nothing_that_was_given_or_found() {
    let stand = Stand::on(Database::sqlite().await).await;
    let word = stand.ticket().await;
    let code = stand.graph.code(TOKEN, Some("https://elsewhere.example/"));
    let callback = format!("{}/bridge/callback", stand.public_url);
    let wrong =
        json!({ "ticket": word, "code": code, "redirect_uri": "https://elsewhere.example/" });
    assert_eq!(
        stand.post("/bridge/exchange", &wrong).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let both = json!({ "ticket": word, "code": code, "access_token": TOKEN });
    assert_eq!(
        stand.post("/bridge/exchange", &both).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let body = json!({ "ticket": word, "code": code, "redirect_uri": callback, "waba_id": WABA });
    let (status, accepted) = stand.post("/bridge/exchange", &body).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let failed = stand.followed(&word).await;
    assert_eq!(failed["state"], "failed", "{failed}");
    assert_eq!(failed["failure"]["step"], "token");
    assert_eq!(failed["failure"]["code"], "redirect_uri");
    assert!(failed["failure"]["request_id"].is_string(), "{failed}");
    for told in [accepted.to_string(), failed.to_string()] {
        for hidden in [code.as_str(), TOKEN, WABA, APP_SECRET] {
            assert!(!told.contains(hidden), "{hidden} in {told}");
        }
    }
    let names: Vec<&String> = failed.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["failure", "state", "steps"]);
    let step: Vec<&String> = failed["steps"][0]
        .as_object()
        .expect("an object")
        .keys()
        .collect();
    assert_eq!(step, ["name", "state", "title"]);
    stand.close().await;
}

#[test]
fn the_command_line_prints_an_address_for_a_website() {
    let folder = folder();
    let key = key(&folder);
    let run = |words: &[&str]| {
        let mut command = command(&folder, words);
        command.env("REJOINDER_KEYS", &key);
        command.env("REJOINDER_PUBLIC_URL", "https://rejoinder.example");
        command.output().expect("it runs")
    };
    assert!(run(&["migrate"]).status.success());
    let create = [
        "location",
        "create",
        "--name",
        "Café",
        "--time-zone",
        "Europe/Berlin",
    ];
    assert!(run(&create).status.success());
    let ticket = [
        "connect",
        "ticket",
        "--origin",
        TENANT,
        "--name",
        "Front desk",
    ];
    complains(&run(&ticket), &[TENANT, "`origins`", "--setting"]);
    let origins = format!("origins=[\"{TENANT}\"]");
    assert!(
        run(&["location", "set", "Café", "--setting", &origins])
            .status
            .success()
    );
    let output = run(&ticket);
    let shown = String::from_utf8_lossy(&output.stdout);
    let word = shown
        .trim()
        .strip_prefix("https://rejoinder.example/bridge/start?t=");
    assert_eq!(word.map(str::len), Some(64), "{shown}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("once"));
}

#[tokio::test]
async fn without_an_address_no_ticket_is_made() {
    let house = crate::house::House::on(Database::sqlite().await).await;
    let location = json!({ "name": "A", "time_zone": "UTC", "settings": { "origins": [TENANT] } });
    let location = house.created("/locations", location).await;
    let path = format!("/locations/{location}/bridge-tickets");
    let body = json!({ "origin": TENANT, "name": "x" });
    let (status, answer): (StatusCode, Value) = house.api(Method::POST, &path, Some(body)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer["error"]["message"]
            .as_str()
            .is_some_and(|it| it.contains("public_url")),
        "{answer}"
    );
    house.close().await;
}
