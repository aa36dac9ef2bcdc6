//! The chat: what is known about a conversation, and handing it over to a person and back.
//! Knows nothing of what is said in it; `answer.rs` and `timer.rs` do.

use std::sync::Arc;

use rhai::{Array, Dynamic, Map};

use super::contact::ContactView;
use super::location::LocationView;
use super::store::Bag;
use super::time::Time;
use super::window::WindowView;
use super::{Api, Fallible, api, fail, span, text};
use crate::domain::conversation::{HeldBy, Hold};
use crate::domain::effect::Effect;
use crate::domain::note::Note;
use crate::domain::time::{Span, Timestamp};
use crate::script::run::Run;
use crate::script::{convert, limits};

/// A conversation, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct Chat(pub(in crate::script) Arc<Run>);

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "The chat",
        "A chat is one customer at one number of the business. A function is given it as its first parameter, and hands it on to the functions that it calls: `offer(chat)`.",
    );
    api.noun::<Chat>("chat", "chat");
    api! { api;
        /// The customer.
        ///
        /// ```rhai
        /// chat.reply(`Hi ${chat.contact.name_or("there")}!`);
        /// ```
        get "chat.contact: contact" => |chat: &mut Chat| ContactView(Arc::clone(&chat.0));

        /// The business.
        ///
        /// ```rhai
        /// chat.reply(`Welcome to ${chat.location.name}.`);
        /// ```
        get "chat.location: location" => |chat: &mut Chat| LocationView(Arc::clone(&chat.0));

        /// What this rule remembers of this chat: a map that is kept from one run to the next.
        ///
        /// Each rule has its own. It is kept if the run ends without an error, and may have 64 KiB as
        /// JSON. A name that was never set is `()`.
        ///
        /// ```rhai
        /// chat.state.visits = (chat.state.visits ?? 0) + 1;
        /// ```
        get "chat.state: state" => |chat: &mut Chat| Bag::state(&chat.0);

        /// The service window: whether free text may be sent, and for how long.
        ///
        /// ```rhai
        /// if chat.window.left < "1h" { chat.reply("We will come back to you tomorrow."); }
        /// ```
        get "chat.window: window" => |chat: &mut Chat| WindowView(Arc::clone(&chat.0));

        /// Whether someone else is in charge of the chat, this run's own `hold` included.
        ///
        /// ```rhai
        /// if chat.held { return; }
        /// ```
        get "chat.held: bool" => |chat: &mut Chat| chat.0.recorded().hold.is_some();

        /// Who is in charge: `"phone"` (the owner's app), `"agent"` (a person at a desk), `"rule"`, or `""`.
        ///
        /// ```rhai
        /// if chat.held_by == "phone" { log("the owner is answering"); }
        /// ```
        get "chat.held_by: text" => held_by;

        /// The person who should take over, as `chat.assign` named them, or `""`.
        ///
        /// ```rhai
        /// if chat.assigned_to == "Maria" { chat.reply("Maria will answer you in a moment."); }
        /// ```
        get "chat.assigned_to: text" => |chat: &mut Chat| chat.0.recorded().assigned_to.clone();

        /// When the customer last wrote, or `()` if never.
        ///
        /// ```rhai
        /// if chat.last_message_at != () && now() - chat.last_message_at > "30d" { chat.reply("Long time no see!"); }
        /// ```
        get "chat.last_message_at: time?" => last_message_at;

        /// In a follow-up: when it was due. It may have come later. Elsewhere `()`.
        ///
        /// ```rhai
        /// if chat.due != () && now() - chat.due > "1h" { log("late"); }
        /// ```
        get "chat.due: time?" => due;

        /// The latest messages, oldest first.
        ///
        /// Each is a map of `by` (`"customer"`, `"phone"`, `"inbox"`, `"rule"`), `kind`, `text` and
        /// `at`. 50 at most.
        ///
        /// ```rhai
        /// for line in chat.history(10) { log(line.by, line.text); }
        /// ```
        fn "chat.history(count: integer) -> array" => history;
    }
    api.mechanics().register_set("state", set_state);
    register_handing_over(api);
}

fn register_handing_over(api: &mut Api<'_>) {
    api.chapter(
        "Handing over to a person",
        "While somebody else holds a chat, the rules' `on_message` is not called, follow-ups wait, and what the customer writes is not answered afterwards. \
         A person who writes takes the chat by themselves, for as long as the location has set (12 hours unless changed); each further message of theirs begins that anew, and cancels what rules had waiting to be sent. \
         A rule that begins with `even_when_held();` takes no notice.",
    );
    api! { api;
        /// Hands the chat to a person for a while: for as long as the location has set, or as told.
        ///
        /// What this run and earlier ones have sent still goes out.
        ///
        /// ```rhai
        /// chat.hold();
        /// chat.hold("12h");
        /// ```
        fn "chat.hold(delay?: duration)" => hold, hold_for;

        /// Names the person who should take over, and hands the chat over as `chat.hold()` does, unless
        /// somebody has it already; `""` takes that back.
        ///
        /// The name is shown in the inbox until the chat is assigned to somebody else or released. `""`
        /// ends a rule's hold, and not that of a person who has written.
        ///
        /// ```rhai
        /// chat.assign("Maria");
        /// ```
        fn "chat.assign(name: text)" => assign;

        /// Writes a note beside the chat, for the people of the business; the customer never sees it.
        ///
        /// 4 KiB at most.
        ///
        /// ```rhai
        /// chat.note(`Looks for ${message.text}.`);
        /// ```
        fn "chat.note(text: text)" => note;

        /// Takes the chat back from a person; follow-ups that waited fall due.
        ///
        /// ```rhai
        /// chat.release();
        /// ```
        fn "chat.release()" => release;
    }
}

fn hold(chat: &mut Chat) -> Fallible<()> {
    hold_until(chat, chat.0.location.hold)
}

fn hold_for(chat: &mut Chat, delay: Dynamic) -> Fallible<()> {
    hold_until(chat, span(&delay, "chat.hold(\"12h\")")?)
}

fn hold_until(chat: &Chat, span: Span) -> Fallible<()> {
    chat.0.want(Effect::Hold { span })?;
    chat.0.recorded().hold = Some(Hold {
        by: HeldBy::Rule,
        until: chat.0.now + span,
    });
    Ok(())
}

fn release(chat: &mut Chat) -> Fallible<()> {
    chat.0.want(Effect::Release)?;
    let mut recorded = chat.0.recorded();
    recorded.hold = None;
    recorded.assigned_to.clear();
    Ok(())
}

fn assign(chat: &mut Chat, name: Dynamic) -> Fallible<()> {
    let to = convert::to_text(&name).or_else(|reason| fail(format!("the name: {reason}")))?;
    let to = to.trim();
    if to.chars().count() > limits::ASSIGNEE_CHARS {
        return fail(format!(
            "the name of a person has {} letters at most",
            limits::ASSIGNEE_CHARS
        ));
    }
    chat.0.want(Effect::Assign { to: to.to_owned() })?;
    let until = chat.0.now + chat.0.location.hold;
    let mut recorded = chat.0.recorded();
    to.clone_into(&mut recorded.assigned_to);
    match recorded.hold {
        Some(hold) if to.is_empty() && hold.by == HeldBy::Rule => recorded.hold = None,
        None if !to.is_empty() => {
            let by = HeldBy::Rule;
            recorded.hold = Some(Hold { by, until });
        }
        _ => {}
    }
    Ok(())
}

fn note(chat: &mut Chat, value: Dynamic) -> Fallible<()> {
    let text = text(&value, "a note")?;
    if text.len() > Note::MAX_BYTES {
        return fail(format!(
            "a note has {} bytes, {} at most",
            text.len(),
            Note::MAX_BYTES
        ));
    }
    chat.0.want(Effect::Note { text })
}

fn history(chat: &mut Chat, count: i64) -> Array {
    let lines = &chat.0.history;
    let count = usize::try_from(count)
        .unwrap_or(0)
        .min(limits::HISTORY_LINES);
    lines[lines.len().saturating_sub(count)..]
        .iter()
        .map(|line| {
            Dynamic::from_map(Map::from_iter([
                ("by".into(), line.by.as_str().into()),
                ("kind".into(), line.kind.as_str().into()),
                ("text".into(), line.text.as_str().into()),
                ("at".into(), time(&chat.0, line.at)),
            ]))
        })
        .collect()
}

pub(super) fn time(run: &Run, at: Timestamp) -> Dynamic {
    Dynamic::from(Time { at, zone: run.zone })
}

fn set_state(chat: &mut Chat, value: Dynamic) -> Fallible<()> {
    Bag::state(&chat.0).replace(&value)
}

fn held_by(chat: &mut Chat) -> &'static str {
    chat.0.recorded().hold.map_or("", |hold| hold.by.name())
}

fn last_message_at(chat: &mut Chat) -> Fallible<Dynamic> {
    let at = chat.0.chat()?.last_inbound_at;
    Ok(at.map_or(Dynamic::UNIT, |at| time(&chat.0, at)))
}

fn due(chat: &mut Chat) -> Dynamic {
    chat.0.due_at.map_or(Dynamic::UNIT, |at| time(&chat.0, at))
}
