//! Quiet hours: nobody is written to in them who has not written, and nothing is lost by it.

use rejoinder_engine::domain::time::Span;
use serde_json::json;

use crate::database::on_both;
use crate::world::{ADA, World};

/// At 11:00 in Berlin, where the test begins on a Monday: due at 21:00.
const LATER: &str = r#"
fn on_message(chat, message) { chat.after("10h", "later"); }
fn later(chat) { chat.reply(`due ${chat.due.format("%a %H:%M")}`, template("later", [])); }
"#;

async fn quiet(world: &World, from: &str, to: &str) {
    let quiet = json!({ "quiet_hours": { "from": from, "to": to } });
    world.configure(quiet).await;
}

on_both! {
    async fn a_follow_up_waits_for_the_end_of_the_quiet_hours(world: World) {
        quiet(&world, "20:00", "08:00").await;
        world.rule(LATER).await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.traced().await, ["later waits until Tue 08:00: quiet hours"]);
        world.wait(Span::hours(11)).await;
        assert_eq!(world.heard(ADA), [""; 0]);
        assert_eq!(world.to_next().await, Span::hours(10));
        assert_eq!(world.heard(ADA), ["due Tue 08:00"]);
        assert_eq!(world.until_next().await, None);
    }

    async fn a_follow_up_comes_before_quiet_hours_in_which_the_window_closes(world: World) {
        quiet(&world, "20:00", "12:00").await;
        world.rule(LATER).await;
        world.hears(ADA, "hello").await;
        let trace = "later comes at Mon 19:59 already: the window closes in the quiet hours that follow";
        assert_eq!(world.traced().await, [trace]);
        assert_eq!(world.to_next().await, Span::minutes(8 * 60 + 59));
        assert_eq!(world.heard(ADA), ["due Mon 19:59"]);
    }

    async fn a_follow_up_that_cannot_come_before_comes_after_as_its_template(world: World) {
        world.configure(json!({ "quiet_hours": { "from": "20:00", "to": "08:00", "days": ["tue"] } })).await;
        world.rule(LATER).await;
        world.wait(Span::hours(10)).await;
        // It is Monday, 21:00: quiet already, and still when the window closes.
        world.hears(ADA, "hello").await;
        assert_eq!(world.traced().await, ["later waits until Wed 08:00: quiet hours"]);
        assert_eq!(world.to_next().await, Span::hours(35));
        assert_eq!(world.heard(ADA), ["template:later()"]);
    }

    async fn quiet_days_and_nights_keep_a_weekend_free(world: World) {
        world.configure(json!({ "quiet_hours": { "from": "20:00", "to": "08:00", "days": ["sat", "sun"] } })).await;
        world.rule(r#"
            fn on_message(chat, message) { chat.if_silent("4h", "nudge"); }
            fn nudge(chat) { chat.reply("Still there?", template("nudge", [])); }
        "#).await;
        // Friday, 17:55 in Berlin.
        world.wait(Span::days(4) + Span::minutes(6 * 60 + 55)).await;
        world.hears(ADA, "hello").await;
        // The window closes on Saturday: it is said on Friday, in time.
        assert_eq!(world.to_next().await, Span::minutes(2 * 60 + 4));
        assert_eq!(world.heard(ADA), ["Still there?"]);
        // A message on Saturday cannot be followed up before Monday.
        world.wait(Span::hours(16)).await;
        world.hears(ADA, "yes").await;
        assert!(world.traced().await.contains(&"nudge waits until Mon 08:00: quiet hours".to_owned()));
        world.wait(Span::hours(40)).await;
        assert_eq!(world.heard(ADA).len(), 1);
        world.wait(Span::hours(5)).await;
        assert_eq!(world.heard(ADA)[1..], ["template:nudge()"]);
    }

    async fn quiet_hours_that_are_set_later_hold_back_what_falls_due_in_them(world: World) {
        world.rule(LATER).await;
        world.hears(ADA, "hello").await;
        quiet(&world, "20:00", "08:00").await;
        assert_eq!(world.until_next().await, Some(Span::hours(21)));
        world.wait(Span::hours(10)).await;
        assert_eq!(world.heard(ADA), [""; 0]);
        let mut world = world;
        world.restart().await;
        world.wait(Span::hours(10)).await;
        assert_eq!(world.heard(ADA), [""; 0]);
        world.wait(Span::hours(1)).await;
        assert_eq!(world.heard(ADA), ["due Tue 08:00"]);
    }

    async fn a_hold_that_ends_at_night_releases_follow_ups_in_the_morning(world: World) {
        quiet(&world, "20:00", "08:00").await;
        world.rule(r#"
            fn on_message(chat, message) { chat.after("1h", "later"); chat.hold("11h"); }
            fn later(chat) { chat.reply("later"); }
        "#).await;
        world.hears(ADA, "hello").await;
        world.wait(Span::hours(12)).await;
        assert_eq!(world.heard(ADA), [""; 0]);
        assert_eq!(world.until_next().await, Some(Span::hours(9)));
        world.wait(Span::hours(9)).await;
        assert_eq!(world.heard(ADA), ["later"]);
    }

    async fn answers_and_schedules_take_no_notice(world: World) {
        quiet(&world, "09:00", "20:00").await;
        world.rule(r#"
            every("0 12 * * *", "noon");
            fn noon(location) { log("noon"); }
            fn on_message(chat, message) { chat.reply("at once"); }
        "#).await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), ["at once"]);
        assert_eq!(world.to_next().await, Span::hours(1));
        assert_eq!(world.traced().await, ["noon"]);
    }
}
