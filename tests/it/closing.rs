//! `on_window_closing`: told in time, once, and only while nobody has answered.

use rejoinder_adapters::simulator::Fault;
use rejoinder_engine::domain::time::Span;
use serde_json::{Value, json};

use crate::database::on_both;
use crate::world::{ADA, World};

const WATCH: &str =
    r#"fn on_window_closing(chat) { chat.reply(`${chat.window.left.minutes} minutes left`); }"#;
/// From a message to an hour before its window is treated as shut.
const TO_WARNING: Span = Span::seconds(22 * 3600 + 59 * 60);

/// Why rules were not told, in the order of events.
async fn moot(world: &World) -> Vec<String> {
    let mut why = Vec::new();
    for row in world.events().await {
        let visits: Vec<Value> =
            serde_json::from_str(row.visits.as_deref().unwrap_or("[]")).expect("visits");
        let moot = visits.iter().filter(|visit| visit["outcome"] == "moot");
        why.extend(moot.map(|visit| visit["why"].as_str().expect("a reason").to_owned()));
    }
    why
}

on_both! {
    async fn rules_are_told_an_hour_before_the_window_closes(world: World) {
        world.rule(WATCH).await;
        world.hears(ADA, "hello?").await;
        assert_eq!(world.to_next().await, TO_WARNING);
        assert_eq!(world.heard(ADA), ["60 minutes left"]);
        assert_eq!(world.until_next().await, None);
        world.hears(ADA, "ah").await;
        world.configure(json!({ "vars": { "window_warning": "2h30m" } })).await;
        world.hears(ADA, "and?").await;
        assert_eq!(world.to_next().await, TO_WARNING - Span::minutes(90));
        assert_eq!(world.heard(ADA)[1..], ["150 minutes left"], "told once, by the new setting");
        assert_eq!(world.until_next().await, None);
    }

    async fn an_answer_of_a_rule_is_an_answer(world: World) {
        world.rule(WATCH).await;
        world.rule(r#"fn on_message(chat, message) { chat.reply("hi"); }"#).await;
        world.hears(ADA, "hello?").await;
        world.wait(TO_WARNING).await;
        assert_eq!(world.heard(ADA), ["hi"]);
        assert_eq!(moot(&world).await, ["someone has answered"]);
    }

    async fn an_answer_that_failed_is_none(world: World) {
        world.rule(WATCH).await;
        world.rule(r#"fn on_message(chat, message) { chat.reply("hi"); }"#).await;
        world.simulator.fault_next(1, Fault::Refuse(131_009));
        world.hears(ADA, "hello?").await;
        assert_eq!(world.states().await, ["failed"]);
        world.wait(TO_WARNING).await;
        assert_eq!(world.heard(ADA), ["60 minutes left"]);
    }

    async fn an_answer_of_before_is_none(world: World) {
        world.rule(WATCH).await;
        world.rule(r#"fn on_message(chat, message) { if message.text == "hello?" { chat.reply("hi"); } }"#).await;
        world.hears(ADA, "hello?").await;
        world.owner_says(ADA, "hi").await;
        world.hears(ADA, "and now?").await;
        world.wait(TO_WARNING).await;
        assert_eq!(world.heard(ADA), ["hi", "60 minutes left"]);
    }

    async fn an_answer_of_a_person_is_an_answer(world: World) {
        world.rule(&format!("even_when_held(); {WATCH}")).await;
        world.hears(ADA, "hello?").await;
        world.owner_says(ADA, "hi").await;
        world.wait(TO_WARNING).await;
        assert_eq!(world.heard(ADA), [""; 0]);
        assert_eq!(moot(&world).await, ["someone has answered"]);
    }

    async fn a_customer_who_writes_again_moves_it(world: World) {
        world.rule(WATCH).await;
        world.hears(ADA, "hello?").await;
        world.wait(Span::hours(10)).await;
        world.hears(ADA, "anybody?").await;
        world.wait(Span::hours(13)).await;
        assert_eq!(world.heard(ADA), [""; 0]);
        assert_eq!(world.to_next().await, TO_WARNING - Span::hours(13));
        assert_eq!(world.heard(ADA), ["60 minutes left"]);
    }

    async fn stop_does_not_keep_other_rules_from_being_told(world: World) {
        world.rule("fn on_message(chat, message) { stop(); }").await;
        world.rule(WATCH).await;
        world.hears(ADA, "hello?").await;
        world.wait(TO_WARNING).await;
        assert_eq!(world.heard(ADA), ["60 minutes left"]);
    }

    async fn while_held_only_rules_that_take_no_notice_are_told(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.hold("2d"); }"#).await;
        world.rule(WATCH).await;
        world.rule(r#"
            even_when_held();
            fn on_window_closing(chat) { chat.reply("a colleague will answer"); }
        "#).await;
        world.hears(ADA, "hello?").await;
        assert_eq!(world.to_next().await, TO_WARNING);
        assert_eq!(world.heard(ADA), ["a colleague will answer"]);
        assert_eq!(world.to_next().await, Span::hours(48) - TO_WARNING, "the release");
        assert_eq!(world.heard(ADA).len(), 1);
        assert_eq!(moot(&world).await, ["someone has answered"]);
    }

    async fn a_window_that_shut_meanwhile_closes_no_more(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.hold("2d"); }"#).await;
        world.rule(WATCH).await;
        world.hears(ADA, "hello?").await;
        world.wait(Span::days(2)).await;
        assert_eq!(world.heard(ADA), [""; 0]);
        assert_eq!(moot(&world).await, ["the window is shut"]);
    }

    async fn it_comes_before_quiet_hours(world: World) {
        world.configure(json!({ "quiet_hours": { "from": "08:00", "to": "10:30" } })).await;
        world.rule(WATCH).await;
        // It is 11:00: the window closes at 10:59 tomorrow, and an hour before that is quiet.
        world.hears(ADA, "hello?").await;
        assert_eq!(world.to_next().await, Span::minutes(20 * 60 + 59));
        assert_eq!(world.heard(ADA), ["180 minutes left"]);
    }

    async fn quiet_hours_that_outlast_the_window_are_kept(world: World) {
        world.configure(json!({ "quiet_hours": { "from": "20:00", "to": "08:00", "days": ["tue"] } })).await;
        world.rule(WATCH).await;
        world.wait(Span::hours(12)).await;
        // Monday night: the window closes on Tuesday, which is quiet throughout.
        world.hears(ADA, "hello?").await;
        assert_eq!(world.to_next().await, Span::hours(33), "Wednesday morning");
        assert_eq!(world.heard(ADA), [""; 0]);
        assert_eq!(moot(&world).await, ["the window is shut"]);
    }
}
