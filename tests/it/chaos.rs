//! The engine on a clock moved by hand, between customers of three shops and two providers that do whatever may
//! happen, by a seed: webhooks come twice and at once, sends are refused, dropped before or after they were
//! taken, the process dies, statuses come late, in any order, and wrong. `REJOINDER_SEEDS=10000 tests/run --fast chaos` plays
//! more of them; a seed that was red once stands in `RED`.

mod shops;

use rejoinder_adapters::simulator::{Face, Fault};
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::{Mutant, Shown};

use self::shops::{Copies, Shop};
use crate::chance::Chance;
use crate::checker::open_work;
use crate::database::Database;
use crate::effort::often;
use crate::world::{Customer, World};

/// Seeds that found something once.
const RED: [u64; 0] = [];
/// Seeds that are played where nobody says otherwise.
const SEEDS_ON_SQLITE: usize = 150;
const SEEDS_ON_POSTGRES: usize = 50;
/// Things that happen before everybody behaves again.
const STEPS: usize = 60;
/// Time does not pass in larger steps: a reply must not grow stale for want of a look.
const LONGEST_WAIT_S: u64 = 20;
/// Looks until nothing may be left: more than all waits for evidence and pace together take.
const LOOKS: usize = 400;
/// Seeds in which a deliberate mistake must show.
const SEEDS_FOR_A_MUTANT: u64 = 40;

const RULE: &str = "fn on_message(chat, message) { chat.state.n = (chat.state.n ?? 0) + 1; chat.reply(message.text); }";

const CUSTOMERS: [Customer; 4] = [
    Customer {
        name: "Ada",
        phone: "4915110000001",
    },
    Customer {
        name: "Ben",
        phone: "4915110000002",
    },
    Customer {
        name: "Cleo",
        phone: "4915110000003",
    },
    Customer {
        name: "Dan",
        phone: "4915110000004",
    },
];

/// A play by one seed.
struct Play {
    world: World,
    shops: Vec<Shop>,
    chance: Chance,
}

impl Play {
    async fn begin(database: Database, seed: u64) -> Self {
        let world = World::on(database).await;
        let shops = Shop::open_all(&world, RULE).await;
        Self {
            world,
            shops,
            chance: Chance::from_seed(seed),
        }
    }

    async fn step(&mut self) {
        match self.chance.between(0, 99) {
            0..45 => Box::pin(self.say()).await,
            45..60 => self.world.settle().await,
            60..72 => self.fault(),
            72..87 => {
                let span = self.chance.between(0, LONGEST_WAIT_S * 1_000);
                let span = Span::from_ms(i64::try_from(span).expect("it is small"));
                self.world.wait(span).await;
            }
            87..92 => self.world.restart().await,
            _ => Box::pin(self.tell()).await,
        }
        for shop in &mut self.shops {
            shop.look(&self.world).await;
        }
    }

    /// Most customers write to the first shop, so that much happens in one place.
    fn shop(&mut self) -> usize {
        *self.chance.pick(&[0, 0, 0, 1, 2, 2])
    }

    /// A customer writes, and the webhook comes up to three times, at once or one after the other.
    async fn say(&mut self) {
        let customer = *self.chance.pick(&CUSTOMERS);
        let copies = 1 + self.chance.index(3);
        let is_at_once = self.chance.between(0, 1) == 0;
        let copies = if is_at_once && copies > 1 {
            Copies::AtOnce
        } else {
            Copies::InTurn(copies)
        };
        let shop = self.shop();
        self.shops[shop].hear(&self.world, customer, copies).await;
    }

    /// The next sends of a provider meet something.
    fn fault(&mut self) {
        let faults = [
            Fault::AcceptThenDrop,
            Fault::DropUnprocessed,
            Fault::EmptyServerError,
            Fault::TooManyRequests {
                retry_after: Span::seconds(5),
            },
            // Of each provider: try again later; too fast to this customer, or at all.
            Fault::Refuse(131_016),
            Fault::Refuse(131_056),
            Fault::Refuse(130_429),
        ];
        let shop = self.shop();
        let face = self.shops[shop].face();
        let mut fault = self.chance.pick(&faults).clone();
        if let (Face::Twilio, Fault::Refuse(_)) = (face, &fault) {
            fault = Fault::Refuse(*self.chance.pick(&[20_429, 63_018]));
        }
        let count = 1 + self.chance.index(2);
        self.world.simulator.fault_next_of(face, count, fault);
    }

    /// The provider tells of a message: in no order, and at times what is wrong.
    async fn tell(&mut self) {
        let shop = self.shop();
        let shop = &mut self.shops[shop];
        let taken = shop.taken(&self.world);
        if taken.is_empty() {
            return;
        }
        let message = self.chance.pick(&taken);
        match *self
            .chance
            .pick(&["sent", "delivered", "read", "failed", "nothing"])
        {
            "nothing" => shop.tell_of_nothing(&self.world, message).await,
            stage => shop.tell(&self.world, message, stage).await,
        }
        self.world.settle().await;
    }

    /// Everybody behaves, and time passes until nothing is left. Statuses come again, as providers send them
    /// for days: at once, or only when the engine has long stopped waiting for them.
    async fn end(&mut self) {
        self.world.simulator.clear_faults();
        if self.chance.between(0, 1) == 0 {
            self.pass_time().await;
        }
        self.tell_all().await;
        self.pass_time().await;
        self.tell_all().await;
    }

    async fn tell_all(&mut self) {
        for shop in &mut self.shops {
            for message in shop.taken(&self.world) {
                shop.tell(&self.world, &message, "sent").await;
            }
        }
        self.world.settle().await;
    }

    async fn pass_time(&self) {
        for _ in 0..LOOKS {
            self.world.settle().await;
            if open_work(self.world.engine.store()).await == 0 {
                return;
            }
            let next = self.world.until_next().await;
            let next = next.unwrap_or(Span::seconds(1)).max(Span::from_ms(1));
            self.world.wait(next.min(Span::seconds(10))).await;
        }
    }

    async fn breaches(&self) -> Vec<String> {
        let mut found = Vec::new();
        for shop in &self.shops {
            found.extend(shop.breaches(&self.world).await);
        }
        let left = open_work(self.world.engine.store()).await;
        if left > 0 {
            found.push(format!("{left} things are never done"));
        }
        found
    }
}

async fn play(database: Database, seed: u64) -> Result<(), String> {
    let mut play = Play::begin(database, seed).await;
    for _ in 0..STEPS {
        Box::pin(play.step()).await;
    }
    play.end().await;
    let found = play.breaches().await;
    if found.is_empty() {
        Ok(())
    } else {
        Err(format!("seed {seed}: {found:#?}"))
    }
}

/// Which seeds are played: as many as whoever runs the tests says, or as usual.
fn seeds(usual: usize) -> impl Iterator<Item = u64> {
    let many = often("REJOINDER_SEEDS", usual);
    RED.into_iter().chain((1..).take(many))
}

/// Plays until a seed finds the mistake.
async fn is_caught(mutant: Mutant) -> bool {
    mutant.let_loose();
    for seed in 1..=SEEDS_FOR_A_MUTANT {
        let played = Box::pin(play(Database::sqlite().await, seed)).await;
        if played.is_err() {
            return true;
        }
    }
    false
}

mod heavy {
    use super::*;

    #[tokio::test]
    async fn every_deliberate_mistake_is_caught() {
        for mutant in Mutant::shown(Shown::BySimulation) {
            assert!(is_caught(mutant).await, "nobody noticed {mutant:?}");
        }
    }

    #[tokio::test]
    async fn whatever_happens_nothing_is_lost_or_doubled_on_sqlite() {
        let mut red = Vec::new();
        for seed in seeds(SEEDS_ON_SQLITE) {
            red.extend(Box::pin(play(Database::sqlite().await, seed)).await.err());
        }
        assert!(red.is_empty(), "{}", red.join("\n"));
    }

    #[tokio::test]
    async fn whatever_happens_nothing_is_lost_or_doubled_on_postgres() {
        let mut red = Vec::new();
        for seed in seeds(SEEDS_ON_POSTGRES) {
            red.extend(Box::pin(play(Database::postgres().await, seed)).await.err());
        }
        assert!(red.is_empty(), "{}", red.join("\n"));
    }
}
