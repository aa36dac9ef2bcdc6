//! Bursts, places that come, and who goes first.

use super::*;
use crate::domain::channel::ChannelSettings;
use crate::domain::contact::Phone;
use crate::domain::ids::LocationId;
use crate::domain::time::Span;
use crate::lanes::Urgency::{Background, Live};

fn channel(messages_per_second: u32) -> Channel {
    Channel {
        location_id: LocationId::generate(),
        id: ChannelId::generate(),
        provider: "meta".into(),
        account: String::new(),
        key: String::new(),
        phone: Phone::parse("4930901820").expect("a number"),
        name: String::new(),
        settings: ChannelSettings {
            messages_per_second,
            ..ChannelSettings::default()
        },
        enabled: true,
    }
}

#[test]
fn a_pair_may_burst_and_then_waits_its_turn() {
    let (pace, channel) = (Pace::default(), channel(1000));
    let (now, pair) = (Timestamp::from_seconds(1_000), ConversationId::generate());
    for _ in 0..PAIR_BURST {
        assert_eq!(pace.take(&channel, pair, Live, now), Ok(()));
    }
    let turn = now + Span::seconds(6);
    assert_eq!(pace.take(&channel, pair, Live, now), Err(turn));
    assert_eq!(
        pace.take(&channel, pair, Live, now),
        Err(turn),
        "it has its place"
    );
    assert_eq!(
        pace.take(&channel, ConversationId::generate(), Live, now),
        Ok(())
    );
    assert_eq!(pace.take(&channel, pair, Live, turn), Ok(()));
    pace.pause(channel.id, now + Span::seconds(30));
    assert_eq!(
        pace.take(&channel, pair, Live, now + Span::seconds(20)),
        Err(now + Span::seconds(30))
    );
}

#[test]
fn conversations_that_wait_for_a_number_have_a_moment_each() {
    let (pace, channel) = (Pace::default(), channel(80));
    let now = Timestamp::from_seconds(1_000);
    for _ in 0..80 {
        let pair = ConversationId::generate();
        assert_eq!(pace.take(&channel, pair, Live, now), Ok(()));
    }
    let waiting: Vec<(ConversationId, Timestamp)> = (0..80)
        .map(|_| {
            let pair = ConversationId::generate();
            (
                pair,
                pace.take(&channel, pair, Live, now).expect_err("it waits"),
            )
        })
        .collect();
    assert_eq!(waiting[0].1, now + Span::from_ms(13), "12.5 ms, rounded up");
    assert_eq!(waiting[79].1, now + Span::seconds(1), "no drift");
    for (pair, at) in waiting {
        assert_eq!(
            pace.take(&channel, pair, Live, at),
            Ok(()),
            "it asks once more"
        );
    }
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_a_number() {
    let (pace, channel) = (Pace::default(), channel(1));
    let now = Timestamp::from_seconds(100_000);
    let pair = ConversationId::generate();
    assert_eq!(pace.take(&channel, pair, Live, now), Ok(()));
    assert_eq!(
        pace.take(&channel, pair, Live, now - Span::hours(1)),
        Ok(())
    );
}

#[test]
fn a_campaign_leaves_room_for_replies_and_waits_while_they_need_the_number() {
    let (pace, channel) = (Pace::default(), channel(80));
    let now = Timestamp::from_seconds(1_000);
    let mut waiting: Vec<(ConversationId, Timestamp)> = Vec::new();
    for _ in 0..600 {
        let pair = ConversationId::generate();
        if let Err(at) = pace.take(&channel, pair, Background, now) {
            waiting.push((pair, at));
        }
    }
    let last = waiting.last().expect("most wait").1;
    assert!(last > now + Span::seconds(9), "a share of the rate: {last}");
    let mut left = 0;
    for tick in 0..10_000 {
        let now = now + Span::from_ms(tick);
        if tick % 100 == 0 {
            let taken = pace.take(&channel, ConversationId::generate(), Live, now);
            assert_eq!(taken, Ok(()), "a reply leaves at once");
        }
        for (pair, at) in &mut waiting {
            if *at <= now {
                match pace.take(&channel, *pair, Background, now) {
                    Ok(()) => {
                        left += 1;
                        *at = Timestamp::from_ms(i64::MAX);
                    }
                    Err(later) => *at = later,
                }
            }
        }
    }
    assert!(left > 400, "and the campaign goes on: {left}");
    // So many replies that nothing is free.
    let now = now + Span::seconds(100);
    for _ in 0..80 {
        assert_eq!(
            pace.take(&channel, ConversationId::generate(), Live, now),
            Ok(())
        );
    }
    let pair = ConversationId::generate();
    assert!(pace.take(&channel, pair, Background, now).is_err());
    assert!(
        pace.take(&channel, pair, Live, now).is_err(),
        "after the others"
    );
}

#[test]
fn what_waits_in_the_background_goes_at_once_when_someone_waits_for_it() {
    let (pace, channel) = (Pace::default(), channel(10));
    let now = Timestamp::from_seconds(1_000);
    let pairs: Vec<ConversationId> = (0..5).map(|_| ConversationId::generate()).collect();
    for pair in &pairs {
        let _ = pace.take(&channel, *pair, Background, now);
    }
    assert!(pace.take(&channel, pairs[4], Background, now).is_err());
    assert_eq!(pace.take(&channel, pairs[4], Live, now), Ok(()));
}

#[test]
fn what_was_used_is_used_after_a_restart() {
    let (pace, channel) = (Pace::default(), channel(80));
    let (now, pair) = (Timestamp::from_seconds(1_000), ConversationId::generate());
    for _ in 0..PAIR_BURST {
        assert_eq!(pace.take(&channel, pair, Live, now), Ok(()));
    }
    let paused = ChannelId::generate();
    pace.pause(paused, now + Span::minutes(5));
    let kept = pace.changes(Span::default(), now);
    assert_eq!(pace.changes(Span::default(), now), [], "it is kept once");
    let after = Pace::default();
    after.restore(&kept);
    assert_eq!(
        after.take(&channel, pair, Live, now),
        Err(now + Span::seconds(6))
    );
    let left = (0..80)
        .filter(|_| {
            let pair = ConversationId::generate();
            after.take(&channel, pair, Live, now).is_ok()
        })
        .count();
    assert!((30..=35).contains(&left), "no second burst: {left}");
    assert_eq!(after.paused(paused, now), Some(now + Span::minutes(5)));
}
