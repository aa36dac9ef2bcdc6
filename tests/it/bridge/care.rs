//! What a location may not say of itself, what another's onboarding is to it, and a server that is stopped on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rejoinder_adapters::simulator::{Fault, Request};
use rejoinder_engine::domain::time::Span;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::stand::{Stand, TENANT, TOKEN};
use crate::database::Database;

#[tokio::test]
async fn the_names_from_before_lead_to_the_page() {
    let stand = Stand::on(Database::sqlite().await).await;
    for (path, place) in [
        ("/whatsapp-bridge?t=abc", "bridge/start?t=abc"),
        ("/whatsapp-bridge/?t=abc", "../bridge/start?t=abc"),
        (
            "/whatsapp-bridge/callback?code=1&state=2",
            "../bridge/callback?code=1&state=2",
        ),
    ] {
        let response = stand.get(path).await;
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT, "{path}");
        assert_eq!(response.headers()["location"], place);
    }
    assert_eq!(
        stand.get("/whatsapp-bridge/x").await.status(),
        StatusCode::NOT_FOUND
    );
    stand.close().await;
}

#[tokio::test]
async fn a_location_names_no_websites_of_its_own() {
    let stand = Stand::on(Database::sqlite().await).await;
    let location_id = stand.location.parse().expect("an id");
    let token = stand.engine.create_token("theirs", Some(location_id)).await;
    let token = token.expect("a token").1;
    let change = async |settings: serde_json::Value| {
        let url = stand.url(&format!("/api/v1/locations/{}", stand.location));
        let request = stand
            .client
            .request(Method::PATCH, url)
            .bearer_auth(token.expose());
        let body = json!({ "settings": settings });
        request
            .json(&body)
            .send()
            .await
            .expect("an answer")
            .status()
    };
    let others = json!({ "origins": ["https://another.example"] });
    assert_eq!(change(others).await, StatusCode::UNPROCESSABLE_ENTITY);
    let same = json!({ "origins": [TENANT], "language": "de" });
    assert_eq!(change(same).await, StatusCode::OK, "what stays may be said");
    stand.close().await;
}

#[tokio::test]
async fn a_stop_waits_for_the_step_and_whoever_looks_has_the_rest_taken() {
    let stand = Stand::on(Database::sqlite().await).await;
    let slow = Fault::Delay(Span::seconds(1));
    let is_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_asked);
    let is_exchange = move |request: &Request<'_>| {
        request.text == "access_token" && !asked.swap(true, Ordering::SeqCst)
    };
    stand.simulator.fault_next_when(1, is_exchange, slow);
    let word = stand.ticket().await;
    let body = json!({ "ticket": word, "code": stand.graph.code(TOKEN, None) });
    let (status, _) = stand.post("/bridge/exchange", &body).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    while !is_asked.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stand.engine.stop().await;
    let location_id = stand.location.parse().expect("an id");
    let listed = async || {
        let listed = stand.engine.store().of(location_id).onboardings().await;
        listed.expect("a list").remove(0)
    };
    let left = listed().await;
    let states: Vec<&str> = left.steps.iter().map(|step| step.state.name()).collect();
    assert_eq!(
        states[..2],
        ["done", "open"],
        "the code is used up, and its token kept"
    );
    // Another location is told nothing of it.
    let elsewhere = stand.another_location().await;
    let foreign =
        stand
            .engine
            .continue_onboarding(elsewhere, left.id, rejoinder_engine::Given::default());
    let told = foreign.await.expect_err("it is not there").to_string();
    assert!(told.contains("no such onboarding"), "{told}");
    stand.engine.start().await.expect("it starts again");
    stand.clock.advance(Span::seconds(11));
    let connected = stand.followed(&word).await;
    assert_eq!(connected["state"], "connected", "{connected}");
    stand.close().await;
}
