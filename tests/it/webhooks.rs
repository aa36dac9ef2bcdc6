//! What comes in: verified, routed to the right place, stored once; what is not understood is kept.

use bytes::Bytes;
use rejoinder_engine::AcceptError;
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::event::Payload;
use rejoinder_engine::domain::location::LocationSettings;
use rejoinder_engine::{ChannelChange, NewLocation};

use crate::database::on_both;
use crate::world::{ADA, APP_SECRET, World, connect, number, signed};

on_both! {
    async fn forged_webhooks_are_refused_and_leave_no_row(world: World) {
        let body = world.message(ADA, "hello");
        let good = signed(APP_SECRET, &body);
        let mut forged = Vec::new();
        forged.push(signed("another secret", &body));
        forged.push(signed("", &body));
        let mut flipped = good.clone();
        let mut bytes = body.clone();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        flipped.body = Bytes::from(bytes);
        forged.push(flipped);
        let mut doubled = good.clone();
        let header = doubled.headers[0].clone();
        doubled.headers.push(header);
        forged.push(doubled);
        let mut without = good.clone();
        without.headers.clear();
        forged.push(without);
        let mut reencoded = good.clone();
        let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        reencoded.body = Bytes::from(serde_json::to_vec_pretty(&value).expect("JSON"));
        forged.push(reencoded);
        let mut elsewhere = good.clone();
        elsewhere.channel_id = Some(rejoinder_engine::domain::ids::ChannelId::generate());
        forged.push(elsewhere);
        for webhook in &forged {
            let refused = world.engine.accept("meta", webhook).await;
            assert!(matches!(refused, Err(AcceptError::Refused(_))), "{refused:?}");
        }
        assert!(world.events().await.is_empty());
        assert!(world.engine.store().unrouted(None, 10).await.expect("a list").is_empty());
        world.engine.accept("meta", &good).await.expect("the good one is accepted");
        world.settle().await;
    }

    async fn two_numbers_of_two_locations_and_a_broken_third_item(world: World) {
        let other = world.engine.create_location(NewLocation {
            name: "Clinic".into(),
            time_zone: chrono_tz::America::Sao_Paulo,
            settings: LocationSettings::default(),
        }).await.expect("a location");
        let second = number("209912345678901", "551140028922");
        connect(&world.engine, other.id, &second).await;
        let mut first: serde_json::Value = serde_json::from_slice(&world.message(ADA, "one")).expect("JSON");
        let mut body = first.clone();
        let entry = first["entry"][0].take();
        let mut third = entry.clone();
        third["changes"][0]["value"]["metadata"]["phone_number_id"] = second.phone_number_id.clone().into();
        third["changes"][0]["value"]["messages"][0]["id"] = "wamid.second".into();
        let mut broken = entry.clone();
        broken["changes"][0]["value"]["metadata"] = serde_json::json!({ "phone_number_id": "999" });
        broken["changes"][0]["value"]["messages"][0] = serde_json::json!({ "id": 7, "type": ["odd"] });
        body["entry"] = serde_json::json!([entry, third, broken]);
        let accepted = world.accept(&serde_json::to_vec(&body).expect("JSON")).await.expect("accepted");
        assert_eq!((accepted.counts.stored, accepted.counts.unrouted), (2, 1));
        world.settle().await;
        assert_eq!(world.events().await.len(), 1);
        let elsewhere = world.engine.store().of(other.id).events(None, 10).await.expect("events");
        assert_eq!(elsewhere.len(), 1);
        assert!(world.engine.store().of(other.id).event(world.events().await[0].event.id).await.expect("a query").is_none());
        assert_eq!(world.engine.store().unrouted(None, 10).await.expect("a list").len(), 1);
    }

    async fn what_is_not_understood_is_kept_and_can_be_run_again(world: World) {
        let body = world.arrival(ADA, |number, arrival| {
            rejoinder_adapters::simulator::meta::message(number, arrival, "hologram", serde_json::json!({ "x": 1 }))
        });
        world.accept(&body).await.expect("accepted");
        world.accept(&body).await.expect("accepted again");
        let events = world.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].state, "parked");
        assert!(matches!(events[0].event.payload, Payload::Unknown { .. }));
        let again = world.engine.rerun_event(world.location_id, events[0].event.id).await;
        assert!(again.expect_err("still unknown").to_string().contains("stays listed"));
    }

    async fn an_item_without_a_channel_finds_its_place_once_there_is_one(world: World) {
        let late = number("209912345678901", "551140028922");
        let body = {
            let mut value: serde_json::Value = serde_json::from_slice(&world.message(ADA, "hello?")).expect("JSON");
            value["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = late.phone_number_id.clone().into();
            serde_json::to_vec(&value).expect("JSON")
        };
        world.accept(&body).await.expect("accepted");
        let stray = world.engine.store().unrouted(None, 10).await.expect("a list").remove(0);
        assert!(stray.reason.contains("209912345678901"), "{}", stray.reason);
        assert!(world.engine.rerun_unrouted(stray.id).await.is_err(), "there is still no channel");
        connect(&world.engine, world.location_id, &late).await;
        world.engine.rerun_unrouted(stray.id).await.expect("it finds its place");
        world.settle().await;
        assert_eq!(world.events().await.len(), 1);
        assert!(world.engine.store().unrouted(None, 10).await.expect("a list").is_empty());
    }

    async fn a_channel_with_its_own_app_is_not_served_by_the_servers_secret(world: World) {
        let change = ChannelChange {
            credentials: [("app_secret", Secret::new("its own secret"))].into_iter().collect(),
            ..ChannelChange::default()
        };
        world.engine.change_channel(world.location_id, world.channel_id, change).await.expect("changed");
        let body = world.message(ADA, "hello");
        let accepted = world.accept(&body).await.expect("it is a webhook of the server's app");
        assert_eq!((accepted.counts.stored, accepted.counts.unrouted), (0, 1));
        let mut own = signed("its own secret", &body);
        assert!(world.engine.accept("meta", &own).await.is_err(), "on the shared address its secret counts nothing");
        own.channel_id = Some(world.channel_id);
        assert_eq!(world.engine.accept("meta", &own).await.expect("accepted").counts.stored, 1);
        world.settle().await;
    }

    async fn another_tenants_number_cannot_be_claimed(world: World) {
        let thief = world.engine.create_location(NewLocation {
            name: "Thief".into(),
            time_zone: chrono_tz::UTC,
            settings: LocationSettings::default(),
        }).await.expect("a location");
        let channel = |key: &str, phone: &str| rejoinder_engine::NewChannel {
            provider: "meta".into(),
            account: world.number.waba_id.clone(),
            key: Some(key.into()),
            phone: rejoinder_engine::domain::contact::Phone::parse(phone).expect("a number"),
            name: "mine".into(),
            settings: Default::default(),
            credentials: [("access_token", Secret::new("junk"))].into_iter().collect(),
        };
        let claim = channel(&world.number.phone_number_id, "4930901820");
        let refused = world.engine.create_channel(thief.id, claim).await.expect_err("it is taken").to_string();
        assert!(refused.contains("connected already"), "{refused}");
        // The same account under another number: news of the account is for neither, until a person decides.
        world.engine.create_channel(thief.id, channel("31337", "4930901899")).await.expect("a channel");
        let news = serde_json::json!({ "object": "whatsapp_business_account", "entry": [{
            "id": world.number.waba_id, "time": 1_767_607_200, "changes": [{ "field": "account_review_update",
            "value": { "decision": "APPROVED" } }] }] });
        let accepted = world.accept(&serde_json::to_vec(&news).expect("JSON")).await.expect("accepted");
        assert_eq!((accepted.counts.stored, accepted.counts.unrouted), (0, 1));
        assert!(world.engine.store().of(thief.id).events(None, 10).await.expect("events").is_empty());
    }

    async fn a_tenants_own_secret_forges_nothing_for_another(world: World) {
        let thief = world.engine.create_location(NewLocation {
            name: "Thief".into(),
            time_zone: chrono_tz::UTC,
            settings: LocationSettings::default(),
        }).await.expect("a location");
        let own = number("31337", "4930901899");
        let channel_id = connect(&world.engine, thief.id, &own).await;
        let change = ChannelChange {
            credentials: [("app_secret", Secret::new("mine"))].into_iter().collect(),
            ..ChannelChange::default()
        };
        world.engine.change_channel(thief.id, channel_id, change).await.expect("changed");
        let mut forged = signed("mine", &world.message(ADA, "forged"));
        forged.channel_id = Some(channel_id);
        let accepted = world.engine.accept("meta", &forged).await.expect("it is properly signed");
        assert_eq!((accepted.counts.stored, accepted.counts.unrouted), (0, 1));
        let stray = world.engine.store().unrouted(None, 10).await.expect("a list").remove(0);
        assert!(world.engine.rerun_unrouted(stray.id).await.is_err(), "run again it serves no more than it did");
        assert!(world.events().await.is_empty());
    }

    async fn many_copies_at_once_are_one_event(world: World) {
        let body = world.message(ADA, "hello");
        let webhook = signed(APP_SECRET, &body);
        let copies = (0..64).map(|_| world.engine.accept("meta", &webhook));
        let accepted = futures_util::future::join_all(copies).await;
        let stored: usize = accepted.iter().map(|copy| copy.as_ref().expect("accepted").counts.stored).sum();
        assert_eq!(stored, 1);
        world.settle().await;
        assert_eq!(world.events().await.len(), 1);
    }

    async fn a_nul_in_a_text_is_no_reason_to_lose_it(world: World) {
        let body = world.message(ADA, "a\u{0}b");
        assert_eq!(world.accept(&body).await.expect("accepted").counts.stored, 1);
        world.settle().await;
        assert_eq!(world.events().await.len(), 1);
    }
}
