//! Events that may have ended the process before, and may do so again: their attempts are counted, and in the end
//! they are put aside. Knows nothing of rules.

use crate::core::Core;
use crate::domain::event::Event;
use crate::domain::time::{Span, Timestamp};
use crate::failpoint::Point;
use crate::store::{self, CountAttempt, Counted, UncountAttempt};

/// An event that waited so long may be the reason: its attempts are counted from now on.
const SUSPECT_AFTER: Span = Span::seconds(10);
/// How often an event is attempted that ends the process or meets a mistake of the program.
const MAX_ATTEMPTS: i32 = 3;
/// How long a process must have lived, for each attempt before, until such an event is attempted again: what
/// else ends processes early, again and again, puts no event aside, and the others go on meanwhile.
const GRACE: Span = Span::seconds(5);

/// Whether an event may be attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// It is not suspect.
    None,
    /// The attempt is counted.
    Counted,
    /// Not before then.
    Wait(Timestamp),
    /// It was attempted too often.
    PutAside,
}

/// Counts the attempt of an event that was pending when the process began, or waits for long.
pub(super) async fn count(
    core: &Core,
    event: &Event,
    now: Timestamp,
) -> Result<Suspicion, store::Error> {
    let is_suspect = event.received_at < core.began_at || event.received_at + SUSPECT_AFTER < now;
    if !is_suspect {
        return Ok(Suspicion::None);
    }
    let count = CountAttempt {
        location_id: event.location_id,
        id: event.id,
        at_most: MAX_ATTEMPTS,
        so_far: (1..MAX_ATTEMPTS)
            .filter(|attempts| ready_at(core, *attempts) <= now)
            .max()
            .unwrap_or(0),
    };
    Ok(match core.store.write(count).await? {
        Counted::Attempt => {
            Point::DecideCounted.pass().await?;
            Suspicion::Counted
        }
        Counted::Wait(attempts) => Suspicion::Wait(ready_at(core, attempts)),
        Counted::PutAside => {
            tracing::error!(location.id = %event.location_id, event.id = %event.id,
                "an event was tried {MAX_ATTEMPTS} times without coming to an end and is put aside");
            Suspicion::PutAside
        }
    })
}

/// Takes a counted attempt back, however long that takes: the process goes on, and it was not the event's fault
/// that the database failed. Without it, a disk that is full now and then would put events aside.
pub(super) async fn uncount(core: &Core, event: &Event) {
    loop {
        let uncount = UncountAttempt {
            location_id: event.location_id,
            id: event.id,
        };
        match core.store.write(uncount).await {
            Err(store::Error::Unavailable(_)) if !core.halt.is_asked() => {
                tokio::time::sleep(super::RETRY_AFTER.to_std()).await;
            }
            // If the event itself does not read, it was attempted once more.
            _ => return,
        }
    }
}

/// From when on an event that was attempted so often may be attempted again.
fn ready_at(core: &Core, attempts: i32) -> Timestamp {
    core.began_at + Span::from_ms(GRACE.ms() * i64::from(attempts))
}
