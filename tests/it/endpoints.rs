//! Endpoints as an administrator sets them up: what does not do is refused, and secrets stay inside.

use std::collections::BTreeMap;

use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::endpoint::Method;
use rejoinder_engine::{NewEndpoint, Problem};
use reqwest::{Method as HttpMethod, StatusCode};
use serde_json::{Value, json};

use crate::database::{Database, on_both};
use crate::house::House;
use crate::world::World;

fn endpoint(name: &str, url: &str) -> NewEndpoint {
    NewEndpoint {
        name: name.into(),
        url: url.into(),
        method: Method::Post,
        headers: BTreeMap::new(),
        timeout_ms: None,
    }
}

on_both! {
    async fn what_cannot_be_an_endpoint_is_refused(world: World) {
        let refused = async |new: NewEndpoint| match world.engine.create_endpoint(world.location_id, new).await {
            Err(Problem::Invalid(sentence)) => sentence,
            other => panic!("{other:?}"),
        };
        let good = || endpoint("crm", "https://crm.example.com/");
        assert!(refused(NewEndpoint { name: "CRM!".into(), ..good() }).await.contains("small letters"));
        assert!(refused(NewEndpoint { url: "crm.example.com".into(), ..good() }).await.contains("https://"));
        let slow = Some(rejoinder_engine::domain::time::Span::seconds(31));
        assert!(refused(NewEndpoint { timeout_ms: slow, ..good() }).await.contains("30000"));
        for (header, value) in [("Host", "a"), ("a b", "c"), ("X-Key", "a\r\nb: c"), ("X-Key", ""), ("Idempotency-Key", "1")] {
            let headers = [(header.to_owned(), Secret::new(value))].into();
            assert!(refused(NewEndpoint { headers, ..good() }).await.contains(header));
        }
        world.engine.create_endpoint(world.location_id, good()).await.expect("an endpoint");
        let again = world.engine.create_endpoint(world.location_id, good()).await.expect_err("taken");
        assert!(again.to_string().contains("already"), "{again}");
    }

    async fn header_values_are_sealed_at_rest(world: World) {
        use sea_orm::ConnectionTrait as _;
        let headers = [("Authorization".to_owned(), Secret::new("Bearer hunter2"))].into();
        let new = NewEndpoint { headers, ..endpoint("crm", "https://crm.example.com/") };
        let made = world.engine.create_endpoint(world.location_id, new).await.expect("an endpoint");
        assert_eq!(made.headers, ["authorization"]);
        assert!(!format!("{made:?}").contains("hunter2"));
        let rows = world.engine.store().connection()
            .query_all_raw(sea_orm::Statement::from_string(
                world.engine.store().connection().get_database_backend(),
                "SELECT headers, header_names FROM rejoinder_endpoint",
            ))
            .await
            .expect("rows");
        let sealed: String = rows[0].try_get("", "headers").expect("a text");
        assert!(sealed.starts_with("v1.") && !sealed.contains("hunter2"), "{sealed}");
    }
}

#[tokio::test]
async fn endpoints_by_http_never_show_what_their_headers_say() {
    let house = House::on(Database::sqlite().await).await;
    let location = json!({ "name": "Casa Lima", "time_zone": "Europe/Berlin" });
    let location = house.created("/locations", location).await;
    let path = format!("/locations/{location}/endpoints");
    let new = json!({ "name": "crm", "url": "https://crm.example.com/leads", "method": "put",
        "headers": { "Authorization": "Bearer hunter2", "X-Tenant": "7" }, "timeout_ms": 2000 });
    let (status, answer) = house.api(HttpMethod::POST, &path, Some(new)).await;
    assert_eq!(status, StatusCode::CREATED);
    let shown = json!({ "name": "crm", "url": "https://crm.example.com/leads", "method": "PUT",
        "headers": ["authorization", "x-tenant"], "timeout_ms": 2000 });
    assert_eq!(answer, shown);

    let one = format!("{path}/crm");
    let change = json!({ "headers": { "x-tenant": null, "X-Other": "8" }, "timeout_ms": 3000 });
    let (_, answer) = house.api(HttpMethod::PATCH, &one, Some(change)).await;
    assert_eq!(answer["headers"], json!(["authorization", "x-other"]));
    assert_eq!(
        (&answer["timeout_ms"], &answer["method"]),
        (&json!(3000), &json!("PUT"))
    );
    let (_, listed) = house.api(HttpMethod::GET, &path, None).await;
    assert_eq!(listed, json!({ "endpoints": [answer] }));
    let (_, one_answer) = house.api(HttpMethod::GET, &one, None).await;
    assert_eq!(one_answer, answer);

    let odd = json!({ "method": "FETCH" });
    let (status, answer) = house.api(HttpMethod::PATCH, &one, Some(odd)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer["error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("POST")),
        "{answer}"
    );

    let (status, answer) = house.api(HttpMethod::DELETE, &one, None).await;
    assert_eq!((status, answer), (StatusCode::NO_CONTENT, Value::Null));
    for method in [HttpMethod::GET, HttpMethod::DELETE] {
        let (status, _) = house.api(method, &one, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    house.close().await;
}
