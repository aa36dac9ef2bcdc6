//! What happens to messages when something goes wrong: nothing is sent twice, nothing is stranded,
//! nobody waits for ever.

use std::time::Duration;

use rejoinder_adapters::simulator::Fault;
use rejoinder_engine::domain::ids::DeliveryId;
use rejoinder_engine::domain::location::{InDoubtPolicy, LocationSettings};
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::store::Verdict;
use rejoinder_engine::{ChannelChange, LocationChange, PersonSend, Problem};
use sea_orm::ConnectionTrait;

use crate::database::on_both;
use crate::world::{ADA, APP_SECRET, BEN, World, signed};

const HELLO: &str = r#"fn on_message(chat, message) { chat.reply("hello"); }"#;
const ONE_TWO: &str = r#"fn on_message(chat, message) { chat.reply("one"); chat.reply("two"); }"#;

/// Runs a statement of the test's own on the engine's database.
async fn execute(world: &World, sqlite: &str, postgres: &str) {
    let connection = world.engine.store().connection();
    let text = match connection.get_database_backend() {
        sea_orm::DbBackend::Postgres => postgres,
        _ => sqlite,
    };
    connection.execute_unprepared(text).await.expect("it runs");
}

/// Waits, by the real clock, until the states are these.
async fn until_states(world: &World, expected: &[&str]) {
    for _ in 0..400 {
        if world.states().await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} instead of {expected:?}", world.states().await);
}

async fn policy(world: &World, policy: InDoubtPolicy) {
    let settings = LocationSettings {
        in_doubt_replies: policy,
        ..LocationSettings::default()
    };
    let change = LocationChange {
        settings: Some(settings),
        ..LocationChange::default()
    };
    world
        .engine
        .change_location(world.location_id, change)
        .await
        .expect("changed");
}

async fn judge(world: &World, id: DeliveryId, verdict: Verdict) -> Result<(), Problem> {
    let engine = &world.engine;
    engine.judge_delivery(world.location_id, id, verdict).await
}

async fn enable(world: &World, enabled: bool) {
    let change = ChannelChange {
        enabled: Some(enabled),
        ..ChannelChange::default()
    };
    world
        .engine
        .change_channel(world.location_id, world.channel_id, change)
        .await
        .expect("changed");
}

on_both! {
    async fn a_settlement_that_cannot_be_written_is_repeated_and_the_request_is_not(world: World) {
        world.rule(HELLO).await;
        execute(
            &world,
            "CREATE TRIGGER broken BEFORE UPDATE ON rejoinder_delivery WHEN NEW.state = 'accepted' \
             BEGIN SELECT RAISE(ABORT, 'broken'); END",
            "CREATE FUNCTION broken() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$ LANGUAGE plpgsql; \
             CREATE TRIGGER broken BEFORE UPDATE ON rejoinder_delivery FOR EACH ROW \
             WHEN (NEW.state = 'accepted') EXECUTE FUNCTION broken()",
        ).await;
        let repaired = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert_eq!(world.states().await, ["sending"]);
            execute(&world, "DROP TRIGGER broken", "DROP TRIGGER broken ON rejoinder_delivery").await;
        };
        tokio::join!(world.hears(ADA, "hi"), repaired);
        assert_eq!(world.heard(ADA), ["hello"]);
        assert_eq!(world.states().await, ["accepted"]);
        world.hears(ADA, "and?").await;
        assert_eq!(world.heard(ADA).len(), 2, "the conversation goes on");
    }

    async fn a_providers_id_that_is_taken_strands_nobody(world: World) {
        world.rule(ONE_TWO).await;
        let body = r#"{"messaging_product":"whatsapp","messages":[{"id":"wamid.the-same"}]}"#;
        world.simulator.fault_next(2, Fault::Answer { status: 200, body: body.into() });
        world.hears(ADA, "hi").await;
        assert_eq!(world.states().await, ["accepted", "accepted"]);
        assert_eq!(world.deliveries().await[1].delivery.provider_id, None);
    }

    async fn a_stop_waits_for_what_is_on_its_way_and_a_start_goes_on(world: World) {
        world.rule(ONE_TWO).await;
        world.simulator.fault_next(1, Fault::Delay(Span::seconds(1)));
        world.engine.start().await.expect("it starts");
        world.says(ADA, "hi").await;
        until_states(&world, &["sending", "ready"]).await;
        world.engine.stop().await;
        assert_eq!(world.states().await, ["accepted", "ready"], "nothing is in doubt");
        world.says(BEN, "hi").await;
        world.engine.start().await.expect("it starts again");
        until_states(&world, &["accepted"; 4]).await;
        world.engine.stop().await;
        assert_eq!(world.heard(ADA), ["one", "two"]);
        assert_eq!(world.heard(BEN), ["one", "two"]);
    }

    async fn a_start_that_failed_may_be_repeated(world: World) {
        world.rule(HELLO).await;
        world.says(ADA, "hi").await;
        let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
        let (away, back) = (rename("rejoinder_event", "away"), rename("away", "rejoinder_event"));
        execute(&world, &away, &away).await;
        world.engine.start().await.expect_err("it cannot read what is open");
        execute(&world, &back, &back).await;
        world.engine.start().await.expect("it starts");
        until_states(&world, &["accepted"]).await;
        world.engine.stop().await;
    }

    async fn what_only_the_database_knows_is_found(world: World) {
        let mut world = world;
        world.rule(HELLO).await;
        world.hears(ADA, "hi").await;
        let conversation_id = world.deliveries().await[0].delivery.conversation_id;
        let other = world.engine.clone();
        world.restart().await;
        world.settle().await;
        // Stored by one who does not work, as by a caller that was cancelled.
        let body = world.message(BEN, "hi");
        other.accept("meta", &signed(APP_SECRET, &body)).await.expect("accepted");
        let send = PersonSend {
            content: rejoinder_engine::domain::content::Content::Text { text: "It is me.".into() },
            fallback: None,
            reply_to: None,
            idempotency_key: None,
        };
        other.send(world.location_id, conversation_id, send).await.expect("stored");
        world.wait(Span::seconds(20)).await;
        assert_eq!(world.heard(BEN).len(), 0);
        world.wait(Span::seconds(20)).await;
        assert_eq!(world.heard(BEN), ["hello"]);
        assert_eq!(world.heard(ADA), ["hello", "It is me."]);
    }

    async fn time_in_which_the_number_was_paused_is_not_held_against_a_reply(world: World) {
        world.rule(HELLO).await;
        world.simulator.fault_next(1, Fault::TooManyRequests { retry_after: Span::minutes(10) });
        world.hears(ADA, "hi").await;
        world.simulator.fault_next(2, Fault::Refuse(131_057));
        world.wait(Span::minutes(10)).await;
        world.wait(Span::minutes(1)).await;
        world.wait(Span::minutes(1)).await;
        assert_eq!(world.heard(ADA), ["hello"]);
    }

    async fn a_reply_whose_own_attempts_fail_is_given_up_after_five_minutes(world: World) {
        world.rule(HELLO).await;
        world.simulator.fault_next(50, Fault::Refuse(131_057));
        world.hears(ADA, "hi").await;
        for _ in 0..60 {
            world.wait(Span::seconds(10)).await;
        }
        assert_eq!(world.states().await, ["failed"]);
        assert_eq!(world.deliveries().await[0].failure.as_ref().expect("why").kind, "expired");
    }

    async fn what_waited_for_a_day_does_not_leave_any_more(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.send(template("news")); }"#).await;
        world.says(ADA, "hi").await;
        enable(&world, false).await;
        world.settle().await;
        world.wait(Span::hours(25)).await;
        enable(&world, true).await;
        world.wait(Span::minutes(2)).await;
        assert_eq!(world.states().await, ["failed"]);
        assert_eq!(world.deliveries().await[0].failure.as_ref().expect("why").kind, "expired");
        assert_eq!(world.heard(ADA).len(), 0);
    }

    async fn evidence_for_one_message_is_none_for_another(world: World) {
        world.rule(ONE_TWO).await;
        world.simulator.fault_next(3, Fault::AcceptThenDrop);
        world.hears(ADA, "hi").await;
        world.wait(Span::seconds(121)).await;
        assert_eq!(world.heard(ADA), ["one", "one"], "sent once more, and in doubt again");
        world.wait(Span::seconds(121)).await;
        assert_eq!(world.heard(ADA), ["one", "one", "two"]);
        assert_eq!(world.states().await, ["in_doubt", "in_doubt"]);
        let one = world.received(ADA).remove(0);
        world.status(&one, "delivered", None).await;
        world.wait(Span::seconds(60)).await;
        assert_eq!(world.heard(ADA).len(), 3, "the other one still waits");
        world.wait(Span::seconds(61)).await;
        assert_eq!(world.heard(ADA), ["one", "one", "two", "two"]);
        assert_eq!(world.states().await, ["delivered", "accepted"]);
    }

    async fn a_person_ends_a_doubt_at_once_or_when_it_was_left_to_them(world: World) {
        let mut world = world;
        policy(&world, InDoubtPolicy::Hold).await;
        world.rule(ONE_TWO).await;
        world.simulator.fault_next(1, Fault::DropUnprocessed);
        world.hears(ADA, "hi").await;
        assert_eq!(world.states().await, ["in_doubt", "ready"]);
        let first = world.deliveries().await[0].delivery.id;
        // While the conversation waits for evidence: what was never taken goes out, in its place.
        judge(&world, first, Verdict::Again).await.expect("it was in doubt");
        world.settle().await;
        assert_eq!(world.heard(ADA), ["one", "two"]);
        assert_eq!(world.states().await, ["accepted", "accepted"]);
        judge(&world, first, Verdict::Again).await.expect_err("it is in doubt no more");
        // Left to a person, and after a restart.
        world.simulator.fault_next(2, Fault::AcceptThenDrop);
        world.hears(ADA, "hi").await;
        world.wait(Span::seconds(121)).await;
        world.wait(Span::seconds(121)).await;
        assert_eq!(world.states().await[2..], ["in_doubt", "in_doubt"]);
        world.restart().await;
        let left = world.deliveries().await;
        judge(&world, left[2].delivery.id, Verdict::Sent).await.expect("it was in doubt");
        judge(&world, left[3].delivery.id, Verdict::Again).await.expect("it was in doubt");
        world.settle().await;
        assert_eq!(world.heard(ADA), ["one", "two", "one", "two", "two"]);
        assert_eq!(world.states().await[2..], ["accepted", "accepted"]);
        assert!(world.deliveries().await[3].delivery.flags.has(rejoinder_engine::domain::delivery::Flag::Resent));
    }

    async fn what_is_left_in_doubt_for_a_person_holds_up_nobody_after_a_restart(world: World) {
        let mut world = world;
        policy(&world, InDoubtPolicy::Hold).await;
        world.rule(HELLO).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        world.hears(ADA, "hi").await;
        world.wait(Span::seconds(100)).await;
        world.restart().await;
        world.hears(ADA, "are you there?").await;
        assert_eq!(world.states().await, ["in_doubt", "ready"], "the wait survives the restart");
        world.wait(Span::seconds(21)).await;
        assert_eq!(world.states().await, ["in_doubt", "accepted"], "and so does its end");
        world.restart().await;
        world.hears(ADA, "still there?").await;
        assert_eq!(world.states().await, ["in_doubt", "accepted", "accepted"]);
    }
}
