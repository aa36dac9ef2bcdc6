//! The hot writes of a group, gathered and written by one statement for each table: a statement costs
//! two changes of threads, whatever it writes. Rows travel as one JSON array, so that the text of a
//! statement never changes and it is prepared once, on both databases.

mod bulk;

use std::collections::HashMap;

use sea_orm::entity::prelude::Uuid;
use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult};
use serde_json::{Value, json};

use self::bulk::Bulk;
use super::{Error, location, sql};
use crate::domain::ids::{ConversationId, DeliveryId, EventId, LocationId};
use crate::domain::time::Timestamp;

/// A row of a statement, in the order of its columns.
pub(super) type Row = Vec<Value>;

/// What a group writes at its end.
#[derive(Default)]
pub(crate) struct Batch {
    inbound: Vec<Inbound>,
    finished: Vec<Row>,
    runs: Vec<Row>,
    states: Vec<Row>,
    timers: Vec<Row>,
    deliveries: Vec<Row>,
    departures: Vec<Row>,
    accepted: Vec<Row>,
    /// The locations that were looked for, and whether they are there.
    locations: HashMap<LocationId, bool>,
    flushed: Flushed,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Flushed {
    /// The numbers of the events that are new; the others were stored before.
    seqs: HashMap<EventId, i64>,
    /// The deliveries that may be sent at once.
    sending: HashMap<DeliveryId, bool>,
}

impl Flushed {
    pub(crate) fn seq(&self, id: EventId) -> Option<i64> {
        self.seqs.get(&id).copied()
    }

    pub(crate) fn is_sending(&self, id: DeliveryId) -> bool {
        self.sending.get(&id).copied().unwrap_or(false)
    }
}

/// A customer's message: an event, a line, and what it changes about its lane.
pub(super) struct Inbound {
    pub(super) location_id: LocationId,
    pub(super) conversation_id: ConversationId,
    pub(super) event_id: EventId,
    /// By `bulk::EVENTS`, without the number among its conversation's.
    pub(super) event: Row,
    /// By `bulk::MESSAGES`.
    pub(super) message: Row,
    pub(super) received_at: Timestamp,
    pub(super) window_until: Option<Timestamp>,
}

#[derive(FromQueryResult)]
struct NewEvent {
    id: Uuid,
    seq: i64,
}

#[derive(FromQueryResult)]
struct NewDelivery {
    id: Uuid,
    state: String,
}

/// What the messages of one conversation change about its lane.
struct LaneChange {
    location_id: LocationId,
    count: i64,
    received_at: Timestamp,
    window_until: Option<Timestamp>,
    last_seq: i64,
}

impl Batch {
    pub(super) fn inbound(&mut self, inbound: Inbound) {
        self.inbound.push(inbound);
    }

    pub(super) fn finish(&mut self, location_id: LocationId, id: EventId, visits: Option<&str>) {
        self.finished.push(vec![
            uuid(location_id.uuid()),
            uuid(id.uuid()),
            json!(visits),
        ]);
    }

    pub(super) fn run(&mut self, row: Row) {
        self.runs.push(row);
    }

    pub(super) fn state(&mut self, row: Row) {
        self.states.push(row);
    }

    pub(super) fn timer(&mut self, row: Row) {
        self.timers.push(row);
    }

    pub(super) fn delivery(&mut self, row: Row) {
        self.deliveries.push(row);
    }

    pub(super) fn depart(&mut self, row: Row) {
        self.departures.push(row);
    }

    pub(super) fn accepted(
        &mut self,
        location_id: LocationId,
        id: DeliveryId,
        provider_id: &str,
        now: Timestamp,
    ) {
        let row = vec![
            uuid(location_id.uuid()),
            uuid(id.uuid()),
            json!(provider_id),
            json!(now.ms()),
        ];
        self.accepted.push(row);
    }

    /// Whether a location is there, for as long as the transaction lasts.
    pub(super) async fn is_there(
        &mut self,
        tx: &DatabaseTransaction,
        id: LocationId,
    ) -> Result<bool, Error> {
        if let Some(is_there) = self.locations.get(&id) {
            return Ok(*is_there);
        }
        let is_there = location::is_there(tx, id).await?;
        self.locations.insert(id, is_there);
        Ok(is_there)
    }

    /// What came of everything that was flushed.
    pub(super) const fn flushed(&self) -> &Flushed {
        &self.flushed
    }

    /// Writes everything that was gathered.
    pub(super) async fn flush(&mut self, tx: &DatabaseTransaction) -> Result<(), Error> {
        self.flush_inbound(tx).await?;
        let finished = std::mem::take(&mut self.finished);
        let expected = finished.len() as u64;
        if write(tx, &bulk::FINISHED, finished).await? != expected {
            return Err(Error::Stale);
        }
        write(tx, &bulk::RUNS, std::mem::take(&mut self.runs)).await?;
        write(tx, &bulk::STATES, std::mem::take(&mut self.states)).await?;
        write(tx, &bulk::TIMERS, std::mem::take(&mut self.timers)).await?;
        let deliveries = std::mem::take(&mut self.deliveries);
        for row in read::<NewDelivery>(tx, &bulk::DELIVERIES, deliveries).await? {
            self.flushed
                .sending
                .insert(DeliveryId::from_uuid(row.id), row.state == "sending");
        }
        let departures = std::mem::take(&mut self.departures);
        for row in read::<NewDelivery>(tx, &bulk::DEPARTURES, departures).await? {
            self.flushed
                .sending
                .insert(DeliveryId::from_uuid(row.id), true);
        }
        self.flush_accepted(tx).await
    }

    /// Writes which messages the provider has, so that they are found by its ids.
    pub(super) async fn flush_accepted(&mut self, tx: &DatabaseTransaction) -> Result<(), Error> {
        write(tx, &bulk::ACCEPTED, std::mem::take(&mut self.accepted)).await?;
        Ok(())
    }

    /// Writes the messages that were gathered, so that what follows gets the numbers after theirs.
    pub(super) async fn flush_inbound(&mut self, tx: &DatabaseTransaction) -> Result<(), Error> {
        if self.inbound.is_empty() {
            return Ok(());
        }
        let mut inbound = std::mem::take(&mut self.inbound);
        let mut counts: HashMap<ConversationId, i64> = HashMap::new();
        let events = inbound.iter_mut().map(|inbound| {
            let nth = counts.entry(inbound.conversation_id).or_default();
            let mut row = std::mem::take(&mut inbound.event);
            row.push(json!(*nth));
            *nth += 1;
            row
        });
        let events: Vec<Row> = events.collect();
        for row in read::<NewEvent>(tx, &bulk::EVENTS, events).await? {
            self.flushed
                .seqs
                .insert(EventId::from_uuid(row.id), row.seq);
        }
        let mut lanes: HashMap<ConversationId, LaneChange> = HashMap::new();
        let mut messages = Vec::with_capacity(inbound.len());
        for inbound in inbound {
            let Some(seq) = self.flushed.seq(inbound.event_id) else {
                continue;
            };
            messages.push(inbound.message);
            let lane = lanes.entry(inbound.conversation_id).or_insert(LaneChange {
                location_id: inbound.location_id,
                count: counts[&inbound.conversation_id],
                received_at: inbound.received_at,
                window_until: None,
                last_seq: 0,
            });
            lane.received_at = lane.received_at.max(inbound.received_at);
            lane.window_until = lane.window_until.max(inbound.window_until);
            lane.last_seq = lane.last_seq.max(seq);
        }
        let lanes = lanes.into_iter().map(|(id, lane)| {
            let until = lane.window_until.map(Timestamp::ms);
            let ids = [uuid(lane.location_id.uuid()), uuid(id.uuid())];
            let numbers = [
                json!(lane.count),
                json!(lane.received_at.ms()),
                json!(until),
                json!(lane.last_seq),
            ];
            ids.into_iter().chain(numbers).collect()
        });
        write(tx, &bulk::LANES, lanes.collect()).await?;
        write(tx, &bulk::MESSAGES, messages).await?;
        Ok(())
    }
}

/// An id as it travels.
pub(super) fn uuid(id: Uuid) -> Value {
    Value::String(id.simple().to_string())
}

/// An id as it travels, if there is one.
pub(super) fn uuid_or_null(id: Option<Uuid>) -> Value {
    id.map_or(Value::Null, uuid)
}

async fn write(tx: &DatabaseTransaction, bulk: &Bulk, rows: Vec<Row>) -> Result<u64, Error> {
    if rows.is_empty() {
        return Ok(0);
    }
    let rows = super::write_json(&rows);
    let written = tx
        .execute_raw(sql(tx, bulk.text(tx.get_database_backend()), [rows.into()]))
        .await?;
    Ok(written.rows_affected())
}

async fn read<T: FromQueryResult>(
    tx: &DatabaseTransaction,
    bulk: &Bulk,
    rows: Vec<Row>,
) -> Result<Vec<T>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let rows = super::write_json(&rows);
    let statement = sql(tx, bulk.text(tx.get_database_backend()), [rows.into()]);
    Ok(T::find_by_statement(statement).all(tx).await?)
}
