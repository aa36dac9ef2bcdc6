//! Templates that a location knows: listed at the providers, told by people, and kept true by webhooks.

use rejoinder_adapters::http::Http;
use rejoinder_adapters::simulator::meta::template_update;
use rejoinder_adapters::simulator::{Face, Fault, Operation, twilio};
use rejoinder_engine::clock::Clock;
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::template::{
    HeaderShape, TemplateCategory, TemplateParameters, TemplateShape, TemplateStatus,
};
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::store::NewRule;
use rejoinder_engine::{ChannelChange, NewChannel, Problem, SyncedAccount};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::database::{Database, on_both};
use crate::house::House;
use crate::world::{World, connect, number};

const TWILIO_ACCOUNT: &str = "AC0a1b2c3d4e5f60718293a4b5c6d7e8f9";
const TWILIO_TOKEN: &str = "b6d1f0a94c7e4d2f8a3c5e7190ab2cd4";

/// A template as Meta's list has it.
pub(crate) fn listed(name: &str, language: &str, status: &str, body: &str) -> Value {
    json!({
        "id": "1689556908129832", "name": name, "language": language, "status": status,
        "category": "UTILITY", "components": [{ "type": "BODY", "text": body }],
    })
}

fn shape(name: &str, parameters: usize) -> TemplateShape {
    TemplateShape {
        name: name.into(),
        language: "en".into(),
        parameters: TemplateParameters::Positional(parameters),
        header: HeaderShape::None,
        buttons: Vec::new(),
        status: TemplateStatus::Approved,
        category: TemplateCategory::Utility,
    }
}

fn lists(world: &World, template: Value) {
    world
        .simulator
        .meta_template(&world.number.waba_id, template);
}

async fn sync(world: &World) -> Vec<SyncedAccount> {
    let synced = world.engine.sync_templates(world.location_id).await;
    synced.unwrap_or_else(|problem| panic!("{problem}"))
}

async fn known(world: &World) -> Option<Vec<TemplateShape>> {
    let known = world.engine.templates(world.location_id).await;
    known.expect("the database works")
}

async fn names(world: &World) -> Vec<String> {
    let known = known(world).await.expect("something is known");
    known.into_iter().map(|shape| shape.name).collect()
}

async fn status_of(world: &World, name: &str) -> TemplateStatus {
    let known = known(world).await.expect("something is known");
    let mut known = known.into_iter();
    known
        .find(|shape| shape.name == name)
        .expect("it is known")
        .status
}

async fn tells(world: &World, name: &str, language: &str, event: &str) {
    let body = template_update(&world.number, name, language, event, world.clock.now());
    world.accept(&body).await.expect("the webhook is accepted");
    world.settle().await;
}

/// Publishes a rule that sends this; gives the warnings.
async fn publish(world: &World, template: &str) -> Result<Vec<String>, Problem> {
    let new = NewRule {
        name: format!("rule {template}"),
        source: format!("fn on_message(chat, message) {{ chat.send({template}); }}"),
        tests: String::new(),
        position: None,
    };
    let rules = world.engine.store().of(world.location_id).rules().await?;
    let rule = match rules.into_iter().find(|rule| rule.name == new.name) {
        Some(rule) => rule,
        None => world.engine.create_rule(world.location_id, new).await?,
    };
    let published = world
        .engine
        .publish_rule(world.location_id, rule.id)
        .await?;
    let warnings = published.warnings.into_iter();
    Ok(warnings.map(|warning| warning.message).collect())
}

/// A channel at Twilio with one approved content.
async fn twilio_channel(world: &World) {
    let _ = world.simulator.twilio_number(twilio::Registration {
        webhook_url: "https://rejoinder.example/api/webhooks/twilio".into(),
        reach: Some("http://127.0.0.1:9".into()),
        account_sid: TWILIO_ACCOUNT.into(),
        auth_token: TWILIO_TOKEN.into(),
        number: "4930901821".into(),
    });
    let new = NewChannel {
        provider: "twilio".into(),
        account: TWILIO_ACCOUNT.into(),
        key: None,
        phone: Phone::parse("4930901821").expect("a number"),
        name: "twilio".into(),
        settings: Default::default(),
        credentials: [("auth_token", Secret::new(TWILIO_TOKEN))]
            .into_iter()
            .collect(),
    };
    let created = world.engine.create_channel(world.location_id, new).await;
    created.expect("a channel");
    let content = json!({
        "friendly_name": "order ready", "language": "en",
        "types": { "twilio/text": { "body": "Hi {{1}}, order {{2}} is ready." } },
    });
    let made = twilio_post(world, "/v1/Content", &content).await;
    let sid = made["sid"].as_str().expect("a content");
    let approval = json!({ "name": "order_ready", "category": "UTILITY" });
    let path = format!("/v1/Content/{sid}/ApprovalRequests/whatsapp");
    twilio_post(world, &path, &approval).await;
}

async fn twilio_post(world: &World, path: &str, body: &Value) -> Value {
    let http = Http::new();
    let url = format!("{}{path}", world.simulator.base_url());
    let request = http
        .request(Method::POST, &url)
        .basic_auth(TWILIO_ACCOUNT, Some(TWILIO_TOKEN))
        .json(body);
    let answer = http.send(request).await.expect("an answer");
    assert_eq!(answer.status, 201);
    serde_json::from_slice(&answer.body).expect("JSON")
}

on_both! {
    async fn a_list_is_read_to_its_last_page(world: World) {
        assert_eq!(known(&world).await, None);
        for n in 0..120 {
            lists(&world, listed(&format!("t_{n:03}"), "en", "APPROVED", "Hi {{1}}"));
        }
        let synced = sync(&world).await;
        assert_eq!(synced.len(), 1);
        assert_eq!((synced[0].provider.as_str(), synced[0].templates), ("meta", Some(120)));
        let known = known(&world).await.expect("a list");
        assert_eq!(known.len(), 120);
        assert_eq!(known[119], shape("t_119", 1));
    }

    async fn a_second_reading_replaces_the_first(world: World) {
        lists(&world, listed("a", "en", "PENDING", "Hi"));
        world.engine.put_template(world.location_id, None, shape("by_hand", 2)).await.expect("it does");
        assert_eq!(names(&world).await, ["by_hand"]);
        sync(&world).await;
        assert_eq!(names(&world).await, ["a"]);
        lists(&world, listed("a", "en", "APPROVED", "Hi {{1}}"));
        lists(&world, listed("a", "de", "APPROVED", "Hallo"));
        world.clock.advance(Span::seconds(1));
        sync(&world).await;
        let known = known(&world).await.expect("a list");
        assert_eq!(known[1], shape("a", 1));
        assert_eq!(known[0], TemplateShape { language: "de".into(), ..shape("a", 0) });
        let lists = world.engine.store().of(world.location_id).template_lists().await.expect("lists");
        assert_eq!(lists.len(), 1);
        assert_eq!(lists[0].read_at, world.clock.now());
    }

    async fn an_account_without_templates_is_known_to_have_none(world: World) {
        sync(&world).await;
        assert_eq!(known(&world).await, Some(Vec::new()));
    }

    async fn contents_at_twilio_are_known_by_the_name_that_sends_them(world: World) {
        twilio_channel(&world).await;
        lists(&world, listed("at_meta", "en", "APPROVED", "Hi"));
        let accounts: Vec<_> = sync(&world).await.into_iter().map(|synced| synced.account).collect();
        assert_eq!(accounts, [world.number.waba_id.as_str(), TWILIO_ACCOUNT]);
        assert_eq!(known(&world).await, Some(vec![shape("at_meta", 0), shape("order ready", 2)]));
    }

    async fn an_account_that_cannot_be_asked_keeps_what_was_known(world: World) {
        lists(&world, listed("a", "en", "APPROVED", "Hi"));
        sync(&world).await;
        twilio_channel(&world).await;
        let at_meta = |face: Face, operation: Operation| face == Face::Meta && operation == Operation::Content;
        world.simulator.fault_when(move |it| at_meta(it.face, it.operation), Fault::Refuse(190));
        let problem = world.engine.sync_templates(world.location_id).await.expect_err("refused");
        assert!(matches!(problem, Problem::Provider(_)), "{problem}");
        assert!(problem.to_string().contains(&world.number.waba_id), "{problem}");
        assert_eq!(names(&world).await, ["a", "order ready"]);
    }

    async fn another_number_of_the_account_is_asked_if_the_first_may_not(world: World) {
        lists(&world, listed("a", "en", "APPROVED", "Hi"));
        let second = number("106853218861310", "4930901822");
        let _ = world.simulator.meta_number(second.clone());
        connect(&world.engine, world.location_id, &second).await;
        world.simulator.revoke_meta("token-of-106853218861309");
        assert_eq!(sync(&world).await.len(), 1);
        assert_eq!(names(&world).await, ["a"]);
    }

    async fn a_disabled_channel_is_not_asked(world: World) {
        let off = ChannelChange { enabled: Some(false), ..ChannelChange::default() };
        world.engine.change_channel(world.location_id, world.channel_id, off).await.expect("changed");
        let problem = world.engine.sync_templates(world.location_id).await.expect_err("nobody to ask");
        assert!(problem.to_string().contains("no enabled channel"), "{problem}");
    }

    async fn a_webhook_changes_the_status_of_a_template(world: World) {
        lists(&world, listed("a", "pt_BR", "APPROVED", "Oi"));
        sync(&world).await;
        world.clock.advance(Span::minutes(1));
        tells(&world, "a", "pt-BR", "PAUSED").await;
        assert_eq!(status_of(&world, "a").await, TemplateStatus::Paused);
        world.clock.advance(Span::minutes(1));
        tells(&world, "a", "pt_BR", "FLAGGED").await;
        assert_eq!(status_of(&world, "a").await, TemplateStatus::Paused, "a warning says nothing of that");
        world.clock.advance(Span::minutes(1));
        tells(&world, "a", "pt_BR", "REJECTED").await;
        tells(&world, "unknown", "pt_BR", "APPROVED").await;
        assert_eq!(status_of(&world, "a").await, TemplateStatus::Rejected);
        assert_eq!(names(&world).await, ["a"], "what an unknown one looks like was not told");
    }

    async fn a_rule_that_names_an_unknown_template_is_refused(world: World) {
        lists(&world, listed("viewing_reminder", "en", "APPROVED", "See you at {{1}}, {{2}}."));
        lists(&world, listed("summer_offer", "en", "PAUSED", "Offer"));
        lists(&world, listed("at_home", "pt_BR", "APPROVED", "Oi"));
        sync(&world).await;
        for (template, told) in [
            (r#"template("viewing_remainder", ["a", "b"])"#, "did you mean viewing_reminder?"),
            (r#"template("viewing_reminder", ["a"])"#, "takes 2 values, and 1 is given"),
            (r#"template("at_home")"#, r#"language: "pt_BR""#),
            (r#"template(#{ name: "at_home", language: "de" })"#, "no language de"),
        ] {
            let problem = publish(&world, template).await.expect_err(template);
            assert!(matches!(&problem, Problem::Script(_)), "{problem}");
            assert!(problem.to_string().contains(told), "{problem}");
        }
        for right in [
            r#"template("viewing_reminder", ["a", "b"])"#,
            r#"template(#{ name: "at_home", language: "pt_BR" })"#,
        ] {
            assert_eq!(publish(&world, right).await.expect(right), Vec::<String>::new());
        }
        let warnings = publish(&world, r#"template("summer_offer")"#).await.expect("a warning stops nothing");
        assert!(warnings.len() == 1 && warnings[0].contains("summer_offer is paused"), "{warnings:?}");
    }

    async fn news_of_a_template_reach_the_next_publishing(world: World) {
        lists(&world, listed("a", "en", "PENDING", "Hi"));
        sync(&world).await;
        let said = async || publish(&world, r#"template("a")"#).await.expect("it is published").len();
        assert_eq!(said().await, 1);
        world.clock.advance(Span::minutes(1));
        tells(&world, "a", "en", "APPROVED").await;
        assert_eq!(said().await, 0);
    }

    async fn a_location_that_was_told_of_no_template_warns_once(world: World) {
        let two = r#"template("a")); chat.send(template("b", ["x"])"#;
        let warnings = publish(&world, two).await.expect("it is published");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("rejoinder template sync"), "{warnings:?}");
        sync(&world).await;
        let problem = publish(&world, two).await.expect_err("the account has none");
        assert!(problem.to_string().contains("no template a"), "{problem}");
    }

    async fn late_news_of_a_template_change_nothing(world: World) {
        lists(&world, listed("a", "en", "APPROVED", "Hi"));
        let late = template_update(&world.number, "a", "en", "PAUSED", world.clock.now());
        world.clock.advance(Span::minutes(5));
        sync(&world).await;
        world.accept(&late).await.expect("accepted");
        world.settle().await;
        assert_eq!(status_of(&world, "a").await, TemplateStatus::Approved);
    }

    async fn news_that_come_while_the_list_is_read_stay(world: World) {
        lists(&world, listed("a", "en", "APPROVED", "Hi"));
        sync(&world).await;
        let (asked, mut is_asked) = tokio::sync::mpsc::unbounded_channel();
        let slow = Fault::Delay(Span::from_ms(300));
        world.simulator.fault_when(move |it| it.operation == Operation::Content && asked.send(()).is_ok(), slow);
        let pause = async {
            is_asked.recv().await.expect("the list is asked for");
            world.clock.advance(Span::seconds(2));
            tells(&world, "a", "en", "PAUSED").await;
        };
        tokio::join!(sync(&world), pause);
        assert_eq!(status_of(&world, "a").await, TemplateStatus::Paused);
    }

    async fn a_template_of_an_account_that_is_none_of_ours_is_refused(world: World) {
        let put = async |account: Option<&str>, shape: TemplateShape| {
            match world.engine.put_template(world.location_id, account, shape).await {
                Err(Problem::Invalid(sentence)) => sentence,
                other => panic!("{other:?}"),
            }
        };
        assert!(put(Some("1"), shape("a", 0)).await.contains(&world.number.waba_id));
        assert!(put(None, shape("", 0)).await.contains("'name'"));
        assert!(put(None, TemplateShape { language: "pt-BR".into(), ..shape("a", 0) }).await.contains("pt_BR"));
        assert!(put(None, shape("a", 101)).await.contains("100"));
        twilio_channel(&world).await;
        assert!(put(None, shape("a", 0)).await.contains("'account' is missing"));
    }
}

#[tokio::test]
async fn templates_by_http_are_listed_told_and_forgotten() {
    let house = House::on(Database::sqlite().await).await;
    let location = json!({ "name": "Casa Lima", "time_zone": "Europe/Berlin" });
    let location = house.created("/locations", location).await;
    let path = format!("/locations/{location}/templates");
    let (status, answer) = house.api(Method::GET, &path, None).await;
    assert_eq!(
        (status, answer),
        (StatusCode::OK, json!({ "templates": [], "lists": [] }))
    );
    let sync = format!("{path}/sync");
    let (status, _) = house.api(Method::POST, &sync, None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);

    let number = number("106853218861309", "4930901820");
    let _ = house.simulator.meta_number(number.clone());
    let offer = json!({
        "name": "offer", "language": "pt_BR", "status": "APPROVED", "category": "MARKETING",
        "components": [
            { "type": "HEADER", "format": "IMAGE" },
            { "type": "BODY", "text": "{{first_name}}!" },
            { "type": "BUTTONS", "buttons": [{ "type": "COPY_CODE", "text": "Copy" }] },
        ],
    });
    house.simulator.meta_template(&number.waba_id, offer);
    let channel = json!({
        "provider": "meta", "account": number.waba_id, "key": number.phone_number_id,
        "phone": "+4930901820", "name": "shop",
        "credentials": { "access_token": "token-of-106853218861309" },
    });
    house
        .created(&format!("/locations/{location}/channels"), channel)
        .await;
    let (status, answer) = house.api(Method::POST, &sync, None).await;
    let synced = json!({ "provider": "meta", "account": number.waba_id, "templates": 1 });
    assert_eq!(
        (status, answer),
        (StatusCode::OK, json!({ "accounts": [synced] }))
    );

    let (_, mut listed) = house.api(Method::GET, &path, None).await;
    assert!(listed["lists"][0]["read_at"].is_string(), "{listed}");
    let mut offer = listed["templates"][0].take();
    let one = format!("{path}/offer/pt_BR");
    assert_eq!(
        house.api(Method::GET, &one, None).await,
        (StatusCode::OK, offer.clone())
    );
    offer.as_object_mut().expect("members").remove("seen_at");
    let shown = json!({
        "name": "offer", "language": "pt_BR", "parameters": ["first_name"], "header": "image",
        "buttons": [{ "index": 0, "kind": "code" }], "status": "approved", "category": "marketing",
        "account": number.waba_id,
    });
    assert_eq!(offer, shown);
    // What is shown can be put as it is, or with the least that is needed.
    let (status, _) = house.api(Method::PUT, &one, Some(offer)).await;
    assert_eq!(status, StatusCode::OK);
    let by_hand = format!("{path}/order%20ready/en");
    let (_, answer) = house
        .api(Method::PUT, &by_hand, Some(json!({ "parameters": 2 })))
        .await;
    assert_eq!(answer["name"], "order ready");
    assert_eq!(answer["parameters"], 2);

    for (body, told) in [
        (json!({ "language": "de" }), "leave it out of the body"),
        (json!({ "parameter": 1 }), "parameters"),
        (json!({ "parameters": "two" }), "such as 2"),
        (json!({ "header": "audio" }), "image"),
        (json!({ "account": "1" }), "there are"),
    ] {
        let (status, answer) = house.api(Method::PUT, &by_hand, Some(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        let message = answer["error"]["message"].as_str().expect("a sentence");
        assert!(message.contains(told), "{message}");
    }

    let (status, _) = house.api(Method::DELETE, &by_hand, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    for method in [Method::GET, Method::DELETE] {
        let (status, _) = house.api(method, &by_hand, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    house.simulator.revoke_meta("token-of-106853218861309");
    let (status, answer) = house.api(Method::POST, &sync, None).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer["error"]["code"], "provider");
    house.close().await;
}
