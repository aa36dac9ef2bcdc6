//! Scripts: whatever they say, checking, compiling and running them comes to an end, by an error if need be,
//! with no more effects than there may be, and with the same effects the next time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono_tz::Tz;
use rejoinder_engine::decide::{ActiveRule, Question, decide};
use rejoinder_engine::domain::channel::{Channel, ChannelSettings};
use rejoinder_engine::domain::contact::{Address, Contact, Phone};
use rejoinder_engine::domain::conversation::Conversation;
use rejoinder_engine::domain::event::{Event, Payload};
use rejoinder_engine::domain::ids::{
    ChannelId, ContactId, ConversationId, EventId, LocationId, RuleId, TimerId,
};
use rejoinder_engine::domain::location::{Location, LocationSettings};
use rejoinder_engine::domain::message::{Body, Message};
use rejoinder_engine::domain::snapshot::Snapshot;
use rejoinder_engine::domain::time::{Span, Timestamp};
use rejoinder_engine::domain::window::Window;
use rejoinder_engine::script::{ScriptHost, Surroundings};
use serde_json::{Map, json};

use crate::{bytes, contents};

/// Tuesday, 24 November 2026, nine in the morning, UTC.
const NOW: Timestamp = Timestamp::from_seconds(1_795_510_800);
/// Effects of a run at most, as the guide for authors says.
const MAX_EFFECTS: usize = 100;
/// Lines of a trace at most.
const MAX_TRACE: usize = 100;
/// Functions of a script that are called by a timer.
const MAX_HANDLERS: usize = 4;

static HOST: LazyLock<ScriptHost> = LazyLock::new(ScriptHost::new);
static PLACE: LazyLock<(Location, Snapshot)> = LazyLock::new(place);

/// A script, or bytes that are none.
pub fn run(data: &[u8]) {
    let source = String::from_utf8_lossy(data);
    let surroundings = Surroundings::default();
    let _ = HOST.check(&source, &surroundings);
    let (line, column) = position(&source);
    // What an editor asks takes as long as all else.
    if column % 4 == 0 {
        let _ = HOST.complete(&source, (line, column), &surroundings);
        let _ = HOST.hover(&source, (line, column), &surroundings);
    }
    let Ok(script) = HOST.compile(&source) else {
        return;
    };
    let handlers: Vec<String> = script.handlers().map(str::to_owned).collect();
    let rule = ActiveRule {
        id: RuleId::derive(&[b"rule"]),
        name: "fuzzed".into(),
        version: 1,
        script,
    };
    let said = Payload::Message {
        message: Message {
            provider_id: "wamid.1".into(),
            body: Body::Text {
                text: "What is the price of the flat at 7 p.m.? ünïcode 🏠".into(),
            },
            reply_to: None,
            forwarded: false,
            referral: None,
        },
    };
    let timers = handlers.into_iter().take(MAX_HANDLERS).map(|handler| {
        let args = Map::from_iter([("count".to_owned(), json!(3)), ("who".into(), json!("Ada"))]);
        Payload::Timer {
            timer_id: TimerId::derive(&[b"timer"]),
            handler,
            args: Some(args),
            due_at: NOW,
            set_seq: 1,
            silent_since: None,
        }
    });
    for payload in std::iter::once(said).chain(timers) {
        decide_twice(&rule, payload);
    }
}

fn decide_twice(rule: &ActiveRule, payload: Payload) {
    let (location, snapshot) = &*PLACE;
    let event = Event {
        location_id: location.id,
        id: EventId::derive(&[b"event"]),
        channel_id: snapshot.channel.id,
        conversation_id: Some(snapshot.conversation.id),
        seq: 2,
        payload,
        at: NOW,
        received_at: NOW,
        rule_id: None,
    };
    let state = Map::from_iter([("asked".to_owned(), json!(1)), ("n".into(), json!([1, {}]))]);
    let question = Question {
        event: &event,
        location,
        rules: std::slice::from_ref(rule),
        endpoints: &BTreeSet::from(["crm".to_owned()]),
        snapshot: Some(snapshot),
        states: &BTreeMap::from([(rule.id, state)]),
        now: NOW,
    };
    let decision = decide(&HOST, &question);
    let wanted = decision.deliveries.len() + decision.notes.len() + decision.requests.len();
    assert!(wanted <= MAX_EFFECTS, "{wanted} effects");
    for run in &decision.runs {
        assert!(
            run.trace.len() <= MAX_TRACE,
            "{} lines of trace",
            run.trace.len()
        );
    }
    for delivery in &decision.deliveries {
        let written = serde_json::to_string(&delivery.content).expect("content can be written");
        let read = serde_json::from_str(&written).ok();
        assert_eq!(Some(&delivery.content), read.as_ref(), "and read");
    }
    let again = decide(&HOST, &question);
    // A run that was given up for lack of time may come further the next time.
    let late = |text: &str| text.contains("too long");
    let shown = format!("{decision:?}");
    assert!(
        late(&shown) || shown == format!("{again:?}"),
        "the same question has another answer"
    );
}

/// A place in a script, told by the script itself.
fn position(source: &str) -> (u32, u32) {
    let sum = source.bytes().fold(7_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    let lines = u32::try_from(source.lines().count()).unwrap_or(u32::MAX);
    (sum % lines.saturating_add(2), (sum >> 8) % 90)
}

fn place() -> (Location, Snapshot) {
    let phone = Phone::parse("+4930901820").expect("a number");
    let location_id = LocationId::derive(&[b"location"]);
    let channel_id = ChannelId::derive(&[b"channel"]);
    let contact_id = ContactId::derive(&[b"contact"]);
    let location = Location {
        id: location_id,
        name: "Casa Lima".into(),
        time_zone: Tz::Europe__Berlin,
        settings: LocationSettings::default(),
    };
    let contact = Contact {
        location_id,
        id: contact_id,
        name: "Ada".into(),
        phone: Some(phone.clone()),
        language: "en".into(),
        tags: vec!["old".into()],
        attributes: Map::new(),
        opted_out: false,
    };
    let conversation = Conversation {
        location_id,
        id: ConversationId::derive(&[b"conversation"]),
        channel_id,
        contact_id,
        address: Address::Phone(phone.clone()),
        hold: None,
        window: Window {
            until: Some(NOW + Span::hours(24)),
        },
        last_inbound_at: Some(NOW),
        last_person_at: None,
        assigned_to: String::new(),
        last_said_seq: 1,
    };
    let snapshot = Snapshot {
        location: location.clone(),
        channel: channel(phone),
        contact,
        conversation,
        history: Vec::new(),
        previous_message_at: None,
        answered: false,
    };
    (location, snapshot)
}

/// A channel of Meta's.
pub(crate) fn channel(phone: Phone) -> Channel {
    Channel {
        location_id: LocationId::derive(&[b"location"]),
        id: ChannelId::derive(&[b"channel"]),
        provider: "meta".into(),
        account: "215589313241560883".into(),
        key: "106853218861309".into(),
        phone,
        name: "Main".into(),
        settings: ChannelSettings::default(),
        enabled: true,
    }
}

/// What to begin with.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = contents("scripts", ".rhai");
    seeds.extend(contents("engine/src/script/cases", ".rhai"));
    seeds.extend(bytes(&[
        "",
        "fn on_message(chat, message) { let s = \"a\"; loop { s += s; } }",
        "fn on_message(chat, message) { let a = []; loop { a = [a]; } }",
        "fn on_message(chat, message) { let m = #{}; loop { m[`${m.len()}`] = m; } }",
        "fn on_message(chat, message) { on_message(chat, message); }",
        "fn on_message(chat, message) { let s = \"a\".pad(60000, \"b\"); s.replace(\"b\", s); chat.reply(s); }",
        "fn on_message(chat, message) { for i in 0..1000000000 { chat.reply(`${i}`); } }",
        "fn on_message(chat, message) { chat.state.x = (-9223372036854775808).abs() / -1 % 0; }",
        "fn on_message(chat, message) { switch message.text { 1 => 2, _ => throw #{a: [1, 2]} } }",
        "fn on_message(chat, message) { try { message.text[-1] } catch (e) { chat.reply(e) } }",
        "fn on_message(chat, message) { message.matches(\"(a*)*b\"); message.matches(\"\\\\w{1000}\"); }",
        "every(\"0 9 * * MON\", \"x\"); fn x(location) { location.each_chat(#{}, \"y\"); } fn y(chat) { }",
    ]));
    seeds
}
