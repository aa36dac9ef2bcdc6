//! What piled up while nothing worked is worked off, and customers who write meanwhile do not wait for it.
//! Knows nothing of how turns are given.
//!
//! `tests/run --fast draining` plays a tenth; `REJOINDER_DRAIN=50000` before it all of it: as many events, twice
//! as many timers, and some minutes for each database.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rejoinder_adapters::simulator::MetaNumber;
use rejoinder_adapters::simulator::meta::{Arrival, sign, text_message};
use rejoinder_engine::domain::time::{Span, Timestamp};
use rejoinder_engine::store::Store;
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value, json};

use crate::checker::open_work;
use crate::database::{Database, cell};
use crate::effort::{often, say};
use crate::house::{APP_SECRET, House};

/// Events that wait at the start where nobody says otherwise.
const EVENTS: usize = 5_000;
/// Messages that wait of each customer.
const MESSAGES_EACH: usize = 2;
/// Timers that are due for each customer: twice as many as messages.
const TIMERS_EACH: usize = 4;
/// How long the engine has not worked.
const DOWNTIME: Span = Span::minutes(30);
/// How long it may take until all is worked off, and how long a live answer may take: what the issue asks for.
const DRAINED: Duration = Duration::from_secs(300);
const IN_TIME: Span = Span::seconds(2);
/// A customer writes as often meanwhile.
const LIVE_EVERY: Duration = Duration::from_millis(50);
/// Messages in one webhook, so that the pile is soon there.
const BATCH: usize = 100;
/// How long an answer to the last live message may take before the test looks.
const PATIENCE: Duration = Duration::from_secs(10);

/// One in four timers writes to the customer; all of them note something.
const RULE: &str = r#"
fn on_message(chat, message) { chat.state.n = (chat.state.n ?? 0) + 1; chat.reply(message.text); }
fn nudge_1(chat) { chat.reply("Still there?"); }
fn nudge_2(chat) { chat.state.nudged = 2; }
fn nudge_3(chat) { chat.state.nudged = 3; }
fn nudge_4(chat) { chat.state.nudged = 4; }
"#;

/// A house with a pile of work, and customers who write.
struct Scene {
    house: House,
    number: MetaNumber,
    is_over: AtomicBool,
}

impl Scene {
    async fn set(database: Database, events: usize) -> Self {
        let (house, location, number) = House::of_a_busy_shop(database).await;
        let scene = Self {
            house,
            number,
            is_over: AtomicBool::new(false),
        };
        // Without a rule everything is decided at once.
        scene.fill(events).await;
        scene.settled(PATIENCE).await;
        scene.house.publish(&location, RULE).await;
        scene.house.engine.stop().await;
        scene.pile_up().await;
        scene
    }

    /// Customers write while there is no rule, many in one webhook.
    async fn fill(&self, events: usize) {
        let customers: Vec<usize> = (0..events / MESSAGES_EACH).collect();
        for nth in 0..MESSAGES_EACH {
            for customers in customers.chunks(BATCH) {
                let bodies = customers.iter().map(|customer| {
                    let customer = format!("{}", 4_915_000_000_000 + customer);
                    let text = format!("{customer} waits {nth}");
                    let body = self.body(&customer, &text);
                    serde_json::from_slice::<Value>(&body).expect("JSON")["entry"][0].take()
                });
                let entries: Vec<Value> = bodies.collect();
                let body = json!({ "object": "whatsapp_business_account", "entry": entries });
                let body = serde_json::to_vec(&body).expect("JSON");
                assert!(self.post(body).await, "nothing holds it back");
            }
        }
    }

    /// What was decided was not; it came while nothing worked, and timers fell due meanwhile.
    async fn pile_up(&self) {
        let store = self.house.engine.store();
        let at = (self.house.simulator.now() - DOWNTIME).ms();
        let id = match store.connection().get_database_backend() {
            DbBackend::Postgres => "gen_random_uuid()",
            _ => "randomblob(16)",
        };
        let connection = store.connection();
        let events = format!("UPDATE rejoinder_event SET state = 'pending', received_at = {at}");
        let done = connection.execute_unprepared(&events).await;
        done.expect("the database works");
        for nth in 1..=TIMERS_EACH {
            let timers = format!(
                "INSERT INTO rejoinder_timer \
                 (location_id, conversation_id, rule_id, handler, id, due_at, if_silent, set_at, set_seq) \
                 SELECT c.location_id, c.id, r.id, 'nudge_{nth}', {id}, {at}, FALSE, {at}, 0 \
                 FROM rejoinder_conversation c JOIN rejoinder_rule r ON r.location_id = c.location_id"
            );
            let done = connection.execute_unprepared(&timers).await;
            done.expect("the database works");
        }
    }

    fn body(&self, customer: &str, text: &str) -> Vec<u8> {
        let id = format!("wamid.{}", text.replace(' ', "."));
        let arrival = Arrival {
            name: "Ada",
            phone: customer,
            user_id: None,
            id: &id,
            at: self.house.simulator.now(),
            context: None,
        };
        text_message(self.number.registration(), &arrival, text)
    }

    /// Whether a webhook is acknowledged.
    async fn post(&self, body: Vec<u8>) -> bool {
        let request = self
            .house
            .client
            .post(&self.number.registration().webhook_url)
            .header("x-hub-signature-256", sign(APP_SECRET, &body))
            .body(body);
        request
            .send()
            .await
            .expect("an answer")
            .status()
            .is_success()
    }

    /// Customers write, one after the other, until the pile is gone: some who wait already, and others. Gives
    /// when each message was sent that was acknowledged, and how many were not.
    async fn live(self: Arc<Self>, customers: usize) -> (HashMap<String, Timestamp>, usize) {
        let mut sent_at = HashMap::new();
        let mut posts = Vec::new();
        let mut tick = tokio::time::interval(LIVE_EVERY);
        let mut nth = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            tick.tick().await;
            nth += 1;
            // Others than the waiting ones: what stands before theirs is answered first.
            let customer = (4_915_000_000_000 + customers + nth).to_string();
            let text = format!("{customer} is live");
            let body = self.body(&customer, &text);
            let scene = Arc::clone(&self);
            let now = self.house.simulator.now();
            posts.push((
                text,
                now,
                tokio::spawn(async move { scene.post(body).await }),
            ));
        }
        let mut refused = 0;
        for (text, at, post) in posts {
            if post.await.expect("it ends") {
                sent_at.insert(text, at);
            } else {
                refused += 1;
            }
        }
        (sent_at, refused)
    }

    /// Waits until nothing is left to be done; how long that took.
    async fn settled(&self, patience: Duration) -> Duration {
        let store = self.house.engine.store();
        let began_at = Instant::now();
        while open_work(store).await + timers(store).await > 0 {
            assert!(
                began_at.elapsed() < patience,
                "left after {patience:?}: {} events or deliveries, {} timers",
                open_work(store).await,
                timers(store).await
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        began_at.elapsed()
    }
}

/// Timers that have not fired.
async fn timers(store: &Store) -> i64 {
    cell(store, "SELECT COUNT(*) FROM rejoinder_timer").await
}

async fn drain(database: Database) {
    let events = often("REJOINDER_DRAIN", EVENTS);
    let scene = Arc::new(Scene::set(database, events).await);
    let timers = timers(scene.house.engine.store()).await;
    assert_eq!(timers, i64::try_from(2 * events).expect("a number"));

    let began_at = Instant::now();
    scene.house.engine.start().await.expect("it starts");
    let started = began_at.elapsed();
    let live = tokio::spawn(Arc::clone(&scene).live(events));
    // Live messages come all the time, so that only what piled up can be waited for.
    let store = scene.house.engine.store();
    while piled_up(store).await > 0 {
        assert!(began_at.elapsed() < DRAINED, "the pile is not gone");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let drained = began_at.elapsed();
    scene.is_over.store(true, Ordering::Relaxed);
    let (sent_at, refused) = live.await.expect("it ends");
    scene.settled(PATIENCE).await;

    let received = scene.house.simulator.received();
    let mut latencies: Vec<Span> = received
        .iter()
        .filter_map(|message| Some(message.at.since(*sent_at.get(&message.summary.text)?)))
        .collect();
    latencies.sort_unstable();
    assert_eq!(
        latencies.len(),
        sent_at.len(),
        "each live message has its answer"
    );
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].ms();
    say(&format!(
        "{events} events and {timers} timers: started in {started:.1?}, drained in {drained:.1?}; meanwhile {} live \
         messages, {refused} refused, answered within {} ms (half), {} ms (99 of 100), {} ms (all)",
        sent_at.len(),
        at(50),
        at(99),
        at(100)
    ));
    assert!(
        Span::from_ms(at(99)) <= IN_TIME,
        "live answers waited for the pile"
    );
    assert!(
        refused * 100 <= sent_at.len(),
        "{refused} live messages were refused"
    );
    let nudges = received
        .iter()
        .filter(|message| message.summary.text == "Still there?");
    assert_eq!(nudges.count(), events / MESSAGES_EACH);
    let late = received
        .iter()
        .filter(|message| message.summary.text.contains(" waits "));
    assert_eq!(late.count(), events);
    let scene = Arc::into_inner(scene).expect("everybody else is done");
    scene.house.close().await;
}

/// Events and timers that are older than the start.
async fn piled_up(store: &Store) -> i64 {
    let text = "SELECT (SELECT COUNT(*) FROM rejoinder_event WHERE state = 'pending' AND kind = 'timer') \
        + (SELECT COUNT(*) FROM rejoinder_event WHERE state = 'pending' AND payload LIKE '% waits %') \
        + (SELECT COUNT(*) FROM rejoinder_delivery WHERE state IN ('ready', 'sending') \
           AND content NOT LIKE '% is live%') \
        + (SELECT COUNT(*) FROM rejoinder_timer)";
    cell(store, text).await
}

mod heavy {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_waits_for_what_piled_up_on_sqlite() {
        drain(Database::sqlite().await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_waits_for_what_piled_up_on_postgres() {
        drain(Database::postgres().await).await;
    }
}
