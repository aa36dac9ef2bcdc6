//! What becomes of messages in doubt where the provider keeps a list: it is asked, and believed as far as it tells.

use rejoinder_adapters::simulator::{Fault, Operation};
use rejoinder_engine::domain::delivery::Flag;
use rejoinder_engine::domain::time::Span;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::database::on_both;
use crate::twilio::{ACCOUNT, TOKEN, says, sender};
use crate::world::{ADA, World};

const HELLO: &str = r#"fn on_message(chat, message) { chat.reply("hello"); }"#;
const TWICE: &str = r#"fn on_message(chat, message) { chat.reply("same"); chat.reply("same"); }"#;
const SID: &str = "SM000000000000000000000000000000a1";

/// From now on nobody can ask for the list.
fn break_the_list(world: &World) {
    let lists =
        |request: &rejoinder_adapters::simulator::Request<'_>| request.operation == Operation::List;
    world.simulator.fault_when(lists, Fault::EmptyServerError);
}

/// Lets happen what falls due, until a delivery has left its state; gives how long that took.
async fn until_changed(world: &World, nth: usize) -> Span {
    let before = world.states().await[nth];
    let began_at = world.engine.now();
    while world.states().await[nth] == before {
        world.to_next().await;
        assert!(world.engine.now().since(began_at) < Span::minutes(30));
    }
    world.engine.now().since(began_at)
}

/// Somebody sends a message by the same sender, past the engine.
async fn send_past(world: &World, text: &str) {
    let url = format!(
        "{}/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
        world.simulator.base_url()
    );
    let form = [
        ("To", format!("whatsapp:+{}", ADA.phone)),
        ("From", "whatsapp:+4930901820".to_owned()),
        ("Body", text.to_owned()),
    ];
    #[expect(clippy::disallowed_methods, reason = "somebody else's client")]
    let client = reqwest::Client::new();
    let request = client.post(url).basic_auth(ACCOUNT, Some(TOKEN));
    let answer = request.form(&form).send().await.expect("an answer");
    assert!(answer.status().is_success());
}

on_both! {
    async fn what_was_taken_is_found_without_any_status(world: World) {
        world.rule(HELLO).await;
        let sender = sender(&world).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        says(&world, &sender, SID, "hi").await;
        assert_eq!(world.states().await, ["in_doubt"]);
        assert_eq!(until_changed(&world, 0).await, Span::seconds(20));
        let found = world.deliveries().await.remove(0).delivery;
        assert_eq!(found.state.name(), "accepted");
        assert_eq!(found.provider_id, Some(world.received(ADA)[0].provider_id.clone()));
        assert_eq!((found.flags.has(Flag::Resent), found.attempts), (false, 1));
        world.wait(Span::hours(1)).await;
        assert_eq!(world.heard(ADA), ["hello"]);
    }

    async fn what_was_not_taken_is_sent_again_once_and_not_as_possibly_doubled(world: World) {
        world.rule(HELLO).await;
        let sender = sender(&world).await;
        world.simulator.fault_next(1, Fault::DropUnprocessed);
        says(&world, &sender, SID, "hi").await;
        let asked_for = until_changed(&world, 0).await;
        assert!(asked_for >= Span::seconds(120) && asked_for < Span::seconds(150), "{asked_for:?}");
        assert_eq!((world.states().await, world.heard(ADA).len()), (vec!["ready"], 0));
        until_changed(&world, 0).await;
        let sent = world.deliveries().await.remove(0).delivery;
        assert_eq!((sent.state.name(), sent.flags.has(Flag::Resent), sent.attempts), ("accepted", false, 2));
        world.wait(Span::hours(1)).await;
        assert_eq!(world.heard(ADA), ["hello"]);
    }

    async fn two_equal_texts_in_a_row_are_told_apart(world: World) {
        world.rule(TWICE).await;
        let sender = sender(&world).await;
        world.simulator.fault_next(2, Fault::AcceptThenDrop);
        says(&world, &sender, SID, "hi").await;
        until_changed(&world, 0).await;
        assert_eq!(world.states().await, ["accepted", "in_doubt"]);
        until_changed(&world, 1).await;
        let ids: Vec<_> = world.deliveries().await.into_iter().map(|row| row.delivery.provider_id).collect();
        let taken: Vec<_> = world.received(ADA).into_iter().map(|message| Some(message.provider_id)).collect();
        assert_eq!(ids, taken, "each is found as itself");
    }

    async fn the_first_of_two_equal_texts_is_no_evidence_of_the_second(world: World) {
        world.rule(TWICE).await;
        let sender = sender(&world).await;
        let second = std::sync::atomic::AtomicUsize::new(0);
        let is_second = move |request: &rejoinder_adapters::simulator::Request<'_>| {
            request.operation == Operation::Send && second.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1
        };
        world.simulator.fault_when(is_second, Fault::DropUnprocessed);
        says(&world, &sender, SID, "hi").await;
        assert_eq!(world.states().await, ["accepted", "in_doubt"]);
        until_changed(&world, 1).await;
        until_changed(&world, 1).await;
        assert_eq!(world.states().await, ["accepted", "accepted"]);
        assert_eq!(world.heard(ADA), ["same", "same"]);
        assert!(!world.deliveries().await[1].delivery.flags.has(Flag::Resent));
    }

    async fn a_list_that_cannot_be_had_leaves_the_doubt_to_the_policy_in_time(world: World) {
        world.configure(json!({ "in_doubt_replies": "resend" })).await;
        world.rule(HELLO).await;
        let sender = sender(&world).await;
        break_the_list(&world);
        world.simulator.fault_next(1, Fault::DropUnprocessed);
        says(&world, &sender, SID, "hi").await;
        assert_eq!(until_changed(&world, 0).await, Span::seconds(150));
        let sent = world.deliveries().await.remove(0).delivery;
        assert_eq!((sent.state.name(), sent.flags.has(Flag::Resent)), ("accepted", true), "it may have been doubled");
    }

    async fn several_that_it_could_be_leave_the_doubt_to_the_policy(world: World) {
        world.configure(json!({ "in_doubt_replies": "hold" })).await;
        world.rule(HELLO).await;
        let sender = sender(&world).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        says(&world, &sender, SID, "hi").await;
        send_past(&world, "hello").await;
        send_past(&world, "something else").await;
        world.rule(r#"fn on_message(chat, message) { chat.reply("and on"); }"#).await;
        says(&world, &sender, "SM000000000000000000000000000000a2", "still there?").await;
        assert_eq!(until_changed(&world, 1).await, Span::seconds(150), "the lane waits no longer");
        assert_eq!(world.states().await[0], "in_doubt");
    }

    async fn what_others_say_by_the_same_sender_is_no_evidence(world: World) {
        world.rule(HELLO).await;
        let sender = sender(&world).await;
        world.simulator.fault_next(1, Fault::DropUnprocessed);
        says(&world, &sender, SID, "hi").await;
        send_past(&world, "I will call you.").await;
        until_changed(&world, 0).await;
        until_changed(&world, 0).await;
        assert_eq!(world.heard(ADA), ["I will call you.", "hello"]);
    }

    async fn a_template_whose_words_only_the_provider_knows_stays_in_doubt_unless_nothing_was_taken(world: World) {
        // Templates are held when they are in doubt; this one does not exist at the simulator by name.
        world.rule(r#"fn on_message(chat, message) { chat.send(template("visit", [])); }"#).await;
        let sender = sender(&world).await;
        let content = json!({
            "friendly_name": "visit", "language": "en", "types": { "twilio/text": { "body": "We visit you." } },
        });
        #[expect(clippy::disallowed_methods, reason = "somebody else's client")]
        let client = reqwest::Client::new();
        let url = format!("{}/v1/Content", world.simulator.base_url());
        let created = client.post(url).basic_auth(ACCOUNT, Some(TOKEN)).json(&content).send().await;
        assert!(created.expect("an answer").status().is_success());
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        says(&world, &sender, SID, "hi").await;
        assert_eq!(world.states().await, ["in_doubt"]);
        world.wait(Span::seconds(20)).await;
        world.wait(Span::seconds(131)).await;
        assert_eq!(world.states().await, ["in_doubt"]);
        world.simulator.fault_next(1, Fault::DropUnprocessed);
        says(&world, &sender, "SM000000000000000000000000000000a2", "hi").await;
        assert_eq!(world.states().await, ["in_doubt", "in_doubt"]);
        until_changed(&world, 1).await;
        until_changed(&world, 1).await;
        assert_eq!(world.states().await, ["in_doubt", "accepted"]);
        assert_eq!(world.received(ADA).len(), 2);
    }

    async fn buttons_are_found_by_their_text(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply(buttons("A viewing?", ["Yes", "No"])); }"#).await;
        let sender = sender(&world).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        says(&world, &sender, SID, "hi").await;
        assert_eq!(until_changed(&world, 0).await, Span::seconds(20));
        assert_eq!(world.states().await, ["accepted"]);
    }

    async fn a_message_that_failed_after_all_is_found_as_failed(world: World) {
        world.rule(HELLO).await;
        let sender = sender(&world).await;
        world.simulator.configure(|settings| settings.window = rejoinder_adapters::simulator::WindowRule::FailLater);
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        let arrived = crate::twilio::written(&world, &sender, SID, "hi");
        world.simulator.advance(Span::hours(25));
        world.engine.accept("twilio", &arrived).await.expect("accepted");
        world.settle().await;
        world.simulator.settled().await;
        assert_eq!(world.states().await, ["in_doubt"]);
        until_changed(&world, 0).await;
        let row = world.deliveries().await.remove(0);
        assert_eq!((row.delivery.state.name(), row.failure.expect("a failure").provider_code), ("failed", 63016));
    }

    async fn a_restart_goes_on_asking_also_about_what_was_being_sent(world: World) {
        let mut world = world;
        world.rule(HELLO).await;
        let sender = sender(&world).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        says(&world, &sender, SID, "hi").await;
        let forget = "UPDATE rejoinder_delivery SET state = 'sending', attempted_at = NULL, failure = NULL";
        world.engine.store().connection().execute_unprepared(forget).await.expect("it runs");
        world.clock.advance(Span::minutes(30));
        world.restart().await;
        world.settle().await;
        let found = world.deliveries().await.remove(0).delivery;
        assert_eq!(found.state.name(), "accepted");
        assert_eq!(found.provider_id, Some(world.received(ADA)[0].provider_id.clone()));
    }

    async fn evidence_that_comes_first_ends_the_asking(world: World) {
        world.rule(HELLO).await;
        let sender = sender(&world).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        says(&world, &sender, SID, "hi").await;
        let sent = world.received(ADA).remove(0);
        let callback = sent.callback.clone().expect("an address");
        let update = rejoinder_adapters::simulator::twilio::StatusUpdate {
            sid: &sent.provider_id, status: "sent", to: ADA.phone, error_code: None,
        };
        let params = rejoinder_adapters::simulator::twilio::status(sender.number.registration(), &update);
        let status = crate::twilio::webhook(&callback, &params);
        world.engine.accept("twilio", &status).await.expect("accepted");
        world.settle().await;
        assert_eq!(world.states().await, ["sent"]);
        let requests = world.simulator.counters().requests;
        world.wait(Span::seconds(60)).await;
        assert_eq!(world.simulator.counters().requests, requests, "nobody asks any more");
    }
}
