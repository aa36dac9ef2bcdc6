//! Whose a number is has to be proved: one that is merely named may be another tenant's.

use rejoinder_adapters::simulator::meta::{MetaApp, MetaToken};
use rejoinder_engine::domain::ids::LocationId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::meta::{NUMBER, TOKEN, WABA, business, first_message, sign_up};
use crate::database::Database;
use crate::desk::{Desk, step};
use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_made_of_a_number_that_was_seen_and_of_no_other() {
    let desk = Desk::new().await;
    let (graph, _) = business(&desk);
    graph.account("300000000000001", "Another's", "2329417887457253");
    graph.phone(
        "400000000000001",
        "300000000000001",
        "+49 30 111111",
        "Another's",
    );
    let begun = sign_up(&desk, &graph, TOKEN, &[]).await;
    let id = begun["id"].as_str().expect("an id");
    // Its number goes away, so that the step asks which one it is; the answer must be looked at before it counts.
    graph.edit_phone(NUMBER, |phone| phone.account_id = "1".to_owned());
    let repeat = |step| ["connect", "repeat", id, step];
    let asking = desk.json(&repeat("number")).await;
    assert_eq!(
        step(&asking, "number")["ask"]["field"],
        "phone_number_id",
        "{asking}"
    );
    let named = ["--field", "phone_number_id=400000000000001"];
    let made = desk.json(&[&repeat("channel")[..], &named].concat()).await;
    let channel = step(&made, "channel");
    assert_eq!(channel["state"], "failed", "{channel}");
    assert_eq!(channel["failure"]["code"], "not_known_yet", "{channel}");
    let listed = desk.json(&["channel", "list"]).await.to_string();
    assert!(!listed.contains("400000000000001"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_comes_from_its_own_app_is_verified_by_the_servers() {
    let desk = Desk::new().await;
    let (graph, number) = business(&desk);
    graph.app(MetaApp {
        id: "111222333".to_owned(),
        secret: "own-app-secret-77aa".to_owned(),
        ..MetaApp::default()
    });
    graph.token("EAAGownToken0001", MetaToken::of("111222333", &[WABA]));
    desk.write("own_token", "EAAGownToken0001");
    desk.write("own_secret", "own-app-secret-77aa");
    let keys = [
        "connect",
        "start",
        "meta-keys",
        "--name",
        "Loja",
        "--credential",
        "access_token=@own_token",
        "--credential",
        "app_secret=@own_secret",
    ];
    let own = desk.json(&keys).await;
    assert_eq!(own["state"], "waiting", "{own}");
    let signed_up = sign_up(&desk, &graph, TOKEN, &[]).await;
    assert_eq!(signed_up["channel_id"], own["channel_id"]);
    let listed = desk.json(&["channel", "list"]).await;
    let credentials = &listed["channels"][0]["credentials"];
    assert_eq!(credentials["app_secret"], Value::Null, "{listed}");
    assert_eq!(credentials["verify_token"], Value::Null, "{listed}");
    first_message(&desk, &number, &signed_up).await;
}

#[tokio::test]
async fn of_two_changes_at_once_none_is_lost_that_was_said_to_be_made() {
    let house = House::on(Database::sqlite().await).await;
    let location = json!({ "name": "Shop", "time_zone": "UTC" });
    let id = house.created("/locations", location).await;
    house.number(&id).await;
    let channels = format!("/locations/{id}/channels");
    let (_, listed) = house.api(Method::GET, &channels, None).await;
    let path = format!(
        "{channels}/{}",
        listed["channels"][0]["id"].as_str().expect("an id")
    );
    let mut refused = 0;
    for nth in 0..20 {
        let name = format!("name {nth}");
        let rate = json!({ "settings": { "messages_per_second": 10 + nth } });
        let rename = house.api(Method::PATCH, &path, Some(json!({ "name": name })));
        let slow = house.api(Method::PATCH, &path, Some(rate));
        let ((renamed, _), (slowed, _)) = tokio::join!(rename, slow);
        let (_, channel) = house.api(Method::GET, &path, None).await;
        for (status, is_there) in [
            (renamed, channel["name"] == name.as_str()),
            (
                slowed,
                channel["settings"]["messages_per_second"] == 10 + nth,
            ),
        ] {
            match status {
                StatusCode::OK => assert!(is_there, "{channel}"),
                other => assert_eq!(other, StatusCode::CONFLICT),
            }
            refused += usize::from(status != StatusCode::OK);
        }
    }
    assert!(refused < 40, "some are made");
    house.close().await;
}

#[tokio::test]
async fn a_locations_token_makes_no_channel_that_the_servers_app_verifies() {
    let house = House::on(Database::sqlite().await).await;
    let location = json!({ "name": "Shop", "time_zone": "UTC" });
    let id = house.created("/locations", location).await;
    let operator = house.token.clone();
    let location_id: LocationId = id.parse().expect("an id");
    let token = house
        .engine
        .create_token("theirs", Some(location_id))
        .await
        .expect("a token");
    let mut house = house;
    token.1.expose().clone_into(&mut house.token);
    let channels = format!("/locations/{id}/channels");
    let mut channel = json!({
        "provider": "meta", "account": WABA, "key": NUMBER, "phone": "+49 30 901820", "name": "front desk",
        "credentials": { "access_token": "any" }
    });
    let (status, refused) = house
        .api(Method::POST, &channels, Some(channel.clone()))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    assert!(refused.to_string().contains("onboardings"), "{refused}");
    // With a secret of its own it hears only what that secret signs; it keeps one, whoever asks.
    channel["credentials"]["app_secret"] = json!("my-own-secret");
    let made = house.created(&channels, channel.clone()).await;
    let without = json!({ "credentials": { "app_secret": "" } });
    for token in [&house.token.clone(), &operator] {
        token.clone_into(&mut house.token);
        let path = format!("{channels}/{made}");
        let (status, refused) = house.api(Method::PATCH, &path, Some(without.clone())).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    }
    // Whoever operates the server answers for what he says.
    channel["key"] = json!("106853218861310");
    channel["credentials"] = json!({ "access_token": "any" });
    house.created(&channels, channel).await;
    house.close().await;
}
