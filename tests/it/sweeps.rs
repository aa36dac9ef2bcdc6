//! What customers write while no webhook comes through: it is found in the provider's list, and answered once.

use rejoinder_adapters::simulator::twilio::Registration;
use rejoinder_adapters::simulator::{Fault, Operation, Request};
use rejoinder_engine::domain::event::Payload;
use rejoinder_engine::domain::finding::FindingState;
use rejoinder_engine::domain::message::{Body, Message};
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::store::EventRow;
use rejoinder_engine::{AcceptError, ChannelChange};
use sea_orm::ConnectionTrait;

use crate::database::on_both;
use crate::rounds::crowd;
use crate::twilio::{Sender, says, sender, written};
use crate::world::{ADA, Customer, World};

const ANSWER: &str = r#"fn on_message(chat, message) { chat.reply(`You said ${message.text}`); }"#;

/// A customer writes, and the webhook is lost.
fn writes_unheard(sender: &Sender, customer: Customer, text: &str) -> String {
    sender
        .number
        .customer_says_unheard(customer.name, customer.phone, text)
}

/// Time passes and what falls due happens, moment by moment.
async fn pass(world: &World, span: Span) {
    let end = world.engine.now() + span;
    world.settle().await;
    loop {
        let next = world.engine.next_due().await.expect("the database works");
        match next.filter(|next| *next <= end) {
            Some(next) => world.wait(next.since(world.engine.now())).await,
            None => return world.wait(end.since(world.engine.now())).await,
        }
    }
}

/// What a customer wrote, if the event is that.
fn message(row: EventRow) -> Option<Message> {
    match row.event.payload {
        Payload::Message { message } => Some(message),
        _ => None,
    }
}

/// The texts of the customers' messages that rules were asked about.
async fn told(world: &World) -> Vec<String> {
    let events = world.events().await.into_iter();
    events
        .filter_map(message)
        .map(|message| message.body.text().to_owned())
        .collect()
}

/// The texts of a conversation, ours and theirs.
async fn lines(world: &World) -> Vec<String> {
    let store = world.engine.store().of(world.location_id);
    let conversation = store
        .conversations(None, 10)
        .await
        .expect("conversations")
        .remove(0);
    let history = world
        .engine
        .history(world.location_id, conversation.id, 50)
        .await;
    let history = history.expect("lines").into_iter();
    history.map(|line| line.text).collect()
}

async fn enable(world: &World, sender: &Sender, enabled: bool) {
    let change = ChannelChange {
        enabled: Some(enabled),
        ..ChannelChange::default()
    };
    let engine = &world.engine;
    let changed = engine.change_channel(world.location_id, sender.channel_id, change);
    changed.await.expect("changed");
}

on_both! {
    async fn a_message_whose_webhook_was_lost_is_answered_once(world: World) {
        world.rule(ANSWER).await;
        let sender = sender(&world).await;
        world.settle().await;
        let sid = writes_unheard(&sender, ADA, "hello");
        let written_at = world.engine.now();
        assert_eq!(world.to_next().await, Span::seconds(75), "its webhook may be late");
        assert_eq!(world.heard(ADA), ["You said hello"]);
        let event = world.events().await.remove(0).event;
        assert_eq!(event.at, written_at, "it is dated by the provider");
        pass(&world, Span::hours(1)).await;
        says(&world, &sender, &sid, "hello").await;
        pass(&world, Span::hours(1)).await;
        assert_eq!(world.heard(ADA), ["You said hello"]);
        assert_eq!(told(&world).await, ["hello"]);
    }

    async fn what_was_found_is_not_taken_for_a_webhook(world: World) {
        let sender = sender(&world).await;
        world.settle().await;
        let sid = writes_unheard(&sender, ADA, "heard");
        says(&world, &sender, &sid, "heard").await;
        let look = async |check: &str, state: FindingState| {
            let examined = world.engine.examine(world.location_id, Some(sender.channel_id)).await;
            let examined = examined.expect("it can be looked at").remove(0);
            let mut findings = examined.findings.into_iter();
            let found = findings.find(|finding| finding.check == check).expect("it looks");
            assert_eq!(found.state, state, "{found:?}");
        };
        look("last_webhook", FindingState::Good).await;
        look("signature", FindingState::Good).await;
        writes_unheard(&sender, ADA, "unheard");
        pass(&world, Span::minutes(7)).await;
        assert_eq!(told(&world).await.len(), 2, "it was found");
        look("last_webhook", FindingState::Warning).await;
        look("signature", FindingState::Unknown).await;
        let sid = writes_unheard(&sender, ADA, "again");
        says(&world, &sender, &sid, "again").await;
        look("last_webhook", FindingState::Good).await;
        look("signature", FindingState::Good).await;
    }

    async fn what_webhooks_told_is_not_told_again(world: World) {
        world.rule(ANSWER).await;
        let sender = sender(&world).await;
        for nth in 0..3 {
            let sid = writes_unheard(&sender, ADA, &format!("heard {nth}"));
            says(&world, &sender, &sid, &format!("heard {nth}")).await;
            writes_unheard(&sender, ADA, &format!("unheard {nth}"));
            pass(&world, Span::minutes(7)).await;
        }
        pass(&world, Span::hours(1)).await;
        let mut told = told(&world).await;
        told.sort();
        assert_eq!(told, ["heard 0", "heard 1", "heard 2", "unheard 0", "unheard 1", "unheard 2"]);
        assert_eq!(world.heard(ADA).len(), 6);
    }

    async fn a_channel_is_swept_every_five_minutes(world: World) {
        let _ = sender(&world).await;
        pass(&world, Span::minutes(2)).await;
        let requests = world.simulator.counters().requests;
        pass(&world, Span::minutes(60)).await;
        assert_eq!(world.simulator.counters().requests, requests + 12);
    }

    async fn a_restart_goes_on_from_where_the_last_sweep_ended(world: World) {
        let mut world = world;
        world.rule(ANSWER).await;
        let sender = sender(&world).await;
        pass(&world, Span::minutes(30)).await;
        for hour in 1..4 {
            world.clock.advance(Span::hours(1));
            writes_unheard(&sender, ADA, &format!("hour {hour}"));
        }
        world.clock.advance(Span::minutes(2));
        writes_unheard(&sender, ADA, "too young");
        world.restart().await;
        world.settle().await;
        let expected = ["You said hour 1", "You said hour 2", "You said hour 3"];
        assert_eq!(world.heard(ADA), expected, "at once, and in order");
        world.restart().await;
        world.settle().await;
        assert_eq!(world.heard(ADA).len(), 3);
        pass(&world, Span::seconds(75)).await;
        assert_eq!(world.heard(ADA).last().map(String::as_str), Some("You said too young"));
        assert_eq!(told(&world).await.len(), 4);
    }

    async fn what_is_long_late_is_stored_and_not_answered(world: World) {
        let mut world = world;
        world.rule(ANSWER).await;
        let sender = sender(&world).await;
        pass(&world, Span::minutes(30)).await;
        world.clock.advance(Span::hours(1));
        writes_unheard(&sender, ADA, "on friday");
        world.clock.advance(Span::hours(60));
        writes_unheard(&sender, ADA, "on monday");
        world.clock.advance(Span::minutes(2));
        world.restart().await;
        world.settle().await;
        assert_eq!(world.heard(ADA), ["You said on monday"]);
        assert_eq!(lines(&world).await, ["on friday", "on monday", "You said on monday"]);
        pass(&world, Span::hours(1)).await;
        assert_eq!(lines(&world).await.len(), 3);
    }

    async fn what_was_written_before_the_channel_was_connected_is_nobodys(world: World) {
        world.rule(ANSWER).await;
        let number = world.simulator.twilio_number(Registration {
            webhook_url: crate::twilio::URL.into(),
            reach: None,
            account_sid: crate::twilio::ACCOUNT.into(),
            auth_token: crate::twilio::TOKEN.into(),
            number: "4930901820".into(),
        });
        number.customer_says_unheard(ADA.name, ADA.phone, "old");
        world.clock.advance(Span::hours(1));
        let sender = sender(&world).await;
        writes_unheard(&sender, ADA, "new");
        pass(&world, Span::hours(1)).await;
        assert_eq!(told(&world).await, ["new"]);
    }

    async fn a_webhook_that_was_not_stored_is_swept_for_soon(world: World) {
        world.rule(ANSWER).await;
        let sender = sender(&world).await;
        pass(&world, Span::minutes(10)).await;
        // Just after a sweep, so that the next one would be minutes away.
        world.to_next().await;
        let sid = writes_unheard(&sender, ADA, "hello");
        let webhook = written(&world, &sender, &sid, "hello");
        let connection = world.engine.store().connection();
        let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
        connection.execute_unprepared(&rename("rejoinder_unrouted", "away_unrouted")).await.expect("away");
        connection.execute_unprepared(&rename("rejoinder_event", "away")).await.expect("away");
        let refused = world.engine.accept("twilio", &webhook).await.expect_err("it cannot be stored");
        assert!(matches!(refused, AcceptError::NotStored(_)), "{refused:?}");
        connection.execute_unprepared(&rename("away", "rejoinder_event")).await.expect("back");
        connection.execute_unprepared(&rename("away_unrouted", "rejoinder_unrouted")).await.expect("back");
        assert_eq!(world.to_next().await, Span::seconds(75));
        assert_eq!(world.heard(ADA), ["You said hello"]);
    }

    async fn a_host_that_turned_a_webhook_away_has_it_swept_for_soon(world: World) {
        let _ = sender(&world).await;
        pass(&world, Span::minutes(10)).await;
        world.to_next().await;
        world.engine.turned_away("meta");
        assert_eq!(world.until_next().await, Some(Span::minutes(5)));
        world.engine.turned_away("twilio");
        assert_eq!(world.until_next().await, Some(Span::seconds(75)));
    }

    async fn a_list_that_cannot_be_had_is_asked_for_again(world: World) {
        world.rule(ANSWER).await;
        let sender = sender(&world).await;
        world.settle().await;
        writes_unheard(&sender, ADA, "hello");
        let lists = |request: &Request<'_>| request.operation == Operation::List;
        world.simulator.fault_when(lists, Fault::TooManyRequests { retry_after: Span::seconds(1) });
        pass(&world, Span::minutes(20)).await;
        assert_eq!(told(&world).await.len(), 0);
        world.simulator.clear_faults();
        assert!(world.until_next().await <= Some(Span::minutes(1)));
        pass(&world, Span::minutes(1)).await;
        assert_eq!(world.heard(ADA), ["You said hello"]);
    }

    async fn a_disabled_channel_is_not_swept_until_it_takes_part_again(world: World) {
        world.rule(ANSWER).await;
        let sender = sender(&world).await;
        pass(&world, Span::minutes(10)).await;
        enable(&world, &sender, false).await;
        writes_unheard(&sender, ADA, "hello");
        pass(&world, Span::minutes(30)).await;
        assert_eq!((told(&world).await.len(), world.until_next().await), (0, None));
        enable(&world, &sender, true).await;
        world.settle().await;
        assert_eq!(world.heard(ADA), ["You said hello"]);
    }

    async fn an_engine_that_runs_sweeps_by_itself(world: World) {
        world.rule(ANSWER).await;
        let sender = sender(&world).await;
        world.engine.start().await.expect("it starts");
        writes_unheard(&sender, ADA, "hello");
        world.clock.advance(Span::seconds(61));
        let mut answered = world.heard(ADA);
        for _ in 0..1_000 {
            if !answered.is_empty() {
                break;
            }
            // Where the engine has not yet seen the channel, it counts from when it does.
            world.clock.advance(Span::seconds(1));
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            answered = world.heard(ADA);
        }
        world.engine.stop().await;
        assert_eq!(answered, ["You said hello"]);
    }

    async fn a_file_is_found_with_its_kind_and_address(world: World) {
        let sender = sender(&world).await;
        world.settle().await;
        let url = "https://api.twilio.com/picture";
        let sid = sender.number.customer_sends_image_unheard(ADA.name, ADA.phone, url, Some("my cat"));
        pass(&world, Span::minutes(2)).await;
        let message = message(world.events().await.remove(0)).expect("a message");
        let Body::Media(media) = &message.body else { panic!("{message:?}") };
        assert_eq!((media.media.name(), media.mime.as_str(), media.caption.as_deref()), ("image", "image/jpeg", Some("my cat")));
        let file = format!("{}/2010-04-01/Accounts/{}/Messages/{sid}/Media/ME", world.simulator.base_url(), crate::twilio::ACCOUNT);
        assert!(media.reference.starts_with(&file), "{}", media.reference);
    }

    async fn more_messages_than_are_listed_at_once_are_all_found(world: World) {
        let mut world = world;
        let sender = sender(&world).await;
        pass(&world, Span::minutes(10)).await;
        // A thousand fit into one list; these are nearer together at the end, and more than may wait at once.
        let crowd = crowd(650);
        let mut expected = Vec::new();
        for nth in 0..1_300_u32 {
            world.clock.advance(Span::seconds(if nth < 100 { 30 } else { 1 }));
            let customer = crowd[nth as usize % crowd.len()];
            expected.push(writes_unheard(&sender, customer, "hello"));
        }
        world.clock.advance(Span::minutes(2));
        world.restart().await;
        pass(&world, Span::minutes(2)).await;
        let found = all_provider_ids(&world).await;
        assert_eq!(found.len(), expected.len(), "each once");
        assert!(found == expected, "in order");
    }
}

/// The provider's ids of every message that was stored, in the order in which they were.
async fn all_provider_ids(world: &World) -> Vec<String> {
    let store = world.engine.store().of(world.location_id);
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = store.events(after, 500).await.expect("events");
        let Some(last) = page.last() else {
            return ids;
        };
        after = Some(last.event.id);
        let messages = page.into_iter().filter_map(message);
        ids.extend(messages.map(|message| message.provider_id));
    }
}
