//! Webhooks come in: the raw request is handed to the engine, and its verdict to the provider.
//! Knows no provider's protocol; nothing of a request is decoded or believed here.

use bytes::{Buf, Bytes};
use futures_util::Stream;
use rejoinder_engine::adapter::{MAX_WEBHOOK_BYTES, Method, Webhook};
use rejoinder_engine::domain::ids::ChannelId;
use rejoinder_engine::{AcceptError, Engine};
use warp::http::{self, HeaderMap};
use warp::path::{FullPath, Tail};
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::body::Reader;
use crate::refusals::Refusals;
use crate::reply;

/// What is needed to let a webhook in.
#[derive(Clone)]
pub(crate) struct Webhooks {
    pub(crate) engine: Engine,
    /// Without a slash at its end.
    pub(crate) public_url: String,
    pub(crate) reader: Reader,
    pub(crate) refusals: Refusals,
}

/// The request line and headers of a webhook.
struct Head {
    method: http::Method,
    path: FullPath,
    query: Option<String>,
    headers: HeaderMap,
}

/// `/api/webhooks/{provider}` and `/api/webhooks/{provider}/{channel}`.
pub(crate) fn routes(
    webhooks: Webhooks,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let query = warp::query::raw()
        .map(Some)
        .or(warp::any().map(|| None))
        .unify();
    warp::path!("api" / "webhooks" / ..)
        .and(warp::path::tail())
        .and(warp::method())
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |tail: Tail, method, path, query, headers, body| {
            let webhooks = webhooks.clone();
            let head = Head {
                method,
                path,
                query,
                headers,
            };
            async move { webhooks.receive(tail.as_str(), head, body).await }
        })
}

impl Webhooks {
    async fn receive(
        self,
        tail: &str,
        head: Head,
        body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    ) -> Response {
        let (provider, channel) = match tail.trim_end_matches('/').split_once('/') {
            Some((provider, channel)) => (provider, Some(channel)),
            None => (tail.trim_end_matches('/'), None),
        };
        let Some(provider) = self.engine.webhook_kind(provider) else {
            return reply::Error::Missing("provider").into();
        };
        let method = match head.method {
            http::Method::GET => Method::Get,
            http::Method::POST => Method::Post,
            _ => return reply::Error::Method("GET, POST").into(),
        };
        let channel_id: Option<ChannelId> = match channel.map(str::parse).transpose() {
            Ok(channel_id) => channel_id,
            Err(_) => {
                self.refusals.note(provider);
                return reply::refused();
            }
        };
        let body = match self
            .reader
            .read(&head.headers, body, MAX_WEBHOOK_BYTES)
            .await
        {
            Ok(body) => body,
            Err(error) => {
                if matches!(error, reply::Error::Overloaded) {
                    self.engine.turned_away(provider);
                }
                return error.into();
            }
        };
        let (bytes, share) = body.into_parts();
        let webhook = self.webhook(method, channel_id, head, bytes);
        // In a task of its own, so that a sender who hangs up cancels nothing half-way.
        let engine = self.engine.clone();
        let task = tokio::spawn(async move {
            let response = self.answer(provider, &webhook).await;
            drop(share);
            response
        });
        task.await.unwrap_or_else(|_| {
            engine.turned_away(provider);
            reply::Error::Overloaded.into()
        })
    }

    fn webhook(
        &self,
        method: Method,
        channel_id: Option<ChannelId>,
        head: Head,
        body: Bytes,
    ) -> Webhook {
        let url = if self.public_url.is_empty() {
            String::new()
        } else {
            let query = head.query.as_ref().map(|query| format!("?{query}"));
            format!(
                "{}{}{}",
                self.public_url,
                head.path.as_str(),
                query.unwrap_or_default()
            )
        };
        Webhook {
            method,
            channel_id,
            url,
            query: head.query.unwrap_or_default(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| {
                    let value = Bytes::copy_from_slice(value.as_bytes());
                    (name.as_str().to_owned(), value)
                })
                .collect(),
            body,
        }
    }

    async fn answer(&self, provider: &str, webhook: &Webhook) -> Response {
        if webhook.method == Method::Get
            && let Ok(challenge) = self.engine.handshake(provider, webhook).await
        {
            return reply::handshake(challenge);
        }
        // A GET that is no handshake may yet be a webhook: Twilio sends them so if told to.
        match self.engine.accept(provider, webhook).await {
            Ok(accepted) => reply::webhook(accepted.reply),
            Err(AcceptError::Refused(_)) => {
                self.refusals.note(provider);
                reply::refused()
            }
            Err(AcceptError::UnknownProvider(_)) => reply::Error::Missing("provider").into(),
            Err(AcceptError::NotStored(error)) => {
                self.refusals.put_off(provider, &error);
                reply::Error::Overloaded.into()
            }
        }
    }
}
