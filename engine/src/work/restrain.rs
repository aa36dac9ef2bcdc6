//! Rules that answer a program rest: what they wanted to send is dropped, the conversation is held, and people
//! are told. Whether it is a program, the guard says.

use sha2::{Digest, Sha256};

use crate::core::Core;
use crate::decide::Decision;
use crate::domain::conversation::{HeldBy, Hold};
use crate::domain::delivery::{DeliveryState, Origin};
use crate::domain::event::{Event, Payload};
use crate::domain::ids::NoteId;
use crate::domain::note::{Author, Note};
use crate::domain::run::TraceLine;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Timestamp;
use crate::guard::{Other, Turn};
use crate::store::{self, HoldChange};

/// Takes from a decision what would be one answer too many.
pub(super) async fn restrain(
    core: &Core,
    event: &Event,
    snapshot: Option<&Snapshot>,
    decision: &mut Decision,
    now: Timestamp,
) -> Result<(), store::Error> {
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    let answers = (decision.deliveries.iter()).any(|it| it.state == DeliveryState::Ready);
    if !answers {
        return Ok(());
    }
    let conversation = &snapshot.conversation;
    if let Some(hold) = conversation.held(now)
        && hold.by == HeldBy::Guard
    {
        silence(
            decision,
            "not sent: the chat rests, since it went round in circles",
        );
        return Ok(());
    }
    let channels = core.setup.channels().await?;
    let other = if channels.has_phone(&conversation.address) {
        Other::OwnNumber
    } else {
        Other::Anyone
    };
    let turn = Turn {
        at: now,
        said_at: matches!(event.payload, Payload::Message { .. }).then_some(event.received_at),
        words: words(event, decision),
    };
    let limits = &snapshot.location.settings.loop_guard;
    let Some(rest) = core.guard.judge(conversation.id, limits, other, turn) else {
        return Ok(());
    };
    tracing::warn!(location.id = %event.location_id, conversation.id = %conversation.id, why = rest.why, until = %rest.until,
        "the rules rest in a conversation that goes round in circles");
    silence(decision, &format!("not sent: {}", rest.why));
    decision.hold = HoldChange::Change {
        seen: conversation.hold,
        to: Some(Hold {
            by: HeldBy::Guard,
            until: rest.until,
        }),
    };
    decision.notes.push(Note {
        location_id: event.location_id,
        id: NoteId::derive(&[event.id.bytes(), b"guard"]),
        conversation_id: conversation.id,
        author: Author::Person("Rejoinder".to_owned()),
        text: format!(
            "The rules rest in this chat until {}: {}. Release the chat to let them answer before.",
            rest.until, rest.why
        ),
        created_at: now,
        position: u32::try_from(decision.notes.len()).unwrap_or(u32::MAX),
    });
    Ok(())
}

/// Drops what rules wanted to send, and says so in their traces.
fn silence(decision: &mut Decision, why: &str) {
    decision
        .deliveries
        .retain(|delivery| delivery.origin == Origin::Person);
    for run in &mut decision.runs {
        if run.effects.iter().any(|effect| effect.sends()) {
            run.trace.push(TraceLine {
                text: why.to_owned(),
                line: 0,
            });
        }
    }
}

/// What was said and answered, as a number: the same for the same words.
fn words(event: &Event, decision: &Decision) -> u64 {
    let mut hash = Sha256::new();
    if let Payload::Message { message } = &event.payload {
        hash.update(message.body.text());
    }
    for delivery in &decision.deliveries {
        hash.update(delivery.content.text_hash());
    }
    let hash = hash.finalize();
    u64::from_be_bytes(std::array::from_fn(|nth| hash[nth]))
}
