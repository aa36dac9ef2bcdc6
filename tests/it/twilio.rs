//! The main job over Twilio: forms in, forms out, buttons by Content resources that are created once.

use bytes::Bytes;
use rejoinder_adapters::simulator::twilio::{self, Arrival, Registration};
use rejoinder_adapters::simulator::{Face, Fault, TwilioNumber};
use rejoinder_engine::adapter::{Method, Webhook};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::ids::{ChannelId, LocationId};
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::{AcceptError, ChannelChange, NewChannel, store};

use crate::database::on_both;
use crate::rounds::crowd;
use crate::world::{ADA, Customer, World};

pub(crate) const URL: &str = "https://rejoinder.example/api/webhooks/twilio";
pub(crate) const TOKEN: &str = "b6d1f0a94c7e4d2f8a3c5e7190ab2cd4";
pub(crate) const ACCOUNT: &str = "AC0a1b2c3d4e5f60718293a4b5c6d7e8f9";

/// A number of Twilio's, connected to the world's location.
pub(crate) struct Sender {
    pub(crate) channel_id: ChannelId,
    pub(crate) number: TwilioNumber,
}

pub(crate) async fn sender(world: &World) -> Sender {
    sender_of(world, world.location_id).await
}

/// The same, of any location.
pub(crate) async fn sender_of(world: &World, location_id: LocationId) -> Sender {
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
        .create_channel(location_id, new)
        .await
        .expect("a channel")
        .id;
    Sender { channel_id, number }
}

/// A webhook as Twilio would send it to `url`, as that was entered or sent along.
pub(crate) fn webhook(url: &str, params: &[(String, String)]) -> Webhook {
    let called = url.split_once('#').map_or(url, |(called, _)| called);
    let query = called.split_once('?').map_or("", |(_, query)| query);
    Webhook {
        method: Method::Post,
        channel_id: None,
        url: called.into(),
        query: query.into(),
        headers: vec![
            (
                "content-type".into(),
                Bytes::from_static(b"application/x-www-form-urlencoded; charset=utf-8"),
            ),
            (
                "x-twilio-signature".into(),
                Bytes::from(twilio::sign(TOKEN, url, params)),
            ),
        ],
        body: Bytes::from(twilio::encode(params)),
    }
}

/// The webhook by which Ada writes.
pub(crate) fn written(world: &World, sender: &Sender, sid: &str, text: &str) -> Webhook {
    written_by(world, sender, ADA, sid, text)
}

/// The webhook by which a customer writes.
pub(crate) fn written_by(
    world: &World,
    sender: &Sender,
    customer: Customer,
    sid: &str,
    text: &str,
) -> Webhook {
    world
        .simulator
        .open_window(Face::Twilio, "4930901820", customer.phone);
    let arrival = Arrival {
        name: customer.name,
        phone: customer.phone,
        sid,
        context: None,
    };
    webhook(
        URL,
        &twilio::text_message(sender.number.registration(), &arrival, text),
    )
}

pub(crate) async fn says(world: &World, sender: &Sender, sid: &str, text: &str) {
    let webhook = written(world, sender, sid, text);
    let accepted = world.engine.accept("twilio", &webhook).await;
    let accepted = accepted.expect("accepted");
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
        let mut forged = webhook(URL, &params);
        forged.url = "https://rejoinder.example/api/webhooks/twilio/".into();
        assert!(world.engine.accept("twilio", &forged).await.is_err());
        assert!(world.events().await.is_empty());
    }

    async fn an_echo_by_sender_counts_only_where_the_channel_says_so(world: World) {
        let sender = sender(&world).await;
        let params = twilio::echo(sender.number.registration(), ADA.phone, "SM000000000000000000000000000000ad", "I call you");
        let accepted = world.engine.accept("twilio", &webhook(URL, &params)).await.expect("accepted");
        assert_eq!(accepted.counts.unrouted, 1);
        let settings = rejoinder_engine::domain::channel::ChannelSettings {
            echo_by_sender: true,
            ..Default::default()
        };
        let change = ChannelChange { settings: Some(settings), ..ChannelChange::default() };
        world.engine.change_channel(world.location_id, sender.channel_id, change).await.expect("changed");
        world.engine.accept("twilio", &webhook(URL, &params)).await.expect("accepted");
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

    async fn the_end_of_our_addresses_asks_for_more_tries_and_is_not_signed(world: World) {
        world.rule(r#"fn on_message(chat, message) { chat.reply("hello"); }"#).await;
        let sender = sender(&world).await;
        assert_eq!(world.engine.webhook_suffix("twilio"), "#rc=3&rp=all&ct=3000&rt=5000");
        assert_eq!(world.engine.webhook_suffix("meta"), "");
        says(&world, &sender, "SM000000000000000000000000000000a1", "hi").await;
        let sent = world.received(ADA).remove(0);
        let callback = sent.callback.clone().expect("a status callback");
        assert!(callback.ends_with(world.engine.webhook_suffix("twilio")), "{callback}");
        let update = twilio::StatusUpdate { sid: &sent.provider_id, status: "delivered", to: ADA.phone, error_code: None };
        let params = twilio::status(sender.number.registration(), &update);
        let mut status = webhook(&callback, &params);
        status.channel_id = Some(sender.channel_id);
        assert!(!status.url.contains('#') && status.query.contains("delivery=dlv_"), "{}", status.url);
        world.engine.accept("twilio", &status).await.expect("accepted");
        assert_eq!(world.states().await, ["delivered"]);
        status.body = status.body.slice(1..);
        world.engine.accept("twilio", &status).await.expect_err("the rest is signed");
    }

    async fn twilio_is_shed_last(world: World) {
        let sender = sender(&world).await;
        // More than may wait of a provider that comes again, fewer than of one that does not.
        for customer in crowd(100) {
            world.says(customer, "hi").await;
        }
        let body = world.message(ADA, "one too many");
        let refused = world.accept(&body).await.expect_err("Meta is to come again");
        assert!(matches!(refused, AcceptError::NotStored(store::Error::Overloaded)), "{refused:?}");
        let webhook = written(&world, &sender, "SM000000000000000000000000000000a1", "hi");
        world.engine.accept("twilio", &webhook).await.expect("Twilio would not");
        world.settle().await;
        let accepted = world.accept(&body).await.expect("it comes again");
        assert_eq!(accepted.counts.stored, 1);
        world.settle().await;
    }
}
