//! How fast messages leave and in which order, when a number is slow, a credential is refused, or a campaign
//! runs: replies are not held up by what nobody waits for, and nothing is given up for another's fault.

use rejoinder_adapters::simulator::Fault;
use rejoinder_engine::ChannelChange;
use rejoinder_engine::adapter::Credentials;
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::delivery::{Flag, Flags};
use rejoinder_engine::domain::time::Span;

use crate::database::on_both;
use crate::world::{ADA, BEN, Customer, World};

const HELLO: &str = r#"fn on_message(chat, message) { chat.reply("hello"); }"#;

/// Answers by itself, and reminds of a template after a while.
const REMINDS: &str = r#"
fn on_message(chat, message) { chat.after("1h", "remind"); }
fn remind(chat) { chat.send(template("news", [])); }
"#;

async fn credentials(world: &World, token: &str) {
    let credentials: Credentials = [("access_token", Secret::new(token))].into_iter().collect();
    let change = ChannelChange {
        credentials,
        ..ChannelChange::default()
    };
    let engine = &world.engine;
    let changed = engine.change_channel(world.location_id, world.channel_id, change);
    changed.await.expect("changed");
}

async fn rate(world: &World, messages_per_second: u32) {
    let channels = world.engine.store().of(world.location_id).channels().await;
    let mut settings = channels.expect("channels")[0].settings.clone();
    settings.messages_per_second = messages_per_second;
    let change = ChannelChange {
        settings: Some(settings),
        ..ChannelChange::default()
    };
    let engine = &world.engine;
    let changed = engine.change_channel(world.location_id, world.channel_id, change);
    changed.await.expect("changed");
}

on_both! {
    async fn a_refused_credential_holds_its_messages_until_there_is_another(world: World) {
        world.rule(HELLO).await;
        world.simulator.revoke_meta(world.number.access_token.as_deref().expect("a token"));
        world.hears(ADA, "hi").await;
        world.hears(BEN, "hi").await;
        let requests = world.simulator.counters().refused;
        assert_eq!(world.states().await, ["ready", "ready"]);
        let pause = world.engine.channel_pause(world.channel_id).expect("it pauses");
        assert!(pause.why.starts_with("credential"), "{}", pause.why);
        for _ in 0..6 {
            world.wait(Span::minutes(30)).await;
        }
        let probes = world.simulator.counters().refused - requests;
        assert!((3..=8).contains(&probes), "one message tries now and then: {probes}");
        assert_eq!(world.states().await, ["ready", "ready"]);
        world.simulator.grant_meta(&world.number.phone_number_id, "another");
        credentials(&world, "another").await;
        world.settle().await;
        assert_eq!(world.states().await, ["accepted", "accepted"]);
        assert_eq!(world.engine.channel_pause(world.channel_id), None);
    }

    async fn a_template_that_fails_for_long_is_overtaken(world: World) {
        world.rule(REMINDS).await;
        world.rule(HELLO).await;
        world.hears(ADA, "hi").await;
        let fails = world.simulator.fault_when(
            |request| request.text != "hello",
            Fault::Refuse(131_057),
        );
        world.wait(Span::hours(1)).await;
        for _ in 0..40 {
            world.wait(Span::seconds(20)).await;
        }
        world.hears(ADA, "are you there?").await;
        assert_eq!(world.heard(ADA), ["hello", "hello"], "the reply went before it");
        let template = &world.deliveries().await[1].delivery;
        assert_eq!(template.flags, Flags::NONE.with(Flag::Background).with(Flag::Overtaken));
        world.simulator.clear_fault(fails);
        world.wait(Span::minutes(20)).await;
        assert_eq!(world.states().await, ["accepted", "accepted", "accepted"]);
        assert_eq!(world.heard(ADA).len(), 3);
    }

    async fn a_reply_goes_before_the_follow_ups_of_others(world: World) {
        world.rule(REMINDS).await;
        for nth in 0..40 {
            let phone: &'static str = format!("49151000000{nth:02}").leak();
            world.says(Customer { name: "Cleo", phone }, "hi").await;
        }
        world.settle().await;
        world.rule(HELLO).await;
        rate(&world, 4).await;
        world.wait(Span::hours(1)).await;
        let before = world.simulator.received().len();
        assert!(before < 10, "the follow-ups wait for the number: {before}");
        world.hears(BEN, "hi").await;
        assert_eq!(world.heard(BEN), ["hello"], "at once");
        for _ in 0..200 {
            world.wait(Span::from_ms(100)).await;
        }
        let received = world.simulator.received();
        assert_eq!(received.len(), 41, "and all leave in the end");
    }

    async fn a_number_that_was_used_up_is_so_after_a_restart(world: World) {
        world.rule(HELLO).await;
        rate(&world, 1).await;
        world.hears(ADA, "hi").await;
        assert_eq!(world.heard(ADA), ["hello"]);
        let _ = world.simulator.fault_next(1, Fault::TooManyRequests { retry_after: Span::minutes(3) });
        world.wait(Span::seconds(5)).await;
        world.hears(ADA, "hi").await;
        // What is used is kept now and then.
        world.wait(Span::seconds(31)).await;
        let mut world = world;
        world.restart().await;
        world.hears(BEN, "hi").await;
        assert_eq!(world.heard(BEN), [""; 0], "the provider asked for a rest");
        world.wait(Span::minutes(3)).await;
        world.wait(Span::seconds(2)).await;
        assert_eq!((world.heard(ADA).len(), world.heard(BEN).len()), (2, 1));
    }
}
