//! What failed for good can be sent anew by a person: one, or all that are meant, and never twice.

use rejoinder_adapters::simulator::Fault;
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::store::FailedFilter;

use crate::database::on_both;
use crate::world::{ADA, BEN, World};

const HELLO: &str = r#"fn on_message(chat, message) { chat.reply("hello"); }"#;

on_both! {
    async fn a_message_that_failed_is_sent_anew_once(world: World) {
        world.rule(HELLO).await;
        // The parameter is not valid: it will not be tried again.
        world.simulator.fault_next(1, Fault::Refuse(131_009));
        world.hears(ADA, "hi").await;
        assert_eq!(world.states().await, ["failed"]);
        let failed = world.deliveries().await[0].delivery.id;
        let engine = &world.engine;
        let new = engine.replay_delivery(world.location_id, failed).await.expect("it failed");
        world.settle().await;
        assert_eq!(world.heard(ADA), ["hello"]);
        assert_eq!(world.states().await, ["failed", "accepted"]);
        let row = &world.deliveries().await[1].delivery;
        assert_eq!((row.id, row.fallback_of), (new, Some(failed)));
        engine.replay_delivery(world.location_id, failed).await.expect_err("it was replaced");
        engine.replay_delivery(world.location_id, new).await.expect_err("it did not fail");
        world.settle().await;
        assert_eq!(world.heard(ADA), ["hello"]);
    }

    async fn all_that_failed_for_a_reason_are_shown_and_sent_anew(world: World) {
        world.rule(HELLO).await;
        world.simulator.fault_next(2, Fault::Refuse(131_009));
        world.hears(ADA, "hi").await;
        world.hears(BEN, "hi").await;
        // And one that cannot be reached.
        world.simulator.fault_next(1, Fault::Refuse(131_026));
        world.hears(BEN, "hi again").await;
        let store = world.engine.store().of(world.location_id);
        let all = store.failed(&FailedFilter::default(), 10).await.expect("a list");
        assert_eq!(all.len(), 3);
        let invalid = FailedFilter {
            reason: Some("invalid".into()),
            ..FailedFilter::default()
        };
        assert_eq!(store.failed(&invalid, 10).await.expect("a list").len(), 2);
        let engine = &world.engine;
        let new = engine.replay_failed(world.location_id, &invalid, 10).await.expect("sent");
        assert_eq!(new.len(), 2);
        let new = engine.replay_failed(world.location_id, &invalid, 10).await.expect("sent");
        assert_eq!(new.len(), 0, "once");
        world.wait(Span::seconds(1)).await;
        assert_eq!((world.heard(ADA).len(), world.heard(BEN).len()), (1, 1));
        assert_eq!(store.failed(&FailedFilter::default(), 10).await.expect("a list").len(), 1);
    }
}
