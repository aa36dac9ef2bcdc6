//! What a scene begins with: a location with a number, an endpoint, and a rule with its errands.
//! Knows no program.

use rejoinder_adapters::meta::MetaConfig;
use rejoinder_adapters::simulator::MetaNumber;
use rejoinder_adapters::{Calls, Reach};
use rejoinder_engine::crypto::{Secret, Vault};
use rejoinder_engine::domain::channel::ChannelSettings;
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::endpoint::Method;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::domain::location::{InDoubtPolicy, LocationSettings, LoopGuard};
use rejoinder_engine::store::{NewRule, Store};
use rejoinder_engine::{Engine, NewChannel, NewEndpoint, NewLocation};
use rejoinder_migrations::{Migrator, MigratorTrait};

use crate::crm::Crm;
use crate::database::Database;

pub(super) const APP_SECRET: &str = "the-app-secret";
pub(super) const TOKEN_OF_THE_NUMBER: &str = "token-of-the-number";

/// Says everything once more, and runs the errands that a message names.
const RULE: &str = r#"
    fn on_message(chat, message) {
        chat.state.n = (chat.state.n ?? 0) + 1;
        chat.reply(message.text);
        if message.text.contains("remind") {
            chat.after("1s", "later", #{ text: message.text });
        }
        if message.text.contains("ask") {
            chat.request("crm", #{ text: message.text }, "answered");
        }
        if message.text.contains("visit") {
            let tag = "c" + message.text.split(" ")[0];
            chat.contact.tag(tag);
            chat.location.each_chat(#{ tag: tag }, "visit", #{ text: message.text });
        }
    }
    fn later(chat, args) { chat.reply("later: " + args.text); }
    fn answered(chat, response) { chat.reply("answered: " + response.request.text); }
    fn visit(chat, args) { chat.reply("visited: " + args.text); }
"#;

/// Something that a message may want besides its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Nothing,
    /// A follow-up.
    Remind,
    /// A request of an endpoint.
    Ask,
    /// A fan-out that finds this one chat.
    Visit,
}

impl Errand {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Remind => " remind",
            Self::Ask => " ask",
            Self::Visit => " visit",
        }
    }
}

/// What is said once besides the answer to a message.
pub(super) fn follows(text: &str) -> Option<String> {
    let how = match text.rsplit(' ').next() {
        Some("remind") => "later",
        Some("ask") => "answered",
        Some("visit") => "visited",
        _ => return None,
    };
    Some(format!("{how}: {text}"))
}

pub(super) async fn engine(database: &Database, ring: &Secret, provider: &str) -> Engine {
    let store = Store::open(&database.url).await.expect("it opens");
    Migrator::up(store.connection(), None)
        .await
        .expect("the tables are made");
    let mut builder = Engine::on(store)
        .vault(Vault::from_ring(ring).expect("a ring"))
        .caller(Calls::new(Reach::Everywhere));
    let config = rejoinder_adapters::Config {
        meta: MetaConfig {
            base_url: provider.to_owned(),
            ..MetaConfig::default()
        },
        ..rejoinder_adapters::Config::default()
    };
    for adapter in rejoinder_adapters::all(&config) {
        builder = builder.shared_adapter(adapter);
    }
    builder.build().await.expect("an engine")
}

/// A location with a number, an endpoint, and the rule.
pub(super) async fn furnish(engine: &Engine, number: &MetaNumber, crm: &Crm) -> LocationId {
    let location = NewLocation {
        name: "Casa Lima".into(),
        time_zone: chrono_tz::Europe::Berlin,
        settings: LocationSettings {
            in_doubt_replies: InDoubtPolicy::Hold,
            // Its customers write as fast as no person does.
            loop_guard: LoopGuard::OFF,
            ..LocationSettings::default()
        },
    };
    let location = engine.create_location(location).await.expect("a location");
    let registration = number.registration();
    let channel = NewChannel {
        provider: "meta".into(),
        account: registration.waba_id.clone(),
        key: Some(registration.phone_number_id.clone()),
        phone: Phone::parse(&format!("+{}", registration.display_phone)).expect("a number"),
        name: "Front desk".into(),
        settings: ChannelSettings {
            messages_per_second: 1_000,
            ..ChannelSettings::default()
        },
        credentials: [("access_token", Secret::new(TOKEN_OF_THE_NUMBER))]
            .into_iter()
            .collect(),
    };
    let channel = engine.create_channel(location.id, channel).await;
    channel.expect("a channel");
    let endpoint = NewEndpoint {
        name: "crm".into(),
        url: crm.url(),
        method: Method::Post,
        headers: [].into(),
        timeout_ms: None,
    };
    let endpoint = engine.create_endpoint(location.id, endpoint).await;
    endpoint.expect("an endpoint");
    let rule = NewRule {
        name: "echo".into(),
        source: RULE.into(),
        tests: String::new(),
        position: None,
    };
    let rule = engine.create_rule(location.id, rule).await.expect("a rule");
    let published = engine.publish_rule(location.id, rule.id).await;
    published.unwrap_or_else(|problem| panic!("{problem}"));
    location.id
}
