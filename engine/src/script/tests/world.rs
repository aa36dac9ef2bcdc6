//! A location with one customer, for scripts to act on.

use serde_json::{Map, Value, json};

use crate::domain::channel::{Channel, ChannelSettings};
use crate::domain::contact::{Address, Contact, Phone};
use crate::domain::conversation::Conversation;
use crate::domain::ids::{ChannelId, ContactId, ConversationId, LocationId};
use crate::domain::inbound::{Failure, Stage, Status};
use crate::domain::location::{Location, LocationSettings};
use crate::domain::message::{Body, Choice, Message};
use crate::domain::request::{Fault, Response};
use crate::domain::snapshot::{Line, Snapshot};
use crate::domain::time::{Span, Timestamp};
use crate::domain::window::Window;
use crate::script::{Call, Input, RunOutput, Script, ScriptHost};

/// Wednesday, 25 November 2026, 10:30 in Berlin.
const NOW: Timestamp = Timestamp::from_seconds(1_795_599_000);

pub(super) struct World {
    pub(super) host: ScriptHost,
    snapshot: Snapshot,
    state: Map<String, Value>,
}

impl World {
    pub(super) fn new() -> Self {
        let phone = Phone::parse("+4930901820").expect("a number");
        let location_id = LocationId::derive(&[b"location"]);
        let channel_id = ChannelId::derive(&[b"channel"]);
        let contact_id = ContactId::derive(&[b"contact"]);
        let mut settings = LocationSettings::default();
        settings.vars.insert("phone".into(), json!("+49 30 1"));
        settings.opening_hours = serde_json::from_value(json!({
            "mon": ["09:00-13:00", "14:00-18:00"], "wed": ["09:00-13:00"], "fri": ["18:00-24:00"],
            "sat": ["00:00-02:00"],
        }))
        .expect("hours");
        settings.holidays = serde_json::from_value(json!([
            { "date": "2026-11-25", "name": "Town fair", "hours": ["10:00-12:00"] },
            { "date": "2026-12-21", "to": "2027-01-03" },
        ]))
        .expect("holidays");
        let snapshot = Snapshot {
            location: Location {
                id: location_id,
                name: "Harbour Homes".into(),
                time_zone: chrono_tz::Europe::Berlin,
                settings,
            },
            channel: Channel {
                location_id,
                id: channel_id,
                provider: "simulator".into(),
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
                attributes: Map::from_iter([("budget".to_owned(), json!(7))]),
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
                    until: Some(NOW + Span::hours(2)),
                },
                last_inbound_at: Some(NOW),
                last_person_at: None,
                assigned_to: String::new(),
                last_said_seq: 0,
            },
            history: vec![
                line("customer", "Hello", NOW - Span::hours(1)),
                line("rule", "Hi!", NOW),
            ],
            previous_message_at: None,
            answered: false,
        };
        Self {
            host: ScriptHost::builder()
                .function("vat", 1, |args| {
                    let net = args[0].as_f64().ok_or("vat needs a number")?;
                    Ok(json!(net * 0.19))
                })
                .build(),
            snapshot,
            state: Map::new(),
        }
    }

    fn call(&self, script: &Script, handler: &str, input: Input<'_>) -> RunOutput {
        self.call_all(script, &[handler], input)
    }

    /// Calls as many of these as the script has.
    fn call_all(&self, script: &Script, handlers: &[&str], input: Input<'_>) -> RunOutput {
        let defined: Vec<&str> = handlers
            .iter()
            .copied()
            .filter(|handler| handlers.len() == 1 || script.defines(handler))
            .collect();
        self.host.run(&Call {
            script,
            handlers: &defined,
            input,
            snapshot: (!matches!(input, Input::Tick { .. })).then_some(&self.snapshot),
            location: &self.snapshot.location,
            state: &self.state,
            now: NOW,
            seed: 7,
        })
    }

    /// Plays one event, as a case writes it.
    pub(super) fn play(&mut self, script: &Script, event: &str) -> RunOutput {
        let (kind, rest) = event.split_once(' ').unwrap_or((event, ""));
        let message = |body| Message {
            provider_id: "wamid.1".into(),
            body,
            reply_to: None,
            forwarded: false,
            referral: None,
        };
        let text = message(Body::Text { text: rest.into() });
        let output = match kind {
            "message" => self.call(
                script,
                "on_message",
                Input::Message {
                    message: &text,
                    at: NOW,
                },
            ),
            "echo" => self.call(
                script,
                "on_echo",
                Input::Echo {
                    message: &text,
                    at: NOW,
                },
            ),
            "start" => {
                let input = Input::Message {
                    message: &text,
                    at: NOW,
                };
                self.call_all(script, &["on_start", "on_message"], input)
            }
            "react" => {
                let input = Input::Reaction {
                    message_id: "wamid.0",
                    emoji: rest,
                    at: NOW,
                };
                self.call(script, "on_reaction", input)
            }
            "edit" => {
                let input = Input::Edit {
                    message_id: "wamid.0",
                    body: &text.body,
                    at: NOW,
                };
                self.call(script, "on_edit", input)
            }
            "revoke" => {
                let input = Input::Revoke {
                    message_id: "wamid.0",
                    at: NOW,
                };
                self.call(script, "on_revoke", input)
            }
            "tap" => {
                let tapped = message(Body::Button(Choice {
                    id: rest.into(),
                    title: rest.into(),
                    description: None,
                }));
                self.call(
                    script,
                    "on_message",
                    Input::Message {
                        message: &tapped,
                        at: NOW,
                    },
                )
            }
            "failed" => {
                let status = Status {
                    provider_id: "wamid.2".into(),
                    stage: Stage::Failed,
                    delivery_id: None,
                    peer: crate::domain::contact::Peer::default(),
                    failure: Some(Failure {
                        kind: rest.into(),
                        provider_code: 131_047,
                        detail: "Re-engagement message".into(),
                    }),
                    pricing: None,
                };
                self.call(script, "on_status", Input::Status(&status))
            }
            "timer" => {
                let (handler, args) = rest.split_once(' ').unwrap_or((rest, ""));
                let args: Option<Map<String, Value>> = serde_json::from_str(args).ok();
                let input = Input::Timer {
                    args: args.as_ref(),
                    due_at: NOW,
                };
                self.call(script, handler, input)
            }
            "tick" => self.call(script, rest, Input::Tick { due_at: NOW }),
            "each" => {
                let (handler, args) = rest.split_once(' ').unwrap_or((rest, ""));
                let args: Option<Map<String, Value>> = serde_json::from_str(args).ok();
                let input = Input::Each {
                    args: args.as_ref(),
                };
                self.call(script, handler, input)
            }
            "response" => {
                let (handler, rest) = rest.split_once(' ').expect("a handler");
                let (status, body) = rest.split_once(' ').unwrap_or((rest, "null"));
                let status = status.parse().expect("a status");
                let response = Response {
                    status,
                    body: serde_json::from_str(body).expect("JSON"),
                    error: (status == 0).then_some(Fault::Timeout),
                    request: Map::from_iter([("phone".to_owned(), json!("+4930901820"))]),
                };
                let input = Input::Response {
                    endpoint: "crm",
                    response: &response,
                };
                self.call(script, handler, input)
            }
            other => panic!("no such event: {other}"),
        };
        if let Some(state) = &output.state {
            self.state.clone_from(state);
        }
        output
    }
}

fn line(by: &str, text: &str, at: Timestamp) -> Line {
    Line {
        by: by.into(),
        kind: "text".into(),
        text: text.into(),
        at,
    }
}
