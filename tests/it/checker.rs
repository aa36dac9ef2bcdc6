//! The promise, checked from outside: what customers saw acknowledged, what the provider took, and what the
//! database says must agree. Knows nothing of how any of it came about.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rejoinder_adapters::simulator::ReceivedMessage;
use rejoinder_engine::domain::delivery::{Delivery, DeliveryState, Flag};
use rejoinder_engine::domain::event::{Event, Payload};
use rejoinder_engine::domain::ids::{ConversationId, DeliveryId, LocationId};
use rejoinder_engine::domain::inbound::Stage;
use rejoinder_engine::store::{DeliveryFilter, RunRow, Store};
use sea_orm::{ConnectionTrait, Statement};

use crate::database::cell;

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
    /// What the rule says besides its answers: each once, and in no order.
    pub(crate) also: Vec<String>,
    /// What the provider took, in the order taken.
    pub(crate) received: &'a [ReceivedMessage],
}

/// What is not done with: events, deliveries, follow-ups, requests, fan-outs. What stays in doubt waits for a
/// person, for ever.
pub(crate) async fn open_work(store: &Store) -> i64 {
    let text = "SELECT (SELECT COUNT(*) FROM rejoinder_event WHERE state = 'pending') + \
        (SELECT COUNT(*) FROM rejoinder_delivery WHERE state IN ('ready', 'sending', 'in_doubt') \
         AND flags NOT LIKE '%left_in_doubt%') + \
        (SELECT COUNT(*) FROM rejoinder_timer) + \
        (SELECT COUNT(*) FROM rejoinder_request WHERE state = 'open') + \
        (SELECT COUNT(*) FROM rejoinder_fanout WHERE state = 'open')";
    cell(store, text).await
}

/// What of the promise is broken, a sentence each.
pub(crate) async fn breaches(evidence: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let events = events(evidence).await;
    let deliveries = deliveries(evidence.store, evidence.location_id).await;
    stored_once(evidence, &events, &mut found);
    decided_in_order(&events, &mut found);
    counted_once(evidence, &events, &mut found).await;
    fired_once(&events, &mut found);
    answered_once(evidence, &events, &deliveries, &mut found);
    taken_once(evidence, &deliveries, &mut found);
    told_last(&events, &deliveries, &mut found);
    in_order(evidence, &deliveries, &mut found);
    found
}

/// How far deliveries have come, as seen from time to time.
#[derive(Default)]
pub(crate) struct Watch(HashMap<DeliveryId, DeliveryState>);

impl Watch {
    /// Looks at every delivery; what the provider has had does not go back.
    pub(crate) async fn look(&mut self, store: &Store, location_id: LocationId) -> Vec<String> {
        let mut found = Vec::new();
        for Delivery { id, state, .. } in deliveries(store, location_id).await {
            let before = self.0.insert(id, state).unwrap_or(state);
            let goes_on = match (before, state) {
                _ if before == state => true,
                (DeliveryState::Reached(_), DeliveryState::Reached(stage)) => {
                    before.advance(stage).is_some()
                }
                (DeliveryState::Reached(_), _) => false,
                _ => true,
            };
            if !goes_on {
                found.push(format!(
                    "{id} went from {} to {}",
                    before.name(),
                    state.name()
                ));
            }
        }
        found
    }
}

/// An event as the database has it.
struct Seen {
    event: Event,
    state: String,
    runs: Vec<RunRow>,
}

impl Seen {
    /// The provider's id and the text, if a customer wrote.
    fn message(&self) -> Option<(&str, &str)> {
        match &self.event.payload {
            Payload::Message { message } => Some((&message.provider_id, message.body.text())),
            _ => None,
        }
    }

    /// What happens once by nature, if it is of that kind.
    fn occurrence(&self) -> Option<String> {
        let rule_id = self.event.rule_id;
        match &self.event.payload {
            Payload::Timer { timer_id, .. } => Some(format!("timer {timer_id}")),
            Payload::Tick {
                handler,
                cron,
                due_at,
            } => Some(format!("{cron} of {handler} of {rule_id:?} at {due_at}")),
            Payload::Response { request_id, .. } => Some(format!("the answer to {request_id}")),
            Payload::Each { fanout_id, .. } => {
                let chat = self.event.conversation_id;
                Some(format!("the visit of {fanout_id} to {chat:?}"))
            }
            _ => None,
        }
    }
}

async fn events(evidence: &Evidence<'_>) -> Vec<Seen> {
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
            let runs = match row.event.payload {
                Payload::Status { .. } => Vec::new(),
                _ => store.runs(row.event.id).await.expect("runs"),
            };
            all.push(Seen {
                event: row.event,
                state: row.state,
                runs,
            });
        }
    }
}

async fn deliveries(store: &Store, location_id: LocationId) -> Vec<Delivery> {
    let filter = DeliveryFilter::default();
    let rows = store.of(location_id).deliveries(&filter, ALL).await;
    let rows = rows.expect("deliveries").into_iter();
    rows.map(|row| row.delivery).collect()
}

/// What was acknowledged is there once, and was decided.
fn stored_once(evidence: &Evidence<'_>, events: &[Seen], found: &mut Vec<String>) {
    let mut by_message: HashMap<&str, Vec<&Seen>> = HashMap::new();
    for event in events {
        if let Some((id, _)) = event.message() {
            by_message.entry(id).or_default().push(event);
        }
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
            if one.runs.len() != 1 {
                found.push(format!("{id} was run {} times", one.runs.len()));
            }
        } else {
            found.push(format!("{id} is stored {} times", events.len()));
        }
    }
}

/// The events of a conversation have numbers of their own, and were decided in their order.
fn decided_in_order(events: &[Seen], found: &mut Vec<String>) {
    let mut lanes: HashMap<ConversationId, BTreeMap<i64, &Seen>> = HashMap::new();
    for event in events {
        let waits = !event.runs.is_empty();
        if let Some(id) = event.event.conversation_id.filter(|_| waits) {
            let twin = lanes.entry(id).or_default().insert(event.event.seq, event);
            if let Some(twin) = twin {
                let (one, other) = (twin.event.id, event.event.id);
                found.push(format!("{one} and {other} have the same number"));
            }
        }
    }
    for (id, lane) in lanes {
        let moments = lane.values().filter_map(|event| event.runs.first());
        if !moments.map(|row| row.decided_at).is_sorted() {
            found.push(format!("events of {id} were not decided in their order"));
        }
    }
}

/// What a rule counts in its state is as many as there are messages: each run's effects are there once.
async fn counted_once(evidence: &Evidence<'_>, events: &[Seen], found: &mut Vec<String>) {
    let messages = events.iter().filter(|event| event.message().is_some());
    let messages = i64::try_from(messages.count()).expect("it is small");
    let connection = evidence.store.connection();
    let text = "SELECT state FROM rejoinder_rule_state WHERE location_id = $1";
    let values = [evidence.location_id.uuid().into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), text, values);
    let rows = connection.query_all_raw(statement).await.expect("states");
    let counts = rows.iter().map(|row| {
        let state: String = row.try_get("", "state").expect("a state");
        let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
        state["n"].as_i64().unwrap_or(0)
    });
    let counted: i64 = counts.sum();
    if counted != messages {
        found.push(format!("{counted} messages were counted, of {messages}"));
    }
}

/// A timer, an occurrence, an answer, a visit comes once, and is decided once.
fn fired_once(events: &[Seen], found: &mut Vec<String>) {
    let mut fired = HashSet::new();
    for event in events {
        let Some(occurrence) = event.occurrence() else {
            continue;
        };
        if event.state != "done" || event.runs.len() > 1 {
            let (state, runs) = (&event.state, event.runs.len());
            found.push(format!("{occurrence} is {state} and was run {runs} times"));
        }
        if let Some(twice) = fired.replace(occurrence) {
            found.push(format!("{twice} came twice"));
        }
    }
}

/// Each message has one delivery that says the same, and what was promised besides is there once.
fn answered_once(
    evidence: &Evidence<'_>,
    events: &[Seen],
    deliveries: &[Delivery],
    found: &mut Vec<String>,
) {
    let mut by_text: BTreeMap<&str, usize> = BTreeMap::new();
    for delivery in deliveries {
        *by_text.entry(delivery.content.text()).or_default() += 1;
    }
    let answers = events.iter().filter_map(|event| Some(event.message()?.1));
    for text in answers.chain(evidence.also.iter().map(String::as_str)) {
        let count = by_text.remove(text).unwrap_or(0);
        if count != 1 {
            found.push(format!("'{text}' is said {count} times"));
        }
    }
    found.extend(
        by_text
            .keys()
            .map(|text| format!("nobody asked for '{text}'")),
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

/// No delivery stands behind what the provider has told of it.
fn told_last(events: &[Seen], deliveries: &[Delivery], found: &mut Vec<String>) {
    let states: HashMap<DeliveryId, DeliveryState> =
        deliveries.iter().map(|it| (it.id, it.state)).collect();
    for event in events {
        let Payload::Status {
            status,
            delivery_id: Some(id),
        } = &event.event.payload
        else {
            continue;
        };
        if let Some(state) = states.get(id)
            && state.advance(status.stage).is_some()
        {
            let (state, stage) = (state.name(), status.stage.name());
            found.push(format!("{id} is {state}, and {stage} was told of it"));
        }
    }
}

/// Each customer is answered in the order in which they wrote. What stays in doubt leaves a gap.
fn in_order(evidence: &Evidence<'_>, deliveries: &[Delivery], found: &mut Vec<String>) {
    let mut wrote: HashMap<&str, Vec<&str>> = HashMap::new();
    for acknowledged in evidence.acknowledged {
        let texts = wrote.entry(&acknowledged.customer).or_default();
        texts.push(&acknowledged.text);
    }
    let mut got: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut seen = BTreeSet::new();
    let asked_for: HashSet<&String> = evidence.also.iter().collect();
    for message in evidence.received {
        if asked_for.contains(&message.summary.text) {
            continue;
        }
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
            let theirs = deliveries.iter().filter(|it| {
                let text = it.content.text();
                texts.contains(&text)
            });
            let theirs: Vec<String> = theirs.map(history).collect();
            found.push(format!(
                "{customer} was answered out of order: {texts:?}, by {theirs:#?}"
            ));
        }
    }
}

/// What tells how a delivery came to be where it is.
fn history(delivery: &Delivery) -> String {
    format!(
        "{} at {} decided {}: {} after {} attempts, not before {}, {}",
        delivery.id,
        delivery.position,
        delivery.created_at,
        delivery.state.name(),
        delivery.attempts,
        delivery.not_before,
        delivery.flags
    )
}
