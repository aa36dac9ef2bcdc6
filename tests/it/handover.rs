//! Handing a chat to a named person with a note, and everything else that a rule may want, in one run.

use rejoinder_adapters::simulator::ReceivedSignal;
use rejoinder_engine::domain::note::Author;
use rejoinder_engine::domain::time::Span;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::crm::Crm;
use crate::database::{Database, on_both};
use crate::house::House;
use crate::world::{ADA, World};

const HANDS_OVER: &str = r#"
even_when_held();
fn on_message(chat, message) {
    switch message.text {
        "human" => { chat.assign("Maria"); chat.note(`Wants a person.`); chat.note("Second."); }
        "bot" => chat.assign(""),
        "hold" => chat.hold(),
        "release" => chat.release(),
        _ => {}
    }
    log(chat.assigned_to, chat.held_by);
}
"#;

on_both! {
    async fn a_chat_is_assigned_and_held_until_it_is_taken_back(world: World) {
        let rule = world.rule(HANDS_OVER).await;
        world.rule(r#"fn on_message(chat, message) { chat.reply("robot"); }"#).await;
        world.hears(ADA, "human").await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), [""; 0]);
        world.hears(ADA, "bot").await;
        assert_eq!(world.heard(ADA), ["robot"]);
        assert_eq!(world.traced().await, ["Maria rule", "Maria rule", " "]);
        let store = world.engine.store().of(world.location_id);
        let conversation = store.conversations(None, 1).await.expect("conversations").remove(0);
        assert_eq!(conversation.assigned_to, "");
        let notes = store.notes(conversation.id, 10).await.expect("notes");
        let by = Author::Rule { rule_id: rule, name: "rule 0".into() };
        let told: Vec<_> = notes.iter().map(|note| (&note.author, note.text.as_str())).collect();
        assert_eq!(told, [(&by, "Wants a person."), (&by, "Second.")]);
        // After a hold by hours the name stays, and goes with a release.
        world.hears(ADA, "human").await;
        world.wait(Span::hours(13)).await;
        world.hears(ADA, "hello").await;
        world.hears(ADA, "release").await;
        assert_eq!(world.traced().await[3..], ["Maria rule", "Maria ", " "]);
    }

    async fn what_follows_a_release_in_the_same_run_goes_out(world: World) {
        let source = r#"fn on_echo(chat, message) {
            chat.reply("dropped");
            if message.text != "/bot" { return; }
            chat.release();
            chat.reply("I am back.");
            chat.hold("1h");
        }"#;
        world.rule(source).await;
        world.hears(ADA, "hello").await;
        world.owner_says(ADA, "Hello, this is the owner.").await;
        world.owner_says(ADA, "/bot").await;
        assert_eq!(world.heard(ADA), ["I am back."]);
        assert_eq!(world.traced().await, ["not sent: a person is in charge"; 2]);
    }

    async fn who_has_the_chat_already_keeps_it(world: World) {
        world.rule(HANDS_OVER).await;
        world.owner_says(ADA, "Hello, this is the owner.").await;
        world.hears(ADA, "human").await;
        world.hears(ADA, "bot").await;
        assert_eq!(world.traced().await, ["Maria phone", " phone"]);
    }

    async fn every_effect_of_the_contract_happens_once(world: World) {
        let crm = Crm::start().await;
        let endpoint = rejoinder_engine::NewEndpoint {
            name: "crm".into(),
            url: crm.url(),
            method: rejoinder_engine::domain::endpoint::Method::Post,
            headers: Default::default(),
            timeout_ms: None,
        };
        world.engine.create_endpoint(world.location_id, endpoint).await.expect("an endpoint");
        world.rule(r#"
            fn on_message(chat, message) {
                chat.reply("text");
                chat.reply("or", template("fallback"));
                chat.send(template("offer", ["Ada"]));
                chat.reply(image("https://example.com/a.jpg", "An image"));
                chat.reply(video("https://example.com/a.mp4"));
                chat.reply(audio("https://example.com/a.mp3"));
                chat.reply(document("https://example.com/a.pdf", "a.pdf"));
                chat.reply(sticker("https://example.com/a.webp"));
                chat.reply(buttons("Buttons?", ["Yes", "No"]));
                chat.reply(list("List?", "Choose", ["One", "Two"]));
                chat.reply(location(52.5, 13.4, "Berlin"));
                chat.reply(contact_card("Ada", "+4930901820"));
                chat.reply(form("Form?", "Open", "123456"));
                message.react("👍");
                chat.mark_read();
                chat.typing();
                chat.if_silent("1h", "silent");
                chat.after("2h", "later", #{ n: 1 });
                chat.at(now() + "3h", "then");
                chat.after("4h", "never");
                chat.cancel("never");
                chat.location.each_chat(#{ tag: "lead" }, "each", #{ n: 2 });
                chat.contact.tag("lead");
                chat.contact.tag("gone");
                chat.contact.untag("gone");
                chat.contact.attributes.budget = 7;
                chat.contact.opt_out();
                chat.contact.opt_in();
                chat.request("crm", #{ n: 3 }, "answered");
                chat.note("Remember.");
                chat.assign("Maria");
                chat.release();
                log("logged");
                print("printed");
                stop();
            }
            fn silent(chat) { chat.reply("silent", template("silent")); }
            fn later(chat, args) { log(`later ${args.n}`); chat.hold("30m"); }
            fn then(chat) { log("then"); }
            fn never(chat) { log("never"); }
            fn each(chat, args) { log(`each ${args.n}`); }
            fn answered(chat, response) { log(`answered ${response.status}`); }
            fn on_response(chat, response) { }
        "#).await;
        world.rule(r#"fn on_message(chat, message) { chat.reply("not after stop()"); }"#).await;
        world.hears(ADA, "hello").await;
        for _ in 0..12 {
            world.wait(Span::minutes(20)).await;
        }
        let kinds: Vec<&str> = world.deliveries().await.iter().map(|row| row.delivery.content.kind()).collect();
        let expected = [
            "text", "text", "template", "image", "video", "audio", "document", "sticker", "buttons", "list", "location",
            "contacts", "form", "reaction", "text",
        ];
        assert_eq!(kinds, expected);
        let states = world.states().await;
        assert!(states.iter().all(|state| *state == "accepted"), "{states:?}");
        let signals: Vec<ReceivedSignal> = world.simulator.signals();
        assert_eq!(signals.len(), 2, "read, and typing");
        let mut traced = world.traced().await;
        traced.sort();
        assert_eq!(traced, ["answered 200", "each 2", "later 1", "logged", "printed", "then"]);
        let store = world.engine.store().of(world.location_id);
        let contact = store.contacts(None, 1).await.expect("contacts").remove(0);
        assert_eq!(contact.tags, ["lead"]);
        assert_eq!(Value::Object(contact.attributes), json!({ "budget": 7 }));
        assert!(!contact.opted_out);
        let conversation = store.conversations(None, 1).await.expect("conversations").remove(0);
        assert_eq!(conversation.assigned_to, "");
        assert_eq!(store.notes(conversation.id, 10).await.expect("notes").len(), 1);
        assert_eq!(crm.heard().len(), 1);
    }
}

#[tokio::test]
async fn notes_and_who_takes_over_by_http() {
    let house = House::on(Database::sqlite().await).await;
    let location = json!({ "name": "Casa Lima", "time_zone": "Europe/Berlin" });
    let location = house.created("/locations", location).await;
    let path = |tail: &str| format!("/locations/{location}/{tail}");
    let number = house.number(&location).await;
    let source = r#"
        fn on_message(chat, message) {
            chat.note("Wants a person."); chat.assign("Maria"); chat.reply("One moment.");
            chat.location.each_chat(#{ tag: "nobody" }, "each");
        }
        fn each(chat) {}
    "#;
    house.publish(&location, source).await;
    number
        .customer_says("Ada", "+5511987654321", "a person, please")
        .await
        .expect("an answer");
    let reply = house.simulator.wait_for(1);
    let reply = tokio::time::timeout(std::time::Duration::from_secs(10), reply).await;
    assert_eq!(reply.expect("a reply")[0].summary.text, "One moment.");
    house.simulator.settled().await;
    let (_, listed) = house.api(Method::GET, &path("conversations"), None).await;
    let conversation = &listed["conversations"][0];
    assert_eq!(conversation["assigned_to"], "Maria");
    assert_eq!(conversation["hold"]["by"], "rule");
    let notes = path(&format!(
        "conversations/{}/notes",
        conversation["id"].as_str().expect("an id")
    ));
    let own = json!({ "text": " She is on her way. ", "author": "Maria" });
    let (status, written) = house.api(Method::POST, &notes, Some(own)).await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, answer) = house.api(Method::GET, &notes, None).await;
    let told = |nth: usize, field: &str| answer["notes"][nth][field].clone();
    assert_eq!(
        (told(0, "by"), told(0, "author"), told(0, "text")),
        (json!("rule"), json!("rule"), json!("Wants a person."))
    );
    assert_eq!(answer["notes"][1], written);
    assert_eq!(
        (told(1, "by"), told(1, "text")),
        (json!("person"), json!("She is on her way."))
    );
    for odd in [json!({ "text": "" }), json!({ "text": "x".repeat(5_000) })] {
        let (status, _) = house.api(Method::POST, &notes, Some(odd)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let (_, rounds) = house.api(Method::GET, &path("fanouts"), None).await;
    assert_eq!(rounds["fanouts"][0]["handler"], "each", "{rounds}");
    house.close().await;
}
