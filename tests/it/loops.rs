//! Rules that answer a program stop after a while, and people are told.

use rejoinder_engine::domain::conversation::HeldBy;
use rejoinder_engine::domain::time::Span;
use serde_json::json;

use crate::database::on_both;
use crate::world::{ADA, BEN, Customer, World, connect, number};

const ECHO: &str = r#"fn on_message(chat, message) { chat.reply("you said: " + message.text); }"#;

/// Another program answers everything at once, until nothing comes any more.
async fn ping_pong(world: &World, other: Customer) -> usize {
    world.hears(other, "hello").await;
    let mut heard = 0;
    for _ in 0..100 {
        let words = world.heard(other);
        if words.len() == heard {
            return heard;
        }
        heard = words.len();
        world.wait(Span::from_ms(300)).await;
        world.hears(other, &format!("I got: {heard}")).await;
    }
    heard
}

on_both! {
    async fn two_programs_that_answer_each_other_stop(world: World) {
        world.rule(ECHO).await;
        let heard = ping_pong(&world, ADA).await;
        assert!((5..=12).contains(&heard), "{heard}");
        let events = world.events().await;
        let id = events[0].event.conversation_id.expect("a conversation");
        let store = world.engine.store().of(world.location_id);
        let conversation = store.conversation(id).await.expect("a query").expect("it is there");
        assert_eq!(conversation.hold.expect("a hold").by, HeldBy::Guard);
        let notes = store.notes(id, 10).await.expect("notes");
        assert!(notes[0].text.contains("rest in this chat until"), "{}", notes[0].text);
        assert!(world.traced().await.iter().any(|line| line.starts_with("not sent: ")));
        // Others are served, and she is again after the rest.
        world.hears(BEN, "hi").await;
        assert_eq!(world.heard(BEN), ["you said: hi"]);
        world.wait(Span::minutes(31)).await;
        world.hears(ADA, "I am a person").await;
        assert_eq!(world.heard(ADA).len(), heard + 1);
        // The next rest is longer, also if another process finds it.
        let again = ping_pong(&world, ADA).await;
        assert!(again > heard);
        world.wait(Span::minutes(31)).await;
        world.hears(ADA, "hello?").await;
        assert_eq!(world.heard(ADA).len(), again, "an hour this time");
    }

    async fn a_location_may_have_other_limits_or_none(world: World) {
        world.rule(ECHO).await;
        world.configure(json!({ "loop_guard": { "per_minute": 0, "per_hour": 0, "circles": false } })).await;
        for nth in 0..40 {
            world.hears(ADA, &format!("message {nth}")).await;
        }
        assert_eq!(world.heard(ADA).len(), 40);
    }

    async fn a_number_of_our_own_is_greeted_and_no_more(world: World) {
        world.rule(ECHO).await;
        let second = number("106853218861310", "4930901821");
        connect(&world.engine, world.location_id, &second).await;
        let own = Customer { name: "Casa Lima", phone: "4930901821" };
        for _ in 0..6 {
            world.wait(Span::minutes(5)).await;
            world.hears(own, "hello").await;
        }
        assert_eq!(world.heard(own).len(), 3);
    }
}
