//! What is written stays true when two write at once, when the provider's word is thin, and when a row
//! does not read: nobody's word is lost, and nobody is written to who should not be.

use rejoinder_adapters::simulator::Fault;
use rejoinder_adapters::simulator::meta::{Arrival, message, text_message};
use rejoinder_engine::clock::Clock;
use rejoinder_engine::domain::contact::Contact;
use rejoinder_engine::domain::content::Content;
use rejoinder_engine::domain::conversation::{Conversation, HeldBy};
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::store::Error;
use rejoinder_engine::{LocationChange, NewLocation, PersonSend, Problem};
use sea_orm::{ConnectionTrait as _, Database, Statement};
use serde_json::json;

use crate::database::on_both;
use crate::world::{ADA, BEN, Customer, World, connect, number};

/// Ada, after she changed her number.
const ADA_ELSEWHERE: Customer = Customer {
    name: "Ada",
    phone: "5511911112222",
};

/// The conversations of the location, oldest first.
async fn conversations(world: &World) -> Vec<Conversation> {
    let store = world.engine.store().of(world.location_id);
    store.conversations(None, 10).await.expect("conversations")
}

/// Who holds the first conversation.
async fn held_by(world: &World) -> Option<HeldBy> {
    let conversation = conversations(world).await.remove(0);
    conversation.hold.map(|hold| hold.by)
}

/// Where the answers of the conversations go.
async fn addresses(world: &World) -> Vec<String> {
    let conversations = conversations(world).await;
    let values = conversations
        .iter()
        .map(|conversation| conversation.address.value().to_owned());
    values.collect()
}

/// The contacts of the location, oldest first.
async fn contacts(world: &World) -> Vec<Contact> {
    let store = world.engine.store().of(world.location_id);
    store.contacts(None, 10).await.expect("contacts")
}

/// The body of a webhook by which Ada stops, or resumes, messages.
fn preference(world: &World, value: &str) -> Vec<u8> {
    let preference = json!({
        "wa_id": ADA.phone,
        "category": "marketing_messages",
        "value": value,
        "timestamp": world.clock.now().ms() / 1000,
    });
    world.webhook(
        "user_preferences",
        json!({ "user_preferences": [preference] }),
    )
}

/// The body of a webhook by which the provider tells that a customer changed number.
fn moved(world: &World, from: Customer, to: Customer) -> Vec<u8> {
    let message = json!({
        "from": from.phone,
        "id": format!("wamid.moved.{}", to.phone),
        "timestamp": world.clock.now().ms() / 1000,
        "type": "system",
        "system": {
            "body": "The customer changed number",
            "wa_id": to.phone,
            "type": "user_changed_number",
        },
    });
    world.webhook("messages", json!({ "messages": [message] }))
}

/// Does to the database what the engine would not.
async fn sql(world: &World, text: &str) {
    let connection = Database::connect(&world.database.url)
        .await
        .expect("a connection");
    connection
        .execute_unprepared(text)
        .await
        .expect("a statement");
}

/// How many rows there are.
async fn count(world: &World, from: &str) -> i64 {
    let connection = Database::connect(&world.database.url)
        .await
        .expect("a connection");
    let statement = Statement::from_string(
        connection.get_database_backend(),
        format!("SELECT COUNT(*) AS n FROM {from}"),
    );
    let row = connection
        .query_one_raw(statement)
        .await
        .expect("a statement");
    row.expect("a row").try_get("", "n").expect("a number")
}

/// A column of ids as text, whichever the database.
fn hex_of(world: &World, column: &str) -> String {
    if world.database.url.starts_with("sqlite") {
        format!("hex({column})")
    } else {
        format!("{column}::text")
    }
}

on_both! {
    async fn an_echo_of_the_very_words_in_doubt_is_evidence(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply("hello"); }"#).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        world.hears(ADA, "hi").await;
        assert_eq!(world.states().await, ["in_doubt"]);
        world.owner_says(ADA, " hello ").await;
        assert_eq!(world.states().await, ["accepted"]);
        assert_eq!(held_by(&world).await, None);
    }

    async fn a_person_who_writes_the_name_of_a_template_in_doubt_is_a_person(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.send(template("hello", [])); }"#).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        world.hears(ADA, "hi").await;
        world.owner_says(ADA, "hello").await;
        assert_eq!(world.states().await, ["in_doubt"]);
        assert_eq!(held_by(&world).await, Some(HeldBy::Phone));
    }

    async fn a_person_who_writes_the_emoji_of_a_reaction_in_doubt_is_a_person(world: World) {
        world.rule(r#"fn on_message(chat, message) { message.react("👍"); }"#).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        world.hears(ADA, "hi").await;
        world.owner_says(ADA, "👍").await;
        assert_eq!(held_by(&world).await, Some(HeldBy::Phone));
    }

    async fn a_refusal_of_before_the_last_message_leaves_the_window_open(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply(message.text); }"#).await;
        world.hears(ADA, "one").await;
        let sent = world.received(ADA).remove(0);
        world.wait(Span::minutes(1)).await;
        world.hears(ADA, "two").await;
        world.wait(Span::minutes(1)).await;
        // Told now, by the provider's clock, of an attempt two minutes ago by ours.
        world.status(&sent, "failed", Some(131_047)).await;
        let window = conversations(&world).await.remove(0).window;
        assert!(window.until.is_some_and(|until| until > world.clock.now()), "{window:?}");
    }

    async fn a_person_who_writes_while_a_rule_runs_stays_in_charge(world: World) {
        world.rule(r#"
            even_when_held();
            fn on_message(chat, message) {
                if message.text == "hold" { chat.hold("1h"); }
                if message.text == "release" { chat.release(); }
            }
        "#).await;
        world.says(ADA, "hold").await;
        // Whichever is written first: the person's hold is what stays.
        tokio::join!(world.settle(), world.owner_says(ADA, "me"));
        assert_eq!(held_by(&world).await, Some(HeldBy::Phone));
        world.hears(ADA, "hold").await;
        assert_eq!(held_by(&world).await, Some(HeldBy::Phone), "a rule takes nothing from a person");
        world.hears(ADA, "release").await;
        assert_eq!(held_by(&world).await, None, "but may end a hold that it saw");
        world.hears(ADA, "hold").await;
        assert_eq!(held_by(&world).await, Some(HeldBy::Rule));
    }

    async fn a_rule_that_tags_undoes_no_opt_out_of_the_same_moment(world: World) {
        world.rule(r#"
            fn on_message(chat, message) {
                chat.contact.tag("lead");
                chat.contact.attributes.seen = message.text;
            }
        "#).await;
        world.says(ADA, "hello").await;
        let stop = preference(&world, "stop");
        let (_, stopped) = tokio::join!(world.settle(), world.accept(&stop));
        stopped.expect("accepted");
        let contact = contacts(&world).await.remove(0);
        assert!(contact.opted_out);
        assert_eq!(contact.tags, ["lead"]);
        assert_eq!(contact.attributes["seen"], "hello");
    }

    async fn who_opted_out_is_answered_and_gets_no_templates(world: World) {
        world.rule(r#"
            fn on_message(chat, message) {
                if message.text == "stop" { chat.contact.opt_out(); }
                chat.send(template("offer", []));
                chat.reply("I see", template("i_see", []));
                chat.after("30h", "later");
            }
            fn later(chat) { chat.reply("Still there?", template("viewing_reminder", [])); }
        "#).await;
        world.hears(ADA, "stop").await;
        assert_eq!(world.heard(ADA), ["I see"]);
        world.wait(Span::hours(30)).await;
        assert_eq!(world.heard(ADA), ["I see"]);
        let rows = world.deliveries().await;
        let failures: Vec<_> = rows.iter().map(|row| row.failure.as_ref().map(|failure| failure.kind.as_str())).collect();
        assert_eq!(failures, [Some("opted_out"), None, Some("opted_out")]);
        assert_eq!(world.states().await, ["failed", "accepted", "failed"]);
        let event = world.events().await.remove(0).event;
        let runs = world.engine.store().of(world.location_id).runs(event.id).await.expect("runs");
        assert!(runs[0].run.trace.iter().any(|line| line.text == "not sent: the customer opted out"));
    }

    async fn answers_follow_a_customer_to_the_new_number(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply(message.text); }"#).await;
        world.hears(ADA, "one").await;
        world.accept(&moved(&world, ADA, ADA_ELSEWHERE)).await.expect("accepted");
        world.settle().await;
        let conversation = conversations(&world).await.remove(0);
        assert_eq!(conversation.address.value(), ADA_ELSEWHERE.phone);
        assert_eq!(conversation.window.until, None, "the new number has not written");
        world.hears(ADA_ELSEWHERE, "two").await;
        assert_eq!(world.heard(ADA_ELSEWHERE), ["two"]);
        // Somebody else has the old number now.
        world.hears(ADA, "three").await;
        assert_eq!(world.heard(ADA), ["one", "three"]);
        assert_eq!(contacts(&world).await.len(), 2);
        assert!(addresses(&world).await.contains(&ADA_ELSEWHERE.phone.to_owned()));
    }

    async fn a_number_that_another_customer_has_is_not_taken(world: World) {
        world.hears(ADA, "one").await;
        world.hears(BEN, "one").await;
        world.accept(&moved(&world, ADA, BEN)).await.expect("accepted");
        world.settle().await;
        let mut addresses = addresses(&world).await;
        addresses.sort();
        assert_eq!(addresses, [BEN.phone, ADA.phone]);
        world.hears(BEN, "two").await;
        assert_eq!(contacts(&world).await.len(), 2);
    }

    async fn answers_follow_a_known_id_to_another_number(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply(message.text); }"#).await;
        for (customer, text) in [(ADA, "one"), (ADA_ELSEWHERE, "two"), (ADA_ELSEWHERE, "three"), (ADA, "four")] {
            let body = world.arrival(customer, |number, arrival| {
                let arrival = Arrival { user_id: Some("BR.8842117730056193"), ..*arrival };
                text_message(number, &arrival, text)
            });
            world.accept(&body).await.expect("accepted");
            world.settle().await;
        }
        assert_eq!(world.heard(ADA), ["one", "four"]);
        assert_eq!(world.heard(ADA_ELSEWHERE), ["two", "three"]);
        assert_eq!(contacts(&world).await.len(), 1);
    }

    async fn an_event_that_does_not_read_is_parked_and_the_next_goes_on(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply(message.text); }"#).await;
        world.says(ADA, "one").await;
        world.says(ADA, "two").await;
        world.says(BEN, "three").await;
        sql(&world, "UPDATE rejoinder_event SET payload = '{' WHERE payload LIKE '%\"one\"%'").await;
        let mut world = world;
        world.restart().await;
        world.settle().await;
        assert_eq!((world.heard(ADA), world.heard(BEN)), (vec!["two".to_owned()], vec!["three".to_owned()]));
        assert_eq!(count(&world, "rejoinder_event WHERE state = 'parked'").await, 1);
        assert_eq!(world.events().await.len(), 2, "the list shows what reads");
    }

    async fn a_delivery_or_timer_that_does_not_read_stops_no_other(world: World) {
        world.rule(r#"
            fn on_message(chat, message) {
                chat.reply("one");
                chat.reply("two");
                chat.after("1h", "later", #{ n: 1 });
            }
            fn later(chat, args) { chat.reply("later"); }
        "#).await;
        world.simulator.fault_next(1, Fault::AcceptThenDrop);
        world.hears(ADA, "hello").await;
        world.hears(BEN, "hello").await;
        assert_eq!(world.heard(ADA), ["one"]);
        sql(&world, "UPDATE rejoinder_delivery SET content = '{' WHERE state = 'in_doubt'").await;
        let ada = conversations(&world).await.into_iter().find(|conversation| conversation.address.value() == ADA.phone);
        let ada = ada.expect("a conversation").id.uuid().simple().to_string();
        sql(&world, &format!("UPDATE rejoinder_timer SET args = '{{' WHERE lower(replace({}, '-', '')) = '{ada}'", hex_of(&world, "conversation_id"))).await;
        let mut world = world;
        world.restart().await;
        world.settle().await;
        assert_eq!(world.heard(ADA), ["one", "two"]);
        world.wait(Span::hours(1)).await;
        assert_eq!(world.heard(ADA), ["one", "two"]);
        assert_eq!(world.heard(BEN), ["one", "two", "later"]);
    }

    async fn a_channel_or_location_that_does_not_read_stops_no_other(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply(message.text); }"#).await;
        let other = NewLocation {
            name: "Other".into(),
            time_zone: chrono_tz::UTC,
            settings: Default::default(),
        };
        let other = world.engine.create_location(other).await.expect("a location");
        connect(&world.engine, other.id, &number("106853218861310", "4930901821")).await;
        sql(&world, "UPDATE rejoinder_channel SET phone = 'x' WHERE phone = '4930901821'").await;
        sql(&world, "UPDATE rejoinder_location SET time_zone = 'x' WHERE name = 'Other'").await;
        let mut world = world;
        world.restart().await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), ["hello"]);
        let locations = world.engine.store().locations().await.expect("locations");
        assert_eq!(locations.len(), 1);
    }

    async fn a_form_nested_too_deeply_is_put_aside(world: World) {
        let nested = (0..100).fold(json!({}), |inner, _| json!({ "a": inner }));
        let reply = json!({
            "type": "nfm_reply",
            "nfm_reply": { "name": "flow", "body": "Sent", "response_json": nested.to_string() },
        });
        let body = world.arrival(ADA, |number, arrival| message(number, arrival, "interactive", reply));
        world.accept(&body).await.expect("accepted");
        world.settle().await;
        let events = world.events().await;
        assert_eq!((events[0].state.as_str(), events[0].event.payload.kind()), ("parked", "unknown"));
    }

    async fn enabling_a_rule_brings_back_what_was_published(world: World) {
        let rule = world.rule(r#"
            every("0 9 * * *", "daily");
            fn daily(location) { log("daily"); }
            fn on_message(chat, message) { chat.reply("published"); }
        "#).await;
        let (engine, location_id) = (&world.engine, world.location_id);
        let draft = r#"fn on_message(chat, message) { chat.reply("unfinished"); }"#;
        engine.set_rule_enabled(location_id, rule, false).await.expect("disabled");
        assert_eq!(count(&world, "rejoinder_schedule").await, 0);
        engine.save_draft(location_id, rule, draft.into(), None).await.expect("saved");
        let enabled = engine.set_rule_enabled(location_id, rule, true).await.expect("enabled");
        assert_eq!((enabled.published, enabled.enabled, enabled.draft.as_str()), (Some(1), true, draft));
        assert_eq!(count(&world, "rejoinder_schedule").await, 1);
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), ["published"]);
    }

    async fn a_draft_saved_while_a_rule_is_published_undoes_nothing(world: World) {
        let source = r#"fn on_message(chat, message) { chat.reply("one"); }"#;
        let rule = world.rule(source).await;
        let (engine, location_id) = (&world.engine, world.location_id);
        for version in 2..5 {
            let (published, saved) = tokio::join!(
                engine.publish_rule(location_id, rule),
                engine.save_draft(location_id, rule, source.into(), None),
            );
            assert_eq!(published.expect("published").rule.published, Some(version));
            saved.expect("saved");
            let rules = engine.store().of(location_id).rules().await.expect("rules");
            assert_eq!((rules[0].published, rules[0].enabled), (Some(version), true));
        }
    }

    async fn cron_lines_follow_the_clocks_of_their_location(world: World) {
        let rule = world.rule(r#"every("0 9 * * *", "daily"); fn daily(location) { log("daily"); }"#).await;
        let lima = LocationChange {
            time_zone: Some(chrono_tz::America::Lima),
            ..LocationChange::default()
        };
        world.engine.change_location(world.location_id, lima).await.expect("changed");
        world.engine.publish_rule(world.location_id, rule).await.expect("published");
        // It is 10:00 UTC: nine o'clock in Lima is at 14:00, in Berlin tomorrow at 08:00.
        world.wait(Span::hours(3)).await;
        assert_eq!(world.events().await.len(), 0);
        world.wait(Span::hours(1)).await;
        assert_eq!(world.events().await.len(), 1);
        world.wait(Span::hours(20)).await;
        assert_eq!(world.events().await.len(), 1);
    }

    async fn a_key_of_one_conversation_is_refused_in_another(world: World) {
        world.hears(ADA, "hello").await;
        world.hears(BEN, "hello").await;
        let send = PersonSend {
            content: Content::Text { text: "Good day".into() },
            fallback: None,
            reply_to: None,
            idempotency_key: Some("a key".into()),
        };
        let conversations = conversations(&world).await;
        let (engine, location_id) = (&world.engine, world.location_id);
        let first = engine.send(location_id, conversations[0].id, send.clone()).await.expect("sent");
        let again = engine.send(location_id, conversations[0].id, send.clone()).await.expect("sent before");
        assert_eq!(first, again);
        let refused = engine.send(location_id, conversations[1].id, send).await.expect_err("another conversation");
        assert!(matches!(&refused, Problem::Store(Error::Conflict(_))), "{refused}");
        assert!(refused.to_string().contains("idempotency key"), "{refused}");
        world.settle().await;
        assert_eq!(world.heard(ADA).len() + world.heard(BEN).len(), 1);
    }

    async fn who_opted_out_gets_no_template_in_place_of_an_earlier_reply(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply("Hi", template("hello_again", [])); }"#).await;
        world.hears(ADA, "hello").await;
        let sent = world.received(ADA).remove(0);
        world.accept(&preference(&world, "stop")).await.expect("accepted");
        world.status(&sent, "failed", Some(131_047)).await;
        assert_eq!(world.heard(ADA), ["Hi"]);
        assert_eq!(world.states().await, ["failed"]);
    }
}
