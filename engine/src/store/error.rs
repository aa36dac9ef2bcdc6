//! What can go wrong between the engine and its database.

use sea_orm::{DbErr, RuntimeErr};

use crate::crypto::SealError;
use crate::failpoint::Tripped;

/// The store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database refused, or could not be reached.
    #[error("the database failed: {0}")]
    Database(String),
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
            _ if is_refusal(&error) => Self::Unwritable(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }
}

/// Whether the database refuses what it was given, and would do so again: by SQLSTATE the classes of data,
/// integrity, limits and raised exceptions; of SQLite's result codes those of size, constraint and type.
fn is_refusal(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) =
        error
    else {
        return false;
    };
    let Some(error) = error.as_database_error() else {
        return false;
    };
    let Some(code) = error.code() else {
        return false;
    };
    match (code.len(), code.parse::<u32>()) {
        (5, _) => ["22", "23", "54", "P0"]
            .iter()
            .any(|class| code.starts_with(class)),
        (_, Ok(number)) => matches!(number & 0xff, 18..=20),
        _ => false,
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
