//! Follow-ups and schedules as time passes: set, moved, cancelled, held, and when the next one comes.

use rejoinder_adapters::simulator::Fault;
use rejoinder_engine::domain::time::{Span, Timestamp};

use crate::database::on_both;
use crate::world::{ADA, BEN, World};

/// How long until something falls due.
async fn until_next(world: &World) -> Option<Span> {
    let next = world.engine.next_due().await.expect("the database works");
    next.map(|at: Timestamp| at.since(world.engine.now()))
}

/// Moves the clock to the next moment at which something falls due, and lets it happen.
async fn to_next(world: &World) -> Span {
    let span = until_next(world).await.expect("something waits");
    world.wait(span).await;
    span
}

on_both! {
    async fn a_clock_steps_from_one_due_moment_to_the_next(world: World) {
        assert_eq!(until_next(&world).await, None, "nothing waits");
        world.rule(r#"
            every("0 12 * * *", "noon");
            fn noon(location) { log("noon"); }
            fn on_message(chat, message) { chat.after("90m", "later"); chat.after("30m", "soon"); }
            fn soon(chat) { chat.reply("soon"); }
            fn later(chat) { chat.reply("later"); }
        "#).await;
        // It is 11:00 in Berlin.
        assert_eq!(until_next(&world).await, Some(Span::hours(1)), "the schedule");
        world.says(ADA, "hello").await;
        assert_eq!(until_next(&world).await, Some(Span::ZERO), "the message, now");
        world.settle().await;
        for (expected, heard) in [(Span::minutes(30), 1), (Span::minutes(30), 1), (Span::minutes(30), 2)] {
            assert_eq!(to_next(&world).await, expected);
            assert_eq!(world.heard(ADA).len(), heard);
        }
        assert_eq!(until_next(&world).await, Some(Span::minutes(23 * 60 + 30)), "noon of tomorrow");
    }

    async fn a_held_follow_up_is_due_at_the_release(world: World) {
        world.rule(r#"
            fn on_message(chat, message) { chat.after("1h", "later"); chat.hold("3h"); }
            fn later(chat) { chat.reply("later"); }
        "#).await;
        world.hears(ADA, "hello").await;
        assert_eq!(to_next(&world).await, Span::hours(3));
        assert_eq!(world.heard(ADA), ["later"]);
        assert_eq!(until_next(&world).await, None);
    }

    async fn what_is_tried_again_is_due_then(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply("hi"); }"#).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        world.hears(BEN, "hello").await;
        assert_eq!(world.states().await, ["in_doubt"]);
        assert_eq!(to_next(&world).await, Span::seconds(120), "Meta's time for evidence");
        assert_eq!(world.heard(BEN), ["hi", "hi"], "none came, and it was sent once more");
        assert_eq!(until_next(&world).await, None);
    }
}
