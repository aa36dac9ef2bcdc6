//! Requests beside the contents in `tests/payloads/meta/outbound`, and what answers mean.
//! Speaks to nothing but a local address.

use std::fs;
use std::path::{Path, PathBuf};

use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::channel::ChannelSettings;
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::ids::{ChannelId, DeliveryId, LocationId};

use super::*;
use crate::meta::ACCESS_TOKEN;

const DELIVERY: &str = "dlv_018f3a5c7b2e7c0f8a1b2c3d4e5f6071";

fn channel() -> Channel {
    Channel {
        location_id: LocationId::derive(&[b"location"]),
        id: ChannelId::derive(&[b"channel"]),
        provider: "meta".to_owned(),
        account: "215589313241560883".to_owned(),
        key: "106853218861309".to_owned(),
        phone: Phone::parse("+49 30 901820").expect("a number"),
        name: "Loja Exemplo".to_owned(),
        settings: ChannelSettings::default(),
        enabled: true,
    }
}

fn request(content: &Content, to: &str, reply_to: Option<&str>) -> Value {
    let delivery_id: DeliveryId = DELIVERY.parse().expect("an id");
    body(&Outgoing {
        channel: &channel(),
        credentials: &Credentials::default(),
        to: &Address::parse(to).expect("an address"),
        content,
        language: "pt_BR",
        reply_to,
        delivery_id,
        callback_url: None,
        reference: None,
    })
}

fn text() -> Content {
    Content::Text {
        text: "Oi!".to_owned(),
    }
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/payloads/meta/outbound");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder of outgoing contents")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| !path.to_string_lossy().ends_with(".request.json"))
        .collect();
    cases.sort();
    cases
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that writes files asks the person who runs it"
)]
fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// `UPDATE=1` writes the requests anew.
#[test]
fn every_content_becomes_the_request_beside_it() {
    let cases = cases();
    assert!(!cases.is_empty());
    for case in cases {
        let read = fs::read_to_string(&case).expect("a readable file");
        let content: Content = serde_json::from_str(&read)
            .unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        crate::meta::limits::check(&content)
            .unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        let request = request(&content, "+5511987654321", None);
        let expectation = case.with_extension("request.json");
        if is_update() {
            let written = serde_json::to_string_pretty(&request).expect("writable") + "\n";
            fs::write(&expectation, written).expect("a writable folder");
        }
        let expected: Value = fs::read_to_string(&expectation)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_else(|| panic!("{}: no request beside it", case.display()));
        assert_eq!(request, expected, "{}", case.display());
    }
}

#[test]
fn a_customer_without_a_number_is_written_to_by_id() {
    let request = request(&text(), "BR.8842117730056193", None);
    assert_eq!(request["recipient"], "BR.8842117730056193");
    assert_eq!(request.get("to"), None);
}

#[test]
fn a_number_goes_out_with_its_plus_sign_and_our_id_goes_along() {
    let request = request(&text(), "5511987654321", None);
    assert_eq!(request["to"], "+5511987654321");
    assert_eq!(request["biz_opaque_callback_data"], DELIVERY);
}

#[test]
fn a_reply_quotes_its_message_and_a_reaction_does_not_quote_twice() {
    let reply = request(&text(), "5511987654321", Some("wamid.IN0001"));
    assert_eq!(reply["context"], json!({"message_id": "wamid.IN0001"}));
    let reaction = Content::Reaction {
        message_id: "wamid.IN0001".to_owned(),
        emoji: "👍".to_owned(),
    };
    let reaction = request(&reaction, "5511987654321", Some("wamid.IN0001"));
    assert_eq!(reaction.get("context"), None);
}

#[test]
fn marks_name_the_customers_message() {
    let mark = |kind| {
        mark(&Signal {
            channel: &channel(),
            credentials: &Credentials::default(),
            message_id: "wamid.IN0001",
            kind,
        })
    };
    let read =
        json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.IN0001"});
    assert_eq!(mark(SignalKind::Read), read);
    let mut typing = read;
    typing["typing_indicator"] = json!({"type": "text"});
    assert_eq!(mark(SignalKind::Typing), typing);
}

/// Answers one request on a local address, and gives what it was.
async fn exchange(answer: &'static str, key: &str) -> (Result<Sent, SendError>, Option<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let config = MetaConfig {
        base_url: format!("http://{}/", listener.local_addr().expect("its address")),
        ..MetaConfig::default()
    };
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.ok()?;
        let mut request = Vec::new();
        let mut part = [0; 4096];
        while !request.ends_with(b"}") {
            let length = stream.read(&mut part).await.ok()?;
            if length == 0 {
                break;
            }
            request.extend_from_slice(&part[..length]);
        }
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.shutdown().await.ok()?;
        String::from_utf8(request).ok()
    });
    let channel = Channel {
        key: key.to_owned(),
        ..channel()
    };
    let credentials = [(ACCESS_TOKEN, Secret::new("EAAtesttoken123"))]
        .into_iter()
        .collect();
    let content = text();
    let to = Address::parse("5511987654321").expect("an address");
    let outgoing = Outgoing {
        channel: &channel,
        credentials: &credentials,
        to: &to,
        content: &content,
        language: "pt_BR",
        reply_to: None,
        delivery_id: DELIVERY.parse().expect("an id"),
        callback_url: None,
        reference: None,
    };
    let sent = send(&Http::new(), &config, &outgoing).await;
    if sent
        .as_ref()
        .is_err_and(|error| error.kind == SendErrorKind::ChannelUnready)
    {
        server.abort();
    }
    (sent, server.await.ok().flatten())
}

async fn outcome(answer: &'static str) -> Result<String, SendErrorKind> {
    let (sent, _) = exchange(answer, "106853218861309").await;
    sent.map(|sent| sent.provider_id)
        .map_err(|error| error.kind)
}

#[tokio::test]
async fn a_message_is_posted_once_to_the_numbers_own_address() {
    let answer =
        "HTTP/1.1 200 OK\r\ncontent-length: 37\r\n\r\n{\"messages\":[{\"id\":\"wamid.OUT0009\"}]}";
    let (sent, request) = exchange(answer, "106853218861309").await;
    let request = request.expect("a request");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
    assert!(
        head.starts_with("POST /v25.0/106853218861309/messages HTTP/1.1"),
        "{head}"
    );
    assert!(
        head.to_lowercase()
            .contains("authorization: bearer eaatesttoken123"),
        "{head}"
    );
    assert!(
        head.to_lowercase()
            .contains("content-type: application/json"),
        "{head}"
    );
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body, super::tests::request(&text(), "5511987654321", None));
    assert_eq!(
        sent.map(|sent| sent.provider_id).as_deref(),
        Ok("wamid.OUT0009")
    );
}

#[tokio::test]
async fn an_answer_without_an_id_leaves_the_message_in_doubt() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 24\r\n\r\n{\"messages\":[{\"id\":\"\"}]}\n",
        "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"messages\"",
        "",
    ] {
        assert_eq!(
            outcome(answer).await,
            Err(SendErrorKind::InDoubt),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_refusal_is_one_whatever_its_status() {
    assert_eq!(
        outcome("HTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\n{\"error\":{\"code\":131047}}\n")
            .await,
        Err(SendErrorKind::WindowClosed)
    );
    assert_eq!(
        outcome("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n").await,
        Err(SendErrorKind::RateLimited)
    );
}

#[tokio::test]
async fn a_key_that_would_lead_elsewhere_is_not_used() {
    for key in ["", "../me", "1/2", "1?x=y"] {
        let (sent, request) = exchange("", key).await;
        assert_eq!(
            sent.map_err(|error| error.kind),
            Err(SendErrorKind::ChannelUnready)
        );
        assert_eq!(request, None, "{key}");
    }
}
