//! What is kept: locations, conversations, events, deliveries. The only owner of sea-orm.
//!
//! One file per table: its private row, the conversion to plain data, and its queries. A write that
//! matters is one operation with a name (`record`, `commit`, `settle` …), applied by the writer task.
//! Everything that belongs to a tenant is reached through a [`LocationStore`]; only claiming and the
//! look-up of a webhook's channel go without.

#![expect(
    unreachable_pub,
    reason = "the rows that sea-orm derives are public inside private modules"
)]

mod address;
mod answer;
mod attempt;
mod batch;
mod channel;
mod commit;
mod connect;
mod contact;
mod conversation;
mod delivery;
mod depart;
mod doubt;
mod endpoint;
mod erase;
mod error;
mod event;
mod evidence;
mod fanout;
mod fire;
mod health;
mod introduce;
mod key_check;
mod known;
mod lane;
mod location;
mod lock;
mod message;
mod note;
mod onboarding;
mod open;
mod pace;
mod person;
mod progress;
mod record;
mod replay;
mod request;
mod resource;
mod revision;
mod rule;
mod rule_state;
mod run;
mod schedule;
mod scratch;
mod settle;
mod status;
mod sweep;
mod template;
mod ticket;
mod timer;
mod token;
mod tombstone;
mod transaction;
mod unreadable;
mod unrouted;
mod writer;

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, Value};
use tokio::task::JoinHandle;

use crate::domain::ids::LocationId;

pub(crate) use answer::{AnswerRequest, HeldAnswer};
pub(crate) use attempt::{CountAttempt, Counted, Requeue, UncountAttempt};
pub(crate) use channel::SaveChannel;
pub(crate) use channel::StoredChannel;
pub(crate) use commit::{Commit, HoldChange, RuleState, TimerChange};
pub use delivery::{DeliveryFilter, DeliveryRow};
pub(crate) use depart::Depart;
pub use doubt::Verdict;
pub(crate) use doubt::{Doubt, Doubted, Judge, Orphaned, Recall};
pub(crate) use endpoint::{DeleteEndpoint, SaveEndpoint, StoredEndpoint};
pub(crate) use erase::EraseLocation;
pub use error::Error;
pub(crate) use error::{read_json, write_json};
pub use event::EventRow;
pub(crate) use event::Unpark;
pub use fanout::FanoutRow;
pub(crate) use fanout::{Course, TurnPage};
pub(crate) use fire::{Due, Fire};
pub(crate) use health::{ChannelHealth, KeepRefusals};
pub(crate) use introduce::Introduce;
pub(crate) use key_check::{ForgetKeys, RewrapDataKey, SealingKey};
pub(crate) use location::{NewDataKey, SaveLocation};
pub(crate) use lock::Lock;
pub use message::MessageRow;
pub(crate) use note::AddNote;
pub(crate) use onboarding::{
    BeginOnboarding, DeleteOnboarding, DueOnboarding, PostponeOnboarding, SaveOnboarding,
    StoredOnboarding,
};
pub(crate) use pace::{KeepPace, PaceKind, PaceRow};
pub(crate) use person::PersonWrites;
pub(crate) use record::{Record, RecordItem, Stray};
pub use replay::FailedFilter;
pub(crate) use replay::Replay;
pub use request::RequestRow;
pub(crate) use request::RetryRequest;
pub(crate) use resource::KeepResource;
pub use rule::NewRule;
pub(crate) use rule::{CreateRule, PublishRule, SaveDraft, SwitchRule};
pub use run::RunRow;
pub(crate) use schedule::Schedule;
pub use scratch::Scratch;
pub(crate) use settle::{Intend, Intended, Settle, Settled, Settlement};
pub(crate) use sweep::NoteSwept;
pub(crate) use template::{ForgetTemplate, ReplaceTemplates, SaveTemplate};
pub use template::{TemplateListRow, TemplateRow};
pub(crate) use ticket::{CreateTicket, UseTicket};
pub use timer::TimerRow;
pub use token::TokenRow;
pub(crate) use token::{CreateToken, RevokeToken};
pub(crate) use tombstone::DeletedChannel;
pub(crate) use unrouted::ForgetUnrouted;
pub use unrouted::UnroutedRow;
pub(crate) use writer::{EventSink, Operation, Urgency, Writer};

/// The host's way to hand us its database.
pub use sea_orm::DatabaseConnection as Connection;

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    reader: DatabaseConnection,
    known: Arc<known::Known>,
    writer_task: Arc<WriterTask>,
}

/// Lets the last owner wait until everything handed over is written.
struct WriterTask(tokio::sync::Mutex<Option<JoinHandle<()>>>);

impl Store {
    fn start(writing: DatabaseConnection, reader: DatabaseConnection) -> Self {
        let (writer, task) = Writer::start(writing);
        Self {
            writer,
            reader,
            known: Arc::default(),
            writer_task: Arc::new(WriterTask(tokio::sync::Mutex::new(Some(task)))),
        }
    }

    /// The door to one location's data.
    pub fn of(&self, location_id: LocationId) -> LocationStore<'_> {
        LocationStore {
            store: self,
            location_id,
        }
    }

    /// The connection on which migrations are run and the host's own queries may be.
    pub fn connection(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.reader.ping().await?)
    }

    /// Waits until everything handed over is written. Other clones of the store must be gone.
    pub async fn close(self) {
        let Self {
            writer,
            reader,
            writer_task,
            known: _,
        } = self;
        drop(writer);
        if let Some(task) = writer_task.0.lock().await.take() {
            // The task panics on nothing; a panic would have been logged where it happened.
            let _ = tokio::time::timeout(std::time::Duration::from_secs(10), task).await;
        }
        let _ = reader.close().await;
    }

    /// Tells `sink` of events that were written, in their order.
    pub(crate) fn tell(&self, sink: EventSink) {
        self.writer.tell(sink);
    }

    /// How often it became unknown whether something was written.
    pub(crate) fn tremors(&self) -> u64 {
        self.writer.tremors()
    }

    /// Whether something may be written that nobody was told of.
    pub(crate) fn is_shaken(&self) -> bool {
        self.writer.is_shaken()
    }

    /// Everything was looked for that became unknown by then.
    pub(crate) fn mend(&self, tremors: u64) {
        self.writer.mend(tremors);
    }

    /// Resolves when it became unknown whether something was written.
    pub(crate) async fn shaken(&self) {
        self.writer.shaken().await;
    }

    pub(crate) async fn write<O: Operation>(&self, operation: O) -> Result<O::Output, Error> {
        self.writer.write(Urgency::Result, operation).await
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// The door to one location's data: nothing of another location can be seen or changed through it.
#[derive(Clone, Copy, Debug)]
pub struct LocationStore<'a> {
    store: &'a Store,
    location_id: LocationId,
}

impl LocationStore<'_> {
    fn reader(&self) -> &DatabaseConnection {
        &self.store.reader
    }
}

/// A statement for the few hot queries: one text for both databases, prepared once.
fn sql(
    on: &impl ConnectionTrait,
    text: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(on.get_database_backend(), text, values)
}
