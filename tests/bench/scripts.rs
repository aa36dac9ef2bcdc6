//! What a run costs: a bare call into Rhai, a run of a rule, a whole decision, compiling a script, and the
//! memory of ten thousand rules. All of it in one process on one thread, so that the figures compare.
//!
//! `cargo bench -p rejoinder-tests --bench scripts`. Figures are printed, never asserted: machines differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use rejoinder_engine::decide::{ActiveRule, Question, decide};
use rejoinder_engine::domain::channel::{Channel, ChannelSettings};
use rejoinder_engine::domain::contact::{Address, Contact, Phone};
use rejoinder_engine::domain::conversation::Conversation;
use rejoinder_engine::domain::event::{Event, Payload};
use rejoinder_engine::domain::ids::{
    ChannelId, ContactId, ConversationId, EventId, LocationId, RuleId,
};
use rejoinder_engine::domain::location::{Location, LocationSettings};
use rejoinder_engine::domain::message::{Body, Message};
use rejoinder_engine::domain::snapshot::Snapshot;
use rejoinder_engine::domain::time::{Span, Timestamp};
use rejoinder_engine::domain::window::Window;
use rejoinder_engine::script::ScriptHost;
use serde_json::{Map, json};

/// Tuesday, 24 November 2026, nine in the morning, UTC.
const NOW: Timestamp = Timestamp::from_seconds(1_795_510_800);
/// How long each thing is repeated.
const LENGTH: Duration = Duration::from_secs(2);
/// Rules that are loaded at once.
const RULES: usize = 10_000;

/// What a tenant would write.
const RULE: &str = r#"
const WORDS = ["price", "prix", "cost"];

fn on_message(chat, message) {
    if !message.mentions(WORDS) { return; }
    chat.state.asked = (chat.state.asked ?? 0) + 1;
    chat.contact.tag("lead");
    chat.reply(`Hi ${chat.contact.name}, about ${message.text}: prices start at €120,000.`);
    chat.if_silent("2d", "nudge");
}

fn nudge(chat) {
    chat.reply("Still interested?", template("viewing_reminder", [chat.contact.name_or("there")]));
}
"#;

/// The same work for Rhai alone: maps instead of a chat, functions that do nothing instead of effects.
const BARE: &str = r#"
fn on_message(chat, message) {
    if !mentions(message, "price") { return; }
    chat.state.asked = (chat.state.asked ?? 0) + 1;
    tag(chat, "lead");
    reply(chat, `Hi ${chat.contact.name}, about ${message.text}: prices start at €120,000.`);
    if_silent(chat, "2d", "nudge");
}
"#;

fn main() {
    let host = ScriptHost::new();
    let (location, snapshot) = place();
    say("one thread, each repeated for two seconds:");

    let bare = bare();
    let nothing = Decider::new(
        &host,
        "fn on_message(chat, message) { }",
        &location,
        &snapshot,
    );
    let nothing = rate("a decision about a rule that does nothing", || {
        nothing.decide()
    });
    let silent = Decider::new(&host, RULE, &location, &snapshot);
    let quiet = event("Good morning, is anybody there?");
    let silent = rate("a rule that looks at the words and stays silent", || {
        silent.decide_about(&quiet)
    });
    let decider = Decider::new(&host, RULE, &location, &snapshot);
    let whole = rate("a rule that answers, tags, notes, and sets a timer", || {
        decider.decide()
    });
    let micros = |per_second: f64| 1_000_000.0 / per_second;
    say(&format!(
        "\na bare call of such a script costs {:.1} µs; the decision around it {:.1} µs more: {:.1} µs for a \
         snapshot, run and event of any rule, the rest for words, state and effects. A silent rule costs {:.1} µs.\n\
         bare : decision = 1 : {:.1}",
        micros(bare),
        micros(whole) - micros(bare),
        micros(nothing),
        micros(silent),
        bare / whole,
    ));

    say("");
    compile(&host);
    load(&host);
}

fn bare() -> f64 {
    let mut engine = rhai::Engine::new_raw();
    engine.register_global_module(rhai::packages::Package::as_shared_module(
        &rhai::packages::StandardPackage::new(),
    ));
    engine
        .register_fn("mentions", |message: rhai::Map, word: &str| {
            message["text"]
                .as_immutable_string_ref()
                .is_ok_and(|text| text.contains(word))
        })
        .register_fn("tag", |_: rhai::Map, _: &str| {})
        .register_fn("reply", |_: rhai::Map, _: &str| {})
        .register_fn("if_silent", |_: rhai::Map, _: &str, _: &str| {});
    let script = engine.compile(BARE).expect("a script");
    let map = |text: &str| engine.parse_json(text, true).expect("JSON");
    let chat = map(r#"{"contact": {"name": "Ada"}, "state": {"asked": 1}}"#);
    let message = map(r#"{"text": "What is the price of the flat?"}"#);
    let options = || rhai::CallFnOptions::new().eval_ast(false);
    rate("a bare call into Rhai", || {
        let mut scope = rhai::Scope::new();
        let args = (chat.clone(), message.clone());
        engine
            .call_fn_with_options::<rhai::Dynamic>(
                options(),
                &mut scope,
                &script,
                "on_message",
                args,
            )
            .expect("it runs")
    })
}

/// A rule, and a conversation for it to look at.
struct Decider<'a> {
    host: &'a ScriptHost,
    rules: [ActiveRule; 1],
    location: &'a Location,
    snapshot: &'a Snapshot,
    event: Event,
    states: BTreeMap<RuleId, Map<String, serde_json::Value>>,
}

impl<'a> Decider<'a> {
    fn new(
        host: &'a ScriptHost,
        source: &str,
        location: &'a Location,
        snapshot: &'a Snapshot,
    ) -> Self {
        let id = RuleId::derive(&[b"rule"]);
        let rule = ActiveRule {
            id,
            name: "price".into(),
            version: 1,
            script: host.compile(source).expect("a script"),
        };
        let state = Map::from_iter([("asked".to_owned(), json!(1))]);
        Self {
            host,
            rules: [rule],
            location,
            snapshot,
            event: event("What is the price of the flat?"),
            states: BTreeMap::from([(id, state)]),
        }
    }

    fn decide(&self) -> usize {
        self.decide_about(&self.event)
    }

    fn decide_about(&self, event: &Event) -> usize {
        let endpoints = BTreeSet::new();
        let question = Question {
            event,
            location: self.location,
            rules: &self.rules,
            endpoints: &endpoints,
            snapshot: Some(self.snapshot),
            states: &self.states,
            now: NOW,
        };
        decide(self.host, &question).runs.len()
    }
}

/// Compiling and checking, of one script again and again.
fn compile(host: &ScriptHost) {
    let rate = rate("compiling a rule of 20 lines", || {
        host.compile(RULE).is_ok()
    });
    say(&format!("  {:.0} µs each", 1_000_000.0 / rate));
}

/// Ten thousand rules, each a little different, kept compiled.
fn load(host: &ScriptHost) {
    let source = |nth: usize| RULE.replace("€120,000", &format!("€{nth}"));
    // What the allocator takes at first is not the rules'.
    let warm: Vec<_> = (0..200)
        .map(|nth| host.compile(&source(nth)).expect("a script"))
        .collect();
    let before = resident_bytes();
    let start = Instant::now();
    let scripts: Vec<_> = (0..RULES)
        .map(|nth| host.compile(&source(1_000 + nth)).expect("a script"))
        .collect();
    let took = start.elapsed();
    let after = resident_bytes();
    black_box((warm, scripts));
    match (before, after) {
        (Some(before), Some(after)) => say(&format!(
            "{RULES} rules loaded in {:.1} s; {:.1} kB of memory for each, its text of {:.1} kB aside",
            took.as_secs_f64(),
            (after.saturating_sub(before)) as f64 / RULES as f64 / 1_000.0,
            RULE.len() as f64 / 1_000.0,
        )),
        _ => say(&format!(
            "{RULES} rules loaded in {:.1} s; this system does not tell memory",
            took.as_secs_f64()
        )),
    }
}

/// What the process holds in memory, where the system tells.
fn resident_bytes() -> Option<u64> {
    const PAGE_BYTES: u64 = 4_096;
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

/// Repeats `work` and says how often a second it can be done.
fn rate<T>(name: &str, mut work: impl FnMut() -> T) -> f64 {
    const AT_ONCE: u32 = 100;
    for _ in 0..AT_ONCE {
        black_box(work());
    }
    let start = Instant::now();
    let mut count = 0_u32;
    while start.elapsed() < LENGTH {
        for _ in 0..AT_ONCE {
            black_box(work());
        }
        count += AT_ONCE;
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    say(&format!("{rate:>10.0}/s  {name}"));
    rate
}

fn event(text: &str) -> Event {
    Event {
        location_id: LocationId::derive(&[b"location"]),
        id: EventId::derive(&[b"event"]),
        channel_id: ChannelId::derive(&[b"channel"]),
        conversation_id: Some(ConversationId::derive(&[b"conversation"])),
        seq: 1,
        payload: Payload::Message {
            message: Message {
                provider_id: "wamid.1".into(),
                body: Body::Text { text: text.into() },
                reply_to: None,
                forwarded: false,
                referral: None,
            },
        },
        at: NOW,
        received_at: NOW,
        rule_id: None,
    }
}

fn place() -> (Location, Snapshot) {
    let phone = Phone::parse("+4930901820").expect("a number");
    let location_id = LocationId::derive(&[b"location"]);
    let channel_id = ChannelId::derive(&[b"channel"]);
    let contact_id = ContactId::derive(&[b"contact"]);
    let location = Location {
        id: location_id,
        name: "Casa Lima".into(),
        time_zone: chrono_tz::Europe::Berlin,
        settings: LocationSettings::default(),
    };
    let snapshot = Snapshot {
        location: location.clone(),
        channel: Channel {
            location_id,
            id: channel_id,
            provider: "meta".into(),
            account: "a".into(),
            key: "k".into(),
            phone: phone.clone(),
            name: "Main".into(),
            settings: ChannelSettings::default(),
            enabled: true,
        },
        contact: Contact {
            location_id,
            id: contact_id,
            name: "Ada".into(),
            phone: Some(phone.clone()),
            language: "en".into(),
            tags: vec!["old".into()],
            attributes: Map::new(),
            opted_out: false,
        },
        conversation: Conversation {
            location_id,
            id: ConversationId::derive(&[b"conversation"]),
            channel_id,
            contact_id,
            address: Address::Phone(phone),
            hold: None,
            window: Window {
                until: Some(NOW + Span::hours(24)),
            },
            last_inbound_at: Some(NOW),
            last_person_at: None,
            assigned_to: String::new(),
            last_said_seq: 1,
        },
        history: Vec::new(),
        previous_message_at: None,
        answered: false,
    };
    (location, snapshot)
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").expect("stdout is open");
}
