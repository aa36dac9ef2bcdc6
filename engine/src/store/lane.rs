//! The small row beside each conversation: its sequence, its window, and who is in charge.
//! Apart from the conversation, so that accepting a message never waits for a rule that runs.

use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult};

use super::{Error, sql};
use crate::domain::conversation::{HeldBy, Hold};
use crate::domain::ids::{ConversationId, LocationId};
use crate::domain::time::Timestamp;
use crate::domain::window::Window;

pub(super) async fn create(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ConversationId,
) -> Result<(), Error> {
    let text = "INSERT INTO rejoinder_lane (location_id, conversation_id, next_seq, last_said_seq) VALUES ($1, $2, 1, 0) \
                ON CONFLICT (location_id, conversation_id) DO NOTHING";
    tx.execute_raw(sql(tx, text, [location_id.uuid().into(), id.uuid().into()]))
        .await?;
    Ok(())
}

/// Another event got a number.
pub(super) async fn advance(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ConversationId,
) -> Result<(), Error> {
    let text = "UPDATE rejoinder_lane SET next_seq = next_seq + 1 WHERE location_id = $1 AND conversation_id = $2";
    tx.execute_raw(sql(tx, text, [location_id.uuid().into(), id.uuid().into()]))
        .await?;
    Ok(())
}

/// A person wrote: the conversation is theirs until then, and every further message renews that.
pub(super) async fn note_person(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ConversationId,
    at: Timestamp,
    seq: i64,
    hold: Hold,
) -> Result<(), Error> {
    let text = "UPDATE rejoinder_lane SET last_person_at = $3, held_by = $4, held_until = $5, last_said_seq = $6 \
                WHERE location_id = $1 AND conversation_id = $2";
    let values = [
        location_id.uuid().into(),
        id.uuid().into(),
        at.ms().into(),
        hold.by.name().into(),
        hold.until.ms().into(),
        seq.into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await?;
    Ok(())
}

/// Puts someone in charge, or nobody, unless who is in charge has changed since it was `seen`.
pub(super) async fn change_hold(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ConversationId,
    seen: Option<Hold>,
    to: Option<Hold>,
) -> Result<(), Error> {
    let text = "UPDATE rejoinder_lane SET held_by = $3, held_until = $4 \
                WHERE location_id = $1 AND conversation_id = $2 \
                AND held_by IS NOT DISTINCT FROM $5 AND held_until IS NOT DISTINCT FROM $6";
    let by = |hold: Option<Hold>| hold.map(|hold| hold.by.name().to_owned());
    let until = |hold: Option<Hold>| hold.map(|hold| hold.until.ms());
    let values = [
        location_id.uuid().into(),
        id.uuid().into(),
        by(to).into(),
        until(to).into(),
        by(seen).into(),
        until(seen).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await?;
    Ok(())
}

/// Names the person who should take over, or with "" nobody.
pub(super) async fn assign(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ConversationId,
    to: &str,
) -> Result<(), Error> {
    let text = "UPDATE rejoinder_lane SET assigned_to = $3 WHERE location_id = $1 AND conversation_id = $2";
    let to = Some(to).filter(|to| !to.is_empty());
    let values = [location_id.uuid().into(), id.uuid().into(), to.into()];
    tx.execute_raw(sql(tx, text, values)).await?;
    Ok(())
}

/// The provider says that the window was shut at `at`: it is, unless we received something after that.
pub(super) async fn close_window(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ConversationId,
    at: Timestamp,
) -> Result<(), Error> {
    let text = "UPDATE rejoinder_lane SET window_until = $3 WHERE location_id = $1 AND conversation_id = $2 \
                AND window_until > $3 AND (last_inbound_at IS NULL OR last_inbound_at <= $3)";
    tx.execute_raw(sql(
        tx,
        text,
        [location_id.uuid().into(), id.uuid().into(), at.ms().into()],
    ))
    .await?;
    Ok(())
}

/// The window, and who is in charge, as they are in this transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lane {
    pub(super) window: Window,
    pub(super) hold: Option<Hold>,
}

#[derive(FromQueryResult)]
struct Row {
    window_until: Option<i64>,
    held_by: Option<String>,
    held_until: Option<i64>,
}

pub(super) async fn read(
    on: &impl ConnectionTrait,
    location_id: LocationId,
    id: ConversationId,
) -> Result<Lane, Error> {
    let text = "SELECT window_until, held_by, held_until FROM rejoinder_lane \
                WHERE location_id = $1 AND conversation_id = $2";
    let statement = sql(on, text, [location_id.uuid().into(), id.uuid().into()]);
    let row = Row::find_by_statement(statement).one(on).await?;
    Ok(row.map_or_else(Lane::default, |row| Lane {
        window: Window {
            until: row.window_until.map(Timestamp::from_ms),
        },
        hold: row
            .held_by
            .as_deref()
            .and_then(HeldBy::parse)
            .zip(row.held_until)
            .map(|(by, until)| Hold {
                by,
                until: Timestamp::from_ms(until),
            }),
    }))
}
