//! The faces tried over HTTP, and a business that only listens.

mod meta_face;
mod twilio_face;
mod vectors;

use std::convert::Infallible;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::http::{Answer, Http};

const CUSTOMER: &str = "+5511987654321";
const AUTH_TOKEN: &str = "b6d1f0a94c7e4d2f8a3c5e7190ab2cd4";
const ACCOUNT: &str = "AC0a1b2c3d4e5f60718293a4b5c6d7e8f9";

/// A webhook that the business got.
struct Heard {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }
}

/// A business that answers every webhook with 200.
struct Business {
    url: String,
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl Business {
    async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (sender, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                let service = service_fn(move |request: http::Request<_>| {
                    let sender = sender.clone();
                    async move { Ok::<_, Infallible>(hear(&sender, request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { url, heard }
    }

    async fn next(&mut self) -> Heard {
        self.heard.recv().await.expect("a webhook")
    }
}

async fn hear(
    sender: &mpsc::UnboundedSender<Heard>,
    request: http::Request<hyper::body::Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    sender
        .send(Heard {
            path: head.uri.to_string(),
            headers: head.headers,
            body,
        })
        .expect("somebody listens");
    Response::new(Full::default())
}

fn meta_registration(business: &Business) -> meta::Registration {
    meta::Registration {
        webhook_url: format!("{}/hooks/meta", business.url),
        app_secret: "0123456789abcdef0123456789abcdef".to_owned(),
        phone_number_id: "106853218861309".to_owned(),
        waba_id: "215589313241560883".to_owned(),
        display_phone: "4930901820".to_owned(),
        access_token: Some("token".to_owned()),
    }
}

fn twilio_registration(business: &Business) -> twilio::Registration {
    twilio::Registration {
        webhook_url: "https://api.example.com/hooks/twilio?channel=7#rc=3&rp=all".to_owned(),
        reach: Some(business.url.clone()),
        account_sid: ACCOUNT.to_owned(),
        auth_token: AUTH_TOKEN.to_owned(),
        number: "whatsapp:+4930901820".to_owned(),
    }
}

async fn post_meta(simulator: &Simulator, token: &str, body: &Value) -> Result<Answer, i64> {
    let url = format!("{}/v25.0/106853218861309/messages", simulator.base_url());
    let http = Http::new();
    let request = http
        .request(Method::POST, &url)
        .bearer_auth(token)
        .json(body);
    http.send(request)
        .await
        .map_err(|error| error.provider_code)
}

async fn call_twilio(
    simulator: &Simulator,
    method: Method,
    path: &str,
    form: &[(&str, &str)],
) -> Answer {
    let url = format!("{}{path}", simulator.base_url());
    let http = Http::new();
    let mut request = http
        .request(method, &url)
        .basic_auth(ACCOUNT, Some(AUTH_TOKEN));
    if !form.is_empty() {
        request = request.form(form);
    }
    http.send(request).await.expect("an answer")
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}
