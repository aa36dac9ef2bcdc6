//! What can go wrong between the engine and its database.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use crate::crypto::SealError;
use crate::failpoint::Tripped;

/// The store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database refused, or could not be reached.
    #[error("the database failed: {0}")]
    Database(String),
    /// The database takes nothing at the moment: its disk is full, it is locked, or it is going away.
    #[error("the database takes nothing at the moment: {0}")]
    Unavailable(String),
    /// The database will not have a value, today or tomorrow.
    #[error("the database refuses a value: {0}")]
    Unwritable(String),
    /// Something of that name or number is there already.
    #[error("{0}")]
    Conflict(String),
    /// A row does not read as what it should be.
    #[error("a row of {table} does not read: {what}")]
    Corrupt {
        /// The table, without its prefix.
        table: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A sealed value does not open.
    #[error("a secret of the database does not open")]
    Sealed(#[from] SealError),
    /// The database is not set up for what we promise.
    #[error("{0}")]
    Unfit(String),
    /// It was written before: an event is decided once.
    #[error("it was written before")]
    Stale,
    /// More is waiting to be written than may wait.
    #[error("too much is waiting to be written; try again in a moment")]
    Overloaded,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        // A statement's text may come with the error, but never a bound value: those hold message text and numbers.
        match error.sql_err() {
            Some(sea_orm::SqlErr::UniqueConstraintViolation(_)) => {
                Self::Conflict("it exists already".to_owned())
            }
            _ => match concern(&error) {
                Some(Concern::Value) => Self::Unwritable(error.to_string()),
                Some(Concern::Database) => Self::Unavailable(error.to_string()),
                None => Self::Database(error.to_string()),
            },
        }
    }
}

/// What an error says something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concern {
    /// It is refused, and would be again.
    Value,
    /// Nothing can be written now, whatever it is.
    Database,
}

fn concern(error: &DbErr) -> Option<Concern> {
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        let is_connection = matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_));
        return is_connection.then_some(Concern::Database);
    };
    match error.as_database_error() {
        Some(error) => of_code(&error.code()?),
        None => matches!(
            **error,
            sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        )
        .then_some(Concern::Database),
    }
}

/// Of SQLSTATE the classes of data, integrity, limits and raised exceptions on the one side; connections, resources
/// such as the disk, a lock that does not come, an operator's hand, the system and a server that only reads on the
/// other. Of SQLite's result codes those of size, constraint and type; and busy, locked, memory, read-only, I/O,
/// a full disk, and a file that does not open.
fn of_code(code: &str) -> Option<Concern> {
    const VALUE: [&str; 4] = ["22", "23", "54", "P0"];
    const DATABASE: [&str; 6] = ["08", "25006", "53", "55P03", "57P", "58"];
    let is_of = |classes: &[&str]| classes.iter().any(|class| code.starts_with(class));
    match (code.len(), code.parse::<u32>()) {
        (5, _) if is_of(&VALUE) => Some(Concern::Value),
        (5, _) if is_of(&DATABASE) => Some(Concern::Database),
        (5, _) => None,
        (_, Ok(number)) => match number & 0xff {
            18..=20 => Some(Concern::Value),
            5..=8 | 10 | 13..=15 => Some(Concern::Database),
            _ => None,
        },
        _ => None,
    }
}

impl From<Tripped> for Error {
    fn from(tripped: Tripped) -> Self {
        Self::Database(tripped.to_string())
    }
}

impl Error {
    pub(crate) fn corrupt(table: &'static str, what: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            table,
            what: what.to_string(),
        }
    }
}

/// Reads a JSON column.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(
    table: &'static str,
    text: &str,
) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::corrupt(table, error))
}

/// Writes a JSON column.
pub(crate) fn write_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own types have string keys and finite numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_held_against_no_value() {
        for (code, expected) in [
            // PostgreSQL: disk full, too many connections, shutting down, an I/O error, a lock that does not come.
            ("53100", Some(Concern::Database)),
            ("53300", Some(Concern::Database)),
            ("57P01", Some(Concern::Database)),
            ("58030", Some(Concern::Database)),
            ("55P03", Some(Concern::Database)),
            ("25006", Some(Concern::Database)),
            // Not in UTF-8, a constraint, too large for an index.
            ("22021", Some(Concern::Value)),
            ("23514", Some(Concern::Value)),
            ("54000", Some(Concern::Value)),
            // Two that lock each other out may both be written when each is alone.
            ("40P01", None),
            // SQLite: full, an I/O error in general and while writing, busy with a snapshot.
            ("13", Some(Concern::Database)),
            ("10", Some(Concern::Database)),
            ("778", Some(Concern::Database)),
            ("517", Some(Concern::Database)),
            ("18", Some(Concern::Value)),
            ("275", Some(Concern::Value)),
            ("1", None),
        ] {
            assert_eq!(of_code(code), expected, "{code}");
        }
    }
}
