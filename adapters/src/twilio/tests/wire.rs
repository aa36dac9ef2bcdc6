//! Requests to a Twilio of our own that answers from a list.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use rejoinder_engine::adapter::{
    Adapter, Method, Outgoing, Route, SendError, SendErrorKind, Signal, SignalKind, Webhook,
};
use rejoinder_engine::domain::content::{Button, Content, TemplateContent};
use rejoinder_engine::domain::ids::ChannelId;
use rejoinder_engine::domain::time::Span;
use sha1::Sha1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{ACCOUNT, CONTENT_SID, Parcel, credentials};
use crate::twilio::{Twilio, TwilioConfig};

/// A plain statement of the algorithm, to sign what tests invent.
pub(super) fn sign(url: &str, body: &str, token: &str) -> String {
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body.as_bytes()) {
        values
            .entry(name.into_owned())
            .or_default()
            .insert(value.into_owned());
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(url.as_bytes());
    for (name, values) in values {
        for value in values {
            mac.update(format!("{name}{value}").as_bytes());
        }
    }
    BASE64.encode(mac.finalize().into_bytes())
}

/// Answers each request, on a connection of its own, with the next of `answers` (status line and
/// body), and gives back what was asked.
pub(super) async fn twilio(answers: &[(&str, &str)]) -> (Twilio, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers: Vec<_> = answers
        .iter()
        .map(|(status, body)| {
            format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nRetry-After: 7\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
        })
        .collect();
    let requests = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !is_complete(&request) {
                let mut chunk = [0; 4096];
                let length = stream.read(&mut chunk).await.unwrap();
                request.extend_from_slice(&chunk[..length]);
            }
            requests.push(String::from_utf8(request).unwrap());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    let config = TwilioConfig {
        api_url: url.clone(),
        content_url: url.clone(),
        messaging_url: url,
    };
    (Twilio::new(config), requests)
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    body.len() >= length
}

const CREATED: &str = r#"{"sid":"SM000000000000000000000000000000c1","status":"queued","error_code":null,"num_media":"0"}"#;

#[tokio::test]
async fn a_message_is_sent_by_one_form_under_the_account() {
    let (twilio, requests) = twilio(&[("201 Created", CREATED)]).await;
    let parcel = Parcel::text();
    let sent = twilio.send(&parcel.outgoing()).await.unwrap();
    assert_eq!(sent.provider_id, "SM000000000000000000000000000000c1");
    let request = requests.await.unwrap().remove(0);
    assert!(request.starts_with(&format!(
        "POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1\r\n"
    )));
    let login = BASE64.encode(format!("{ACCOUNT}:token"));
    assert!(request.contains(&format!("Basic {login}")), "{request}");
    assert!(
        request.contains("To=whatsapp%3A%2B5511987654321&From=whatsapp%3A%2B4930901820&Body=oi")
    );
}

#[tokio::test]
async fn an_api_key_sends_in_place_of_the_token() {
    let (twilio, requests) = twilio(&[("201 Created", CREATED)]).await;
    let mut parcel = Parcel::text();
    parcel.credentials = credentials(&[
        ("auth_token", "token"),
        ("api_key_sid", "SK1"),
        ("api_key_secret", "secret"),
    ]);
    twilio.send(&parcel.outgoing()).await.unwrap();
    let request = requests.await.unwrap().remove(0);
    let login = BASE64.encode("SK1:secret");
    assert!(request.contains(&format!("Basic {login}")), "{request}");
    assert!(request.contains(ACCOUNT));
}

#[tokio::test]
async fn an_answer_that_is_no_success_says_whether_the_message_may_have_left() {
    for (status, body, kind) in [
        ("201 Created", "<html>", SendErrorKind::InDoubt),
        ("201 Created", r#"{"sid":""}"#, SendErrorKind::InDoubt),
        (
            "201 Created",
            r#"{"sid":"SM1","status":"failed","error_code":63024}"#,
            SendErrorKind::Unreachable,
        ),
        (
            "400 Bad Request",
            r#"{"code":21610,"message":"x","status":400}"#,
            SendErrorKind::OptedOut,
        ),
        ("500 Oops", r#"{"code":20500}"#, SendErrorKind::InDoubt),
        ("502 Bad Gateway", "<html>", SendErrorKind::InDoubt),
        ("429 Slow", r#"{"code":20429}"#, SendErrorKind::RateLimited),
    ] {
        let (twilio, requests) = twilio(&[(status, body)]).await;
        let parcel = Parcel::text();
        let error = twilio.send(&parcel.outgoing()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body}");
        if kind == SendErrorKind::RateLimited {
            assert_eq!(error.retry_after, Some(Span::seconds(7)));
        }
        requests.await.unwrap();
    }
}

#[tokio::test]
async fn a_message_without_credentials_or_account_never_leaves() {
    let twilio = Twilio::new(TwilioConfig {
        api_url: "http://127.0.0.1:1".to_owned(),
        ..TwilioConfig::default()
    });
    let mut parcel = Parcel::text();
    let error = twilio.send(&parcel.outgoing()).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::NotConnected);
    parcel.credentials = credentials(&[("auth_token", ""), ("api_key_sid", "SK1")]);
    let error = twilio.send(&parcel.outgoing()).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Credential);
    parcel = Parcel::text();
    parcel.channel.account = "../AC1".to_owned();
    let error = twilio.send(&parcel.outgoing()).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Credential);
}

#[tokio::test]
async fn buttons_are_looked_for_before_they_are_created() {
    let parcel = Parcel::new(Content::Buttons {
        text: "Olá".to_owned(),
        buttons: vec![Button {
            id: "yes".to_owned(),
            title: "Sim".to_owned(),
        }],
    });
    let key = provide_key(&parcel.outgoing());
    let other = r#"{"contents":[{"sid":"HX1","friendly_name":"other","language":"en"}],"meta":{"next_page_url":null}}"#;
    let created = format!(r#"{{"sid":"{CONTENT_SID}","friendly_name":"x"}}"#);
    let (twilio_, requests) = twilio(&[("200 OK", other), ("201 Created", &created)]).await;
    assert_eq!(
        twilio_.provide(&parcel.outgoing()).await.unwrap(),
        CONTENT_SID
    );
    let requests = requests.await.unwrap();
    assert!(requests[0].starts_with(&format!(
        "GET /v2/Content?ContentName=rejoinder_{key}&Language=en&PageSize=100 "
    )));
    assert!(requests[1].starts_with("POST /v1/Content "));
    assert!(requests[1].contains(&format!(r#"{{"friendly_name":"rejoinder_{key}""#)));

    let there = format!(
        r#"{{"contents":[{{"sid":"HX2","friendly_name":"rejoinder_{key}","language":"en"}}],"meta":{{}}}}"#
    );
    let (twilio_, requests) = twilio(&[("200 OK", &there)]).await;
    assert_eq!(twilio_.provide(&parcel.outgoing()).await.unwrap(), "HX2");
    assert_eq!(requests.await.unwrap().len(), 1);
}

fn provide_key(outgoing: &Outgoing<'_>) -> String {
    let twilio = Twilio::new(TwilioConfig::default());
    twilio.resource(outgoing).unwrap().key
}

fn template() -> Parcel {
    Parcel::new(Content::Template(TemplateContent {
        name: "order_ready".to_owned(),
        language: None,
        header: None,
        body: rejoinder_engine::domain::content::TemplateValues::default(),
        buttons: Vec::new(),
    }))
}

#[tokio::test]
async fn a_template_is_the_newest_content_of_exactly_its_name_and_language() {
    let first = r#"{"contents":[
        {"sid":"HX1","friendly_name":"order_ready_2","language":"pt_BR","date_created":"2026-03-01T00:00:00Z"},
        {"sid":"HX2","friendly_name":"order_ready","language":"en","date_created":"2026-03-01T00:00:00Z"}
      ],"meta":{"next_page_url":"https://elsewhere.example/v2/Content?Page=1&PageToken=x"}}"#;
    let second = r#"{"contents":[
        {"sid":"HX3","friendly_name":"order_ready","language":"pt_BR","date_created":"2026-01-01T00:00:00Z"},
        {"sid":"HX4","friendly_name":"order_ready","language":"pt_BR","date_created":"2026-02-01T00:00:00Z"}
      ],"meta":{"next_page_url":null}}"#;
    let (twilio, requests) = twilio(&[("200 OK", first), ("200 OK", second)]).await;
    let parcel = template();
    let key = provide_key(&parcel.outgoing());
    assert_eq!(key, "template:order_ready:pt_BR");
    assert_eq!(twilio.provide(&parcel.outgoing()).await.unwrap(), "HX4");
    let requests = requests.await.unwrap();
    assert!(requests[1].starts_with("GET /v2/Content?Page=1&PageToken=x "));
}

#[tokio::test]
async fn a_template_that_is_missing_is_named_and_a_fault_is_temporary() {
    async fn error(answer: (&str, &str)) -> SendError {
        let (twilio, requests) = twilio(&[answer]).await;
        let parcel = template();
        let error = twilio.provide(&parcel.outgoing()).await.unwrap_err();
        requests.await.unwrap();
        error
    }
    let missing = error(("200 OK", r#"{"contents":[],"meta":{}}"#)).await;
    assert_eq!(missing.kind, SendErrorKind::TemplateRejected);
    assert!(missing.detail.contains("'order_ready'"), "{missing}");
    assert!(missing.detail.contains("'pt_BR'"), "{missing}");
    for answer in [("503 Down", "<html>"), ("200 OK", "<html>")] {
        assert_eq!(error(answer).await.kind, SendErrorKind::Temporary);
    }
    let wrong = error(("401 Unauthorized", r#"{"code":20003}"#)).await;
    assert_eq!(wrong.kind, SendErrorKind::Credential);
}

#[tokio::test]
async fn contents_are_listed_page_by_page_at_one_host() {
    let content = |sid: &str, name: &str| {
        format!(
            r#"{{"sid":"{sid}","friendly_name":"{name}","language":"en","types":{{"twilio/text":{{"body":"{{{{1}}}}"}}}},"approval_requests":{{"status":"approved"}}}}"#
        )
    };
    let first = format!(
        r#"{{"contents":[{}],"meta":{{"next_page_url":"https://elsewhere.example/v1/ContentAndApprovals?PageSize=50&Page=1&PageToken=x"}}}}"#,
        content("HX1", "a")
    );
    let second = format!(
        r#"{{"contents":[{}],"meta":{{"next_page_url":null}}}}"#,
        content("HX2", "b")
    );
    let (twilio, requests) = twilio(&[("200 OK", &first), ("200 OK", &second)]).await;
    let parcel = Parcel::text();
    let listed = twilio.templates(&parcel.channel, &parcel.credentials).await;
    let listed = listed.unwrap().unwrap();
    let names: Vec<&str> = listed.iter().map(|shape| shape.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let requests = requests.await.unwrap();
    assert!(requests[0].starts_with("GET /v1/ContentAndApprovals?PageSize=50 "));
    assert!(requests[1].starts_with("GET /v1/ContentAndApprovals?PageSize=50&Page=1&PageToken=x "));
}

#[tokio::test]
async fn a_list_that_cannot_be_read_leaves_nothing_in_doubt() {
    for (answer, kind) in [
        (("503 Down", "<html>"), SendErrorKind::Temporary),
        (("200 OK", "<html>"), SendErrorKind::Temporary),
        (
            ("401 Unauthorized", r#"{"code":20003}"#),
            SendErrorKind::Credential,
        ),
    ] {
        let (twilio, requests) = twilio(&[answer]).await;
        let parcel = Parcel::text();
        let listed = twilio.templates(&parcel.channel, &parcel.credentials).await;
        assert_eq!(listed.unwrap_err().kind, kind, "{answer:?}");
        requests.await.unwrap();
    }
}

#[tokio::test]
async fn a_typing_mark_names_the_customers_message() {
    let (twilio, requests) = twilio(&[("200 OK", r#"{"success":true}"#)]).await;
    let parcel = Parcel::text();
    twilio
        .signal(&Signal {
            channel: &parcel.channel,
            credentials: &parcel.credentials,
            message_id: "SM1",
            kind: SignalKind::Typing,
        })
        .await
        .unwrap();
    let request = requests.await.unwrap().remove(0);
    assert!(request.starts_with("POST /v2/Indicators/Typing.json "));
    assert!(request.ends_with("messageId=SM1&channel=whatsapp"));
}

#[test]
fn a_webhook_is_routed_by_its_path_or_by_the_account_that_it_names() {
    let twilio = Twilio::new(TwilioConfig::default());
    let route = |channel_id, query: &str, body: &'static str| {
        twilio.route(&Webhook {
            method: Method::Post,
            channel_id,
            url: String::new(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: Bytes::from(body),
        })
    };
    let channel_id = ChannelId::derive(&[b"channel"]);
    let account = || Route::Account("AC1".to_owned());
    assert_eq!(
        route(Some(channel_id), "", "AccountSid=AC1"),
        Route::Channel(channel_id)
    );
    assert_eq!(route(None, "", "To=x&AccountSid=AC1"), account());
    assert_eq!(route(None, "AccountSid=AC1", ""), account());
    assert_eq!(
        route(None, "", r#"{"data":{"accountSid":"AC1"}}"#),
        account()
    );
    assert_eq!(
        route(None, "", r#"[{"data":{"accountSid":"AC1"}}]"#),
        account()
    );
    assert_eq!(route(None, "AccountSid=AC1", "{}"), account());
    for wrong in [
        "",
        "AccountSid=",
        "AccountSid=a%2Fb",
        "[]",
        "{",
        "AccountSid=A%00",
    ] {
        assert_eq!(route(None, "", wrong), Route::Nowhere, "{wrong}");
    }
}

#[test]
fn an_empty_token_is_no_secret_and_the_newest_comes_first() {
    let twilio = Twilio::new(TwilioConfig::default());
    let secrets = |fields: &[(&str, &str)]| -> Vec<String> {
        twilio
            .webhook_secrets(&credentials(fields))
            .iter()
            .map(|secret| secret.expose().to_owned())
            .collect()
    };
    assert_eq!(
        secrets(&[("auth_token", "old"), ("auth_token_secondary", "new")]),
        ["new", "old"]
    );
    assert!(secrets(&[("auth_token", ""), ("api_key_secret", "x")]).is_empty());
}
