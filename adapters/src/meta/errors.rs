//! What Meta's error codes mean for a message: one closed table, and the reading of error answers.
//! Knows nothing of what was sent, so that no error can repeat it.

use rejoinder_engine::adapter::{SendError, SendErrorKind};
use rejoinder_engine::domain::inbound::Failure;
use serde_json::{Map, Value};

use crate::http::Answer;

/// The most of Meta's sentence that is kept.
const MAX_DETAIL_CHARS: usize = 300;
/// A longer word is no word: a token or a signed address, which error sentences sometimes repeat.
const MAX_WORD_CHARS: usize = 40;

/// Codes that leave open whether the message goes out when they answer a send. In a status, which
/// comes later, they say that it did not.
const AMBIGUOUS: [i64; 2] = [131_000, 131_016];

/// First code, last code, kind.
const TABLE: &[(i64, i64, SendErrorKind)] = {
    use SendErrorKind::{
        ChannelUnready, Credential, Invalid, MediaRejected, OptedOut, PairLimited, RateLimited,
        Refused, TemplateRejected, Temporary, Unreachable, WindowClosed,
    };
    &[
        // The Graph API itself.
        (0, 0, Credential),
        (1, 2, Temporary),
        (3, 3, Credential),
        (4, 4, RateLimited),
        (10, 10, Credential),
        (33, 33, ChannelUnready),
        (100, 100, Invalid),
        (190, 190, Credential),
        (200, 299, Credential),
        (368, 368, Refused),
        (613, 613, RateLimited),
        (80_007, 80_007, RateLimited),
        // Messages.
        (130_429, 130_429, RateLimited),
        (130_472, 130_472, Refused),
        (130_497, 130_497, Refused),
        (131_000, 131_000, Temporary),
        (131_005, 131_005, Credential),
        (131_008, 131_009, Invalid),
        (131_016, 131_016, Temporary),
        (131_021, 131_021, Invalid),
        (131_026, 131_026, Unreachable),
        // A test number may write to listed customers only: the others are out of its reach.
        (131_030, 131_030, Unreachable),
        (131_031, 131_031, ChannelUnready),
        (131_037, 131_037, ChannelUnready),
        (131_042, 131_042, ChannelUnready),
        (131_044, 131_045, ChannelUnready),
        (131_047, 131_047, WindowClosed),
        (131_048, 131_048, RateLimited),
        (131_049, 131_049, Refused),
        (131_050, 131_050, OptedOut),
        (131_051, 131_051, Invalid),
        (131_052, 131_053, MediaRejected),
        (131_055, 131_055, TemplateRejected),
        (131_056, 131_056, PairLimited),
        (131_057, 131_057, Temporary),
        (131_060, 131_060, Unreachable),
        // Some templates need a phone number and the customer shows none.
        (131_062, 131_062, Unreachable),
        (131_063, 131_064, Refused),
        // Templates and flows.
        (132_000, 132_001, TemplateRejected),
        (132_005, 132_005, TemplateRejected),
        (132_007, 132_008, TemplateRejected),
        (132_012, 132_012, TemplateRejected),
        (132_015, 132_016, TemplateRejected),
        (132_018, 132_018, TemplateRejected),
        (132_068, 132_068, Refused),
        // Ten an hour for one flow; the number itself may go on.
        (132_069, 132_069, Temporary),
        // Registration of the number.
        (133_000, 133_000, ChannelUnready),
        (133_004, 133_004, Temporary),
        (133_005, 133_006, ChannelUnready),
        (133_008, 133_010, ChannelUnready),
        (133_015, 133_016, ChannelUnready),
        (134_011, 134_011, ChannelUnready),
        (134_100, 134_100, TemplateRejected),
        (134_101, 134_101, Temporary),
        (134_102, 134_102, ChannelUnready),
        (135_000, 135_000, Invalid),
        (137_000, 137_000, Refused),
        (139_100, 139_103, Refused),
        (141_002, 141_002, ChannelUnready),
        (147_001, 147_005, Refused),
        // Management.
        (2_388_001, 2_388_299, TemplateRejected),
        (2_494_100, 2_494_100, Temporary),
        (2_593_107, 2_593_109, Refused),
    ]
};

/// An object that does not exist, or that the credentials may not see: as a subcode of 100.
const SUBCODE_NO_OBJECT: i64 = 33;

/// The kind of a code, if it is in the table.
pub(super) fn kind(code: i64) -> Option<SendErrorKind> {
    TABLE
        .iter()
        .find(|(first, last, _)| (*first..=*last).contains(&code))
        .map(|(_, _, kind)| *kind)
}

/// Why a message failed, as a status says (`statuses[].errors[0]`).
pub(super) fn failure(error: Option<&Map<String, Value>>) -> Failure {
    let Some(error) = error else {
        return SendError::new(SendErrorKind::Refused, "Meta gave no reason").to_failure();
    };
    let code = integer(error, "code").unwrap_or(0);
    // Zero is what a missing code looks like; in a status no credential was at work.
    let kind = kind(code)
        .filter(|_| code != 0)
        .unwrap_or(SendErrorKind::Refused);
    SendError::new(kind, detail(error, kind))
        .with_code(code)
        .to_failure()
}

/// Why a request was not answered with success.
pub(super) fn refusal(answer: &Answer) -> SendError {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let mut error = match body
        .as_ref()
        .and_then(|body| body.get("error")?.as_object())
    {
        Some(error) => graph_error(answer.status, error),
        None => SendError::new(
            kind_of_status(answer.status),
            format!("Meta answered with status {} and no reason", answer.status),
        ),
    };
    error.retry_after = answer.retry_after;
    error
}

fn graph_error(status: u16, error: &Map<String, Value>) -> SendError {
    let written = integer(error, "code");
    let code = written.unwrap_or(0);
    let subcode = integer(error, "error_subcode").unwrap_or(0);
    let kind = if AMBIGUOUS.contains(&code) {
        SendErrorKind::InDoubt
    } else if code == 100 && subcode == SUBCODE_NO_OBJECT {
        SendErrorKind::ChannelUnready
    } else {
        // Template management puts the telling code second, under a code that says nothing.
        written
            .and_then(kind)
            .filter(|_| !(2_388_001..=2_388_299).contains(&subcode))
            .or_else(|| kind(subcode).filter(|_| subcode != 0))
            .unwrap_or_else(|| match error.get("is_transient") {
                Some(Value::Bool(true)) if status < 500 => SendErrorKind::Temporary,
                _ => kind_of_status(status),
            })
    };
    // The one thing that Meta's support asks for; it identifies no person.
    if let Some(trace) = error.get("fbtrace_id").and_then(Value::as_str) {
        tracing::debug!(
            provider.code = code,
            provider.trace = trace,
            "Meta answered with an error"
        );
    }
    SendError::new(kind, detail(error, kind)).with_code(code)
}

/// What a status alone says, or a status with a code that the table lacks.
const fn kind_of_status(status: u16) -> SendErrorKind {
    match status {
        401 | 403 => SendErrorKind::Credential,
        413 => SendErrorKind::Invalid,
        429 => SendErrorKind::RateLimited,
        300..=407 | 409..=499 => SendErrorKind::Refused,
        // A proxy's word, or none: nobody says that the request did not reach its goal.
        _ => SendErrorKind::InDoubt,
    }
}

/// Meta's sentence, shortened, without words that could be secrets.
fn detail(error: &Map<String, Value>, kind: SendErrorKind) -> String {
    let text = |object: &Map<String, Value>, key: &str| {
        let text = object.get(key)?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let details = error
        .get("error_data")
        .and_then(Value::as_object)
        .and_then(|data| text(data, "details"));
    let sentence = details.or_else(|| match kind {
        // These messages repeat the token.
        SendErrorKind::Credential => None,
        _ => text(error, "error_user_msg")
            .or_else(|| text(error, "message"))
            .or_else(|| text(error, "title")),
    });
    let sentence = sentence.unwrap_or_else(|| match kind {
        SendErrorKind::Credential => {
            "Meta refused the access token: it is wrong, expired, or lacks a permission".to_owned()
        }
        _ => "Meta gave no reason".to_owned(),
    });
    let words: Vec<&str> = sentence
        .split_whitespace()
        .map(|word| {
            if word.chars().nth(MAX_WORD_CHARS).is_some() {
                "…"
            } else {
                word
            }
        })
        .collect();
    let kept: String = words.join(" ").chars().take(MAX_DETAIL_CHARS).collect();
    kept.replace('\0', "\u{fffd}")
}

fn integer(object: &Map<String, Value>, key: &str) -> Option<i64> {
    match object.get(key)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rejoinder_engine::domain::time::Span;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            retry_after: None,
            request_id: None,
            date: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn check(status: u16, error: &str, kind: SendErrorKind) {
        let error = refusal(&answer(status, &format!(r#"{{"error":{error}}}"#)));
        assert_eq!(error.kind, kind, "{error:?}");
    }

    #[test]
    fn the_table_is_sorted_and_no_code_is_in_it_twice() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].0 <= pair[0].1 && pair[0].1 < pair[1].0, "{pair:?}");
        }
    }

    #[test]
    fn every_code_says_what_to_do() {
        use SendErrorKind as Kind;
        check(401, r#"{"code":190}"#, Kind::Credential);
        check(401, r#"{"code":0}"#, Kind::Credential);
        check(403, r#"{"code":230}"#, Kind::Credential);
        check(503, r#"{"code":2}"#, Kind::Temporary);
        check(500, r#"{"code":131057}"#, Kind::Temporary);
        check(400, r#"{"code":130429}"#, Kind::RateLimited);
        check(400, r#"{"code":"131056"}"#, Kind::PairLimited);
        check(400, r#"{"code":131047}"#, Kind::WindowClosed);
        check(400, r#"{"code":131050}"#, Kind::OptedOut);
        check(404, r#"{"code":132001}"#, Kind::TemplateRejected);
        check(400, r#"{"code":100}"#, Kind::Invalid);
        check(
            400,
            r#"{"code":100,"error_subcode":33}"#,
            Kind::ChannelUnready,
        );
        check(
            400,
            r#"{"code":100,"error_subcode":2388073}"#,
            Kind::TemplateRejected,
        );
        check(500, r#"{"code":131000}"#, Kind::InDoubt);
        check(503, r#"{"code":131016}"#, Kind::InDoubt);
        check(400, r#"{"code":777777}"#, Kind::Refused);
        check(
            400,
            r#"{"code":777777,"is_transient":true}"#,
            Kind::Temporary,
        );
        check(500, r#"{"code":777777,"is_transient":true}"#, Kind::InDoubt);
        check(400, "{}", Kind::Refused);
        check(502, "{}", Kind::InDoubt);
    }

    #[test]
    fn an_answer_without_a_reason_is_judged_by_its_status() {
        use SendErrorKind as Kind;
        for (status, kind) in [
            (302, Kind::Refused),
            (401, Kind::Credential),
            (404, Kind::Refused),
            (408, Kind::InDoubt),
            (429, Kind::RateLimited),
            (500, Kind::InDoubt),
            (502, Kind::InDoubt),
            (503, Kind::InDoubt),
            (504, Kind::InDoubt),
        ] {
            let error = refusal(&answer(status, "<html>Bad Gateway</html>"));
            assert_eq!(error.kind, kind, "{status}");
        }
    }

    #[test]
    fn the_wait_that_meta_asks_for_is_kept() {
        let mut answer = answer(429, "");
        answer.retry_after = Some(Span::seconds(7));
        assert_eq!(refusal(&answer).retry_after, Some(Span::seconds(7)));
    }

    #[test]
    fn an_error_repeats_no_token() {
        let token = "EAAG".repeat(20);
        let body =
            format!(r#"{{"error":{{"code":190,"message":"Malformed access token {token}"}}}}"#);
        assert!(!refusal(&answer(400, &body)).to_string().contains("EAAG"));
        let body = format!(r#"{{"error":{{"code":100,"message":"Invalid {token} here"}}}}"#);
        assert_eq!(refusal(&answer(400, &body)).detail, "Invalid … here");
    }

    #[test]
    fn a_status_fails_for_certain_even_where_an_answer_is_in_doubt() {
        let error = serde_json::json!({"code": 131_000, "title": "Something went wrong"});
        let failure = failure(error.as_object());
        assert_eq!(failure.kind, "temporary");
        assert_eq!(failure.provider_code, 131_000);
        assert_eq!(super::failure(None).kind, "refused");
    }
}
