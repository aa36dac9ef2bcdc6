//! Senders who give up while their webhooks are let in, at any moment: what was acknowledged is there once
//! and is answered, and no connection stays in a transaction. Knows nothing of how webhooks are written.
//!
//! `tests/run --fast cancelling` gives up 3,000 times, `REJOINDER_CANCELLATIONS=100000` before it so often:
//! a half on each database, and there a half by dropping the future of `Engine::accept` after each of its
//! polls, a half by closing the socket of a request to the real server at a random moment.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, poll_fn};
use rejoinder_adapters::simulator::MetaNumber;
use rejoinder_adapters::simulator::meta::{Arrival, sign, text_message};
use rejoinder_engine::adapter::Webhook;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::domain::time::Timestamp;
use rejoinder_engine::store::Store;
use rejoinder_engine::{AcceptError, Accepted, Engine, LocationChange};
use sea_orm::DbBackend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::chance::Chance;
use crate::checker::{Acknowledged, Evidence, breaches, open_work};
use crate::database::{Database, on_both, row};
use crate::effort::{often, say};
use crate::house::{APP_SECRET, House};
use crate::world::{Customer, World, signed};

/// How often senders give up where nobody says otherwise.
const CANCELLATIONS: usize = 3_000;
/// Databases, and ways to give up on each.
const CASES: usize = 4;
/// Senders at the same time.
const SENDERS: usize = 16;
/// What a customer writes before another one comes: fewer than a pair's limits hold up.
const MESSAGES_EACH: usize = 3;
/// How long a sender looks on at most before it gives up: as long as a few commits.
const GIVES_UP_AFTER_US: u64 = 8_000;
/// More awaits than a webhook meets on its way into the database.
const MANY_POLLS: usize = 200;
/// How long the work that is left may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// A transaction that is open for so long while nothing is done was forgotten.
const FORGOTTEN: Duration = Duration::from_secs(2);

const RULE: &str = "fn on_message(chat, message) { chat.state.n = (chat.state.n ?? 0) + 1; chat.reply(message.text); }";

/// A house whose senders give up, and what they saw acknowledged.
struct Scene {
    house: House,
    number: MetaNumber,
    location_id: LocationId,
    acknowledged: Mutex<Vec<Acknowledged>>,
    customers: AtomicUsize,
    given_up: AtomicUsize,
    wanted: usize,
}

/// A message of a customer.
struct Letter {
    acknowledged: Acknowledged,
    body: Vec<u8>,
}

impl Scene {
    async fn set(database: Database, wanted: usize) -> Arc<Self> {
        let (house, location, number) = House::of_a_busy_shop(database).await;
        house.publish(&location, RULE).await;
        Arc::new(Self {
            house,
            number,
            location_id: location.parse().expect("an id"),
            acknowledged: Mutex::default(),
            customers: AtomicUsize::new(0),
            given_up: AtomicUsize::new(0),
            wanted,
        })
    }

    /// Customers write, one after the other, until senders have given up often enough.
    async fn write(self: Arc<Self>, way: Way, mut chance: Chance) {
        while self.given_up.load(Ordering::Relaxed) < self.wanted {
            let customer = 4_915_000_000_000 + self.customers.fetch_add(1, Ordering::Relaxed);
            for nth in 1..=MESSAGES_EACH {
                let letter = self.letter(&customer.to_string(), nth);
                match way {
                    Way::DroppedFuture => self.drop_futures(&letter, &mut chance).await,
                    Way::ClosedSocket => self.close_sockets(&letter, &mut chance).await,
                }
                let mut acknowledged = self.acknowledged.lock().expect("no one panics");
                acknowledged.push(letter.acknowledged);
            }
        }
    }

    fn letter(&self, customer: &str, nth: usize) -> Letter {
        let text = format!("{customer} says {nth}");
        let id = format!("wamid.{customer}.{nth}");
        let arrival = Arrival {
            name: "Ada",
            phone: customer,
            user_id: None,
            id: &id,
            at: self.house.simulator.now(),
            context: None,
        };
        Letter {
            body: text_message(self.number.registration(), &arrival, &text),
            acknowledged: Acknowledged {
                id: id.clone(),
                customer: customer.to_owned(),
                text,
            },
        }
    }

    /// Hands a webhook over and drops the future after its first poll, after its second, and so on, until
    /// one comes to its end. The set-up is read anew each time, which makes more awaits.
    async fn drop_futures(&self, letter: &Letter, chance: &mut Chance) {
        let webhook = signed(APP_SECRET, &letter.body);
        for polls in 1..MANY_POLLS {
            forget_setup(&self.house.engine, self.location_id).await;
            let pause = Duration::from_micros(chance.between(0, GIVES_UP_AFTER_US));
            match accept_for(&self.house.engine, &webhook, polls, pause).await {
                Some(accepted) => {
                    accepted.expect("it is stored");
                    return;
                }
                None => self.given_up.fetch_add(1, Ordering::Relaxed),
            };
        }
        panic!("a webhook was not let in after {MANY_POLLS} polls");
    }

    /// Sends a webhook and closes the socket before the answer, again and again; then one is sent whole.
    async fn close_sockets(&self, letter: &Letter, chance: &mut Chance) {
        for _ in 0..chance.between(1, 4) {
            if self.send_and_close(&letter.body, chance).await {
                return;
            }
            self.given_up.fetch_add(1, Ordering::Relaxed);
        }
        loop {
            let request = self
                .house
                .client
                .post(&self.number.registration().webhook_url)
                .header("x-hub-signature-256", sign(APP_SECRET, &letter.body))
                .body(letter.body.clone());
            let answer = request.send().await.expect("the server answers");
            if answer.status().is_success() {
                return;
            }
        }
    }

    /// Sends a webhook, or a part of one, and closes the socket; says whether the answer came before.
    async fn send_and_close(&self, body: &[u8], chance: &mut Chance) -> bool {
        let mut request = format!(
            "POST /api/webhooks/whatsapp HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\
             x-hub-signature-256: {}\r\n\r\n",
            body.len(),
            sign(APP_SECRET, body)
        )
        .into_bytes();
        request.extend_from_slice(body);
        // One in four does not even say all of it.
        if chance.index(4) == 0 {
            request.truncate(chance.index(request.len()));
        }
        let mut stream = TcpStream::connect(self.house.server.addr())
            .await
            .expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        if chance.index(2) == 0 {
            // Closed by a reset, which the server notices while it still works.
            stream.set_zero_linger().expect("a socket");
        }
        stream.write_all(&request).await.expect("the server reads");
        let pause = Duration::from_micros(chance.between(0, GIVES_UP_AFTER_US));
        let mut answer = [0; 12];
        let read = tokio::time::timeout(pause, stream.read_exact(&mut answer)).await;
        matches!(read, Ok(Ok(_))) && answer.ends_with(b"200")
    }
}

/// How a sender gives up.
#[derive(Clone, Copy, Debug)]
enum Way {
    DroppedFuture,
    ClosedSocket,
}

/// Polls the acceptance of a webhook so many times at most, and drops it a little later.
async fn accept_for(
    engine: &Engine,
    webhook: &Webhook,
    polls: usize,
    pause: Duration,
) -> Option<Result<Accepted, AcceptError>> {
    let mut accepting = pin!(engine.accept("meta", webhook));
    let mut left = polls;
    let outcome = poll_fn(|context| {
        let polled = accepting.as_mut().poll(context).map(Some);
        left -= 1;
        if left == 0 && polled.is_pending() {
            Poll::Ready(None)
        } else {
            polled
        }
    });
    let outcome = outcome.await;
    if outcome.is_none() {
        // What it waits for may come, and nobody is there.
        tokio::time::sleep(pause).await;
    }
    outcome
}

/// Lets everything that was read of the set-up be read again.
async fn forget_setup(engine: &Engine, location_id: LocationId) {
    let changed = engine.change_location(location_id, LocationChange::default());
    changed.await.expect("the database works");
}

async fn give_up_and_look(database: Database, way: Way) {
    let wanted = often("REJOINDER_CANCELLATIONS", CANCELLATIONS) / CASES;
    let scene = Scene::set(database, wanted).await;
    let seed = u64::try_from(Timestamp::ms(scene.house.simulator.now())).expect("after 1970");
    say(&format!("seed {seed}, {wanted} times, {way:?}"));
    let mut chance = Chance::from_seed(seed);
    let senders = (0..SENDERS).map(|_| {
        let chance = Chance::from_seed(chance.next());
        tokio::spawn(Arc::clone(&scene).write(way, chance))
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("it ends");
    }
    let scene = Arc::into_inner(scene).expect("the senders are done");
    let store = scene.house.engine.store();
    settle(store).await;
    expect_no_transaction(store).await;
    let acknowledged = scene.acknowledged.into_inner().expect("no one panics");
    let received = scene.house.simulator.received();
    let evidence = Evidence {
        store,
        location_id: scene.location_id,
        acknowledged: &acknowledged,
        also: Vec::new(),
        received: &received,
    };
    let found = breaches(&evidence).await;
    assert!(
        found.is_empty(),
        "seed {seed}: {} breaches, such as {:#?}",
        found.len(),
        &found[..found.len().min(20)]
    );
    say(&format!(
        "given up {} times, {} acknowledged, {} answered",
        scene.given_up.into_inner(),
        acknowledged.len(),
        received.len()
    ));
    scene.house.close().await;
}

/// Waits until nothing is left to be done.
async fn settle(store: &Store) {
    let began_at = Instant::now();
    while open_work(store).await > 0 {
        assert!(began_at.elapsed() < PATIENCE, "work is left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Nothing is done any more, so no connection has a reason to be in a transaction.
async fn expect_no_transaction(store: &Store) {
    let connection = store.connection();
    if connection.get_database_backend() == DbBackend::Postgres {
        tokio::time::sleep(FORGOTTEN).await;
        let text = format!(
            "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
             AND xact_start < now() - interval '{} seconds'",
            FORGOTTEN.as_secs()
        );
        assert_eq!(number(store, &text, "n").await, 0, "a transaction is open");
        return;
    }
    // The log can be emptied only if nobody reads from it, and nobody writes.
    let began_at = Instant::now();
    while number(store, "PRAGMA wal_checkpoint(TRUNCATE)", "busy").await > 0 {
        assert!(began_at.elapsed() < FORGOTTEN, "a transaction is open");
    }
}

async fn number(store: &Store, text: &str, column: &str) -> i64 {
    let row = row(store, text).await;
    row.try_get("", column)
        .or_else(|_| row.try_get("", column).map(|n: i32| n.into()))
        .expect("a number")
}

on_both! {
    /// Above so many conversations that wait for their rules, a webhook waits before it is read.
    async fn whoever_gives_up_while_too_much_waits_has_stored_nothing(world: World) {
        world.rule("fn on_message(chat, message) { }").await;
        let phones: Vec<String> = (0..100).map(|nth| format!("49151{nth:08}")).collect();
        let bodies: Vec<Vec<u8>> = phones
            .iter()
            .map(|phone| world.message(Customer { name: "Ada", phone: leaked(phone) }, "hello"))
            .collect();
        for accepted in join_all(bodies.iter().map(|body| world.accept(body))).await {
            accepted.expect("it is stored");
        }
        let late = world.message(Customer { name: "Ben", phone: "4915299999999" }, "hello");
        let webhook = signed(crate::world::APP_SECRET, &late);
        for polls in 1..20 {
            let outcome = accept_for(&world.engine, &webhook, polls, Duration::ZERO).await;
            assert!(outcome.is_none(), "it was let in: {outcome:?}");
        }
        assert_eq!(world.engine.backlog().0, bodies.len());
        world.settle().await;
        world.accept(&late).await.expect("there is room");
        assert_eq!(world.engine.backlog().0, 1);
        world.settle().await;
        let done = "SELECT COUNT(*) AS n FROM rejoinder_event WHERE state = 'done'";
        assert_eq!(number(world.engine.store(), done, "n").await, 101);
    }
}

/// The test's customers live as long as the test.
fn leaked(text: &str) -> &'static str {
    String::leak(text.to_owned())
}

mod heavy {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_acknowledged_is_lost_when_futures_are_dropped_on_sqlite() {
        give_up_and_look(Database::sqlite().await, Way::DroppedFuture).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_acknowledged_is_lost_when_futures_are_dropped_on_postgres() {
        give_up_and_look(Database::postgres().await, Way::DroppedFuture).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_acknowledged_is_lost_when_sockets_are_closed_on_sqlite() {
        give_up_and_look(Database::sqlite().await, Way::ClosedSocket).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_acknowledged_is_lost_when_sockets_are_closed_on_postgres() {
        give_up_and_look(Database::postgres().await, Way::ClosedSocket).await;
    }
}
