//! What an onboarding waits for is noticed though nobody asks: soon, without troubling the provider or the database
//! with more than is needed, and without coming between a person and the steps.

use std::time::Duration;

use rejoinder_adapters::simulator::meta::{Arrival, Registration, text_message};
use rejoinder_adapters::simulator::{Fault, Operation, Request};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::domain::onboarding::{Onboarding, StepState};
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::{Engine, Given, NewOnboarding};
use sea_orm::ConnectionTrait as _;

use super::{meta, twilio};
use crate::bridge::stand::{self, Stand};
use crate::database::{cell, on_both};
use crate::desk::Desk;
use crate::world::{World, number, signed};

/// When what has just begun to wait is looked at.
const SOON: Span = Span::seconds(6);
/// How long the server may take by the real clock.
const PATIENCE: Duration = Duration::from_secs(30);

async fn begin(
    engine: &Engine,
    location_id: LocationId,
    route: &str,
    facts: &[(&str, &str)],
    secret: (&str, &str),
) -> Onboarding {
    let facts = facts.iter();
    let new = NewOnboarding {
        route: route.into(),
        name: "Loja".into(),
        given: Given {
            facts: facts
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            secrets: [(secret.0, Secret::new(secret.1))].into_iter().collect(),
        },
    };
    let begun = engine.begin_onboarding(location_id, new).await;
    let begun = begun.expect("it begins");
    assert_eq!(begun.state(), StepState::Waiting, "{begun:#?}");
    begun
}

async fn listed(engine: &Engine, location_id: LocationId) -> Onboarding {
    let all = engine.store().of(location_id).onboardings().await;
    all.expect("a list").remove(0)
}

/// What of its secrets an onboarding still holds.
async fn sealed(engine: &Engine) -> String {
    cell(engine.store(), "SELECT secrets FROM rejoinder_onboarding").await
}

async fn look(engine: &Engine) -> usize {
    let came = engine.look_after_onboardings().await;
    came.expect("the database works")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_notices_a_first_message() {
    let desk = Desk::new().await;
    let (graph, number) = meta::business(&desk);
    let begun = meta::sign_up(&desk, &graph, meta::TOKEN, &[]).await;
    assert_eq!(begun["state"], "waiting", "{begun}");
    let word = begun["facts"]["test_word"].as_str().expect("a word");
    let pushed = number.customer_says("Ana", "5511987654321", word).await;
    assert_eq!(pushed.expect("somebody hears it").status, 200);
    let noticed = async {
        let id = begun["id"].as_str().expect("an id");
        while desk.json(&["connect", "show", id]).await["state"] != "done" {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let noticed = tokio::time::timeout(PATIENCE, noticed).await;
    noticed.unwrap_or_else(|_| panic!("nobody did: {}", desk.log()));
}

/// A sender that stands in no list of Twilio's waits for a person to paste an address, and for a first message.
async fn unlisted_sender(world: &World) -> Onboarding {
    let accounts = world.simulator.twilio_accounts();
    accounts.account(twilio::ACCOUNT, twilio::TOKEN);
    let facts = [("account_sid", twilio::ACCOUNT), ("sender", "+14155238886")];
    let secret = ("auth_token", twilio::TOKEN);
    begin(&world.engine, world.location_id, "twilio", &facts, secret).await
}

/// What the next look at the provider meets.
fn meets(world: &World, fault: Fault) {
    let is_look = |request: &Request<'_>| request.operation == Operation::Manage;
    world.simulator.fault_next_when(1, is_look, fault);
}

on_both! {
    async fn an_onboarding_is_done_when_the_first_message_comes(stand: Stand) {
        let engine = &stand.engine;
        let location_id = stand.location.parse().expect("an id");
        let secret = ("access_token", stand::TOKEN);
        let begun = begin(engine, location_id, "meta-signup", &[], secret).await;
        stand.clock.advance(SOON);
        assert_eq!(look(engine).await, 0);
        assert_eq!(listed(engine, location_id).await, begun, "nothing is noted");
        assert!(!sealed(engine).await.is_empty());

        let arrival = Arrival {
            name: "Ana",
            phone: "5511987654321",
            user_id: None,
            id: "wamid.first",
            at: engine.now(),
            context: None,
        };
        let number = Registration {
            waba_id: stand::WABA.into(),
            ..number(stand::NUMBER, "4930901820")
        };
        let body = text_message(&number, &arrival, &begun.facts["test_word"]);
        let webhook = signed(stand::APP_SECRET, &body);
        let accepted = engine.accept("meta", &webhook).await;
        accepted.expect("it is accepted");
        stand.clock.advance(SOON);
        assert_eq!(look(engine).await, 1);
        let done = listed(engine, location_id).await;
        assert_eq!(done.state(), StepState::Done, "{done:#?}");
        assert_eq!(sealed(engine).await, "", "the channel keeps them");
        stand.clock.advance(Span::days(8));
        assert_eq!(look(engine).await, 0);
        stand.close().await;
    }

    async fn the_provider_is_asked_ever_less_often(world: World) {
        let engine = &world.engine;
        let begun = unlisted_sender(&world).await;
        let asked = || world.simulator.counters().requests;
        let before = asked();
        for _ in 0..60 {
            world.clock.advance(Span::minutes(1));
            look(engine).await;
        }
        let in_an_hour = asked() - before;
        assert!((25..=50).contains(&in_an_hour), "{in_an_hour} requests");
        for _ in 0..20 {
            world.clock.advance(Span::hours(12));
            look(engine).await;
        }
        let in_ten_days = asked() - before - in_an_hour;
        assert_eq!(in_ten_days, 14, "one each time, for a week");
        assert_eq!(listed(engine, world.location_id).await, begun, "nothing came");
        // Who resumes it has it looked after again.
        let resumed = engine.continue_onboarding(world.location_id, begun.id, Given::default());
        resumed.await.expect("it goes on");
        let before = asked();
        world.clock.advance(SOON);
        look(engine).await;
        assert_eq!(asked() - before, 1);
    }

    async fn a_look_that_fails_changes_nothing(world: World) {
        let engine = &world.engine;
        let begun = unlisted_sender(&world).await;
        for fault in [Fault::DropUnprocessed, Fault::EmptyServerError] {
            let failed = || {
                let counters = world.simulator.counters();
                counters.refused + counters.dropped
            };
            let before = failed();
            meets(&world, fault);
            world.clock.advance(SOON);
            assert_eq!(look(engine).await, 0);
            assert!(failed() > before, "it looked");
            assert_eq!(listed(engine, world.location_id).await, begun);
        }
    }

    async fn a_person_is_not_turned_away_by_a_look(world: World) {
        let engine = &world.engine;
        let begun = unlisted_sender(&world).await;
        meets(&world, Fault::Delay(Span::from_ms(400)));
        world.clock.advance(SOON);
        let before = world.simulator.counters().requests;
        let person = async {
            while world.simulator.counters().requests == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            engine.continue_onboarding(world.location_id, begun.id, Given::default()).await
        };
        let (looked, resumed) = tokio::join!(engine.look_after_onboardings(), person);
        looked.expect("the database works");
        let resumed = resumed.expect("nobody is in the way");
        assert_eq!(resumed.state(), StepState::Waiting);
    }

    async fn what_cannot_be_looked_after_keeps_nothing_else_waiting(world: World) {
        let engine = &world.engine;
        let begun = unlisted_sender(&world).await;
        let connection = engine.store().connection();
        let harm = "UPDATE rejoinder_onboarding SET secrets = 'not sealed'";
        connection.execute_unprepared(harm).await.expect("it runs");
        world.clock.advance(SOON);
        let before = world.simulator.counters().requests;
        for _ in 0..3 {
            assert_eq!(look(engine).await, 0);
        }
        assert_eq!(world.simulator.counters().requests, before, "it does not open");
        let overdue = "SELECT COUNT(*) FROM rejoinder_onboarding WHERE due_at <= ";
        let overdue = format!("{overdue}{}", engine.now().ms());
        let overdue: i64 = cell(engine.store(), &overdue).await;
        assert_eq!(overdue, 0, "it waits its turn");
        let resumed = engine.continue_onboarding(world.location_id, begun.id, Given::default());
        resumed.await.expect_err("a person is told");
    }
}
