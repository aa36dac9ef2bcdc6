//! How fast messages may leave: per number, and per customer of a number (WhatsApp's own limits). Replies go
//! before what nobody waits for. In memory; what must outlive a restart is given away to be kept.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use crate::domain::channel::Channel;
use crate::domain::ids::{ChannelId, ConversationId};
use crate::domain::time::{Span, Timestamp};
use crate::lanes::Urgency;
use crate::store::{PaceKind, PaceRow};

/// One message to the same customer every so often …
const PAIR_INTERVAL: Micros = 6_000_000;
/// … with so many borrowed from the future at most.
const PAIR_BURST: Micros = 45;
/// A pair that borrowed less than this is not worth keeping.
const PAIR_WORTH_KEEPING: Micros = PAIR_INTERVAL * 5;
/// A number may send this long a stretch of its rate at once.
const NUMBER_BURST: Micros = 1_000_000;
/// What nobody waits for gets so many of four places of a number …
const BACKGROUND_SHARE: Micros = 3;
/// … this long a stretch of them at once …
const BACKGROUND_BURST: Micros = 350_000;
/// … and only while no more than this of the number's own burst is used: the rest is for replies.
const BACKGROUND_FLOOR: Micros = 250_000;
/// Pairs remembered before those that are at rest are forgotten.
const MAX_PAIRS: usize = 100_000;

/// A clock that shows this much less than before was set back: what was reckoned by it is void.
const SET_BACK: Micros = 5_000_000;
/// Microseconds since the Unix epoch: the step of 80 messages a second is 12.5 ms.
type Micros = i64;

/// Per number and per pair, the moment up to which the rate is used (the generic cell rate algorithm).
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    numbers: HashMap<ChannelId, Number>,
    pairs: HashMap<ConversationId, Micros>,
    /// The place that a conversation waits for: one each, so that nobody asks twice in vain.
    slots: HashMap<ConversationId, Slot>,
    /// What changed since it was last kept.
    changed_numbers: HashSet<ChannelId>,
    changed_pairs: HashSet<ConversationId>,
    latest: Micros,
    /// Pairs above which those at rest are forgotten; it grows if none is at rest.
    max_pairs: usize,
}

#[derive(Debug, Default)]
struct Number {
    used: Micros,
    /// The same for what nobody waits for, at its share of the rate.
    background: Micros,
    paused_until: Timestamp,
}

/// A place that was reserved.
#[derive(Clone, Copy, Debug)]
enum Slot {
    /// By the rate of the pair; that of the number comes when it has come.
    Pair(Micros),
    /// By both.
    Number(Micros),
    /// By the pair, and by the background's share; the number may have something better to do.
    Background(Micros),
}

impl Pace {
    /// Takes a place for one message, or reserves one and tells when it comes.
    pub(crate) fn take(
        &self,
        channel: &Channel,
        pair: ConversationId,
        urgency: Urgency,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        let mut used = self.lock();
        let now_us = now.ms().saturating_mul(1000);
        used.begin_anew_if_set_back(now_us);
        if let Some(number) = used.numbers.get(&channel.id)
            && number.paused_until > now
        {
            return Err(number.paused_until);
        }
        let slot = if used.slots.is_empty() {
            None
        } else {
            used.slots.get(&pair).copied()
        };
        match slot {
            Some(Slot::Pair(at) | Slot::Number(at)) if at > now_us => return Err(moment(at)),
            Some(Slot::Background(at)) if at > now_us && urgency == Urgency::Background => {
                return Err(moment(at));
            }
            Some(Slot::Number(at)) => {
                used.slots.remove(&pair);
                // A place of long ago is void: others would have theirs at the same time.
                if now_us - at <= NUMBER_BURST {
                    return Ok(());
                }
            }
            Some(Slot::Pair(_) | Slot::Background(_)) => {}
            None => {
                let (until, at) = next(
                    used.pairs.get(&pair),
                    PAIR_INTERVAL,
                    PAIR_INTERVAL * PAIR_BURST,
                    now_us,
                );
                used.forget_pairs(now_us);
                used.pairs.insert(pair, until);
                if until > now_us + PAIR_WORTH_KEEPING {
                    used.changed_pairs.insert(pair);
                }
                if at > now_us {
                    used.slots.insert(pair, Slot::Pair(at));
                    return Err(moment(at));
                }
            }
        }
        let rate = Micros::from(channel.settings.messages_per_second.max(1));
        let has_share = matches!(slot, Some(Slot::Background(_)));
        if let Err(slot) = used.pass(channel.id, 1_000_000 / rate, urgency, has_share, now_us) {
            used.slots.insert(pair, slot);
            let (Slot::Pair(at) | Slot::Number(at) | Slot::Background(at)) = slot;
            return Err(moment(at));
        }
        if slot.is_some() {
            used.slots.remove(&pair);
        }
        Ok(())
    }

    /// The provider says that the number is too fast: nothing leaves over it until then.
    pub(crate) fn pause(&self, channel_id: ChannelId, until: Timestamp) {
        let mut used = self.lock();
        let number = used.numbers.entry(channel_id).or_default();
        number.paused_until = until.max(number.paused_until);
        used.changed_numbers.insert(channel_id);
    }

    /// Until when a number is paused, if it is.
    pub(crate) fn paused(&self, channel_id: ChannelId, now: Timestamp) -> Option<Timestamp> {
        let used = self.lock();
        let until = used.numbers.get(&channel_id)?.paused_until;
        (until > now).then_some(until)
    }

    /// What changed since this was last asked, to be kept; numbers as if they went on for `ahead`, so that
    /// what leaves until it is kept again is covered.
    pub(crate) fn changes(&self, ahead: Span, now: Timestamp) -> Vec<PaceRow> {
        let mut used = self.lock();
        let used = &mut *used;
        let mut rows = Vec::new();
        for id in used.changed_numbers.drain() {
            let Some(number) = used.numbers.get(&id) else {
                continue;
            };
            rows.push(PaceRow {
                kind: PaceKind::Number,
                id: id.uuid(),
                until: moment(number.used) + ahead,
            });
            if number.paused_until > now {
                rows.push(PaceRow {
                    kind: PaceKind::Pause,
                    id: id.uuid(),
                    until: number.paused_until,
                });
            }
        }
        for id in used.changed_pairs.drain() {
            if let Some(until) = used.pairs.get(&id) {
                rows.push(PaceRow {
                    kind: PaceKind::Pair,
                    id: id.uuid(),
                    until: moment(*until),
                });
            }
        }
        rows
    }

    /// Takes over what was kept.
    pub(crate) fn restore(&self, rows: &[PaceRow]) {
        let mut used = self.lock();
        for row in rows {
            let until = row.until.ms().saturating_mul(1000);
            match row.kind {
                PaceKind::Number => {
                    let number = used
                        .numbers
                        .entry(ChannelId::from_uuid(row.id))
                        .or_default();
                    number.used = number.used.max(until);
                }
                PaceKind::Pause => {
                    let number = used
                        .numbers
                        .entry(ChannelId::from_uuid(row.id))
                        .or_default();
                    number.paused_until = number.paused_until.max(row.until);
                }
                PaceKind::Pair => {
                    let pair = used
                        .pairs
                        .entry(ConversationId::from_uuid(row.id))
                        .or_default();
                    *pair = (*pair).max(until);
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Used> {
        self.0.lock().expect("no one panics while holding it")
    }
}

impl Used {
    /// Uses a place of the number, or tells which one comes.
    fn pass(
        &mut self,
        id: ChannelId,
        step: Micros,
        urgency: Urgency,
        has_share: bool,
        now: Micros,
    ) -> Result<(), Slot> {
        let number = self.numbers.entry(id).or_default();
        if urgency == Urgency::Background {
            let is_free = number.used <= now + BACKGROUND_FLOOR.max(step) - step;
            if !has_share || !is_free {
                let share = step * (BACKGROUND_SHARE + 1) / BACKGROUND_SHARE;
                let burst = BACKGROUND_BURST.max(share);
                let (until, at) = next(Some(&number.background), share, burst, now);
                // While replies need the number, whoever's turn it was goes to the end of the line.
                number.background = until;
                if at > now || !is_free {
                    return Err(Slot::Background(at.max(now + share)));
                }
            }
        }
        let (until, at) = next(Some(&number.used), step, NUMBER_BURST, now);
        number.used = until;
        self.changed_numbers.insert(id);
        if at > now {
            return Err(Slot::Number(at));
        }
        Ok(())
    }

    fn begin_anew_if_set_back(&mut self, now: Micros) {
        if now + SET_BACK < self.latest {
            *self = Self::default();
        }
        self.latest = self.latest.max(now);
    }

    fn forget_pairs(&mut self, now: Micros) {
        if self.pairs.len() >= self.max_pairs.max(MAX_PAIRS) {
            self.pairs.retain(|_, until| *until > now);
            self.max_pairs = self.pairs.len() * 2;
        }
    }
}

/// Up to when the rate is used with one message more, and when that one may leave.
fn next(used: Option<&Micros>, step: Micros, burst: Micros, now: Micros) -> (Micros, Micros) {
    let until = used.copied().unwrap_or(now).max(now) + step;
    (until, until - burst)
}

/// The first whole millisecond that is not before `at`.
fn moment(at: Micros) -> Timestamp {
    Timestamp::from_ms(at.saturating_add(999).div_euclid(1000))
}
