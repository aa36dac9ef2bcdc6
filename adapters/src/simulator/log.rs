//! What the providers took: messages, marks and counters, and ways to wait for them.
//! Knows no protocol: faces hand over what they have read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rejoinder_engine::adapter::SignalKind;
use rejoinder_engine::domain::content::Button;
use rejoinder_engine::domain::ids::DeliveryId;
use rejoinder_engine::domain::time::Timestamp;
use tokio::sync::{broadcast, watch};

use super::Face;
use super::world::lock;

/// Messages that a slow subscriber may lag behind before it misses some.
const SUBSCRIBER_DEPTH: usize = 4096;

/// A message that a provider took.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedMessage {
    /// By which API.
    pub face: Face,
    /// The number it leaves by: Meta's phone number id, or the digits of Twilio's sender.
    pub number: String,
    /// The customer: digits, or a business-scoped id.
    pub to: String,
    /// What it says.
    pub summary: Summary,
    /// The request's body as it came: JSON (Meta) or a form (Twilio).
    pub raw: String,
    /// Where statuses find their way back: Meta's callback data, or Twilio's StatusCallback address.
    pub callback: Option<String>,
    /// Our delivery id, as found in `callback`.
    pub delivery_id: Option<DeliveryId>,
    /// The id that the provider gave the message.
    pub provider_id: String,
    /// When it came, by the simulator's clock.
    pub at: Timestamp,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What becomes of a message that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It reaches the customer.
    Accepted,
    /// It fails later with the provider's code.
    Fails(i64),
}

/// What a message says, in one form for both providers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The kind, by the names of the engine's content: `text`, `image`, `buttons`, `template` …
    pub kind: String,
    /// The text, the caption, or the emoji.
    pub text: String,
    /// The buttons, or the rows of a list, in order.
    pub buttons: Vec<Button>,
    /// The template, if it is one.
    pub template: Option<TemplateUse>,
    /// The address or id of the file, if there is one.
    pub media: Option<String>,
    /// The message quoted or reacted to, by the provider's id.
    pub reply_to: Option<String>,
}

/// A template and the values it was sent with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateUse {
    /// The approved name (Meta), or the Content SID (Twilio).
    pub name: String,
    /// The language code; empty for Twilio, whose contents have one language.
    pub language: String,
    /// Every value in order of components; named values without their names.
    pub params: Vec<String>,
}

/// A mark on a customer's message that a provider took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedSignal {
    /// By which API.
    pub face: Face,
    /// Meta's phone number id; empty for Twilio, which does not say.
    pub number: String,
    /// The customer's message, by the provider's id.
    pub message_id: String,
    /// Which mark.
    pub kind: SignalKind,
}

/// How much has come and gone since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests of any kind.
    pub requests: u64,
    /// Messages taken.
    pub accepted: u64,
    /// Requests answered with an error, on purpose or not.
    pub refused: u64,
    /// Connections closed without an answer.
    pub dropped: u64,
    /// Read and typing marks.
    pub signals: u64,
    /// Webhooks sent, statuses among them, repetitions counted.
    pub webhooks: u64,
    /// Webhooks that were not answered with success, repetitions counted.
    pub webhooks_failed: u64,
}

/// The log and the counters.
#[derive(Debug)]
pub(super) struct Log {
    messages: Mutex<Vec<ReceivedMessage>>,
    signals: Mutex<Vec<ReceivedSignal>>,
    accepted: watch::Sender<u64>,
    feed: broadcast::Sender<Arc<ReceivedMessage>>,
    pub(super) requests: Count,
    pub(super) refused: Count,
    pub(super) dropped: Count,
    pub(super) webhooks: Count,
    pub(super) webhooks_failed: Count,
    signal_count: Count,
}

/// One number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Log {
    pub(super) fn new() -> Self {
        Self {
            messages: Mutex::default(),
            signals: Mutex::default(),
            accepted: watch::Sender::new(0),
            feed: broadcast::Sender::new(SUBSCRIBER_DEPTH),
            requests: Count::default(),
            refused: Count::default(),
            dropped: Count::default(),
            webhooks: Count::default(),
            webhooks_failed: Count::default(),
            signal_count: Count::default(),
        }
    }

    /// Counts a message, and keeps it if it is `Some`.
    pub(super) fn accept(&self, message: Option<ReceivedMessage>) {
        if let Some(message) = message {
            if self.feed.receiver_count() > 0 {
                // The last subscriber may have left in between, which is no loss.
                let _ = self.feed.send(Arc::new(message.clone()));
            }
            lock(&self.messages).push(message);
        }
        self.accepted.send_modify(|accepted| *accepted += 1);
    }

    pub(super) fn signal(&self, signal: Option<ReceivedSignal>) {
        if let Some(signal) = signal {
            lock(&self.signals).push(signal);
        }
        self.signal_count.add();
    }

    pub(super) fn messages(&self) -> Vec<ReceivedMessage> {
        lock(&self.messages).clone()
    }

    pub(super) fn signals(&self) -> Vec<ReceivedSignal> {
        lock(&self.signals).clone()
    }

    pub(super) fn forget(&self) {
        lock(&self.messages).clear();
        lock(&self.signals).clear();
    }

    pub(super) async fn wait_for(&self, count: usize) -> Vec<ReceivedMessage> {
        let mut accepted = self.accepted.subscribe();
        // The sender lives in `self`, so that waiting cannot fail.
        let _ = accepted
            .wait_for(|_| lock(&self.messages).len() >= count)
            .await;
        self.messages()
    }

    pub(super) async fn wait_until_accepted(&self, count: u64) {
        let mut accepted = self.accepted.subscribe();
        let _ = accepted.wait_for(|accepted| *accepted >= count).await;
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<ReceivedMessage>> {
        self.feed.subscribe()
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            requests: self.requests.get(),
            accepted: *self.accepted.borrow(),
            refused: self.refused.get(),
            dropped: self.dropped.get(),
            signals: self.signal_count.get(),
            webhooks: self.webhooks.get(),
            webhooks_failed: self.webhooks_failed.get(),
        }
    }
}

/// Our delivery id in the data that a provider hands back, wherever in it the id stands.
pub(super) fn delivery_id(callback: &str) -> Option<DeliveryId> {
    /// The prefix, the underscore, and 32 hexadecimal digits.
    const LENGTH: usize = DeliveryId::PREFIX.len() + 33;
    callback
        .match_indices(DeliveryId::PREFIX)
        .find_map(|(start, _)| callback.get(start..start + LENGTH)?.parse().ok())
}
