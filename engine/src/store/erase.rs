//! A location's deletion. Its key and whatever could act go in one transaction, which leaves a tombstone; the
//! rest is cleared away in batches afterwards. Knows every table of a location by name, and no row.
//!
//! Nothing leaves after that transaction, whichever process works on the database: what leaves was committed as
//! *sending*, from a row that is gone now or for a conversation whose lane is gone. What a process stores for a
//! moment longer, because it has not looked at its set-up since, is cleared away with the rest.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, FromQueryResult};

use super::batch::Batch;
use super::{Error, Operation, Store, revision, sql, tombstone, write_json};
use crate::domain::ids::{ChannelId, LocationId};
use crate::domain::inbound::ChannelKey;
use crate::domain::time::{Span, Timestamp};
use sea_orm::entity::prelude::Uuid;

/// Rows that go in one transaction at most: others must not wait long for their turn to write.
const MAX_BATCH: u64 = 500;
/// For so long after a deletion rows may still be stored by who has not noticed it: a set-up is looked at every
/// second, and a transaction waits for two.
const AFTERMATH: Span = Span::minutes(1);
/// For so long webhooks for a deleted number are taken and dropped: a provider sends them again for a week, and
/// gives an address up that never takes any.
const REMEMBERED: Span = Span::hours(30 * 24);

/// What of a table goes together with the key.
enum AtOnce {
    Everything,
    /// The rows that could act.
    Where(&'static str),
    Nothing,
}

use AtOnce::{Everything, Nothing, Where};

/// A table with rows of locations: its name, its key beside the location, and what goes at once. In the order in
/// which they go: a lane before what needs it, and what events are made of before events.
type Table = (&'static str, &'static str, AtOnce);

/// All of them. Who adds a table to the database adds it here.
const TABLES: [Table; 25] = [
    ("rejoinder_lane", "conversation_id", Everything),
    ("rejoinder_schedule", "rule_id, handler, cron", Everything),
    (
        "rejoinder_timer",
        "conversation_id, rule_id, handler",
        Everything,
    ),
    (
        "rejoinder_request",
        "id",
        Where("state IN ('open', 'held')"),
    ),
    ("rejoinder_fanout", "id", Where("state = 'open'")),
    ("rejoinder_event", "id", Where("state = 'pending'")),
    (
        "rejoinder_delivery",
        "id",
        Where("state IN ('ready', 'sending', 'in_doubt')"),
    ),
    ("rejoinder_channel", "id", Everything),
    ("rejoinder_endpoint", "name", Everything),
    ("rejoinder_onboarding", "id", Everything),
    ("rejoinder_bridge_ticket", "id", Everything),
    ("rejoinder_token", "id", Everything),
    ("rejoinder_rule", "id", Everything),
    ("rejoinder_rule_version", "rule_id, version", Nothing),
    ("rejoinder_rule_state", "conversation_id, rule_id", Nothing),
    ("rejoinder_template", "account, name, language", Everything),
    ("rejoinder_template_list", "account", Everything),
    ("rejoinder_sweep", "channel_id", Everything),
    ("rejoinder_resource", "account, key", Nothing),
    ("rejoinder_note", "id", Nothing),
    ("rejoinder_run", "id", Nothing),
    ("rejoinder_message", "id", Nothing),
    ("rejoinder_address", "kind, value", Nothing),
    ("rejoinder_conversation", "id", Nothing),
    ("rejoinder_contact", "id", Nothing),
];

/// What people are told that goes, by the word for it.
const CONTENTS: [(&str, &str); 10] = [
    ("channels", "rejoinder_channel"),
    ("endpoints", "rejoinder_endpoint"),
    ("rules", "rejoinder_rule"),
    ("tokens", "rejoinder_token"),
    ("contacts", "rejoinder_contact"),
    ("conversations", "rejoinder_conversation"),
    ("events", "rejoinder_event"),
    ("deliveries", "rejoinder_delivery"),
    ("timers", "rejoinder_timer"),
    ("notes", "rejoinder_note"),
];

#[derive(FromQueryResult)]
struct Count {
    n: i64,
}

#[derive(FromQueryResult)]
struct Tombstone {
    location_id: Uuid,
    deleted_at: i64,
}

impl Store {
    /// How much there is of a location.
    pub(crate) async fn contents(&self, id: LocationId) -> Result<Vec<(&'static str, u64)>, Error> {
        let mut contents = Vec::with_capacity(CONTENTS.len());
        for (word, table) in CONTENTS {
            let text = format!("SELECT COUNT(*) AS n FROM {table} WHERE location_id = $1");
            let statement = sql(&self.reader, &text, [id.uuid().into()]);
            let row = Count::find_by_statement(statement)
                .one(&self.reader)
                .await?;
            let count = row.and_then(|row| u64::try_from(row.n).ok());
            contents.push((word, count.unwrap_or(0)));
        }
        Ok(contents)
    }

    /// Clears away a batch of what deleted locations left; gives how many rows, 0 if nothing is left for now.
    pub(crate) async fn clear_away(&self, now: Timestamp) -> Result<u64, Error> {
        let text = "SELECT location_id, deleted_at FROM rejoinder_tombstone \
                    WHERE cleared_at IS NULL ORDER BY deleted_at, location_id";
        let left = Tombstone::find_by_statement(sql(&self.reader, text, []));
        for tombstone in left.all(&self.reader).await? {
            let clear = ClearAway {
                location_id: LocationId::from_uuid(tombstone.location_id),
                deleted_at: Timestamp::from_ms(tombstone.deleted_at),
                now,
            };
            let cleared = self.write(clear).await?;
            if cleared > 0 {
                return Ok(cleared);
            }
        }
        self.forget_tombstones(now).await
    }

    async fn forget_tombstones(&self, now: Timestamp) -> Result<u64, Error> {
        let before = (now - REMEMBERED).ms();
        let text = "SELECT COUNT(*) AS n FROM rejoinder_tombstone \
                    WHERE cleared_at IS NOT NULL AND deleted_at < $1";
        let statement = sql(&self.reader, text, [before.into()]);
        let row = Count::find_by_statement(statement)
            .one(&self.reader)
            .await?;
        match row {
            Some(row) if row.n > 0 => self.write(ForgetTombstones { before }).await,
            _ => Ok(0),
        }
    }
}

/// Destroys a location's key, and takes away whatever could act; false if the location is not there.
pub(crate) struct EraseLocation {
    pub(crate) location_id: LocationId,
    pub(crate) now: Timestamp,
}

impl Operation for EraseLocation {
    type Output = bool;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<bool, Error> {
        overwrite(tx).await?;
        let id = self.location_id;
        let text = "DELETE FROM rejoinder_location WHERE id = $1";
        let deleted = tx.execute_raw(sql(tx, text, [id.uuid().into()])).await?;
        if deleted.rows_affected() == 0 {
            return Ok(false);
        }
        tombstone::set(tx, id, self.now).await?;
        let text = "DELETE FROM rejoinder_refusal WHERE channel_id IN \
                    (SELECT id FROM rejoinder_channel WHERE location_id = $1)";
        tx.execute_raw(sql(tx, text, [id.uuid().into()])).await?;
        // Twice: what the first look waited for may have been written into a table that it had passed.
        for _ in 0..2 {
            for (table, _, at_once) in &TABLES {
                let rows = match at_once {
                    Everything => "true",
                    Where(rows) => rows,
                    Nothing => continue,
                };
                let text = format!("DELETE FROM {table} WHERE location_id = $1 AND {rows}");
                tx.execute_raw(sql(tx, &text, [id.uuid().into()])).await?;
            }
        }
        revision::raise(tx).await?;
        Ok(true)
    }
}

/// Deletes a batch of rows of a location that is gone; gives how many.
struct ClearAway {
    location_id: LocationId,
    deleted_at: Timestamp,
    now: Timestamp,
}

impl Operation for ClearAway {
    type Output = u64;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<u64, Error> {
        overwrite(tx).await?;
        let id = self.location_id;
        for (table, key, _) in &TABLES {
            let text = format!(
                "DELETE FROM {table} WHERE location_id = $1 \
                 AND ({key}) IN (SELECT {key} FROM {table} WHERE location_id = $1 LIMIT {MAX_BATCH})"
            );
            let deleted = tx.execute_raw(sql(tx, &text, [id.uuid().into()])).await?;
            if deleted.rows_affected() > 0 {
                return Ok(deleted.rows_affected());
            }
        }
        let strays = clear_strays(tx, id).await?;
        if strays == 0 && self.now.since(self.deleted_at) >= AFTERMATH {
            let text = "UPDATE rejoinder_tombstone SET cleared_at = $2 WHERE location_id = $1";
            let values = [id.uuid().into(), self.now.ms().into()];
            tx.execute_raw(sql(tx, text, values)).await?;
        }
        Ok(strays)
    }
}

/// Deletes a batch of webhook items that were kept for the operator and that its secrets verified, or that name
/// its numbers.
async fn clear_strays(tx: &DatabaseTransaction, id: LocationId) -> Result<u64, Error> {
    let text = format!(
        "DELETE FROM rejoinder_unrouted WHERE id IN (SELECT id FROM rejoinder_unrouted \
         WHERE verifier IN ($1, $2) OR (provider = $3 AND substr(raw, 1, $4) = $5) LIMIT {MAX_BATCH})"
    );
    for channel in tombstone::channels_of(tx, id).await? {
        let channel_id = ChannelId::from_uuid(channel.channel_id);
        let head = format!("{{\"to\":{}", write_json(&ChannelKey::Key(channel.key)));
        let length = i32::try_from(head.chars().count()).unwrap_or(i32::MAX);
        let values = [
            format!("channel:{channel_id}").into(),
            format!("account:{channel_id}").into(),
            channel.provider.into(),
            length.into(),
            head.into(),
        ];
        let deleted = tx.execute_raw(sql(tx, &text, values)).await?;
        if deleted.rows_affected() > 0 {
            return Ok(deleted.rows_affected());
        }
    }
    Ok(0)
}

/// Forgets locations that were deleted long ago; gives how many.
struct ForgetTombstones {
    before: i64,
}

impl Operation for ForgetTombstones {
    type Output = u64;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<u64, Error> {
        const OLD: &str = "cleared_at IS NOT NULL AND deleted_at < $1";
        let text = format!(
            "DELETE FROM rejoinder_tombstone_channel WHERE location_id IN \
             (SELECT location_id FROM rejoinder_tombstone WHERE {OLD})"
        );
        tx.execute_raw(sql(tx, &text, [self.before.into()])).await?;
        let text = format!("DELETE FROM rejoinder_tombstone WHERE {OLD}");
        let forgotten = tx.execute_raw(sql(tx, &text, [self.before.into()])).await?;
        revision::raise(tx).await?;
        Ok(forgotten.rows_affected())
    }
}

/// From now on what SQLite deletes is overwritten in its file as well. PostgreSQL does so when it vacuums.
async fn overwrite(tx: &DatabaseTransaction) -> Result<(), Error> {
    if tx.get_database_backend() == DbBackend::Sqlite {
        tx.execute_unprepared("PRAGMA secure_delete = ON").await?;
    }
    Ok(())
}
