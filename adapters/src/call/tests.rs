//! Calls against a server on loopback that answers as it is told, and the places that are not called.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::ids::RequestId;
use rejoinder_engine::domain::time::Span;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A server that gives every request the same answer, as raw bytes, and keeps what it heard.
struct Place {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Place {
    async fn answering(answer: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let (answer, heard_by_server) = (answer.to_owned(), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = vec![0; 256 * 1024];
                let mut length = 0;
                loop {
                    length += stream.read(&mut bytes[length..]).await.unwrap_or(0);
                    let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                    if is_whole(&text) {
                        heard_by_server.lock().expect("a lock").push(text);
                        break;
                    }
                }
                if answer.is_empty() {
                    // It hears, and says nothing.
                    std::future::pending::<()>().await;
                }
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { address, heard }
    }

    fn url(&self) -> String {
        format!("http://{}/leads?from=rules", self.address)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("a lock").clone()
    }
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    body.len() >= length.unwrap_or(0)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn call(url: &str, method: Method) -> Call {
    let Value::Object(data) =
        json!({ "name": "Ada Lovelace", "n": 7, "tags": ["lead"], "none": null })
    else {
        unreachable!("it is a map")
    };
    Call {
        request_id: RequestId::derive(&[b"one"]),
        endpoint: "crm".into(),
        url: url.into(),
        method,
        headers: vec![("Authorization".into(), Secret::new("Bearer hunter2"))],
        data,
        timeout: Span::seconds(5),
    }
}

#[tokio::test]
async fn data_goes_out_as_json_with_the_requests_id_and_the_answer_comes_back() {
    let place = Place::answering(&answer("201 Created", "retry-after: 7\r\n", "{\"id\":1}")).await;
    let calls = Calls::new(Reach::Everywhere);
    let got = calls.call(call(&place.url(), Method::Post)).await;
    let expected = Answer {
        status: 201,
        body: Bytes::from_static(b"{\"id\":1}"),
        retry_after: Some(Span::seconds(7)),
    };
    assert_eq!(got, Ok(expected));
    let heard = place.heard().remove(0);
    assert!(
        heard.starts_with("POST /leads?from=rules HTTP/1.1\r\n"),
        "{heard}"
    );
    let id = RequestId::derive(&[b"one"]);
    for line in [
        "authorization: Bearer hunter2\r\n",
        "content-type: application/json\r\n",
        &format!("idempotency-key: {id}\r\n"),
        concat!("user-agent: rejoinder/", env!("CARGO_PKG_VERSION"), "\r\n"),
    ] {
        assert!(heard.contains(line), "{line} is missing: {heard}");
    }
    let body = heard.split("\r\n\r\n").nth(1).expect("a body");
    assert_eq!(
        body,
        r#"{"n":7,"name":"Ada Lovelace","none":null,"tags":["lead"]}"#
    );
}

#[tokio::test]
async fn get_puts_the_data_into_the_query() {
    let place = Place::answering(&answer("200 OK", "", "[]")).await;
    let calls = Calls::new(Reach::Everywhere);
    let got = calls.call(call(&place.url(), Method::Get)).await;
    assert_eq!(got.map(|answer| answer.status), Ok(200));
    let heard = place.heard().remove(0);
    let line = "GET /leads?from=rules&n=7&name=Ada+Lovelace&tags=%5B%22lead%22%5D HTTP/1.1\r\n";
    assert!(heard.starts_with(line), "{heard}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let inner = Place::answering(&answer("200 OK", "", "secret")).await;
    let location = format!("location: {}\r\n", inner.url());
    let place = Place::answering(&answer("302 Found", &location, "")).await;
    let calls = Calls::new(Reach::Everywhere);
    let got = calls.call(call(&place.url(), Method::Post)).await;
    assert_eq!(got.map(|answer| answer.status), Ok(302));
    assert_eq!(inner.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_too_large_is_not_carried() {
    let long = "x".repeat(MAX_ANSWER_BYTES + 1);
    let place = Place::answering(&answer("200 OK", "", &long)).await;
    let calls = Calls::new(Reach::Everywhere);
    let got = calls.call(call(&place.url(), Method::Post)).await;
    assert_eq!(got, Err(CallError::TooLarge));
    let mut large = call(&place.url(), Method::Post);
    large
        .data
        .insert("long".into(), "x".repeat(MAX_QUESTION_BYTES).into());
    assert_eq!(calls.call(large).await, Err(CallError::TooLarge));
    assert_eq!(place.heard().len(), 1, "the second was not sent");
}

#[tokio::test]
async fn silence_and_broken_connections_are_told_apart_from_none() {
    let calls = Calls::new(Reach::Everywhere);
    let silent = Place::answering("").await;
    let mut hasty = call(&silent.url(), Method::Post);
    hasty.timeout = Span::from_ms(200);
    assert_eq!(calls.call(hasty).await, Err(CallError::Timeout));
    let broken =
        Place::answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nxyz")
            .await;
    let got = calls.call(call(&broken.url(), Method::Post)).await;
    assert_eq!(got, Err(CallError::Broken));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a free port");
    let nobody = listener.local_addr().expect("an address");
    drop(listener);
    let got = calls
        .call(call(&format!("http://{nobody}/"), Method::Post))
        .await;
    assert_eq!(got, Err(CallError::NotConnected));
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_not_sent_in_part() {
    let calls = Calls::new(Reach::Everywhere);
    let mut odd = call("http://127.0.0.1:9/", Method::Post);
    odd.headers = vec![("X-Key".into(), Secret::new("a\r\nb: c"))];
    assert_eq!(calls.call(odd).await, Err(CallError::Invalid));
}

/// Calls by names that all lead to `to`, and how often a name was looked up.
fn by_name(reach: Reach, to: SocketAddr) -> (Calls, Arc<AtomicUsize>) {
    let asked: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&asked);
    let lookup: crate::http::guarded::Lookup = Arc::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Ok(vec![to]) })
    });
    let client = Guarded::with_lookup(guard(reach), lookup);
    (Calls { client, reach }, asked)
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_what_was_found_is_connected_to() {
    let place = Place::answering(&answer("200 OK", "", "{}")).await;
    let (calls, asked) = by_name(Reach::Everywhere, SocketAddr::new(place.address.ip(), 0));
    let url = format!("http://crm.example:{}/", place.address.port());
    let got = calls.call(call(&url, Method::Post)).await;
    assert_eq!(got.map(|answer| answer.status), Ok(200));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_before_a_connection_is_made() {
    let place = Place::answering(&answer("200 OK", "", "{}")).await;
    let inside = [
        place.address.ip(),
        IpAddr::from([169, 254, 169, 254]),
        IpAddr::from([10, 0, 0, 1]),
    ];
    for address in inside {
        let (calls, asked) = by_name(Reach::Internet, SocketAddr::new(address, 0));
        let url = format!("https://crm.example:{}/", place.address.port());
        let got = calls.call(call(&url, Method::Post)).await;
        assert_eq!(got, Err(CallError::RefusedAddress), "{address}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
    assert_eq!(place.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn addresses_inside_are_refused_however_they_are_written() {
    let calls = Calls::new(Reach::Internet);
    for url in [
        "https://localhost/",
        "https://crm.localhost./",
        "https://127.0.0.1/",
        "https://127.0.0.1../",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://10.0.0.1/",
        "https://192.168.1.1:8443/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://192.0.2.1/",
    ] {
        assert!(calls.check(url).is_err(), "{url}");
        let got = calls.call(call(url, Method::Post)).await;
        assert_eq!(got, Err(CallError::RefusedAddress), "{url}");
    }
}

#[test]
fn an_address_is_https_and_holds_no_password() {
    let calls = Calls::new(Reach::Internet);
    assert_eq!(calls.check("https://crm.example.com/v1/leads?x=1"), Ok(()));
    for (url, word) in [
        ("http://crm.example.com/", "https://"),
        ("ftp://crm.example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https://ada:secret@crm.example.com/", "header"),
        ("https://crm.example.com/#top", "#"),
        ("crm", "https://crm.example.com"),
    ] {
        let refusal = calls.check(url).expect_err(url);
        assert!(refusal.contains(word), "{url}: {refusal}");
    }
    let inside = Calls::new(Reach::Everywhere);
    assert_eq!(inside.check("http://localhost:8080/"), Ok(()));
}
