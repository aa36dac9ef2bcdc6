//! The bridge page: on it, at our own address, a business signs its number up for a website whose address Meta
//! does not know. The website opens it with a ticket and is told what came of it; a code or a token goes from the
//! page to this server and nowhere else. Knows no step of an onboarding.

mod exchange;
mod page;
mod policy;

use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use rejoinder_engine::Engine;
use rejoinder_engine::crypto::Secret;
use url::Url;
use warp::http::{HeaderMap, Method};
use warp::path::{FullPath, Tail};
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::body::Reader;
use crate::reply::{self, Error};

/// Bytes of what the page posts at most: a code or a token, and some ids.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// Hexadecimal digits of a ticket's word; anything else is none.
const WORD_DIGITS: usize = 64;

const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");
const ICON: &str = include_str!("icon.svg");

/// How the bridge page reaches Facebook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeOptions {
    /// The id of the server's app at Meta; "" as long as there is none.
    pub app_id: String,
    /// The id of its configuration of Facebook Login for Business, or "".
    pub config_id: String,
    /// Whether the server has the secret of that app, without which a code opens nothing.
    pub has_app_secret: bool,
    /// The version of the Graph API, as in its paths.
    pub version: String,
    /// Facebook's script.
    pub sdk_url: String,
    /// Where Facebook's sign-up is, without a slash at its end.
    pub dialog_url: String,
    /// Where the Graph API is, which Facebook's script asks.
    pub graph_url: String,
}

impl Default for BridgeOptions {
    fn default() -> Self {
        Self {
            app_id: String::new(),
            config_id: String::new(),
            has_app_secret: false,
            version: "v25.0".to_owned(),
            sdk_url: "https://connect.facebook.net/en_US/sdk.js".to_owned(),
            dialog_url: "https://www.facebook.com".to_owned(),
            graph_url: "https://graph.facebook.com".to_owned(),
        }
    }
}

/// What is needed to show the page, and to take what it posts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bridge {
    engine: Engine,
    reader: Reader,
    options: Arc<BridgeOptions>,
}

/// Our address, at which the page must be.
///
/// # Errors
/// Nobody said what it is.
pub(crate) fn reachable(engine: &Engine) -> Result<&str, Error> {
    match engine.public_url() {
        "" => Err(Error::Invalid(
            "the bridge page has no address yet; set `public_url` (REJOINDER_PUBLIC_URL)"
                .to_owned(),
        )),
        url => Ok(url),
    }
}

/// The page's address for the holder of a ticket.
pub(crate) fn address(public_url: &str, word: &Secret) -> String {
    format!("{public_url}/bridge/start?t={}", word.expose())
}

/// A ticket's word, if it looks like one.
fn word(text: &str) -> Option<Secret> {
    let is_word = text.len() == WORD_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_word.then(|| Secret::new(text))
}

/// `/bridge/…`, and `/whatsapp-bridge…` as it was called before.
pub(crate) fn routes(
    bridge: Bridge,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let query = || warp::query::raw().or(warp::any().map(String::new)).unify();
    let page = warp::path!("bridge" / ..)
        .and(warp::path::tail())
        .and(warp::method())
        .and(query())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |tail: Tail, method, query: String, headers, body| {
            let bridge = bridge.clone();
            async move {
                let answer = bridge.answer(tail.as_str(), &method, &query, &headers, body);
                answer.await.unwrap_or_else(Response::from)
            }
        });
    let before = warp::path!("whatsapp-bridge" / ..)
        .and(warp::path::tail())
        .and(query())
        .and(warp::path::full())
        .map(|tail: Tail, query: String, path: FullPath| {
            let place = match tail.as_str() {
                "" if path.as_str().ends_with('/') => "../bridge/start",
                "" => "bridge/start",
                "callback" => "../bridge/callback",
                _ => return Error::Missing("path").into(),
            };
            reply::elsewhere(&format!("{place}?{query}"))
        });
    page.or(before).unify()
}

impl Bridge {
    pub(crate) fn new(engine: Engine, reader: Reader, options: BridgeOptions) -> Self {
        Self {
            engine,
            reader,
            options: Arc::new(options),
        }
    }

    async fn answer(
        &self,
        path: &str,
        method: &Method,
        query: &str,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    ) -> Result<Response, Error> {
        let is_posted = matches!(path, "exchange" | "status");
        match (method.as_str(), is_posted) {
            ("GET", false) | ("POST", true) => {}
            (_, false) => return Err(Error::Method("GET")),
            (_, true) => return Err(Error::Method("POST")),
        }
        match path {
            "start" => self.page(page::Place::Start, query, "t").await,
            "callback" => self.page(page::Place::Callback, query, "state").await,
            "page.js" => Ok(reply::part("text/javascript; charset=utf-8", SCRIPT)),
            "page.css" => Ok(reply::part("text/css; charset=utf-8", STYLE)),
            "icon.svg" => Ok(reply::part("image/svg+xml", ICON)),
            "exchange" => {
                self.own_page(headers)?;
                let body = self.reader.read(headers, body, MAX_BODY_BYTES).await?;
                self.exchange(headers, &body.bytes).await
            }
            "status" => {
                self.own_page(headers)?;
                let body = self.reader.read(headers, body, MAX_BODY_BYTES).await?;
                self.status(headers, &body.bytes).await
            }
            _ => Err(Error::Missing("path")),
        }
    }

    /// Refuses what another website's page posts: browsers name the origin, and pages cannot lie about it.
    fn own_page(&self, headers: &HeaderMap) -> Result<(), Error> {
        let home = self.home()?;
        let mut origins = headers.get_all("origin").iter();
        let is_own = origins.next().is_some_and(|origin| origin == home.as_str());
        if is_own && origins.next().is_none() {
            Ok(())
        } else {
            Err(Error::Foreign(home))
        }
    }

    /// The origin of our address.
    fn home(&self) -> Result<String, Error> {
        let url = Url::parse(reachable(&self.engine)?);
        let url = url.map_err(|_| Error::Invalid("`public_url` is not an address".to_owned()))?;
        Ok(url.origin().ascii_serialization())
    }

    /// Where Facebook's full page comes back to.
    fn callback(&self) -> String {
        format!("{}/bridge/callback", self.engine.public_url())
    }
}
