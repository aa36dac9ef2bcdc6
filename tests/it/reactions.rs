//! Reactions, edits and withdrawn messages call functions of their own, and open no window.

use rejoinder_adapters::simulator::meta::{self as face, Arrival};
use rejoinder_engine::domain::time::Span;
use serde_json::{Value, json};

use crate::database::on_both;
use crate::world::{ADA, World};

const RULE: &str = r#"
fn on_message(chat, message) { chat.state.first = chat.state.first ?? message.id; }
fn on_reaction(chat, reaction) { log(`reaction ${reaction.emoji} ${reaction.message_id}`); }
fn on_edit(chat, message) { log(`edit ${message.id == chat.state.first} ${message.text}`); chat.reply(message.text); }
fn on_revoke(chat, message) { log(`revoke ${message.id == chat.state.first}`); }
"#;

/// Ada does something that is no message of its own.
async fn does(world: &World, kind: &str, content: Value) {
    let body = world.arrival(ADA, |number, arrival| {
        face::message(number, arrival, kind, content)
    });
    world.accept(&body).await.expect("accepted");
    world.settle().await;
}

/// The provider's id of the first message.
async fn first_id(world: &World) -> String {
    let store = world.engine.store().of(world.location_id);
    let conversations = store.conversations(None, 1).await.expect("a conversation");
    let messages = store
        .messages(conversations[0].id, 10)
        .await
        .expect("messages");
    messages[0].message.provider_id.clone()
}

on_both! {
    async fn each_calls_its_own_function(world: World) {
        world.rule(RULE).await;
        world.hears(ADA, "one room").await;
        let id = first_id(&world).await;
        does(&world, "reaction", json!({ "message_id": "wamid.x", "emoji": "👍" })).await;
        does(&world, "reaction", json!({ "message_id": "wamid.x", "emoji": "" })).await;
        let text = json!({ "type": "text", "text": { "body": "two rooms" } });
        does(&world, "edit", json!({ "original_message_id": id, "message": text })).await;
        does(&world, "revoke", json!({ "original_message_id": id })).await;
        let traced = ["reaction 👍 wamid.x", "reaction  wamid.x", "edit true two rooms", "revoke true"];
        assert_eq!(world.traced().await, traced);
        assert_eq!(world.heard(ADA), ["two rooms"], "inside the window an edit is answered");
    }

    async fn none_of_them_opens_the_window(world: World) {
        world.rule(RULE).await;
        world.hears(ADA, "one room").await;
        let id = first_id(&world).await;
        world.wait(Span::hours(25)).await;
        let text = json!({ "type": "text", "text": { "body": "two rooms" } });
        does(&world, "edit", json!({ "original_message_id": id, "message": text })).await;
        assert_eq!(world.heard(ADA), [""; 0]);
        assert_eq!(world.states().await, ["failed"]);
    }

    async fn a_reaction_of_the_owner_runs_nothing(world: World) {
        world.rule("fn on_echo(chat, message) { log(\"echo\"); } fn on_reaction(chat, reaction) { log(\"reaction\"); }").await;
        world.hears(ADA, "hello").await;
        let body = world.webhook("smb_message_echoes", json!({ "message_echoes": [{
            "from": world.number.display_phone,
            "to": ADA.phone,
            "id": "wamid.owner.reaction",
            "timestamp": "1767607200",
            "type": "reaction",
            "reaction": { "message_id": "wamid.x", "emoji": "👍" },
        }] }));
        world.accept(&body).await.expect("accepted");
        world.settle().await;
        assert_eq!(world.traced().await, [""; 0]);
        let echoes = world.events().await.into_iter().filter(|row| row.event.payload.kind() == "echo");
        assert_eq!(echoes.count(), 1, "it is kept all the same");
    }

    async fn while_a_person_holds_the_chat_they_are_not_called(world: World) {
        world.rule(RULE).await;
        world.rule(&format!("even_when_held(); {RULE}")).await;
        world.hears(ADA, "hello").await;
        world.owner_says(ADA, "hi").await;
        let body = world.arrival(ADA, |number, arrival| {
            let arrival = Arrival { id: "wamid.reaction", ..*arrival };
            face::reaction(number, &arrival, "wamid.x", "👍")
        });
        world.accept(&body).await.expect("accepted");
        world.settle().await;
        assert_eq!(world.traced().await, ["reaction 👍 wamid.x"], "only the rule that takes no notice");
    }
}
