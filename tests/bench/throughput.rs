//! How many messages a second go all the way: a signed webhook comes in by HTTP, a rule answers, the
//! provider has the reply. Server, generator and simulated provider share this one process, the
//! limits are on, and SQLite syncs every commit (`synchronous=FULL`).
//!
//! `cargo bench -p rejoinder-tests --bench throughput -- [--messages N] [--customers N] [--numbers N]
//! [--connections N] [--rate N] [--database URL]`. Figures are printed, never asserted: machines differ.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rejoinder_adapters::meta::MetaConfig;
use rejoinder_adapters::simulator::meta::{self as face, Arrival, Registration};
use rejoinder_adapters::simulator::{Simulator, WindowRule};
use rejoinder_engine::clock::{Clock, SystemClock};
use rejoinder_engine::crypto::{Secret, Vault};
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::location::{LocationSettings, LoopGuard};
use rejoinder_engine::store::{NewRule, Store};
use rejoinder_engine::{Engine, NewChannel, NewLocation};
use rejoinder_migrations::{Migrator, MigratorTrait};
use rejoinder_server::{ServeOptions, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const APP_SECRET: &str = "benchmark";
/// Numbers of one location.
const NUMBERS_PER_LOCATION: usize = 10;
/// What a tenant would write; the answer repeats the question, by which a reply finds its message.
const RULE: &str = r#"
fn on_message(chat, message) {
    if !message.mentions(["price", "prix", "cost"]) { return; }
    chat.state.asked = (chat.state.asked ?? 0) + 1;
    chat.contact.tag("lead");
    chat.reply(`Hi ${chat.contact.name}, about ${message.text}: prices start at €120,000.`);
    chat.if_silent("2d", "nudge");
}
fn nudge(chat) { chat.reply("Still interested?", template("viewing_reminder", [chat.contact.name_or("there")])); }
"#;

struct Options {
    messages: usize,
    customers: usize,
    numbers: usize,
    connections: usize,
    rate: Option<f64>,
    database: Option<String>,
}

fn options() -> Options {
    let mut options = Options {
        messages: 40_000,
        customers: 20_000,
        numbers: 200,
        connections: 256,
        rate: None,
        database: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .unwrap_or_else(|| panic!("{word} needs a value"))
        };
        match word.as_str() {
            "--messages" => options.messages = value().parse().expect("a number"),
            "--customers" => options.customers = value().parse().expect("a number"),
            "--numbers" => options.numbers = value().parse().expect("a number"),
            "--connections" => options.connections = value().parse().expect("a number"),
            "--rate" => options.rate = Some(value().parse().expect("a number")),
            "--database" => options.database = Some(value()),
            // Cargo adds it.
            "--bench" => {}
            other => panic!("unknown option {other}"),
        }
    }
    options
}

#[tokio::main]
async fn main() {
    let options = options();
    let folder = tempfile::tempdir().expect("a folder");
    let url = options
        .database
        .clone()
        .unwrap_or_else(|| format!("sqlite:{}", folder.path().join("bench.db").display()));
    let simulator = Simulator::start().await.expect("a free port");
    simulator.configure(|settings| settings.window = WindowRule::Ignore);
    let engine = engine(&url, &simulator.base_url()).await;
    let numbers = set_up(&engine, &simulator, options.numbers).await;
    engine.start().await.expect("the engine starts");
    let listen = ServeOptions {
        listen: ([127, 0, 0, 1], 0).into(),
        ..ServeOptions::default()
    };
    let server = Server::bind(engine.clone(), listen)
        .await
        .expect("a free port");

    say(&format!(
        "{} numbers, {} customers, {} connections, {}",
        options.numbers,
        options.customers,
        options.connections,
        url.split(':').next().unwrap_or("")
    ));
    let load = Load {
        numbers: &numbers,
        addr: server.addr(),
        simulator: &simulator,
        options: &options,
    };
    let first = load
        .run(
            "first contact (creates everything)",
            0,
            options.customers,
            None,
        )
        .await;
    let known = load
        .run(
            "known customers, saturated",
            options.customers,
            options.messages,
            None,
        )
        .await;
    let rate = options.rate.unwrap_or(known / 2.0);
    let paced = usize::try_from((rate * 10.0) as u64)
        .expect("a number")
        .max(100);
    load.run(
        &format!("known customers, {rate:.0}/s offered"),
        options.customers + options.messages,
        paced,
        Some(rate),
    )
    .await;
    say(&format!("ratio known : first contact {:.2}", known / first));
    server.stop().await;
    engine.stop().await;
}

async fn engine(url: &str, provider: &str) -> Engine {
    let store = Store::open(url).await.expect("the database opens");
    Migrator::up(store.connection(), None)
        .await
        .expect("the tables are made");
    let meta = MetaConfig {
        base_url: provider.to_owned(),
        ..MetaConfig::default()
    };
    let config = rejoinder_adapters::Config {
        meta,
        ..rejoinder_adapters::Config::default()
    };
    let ring = Vault::generate_ring("bench");
    let mut builder = Engine::on(store)
        .vault(Vault::from_ring(&ring).expect("a ring"))
        .server_secret("meta", Secret::new(APP_SECRET));
    for adapter in rejoinder_adapters::all(&config) {
        builder = builder.shared_adapter(adapter);
    }
    builder.build().await.expect("an engine")
}

async fn set_up(engine: &Engine, simulator: &Simulator, count: usize) -> Vec<Registration> {
    let mut numbers = Vec::with_capacity(count);
    let mut location_id = None;
    for nth in 0..count {
        if nth % NUMBERS_PER_LOCATION == 0 {
            let new = NewLocation {
                name: format!("location {nth}"),
                time_zone: chrono_tz::Europe::Berlin,
                settings: LocationSettings {
                    loop_guard: LoopGuard::OFF,
                    ..LocationSettings::default()
                },
            };
            let location = engine.create_location(new).await.expect("a location");
            let rule = NewRule {
                name: "price".into(),
                source: RULE.into(),
                tests: String::new(),
                position: None,
            };
            let rule = engine.create_rule(location.id, rule).await.expect("a rule");
            engine
                .publish_rule(location.id, rule.id)
                .await
                .expect("it is published");
            location_id = Some(location.id);
        }
        let number = Registration {
            webhook_url: String::new(),
            app_secret: APP_SECRET.into(),
            phone_number_id: format!("1068532188{nth:05}"),
            waba_id: "215589313241560883".into(),
            display_phone: format!("49309018{nth:05}"),
            access_token: Some(format!("token-{nth}")),
        };
        let _ = simulator.meta_number(number.clone());
        let new = NewChannel {
            provider: "meta".into(),
            account: number.waba_id.clone(),
            key: Some(number.phone_number_id.clone()),
            phone: Phone::parse(&number.display_phone).expect("a number"),
            name: format!("number {nth}"),
            settings: Default::default(),
            credentials: [("access_token", Secret::new(format!("token-{nth}")))]
                .into_iter()
                .collect(),
        };
        engine
            .create_channel(location_id.expect("a location"), new)
            .await
            .expect("a channel");
        numbers.push(number);
    }
    numbers
}

struct Load<'a> {
    numbers: &'a [Registration],
    addr: std::net::SocketAddr,
    simulator: &'a Simulator,
    options: &'a Options,
}

impl Load<'_> {
    /// Sends `count` messages from the `from`th on, and waits for their replies; gives replies a second.
    async fn run(&self, title: &str, from: usize, count: usize, rate: Option<f64>) -> f64 {
        self.simulator.forget();
        let requests: Arc<Vec<Vec<u8>>> =
            Arc::new((from..from + count).map(|nth| self.request(nth)).collect());
        let sent: Arc<Vec<AtomicU64>> = Arc::new((0..count).map(|_| AtomicU64::new(0)).collect());
        let acked: Arc<Vec<AtomicU64>> = Arc::new((0..count).map(|_| AtomicU64::new(0)).collect());
        let next = Arc::new(AtomicUsize::new(0));
        let mut feed = self.simulator.subscribe();
        let start = Instant::now();
        let sent_by = Arc::clone(&sent);
        let replies = tokio::spawn(async move {
            let mut latencies = Vec::with_capacity(count);
            let mut answered = 0;
            // What was refused is not answered: the end is that of the last reply.
            let mut last_at = Duration::ZERO;
            while answered < count {
                let message = match tokio::time::timeout(Duration::from_secs(5), feed.recv()).await
                {
                    Ok(Ok(message)) => message,
                    Ok(Err(tokio::sync::broadcast::error::RecvError::Lagged(missed))) => {
                        answered += usize::try_from(missed).expect("a number");
                        continue;
                    }
                    _ => break,
                };
                answered += 1;
                last_at = start.elapsed();
                let nth = message
                    .summary
                    .text
                    .split("price ")
                    .nth(1)
                    .and_then(|rest| rest.split(':').next());
                if let Some(nth) = nth
                    .and_then(|nth| nth.parse::<usize>().ok())
                    .and_then(|nth| nth.checked_sub(from))
                {
                    latencies
                        .push(micros(start).saturating_sub(sent_by[nth].load(Ordering::Relaxed)));
                }
            }
            (answered, latencies, last_at)
        });
        let clients = (0..self.options.connections).map(|_| {
            let client = Client {
                requests: Arc::clone(&requests),
                sent: Arc::clone(&sent),
                acked: Arc::clone(&acked),
                next: Arc::clone(&next),
                start,
                rate,
            };
            tokio::spawn(client.run(self.addr))
        });
        let mut refused = 0;
        for client in clients.collect::<Vec<_>>() {
            refused += client.await.expect("a client");
        }
        let ack_elapsed = start.elapsed();
        let (answered, mut reply_us, elapsed) = replies.await.expect("the listener");
        let mut ack_us: Vec<u64> = acked
            .iter()
            .map(|us| us.load(Ordering::Relaxed))
            .filter(|us| *us > 0)
            .collect();
        let throughput = answered as f64 / elapsed.as_secs_f64();
        say(&format!(
            "\n{title}\n  {count} messages, {answered} replies, {refused} refused\n  \
             acknowledged {:>8.0}/s   p50 {:>7.1} ms   p99 {:>7.1} ms\n  \
             answered     {throughput:>8.0}/s   p50 {:>7.1} ms   p99 {:>7.1} ms",
            (count - refused) as f64 / ack_elapsed.as_secs_f64(),
            percentile(&mut ack_us, 50),
            percentile(&mut ack_us, 99),
            percentile(&mut reply_us, 50),
            percentile(&mut reply_us, 99),
        ));
        throughput
    }

    fn request(&self, nth: usize) -> Vec<u8> {
        let customer = nth % self.options.customers;
        let number = &self.numbers[customer % self.numbers.len()];
        let phone = format!("5511{customer:09}");
        let (name, id, at) = (
            format!("Customer {customer}"),
            format!("wamid.bench.{nth}"),
            SystemClock.now(),
        );
        let arrival = Arrival {
            name: &name,
            phone: &phone,
            user_id: None,
            id: &id,
            at,
            context: None,
        };
        let body = face::text_message(number, &arrival, &format!("the price {nth}"));
        let signature = face::sign(APP_SECRET, &body);
        let mut request = format!(
            "POST /api/webhooks/whatsapp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             x-hub-signature-256: {signature}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        request
    }
}

/// One keep-alive connection that sends the next request as soon as it may.
struct Client {
    requests: Arc<Vec<Vec<u8>>>,
    sent: Arc<Vec<AtomicU64>>,
    acked: Arc<Vec<AtomicU64>>,
    next: Arc<AtomicUsize>,
    start: Instant,
    rate: Option<f64>,
}

impl Client {
    async fn run(self, addr: std::net::SocketAddr) -> usize {
        let mut stream = TcpStream::connect(addr).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        let mut answer = vec![0; 4096];
        let mut refused = 0;
        loop {
            let nth = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = self.requests.get(nth) else {
                return refused;
            };
            let mut due = micros(self.start);
            if let Some(rate) = self.rate {
                // Latency counts from the moment at which it should have been sent.
                due = (nth as f64 / rate * 1e6) as u64;
                tokio::time::sleep_until((self.start + Duration::from_micros(due)).into()).await;
            }
            self.sent[nth].store(due, Ordering::Relaxed);
            stream.write_all(request).await.expect("the server reads");
            let mut read = 0;
            while !answer[..read].windows(4).any(|end| end == b"\r\n\r\n") {
                read += stream
                    .read(&mut answer[read..])
                    .await
                    .expect("the server answers");
            }
            if answer.starts_with(b"HTTP/1.1 200") {
                self.acked[nth].store(
                    micros(self.start).saturating_sub(due).max(1),
                    Ordering::Relaxed,
                );
            } else {
                refused += 1;
            }
        }
    }
}

fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn percentile(values: &mut [u64], percent: usize) -> f64 {
    values.sort_unstable();
    let at = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(at).map_or(0.0, |us| *us as f64 / 1000.0)
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
