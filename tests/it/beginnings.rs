//! `on_start`: the first message ever, and the first after a long time.

use rejoinder_adapters::simulator::meta::{Arrival, text_message};
use rejoinder_engine::domain::run::Outcome;
use rejoinder_engine::domain::time::Span;
use serde_json::json;

use crate::database::on_both;
use crate::world::{ADA, BEN, World};

const WELCOME: &str = r#"
fn on_start(chat, message) {
    chat.reply("Welcome!");
    chat.state.starts = (chat.state.starts ?? 0) + 1;
}
fn on_message(chat, message) { chat.reply(`start ${chat.state.starts}: ${message.text}`); }
"#;

on_both! {
    async fn the_first_message_begins_and_is_answered_in_one_run(world: World) {
        world.rule(WELCOME).await;
        world.hears(ADA, "one").await;
        world.hears(ADA, "two").await;
        assert_eq!(world.heard(ADA), ["Welcome!", "start 1: one", "start 1: two"]);
        let handlers: Vec<String> = world.runs().await.into_iter().map(|run| run.handler).collect();
        assert_eq!(handlers, ["on_start, on_message", "on_message"]);
    }

    async fn two_messages_of_the_same_second_begin_once(world: World) {
        world.rule(WELCOME).await;
        world.says(ADA, "one").await;
        world.says(ADA, "two").await;
        let mut world = world;
        world.restart().await;
        world.settle().await;
        assert_eq!(world.heard(ADA), ["Welcome!", "start 1: one", "start 1: two"]);
    }

    async fn a_customer_who_comes_back_begins_anew(world: World) {
        world.rule(WELCOME).await;
        world.hears(ADA, "one").await;
        world.wait(Span::days(30) - Span::seconds(1)).await;
        world.hears(ADA, "two").await;
        world.wait(Span::days(30)).await;
        world.hears(ADA, "three").await;
        assert_eq!(world.heard(ADA)[2..], ["start 1: two", "Welcome!", "start 2: three"]);
        world.configure(json!({ "vars": { "idle": "2d" } })).await;
        world.wait(Span::days(2)).await;
        world.hears(ADA, "four").await;
        assert_eq!(world.heard(ADA)[5..], ["Welcome!", "start 3: four"]);
    }

    async fn if_one_of_the_two_fails_there_is_none_of_both(world: World) {
        world.rule(r#"
            fn on_start(chat, message) { chat.reply("Welcome!"); chat.state.seen = true; }
            fn on_message(chat, message) {
                if chat.contact.name == "Ada" { throw "no"; }
                chat.reply("Hello");
            }
        "#).await;
        world.hears(ADA, "one").await;
        world.hears(BEN, "one").await;
        assert_eq!(world.heard(ADA), [""; 0]);
        assert_eq!(world.heard(BEN), ["Welcome!", "Hello"]);
        let runs = world.runs().await;
        let Outcome::Error { line, .. } = runs[0].outcome else { panic!("{:?}", runs[0].outcome) };
        assert_eq!(line, 4);
    }

    async fn stop_in_the_beginning_ends_everything(world: World) {
        world.rule(r#"
            fn on_start(chat, message) { chat.reply("Welcome!"); stop(); }
            fn on_message(chat, message) { chat.reply("Hello"); }
        "#).await;
        world.rule(r#"fn on_message(chat, message) { chat.reply("second"); }"#).await;
        world.hears(ADA, "one").await;
        assert_eq!(world.heard(ADA), ["Welcome!"]);
        world.hears(ADA, "two").await;
        assert_eq!(world.heard(ADA), ["Welcome!", "Hello", "second"]);
    }

    async fn a_rule_may_only_begin(world: World) {
        world.rule(r#"fn on_start(chat, message) { chat.reply(`Welcome, ${message.text}`); }"#).await;
        world.hears(ADA, "one").await;
        world.hears(ADA, "two").await;
        assert_eq!(world.heard(ADA), ["Welcome, one"]);
        let visits = world.events().await[1].visits.clone().expect("visits");
        assert!(visits.contains("no_handler"), "{visits}");
    }

    async fn imported_history_counts_as_messages(world: World) {
        world.rule(WELCOME).await;
        let line = json!({
            "from": ADA.phone,
            "id": "wamid.HIST0001",
            "timestamp": "1766500000",
            "type": "text",
            "text": { "body": "Bom dia" },
            "history_context": { "status": "READ" },
        });
        let body = world.webhook("history", json!({ "history": [{
            "metadata": { "phase": 1, "chunk_order": 1, "progress": 100 },
            "threads": [{ "id": ADA.phone, "messages": [line] }],
        }] }));
        world.accept(&body).await.expect("accepted");
        world.hears(ADA, "one").await;
        assert_eq!(world.heard(ADA), ["start : one"], "she wrote thirteen days ago");
    }

    async fn what_is_no_message_does_not_count(world: World) {
        world.rule(WELCOME).await;
        let reaction = world.arrival(ADA, |number, arrival| {
            rejoinder_adapters::simulator::meta::reaction(number, arrival, "wamid.x", "👍")
        });
        world.accept(&reaction).await.expect("accepted");
        world.settle().await;
        world.hears(ADA, "one").await;
        assert_eq!(world.heard(ADA)[0], "Welcome!");
    }

    async fn a_message_that_comes_late_does_not_begin_anew(world: World) {
        world.rule(WELCOME).await;
        world.hears(ADA, "one").await;
        // The provider dates it before the first one.
        let at = world.engine.now() - Span::hours(1);
        let body = world.arrival(ADA, |number, arrival| text_message(number, &Arrival { at, ..*arrival }, "two"));
        world.accept(&body).await.expect("accepted");
        world.settle().await;
        assert_eq!(world.heard(ADA)[2..], ["start 1: two"]);
    }
}
