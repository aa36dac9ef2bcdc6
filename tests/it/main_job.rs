//! The main job: a customer writes, the location's rules answer, once, in order, inside the window.

use rejoinder_engine::domain::time::Span;

use crate::database::on_both;
use crate::world::{ADA, BEN, World};

const PRICE: &str = r#"
fn on_message(chat, message) {
    if !message.mentions(["price", "prix", "cost"]) { return; }
    chat.reply(`Hi ${chat.contact.name}, prices start at €120,000.`);
    chat.contact.tag("lead");
    chat.if_silent("2d", "nudge");
}

fn nudge(chat) {
    chat.reply("Still interested?", template("viewing_reminder", [chat.contact.name_or("there")]));
}
"#;

on_both! {
    async fn a_price_question_is_answered(world: World) {
        world.rule(PRICE).await;
        world.hears(ADA, "What is the PRICE?").await;
        assert_eq!(world.heard(ADA), ["Hi Ada, prices start at €120,000."]);
        assert_eq!(world.states().await, ["accepted"]);
        let contacts = world.engine.store().of(world.location_id).contacts(None, 10).await.expect("contacts");
        assert_eq!(contacts[0].tags, ["lead"]);
    }

    async fn a_message_is_answered_once_even_if_delivered_twice(world: World) {
        world.rule(PRICE).await;
        let body = world.says(ADA, "price?").await;
        let again = world.accept(&body).await.expect("accepted");
        assert_eq!((again.counts.stored, again.counts.duplicates), (0, 1));
        world.settle().await;
        world.wait(Span::days(7)).await;
        world.accept(&body).await.expect("accepted a week later");
        world.settle().await;
        assert_eq!(world.heard(ADA).len(), 2, "the answer and the nudge");
    }

    async fn a_silent_customer_gets_the_template_when_the_window_is_shut(world: World) {
        world.rule(PRICE).await;
        world.hears(ADA, "price?").await;
        world.wait(Span::days(2)).await;
        assert_eq!(world.heard(ADA)[1], "template:viewing_reminder(Ada)");
        assert_eq!(world.states().await, ["accepted", "accepted"]);
    }

    async fn a_customer_who_writes_is_not_nudged(world: World) {
        world.rule(PRICE).await;
        world.hears(ADA, "price?").await;
        world.wait(Span::hours(30)).await;
        world.hears(ADA, "thanks").await;
        world.wait(Span::days(3)).await;
        assert_eq!(world.heard(ADA).len(), 1);
    }

    async fn the_owner_who_answers_silences_the_bot(world: World) {
        world.rule(PRICE).await;
        world.hears(BEN, "price?").await;
        world.owner_says(BEN, "Let me call you.").await;
        world.hears(BEN, "and the price of the other one?").await;
        world.wait(Span::days(3)).await;
        assert_eq!(world.heard(BEN).len(), 1, "neither an answer nor a nudge");
        world.hears(BEN, "price?").await;
        assert_eq!(world.heard(BEN).len(), 2, "the hold is over");
    }

    async fn an_echo_of_our_own_message_is_no_person(world: World) {
        world.rule(PRICE).await;
        world.hears(ADA, "price?").await;
        let sent = world.received(ADA).remove(0);
        world.owner_says_as(ADA, &sent.provider_id, &sent.summary.text).await;
        world.hears(ADA, "price again?").await;
        assert_eq!(world.heard(ADA).len(), 2);
    }

    async fn free_text_never_leaves_outside_the_window(world: World) {
        world.rule(r#"
            fn on_message(chat, message) { chat.after("25h", "later"); }
            fn later(chat) { chat.reply("too late"); }
            fn on_status(chat, status) { chat.state.failed = status.failure.kind; }
        "#).await;
        world.hears(ADA, "hello").await;
        world.wait(Span::hours(25)).await;
        assert_eq!(world.heard(ADA), Vec::<String>::new());
        let rows = world.deliveries().await;
        assert_eq!(rows[0].delivery.state.name(), "failed");
        assert_eq!(rows[0].failure.as_ref().map(|failure| failure.kind.as_str()), Some("window_closed"));
        assert!(world.events().await.iter().any(|row| row.event.payload.kind() == "status"));
    }

    async fn a_window_that_the_provider_says_is_shut_lets_the_template_out_once(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply("Hi", template("hello_again", [])); }"#).await;
        world.simulator.fault_next(1, rejoinder_adapters::simulator::Fault::Refuse(131_047));
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), ["template:hello_again()"]);
        assert_eq!(world.states().await, ["failed", "accepted"]);
    }

    async fn a_refusal_by_a_later_status_lets_the_template_out_once(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply("Hi", template("hello_again", [])); }"#).await;
        world.hears(ADA, "hello").await;
        let sent = world.received(ADA).remove(0);
        world.wait(Span::minutes(1)).await;
        world.status(&sent, "failed", Some(131_047)).await;
        world.status(&sent, "failed", Some(131_047)).await;
        assert_eq!(world.heard(ADA), ["Hi", "template:hello_again()"]);
        assert_eq!(world.states().await, ["failed", "accepted"]);
    }

    async fn statuses_move_a_delivery_forward_only(world: World) {
        world.rule(PRICE).await;
        world.hears(ADA, "price?").await;
        let sent = world.received(ADA).remove(0);
        for (status, state) in [("read", "read"), ("delivered", "read"), ("sent", "read"), ("failed", "read")] {
            world.status(&sent, status, None).await;
            assert_eq!(world.states().await, [state], "after {status}");
        }
    }

    async fn a_rule_that_fails_has_no_effects_and_the_others_still_run(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply("one"); let x = chat.state.n + 1; }"#).await;
        world.rule(r#"fn on_message(chat, message) { chat.reply("two"); }"#).await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), ["two"]);
        let event = world.events().await.remove(0).event;
        let runs = world.engine.store().of(world.location_id).runs(event.id).await.expect("runs");
        let mut outcomes: Vec<&str> = runs.iter().map(|row| row.run.outcome.name()).collect();
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["effects", "error"]);
    }

    async fn state_is_kept_per_chat_and_rule_over_restarts(world: World) {
        world.rule(r#"
            fn on_message(chat, message) {
                chat.state.n = (chat.state.n ?? 0) + 1;
                chat.reply(`message ${chat.state.n}`);
            }
        "#).await;
        world.hears(ADA, "a").await;
        world.hears(BEN, "a").await;
        let mut world = world;
        world.restart().await;
        world.hears(ADA, "b").await;
        assert_eq!(world.heard(ADA), ["message 1", "message 2"]);
        assert_eq!(world.heard(BEN), ["message 1"]);
    }

    async fn what_was_accepted_is_answered_after_a_restart(world: World) {
        world.rule(PRICE).await;
        world.says(ADA, "price?").await;
        let mut world = world;
        world.restart().await;
        world.settle().await;
        assert_eq!(world.heard(ADA).len(), 1);
    }

    async fn stop_ends_the_chain_and_the_trace_says_so(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply("first"); stop(); }"#).await;
        let second = world.rule(r#"fn on_message(chat, message) { chat.reply("second"); }"#).await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), ["first"]);
        let visits = world.events().await.remove(0).visits.expect("visits");
        assert!(visits.contains("stopped") && visits.contains(&second.to_string()), "{visits}");
    }

    async fn a_rule_may_hand_over_to_a_person_and_take_back(world: World) {
        world.rule(r#"
            even_when_held();
            fn on_message(chat, message) {
                if message.text == "human" { chat.reply("One moment."); chat.hold("4h"); }
                if message.text == "bot" { chat.release(); }
            }
        "#).await;
        world.rule(r#"fn on_message(chat, message) { chat.reply("robot says hello"); }"#).await;
        world.hears(ADA, "human").await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), ["One moment."], "the second rule is silent");
        world.hears(ADA, "bot").await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA).len(), 3);
    }

    async fn every_monday_at_nine_fires_once(world: World) {
        world.rule(r#"every("0 9 * * MON", "weekly"); fn weekly(location) { log(location.name); }"#).await;
        world.wait(Span::days(6)).await;
        // Monday, 12 January, 09:00 in Berlin is 08:00 UTC; now it is Sunday 10:00 UTC.
        world.wait(Span::hours(22) + Span::seconds(1)).await;
        world.wait(Span::hours(1)).await;
        let ticks: Vec<_> =
            world.events().await.into_iter().filter(|row| row.event.payload.kind() == "tick").collect();
        assert_eq!(ticks.len(), 1);
        let runs = world.engine.store().of(world.location_id).runs(ticks[0].event.id).await.expect("runs");
        assert_eq!(runs[0].run.trace[0].text, "Casa Lima");
    }

    async fn answers_of_one_conversation_leave_in_order(world: World) {
        world.rule(r#"fn on_message(chat, message) { for i in 0..5 { chat.reply(`${message.text}${i}`); } }"#).await;
        world.says(ADA, "a").await;
        world.says(ADA, "b").await;
        world.settle().await;
        let expected = ["a0", "a1", "a2", "a3", "a4", "b0", "b1", "b2", "b3", "b4"];
        assert_eq!(world.heard(ADA), expected);
    }

    async fn a_message_in_doubt_waits_for_evidence_and_then_follows_the_policy(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply("one"); chat.reply("two"); }"#).await;
        world.simulator.fault_next(1, rejoinder_adapters::simulator::Fault::AcceptThenDrop);
        world.hears(ADA, "hello").await;
        assert_eq!(world.states().await, ["in_doubt", "ready"]);
        let sent = world.received(ADA).remove(0);
        world.status(&sent, "delivered", None).await;
        assert_eq!(world.heard(ADA), ["one", "two"], "evidence came: nothing is doubled");
        assert_eq!(world.states().await, ["delivered", "accepted"]);

        world.simulator.fault_next(1, rejoinder_adapters::simulator::Fault::AcceptThenDrop);
        world.hears(BEN, "hello").await;
        world.wait(Span::minutes(3)).await;
        assert_eq!(world.heard(BEN), ["one", "one", "two"], "none came: the location says resend once");
    }
}
