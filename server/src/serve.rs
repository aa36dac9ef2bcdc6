//! The listening socket and its connections: deadlines, limits, and an orderly end.
//! Knows no route; what is answered is the business of the filters.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rejoinder_engine::Engine;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use warp::Filter;
use warp::reply::Response;

use crate::api;
use crate::body::Reader;
use crate::bridge::{self, Bridge, BridgeOptions};
use crate::refusals::Refusals;
use crate::reply;
use crate::webhooks::{self, Webhooks};

/// Bytes of a request's line and headers at most, and of a connection's read buffer.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long the listener rests after the system could not give it a connection (no descriptors left).
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// How long the database may take to answer `/readyz`.
const READY_DEADLINE: Duration = Duration::from_secs(2);

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Our public https address, as providers know and sign it; "" takes the engine's.
    pub public_url: String,
    /// Connections at once; one more is closed.
    pub max_connections: usize,
    /// How long a request's line and headers may take, and how long a connection may idle.
    pub header_deadline: Duration,
    /// How long a request's body may take.
    pub body_deadline: Duration,
    /// How long requests at work may take to end when the server stops.
    pub drain_deadline: Duration,
    /// The page on which businesses sign their numbers up.
    pub bridge: BridgeOptions,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: String::new(),
            max_connections: 10_000,
            header_deadline: Duration::from_secs(10),
            body_deadline: Duration::from_secs(10),
            drain_deadline: Duration::from_secs(25),
            bridge: BridgeOptions::default(),
        }
    }
}

/// The server could not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Something else has the port.
    #[error(
        "{0} is in use by another program; stop that one, or listen elsewhere (`--listen`, REJOINDER_LISTEN)"
    )]
    InUse(SocketAddr),
    /// The address is not ours, or the port is reserved.
    #[error(
        "cannot listen on {addr} ({source}); choose another address (`--listen`, REJOINDER_LISTEN)"
    )]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// A server at work. Dropping it ends it at once; `stop` lets requests end.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens, and serves from now on.
    ///
    /// # Errors
    /// The address cannot be had; the sentence says what to do.
    pub async fn bind(engine: Engine, options: ServeOptions) -> Result<Self, ServeError> {
        let refuse = |source: io::Error| {
            if source.kind() == io::ErrorKind::AddrInUse {
                ServeError::InUse(options.listen)
            } else {
                ServeError::Listen {
                    addr: options.listen,
                    source,
                }
            }
        };
        let listener = TcpListener::bind(options.listen).await.map_err(refuse)?;
        let addr = listener.local_addr().map_err(refuse)?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(run(listener, engine, options, stopped));
        Ok(Self {
            addr,
            stop: Some(stop),
            task,
        })
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown` resolves, then stops in order.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        self.stop().await;
    }

    /// Takes no more connections, and waits for the requests at work, up to the drain deadline.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // The task is gone only if it panicked, and then there is nothing to stop.
            let _ = stop.send(());
        }
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    listener: TcpListener,
    engine: Engine,
    options: ServeOptions,
    mut stopped: oneshot::Receiver<()>,
) {
    let stopping = Arc::new(AtomicBool::new(false));
    let reader = Reader::new(options.body_deadline);
    let service = warp::service(filter(&engine, &options, &reader, Arc::clone(&stopping)));
    let service = TowerToHyperService::new(service);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(options.max_connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Some(stream) = usable(accepted).await else {
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::debug!("a connection was closed: there are as many as there may be");
            continue;
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(options.header_deadline)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service.clone());
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            // A connection that breaks is the client's affair; what came in whole has been handled.
            let _ = connection.await;
            drop(place);
        });
    }
    stopping.store(true, Ordering::SeqCst);
    drop(listener);
    let drained = async {
        graceful.shutdown().await;
        reader.idle().await;
    };
    if tokio::time::timeout(options.drain_deadline, drained)
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time; their connections are closed");
    }
}

/// A new connection, set up for short answers; nothing if it broke, or the system is at its limits.
async fn usable(accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<TcpStream> {
    match accepted {
        Ok((stream, _)) => stream.set_nodelay(true).is_ok().then_some(stream),
        Err(error) => {
            tracing::warn!(%error, "the system gave no connection; raise the limit of open files if this repeats");
            tokio::time::sleep(ACCEPT_REST).await;
            None
        }
    }
}

fn filter(
    engine: &Engine,
    options: &ServeOptions,
    reader: &Reader,
    stopping: Arc<AtomicBool>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static {
    let public_url = match options.public_url.trim_end_matches('/') {
        "" => engine.public_url(),
        url => url,
    };
    let webhooks = webhooks::routes(Webhooks {
        engine: engine.clone(),
        public_url: public_url.to_owned(),
        reader: reader.clone(),
        refusals: Refusals::default(),
    });
    let api = api::routes(engine.clone(), reader.clone());
    let bridge = bridge::routes(Bridge::new(
        engine.clone(),
        reader.clone(),
        options.bridge.clone(),
    ));
    let healthz = warp::path!("healthz").map(reply::healthy);
    let engine = engine.clone();
    let readyz = warp::path!("readyz").then(move || {
        let (engine, stopping) = (engine.clone(), Arc::clone(&stopping));
        async move { ready(&engine, &stopping).await }
    });
    webhooks
        .or(api)
        .unify()
        .or(bridge)
        .unify()
        .or(healthz)
        .unify()
        .or(readyz)
        .unify()
        .or(warp::any().map(|| Response::from(reply::Error::Missing("path"))))
        .unify()
}

async fn ready(engine: &Engine, stopping: &AtomicBool) -> Response {
    if stopping.load(Ordering::SeqCst) {
        return reply::not_ready("stopping\n");
    }
    if !engine.is_working() {
        return reply::not_ready("the database is not this server's at the moment\n");
    }
    match tokio::time::timeout(READY_DEADLINE, engine.store().ping()).await {
        Ok(Ok(())) => reply::healthy(),
        Ok(Err(_)) | Err(_) => reply::not_ready("the database does not answer\n"),
    }
}
