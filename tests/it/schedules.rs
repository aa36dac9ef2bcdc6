//! Cron lines over downtime: what was missed comes as the rule says, and each occurrence once.

use rejoinder_engine::domain::event::Payload;
use rejoinder_engine::domain::time::Span;
use sea_orm::{ConnectionTrait as _, Database};

use crate::database::on_both;
use crate::world::World;

/// When the occurrences that came were due, in hours and minutes after the test began.
async fn ticks(world: &World, began: rejoinder_engine::domain::time::Timestamp) -> Vec<String> {
    let mut due = Vec::new();
    for row in world.events().await {
        if let Payload::Tick { due_at, .. } = row.event.payload {
            due.push(due_at.since(began).to_string());
        }
    }
    due
}

fn hourly(options: &str) -> String {
    format!(r#"every("0 * * * *", "hour"{options}); fn hour(location) {{ log("hour"); }}"#)
}

on_both! {
    async fn after_downtime_the_latest_comes_once(world: World) {
        world.rule(&hourly("")).await;
        let (began, mut world) = (world.engine.now(), world);
        world.clock.advance(Span::minutes(3 * 60 + 15));
        world.restart().await;
        world.settle().await;
        assert_eq!(ticks(&world, began).await, ["3h"], "the first that was missed is old, this one is not");
        world.restart().await;
        world.settle().await;
        assert_eq!(ticks(&world, began).await, ["3h"]);
        world.clock.advance(Span::hours(1) + Span::seconds(1));
        world.restart().await;
        world.settle().await;
        assert_eq!(ticks(&world, began).await, ["3h"], "more than a quarter of an hour late");
        world.wait(Span::minutes(45)).await;
        assert_eq!(ticks(&world, began).await, ["3h", "5h"]);
    }

    async fn a_rule_may_give_it_longer(world: World) {
        world.rule(&hourly(r#", #{ misfire: "once", within: "45m" }"#)).await;
        let began = world.engine.now();
        world.wait(Span::minutes(2 * 60 + 45)).await;
        assert_eq!(ticks(&world, began).await, ["2h"]);
    }

    async fn a_rule_may_skip_what_is_late(world: World) {
        world.rule(&hourly(r#", #{ misfire: "skip" }"#)).await;
        let began = world.engine.now();
        world.wait(Span::minutes(121) + Span::seconds(1)).await;
        assert_eq!(ticks(&world, began).await, [""; 0]);
        world.wait(Span::minutes(59)).await;
        assert_eq!(ticks(&world, began).await, ["3h"]);
    }

    async fn a_rule_may_want_all_of_them_in_order_and_once(world: World) {
        world.rule(r#"
            every("*/5 * * * *", "often", #{ misfire: "all" });
            fn often(location) { log("often"); }
        "#).await;
        let (began, mut world) = (world.engine.now(), world);
        world.clock.advance(Span::hours(20));
        world.restart().await;
        world.settle().await;
        let all: Vec<String> = (1..=240).map(|nth| Span::minutes(5 * nth).to_string()).collect();
        assert_eq!(ticks(&world, began).await, all);
        assert_eq!(world.traced().await.len(), 240);
        // As if the moment had been read before it moved on: the events are there already.
        let connection = Database::connect(&world.database.url).await.expect("a connection");
        let back = format!("UPDATE rejoinder_schedule SET next_at = {}", (began + Span::minutes(5)).ms());
        connection.execute_unprepared(&back).await.expect("a statement");
        world.restart().await;
        world.settle().await;
        assert_eq!(ticks(&world, began).await, all);
        world.wait(Span::minutes(5)).await;
        assert_eq!(ticks(&world, began).await.len(), 241);
    }

    async fn a_new_version_changes_the_policy_and_not_the_moment(world: World) {
        let rule = world.rule(&hourly(r#", #{ misfire: "skip" }"#)).await;
        let began = world.engine.now();
        world.clock.advance(Span::minutes(70));
        let (engine, location_id) = (&world.engine, world.location_id);
        engine.save_draft(location_id, rule, hourly(""), None).await.expect("saved");
        engine.publish_rule(location_id, rule).await.expect("published");
        world.settle().await;
        assert_eq!(ticks(&world, began).await, ["1h"]);
    }
}
