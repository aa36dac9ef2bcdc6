//! What a customer writes in several messages is answered as one, if the location asks for it; and what is sent
//! in several arrives in order.

use rejoinder_engine::domain::time::Span;
use serde_json::json;

use crate::database::on_both;
use crate::world::{ADA, BEN, World};

const ECHO: &str = r#"
fn on_start(chat, message) { chat.reply("welcome"); }
fn on_message(chat, message) { chat.reply(message.text); }
"#;
const ONE_TWO: &str = r#"fn on_message(chat, message) { chat.reply("one"); chat.reply("two"); }"#;

on_both! {
    async fn messages_in_a_row_are_answered_as_one(world: World) {
        world.rule(ECHO).await;
        world.configure(json!({ "gather_ms": 5_000 })).await;
        world.hears(ADA, "hi").await;
        world.hears(BEN, "hello").await;
        world.wait(Span::seconds(3)).await;
        world.hears(ADA, "I have a question").await;
        world.wait(Span::seconds(3)).await;
        assert_eq!(world.heard(ADA), [""; 0], "she may go on writing");
        assert_eq!(world.heard(BEN), ["welcome", "hello"]);
        world.wait(Span::seconds(2)).await;
        assert_eq!(world.heard(ADA), ["welcome", "hi\nI have a question"]);
        let states: Vec<String> = world.events().await.into_iter().map(|row| row.state).collect();
        assert_eq!(states, ["done", "done", "done"]);
        let visits = world.events().await[0].visits.clone().expect("why it was not asked");
        assert!(visits.contains("gathered"), "{visits}");
        world.hears(ADA, "still there?").await;
        world.wait(Span::seconds(5)).await;
        assert_eq!(world.heard(ADA).len(), 3);
    }

    async fn a_burst_survives_a_restart_and_does_not_last_for_ever(world: World) {
        world.rule(ECHO).await;
        world.configure(json!({ "gather_ms": 5_000 })).await;
        world.hears(ADA, "0").await;
        let mut world = world;
        world.restart().await;
        for nth in 1..15 {
            world.wait(Span::seconds(4)).await;
            world.hears(ADA, &nth.to_string()).await;
        }
        assert_eq!(world.heard(ADA), [""; 0]);
        world.wait(Span::seconds(4)).await;
        let words: Vec<String> = (0..15).map(|nth| nth.to_string()).collect();
        assert_eq!(world.heard(ADA), ["welcome", &words.join("\n")], "after a minute");
    }

    async fn a_message_waits_until_the_customer_has_the_one_before(world: World) {
        world.rule(ONE_TWO).await;
        world.configure(json!({ "sequence_ms": 10_000 })).await;
        world.hears(ADA, "hi").await;
        assert_eq!(world.heard(ADA), ["one"]);
        let one = world.received(ADA)[0].clone();
        world.status(&one, "sent", None).await;
        world.settle().await;
        assert_eq!(world.heard(ADA), ["one"], "it is on its way");
        world.status(&one, "delivered", None).await;
        world.settle().await;
        assert_eq!(world.heard(ADA), ["one", "two"]);
        world.hears(BEN, "hi").await;
        world.wait(Span::seconds(9)).await;
        assert_eq!(world.heard(BEN), ["one"]);
        world.wait(Span::seconds(1)).await;
        assert_eq!(world.heard(BEN), ["one", "two"], "nobody waits for ever");
    }

    async fn a_span_that_makes_no_sense_is_refused(world: World) {
        let store = world.engine.store().of(world.location_id);
        let mut settings = store.location().await.expect("a query").expect("a location").settings;
        settings.gather_ms = Some(Span::minutes(2));
        let change = rejoinder_engine::LocationChange {
            settings: Some(settings),
            ..Default::default()
        };
        let refused = world.engine.change_location(world.location_id, change).await;
        let said = refused.expect_err("it is refused").to_string();
        assert!(said.contains("gather_ms") && said.contains("60000"), "{said}");
    }
}
