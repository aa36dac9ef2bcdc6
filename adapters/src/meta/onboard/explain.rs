//! Why Meta refused a step, in words that say what to do: a closed list of codes of ours.
//! The sentences stand here so that a step need not know what can go wrong with it.

use rejoinder_engine::adapter::StepError;

use super::graph::{Graph, GraphError, Refusal};
use super::{ACCESS_TOKEN, PIN};

/// Meta's code of a callback address that did not pass its handshake.
const CALLBACK_REFUSED: i64 = 2_200;
/// Meta's code of an address that belongs to none of the app's domains.
const DOMAIN_NOT_INCLUDED: i64 = 1_349_048;

/// What is said about a refusal: our code, what to do, and which field would help.
struct Explanation {
    code: &'static str,
    fix: &'static str,
    asks: Option<(&'static str, &'static str)>,
    /// Whether what it asks for must not be tried again as it is.
    is_spent: bool,
}

const fn explanation(code: &'static str, fix: &'static str) -> Explanation {
    Explanation {
        code,
        fix,
        asks: None,
        is_spent: false,
    }
}

impl Explanation {
    const fn asks(mut self, field: &'static str, help: &'static str) -> Self {
        self.asks = Some((field, help));
        self
    }

    /// The same, for a secret that is refused for good, or whose wrong guesses are counted.
    const fn asks_another(mut self, field: &'static str, help: &'static str) -> Self {
        self.is_spent = true;
        self.asks(field, help)
    }
}

impl Graph<'_> {
    /// The step could not be taken, because of how its last request was answered.
    pub(super) fn failed(self, error: &GraphError) -> StepError {
        let request_id = self.asking.request_id();
        let mut failure = match error {
            GraphError::NotConnected => StepError::new(
                "not_connected",
                "Meta could not be reached from this server; nothing was done",
                "check that this server reaches graph.facebook.com, and take the step again",
            ),
            GraphError::NoAnswer => self.asking.unanswered("Meta"),
            GraphError::Refused(refusal) => of(refusal),
        };
        failure.failure.request_id = failure.failure.request_id.or(request_id);
        self.with(failure)
    }

    /// The step could not be taken, for a reason of ours.
    pub(super) fn with(self, mut error: StepError) -> StepError {
        error.evidence = self.asking.evidence;
        error
    }
}

fn of(refusal: &Refusal) -> StepError {
    let Explanation {
        code,
        fix,
        asks,
        is_spent,
    } = explain(refusal);
    let mut error = StepError::new(code, refusal.told(), fix);
    error.failure.provider_code = refusal.code;
    error.failure.provider_subcode = refusal.subcode;
    error.failure.request_id.clone_from(&refusal.trace_id);
    match asks {
        Some((field, help)) if is_spent => error.asks(field, help).spends(field),
        Some((field, help)) => error.asks(field, help),
        None => error,
    }
}

/// Subcodes of an expired, revoked or otherwise ended session (code 190).
const ENDED_SESSIONS: [i64; 4] = [458, 460, 463, 467];

fn explain(refusal: &Refusal) -> Explanation {
    let (code, subcode) = (refusal.code, refusal.subcode);
    let message = refusal.message.to_lowercase();
    let says = |words: &str| message.contains(words);
    match code {
        100 if subcode == 36_008 || says("redirect_uri") => explanation(
            "redirect_uri",
            "the code was made for another redirect_uri: give exactly the address of the page that opened the \
             dialog, or none for the pop-up; it must also stand in the app's Valid OAuth Redirect URIs \
             (App dashboard, Facebook Login for Business, Settings)",
        ),
        100 if subcode == 36_007 || subcode == 36_009 || says("authorization code") => explanation(
            "code_spent",
            "a code works once and for 30 seconds: open the sign-up again and give its new code; if it was \
             exchanged before, go on without one",
        )
        .asks_another("code", "the new code of the sign-up"),
        100 if says("nonexisting field") => explanation(
            "nonexisting_field",
            "this token cannot list business accounts: give 'waba_id', the id of the WhatsApp business account \
             (WhatsApp Manager, Account tools), or let the token have the permission business_management",
        )
        .asks("waba_id", "the id of the WhatsApp business account"),
        100 if subcode == 33 => explanation(
            "not_there",
            "it is not there, or the token may not see it: check the id, and that the token's owner was given \
             this asset (Business settings, System users, Assigned assets)",
        ),
        190 if ENDED_SESSIONS.contains(&subcode) || says("expired") => explanation(
            "token_expired",
            "the access token has ended: sign up again, or give a new one",
        )
        .asks(ACCESS_TOKEN, "a new access token"),
        _ if refusal.status >= 500 && code == 0 => explanation(
            "temporary",
            "Meta has trouble at the moment: take the step again in a few minutes",
        ),
        0 if refusal.status != 401 => explanation(
            "refused",
            "what answered gave no reason as Meta does: check that this server reaches graph.facebook.com itself, \
             and take the step again",
        ),
        1 if says("client secret") => explanation(
            "app_secret_wrong",
            "the server's app secret is not that of its app: set meta.app_secret (REJOINDER_META_APP_SECRET) to what \
             the App dashboard shows (App settings, Basic), restart the server, and open the sign-up again",
        ),
        101 => explanation(
            "app_wrong",
            "Meta knows no such app: set meta.app_id (REJOINDER_META_APP_ID) to the id that the App dashboard shows, \
             restart the server, and open the sign-up again",
        ),
        0 | 190 => explanation(
            "token_invalid",
            "Meta does not know this token: copy it once more, whole and without spaces, or sign up again",
        )
        .asks(ACCESS_TOKEN, "the access token"),
        191 | DOMAIN_NOT_INCLUDED => explanation(
            "domain_not_included",
            "the page's domain isn't included in the app's domains: add it to App domains (App settings, Basic) \
             and to Allowed Domains for the JavaScript SDK and Valid OAuth Redirect URIs (Facebook Login for \
             Business, Settings), then sign up again",
        ),
        CALLBACK_REFUSED => explanation(
            "callback_refused",
            "Meta called the address of webhooks and was not answered as it should: the server must run, \
             `public_url` must lead to it from the internet with a valid certificate, and nothing in between may \
             change the answer; then take the step again",
        ),
        3 | 10 | 200..=299 => explanation(
            "permission_missing",
            "the token lacks a permission: it needs whatsapp_business_management and \
             whatsapp_business_messaging, and its owner must have this asset; give a token that has them",
        )
        .asks(ACCESS_TOKEN, "a token with these permissions"),
        4 | 17 | 32 | 613 | 80_007 | 130_429 => explanation(
            "rate_limited",
            "too many requests in a short time: wait a few minutes, and take the step again",
        ),
        133_005 => explanation(
            "pin_wrong",
            "the number has a two-step verification with another PIN: give that one, or change it in WhatsApp \
             Manager (Phone numbers, Settings, Two-step verification)",
        )
        .asks_another(PIN, "the six digits of the number's two-step verification"),
        133_000 => explanation(
            "half_deregistered",
            "the number was taken out of use only by half: deregister it once more in WhatsApp Manager or by the API, \
             and take the step again",
        ),
        133_006 => explanation(
            "not_verified",
            "the number must be verified first: do that in WhatsApp Manager (Phone numbers), where a code is sent \
             by SMS or a call; then take the step again",
        ),
        133_008 | 133_009 => explanation(
            "pin_locked",
            "too many wrong PINs: wait as long as Meta says, then give the right one",
        )
        .asks_another(PIN, "the six digits of the number's two-step verification"),
        133_015 => explanation(
            "deleted_lately",
            "the number was deleted a moment ago: wait five minutes, and take the step again",
        ),
        133_016 => explanation(
            "registered_too_often",
            "a number can be registered ten times in 72 hours: wait, and take the step again",
        ),
        368 | 131_031 => explanation(
            "account_blocked",
            "Meta has restricted the account: see WhatsApp Manager (Account quality) for why, and appeal there",
        ),
        1 | 2 | 131_000 | 131_016 | 133_004 | 2_494_100 => explanation(
            "temporary",
            "Meta has trouble at the moment: take the step again in a few minutes",
        ),
        _ if refusal.status >= 500 => explanation(
            "temporary",
            "Meta has trouble at the moment: take the step again in a few minutes",
        ),
        _ => explanation(
            "refused",
            "see Meta's reason; with the request's id its support can tell more",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: i64, subcode: i64, message: &str) -> Refusal {
        Refusal {
            status: 400,
            code,
            subcode,
            message: message.to_owned(),
            ..Refusal::default()
        }
    }

    #[test]
    fn every_trouble_of_the_old_table_has_a_code_and_a_way_out() {
        for (code, subcode, message, expected) in [
            (
                100,
                36_008,
                "Error validating verification code.",
                "redirect_uri",
            ),
            (
                100,
                36_009,
                "This authorization code has been used.",
                "code_spent",
            ),
            (
                100,
                0,
                "(#100) Tried accessing nonexisting field (whatsapp_business_accounts) on node type (User)",
                "nonexisting_field",
            ),
            (
                190,
                463,
                "Error validating access token: Session has expired",
                "token_expired",
            ),
            (190, 0, "Malformed access token", "token_invalid"),
            (
                1_349_048,
                0,
                "Can't load URL: The domain of this URL isn't included",
                "domain_not_included",
            ),
            (2_200, 0, "Callback verification failed", "callback_refused"),
            (
                133_005,
                0,
                "Two step verification PIN mismatch",
                "pin_wrong",
            ),
            (200, 0, "Permissions error", "permission_missing"),
            (1, 0, "Error validating client secret.", "app_secret_wrong"),
            (1, 0, "An unknown error occurred", "temporary"),
            (101, 0, "Error validating application.", "app_wrong"),
        ] {
            let error = of(&refusal(code, subcode, message));
            assert_eq!(error.failure.code, expected, "{message}");
            assert!(error.failure.fix.len() > 40, "{message}");
        }
    }

    #[test]
    fn an_answer_without_a_reason_is_not_laid_at_the_tokens_door() {
        for (status, expected) in [(500, "temporary"), (404, "refused"), (401, "token_invalid")] {
            let refusal = Refusal {
                status,
                ..refusal(0, 0, "without a reason")
            };
            assert_eq!(of(&refusal).failure.code, expected, "{status}");
        }
    }
}
