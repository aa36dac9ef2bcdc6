//! Follow-ups and schedules as time passes: set, moved, cancelled, held, and when the next one comes.

use rejoinder_adapters::simulator::Fault;
use rejoinder_engine::domain::time::Span;

use crate::database::on_both;
use crate::world::{ADA, BEN, World};

on_both! {
    async fn a_clock_steps_from_one_due_moment_to_the_next(world: World) {
        assert_eq!(world.until_next().await, None, "nothing waits");
        world.rule(r#"
            every("0 12 * * *", "noon");
            fn noon(location) { log("noon"); }
            fn on_message(chat, message) { chat.after("90m", "later"); chat.after("30m", "soon"); }
            fn soon(chat) { chat.reply("soon"); }
            fn later(chat) { chat.reply("later"); }
        "#).await;
        // It is 11:00 in Berlin.
        assert_eq!(world.until_next().await, Some(Span::hours(1)), "the schedule");
        world.says(ADA, "hello").await;
        assert_eq!(world.until_next().await, Some(Span::ZERO), "the message, now");
        world.settle().await;
        for (expected, heard) in [(Span::minutes(30), 1), (Span::minutes(30), 1), (Span::minutes(30), 2)] {
            assert_eq!(world.to_next().await, expected);
            assert_eq!(world.heard(ADA).len(), heard);
        }
        assert_eq!(world.until_next().await, Some(Span::minutes(23 * 60 + 30)), "noon of tomorrow");
    }

    async fn a_held_follow_up_is_due_at_the_release(world: World) {
        world.rule(r#"
            fn on_message(chat, message) { chat.after("1h", "later"); chat.hold("3h"); }
            fn later(chat) { chat.reply("later"); }
        "#).await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.to_next().await, Span::hours(3));
        assert_eq!(world.heard(ADA), ["later"]);
        assert_eq!(world.until_next().await, None);
    }

    async fn what_is_tried_again_is_due_then(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply("hi"); }"#).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        world.hears(BEN, "hello").await;
        assert_eq!(world.states().await, ["in_doubt"]);
        assert_eq!(world.to_next().await, Span::seconds(120), "Meta's time for evidence");
        assert_eq!(world.heard(BEN), ["hi", "hi"], "none came, and it was sent once more");
        assert_eq!(world.until_next().await, None);
    }

    async fn half_an_hour_before_the_window_closes_is_the_best_moment(world: World) {
        world.rule(r#"
            fn on_message(chat, message) { chat.at(chat.window.closes_at - "30m", "nudge"); }
            fn nudge(chat) { chat.reply(`${chat.window.left.minutes} minutes left`); }
        "#).await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.to_next().await, Span::hours(24) - Span::minutes(31));
        assert_eq!(world.heard(ADA), ["30 minutes left"], "free text, in time");
    }

    async fn a_time_that_is_past_is_now(world: World) {
        world.rule(r#"
            fn on_message(chat, message) { chat.at(now() - "2d", "at_once"); }
            fn at_once(chat) { chat.reply(`due ${now() - chat.due} ago`); }
        "#).await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), ["due 2d ago"]);
    }

    async fn setting_a_follow_up_again_moves_it_and_cancelling_drops_it(world: World) {
        world.rule(r#"
            fn on_message(chat, message) {
                switch message.text {
                    "soon" => chat.after("1h", "later", #{ said: message.text }),
                    "late" => chat.at(now() + "5h", "later", #{ said: message.text }),
                    "no" => chat.cancel("later"),
                    "both" => { chat.after("1h", "later"); chat.cancel("later"); chat.after("2h", "later", #{ said: "both" }); }
                }
            }
            fn later(chat, args) { chat.reply(args.said); }
        "#).await;
        world.hears(ADA, "soon").await;
        world.hears(ADA, "late").await;
        world.hears(BEN, "soon").await;
        world.hears(BEN, "no").await;
        assert_eq!(world.to_next().await, Span::hours(5), "one is pending, and it was moved");
        assert_eq!((world.heard(ADA), world.heard(BEN)), (vec!["late".to_owned()], Vec::new()));
        assert_eq!(world.until_next().await, None);
        world.hears(BEN, "both").await;
        assert_eq!(world.to_next().await, Span::hours(2), "the last word of a run counts");
        assert_eq!(world.heard(BEN), ["both"]);
    }

    async fn silence_is_looked_at_again_when_the_follow_up_comes(world: World) {
        world.rule(r#"
            fn on_message(chat, message) { if message.text == "price?" { chat.if_silent("1h", "nudge"); } }
            fn nudge(chat) { chat.reply("nudge"); }
        "#).await;
        world.hears(ADA, "price?").await;
        world.clock.advance(Span::hours(1));
        // She writes in the moment in which it falls due; her message is not decided yet.
        world.says(ADA, "ah, thanks").await;
        let mut world = world;
        world.restart().await;
        world.settle().await;
        assert_eq!(world.heard(ADA), [""; 0]);
        let visits: Vec<String> = world.events().await.into_iter().filter_map(|row| row.visits).collect();
        assert!(visits.iter().any(|visit| visit.contains("not_silent")), "{visits:?}");
    }

    async fn a_follow_up_set_before_a_hold_waits_for_the_release_whatever_sets_it(world: World) {
        world.rule(r#"
            even_when_held();
            fn on_message(chat, message) {
                if message.text == "price?" { chat.if_silent("1h", "nudge"); chat.after("1h", "later"); }
                if message.text == "release" { chat.release(); }
            }
            fn nudge(chat) { chat.reply("nudge"); }
            fn later(chat) { chat.reply(`later, due ${chat.due.format("%H:%M")}`); }
        "#).await;
        world.hears(ADA, "price?").await;
        world.owner_says(ADA, "I will look").await;
        world.wait(Span::hours(3)).await;
        assert_eq!(world.heard(ADA), [""; 0]);
        world.hears(ADA, "release").await;
        assert_eq!(world.heard(ADA), ["later, due 12:00"], "it is not late for it; the silence was broken");
    }
}
