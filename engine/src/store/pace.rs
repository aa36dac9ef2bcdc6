//! Up to when rates are used, so that a restart does not begin with a full burst.

use sea_orm::entity::prelude::Uuid;
use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult};

use super::batch::Batch;
use super::{Error, Operation, Store, sql};
use crate::domain::time::Timestamp;

/// What is used up to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaceKind {
    /// The rate of a number.
    Number,
    /// The rate of a conversation.
    Pair,
    /// A number's right to send: the provider asked for a pause.
    Pause,
}

impl PaceKind {
    const ALL: [Self; 3] = [Self::Number, Self::Pair, Self::Pause];

    const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Pair => "pair",
            Self::Pause => "pause",
        }
    }
}

/// A rate, and up to when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PaceRow {
    pub(crate) kind: PaceKind,
    /// The channel or conversation.
    pub(crate) id: Uuid,
    pub(crate) until: Timestamp,
}

#[derive(FromQueryResult)]
struct Row {
    kind: String,
    id: Uuid,
    until: i64,
}

impl Store {
    /// What is used beyond `now`.
    pub(crate) async fn paces(&self, now: Timestamp) -> Result<Vec<PaceRow>, Error> {
        let text = "SELECT kind, id, used_until AS until FROM rejoinder_pace WHERE used_until > $1";
        let statement = sql(&self.reader, text, [now.ms().into()]);
        let rows = Row::find_by_statement(statement).all(&self.reader).await?;
        let read = |row: Row| {
            let kind = PaceKind::ALL
                .into_iter()
                .find(|kind| kind.name() == row.kind)?;
            Some(PaceRow {
                kind,
                id: row.id,
                until: Timestamp::from_ms(row.until),
            })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }
}

/// Keeps rows, and forgets those that tell of the past.
pub(crate) struct KeepPace {
    pub(crate) rows: Vec<PaceRow>,
    pub(crate) now: Timestamp,
}

impl Operation for KeepPace {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        const KEEP: &str = "INSERT INTO rejoinder_pace (kind, id, used_until) VALUES ($1, $2, $3) \
             ON CONFLICT (kind, id) DO UPDATE SET used_until = excluded.used_until";
        for row in &self.rows {
            let values = [row.kind.name().into(), row.id.into(), row.until.ms().into()];
            tx.execute_raw(sql(tx, KEEP, values)).await?;
        }
        let text = "DELETE FROM rejoinder_pace WHERE used_until <= $1";
        tx.execute_raw(sql(tx, text, [self.now.ms().into()]))
            .await?;
        Ok(())
    }
}
