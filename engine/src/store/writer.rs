//! The one task that writes, in groups: many operations, one transaction, one sync of the disk.
//! Knows no table.
//!
//! No transaction lives in a future that a caller can drop: a caller hands over an operation and waits
//! for its answer, and if the caller goes away the operation is done all the same. An operation may be
//! applied twice (another of its group was refused, and it is tried alone), never committed twice.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sea_orm::{DatabaseConnection, DatabaseTransaction};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Error;
use super::batch::{Batch, Flushed};
use super::transaction::{begin, commit, roll_back};
use crate::domain::event::Event;
use crate::failpoint::Point;

/// Operations in one transaction at most: larger groups add delay without saving syncs worth having.
const MAX_GROUP: usize = 256;
/// Inbound operations that may wait; above it a webhook is answered 503, and comes again.
const MAX_WAITING_INBOUND: usize = 4096;
/// Results that may wait. They are bounded by the work in flight; the limit only guards against a mistake.
const MAX_WAITING_RESULTS: usize = 65_536;

/// Something to be written as a whole or not at all.
pub(crate) trait Operation: Send + Sync + 'static {
    /// What the caller learns once it is on disk.
    type Output: Send + 'static;

    /// Writes it. May be called again after a transaction was rolled back.
    fn apply(
        &self,
        tx: &DatabaseTransaction,
        batch: &mut Batch,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;

    /// Corrects the output by what came of the batch.
    fn complete(&self, output: Self::Output, _flushed: &Flushed) -> Self::Output {
        output
    }

    /// The events among the output that wait for their rules.
    fn take_events(&self, _output: &mut Self::Output) -> Vec<Event> {
        Vec::new()
    }
}

/// Which of two queues an operation waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Results of work already taken on; served first, so that acknowledgements do not outrun answers.
    Result,
    /// New work.
    Inbound,
}

/// Told of the events that were written, in the order in which they were: conversations depend on it.
pub(crate) type EventSink = Arc<dyn Fn(Vec<Event>) + Send + Sync>;

/// How often it became unknown whether something was written, and up to which time memory was mended since.
#[derive(Debug, Default)]
struct Tremors {
    felt: AtomicU64,
    mended: AtomicU64,
    news: Notify,
}

impl Tremors {
    fn feel(&self) {
        self.felt.fetch_add(1, Ordering::SeqCst);
        self.news.notify_one();
    }
}

/// The way to the writer task. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    results: mpsc::Sender<Box<dyn Job>>,
    inbound: mpsc::Sender<Box<dyn Job>>,
    sink: Arc<OnceLock<EventSink>>,
    tremors: Arc<Tremors>,
}

impl Writer {
    /// Starts the task on a connection of its own. It ends when every `Writer` is dropped.
    pub(crate) fn start(connection: DatabaseConnection) -> (Self, JoinHandle<()>) {
        let (results, results_waiting) = mpsc::channel(MAX_WAITING_RESULTS);
        let (inbound, inbound_waiting) = mpsc::channel(MAX_WAITING_INBOUND);
        let sink = Arc::new(OnceLock::new());
        let tremors = Arc::<Tremors>::default();
        let task = tokio::spawn(run(
            connection,
            results_waiting,
            inbound_waiting,
            Arc::clone(&sink),
            Arc::clone(&tremors),
        ));
        (
            Self {
                results,
                inbound,
                sink,
                tremors,
            },
            task,
        )
    }

    /// From now on tells `sink` of events; the first one stays.
    pub(crate) fn tell(&self, sink: EventSink) {
        let _ = self.sink.set(sink);
    }

    /// Resolves when it became unknown whether something was written.
    pub(crate) async fn shaken(&self) {
        self.tremors.news.notified().await;
    }

    /// How often it became unknown whether something was written.
    pub(crate) fn tremors(&self) -> u64 {
        self.tremors.felt.load(Ordering::SeqCst)
    }

    /// Whether something may be on disk that nobody was told of. What is told of later must wait.
    pub(crate) fn is_shaken(&self) -> bool {
        self.tremors.mended.load(Ordering::SeqCst) < self.tremors()
    }

    /// Everything was looked for that became unknown by then.
    pub(crate) fn mend(&self, tremors: u64) {
        self.tremors.mended.fetch_max(tremors, Ordering::SeqCst);
    }

    /// Writes `operation` and waits until it is on disk.
    pub(crate) async fn write<O: Operation>(
        &self,
        urgency: Urgency,
        operation: O,
    ) -> Result<O::Output, Error> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Pending {
            operation,
            output: None,
            answer,
        });
        match urgency {
            Urgency::Result => self.results.send(job).await.map_err(|_| Error::Closed)?,
            Urgency::Inbound => self.inbound.try_send(job).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::Overloaded,
                mpsc::error::TrySendError::Closed(_) => Error::Closed,
            })?,
        }
        answered.await.map_err(|_| Error::Closed)?
    }
}

/// An operation without its type.
trait Job: Send {
    fn apply<'a>(
        &'a mut self,
        tx: &'a DatabaseTransaction,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Error>>;
    fn complete(&mut self, flushed: &Flushed);
    fn finish(self: Box<Self>, outcome: Result<(), Error>, sink: Option<&EventSink>);
}

struct Pending<O: Operation> {
    operation: O,
    output: Option<O::Output>,
    answer: oneshot::Sender<Result<O::Output, Error>>,
}

impl<O: Operation> Job for Pending<O> {
    fn apply<'a>(
        &'a mut self,
        tx: &'a DatabaseTransaction,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.output = Some(self.operation.apply(tx, batch).await?);
            Ok(())
        })
    }

    fn complete(&mut self, flushed: &Flushed) {
        self.output = self
            .output
            .take()
            .map(|output| self.operation.complete(output, flushed));
    }

    fn finish(self: Box<Self>, outcome: Result<(), Error>, sink: Option<&EventSink>) {
        let Self {
            operation,
            mut output,
            answer,
        } = *self;
        if let (Ok(()), Some(output), Some(sink)) = (&outcome, &mut output, sink) {
            sink(operation.take_events(output));
        }
        // Whoever asked may be gone; the operation stands all the same.
        let _ = answer.send(outcome.and_then(|()| output.ok_or(Error::Closed)));
    }
}

async fn run(
    connection: DatabaseConnection,
    mut results: mpsc::Receiver<Box<dyn Job>>,
    mut inbound: mpsc::Receiver<Box<dyn Job>>,
    sink: Arc<OnceLock<EventSink>>,
    tremors: Arc<Tremors>,
) {
    let mut group = Vec::with_capacity(MAX_GROUP);
    let (mut results_open, mut inbound_open) = (true, true);
    let mut trouble = Trouble::default();
    while results_open || inbound_open {
        let first = tokio::select! {
            biased;
            job = results.recv(), if results_open => { results_open = job.is_some(); job }
            job = inbound.recv(), if inbound_open => { inbound_open = job.is_some(); job }
        };
        group.extend(first);
        // What became ready meanwhile shares the sync.
        while group.len() < MAX_GROUP {
            match results.try_recv().or_else(|_| inbound.try_recv()) {
                Ok(job) => group.push(job),
                Err(_) => break,
            }
        }
        if !group.is_empty() {
            let writing = write_group(&connection, &mut group, sink.get(), &tremors);
            let written = AssertUnwindSafe(writing).catch_unwind().await;
            // Whoever writes next must not suffer for it.
            let outcome = written.unwrap_or_else(|_| {
                tremors.feel();
                Err(Error::Database("writing panicked".to_owned()))
            });
            trouble.note(&outcome);
            for job in group.drain(..) {
                job.finish(outcome.clone(), sink.get());
            }
        }
    }
}

/// Why a transaction was not written.
enum Failure {
    /// The database does not answer or takes nothing: no use in trying its operations one by one.
    Unreachable(Error),
    /// An operation was refused, and everything was rolled back.
    Refused(Error),
    /// The commit failed: whether everything or nothing is on disk is unknown.
    Unknown(Error),
}

/// Whether the database takes anything. Told when that changes: a database that takes nothing is tried by
/// everything that waits, again and again.
#[derive(Default)]
struct Trouble {
    is_told: bool,
}

impl Trouble {
    fn note(&mut self, outcome: &Result<(), Error>) {
        match outcome {
            Ok(()) if self.is_told => tracing::info!("the database can be written again"),
            Ok(()) => {}
            Err(error) if self.is_told => {
                tracing::debug!(%error, "the database could still not be written");
            }
            Err(error) => tracing::error!(%error, "the database could not be written"),
        }
        self.is_told = outcome.is_err();
    }
}

/// Writes a group in one transaction; if one of its operations is refused, each in one of its own. What is left
/// in the group had no answer yet, and has all the same one.
async fn write_group(
    connection: &DatabaseConnection,
    group: &mut Vec<Box<dyn Job>>,
    sink: Option<&EventSink>,
    tremors: &Tremors,
) -> Result<(), Error> {
    let outcome = if group.len() > 1 {
        write_together(connection, group).await
    } else {
        write_singly(connection, group, sink).await
    };
    let outcome = match outcome {
        Err(Failure::Refused(error)) => {
            tracing::debug!(%error, operations = group.len(), "a group failed and is written singly");
            write_singly(connection, group, sink).await
        }
        outcome => outcome,
    };
    outcome.map_err(|failure| match failure {
        Failure::Unreachable(error) | Failure::Refused(error) => error,
        Failure::Unknown(error) => {
            // Before anybody is told of what is written next.
            tremors.feel();
            error
        }
    })
}

/// Writes each operation in a transaction of its own; on what concerns all, those that are left stay in the group.
async fn write_singly(
    connection: &DatabaseConnection,
    group: &mut Vec<Box<dyn Job>>,
    sink: Option<&EventSink>,
) -> Result<(), Failure> {
    group.reverse();
    while let Some(mut job) = group.pop() {
        match write_together(connection, std::slice::from_mut(&mut job)).await {
            Ok(()) => job.finish(Ok(()), sink),
            Err(Failure::Refused(error)) => {
                // Whoever asked is told; that something is there already is nothing to look into.
                if matches!(error, Error::Conflict(_)) {
                    tracing::debug!(%error, "an operation was refused");
                } else {
                    tracing::warn!(%error, "an operation could not be written");
                }
                job.finish(Err(error), sink);
            }
            Err(failure) => {
                group.push(job);
                group.reverse();
                return Err(failure);
            }
        }
    }
    Ok(())
}

async fn write_together(
    connection: &DatabaseConnection,
    jobs: &mut [Box<dyn Job>],
) -> Result<(), Failure> {
    let begun = Point::WriterBegins.pass().await;
    begun.map_err(|error| Failure::Unreachable(error.into()))?;
    let tx = begin(connection)
        .await
        .map_err(|error| Failure::Unreachable(error.into()))?;
    let mut batch = Batch::default();
    if let Err(error) = apply(&tx, &mut batch, jobs).await {
        return Err(match roll_back(tx).await {
            Ok(()) if matches!(error, Error::Unavailable(_)) => Failure::Unreachable(error),
            Ok(()) => Failure::Refused(error),
            Err(lost) => Failure::Unreachable(lost.into()),
        });
    }
    for job in jobs {
        job.complete(batch.flushed());
    }
    commit(tx)
        .await
        .map_err(|error| Failure::Unknown(error.into()))?;
    let committed = Point::WriterCommitted.pass().await;
    committed.map_err(|error| Failure::Unknown(error.into()))
}

async fn apply(
    tx: &DatabaseTransaction,
    batch: &mut Batch,
    jobs: &mut [Box<dyn Job>],
) -> Result<(), Error> {
    for job in jobs {
        job.apply(tx, batch).await?;
    }
    batch.flush(tx).await?;
    Ok(Point::WriterApplied.pass().await?)
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};

    use super::*;

    /// Runs a statement, or panics where there is none.
    struct Runs(Option<&'static str>);

    impl Operation for Runs {
        type Output = ();

        async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
            tx.execute_unprepared(self.0.expect("a statement")).await?;
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_operation_that_panics_harms_nobody_who_writes_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("test.db");
        let mut options = ConnectOptions::new(format!("sqlite:{}?mode=rwc", path.display()));
        options.max_connections(1);
        let connection = Database::connect(options).await.expect("it opens");
        let (writer, _task) = Writer::start(connection);
        let create = Runs(Some("CREATE TABLE t (n INTEGER)"));
        writer
            .write(Urgency::Result, create)
            .await
            .expect("it is written");
        let panicked = writer.write(Urgency::Inbound, Runs(None)).await;
        panicked.expect_err("nothing came of it");
        assert!(writer.is_shaken(), "nobody knows what was written");
        let insert = Runs(Some("INSERT INTO t VALUES (1)"));
        let written = writer.write(Urgency::Inbound, insert).await;
        written.expect("it is written all the same");
    }
}
