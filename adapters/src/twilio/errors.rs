//! Twilio's error codes in the engine's words: one table, and how to read a refusal.
//! Knows nothing of what was being sent.

use rejoinder_engine::adapter::SendError;
use rejoinder_engine::adapter::SendErrorKind::{
    self, ChannelUnready, Credential, InDoubt, Invalid, MediaRejected, OptedOut, RateLimited,
    Refused, TemplateRejected, Temporary, Unreachable, WindowClosed,
};
use rejoinder_engine::domain::inbound::Failure;
use serde::Deserialize;

use crate::http::Answer;

/// A sentence of Twilio's is kept to this length.
const MAX_DETAIL_CHARS: usize = 200;

/// The first code of a row, the last one, what they mean to the engine, and to a person.
type Row = (i64, i64, SendErrorKind, &'static str);

/// Every code that is known, in order. What concerns one customer only is never `ChannelUnready`,
/// which stops the whole number.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    (11200, 11200, MediaRejected, "Twilio could not fetch the file: its server answered an error"),
    (11205, 11205, MediaRejected, "Twilio could not fetch the file: its server cannot be reached"),
    (11237, 11237, MediaRejected, "Twilio could not fetch the file: its server's certificate is not trusted"),
    (12300, 12300, MediaRejected, "the file's server names a media type that Twilio does not take"),
    (20001, 20001, Invalid, "Twilio does not know a parameter of the request"),
    (20003, 20003, Credential, "Twilio does not accept the credentials, or the account is suspended"),
    (20004, 20004, Invalid, "Twilio does not allow this request"),
    (20005, 20005, ChannelUnready, "the Twilio account is not active"),
    (20404, 20404, Invalid, "Twilio does not find what the request names: check the channel's account"),
    (20429, 20429, RateLimited, "too many requests to Twilio at once"),
    (20500, 20500, InDoubt, "Twilio had an internal fault"),
    (20503, 20503, InDoubt, "Twilio was not available"),
    (21211, 21211, Unreachable, "the recipient's address is not valid"),
    (21212, 21212, ChannelUnready, "the channel's number is not valid at Twilio"),
    (21408, 21408, Unreachable, "the Twilio account may not send to this region"),
    (21601, 21601, Invalid, "the channel's number cannot send messages"),
    (21602, 21602, Invalid, "the message has no text"),
    (21603, 21603, Invalid, "the message has no sender"),
    (21604, 21604, Invalid, "the message has no recipient"),
    (21606, 21606, ChannelUnready, "the channel's number cannot send messages for this account"),
    (21608, 21608, Unreachable, "a trial account can send to verified recipients only"),
    (21609, 21609, Invalid, "Twilio does not accept our address for statuses"),
    (21610, 21610, OptedOut, "the recipient wrote STOP and has not written START since"),
    (21611, 21611, RateLimited, "too many messages wait at Twilio for this number"),
    (21612, 21612, Unreachable, "the recipient cannot be reached from this number"),
    (21614, 21614, Unreachable, "the recipient's number is not a mobile number"),
    (21617, 21617, Invalid, "the text is longer than 1600 characters"),
    (21620, 21620, MediaRejected, "the address of the file is not valid"),
    (21623, 21623, MediaRejected, "the message has too many files"),
    (21624, 21624, Invalid, "the validity period is not valid"),
    (21626, 21626, Invalid, "the status events asked for are not valid"),
    (21654, 21654, TemplateRejected, "Twilio wants a Content SID for this message"),
    (21655, 21655, TemplateRejected, "Twilio does not know the Content SID: the template may have been deleted"),
    (21656, 21656, TemplateRejected, "the template's values are not valid: none may be empty or hold a line break or tab"),
    (21701, 21705, ChannelUnready, "the messaging service is missing or has no number"),
    (30001, 30001, RateLimited, "too many messages wait at Twilio"),
    (30002, 30002, ChannelUnready, "the Twilio account is suspended"),
    (30008, 30008, Temporary, "Twilio does not say why"),
    (30410, 30410, InDoubt, "WhatsApp did not answer Twilio in time"),
    (63001, 63001, ChannelUnready, "WhatsApp does not accept Twilio's credentials for this number: check the sender in Twilio's console"),
    (63002, 63002, ChannelUnready, "the number is not a WhatsApp sender of the Twilio account"),
    (63003, 63003, Unreachable, "the recipient is not found on WhatsApp"),
    (63005, 63005, Invalid, "WhatsApp does not take this content"),
    (63006, 63006, Invalid, "Twilio could not write this content for WhatsApp"),
    (63007, 63007, ChannelUnready, "the number is not a WhatsApp sender of the Twilio account, or is not online"),
    (63008, 63008, ChannelUnready, "the WhatsApp sender is set up wrongly at Twilio"),
    (63009, 63009, Temporary, "WhatsApp answered Twilio an error"),
    (63010, 63010, Temporary, "Twilio had an internal fault"),
    (63011, 63011, Invalid, "WhatsApp found Twilio's request not valid"),
    (63012, 63012, Temporary, "WhatsApp had an internal fault"),
    (63013, 63013, Refused, "the message violates WhatsApp's policy"),
    (63014, 63014, OptedOut, "the recipient blocked the business"),
    (63015, 63015, Unreachable, "the recipient has not joined the Twilio sandbox"),
    (63016, 63016, WindowClosed, "outside the service window only a template may be sent"),
    (63017, 63017, RateLimited, "the Twilio account sends too fast"),
    (63018, 63018, RateLimited, "the number sends too fast"),
    (63019, 63019, MediaRejected, "Twilio could not fetch the file, or its type does not match"),
    (63020, 63020, ChannelUnready, "Meta's business account has a problem: check payment and verification"),
    (63021, 63021, Invalid, "WhatsApp found the content not valid"),
    (63022, 63022, ChannelUnready, "the number's display name has no certificate: check the sender in Twilio's console"),
    (63023, 63023, Temporary, "WhatsApp answered an error that Twilio does not explain"),
    (63024, 63024, Unreachable, "the recipient is not on WhatsApp, or cannot receive this"),
    (63025, 63025, MediaRejected, "WhatsApp has this file already"),
    (63026, 63026, Refused, "WhatsApp takes the message for spam"),
    (63027, 63027, TemplateRejected, "the template does not exist in this language"),
    (63028, 63028, TemplateRejected, "the template takes another number of values"),
    (63029, 63029, TemplateRejected, "the recipient's WhatsApp could not load the template"),
    (63030, 63030, TemplateRejected, "the template has a parameter that WhatsApp does not support"),
    (63031, 63031, Invalid, "sender and recipient are the same"),
    (63032, 63032, Refused, "WhatsApp does not deliver this to this recipient"),
    (63033, 63033, OptedOut, "the recipient blocked the business"),
    (63034, 63034, MediaRejected, "the file is too large"),
    (63037, 63037, Temporary, "Twilio could not pass the file on to WhatsApp"),
    (63038, 63038, RateLimited, "the Twilio account has reached its daily limit"),
    (63040, 63040, TemplateRejected, "the template has not been approved"),
    (63041, 63041, TemplateRejected, "the template is paused"),
    (63049, 63049, Refused, "Meta chose not to deliver this marketing message"),
    (63051, 63051, Refused, "Meta has restricted the business account"),
    (63059, 63059, ChannelUnready, "the number has moved to another business account"),
    (63062, 63062, ChannelUnready, "the terms of marketing messages have not been accepted"),
    (63101, 63101, ChannelUnready, "the business account is not valid, not shared, or linked elsewhere"),
    (92001, 92008, Invalid, "Twilio finds the content not valid"),
];

/// Meta's older codes, which Twilio passes on, by Twilio's own.
#[rustfmt::skip]
const META: &[(i64, i64)] = &[
    (400, 63019), (402, 63020), (408, 63021), (410, 63021), (429, 63018), (430, 63022),
    (432, 63022), (433, 63022), (470, 63016), (471, 63018), (472, 63032), (500, 63012),
    (1001, 63021), (1002, 63024), (1006, 63003), (1007, 63033), (1008, 63013), (1009, 63013),
    (1011, 63012), (1013, 63003), (1014, 63012), (1015, 63018), (1021, 63003), (1023, 63012),
    (1025, 63012), (1026, 63024), (2000, 63028), (2001, 63027), (2002, 63029), (2003, 63027),
];

/// Twilio's code for one of Meta's.
pub(super) fn of_meta(code: i64) -> Option<i64> {
    META.iter()
        .find(|(meta, _)| *meta == code)
        .map(|(_, twilio)| *twilio)
}

/// Why a message that Twilio had accepted failed. `told` is Twilio's own sentence.
pub(super) fn failure(code: Option<i64>, told: Option<&str>) -> Failure {
    failed(code, told).to_failure()
}

/// Why a message failed before Twilio had answered that it is accepted.
pub(super) fn failed_at_once(code: Option<i64>) -> SendError {
    failed(code, None)
}

fn failed(code: Option<i64>, told: Option<&str>) -> SendError {
    let error = match code.and_then(lookup) {
        // Twilio says that it failed, so there is no doubt left.
        Some((InDoubt, detail)) => SendError::new(Temporary, detail),
        Some((kind, detail)) => SendError::new(kind, detail),
        None => SendError::new(
            Refused,
            told.map_or_else(|| "Twilio does not say why".to_owned(), shortened),
        ),
    };
    error.with_code(code.unwrap_or(0))
}

/// Why Twilio did not take a request, or may not have: reads any answer that is not a success.
/// For a code that is known, the sentence is ours: Twilio's may hold the customer's number.
pub(super) fn refusal(answer: &Answer) -> SendError {
    #[derive(Deserialize)]
    struct Problem {
        #[serde(default)]
        code: i64,
        #[serde(default)]
        message: String,
    }

    let problem: Option<Problem> = serde_json::from_slice(&answer.body).ok();
    let code = problem.as_ref().map_or(0, |problem| problem.code);
    let (kind, detail) = match lookup(code) {
        Some((Temporary, detail)) if answer.status >= 500 => (InDoubt, detail.to_owned()),
        Some((kind, detail)) => (kind, detail.to_owned()),
        None => {
            let told = problem.filter(|problem| !problem.message.is_empty());
            (
                of_status(answer.status),
                told.map_or_else(
                    || format!("Twilio answered with status {}", answer.status),
                    |problem| shortened(&problem.message),
                ),
            )
        }
    };
    let mut error = SendError::new(kind, detail).with_code(code);
    error.retry_after = answer.retry_after;
    error
}

fn lookup(code: i64) -> Option<(SendErrorKind, &'static str)> {
    TABLE
        .iter()
        .find(|(first, last, ..)| (*first..=*last).contains(&code))
        .map(|(_, _, kind, detail)| (*kind, *detail))
}

/// What the status alone tells. A client's fault and a redirect were not processed; anything else
/// may have been.
const fn of_status(status: u16) -> SendErrorKind {
    match status {
        401 | 403 => Credential,
        408 => InDoubt,
        429 => RateLimited,
        300..=499 => Invalid,
        _ => InDoubt,
    }
}

fn shortened(sentence: &str) -> String {
    super::form::without_nul(&sentence.chars().take(MAX_DETAIL_CHARS).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_no_code_twice() {
        for rows in TABLE.windows(2) {
            assert!(rows[0].0 <= rows[0].1 && rows[0].1 < rows[1].0, "{rows:?}");
        }
        for codes in META.windows(2) {
            assert!(codes[0].0 < codes[1].0, "{codes:?}");
        }
        for (meta, code) in META {
            assert!(lookup(*code).is_some(), "{meta}");
        }
    }

    #[test]
    fn a_message_that_failed_is_not_in_doubt() {
        for (_, last, kind, _) in TABLE {
            let failure = failure(Some(*last), None);
            assert_eq!(
                failure.kind == "temporary",
                matches!(kind, Temporary | InDoubt)
            );
            assert_ne!(failure.kind, "in_doubt");
        }
        assert_eq!(failure(None, None).kind, "refused");
        assert_eq!(failure(Some(1), Some("why")).detail, "why");
    }

    #[test]
    fn a_refusal_is_read_from_the_code_first_and_the_status_second() {
        for (status, body, kind, code) in [
            (
                400,
                r#"{"code":21211,"message":"x","status":400}"#,
                Unreachable,
                21211,
            ),
            (
                429,
                r#"{"code":20429,"message":"x","status":429}"#,
                RateLimited,
                20429,
            ),
            (
                401,
                r#"{"code":20003,"message":"x","status":401}"#,
                Credential,
                20003,
            ),
            (
                500,
                r#"{"code":20500,"message":"x","status":500}"#,
                InDoubt,
                20500,
            ),
            (
                503,
                r#"{"code":20503,"message":"x","status":503}"#,
                InDoubt,
                20503,
            ),
            (
                504,
                r#"{"code":30410,"message":"x","status":504}"#,
                InDoubt,
                30410,
            ),
            (
                500,
                r#"{"code":63012,"message":"x","status":500}"#,
                InDoubt,
                63012,
            ),
            (
                400,
                r#"{"code":92007,"message":"x","status":400}"#,
                Invalid,
                92007,
            ),
            (
                400,
                r#"{"code":99999,"message":"x","status":400}"#,
                Invalid,
                99999,
            ),
            (502, "<html>Bad gateway</html>", InDoubt, 0),
            (429, "", RateLimited, 0),
            (403, "", Credential, 0),
            (307, "", Invalid, 0),
            (200, "", InDoubt, 0),
        ] {
            let error = refusal(&Answer {
                status,
                retry_after: None,
                request_id: None,
                date: None,
                body: body.into(),
            });
            assert_eq!(
                (error.kind, error.provider_code),
                (kind, code),
                "{status} {body}"
            );
        }
    }
}
