//! The server as providers and administrators meet it: by HTTP, on a real clock, with a provider on
//! loopback that sends signed webhooks and takes the answers.

use std::time::Duration;

use rejoinder_adapters::simulator::meta::sign;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::database::{Database, on_both};
use crate::house::{APP_SECRET, House};

on_both! {
    async fn the_main_job_by_http(house: House) {
        let location = house
            .created(
                "/locations",
                json!({ "name": "Casa Lima", "time_zone": "Europe/Berlin" }),
            )
            .await;
        let number = house.number(&location).await;
        let source = r#"fn on_message(chat, message) { chat.reply(`You said ${message.text}.`); }"#;
        house.publish(&location, source).await;

        let pushed = number
            .customer_says("Ada", "+5511987654321", "hello")
            .await
            .expect("an answer");
        assert_eq!(pushed.status, 200);
        let answers = tokio::time::timeout(Duration::from_secs(10), house.simulator.wait_for(1))
            .await
            .expect("a reply");
        assert_eq!(answers[0].summary.text, "You said hello.");
        house.simulator.settled().await;

        // The statuses come by webhook: what the API tells of the delivery follows.
        let delivered = async {
            loop {
                let (_, answer) = house
                    .api(
                        Method::GET,
                        &format!("/locations/{location}/deliveries"),
                        None,
                    )
                    .await;
                if answer["deliveries"][0]["state"] == "delivered" {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), delivered)
            .await
            .expect("the status arrives");
        let (_, answer) = house
            .api(
                Method::GET,
                &format!("/locations/{location}/events?limit=10"),
                None,
            )
            .await;
        let first = &answer["events"][0];
        for (field, value) in [
            ("direction", "in"),
            ("kind", "text"),
            ("text", "hello"),
            ("from", "+5511987654321"),
        ] {
            assert_eq!(first[field], value, "{first}");
        }
        assert_eq!(first["provider_id"], pushed.id);
        house.close().await;
    }
}

#[tokio::test]
async fn the_handshake_is_answered_only_with_the_right_word() {
    let house = House::on(Database::sqlite().await).await;
    let ask = |query: &str| {
        let request = house
            .client
            .get(house.url(&format!("/api/webhooks/whatsapp?{query}")));
        async move {
            let response = request.send().await.expect("an answer");
            (
                response.status().as_u16(),
                response.text().await.expect("a body"),
            )
        }
    };
    let right = ask("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=vt-7f3a").await;
    assert_eq!(right, (200, "1158201444".to_owned()));
    for wrong in [
        "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=wrong",
        "hub.mode=unsubscribe&hub.challenge=1158201444&hub.verify_token=vt-7f3a",
        "hub.mode=subscribe&hub.verify_token=vt-7f3a",
    ] {
        assert_eq!(ask(wrong).await.0, 403, "{wrong}");
    }
    house.close().await;
}

#[tokio::test]
async fn every_refusal_is_the_same_and_nothing_is_stored() {
    let house = House::on(Database::sqlite().await).await;
    let body = br#"{"object":"whatsapp_business_account","entry":[]}"#.to_vec();
    let mut answers = Vec::new();
    for (path, signature) in [
        ("whatsapp", None),
        ("whatsapp", Some(sign("another secret", &body))),
        ("whatsapp", Some("sha256=".into())),
        (
            "whatsapp/chn_00000000000000000000000000000000",
            Some(sign(APP_SECRET, &body)),
        ),
        ("whatsapp/nonsense", Some(sign(APP_SECRET, &body))),
        ("twilio", None),
    ] {
        let mut request = house
            .client
            .post(house.url(&format!("/api/webhooks/{path}")))
            .body(body.clone());
        if let Some(signature) = signature {
            request = request.header("x-hub-signature-256", signature);
        }
        let response = request.send().await.expect("an answer");
        answers.push((
            response.status().as_u16(),
            response.bytes().await.expect("a body"),
        ));
    }
    assert!(
        answers
            .iter()
            .all(|answer| *answer == answers[0] && answer.0 == 403),
        "{answers:?}"
    );
    assert!(
        house
            .engine
            .store()
            .unrouted(None, 10)
            .await
            .expect("a list")
            .is_empty()
    );
    house.close().await;
}

#[tokio::test]
async fn a_chunked_body_is_read_and_a_huge_one_is_not() {
    let house = House::on(Database::sqlite().await).await;
    let body = br#"{"object":"whatsapp_business_account","entry":[]}"#;
    let signature = sign(APP_SECRET, body);
    let mut stream = tokio::net::TcpStream::connect(house.server.addr())
        .await
        .expect("a connection");
    let head = format!(
        "POST /api/webhooks/whatsapp HTTP/1.1\r\nhost: localhost\r\nx-hub-signature-256: {signature}\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    for chunk in body.chunks(7) {
        stream
            .write_all(format!("{:x}\r\n", chunk.len()).as_bytes())
            .await
            .expect("written");
        stream.write_all(chunk).await.expect("written");
        stream.write_all(b"\r\n").await.expect("written");
    }
    stream.write_all(b"0\r\n\r\n").await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let huge = vec![b'x'; 4 * 1024 * 1024 + 1];
    let response = house
        .client
        .post(house.url("/api/webhooks/whatsapp"))
        .body(huge)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    house.close().await;
}

#[tokio::test]
async fn the_api_opens_to_tokens_only_and_says_what_is_wrong() {
    let house = House::on(Database::sqlite().await).await;
    let response = house
        .client
        .get(house.url("/api/v1/locations"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let (status, answer) = house
        .api(
            Method::POST,
            "/locations",
            Some(json!({ "name": "A", "time_zone": "Mars" })),
        )
        .await;
    assert!(
        status.is_client_error()
            && answer["error"]["message"]
                .as_str()
                .is_some_and(|m| m.contains("Mars")),
        "{answer}"
    );
    let location = house
        .created("/locations", json!({ "name": "A", "time_zone": "UTC" }))
        .await;
    let (status, _) = house
        .api(
            Method::GET,
            "/locations/loc_00000000000000000000000000000000",
            None,
        )
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let bad = json!({ "name": "bad", "source": "fn on_message(chat, message) { chat.replay(1) " });
    let rule = house
        .created(&format!("/locations/{location}/rules"), bad)
        .await;
    let (status, answer) = house
        .api(
            Method::POST,
            &format!("/locations/{location}/rules/{rule}/publish"),
            None,
        )
        .await;
    assert!(
        status.is_client_error() && answer["error"]["diagnostics"][0]["line"].is_u64(),
        "{answer}"
    );
    let ready = house
        .client
        .get(house.url("/readyz"))
        .send()
        .await
        .expect("an answer");
    assert!(ready.status().is_success());
    house.close().await;
}

#[tokio::test]
async fn a_script_is_checked_by_what_its_location_has() {
    let house = House::on(Database::sqlite().await).await;
    let location = json!({ "name": "A", "time_zone": "Europe/Berlin", "settings": { "vars": { "phone": "1" } } });
    let location = house.created("/locations", location).await;
    let rules = format!("/locations/{location}/rules");
    let source = "every(\"0 9 * * MON\", \"monday\");\nfn monday(location) { log(location.vars.phone, location.vars.fax); }\n\
        fn on_message(chat, message) { chat.after(\"2d\", \"later\"); }\nfn later(chat) { chat.reply(\"Hi\"); }";
    let body = json!({ "source": source });
    let (status, answer) = house
        .api(Method::POST, &format!("{rules}/check"), Some(body))
        .await;
    assert_eq!(status, StatusCode::OK);
    let [fax, late] = answer["diagnostics"].as_array().expect("a list").as_slice() else {
        panic!("two things are wrong: {answer}");
    };
    assert_eq!(
        (
            &fax["severity"],
            &fax["line"],
            &fax["column"],
            &fax["end_line"],
            &fax["end_column"]
        ),
        (
            &json!("error"),
            &json!(2),
            &json!(62),
            &json!(2),
            &json!(65)
        )
    );
    assert_eq!(late["severity"], "warning");
    assert_eq!(answer["handlers"], json!(["monday", "on_message", "later"]));
    let monday = &answer["schedules"][0];
    assert_eq!(
        (&monday["cron"], &monday["handler"]),
        (&json!("0 9 * * MON"), &json!("monday"))
    );
    let next = monday["next"].as_array().expect("times");
    assert!(
        next.len() == 3
            && next
                .iter()
                .all(|at| at.as_str().is_some_and(|at| at.contains("T09:00:00+0"))),
        "{next:?}"
    );

    // The error keeps it from being published; the warning is told and does not.
    let rule = house
        .created(&rules, json!({ "name": "a", "source": source }))
        .await;
    let publish = format!("{rules}/{rule}/publish");
    let (status, answer) = house.api(Method::POST, &publish, None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["error"]["message"], "the script has 1 mistake(s)");
    assert_eq!(answer["error"]["diagnostics"][1]["severity"], "warning");
    let body = json!({ "source": source.replace(", location.vars.fax", "") });
    let (status, _) = house
        .api(Method::PUT, &format!("{rules}/{rule}"), Some(body))
        .await;
    assert_eq!(status, StatusCode::OK);
    let (status, answer) = house.api(Method::POST, &publish, None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        (&answer["published"], &answer["warnings"][0]["line"]),
        (&json!(1), &json!(4))
    );
    house.close().await;
}

#[tokio::test]
async fn an_editor_is_told_what_may_follow() {
    let house = House::on(Database::sqlite().await).await;
    let location = house
        .created(
            "/locations",
            json!({ "name": "Casa Lima", "time_zone": "Europe/Berlin", "settings": { "vars": { "phone": "+49 30 1" } } }),
        )
        .await;
    let path = format!("/locations/{location}/rules/check");
    let ask = |source: &str, position: Option<(u32, u32)>| {
        let mut body = json!({ "source": source });
        if let Some((line, column)) = position {
            body["position"] = json!({ "line": line, "column": column });
        }
        body
    };
    let unfinished = "fn on_message(chat, message) {\n    chat.re";
    let (status, answer) = house
        .api(Method::POST, &path, Some(ask(unfinished, Some((2, 12)))))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(!answer["diagnostics"].as_array().expect("a list").is_empty());
    let reply = &answer["completions"][0];
    assert_eq!(
        (&reply["label"], &reply["kind"]),
        (&json!("reply"), &json!("method"))
    );
    assert_eq!(answer["hover"], json!(null));

    let source = "fn on_message(chat, message) { chat.reply(chat.location.vars.phone); }";
    let (_, answer) = house
        .api(Method::POST, &path, Some(ask(source, Some((1, 63)))))
        .await;
    assert_eq!(answer["completions"][0]["label"], "phone");
    let (_, answer) = house
        .api(Method::POST, &path, Some(ask(source, Some((1, 40)))))
        .await;
    let told = answer["hover"]["contents"].as_str().expect("a text");
    assert!(told.contains("chat.reply(") && answer["hover"]["column"] == 37);
    let (_, answer) = house
        .api(Method::POST, &path, Some(ask(source, None)))
        .await;
    assert!(answer.get("completions").is_none(), "{answer}");
    house.close().await;
}
