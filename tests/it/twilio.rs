//! The main job over Twilio: forms in, forms out, buttons by Content resources that are created once.

use bytes::Bytes;
use rejoinder_adapters::simulator::twilio::{self, Arrival, Registration};
use rejoinder_adapters::simulator::{Face, Fault, TwilioNumber};
use rejoinder_engine::adapter::{Method, Webhook};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::ids::ChannelId;
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::{ChannelChange, NewChannel};

use crate::database::on_both;
use crate::world::{ADA, World};

const URL: &str = "https://rejoinder.example/api/webhooks/twilio";
const TOKEN: &str = "b6d1f0a94c7e4d2f8a3c5e7190ab2cd4";
const ACCOUNT: &str = "AC0a1b2c3d4e5f60718293a4b5c6d7e8f9";

struct Sender {
    channel_id: ChannelId,
    number: TwilioNumber,
}

async fn sender(world: &World) -> Sender {
    let number = world.simulator.twilio_number(Registration {
        webhook_url: URL.into(),
        reach: Some("http://127.0.0.1:9".into()),
        account_sid: ACCOUNT.into(),
        auth_token: TOKEN.into(),
        number: "4930901820".into(),
    });
    let new = NewChannel {
        provider: "twilio".into(),
        account: ACCOUNT.into(),
        key: None,
        phone: Phone::parse("4930901820").expect("a number"),
        name: "twilio".into(),
        settings: Default::default(),
        credentials: [("auth_token", Secret::new(TOKEN))].into_iter().collect(),
    };
    let channel_id = world
        .engine
        .create_channel(world.location_id, new)
        .await
        .expect("a channel")
        .id;
    Sender { channel_id, number }
}

fn webhook(params: &[(String, String)]) -> Webhook {
    Webhook {
        method: Method::Post,
        channel_id: None,
        url: URL.into(),
        query: String::new(),
        headers: vec![
            (
                "content-type".into(),
                Bytes::from_static(b"application/x-www-form-urlencoded; charset=utf-8"),
            ),
            (
                "x-twilio-signature".into(),
                Bytes::from(twilio::sign(TOKEN, URL, params)),
            ),
        ],
        body: Bytes::from(twilio::encode(params)),
    }
}

async fn says(world: &World, sender: &Sender, sid: &str, text: &str) {
    world
        .simulator
        .open_window(Face::Twilio, "4930901820", ADA.phone);
    let arrival = Arrival {
        name: ADA.name,
        phone: ADA.phone,
        sid,
        context: None,
    };
    let params = twilio::text_message(sender.number.registration(), &arrival, text);
    let accepted = world
        .engine
        .accept("twilio", &webhook(&params))
        .await
        .expect("accepted");
    assert_eq!(accepted.reply.content_type, Some("text/xml"));
    world.settle().await;
}

fn content_sid(form: &str) -> String {
    let sid = form
        .split('&')
        .find_map(|pair| pair.strip_prefix("ContentSid="));
    sid.expect("a content").to_owned()
}

on_both! {
    async fn a_message_over_twilio_is_answered(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply(`You said ${message.text}`); }"#).await;
        let sender = sender(&world).await;
        says(&world, &sender, "SM000000000000000000000000000000a1", "Olá!").await;
        let received = world.received(ADA);
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].summary.text, "You said Olá!");
        assert!(received[0].raw.contains("From=whatsapp%3A%2B4930901820"), "{}", received[0].raw);
        let callback = received[0].callback.clone().expect("a status callback");
        assert!(callback.contains(&format!("/api/webhooks/twilio/{}", sender.channel_id)), "{callback}");
    }

    async fn buttons_need_a_resource_that_is_created_once(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply(buttons("A viewing?", ["Yes", "No"])); }"#).await;
        let sender = sender(&world).await;
        says(&world, &sender, "SM000000000000000000000000000000a1", "hi").await;
        says(&world, &sender, "SM000000000000000000000000000000a2", "hi").await;
        let received = world.received(ADA);
        assert_eq!(received.len(), 2);
        assert_eq!(received[0].summary.buttons.len(), 2);
        let sids: Vec<String> = received.iter().map(|message| content_sid(&message.raw)).collect();
        assert_eq!(sids[0], sids[1], "both use the one that was created");
        let requests = world.simulator.counters().requests;
        says(&world, &sender, "SM000000000000000000000000000000a3", "hi").await;
        assert_eq!(world.simulator.counters().requests, requests + 1, "it is not even looked for again");
    }

    async fn a_wrong_signature_is_refused(world: World) {
        let sender = sender(&world).await;
        let arrival = Arrival { name: ADA.name, phone: ADA.phone, sid: "SM1", context: None };
        let params = twilio::text_message(sender.number.registration(), &arrival, "hi");
        let mut forged = webhook(&params);
        forged.url = "https://rejoinder.example/api/webhooks/twilio/".into();
        assert!(world.engine.accept("twilio", &forged).await.is_err());
        assert!(world.events().await.is_empty());
    }

    async fn an_echo_by_sender_counts_only_where_the_channel_says_so(world: World) {
        let sender = sender(&world).await;
        let params = twilio::echo(sender.number.registration(), ADA.phone, "SM000000000000000000000000000000ad", "I call you");
        let accepted = world.engine.accept("twilio", &webhook(&params)).await.expect("accepted");
        assert_eq!(accepted.counts.unrouted, 1);
        let settings = rejoinder_engine::domain::channel::ChannelSettings {
            echo_by_sender: true,
            ..Default::default()
        };
        let change = ChannelChange { settings: Some(settings), ..ChannelChange::default() };
        world.engine.change_channel(world.location_id, sender.channel_id, change).await.expect("changed");
        world.engine.accept("twilio", &webhook(&params)).await.expect("accepted");
        world.settle().await;
        assert_eq!(world.events().await[0].event.payload.kind(), "echo");
    }

    async fn too_many_requests_are_tried_again_when_twilio_says(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply("hello"); }"#).await;
        let sender = sender(&world).await;
        world.simulator.fault_next(1, Fault::TooManyRequests { retry_after: Span::seconds(30) });
        says(&world, &sender, "SM000000000000000000000000000000a1", "hi").await;
        assert_eq!(world.states().await, ["ready"]);
        world.wait(Span::seconds(29)).await;
        assert_eq!(world.states().await, ["ready"]);
        world.wait(Span::seconds(1)).await;
        assert_eq!(world.heard(ADA), ["hello"]);
    }
}
