//! A provider that tells what became of a message before it has answered, or before the answer is on disk.

use std::time::Duration;

use rejoinder_adapters::simulator::ReceivedMessage;
use rejoinder_adapters::simulator::meta::{self, StatusUpdate};
use rejoinder_engine::clock::Clock as _;
use rejoinder_engine::store::DeliveryRow;
use rejoinder_engine::{Action, Failpoint, Point};

use crate::database::on_both;
use crate::world::{ADA, BEN, World};

const TELLS: &str = r#"
fn on_message(chat, message) { chat.reply("you said: " + message.text); }
fn on_status(chat, status) { log(status.kind); }
"#;

/// A status that comes without our own id, as some do.
fn status(world: &World, message: &ReceivedMessage, stage: &str) -> Vec<u8> {
    let update = StatusUpdate {
        id: &message.provider_id,
        status: stage,
        to: &message.to,
        at: world.clock.now(),
        callback: None,
        error_code: None,
    };
    meta::status(&world.number, &update)
}

fn stall(point: Point) {
    let failpoint = Failpoint {
        point,
        action: Action::Stall,
        nth: 1,
        told: drop,
    };
    failpoint.set();
}

/// The answer that has reached Ada, as soon as it has.
async fn answer(world: &World) -> ReceivedMessage {
    loop {
        if let Some(message) = world.received(ADA).into_iter().next() {
            return message;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The state of a message, once so many events are done.
async fn state_after(world: &World, many: usize, message: &ReceivedMessage) -> String {
    for _ in 0..1_000 {
        let events = world.events().await;
        if events.iter().filter(|row| row.state == "done").count() >= many {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let events = world.events().await;
    assert_eq!(events.len(), many, "{events:?}");
    let deliveries = world.deliveries().await;
    let is_it =
        |row: &&DeliveryRow| row.delivery.provider_id.as_ref() == Some(&message.provider_id);
    let row = deliveries
        .iter()
        .find(is_it)
        .expect("it is known by its id");
    row.delivery.state.name().to_owned()
}

on_both! {
    async fn every_status_that_came_before_the_answer_is_told_to_the_rule(world: World) {
        world.rule(TELLS).await;
        world.engine.start().await.expect("it starts");
        stall(Point::DeliverSent);
        world.says(ADA, "hi").await;
        let message = answer(&world).await;
        for stage in ["delivered", "sent", "read"] {
            let body = status(&world, &message, stage);
            world.accept(&body).await.expect("it is acknowledged");
        }
        // The message, three statuses of a message that nobody knew yet, and what the rule is told of each.
        assert_eq!(state_after(&world, 7, &message).await, "read");
        world.engine.stop().await;
    }

    async fn a_status_that_is_written_together_with_the_answer_finds_its_message(world: World) {
        world.rule(TELLS).await;
        world.engine.start().await.expect("it starts");
        stall(Point::DeliverSent);
        world.says(ADA, "hi").await;
        let message = answer(&world).await;
        // The writer is held up until both wait for it.
        tokio::time::sleep(Duration::from_millis(800)).await;
        stall(Point::WriterApplied);
        let body = world.message(BEN, "hi");
        let delivered = status(&world, &message, "delivered");
        let (one, other) = tokio::join!(world.accept(&body), async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            world.accept(&delivered).await
        });
        one.expect("it is acknowledged");
        other.expect("it is acknowledged");
        // Two messages, and what became of the first answer.
        assert_eq!(state_after(&world, 3, &message).await, "delivered");
        world.engine.stop().await;
    }
}
