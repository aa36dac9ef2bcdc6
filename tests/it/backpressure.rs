//! The real program is offered twice what it can do: what it acknowledges is answered in time and not lost, the
//! rest is told to come again, and its memory does not grow. Knows nothing of how it holds back.
//!
//! `tests/run --fast backpressure`. What it can do is measured first, in the same run and on the same machine.

mod program;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rejoinder_adapters::simulator::meta::{Arrival, Registration, sign, text_message};
use rejoinder_adapters::simulator::{Simulator, Statuses, WindowRule};
use rejoinder_engine::crypto::Vault;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::domain::time::{Span, Timestamp};
use rejoinder_engine::store::Store;
use sea_orm::DbBackend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use self::program::{APP_SECRET, NUMBERS, furnish, start};
use crate::checker::{Acknowledged, Evidence, breaches, open_work};
use crate::database::Database;
use crate::effort::say;

/// How long an answer may take: what the issue asks for.
const IN_TIME: Span = Span::seconds(2);
/// How long the sustainable rate is measured, and how long twice of it is offered.
const MEASURED: Duration = Duration::from_secs(6);
const OVERLOADED: Duration = Duration::from_secs(20);
/// Connections while the sustainable rate is measured: more than what is written together.
const FEW: usize = 64;
/// Connections by which twice of it is offered: enough for all that wait for a verdict.
const MANY: usize = 800;
/// How much more memory the program may hold at twice the rate than at once, in megabytes; and on SQLite,
/// whose caches fill as the file grows, whatever the rate.
const MORE_MB: u64 = 64;
const CACHES_MB: u64 = 5 * 64;
/// How long the program may take to be ready, and to be done with what is left.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, its provider, and what customers saw.
struct Scene {
    simulator: Simulator,
    numbers: Vec<Registration>,
    location_id: LocationId,
    addr: SocketAddr,
    next: AtomicUsize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    acknowledged: Vec<Acknowledged>,
    /// When what was acknowledged was sent, by its text.
    sent_at: HashMap<String, Timestamp>,
    refused: usize,
    /// What was neither, in words.
    odd: Vec<String>,
}

impl Scene {
    /// Sends the next message by `stream`: what came of it is seen.
    async fn say(&self, stream: &mut TcpStream) {
        let nth = self.next.fetch_add(1, Ordering::Relaxed);
        let customer = (4_915_000_000_000 + nth).to_string();
        let (id, text) = (
            format!("wamid.{customer}"),
            format!("{customer} says hello"),
        );
        let number = &self.numbers[nth % NUMBERS];
        let arrival = Arrival {
            name: "Ada",
            phone: &customer,
            user_id: None,
            id: &id,
            at: self.simulator.now(),
            context: None,
        };
        let body = text_message(number, &arrival, &text);
        let head = format!(
            "POST /api/webhooks/whatsapp HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\
             x-hub-signature-256: {}\r\n\r\n",
            body.len(),
            sign(APP_SECRET, &body)
        );
        let sent_at = self.simulator.now();
        let request = [head.as_bytes(), &body].concat();
        stream.write_all(&request).await.expect("the program reads");
        let answer = answer(stream).await;
        let mut seen = self.seen.lock().expect("no one panics");
        if answer.starts_with("http/1.1 200 ") {
            seen.sent_at.insert(text.clone(), sent_at);
            seen.acknowledged.push(Acknowledged { id, customer, text });
        } else if answer.starts_with("http/1.1 503 ") && answer.contains("\r\nretry-after: ") {
            seen.refused += 1;
        } else {
            seen.odd.push(answer);
        }
    }

    async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr)
            .await
            .expect("the program listens");
        stream.set_nodelay(true).expect("a socket");
        stream
    }

    /// How many messages a second are acknowledged, each sender waiting for the verdict about the last.
    async fn sustainable(self: &Arc<Self>) -> f64 {
        let began_at = Instant::now();
        let senders: Vec<_> = (0..FEW)
            .map(|_| {
                let scene = Arc::clone(self);
                tokio::spawn(async move {
                    let mut stream = scene.connect().await;
                    while began_at.elapsed() < MEASURED {
                        scene.say(&mut stream).await;
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.expect("it ends");
        }
        let acknowledged = self.seen.lock().expect("no one panics").acknowledged.len();
        acknowledged as f64 / began_at.elapsed().as_secs_f64()
    }

    /// Offers so many messages a second, whatever becomes of them; gives how many it was in the end.
    async fn offer(self: &Arc<Self>, rate: f64) -> f64 {
        let began_at = Instant::now();
        let due = Arc::new(AtomicUsize::new(0));
        let senders: Vec<_> = (0..MANY)
            .map(|_| {
                let (scene, due) = (Arc::clone(self), Arc::clone(&due));
                tokio::spawn(async move {
                    let mut stream = scene.connect().await;
                    loop {
                        let nth = due.fetch_add(1, Ordering::Relaxed);
                        let at = Duration::from_secs_f64(nth as f64 / rate);
                        if at > OVERLOADED {
                            return;
                        }
                        tokio::time::sleep_until((began_at + at).into()).await;
                        scene.say(&mut stream).await;
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.expect("it ends");
        }
        due.load(Ordering::Relaxed) as f64 / began_at.elapsed().as_secs_f64()
    }

    /// How long each answer took from when the message was sent, by the time the provider had it.
    fn latencies(&self) -> Vec<Span> {
        let seen = self.seen.lock().expect("no one panics");
        let received = self.simulator.received();
        let sent_at = |text: &str| seen.sent_at.get(text).copied();
        let mut all: Vec<Span> = received
            .iter()
            .filter_map(|message| Some(message.at.since(sent_at(&message.summary.text)?)))
            .collect();
        all.sort_unstable();
        all
    }
}

/// An answer's head, in lower case.
async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 4096];
    let mut read = 0;
    loop {
        let more = stream.read(&mut answer[read..]).await.expect("an answer");
        assert!(more > 0, "the connection was closed without an answer");
        read += more;
        let text = String::from_utf8_lossy(&answer[..read]).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            return format!("{head}\r\n");
        }
    }
}

async fn offer_twice_as_much(database: Database) {
    let simulator = Simulator::start().await.expect("a free port");
    simulator.configure(|settings| {
        settings.statuses = Statuses::None;
        settings.window = WindowRule::Ignore;
    });
    let (folder, ring) = (crate::commands::folder(), Vault::generate_ring("test"));
    let (location_id, numbers) = furnish(&database, &ring, &simulator).await;
    let (program, addr) = start(&folder, &database, &ring, &simulator).await;
    let scene = Arc::new(Scene {
        simulator,
        numbers,
        location_id,
        addr,
        next: AtomicUsize::new(0),
        seen: Mutex::default(),
    });
    let store = Store::open(&database.url).await.expect("it opens");

    let sustainable = scene.sustainable().await;
    settle(&store).await;
    let before = program.memory_mb();
    let warm = scene.latencies();
    say(&format!(
        "{sustainable:.0}/s can be done, answered within {} ms at most, in {} MB",
        warm.last().map_or(0, |last| last.ms()),
        before
    ));
    {
        let mut seen = scene.seen.lock().expect("no one panics");
        assert!(
            seen.acknowledged.len() > 100,
            "nothing can be done on this machine"
        );
        assert!(seen.odd.is_empty(), "{:?}", seen.odd);
        (seen.refused, seen.sent_at) = (0, HashMap::new());
    }
    let watch = tokio::spawn(async move {
        let mut most = 0;
        let watched = async {
            loop {
                most = program.memory_mb().max(most);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let _ = tokio::time::timeout(OVERLOADED, watched).await;
        (program, most)
    });
    let offered = scene.offer(2.0 * sustainable).await;
    let (program, most) = watch.await.expect("it ends");
    settle(&store).await;

    let latencies = scene.latencies();
    let seen = std::mem::take(&mut *scene.seen.lock().expect("no one panics"));
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].ms();
    say(&format!(
        "{offered:.0}/s offered: {} answered, {} refused; half within {} ms, 99 of 100 within {} ms, all within {} ms; {} MB",
        latencies.len(),
        seen.refused,
        at(50),
        at(99),
        at(100),
        most
    ));
    assert!(
        seen.odd.is_empty(),
        "neither taken nor told to come again: {:?}",
        &seen.odd[..1]
    );
    assert!(
        offered > 1.5 * sustainable,
        "it was not offered more than it can do"
    );
    assert!(
        seen.refused > 0,
        "nothing was refused: it was not offered more than it can do"
    );
    assert!(
        at(99) <= IN_TIME.ms(),
        "99 of 100 were answered within {} ms",
        at(99)
    );
    let allowed = match store.connection().get_database_backend() {
        DbBackend::Sqlite => before + MORE_MB + CACHES_MB,
        _ => before + MORE_MB,
    };
    assert!(most <= allowed, "memory grew from {before} to {most} MB");
    let received = scene.simulator.received();
    let evidence = Evidence {
        store: &store,
        location_id: scene.location_id,
        acknowledged: &seen.acknowledged,
        also: Vec::new(),
        received: &received,
    };
    let found = breaches(&evidence).await;
    assert!(
        found.is_empty(),
        "{} breaches, such as {:?}",
        found.len(),
        found.first()
    );
    drop(program);
}

/// Waits until nothing is left to be done.
async fn settle(store: &Store) {
    let began_at = Instant::now();
    while open_work(store).await > 0 {
        assert!(began_at.elapsed() < PATIENCE, "work is left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

mod heavy {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_acknowledged_is_answered_in_time_on_sqlite() {
        offer_twice_as_much(Database::sqlite().await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_acknowledged_is_answered_in_time_on_postgres() {
        offer_twice_as_much(Database::postgres().await).await;
    }
}
