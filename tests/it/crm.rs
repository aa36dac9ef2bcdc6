//! A program of somebody else's on loopback, which answers as the test tells it and keeps what it heard.
//! Knows just enough of HTTP for one request per connection.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// The method and the path with its query.
    pub(crate) line: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Desk {
    answers: VecDeque<(u16, String)>,
    heard: Vec<Heard>,
}

pub(crate) struct Crm {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    server: JoinHandle<()>,
}

impl Crm {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let desk: Arc<Mutex<Desk>> = Arc::default();
        let at_work = Arc::clone(&desk);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&at_work)));
            }
        });
        Self {
            address,
            desk,
            server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/leads", self.address)
    }

    /// What it answers next, after what it was told before; with nothing left, 200 and `{}`.
    pub(crate) fn will_answer(&self, status: u16, body: &str) {
        let mut desk = self.desk.lock().expect("a lock");
        desk.answers.push_back((status, body.to_owned()));
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.desk.lock().expect("a lock").heard.clone()
    }
}

impl Drop for Crm {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, desk: Arc<Mutex<Desk>>) {
    let mut bytes = Vec::new();
    let heard = loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(length) if length > 0 => bytes.extend_from_slice(&chunk[..length]),
            _ => return,
        }
        if let Some(heard) = read(&String::from_utf8_lossy(&bytes)) {
            break heard;
        }
    };
    let (status, body) = {
        let mut desk = desk.lock().expect("a lock");
        desk.heard.push(heard);
        desk.answers.pop_front().unwrap_or((200, "{}".into()))
    };
    let head = format!(
        "HTTP/1.1 {status} As told\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}

/// A request, once it is whole.
fn read(text: &str) -> Option<Heard> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let (line, rest) = head.split_once("\r\n")?;
    let headers: Vec<(String, String)> = rest
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    if body.len() < length {
        return None;
    }
    Some(Heard {
        line: line.trim_end_matches(" HTTP/1.1").to_owned(),
        headers,
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    })
}
