//! Cron lines, as `line|milliseconds|zone`: whatever they say, the next time comes after the last, and is told.

use chrono_tz::Tz;
use rejoinder_engine::domain::occurrence::CronLine;
use rejoinder_engine::domain::time::Timestamp;

use crate::bytes;

/// Occurrences that are asked for, one after the other.
const ASKED: usize = 5;

/// A line, a moment and a zone.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split('|');
    let Ok(line) = CronLine::parse(parts.next().unwrap_or_default()) else {
        return;
    };
    let written = CronLine::parse(line.text()).expect("what was read can be read again");
    assert_eq!(written.text(), line.text());
    let ms = parts.next().and_then(|ms| ms.parse().ok());
    let zone: Tz = parts
        .next()
        .and_then(|zone| zone.parse().ok())
        .unwrap_or(Tz::UTC);
    let mut now = Timestamp::from_ms(ms.unwrap_or(1_795_510_800_000));
    for _ in 0..ASKED {
        let Some(next) = line.next(now, zone) else {
            return;
        };
        assert!(next > now, "{next} is not after {now}");
        assert_eq!(written.next(now, zone), Some(next));
        now = next;
    }
}

/// What to begin with.
pub fn seeds() -> Vec<Vec<u8>> {
    bytes(&[
        "0 9 * * MON-FRI|1795402405070|Europe/Berlin",
        "*/30 * * * *|1792890000000|Europe/London",
        "30 1 * * *|1774659600000|Europe/London",
        "0 0 29 2 *|0|America/Sao_Paulo",
        "0 0 30 2 *|0|Asia/Kathmandu",
        "59 23 31 12 *|4102444799000|Pacific/Apia",
        "15,45 */2 1-7/2 JAN,JUL *|-1|Australia/Lord_Howe",
        "0 12 * * SUN|253402300799999|Antarctica/Troll",
        "* * * * *|9223372036854775807|Africa/Casablanca",
        "* * * * *|-9223372036854775808|UTC",
        "0 0 * * *|8210266876799999|Asia/Tehran",
        "0 0 * * *|-8334601228800000|Asia/Tehran",
        "0 9 * *",
        "61 9 * * *",
    ])
}
