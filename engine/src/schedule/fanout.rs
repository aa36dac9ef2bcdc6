//! Functions of rules that are called for many chats: page by page, at a pace, an event for each chat.
//! Decides nothing: whether a chat is still meant is looked at again when its event is decided.

use crate::core::Core;
use crate::domain::fanout::Fanout;
use crate::domain::ids::{ChannelId, ConversationId};
use crate::domain::time::{Span, Timestamp};
use crate::failpoint::Point;
use crate::setup::LocationSetup;
use crate::store::{self, Course, TurnPage};

/// Chats called a second, per location: a quarter of what a number of WhatsApp may send by default, so
/// that answers to customers who write meanwhile are not held up.
const CHATS_PER_SECOND: i64 = 20;
/// Chats called in one transaction at most: a second's worth.
const MAX_CALLED: usize = 20;
/// Conversations looked at for one page: a filter that finds few must not read for long.
const MAX_LOOKED_AT: u64 = 500;
/// Locations whose pages are turned in one round.
const MAX_LOCATIONS: u64 = 50;

/// Turns the pages that are due; gives how many.
pub(super) async fn step(core: &Core, now: Timestamp) -> Result<usize, store::Error> {
    let due = core.store.due_fanouts(now, MAX_LOCATIONS).await?;
    let count = due.len();
    let mut failed = Ok(());
    for fanout in due {
        let id = fanout.id;
        // What one location met must not keep the others waiting.
        if let Err(error) = turn_page(core, fanout, now).await {
            tracing::error!(fanout.id = %id, %error, "chats could not be visited and are tried again");
            failed = Err(error);
        }
    }
    failed.map(|()| count)
}

async fn turn_page(core: &Core, fanout: Fanout, now: Timestamp) -> Result<(), store::Error> {
    let page = page(core, fanout, now).await?;
    Point::FanoutDue.pass().await?;
    core.store.write(page).await?;
    Ok(Point::FanoutTurned.pass().await?)
}

async fn page(core: &Core, fanout: Fanout, now: Timestamp) -> Result<TurnPage, store::Error> {
    let setup = core.setup.location(fanout.location_id).await?;
    let Some(setup) = setup.filter(|setup| can_be_called(setup, &fanout)) else {
        return Ok(turn(fanout, Vec::new(), Course::Cancelled, now, now));
    };
    if let Some(at) = setup.location.quiet_until(now) {
        let course = Course::On(fanout.cursor);
        return Ok(turn(fanout, Vec::new(), course, at, now));
    }
    let store = core.store.of(fanout.location_id);
    let (cursor, began) = (fanout.cursor, fanout.created_at);
    let known = store
        .conversations_with_contacts(cursor, began, MAX_LOOKED_AT)
        .await?;
    let is_last = u64::try_from(known.len()).is_ok_and(|length| length < MAX_LOOKED_AT);
    let mut chats = Vec::new();
    let mut looked_at: Option<ConversationId> = cursor;
    let mut is_full = false;
    for (id, chat) in &known {
        if chats.len() == MAX_CALLED {
            is_full = true;
            break;
        }
        looked_at = Some(*id);
        if let Some((conversation, contact)) = chat
            && fanout.filter.finds(contact, conversation, now)
        {
            chats.push((*id, conversation.channel_id));
        }
    }
    let course = if is_last && !is_full {
        Course::Done
    } else {
        Course::On(looked_at)
    };
    let called = i64::try_from(chats.len()).unwrap_or(i64::MAX);
    let pause = Span::from_ms(called.saturating_mul(1_000) / CHATS_PER_SECOND);
    Ok(turn(fanout, chats, course, now + pause, now))
}

fn can_be_called(setup: &LocationSetup, fanout: &Fanout) -> bool {
    let mut rules = setup.rules.iter();
    rules.any(|rule| rule.id == fanout.rule_id && rule.script.defines(&fanout.handler))
}

fn turn(
    fanout: Fanout,
    chats: Vec<(ConversationId, ChannelId)>,
    course: Course,
    not_before: Timestamp,
    now: Timestamp,
) -> TurnPage {
    TurnPage {
        fanout,
        chats,
        course,
        not_before,
        now,
    }
}
