//! Whether a channel is worth trying: when its credentials are refused, or nearly everything fails, its messages
//! wait, and one of them tries now and then. Knows neither lanes nor the database; a restart tries anew.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::adapter::{SendError, SendErrorKind};
use crate::domain::ids::ChannelId;
use crate::domain::time::{Span, Timestamp};

/// Failures and successes are compared over so long a stretch.
const STRETCH: Span = Span::seconds(30);
/// So many attempts must have been made in it before half of them failing means something.
const ENOUGH: u32 = 20;
/// How long the first pause lasts; each further one lasts twice as long …
const FIRST_PAUSE: Span = Span::seconds(30);
/// … up to this.
const LONGEST_PAUSE: Span = Span::minutes(10);
/// An attempt that was not heard of for so long will not be: another may be made. A request ends in eight seconds.
const TRIAL: Span = Span::seconds(20);

/// What is known of the channels.
#[derive(Debug, Default)]
pub(crate) struct Breakers(Mutex<HashMap<ChannelId, Breaker>>);

#[derive(Debug)]
struct Breaker {
    since: Timestamp,
    well: u32,
    failed: u32,
    pause: Option<Pause>,
}

#[derive(Debug)]
struct Pause {
    /// Those that failed; others may do better.
    credentials_version: i32,
    until: Timestamp,
    length: Span,
    /// Someone tries, and is heard of by then.
    trial_until: Option<Timestamp>,
    why: String,
}

/// Why a channel sends nothing at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPause {
    /// When one message is tried again.
    pub until: Timestamp,
    /// What the last attempt met.
    pub why: String,
}

/// What an attempt changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// The channel pauses until then, or goes on pausing.
    Paused(Timestamp),
    /// The channel sends again.
    Resumed,
}

impl Breakers {
    /// Whether a message may be tried; otherwise when to ask again.
    pub(crate) fn check(
        &self,
        channel_id: ChannelId,
        credentials_version: i32,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        let mut breakers = self.lock();
        let Some(breaker) = breakers.get_mut(&channel_id) else {
            return Ok(());
        };
        let Some(pause) = &breaker.pause else {
            return Ok(());
        };
        if pause.credentials_version != credentials_version {
            breaker.pause = None;
            return Ok(());
        }
        match pause.trial_until {
            _ if pause.until > now => Err(pause.until),
            Some(until) if until > now => Err(until),
            _ => Ok(()),
        }
    }

    /// Like `check`, and says that the message is tried now: while the channel pauses, it is the only one.
    pub(crate) fn enter(
        &self,
        channel_id: ChannelId,
        credentials_version: i32,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        self.check(channel_id, credentials_version, now)?;
        let mut breakers = self.lock();
        if let Some(pause) = breakers
            .get_mut(&channel_id)
            .and_then(|breaker| breaker.pause.as_mut())
        {
            pause.trial_until = Some(now + TRIAL);
        }
        Ok(())
    }

    /// Learns how an attempt ended.
    pub(crate) fn tell<T>(
        &self,
        channel_id: ChannelId,
        credentials_version: i32,
        outcome: &Result<T, SendError>,
        now: Timestamp,
    ) -> Change {
        let (is_broken, why) = match outcome {
            Err(error) => match error.kind {
                SendErrorKind::Credential | SendErrorKind::ChannelUnready => (true, Some(error)),
                SendErrorKind::NotConnected | SendErrorKind::Temporary | SendErrorKind::InDoubt => {
                    (false, Some(error))
                }
                // The provider answers, and means this message only.
                _ => (false, None),
            },
            Ok(_) => (false, None),
        };
        let mut breakers = self.lock();
        let breaker = breakers.entry(channel_id).or_insert(Breaker {
            since: now,
            well: 0,
            failed: 0,
            pause: None,
        });
        let Some(why) = why else {
            breaker.count(now).well += 1;
            return breaker
                .pause
                .take()
                .map_or(Change::None, |_| Change::Resumed);
        };
        breaker.count(now).failed += 1;
        if let Some(pause) = &mut breaker.pause {
            // What left before the pause proves nothing about the trial.
            if pause.trial_until.take().is_some() {
                pause.length = Span::from_ms((pause.length.ms() * 2).min(LONGEST_PAUSE.ms()));
                pause.until = now + pause.length;
                pause.why = why.to_string();
            }
            return Change::Paused(pause.until);
        }
        let attempts = breaker.well + breaker.failed;
        if !is_broken && (attempts < ENOUGH || breaker.failed * 2 < attempts) {
            return Change::None;
        }
        let until = now + FIRST_PAUSE;
        breaker.pause = Some(Pause {
            credentials_version,
            until,
            length: FIRST_PAUSE,
            trial_until: None,
            why: why.to_string(),
        });
        Change::Paused(until)
    }

    /// Why a channel sends nothing, if it does not.
    pub(crate) fn pause(&self, channel_id: ChannelId) -> Option<ChannelPause> {
        let breakers = self.lock();
        let pause = breakers.get(&channel_id)?.pause.as_ref()?;
        Some(ChannelPause {
            until: pause.until,
            why: pause.why.clone(),
        })
    }

    /// Ends the pause of channels that have other credentials by now; says whether any has.
    pub(crate) fn renew(&self, version: impl Fn(ChannelId) -> Option<i32>) -> bool {
        let mut renewed = false;
        for (id, breaker) in self.lock().iter_mut() {
            let failed = breaker
                .pause
                .as_ref()
                .map(|pause| pause.credentials_version);
            if failed.is_some() && failed != version(*id) {
                breaker.pause = None;
                renewed = true;
            }
        }
        renewed
    }

    /// Whether any channel pauses.
    pub(crate) fn any(&self) -> bool {
        self.lock().values().any(|breaker| breaker.pause.is_some())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ChannelId, Breaker>> {
        self.0.lock().expect("no one panics while holding it")
    }
}

impl Breaker {
    fn count(&mut self, now: Timestamp) -> &mut Self {
        if now.since(self.since) > STRETCH || now < self.since {
            (self.since, self.well, self.failed) = (now, 0, 0);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn met(kind: SendErrorKind) -> Result<(), SendError> {
        Err(SendError::new(kind, "what it met"))
    }

    #[test]
    fn refused_credentials_pause_a_channel_and_one_message_tries() {
        let (breakers, channel) = (Breakers::default(), ChannelId::generate());
        let refused = met(SendErrorKind::Credential);
        let until = NOW + FIRST_PAUSE;
        assert_eq!(breakers.enter(channel, 1, NOW), Ok(()));
        assert_eq!(
            breakers.tell(channel, 1, &refused, NOW),
            Change::Paused(until)
        );
        assert_eq!(breakers.check(channel, 1, NOW), Err(until));
        assert_eq!(breakers.enter(channel, 1, until), Ok(()), "one tries");
        assert_eq!(
            breakers.enter(channel, 1, until),
            Err(until + TRIAL),
            "only one"
        );
        let longer = until + Span::seconds(60);
        assert_eq!(
            breakers.tell(channel, 1, &refused, until),
            Change::Paused(longer)
        );
        assert_eq!(breakers.check(channel, 1, until), Err(longer));
        assert_eq!(breakers.enter(channel, 1, longer), Ok(()));
        assert_eq!(breakers.tell(channel, 1, &Ok(()), longer), Change::Resumed);
        assert_eq!(breakers.check(channel, 1, longer), Ok(()));
        assert_eq!(breakers.pause(channel), None);
    }

    #[test]
    fn new_credentials_end_a_pause_at_once() {
        let (breakers, channel) = (Breakers::default(), ChannelId::generate());
        breakers.tell(channel, 1, &met(SendErrorKind::Credential), NOW);
        assert!(breakers.check(channel, 1, NOW).is_err());
        assert_eq!(breakers.check(channel, 2, NOW), Ok(()));
        assert!(!breakers.any());
    }

    #[test]
    fn a_channel_pauses_when_half_of_many_fail_and_not_before() {
        let (breakers, channel) = (Breakers::default(), ChannelId::generate());
        let failed = met(SendErrorKind::NotConnected);
        for _ in 0..10 {
            assert_eq!(breakers.tell(channel, 1, &Ok(()), NOW), Change::None);
        }
        for _ in 0..9 {
            assert_eq!(breakers.tell(channel, 1, &failed, NOW), Change::None);
        }
        let refused = met(SendErrorKind::Invalid);
        assert_eq!(
            breakers.tell(channel, 1, &refused, NOW),
            Change::None,
            "its own fault"
        );
        assert_eq!(breakers.tell(channel, 1, &failed, NOW), Change::None);
        assert!(matches!(
            breakers.tell(channel, 1, &failed, NOW),
            Change::Paused(_)
        ));
        let other = ChannelId::generate();
        for nth in 0..40 {
            let at = NOW + Span::seconds(nth * 2);
            assert_eq!(
                breakers.tell(other, 1, &failed, at),
                Change::None,
                "too few at a time"
            );
        }
    }
}
