//! An event that never comes to an end is tried three times, across deaths of the process, and put aside;
//! its conversation goes on, and it can be run again.

use rejoinder_engine::domain::time::Span;
use rejoinder_engine::store::EventRow;
use sea_orm::{ConnectionTrait, Statement};

use crate::database::on_both;
use crate::world::{ADA, World};

const RULE: &str = "fn on_message(chat, message) { chat.reply(message.text); }";

/// What is counted of each event, oldest first.
async fn attempts(world: &World) -> Vec<i32> {
    let connection = world.engine.store().connection();
    let text = "SELECT attempts FROM rejoinder_event WHERE kind = 'message' ORDER BY id";
    let statement = Statement::from_string(connection.get_database_backend(), text);
    let rows = connection.query_all_raw(statement).await.expect("events");
    let rows = rows.iter();
    rows.map(|row| row.try_get("", "attempts").expect("a number"))
        .collect()
}

/// As if the process had ended that many times in the middle of the oldest event.
async fn died(world: &World, times: i32) {
    let text = format!(
        "UPDATE rejoinder_event SET attempts = {times} WHERE id IN \
         (SELECT id FROM rejoinder_event WHERE kind = 'message' ORDER BY id LIMIT 1)"
    );
    let connection = world.engine.store().connection();
    connection
        .execute_unprepared(&text)
        .await
        .expect("it is set");
}

async fn messages(world: &World) -> Vec<EventRow> {
    let mut events = world.events().await;
    events.retain(|row| row.event.payload.kind() == "message");
    events
}

on_both! {
    async fn an_event_that_came_to_no_end_three_times_is_put_aside(world: World) {
        world.rule(RULE).await;
        world.says(ADA, "one").await;
        world.says(ADA, "two").await;
        died(&world, 3).await;
        world.wait(Span::seconds(11)).await;
        assert_eq!(world.heard(ADA), ["two"]);
        let events = messages(&world).await;
        assert_eq!((events[0].state.as_str(), events[1].state.as_str()), ("parked", "done"));
        assert_eq!(attempts(&world).await, [3, 1], "what waited for long is counted before it runs");
        // It can be run again, once.
        let again = || world.engine.rerun_event(world.location_id, events[0].event.id);
        assert_eq!(again().await.expect("it was put aside").stored, 1);
        world.settle().await;
        assert_eq!(world.heard(ADA), ["two", "one"]);
        again().await.expect_err("it is done");
        assert_eq!(messages(&world).await[0].state, "done");
    }

    async fn an_event_that_may_come_to_an_end_is_tried_again(world: World) {
        world.rule(RULE).await;
        world.says(ADA, "one").await;
        died(&world, 2).await;
        world.wait(Span::seconds(11)).await;
        assert_eq!(world.heard(ADA), ["one"]);
        assert_eq!(attempts(&world).await, [3]);
    }

    async fn a_process_that_dies_early_again_and_again_puts_nothing_aside(world: World) {
        let mut world = world;
        world.rule(RULE).await;
        world.says(ADA, "one").await;
        died(&world, 1).await;
        for _ in 0..5 {
            world.clock.advance(Span::seconds(1));
            world.restart().await;
            world.settle().await;
        }
        assert_eq!(attempts(&world).await, [1], "no life was long enough");
        assert_eq!(world.heard(ADA), [""; 0]);
        world.wait(Span::seconds(5)).await;
        assert_eq!(world.heard(ADA), ["one"]);
    }

    async fn nothing_is_counted_of_what_is_decided_at_once(world: World) {
        world.rule(RULE).await;
        world.hears(ADA, "one").await;
        assert_eq!(attempts(&world).await, [0]);
    }
}
