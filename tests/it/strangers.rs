//! Whoever connects and does not behave: slow, endless, or many. Nobody else is kept waiting for them, and what
//! they take is bounded.

use std::time::Duration;

use rejoinder_adapters::simulator::meta::sign;
use rejoinder_server::ServeOptions;
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::database::Database;
use crate::house::{APP_SECRET, House};

/// How long a request's head and body may take here.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long the test waits for a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(20);
const EMPTY: &[u8] = br#"{"object":"whatsapp_business_account","entry":[]}"#;
/// The largest webhook that is read.
const LARGEST: usize = 4 * 1024 * 1024;

async fn house(max_connections: usize) -> House {
    let options = ServeOptions {
        max_connections,
        header_deadline: DEADLINE,
        body_deadline: DEADLINE,
        ..ServeOptions::default()
    };
    House::serving(Database::sqlite().await, options).await
}

/// The beginning of a webhook that promises so many bytes, with the first of them.
async fn begin(house: &House, promised: usize, sent: &[u8]) -> TcpStream {
    let connected = TcpStream::connect(house.server.addr()).await;
    let mut stream = connected.expect("a connection");
    let head = format!(
        "POST /api/webhooks/whatsapp HTTP/1.1\r\nhost: localhost\r\nx-hub-signature-256: sha256={}\r\n\
         content-length: {promised}\r\n\r\n",
        "0".repeat(64)
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    // A server that has enough may have closed already.
    let _ = stream.write_all(sent).await;
    stream
}

/// What comes back until the server closes.
async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    let _ = read.expect("the server gives up first");
    String::from_utf8_lossy(&answer).into_owned()
}

/// An honest webhook, beside whatever happens.
async fn honest(house: &House) -> StatusCode {
    let request = house
        .client
        .post(house.url("/api/webhooks/whatsapp"))
        .header("x-hub-signature-256", sign(APP_SECRET, EMPTY))
        .body(EMPTY);
    request.send().await.expect("an answer").status()
}

#[tokio::test]
async fn whoever_is_slow_is_given_up_and_keeps_nobody_waiting() {
    let house = house(100).await;
    let mut slow_body = begin(&house, 100, b"{").await;
    let connected = TcpStream::connect(house.server.addr()).await;
    let mut slow_head = connected.expect("a connection");
    slow_head
        .write_all(b"POST /api/webhooks")
        .await
        .expect("written");
    assert_eq!(honest(&house).await, StatusCode::OK);
    let answered = answer(&mut slow_body).await;
    assert!(answered.starts_with("HTTP/1.1 408"), "{answered}");
    let answered = answer(&mut slow_head).await;
    assert!(
        answered.is_empty() || answered.starts_with("HTTP/1.1 408"),
        "{answered}"
    );
    house.close().await;
}

#[tokio::test]
async fn a_flood_of_bodies_takes_a_bounded_share_of_the_memory_and_is_told_to_come_again() {
    let house = house(1_000).await;
    // 48 times 3 MiB are more than all bodies together may hold.
    let part = vec![b' '; LARGEST * 3 / 4];
    let begun = (0..48).map(|_| begin(&house, LARGEST, &part));
    let streams = futures_util::future::join_all(begun).await;
    let answers = streams
        .into_iter()
        .map(|mut stream| async move { answer(&mut stream).await });
    let answers = futures_util::future::join_all(answers).await;
    let of = |status: &str| {
        let begins = format!("HTTP/1.1 {status}");
        answers.iter().filter(|it| it.starts_with(&begins)).count()
    };
    let (put_off, slow) = (of("503"), of("408"));
    assert!(put_off > 0, "{} bytes were held", 48 * part.len());
    assert!(slow > 0, "none was read at all");
    let put_off: Vec<&String> = (answers.iter())
        .filter(|it| it.starts_with("HTTP/1.1 503"))
        .collect();
    assert!(
        put_off.iter().all(|it| it.contains("retry-after:")),
        "{}",
        put_off[0]
    );
    // Their share is given back.
    assert_eq!(honest(&house).await, StatusCode::OK);
    house.close().await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_there_is_room_again_later() {
    let house = house(3).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(begin(&house, 100, b"").await);
    }
    // The server has taken them on before it closes another.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let connected = TcpStream::connect(house.server.addr()).await;
    let mut another = connected.expect("the system takes it on");
    let answered = answer(&mut another).await;
    assert!(answered.is_empty(), "{answered}");
    for stream in &mut idle {
        answer(stream).await;
    }
    assert_eq!(honest(&house).await, StatusCode::OK);
    house.close().await;
}
