//! Tokens of the API: what each opens, and that it opens nothing once it is revoked.

use std::process::Output;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::commands::{command, folder, key};
use crate::database::Database;
use crate::house::House;

#[tokio::test]
async fn a_token_of_one_location_sees_no_other() {
    let house = House::on(Database::sqlite().await).await;
    let mine = house
        .created("/locations", json!({ "name": "mine", "time_zone": "UTC" }))
        .await;
    let other = house
        .created("/locations", json!({ "name": "other", "time_zone": "UTC" }))
        .await;
    let location_id = mine.parse().expect("an id");
    let (_, secret) = house
        .engine
        .create_token("mine", Some(location_id))
        .await
        .expect("a token");
    for path in [
        "",
        "/channels",
        "/rules",
        "/events",
        "/deliveries",
        "/conversations",
        "/contacts",
    ] {
        let ask = |location: &str| {
            let url = house.url(&format!("/api/v1/locations/{location}{path}"));
            house.client.get(url).bearer_auth(secret.expose()).send()
        };
        assert_eq!(
            ask(&mine).await.expect("an answer").status(),
            StatusCode::OK,
            "{path}"
        );
        assert_eq!(
            ask(&other).await.expect("an answer").status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    house.close().await;
}

#[tokio::test]
async fn a_token_is_listed_without_what_it_is_and_opens_nothing_once_revoked() {
    let house = House::on(Database::sqlite().await).await;
    let location = house
        .created("/locations", json!({ "name": "mine", "time_zone": "UTC" }))
        .await;
    let new = json!({ "name": "shop's program", "location_id": location });
    let (status, made) = house.api(Method::POST, "/tokens", Some(new)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (id, token) = (made["id"].as_str(), made["token"].as_str());
    let (id, token) = (id.expect("an id"), token.expect("a token"));
    let ask = async |method: Method, path: &str| {
        let url = house.url(&format!("/api/v1{path}"));
        let request = house.client.request(method, url).bearer_auth(token);
        request.send().await.expect("an answer").status()
    };
    let path = format!("/locations/{location}");
    assert_eq!(ask(Method::GET, &path).await, StatusCode::OK);
    // Tokens are the operator's.
    let one = format!("/tokens/{id}");
    for (method, path) in [
        (Method::GET, "/tokens"),
        (Method::POST, "/tokens"),
        (Method::DELETE, one.as_str()),
    ] {
        assert_eq!(ask(method, path).await, StatusCode::NOT_FOUND, "{path}");
    }
    let (_, listed) = house.api(Method::GET, "/tokens", None).await;
    assert_eq!(listed["tokens"][1]["location_id"], location, "{listed}");
    assert!(!listed.to_string().contains(token), "{listed}");
    let (status, _) = house.api(Method::DELETE, &one, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(ask(Method::GET, &path).await, StatusCode::UNAUTHORIZED);
    let (status, _) = house.api(Method::DELETE, &one, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    house.close().await;
}

#[test]
fn the_command_line_makes_lists_and_revokes_tokens() {
    let folder = folder();
    let key = key(&folder);
    let run = |words: &[&str]| -> Output {
        let mut command = command(&folder, words);
        command
            .env("REJOINDER_KEYS", &key)
            .output()
            .expect("it runs")
    };
    let done = |words: &[&str]| {
        let output = run(words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}");
        String::from_utf8(output.stdout).expect("text")
    };
    done(&["migrate"]);
    let made = done(&["--json", "token", "create", "--name", "deploy"]);
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let (id, token) = (made["id"].as_str(), made["token"].as_str());
    let (id, token) = (id.expect("an id"), token.expect("a token"));
    let listed = done(&["token", "list"]);
    assert!(listed.contains(id) && listed.contains("deploy"), "{listed}");
    assert!(!listed.contains(token), "{listed}");
    done(&["token", "revoke", id]);
    assert_eq!(done(&["token", "list"]).trim(), "no tokens");
    let again = run(&["token", "revoke", id]);
    assert_eq!(again.status.code(), Some(1));
    let told = String::from_utf8_lossy(&again.stderr);
    assert!(told.contains("there is no such token"), "{told}");
}
