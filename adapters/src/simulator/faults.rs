//! What goes wrong on purpose: which requests meet which fault, settable while the simulator runs.
//! Knows no protocol: faces turn a fault into the answer that their provider would give.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rejoinder_engine::domain::time::Span;

use super::Face;
use super::world::lock;

/// Something that goes wrong, or nearly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The provider refuses with its error of this code; nothing is processed.
    Refuse(i64),
    /// Exactly this answer; nothing is processed.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body, whatever its form.
        body: String,
    },
    /// Everything as usual, but later (by the real clock).
    Delay(Span),
    /// The message is processed, then the connection is closed without an answer.
    AcceptThenDrop,
    /// The connection is closed without an answer, and nothing was processed.
    DropUnprocessed,
    /// HTTP 429 with the provider's rate error and a Retry-After; nothing is processed.
    TooManyRequests {
        /// What Retry-After says, in whole seconds.
        retry_after: Span,
    },
    /// HTTP 500 without a body; nothing is processed.
    EmptyServerError,
    /// The message is taken, and a status says later that it failed with this code.
    FailLater(i64),
    /// Every status comes twice.
    DuplicateStatuses,
    /// The statuses come in the wrong order.
    ReverseStatuses,
    /// The first status is sent, and answered, before the request is.
    StatusBeforeAnswer,
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// To send a message.
    Send,
    /// To mark a message as read, or to show that an answer is being written.
    Signal,
    /// To list messages (Twilio).
    List,
    /// To read or change templates: Meta's list of them, Twilio's Content resources.
    Content,
    /// To read or change an account, a number, an app or a token: `number` is the id, `to` the method and
    /// `text` what follows the id.
    Manage,
}

/// A request as a fault's condition sees it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Which API.
    pub face: Face,
    /// What it wants.
    pub operation: Operation,
    /// Meta's phone number id or business account, the digits of Twilio's sender, or Twilio's account.
    pub number: &'a str,
    /// The customer: digits, or a business-scoped id; empty if the operation has none.
    pub to: &'a str,
    /// The text of a message, where it has one.
    pub text: &'a str,
}

/// A fault that was set, to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId(u64);

type Condition = Box<dyn Fn(&Request<'_>) -> bool + Send + Sync>;

struct Entry {
    id: FaultId,
    left: Option<usize>,
    when: Condition,
    fault: Fault,
}

/// The faults that are set, in the order in which they were.
#[derive(Default)]
pub(super) struct Faults {
    entries: Mutex<Vec<Entry>>,
    /// The length of `entries`, so that a request without faults takes no lock.
    count: AtomicUsize,
    last_id: AtomicU64,
}

impl Faults {
    pub(super) fn add(&self, left: Option<usize>, when: Condition, fault: Fault) -> FaultId {
        let id = FaultId(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        self.change(|entries| {
            entries.push(Entry {
                id,
                left,
                when,
                fault,
            });
        });
        id
    }

    pub(super) fn clear(&self, id: FaultId) {
        self.change(|entries| entries.retain(|entry| entry.id != id));
    }

    pub(super) fn clear_all(&self) {
        self.change(Vec::clear);
    }

    /// The fault that `request` meets, if any.
    pub(super) fn meet(&self, request: &Request<'_>) -> Option<Fault> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut met = None;
        self.change(|entries| {
            entries.retain(|entry| entry.left != Some(0));
            if let Some(entry) = entries.iter_mut().find(|entry| (entry.when)(request)) {
                entry.left = entry.left.map(|left| left - 1);
                met = Some(entry.fault.clone());
            }
        });
        met
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Entry>)) {
        let mut entries = lock(&self.entries);
        change(&mut entries);
        self.count.store(entries.len(), Ordering::Release);
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(lock(&self.entries).iter().map(|entry| &entry.fault))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEND: Request<'static> = Request {
        face: Face::Meta,
        operation: Operation::Send,
        number: "1",
        to: "5511987654321",
        text: "hi",
    };

    #[test]
    fn faults_are_met_in_the_order_set_and_as_often_as_asked() {
        let faults = Faults::default();
        faults.add(Some(2), Box::new(|_| true), Fault::AcceptThenDrop);
        faults.add(Some(1), Box::new(|_| true), Fault::EmptyServerError);
        let met: Vec<_> = (0..4).map(|_| faults.meet(&SEND)).collect();
        assert_eq!(
            met,
            [
                Some(Fault::AcceptThenDrop),
                Some(Fault::AcceptThenDrop),
                Some(Fault::EmptyServerError),
                None
            ]
        );
    }

    #[test]
    fn a_condition_chooses_the_requests() {
        let faults = Faults::default();
        let id = faults.add(None, Box::new(|r| r.text == "no"), Fault::Refuse(131_000));
        assert_eq!(faults.meet(&SEND), None);
        let other = Request { text: "no", ..SEND };
        assert_eq!(faults.meet(&other), Some(Fault::Refuse(131_000)));
        faults.clear(id);
        assert_eq!(faults.meet(&other), None);
    }
}
