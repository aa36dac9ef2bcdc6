//! The promise, checked from outside: what customers saw acknowledged, what the provider took, and what the
//! database says must agree. Knows nothing of how any of it came about.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rejoinder_adapters::simulator::ReceivedMessage;
use rejoinder_engine::domain::delivery::{Delivery, DeliveryState, Flag};
use rejoinder_engine::domain::event::Payload;
use rejoinder_engine::domain::ids::{DeliveryId, EventId, LocationId};
use rejoinder_engine::domain::inbound::Stage;
use rejoinder_engine::store::{DeliveryFilter, Store};
use sea_orm::{ConnectionTrait, Statement};

/// Rows that are read at once.
const PAGE: u64 = 1_000;
/// More deliveries than any run makes.
const ALL: u64 = 10_000_000;

/// A message that a customer wrote, and that was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// The provider's id.
    pub(crate) id: String,
    /// Who wrote it.
    pub(crate) customer: String,
    /// What it says; the rule answers by the same.
    pub(crate) text: String,
}

/// What a run left behind.
pub(crate) struct Evidence<'a> {
    pub(crate) store: &'a Store,
    pub(crate) location_id: LocationId,
    /// What was acknowledged, each customer's messages in the order written.
    pub(crate) acknowledged: &'a [Acknowledged],
    /// What the provider took, in the order taken.
    pub(crate) received: &'a [ReceivedMessage],
}

/// Events and deliveries that are not done with. What stays in doubt waits for a person, for ever.
pub(crate) async fn open_work(store: &Store) -> i64 {
    let text = "SELECT (SELECT COUNT(*) FROM rejoinder_event WHERE state = 'pending') + \
        (SELECT COUNT(*) FROM rejoinder_delivery WHERE state IN ('ready', 'sending', 'in_doubt') \
         AND flags NOT LIKE '%left_in_doubt%') AS n";
    let connection = store.connection();
    let statement = Statement::from_string(connection.get_database_backend(), text);
    let row = connection
        .query_one_raw(statement)
        .await
        .expect("the database answers");
    row.expect("a row").try_get("", "n").expect("a number")
}

/// What of the promise is broken, a sentence each.
pub(crate) async fn breaches(evidence: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let events = events(evidence).await;
    let deliveries = deliveries(evidence).await;
    stored_once(evidence, &events, &mut found);
    answered_once(&events, &deliveries, &mut found);
    taken_once(evidence, &deliveries, &mut found);
    in_order(evidence, &mut found);
    found
}

/// A customer's message as the database has it.
struct Stored {
    event_id: EventId,
    message_id: String,
    text: String,
    state: String,
    runs: usize,
}

async fn events(evidence: &Evidence<'_>) -> Vec<Stored> {
    let store = evidence.store.of(evidence.location_id);
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = store.events(after, PAGE).await.expect("events");
        let Some(last) = page.last() else {
            return all;
        };
        after = Some(last.event.id);
        for row in page {
            let Payload::Message { message } = row.event.payload else {
                continue;
            };
            let runs = store.runs(row.event.id).await.expect("runs");
            all.push(Stored {
                event_id: row.event.id,
                message_id: message.provider_id,
                text: message.body.text().to_owned(),
                state: row.state,
                runs: runs.len(),
            });
        }
    }
}

async fn deliveries(evidence: &Evidence<'_>) -> Vec<Delivery> {
    let store = evidence.store.of(evidence.location_id);
    let filter = DeliveryFilter::default();
    let rows = store.deliveries(&filter, ALL).await.expect("deliveries");
    rows.into_iter().map(|row| row.delivery).collect()
}

/// What was acknowledged is there once, and was decided.
fn stored_once(evidence: &Evidence<'_>, events: &[Stored], found: &mut Vec<String>) {
    let mut by_message: HashMap<&str, Vec<&Stored>> = HashMap::new();
    for event in events {
        by_message.entry(&event.message_id).or_default().push(event);
    }
    for acknowledged in evidence.acknowledged {
        let id = acknowledged.id.as_str();
        if !by_message.contains_key(id) {
            found.push(format!("{id} was acknowledged and is gone"));
        }
    }
    for (id, events) in by_message {
        if let [one] = &events[..] {
            if one.state != "done" {
                found.push(format!("{id} is {} and not done", one.state));
            }
            if one.runs != 1 {
                found.push(format!("{id} was run {} times", one.runs));
            }
        } else {
            found.push(format!("{id} is stored {} times", events.len()));
        }
    }
}

/// Each event has one delivery that says the same.
fn answered_once(events: &[Stored], deliveries: &[Delivery], found: &mut Vec<String>) {
    let mut by_text: BTreeMap<&str, usize> = BTreeMap::new();
    for delivery in deliveries {
        *by_text.entry(delivery.content.text()).or_default() += 1;
    }
    for event in events {
        let count = by_text.remove(event.text.as_str()).unwrap_or(0);
        if count != 1 {
            found.push(format!("{} has {count} answers", event.event_id));
        }
    }
    found.extend(
        by_text
            .keys()
            .map(|text| format!("nobody asked for {text}")),
    );
}

/// The provider took each delivery once, or twice where it is marked so; and what it took is known.
fn taken_once(evidence: &Evidence<'_>, deliveries: &[Delivery], found: &mut Vec<String>) {
    let mut taken: HashMap<DeliveryId, usize> = HashMap::new();
    for message in evidence.received {
        match message.delivery_id {
            Some(id) => *taken.entry(id).or_default() += 1,
            None => found.push(format!("{} was taken without our id", message.provider_id)),
        }
    }
    for delivery in deliveries {
        let (id, state) = (delivery.id, delivery.state.name());
        let count = taken.remove(&id).unwrap_or(0);
        let at_most = if delivery.flags.has(Flag::Resent) {
            2
        } else {
            1
        };
        if count > at_most {
            found.push(format!("{id} was taken {count} times"));
        }
        let fits = match delivery.state {
            DeliveryState::Reached(Stage::Failed)
            | DeliveryState::Ready
            | DeliveryState::Sending => false,
            DeliveryState::Reached(_) => count > 0,
            DeliveryState::InDoubt | DeliveryState::Cancelled => count == 0,
        };
        if !fits {
            found.push(format!("{id} is {state} and was taken {count} times"));
        }
    }
    found.extend(
        taken
            .keys()
            .map(|id| format!("{id} was taken and is nowhere")),
    );
}

/// Each customer is answered in the order in which they wrote. What stays in doubt leaves a gap.
fn in_order(evidence: &Evidence<'_>, found: &mut Vec<String>) {
    let mut wrote: HashMap<&str, Vec<&str>> = HashMap::new();
    for acknowledged in evidence.acknowledged {
        let texts = wrote.entry(&acknowledged.customer).or_default();
        texts.push(&acknowledged.text);
    }
    let mut got: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut seen = BTreeSet::new();
    for message in evidence.received {
        // A second copy of one that was in doubt comes whenever it comes.
        if seen.insert(message.summary.text.as_str()) {
            let texts = got.entry(&message.to).or_default();
            texts.push(&message.summary.text);
        }
    }
    for (customer, texts) in got {
        let mut expected = wrote.get(customer).into_iter().flatten();
        let is_ordered = texts
            .iter()
            .all(|text| expected.any(|expected| expected == text));
        if !is_ordered {
            found.push(format!("{customer} was answered out of order: {texts:?}"));
        }
    }
}
