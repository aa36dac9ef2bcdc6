//! Connecting WhatsApp senders of a Twilio account, and looking after them. Each file holds steps that belong
//! together. Keeps nothing: what is known comes with each case.

mod examine;
mod rest;
mod sender;

use futures_util::future::BoxFuture;
use rejoinder_engine::adapter::{
    CHANNEL_STEP, Case, ChannelDraft, MESSAGE_STEP, Onboard, OnboardingField, OnboardingRoute,
    OnboardingStep, Progress, StepError, TEMPLATES_STEP,
};
use rejoinder_engine::domain::channel::{Channel, ChannelSettings};
use rejoinder_engine::domain::finding::Finding;
use rejoinder_engine::domain::onboarding::Facts;

use super::Twilio;
use rest::{Login, Rest, account_login};

// What is known, by name.
const ACCOUNT: &str = "account_sid";
const SENDER: &str = "sender";
const SENDER_SID: &str = "sender_sid";
const SERVICE: &str = "messaging_service";

/// What comes before a number in Twilio's addresses.
const PREFIX: &str = "whatsapp:";

const ROUTES: [OnboardingRoute; 1] = [OnboardingRoute {
    name: "twilio",
    title: "A WhatsApp sender of your Twilio account, by itself or in a Messaging Service",
    fields: &[
        OnboardingField::open(ACCOUNT, "The Account SID (AC…, Console, Account info)."),
        OnboardingField::secret(
            "auth_token",
            "The account's primary auth token (Console, Account info): it signs webhooks.",
        ),
        OnboardingField::secret(
            "auth_token_secondary",
            "The secondary auth token, only while tokens are being rotated.",
        ),
        OnboardingField::secret(
            "api_key_sid",
            "The SID (SK…) of an API key, to send with instead of the auth token.",
        ),
        OnboardingField::secret(
            "api_key_secret",
            "The secret of that API key, which Twilio shows once.",
        ),
        OnboardingField::open(
            SENDER,
            "The sender's number, such as +4930901820; needed only if the account has several.",
        )
        .within(&[ACCOUNT, SERVICE]),
        OnboardingField::open(
            SERVICE,
            "The SID (MG…) of a Messaging Service whose sender it is; left out if there is none.",
        )
        .within(&[ACCOUNT]),
    ],
    steps: &[
        OnboardingStep::new("account", "See the account, with its auth token"),
        OnboardingStep::new("rotation", "See the secondary auth token"),
        OnboardingStep::new("key", "See the API key"),
        OnboardingStep::new("sender", "Find the WhatsApp sender"),
        OnboardingStep::new(
            CHANNEL_STEP,
            "Make the channel, with its credentials sealed",
        ),
        OnboardingStep::new("webhook", "Have webhooks sent here"),
        OnboardingStep::new(TEMPLATES_STEP, "Read the account's templates"),
        OnboardingStep::new(MESSAGE_STEP, "Receive a first message"),
    ],
}];

impl Onboard for Twilio {
    fn routes(&self) -> &'static [OnboardingRoute] {
        &ROUTES
    }

    fn take<'a>(
        &'a self,
        step: &'a str,
        case: &'a Case<'a>,
    ) -> BoxFuture<'a, Result<Progress, StepError>> {
        let rest = Rest::new(&self.http);
        match step {
            "account" => Box::pin(account(rest, &self.config.api_url, case)),
            "rotation" => Box::pin(rotation(rest, &self.config.api_url, case)),
            "key" => Box::pin(key(rest, &self.config.api_url, case)),
            "sender" => Box::pin(sender::sender(rest, &self.config.messaging_url, case)),
            "webhook" => Box::pin(sender::webhook(rest, &self.config.messaging_url, case)),
            other => {
                let error = StepError::new(
                    "unknown_step",
                    format!("Twilio's adapter knows no step '{other}'"),
                    "this is a mistake of the program; tell its makers",
                );
                Box::pin(async { Err(error) })
            }
        }
    }

    fn draft(&self, case: &Case<'_>) -> Result<ChannelDraft, StepError> {
        let phone = need(case, SENDER)?;
        let digits = phone.chars().filter(char::is_ascii_digit).collect();
        Ok(ChannelDraft {
            outdated: &[],
            account: need(case, ACCOUNT)?.to_owned(),
            key: digits,
            phone: phone.to_owned(),
            settings: ChannelSettings {
                messaging_service: case.fact(SERVICE).map(str::to_owned),
                ..ChannelSettings::default()
            },
        })
    }

    fn facts_of(&self, channel: &Channel) -> Facts {
        let mut facts: Facts = [
            (ACCOUNT, channel.account.clone()),
            (SENDER, channel.phone.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if let Some(service) = &channel.settings.messaging_service {
            facts.insert(SERVICE.to_owned(), service.clone());
        }
        facts
    }

    fn examine<'a>(&'a self, case: &'a Case<'a>) -> BoxFuture<'a, Vec<Finding>> {
        let rest = Rest::new(&self.http);
        Box::pin(examine::examine(rest, &self.config, case))
    }
}

/// What is wrong with an Account SID, if it is none.
pub(super) fn no_account_sid(sid: &str) -> Option<String> {
    (!is_sid(sid, "AC")).then(|| format!("'{sid}' is no Account SID: AC and 32 hexadecimal digits"))
}

/// Sees the account, by its SID and auth token.
async fn account(
    mut rest: Rest<'_>,
    api_url: &str,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    const TOKEN_HELP: &str = "the account's primary auth token (Twilio Console, Account info)";
    let Some(sid) = case.fact(ACCOUNT) else {
        let help = "the Account SID (AC…; Twilio Console, Account info)";
        return Ok(Progress::ask(ACCOUNT, help, Vec::new()));
    };
    if let Some(sentence) = no_account_sid(sid) {
        let error = StepError::new(
            "not_a_sid",
            sentence,
            "copy it once more (Twilio Console, Account info)",
        );
        return Err(error.asks(ACCOUNT, "the Account SID (AC…)"));
    }
    let Some(login) = account_login(case) else {
        return Ok(Progress::ask("auth_token", TOKEN_HELP, Vec::new()));
    };
    match look_at_account(&mut rest, api_url, sid, login).await {
        Ok((name, status, kind)) if status == "active" => {
            let trial = if kind == "Trial" {
                "; a trial account writes to verified numbers only"
            } else {
                ""
            };
            Ok(with(
                Progress::done(format!("the account '{name}', {status}{trial}")),
                rest,
            ))
        }
        Ok((name, status, _)) => {
            let error = StepError::new(
                "account_inactive",
                format!("the account '{name}' is {status}"),
                "see in Twilio's Console why, and let it be active again",
            );
            Err(rest.with(error))
        }
        Err(error) => {
            let is_refused = matches!(error, rest::RestError::Refused(..));
            let failure = rest.failed(&error);
            Err(
                if is_refused && failure.failure.code == "credentials_wrong" {
                    failure.asks("auth_token", TOKEN_HELP)
                } else {
                    failure
                },
            )
        }
    }
}

/// The account's name, status and kind. Its answer holds the auth token as well, which is not told on.
async fn look_at_account(
    rest: &mut Rest<'_>,
    api_url: &str,
    sid: &str,
    login: Login<'_>,
) -> Result<(String, String, String), rest::RestError> {
    let path = format!("/2010-04-01/Accounts/{sid}.json");
    let answer = rest.get(api_url, &path, &[], login).await?;
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    let seen = (text("friendly_name"), text("status"), text("type"));
    rest.says(format!("the account '{}', {}, {}", seen.0, seen.1, seen.2));
    Ok(seen)
}

/// Sees the second auth token of a rotation, if one was given.
async fn rotation(
    mut rest: Rest<'_>,
    api_url: &str,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    const FIELD: &str = "auth_token_secondary";
    let (sid, Some(password)) = (need(case, ACCOUNT)?, case.secrets.get(FIELD)) else {
        return Ok(Progress::skipped("no rotation of auth tokens is under way"));
    };
    let login = Login {
        user: sid,
        password,
    };
    match look_at_account(&mut rest, api_url, sid, login).await {
        Ok(_) => Ok(with(
            Progress::done("Twilio accepts the secondary auth token"),
            rest,
        )),
        Err(error) => {
            let failure = rest.failed(&error);
            let failure = instead(
                failure,
                "copy the secondary auth token once more (Console, Account, API keys & tokens), or leave it out if none \
                 was made or it was promoted already",
            );
            Err(failure.asks(
                FIELD,
                "the secondary auth token (Console, Auth tokens), as long as there are two",
            ))
        }
    }
}

/// Sees the API key to send with, if one was given.
async fn key(mut rest: Rest<'_>, api_url: &str, case: &Case<'_>) -> Result<Progress, StepError> {
    let sid = need(case, ACCOUNT)?;
    let (user, password) = match (
        case.secrets.get("api_key_sid"),
        case.secrets.get("api_key_secret"),
    ) {
        (None, None) => {
            return Ok(Progress::skipped(
                "no API key was given: the auth token sends",
            ));
        }
        (Some(user), Some(password)) => (user, password),
        (Some(_), None) => {
            let help = "the secret of the API key, which Twilio showed once";
            return Ok(Progress::ask("api_key_secret", help, Vec::new()));
        }
        (None, Some(_)) => {
            let help = "the SID (SK…) of the API key";
            return Ok(Progress::ask("api_key_sid", help, Vec::new()));
        }
    };
    let login = Login {
        user: user.expose(),
        password,
    };
    // A key may not look at the account itself, but at its messages.
    let path = format!("/2010-04-01/Accounts/{sid}/Messages.json");
    match rest.get(api_url, &path, &[("PageSize", "1")], login).await {
        Ok(_) => {
            rest.says("the list of messages is open to the key");
            Ok(with(Progress::done("Twilio accepts the API key"), rest))
        }
        Err(error) => {
            let failure = rest.failed(&error);
            let failure = instead(
                failure,
                "copy the SID (SK…) and the secret of the API key once more (Console, Account, API keys & tokens); a \
                 restricted key must be allowed to read messages",
            );
            Err(failure.asks(
                "api_key_secret",
                "the secret of the API key; make a new key if it is lost",
            ))
        }
    }
}

/// What to do about credentials that Twilio does not accept, where they are not the account's own.
fn instead(mut failure: StepError, fix: &str) -> StepError {
    if failure.failure.code == "credentials_wrong" {
        fix.clone_into(&mut failure.failure.fix);
    }
    failure
}

/// The progress, with what was asked on the way.
fn with(mut progress: Progress, rest: Rest<'_>) -> Progress {
    progress.evidence = rest.asking.evidence;
    progress
}

/// Whether this is a SID of Twilio's with that prefix.
fn is_sid(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix);
    digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Something that a step before must have learnt.
fn need<'a>(case: &'a Case<'_>, name: &str) -> Result<&'a str, StepError> {
    case.fact(name).ok_or_else(|| {
        StepError::new(
            "not_known_yet",
            format!("'{name}' is not known yet"),
            "take the steps before this one",
        )
    })
}

/// Who asks Twilio about a connected number.
fn login<'a>(case: &'a Case<'_>) -> Result<Login<'a>, StepError> {
    account_login(case).ok_or_else(|| {
        StepError::new(
            "credentials_missing",
            "the account's SID or auth token is not known yet",
            "take the steps before this one",
        )
        .asks("auth_token", "the account's primary auth token")
    })
}
