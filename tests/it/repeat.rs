//! A decision depends on its question alone: asked again, by another host, with the rule compiled anew, it is
//! the same, byte for byte. Chance is seeded and the seed is printed with what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rejoinder_engine::decide::{ActiveRule, Question, decide};
use rejoinder_engine::domain::channel::{Channel, ChannelSettings};
use rejoinder_engine::domain::contact::{Address, Contact, Phone};
use rejoinder_engine::domain::content::MediaKind;
use rejoinder_engine::domain::conversation::{Conversation, HeldBy, Hold};
use rejoinder_engine::domain::event::{EchoOrigin, Event, Payload};
use rejoinder_engine::domain::ids::{
    ChannelId, ContactId, ConversationId, EventId, LocationId, RuleId, TimerId,
};
use rejoinder_engine::domain::location::{Location, LocationSettings};
use rejoinder_engine::domain::message::{Body, Choice, Media, Message};
use rejoinder_engine::domain::run::{Outcome, Run};
use rejoinder_engine::domain::snapshot::{Line, Snapshot};
use rejoinder_engine::domain::time::{Span, Timestamp};
use rejoinder_engine::domain::window::Window;
use rejoinder_engine::script::ScriptHost;
use serde_json::{Map, Value, json};

const QUESTIONS: u64 = 1_000;

/// What customers write, so that the rules of the library find something.
const SAID: [&str; 16] = [
    "What is the price?",
    "menu",
    "STOP",
    "start",
    "I am looking for a flat",
    "250.000",
    "not much",
    "I want a real person",
    "this is unacceptable",
    "Could I visit?",
    "is there parking for my dog",
    "cancel",
    "Hello",
    "yes",
    "",
    "💬 ñ ß \u{202e}",
];
const CHOSEN: [&str; 6] = [
    "Rent",
    "menu hours",
    "menu person",
    "viewing 2026-11-26 10:00",
    "Another time",
    "Now",
];
/// One that uses chance, time and history, which the library hardly does.
const CHANCE: &str = r#"
fn on_message(chat, message) {
    let dice = random(1, 6);
    chat.state.thrown = (chat.state.thrown ?? []) + [dice, now(), duration("1h") * dice];
    if chat.state.thrown.len() > 30 { chat.state.thrown = []; }
    for line in chat.history(5) { log(line.by, line.text, line.at); }
    chat.reply(`${random()} ${dice} ${now()} ${#{ b: 1, a: dice }}`);
    if dice == 6 { chat.contact.attributes.luck = now() + "1d"; stop(); }
}
"#;

#[test]
fn a_question_asked_again_has_the_same_answer_byte_for_byte() {
    let mut sources = library();
    sources.push(("chance".to_owned(), CHANCE.to_owned()));
    let (one, other) = (ScriptHost::new(), ScriptHost::new());
    let rules = compiled(&one, &sources);
    let mut chance = Chance(0x5eed);
    let mut acted = 0;
    for nth in 0..QUESTIONS {
        let (snapshot, event, now) = chance.scene(nth, &rules);
        let states = chance.states(&rules);
        let endpoints = BTreeSet::from(["crm".to_owned()]);
        let question = Question {
            event: &event,
            location: &snapshot.location,
            rules: &rules,
            endpoints: &endpoints,
            snapshot: Some(&snapshot),
            states: &states,
            now,
        };
        let decision = decide(&one, &question);
        let again = compiled(&other, &sources);
        let rules = &again[..];
        let repeated = decide(&other, &Question { rules, ..question });
        let (first, second) = (format!("{decision:?}"), format!("{repeated:?}"));
        assert_eq!(first, second, "question {nth}: {event:?}");
        let effects = |run: &&Run| run.outcome == Outcome::Effects;
        acted += decision.runs.iter().filter(effects).count();
    }
    assert!(
        acted > 200,
        "only {acted} runs did anything: this proves little"
    );
}

fn library() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
    let mut rules: Vec<_> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("a file").path())
        .filter_map(|path| {
            let name = path
                .file_name()?
                .to_str()?
                .strip_suffix(".rhai")?
                .to_owned();
            (!name.contains('.')).then(|| (name, fs::read_to_string(&path).expect("a script")))
        })
        .collect();
    rules.sort();
    rules
}

fn compiled(host: &ScriptHost, sources: &[(String, String)]) -> Vec<ActiveRule> {
    let rules = sources.iter().map(|(name, source)| ActiveRule {
        id: RuleId::derive(&[name.as_bytes()]),
        name: name.clone(),
        version: 1,
        script: host
            .compile(source)
            .unwrap_or_else(|problems| panic!("{name}: {problems:?}")),
    });
    rules.collect()
}

/// splitmix64: the same numbers everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("small")
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn scene(&mut self, nth: u64, rules: &[ActiveRule]) -> (Snapshot, Event, Timestamp) {
        // Any minute of 2026.
        let now = Timestamp::from_seconds(
            1_767_225_600 + 60 * i64::try_from(self.below(525_600)).expect("small"),
        );
        let snapshot = self.snapshot(now);
        let payload = self.payload(rules, now);
        let rule_id = match &payload {
            Payload::Timer { .. } => Some(rules[self.below(rules.len())].id),
            _ => None,
        };
        let event = Event {
            location_id: snapshot.location.id,
            id: EventId::derive(&[&nth.to_be_bytes()]),
            channel_id: snapshot.channel.id,
            conversation_id: Some(snapshot.conversation.id),
            seq: 1_000,
            payload,
            at: now,
            received_at: now,
            rule_id,
        };
        (snapshot, event, now)
    }

    /// What each rule remembers: something that one of them may have noted.
    fn states(&mut self, rules: &[ActiveRule]) -> BTreeMap<RuleId, Map<String, Value>> {
        let noted = [
            json!({}),
            json!({ "met": true, "thrown": [1, { "$duration_ms": 5 }] }),
            json!({ "asked": "purpose", "misses": 1 }),
            json!({ "asked": "budget", "purpose": "rent", "misses": 2 }),
            json!({ "asked": "when", "purpose": "buy", "budget": 250_000 }),
            json!({ "start": { "$time": "2026-06-01T10:00:00Z" } }),
        ];
        let mut states = BTreeMap::new();
        for rule in rules {
            if let Value::Object(state) = &noted[self.below(noted.len())] {
                states.insert(rule.id, state.clone());
            }
        }
        states
    }

    fn payload(&mut self, rules: &[ActiveRule], now: Timestamp) -> Payload {
        let body = match self.below(8) {
            0 => Body::Button(self.choice()),
            1 => Body::List(self.choice()),
            2 => Body::Media(Media {
                media: if self.one_in(2) {
                    MediaKind::Image
                } else {
                    MediaKind::Document
                },
                reference: "file".into(),
                mime: "application/pdf".into(),
                name: self.one_in(2).then(|| "offer.pdf".to_owned()),
                caption: None,
                sha256: None,
                size_bytes: self.one_in(2).then_some(4_096),
                url: self.one_in(2).then(|| "https://files.example/1".to_owned()),
            }),
            _ => Body::Text {
                text: self.pick(&SAID).into(),
            },
        };
        let message = Message {
            provider_id: format!("wamid.{}", self.next()),
            body,
            reply_to: None,
            forwarded: self.one_in(9),
            referral: None,
        };
        match self.below(10) {
            0 => Payload::Echo {
                message,
                origin: EchoOrigin::Phone,
            },
            1 | 2 => Payload::Timer {
                timer_id: TimerId::derive(&[b"timer"]),
                handler: self.handler(rules),
                args: None,
                due_at: now - Span::minutes(1),
                silent_since: None,
                set_seq: 1,
            },
            _ => Payload::Message { message },
        }
    }

    fn handler(&mut self, rules: &[ActiveRule]) -> String {
        let script = &rules[self.below(rules.len())].script;
        let handlers: Vec<&str> = script
            .handlers()
            .filter(|name| !name.starts_with("on_"))
            .collect();
        if handlers.is_empty() {
            "nudge".into()
        } else {
            self.pick(&handlers).into()
        }
    }

    fn choice(&mut self) -> Choice {
        let chosen = self.pick(&CHOSEN).to_owned();
        Choice {
            id: chosen.clone(),
            title: chosen,
            description: None,
        }
    }

    fn snapshot(&mut self, now: Timestamp) -> Snapshot {
        let phone = Phone::parse("+4930901820").expect("a number");
        let location_id = LocationId::derive(&[b"location"]);
        let channel_id = ChannelId::derive(&[b"channel"]);
        let contact_id = ContactId::derive(&[b"contact"]);
        let tags = ["lead", "viewing", "needs a person"]
            .into_iter()
            .filter(|_| self.one_in(2));
        let tags = tags.map(str::to_owned).collect();
        let hold = self.one_in(6).then_some(Hold {
            by: HeldBy::Phone,
            until: now + Span::hours(1),
        });
        let spoke = now - Span::minutes(i64::try_from(self.below(3_000)).expect("small"));
        Snapshot {
            location: Location {
                id: location_id,
                name: "Casa Lima".into(),
                time_zone: chrono_tz::Europe::Berlin,
                settings: LocationSettings::default(),
            },
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
                name: self.pick(&["Ada", "", "Ω"]).into(),
                phone: Some(phone.clone()),
                language: "en".into(),
                tags,
                attributes: Map::from_iter([("budget".to_owned(), json!(self.below(1_000)))]),
                opted_out: self.one_in(7),
            },
            conversation: Conversation {
                location_id,
                id: ConversationId::derive(&[b"conversation"]),
                channel_id,
                contact_id,
                address: Address::Phone(phone),
                hold,
                window: Window {
                    until: Some(spoke + Span::hours(24)),
                },
                last_inbound_at: Some(spoke),
                last_person_at: None,
                assigned_to: String::new(),
                last_said_seq: 999,
            },
            history: vec![Line {
                by: "customer".into(),
                kind: "text".into(),
                text: "Hello".into(),
                at: spoke,
            }],
            previous_message_at: self.one_in(2).then(|| spoke - Span::days(40)),
            answered: self.one_in(2),
        }
    }
}
