//! Connecting numbers at Meta: by Embedded Signup, or with keys that a person gives; and looking after them.
//! Each file holds steps that belong together. Keeps nothing: what is known comes with each case.

mod account;
mod examine;
mod explain;
mod graph;
mod phone;
mod token;
mod webhooks;

use futures_util::future::BoxFuture;
use rejoinder_engine::adapter::{
    CHANNEL_STEP, Case, ChannelDraft, MESSAGE_STEP, NO, Onboard, OnboardingField, OnboardingRoute,
    OnboardingStep, Progress, StepError, TEMPLATES_STEP, YES,
};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::channel::{Channel, ChannelSettings};
use rejoinder_engine::domain::finding::Finding;
use rejoinder_engine::domain::onboarding::Facts;

use super::{ACCESS_TOKEN, APP_SECRET, Meta, PIN, VERIFY_TOKEN};
use graph::Graph;

/// The route of Embedded Signup.
const SIGNUP: &str = "meta-signup";
/// The route of keys that a person gives.
const KEYS: &str = "meta-keys";

// What is known, by name.
const APP_ID: &str = "app_id";
const WABA_ID: &str = "waba_id";
const PHONE_NUMBER_ID: &str = "phone_number_id";
const PHONE: &str = "phone";
const COEXISTENCE: &str = "coexistence";
const EVENT: &str = "event";
const REDIRECT_URI: &str = "redirect_uri";
/// The business accounts that the token was granted for, the newest grant first.
const GRANTED: &str = "granted_waba_ids";

/// The code of the sign-up.
const CODE: &str = "code";

/// How fast a number may send that is in use on a phone as well (reference: coexistence).
const COEXISTENCE_PACE: u32 = 20;
/// How fast any other number may send.
const PACE: u32 = 80;

const WABA_HELP: &str =
    "The id of the WhatsApp business account; needed only if the token opens several.";
const NUMBER_HELP: &str = "Meta's id of the phone number; needed only if the account has several.";
/// Digits of a two-step verification.
const PIN_DIGITS: usize = 6;
const PIN_HELP: &str =
    "The six digits of the number's two-step verification, if it has one; otherwise one is made.";

const ROUTES: [OnboardingRoute; 2] = [
    OnboardingRoute {
        name: SIGNUP,
        title: "Embedded Signup: the business signs in at Facebook and gives its number to the server's app",
        fields: &[
            OnboardingField::secret(
                CODE,
                "The code of the sign-up, to be exchanged within 30 seconds (configuration with a system user's token).",
            )
            .anew(),
            OnboardingField::secret(
                ACCESS_TOKEN,
                "The token of the sign-up instead (configuration with a user's token).",
            )
            .anew(),
            OnboardingField::open(
                REDIRECT_URI,
                "The page that the dialog came back to, to the letter; left out for the pop-up.",
            ),
            OnboardingField::open(
                EVENT,
                "The event of the sign-up, such as FINISH or FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING.",
            ),
            OnboardingField::open(WABA_ID, WABA_HELP),
            OnboardingField::open(PHONE_NUMBER_ID, NUMBER_HELP).within(&[WABA_ID]),
            OnboardingField::open(
                "business_id",
                "The id of the business portfolio, as the event tells it.",
            ),
            OnboardingField::secret(PIN, PIN_HELP).late(),
        ],
        steps: &[
            OnboardingStep::new(
                "token",
                "Exchange the code for a token, or prolong the token",
            ),
            OnboardingStep::new(
                "permissions",
                "Look at what the token may do, and for how long",
            ),
            OnboardingStep::new("account", "Find the WhatsApp business account"),
            OnboardingStep::new("number", "Find the phone number"),
            OnboardingStep::new(
                CHANNEL_STEP,
                "Make the channel, with its credentials sealed",
            ),
            OnboardingStep::new("fields", "See that the app hears of everything"),
            OnboardingStep::new("subscribe", "Subscribe the app to the account"),
            OnboardingStep::new("override", "Have webhooks sent here"),
            OnboardingStep::new("register", "Register the number"),
            OnboardingStep::new("contacts", "Ask for the phone app's contacts"),
            OnboardingStep::new("history", "Ask for the phone app's history"),
            OnboardingStep::new(TEMPLATES_STEP, "Read the account's templates"),
            OnboardingStep::new(MESSAGE_STEP, "Receive a first message"),
        ],
    },
    OnboardingRoute {
        name: KEYS,
        title: "Keys by hand: a system user's token of your own app, or of the server's",
        fields: &[
            OnboardingField::secret(
                ACCESS_TOKEN,
                "The token of a system user (Business settings, System users).",
            ),
            OnboardingField::secret(
                APP_SECRET,
                "The secret of your own app (App settings, Basic); left out if it is the server's app.",
            ),
            OnboardingField::secret(
                VERIFY_TOKEN,
                "A word for the handshake of webhooks; otherwise one is made.",
            ),
            OnboardingField::open(
                WABA_ID,
                "The id of the WhatsApp business account (WhatsApp Manager, Account tools).",
            ),
            OnboardingField::open(
                PHONE_NUMBER_ID,
                "Meta's id of the phone number (App dashboard, WhatsApp, API setup).",
            )
            .within(&[WABA_ID]),
            OnboardingField::secret(PIN, PIN_HELP).late(),
        ],
        steps: &[
            OnboardingStep::new(
                "permissions",
                "Look at what the token may do, and for how long",
            ),
            OnboardingStep::new("secret", "See that the app's secret is the right one"),
            OnboardingStep::new("account", "See the WhatsApp business account"),
            OnboardingStep::new("number", "See the phone number"),
            OnboardingStep::new(
                CHANNEL_STEP,
                "Make the channel, with its credentials sealed",
            ),
            OnboardingStep::new("fields", "See that the app hears of everything"),
            OnboardingStep::new("subscribe", "Subscribe the app to the account"),
            OnboardingStep::new("override", "Have webhooks sent here"),
            OnboardingStep::new("register", "Register the number"),
            OnboardingStep::new("contacts", "Ask for the phone app's contacts"),
            OnboardingStep::new("history", "Ask for the phone app's history"),
            OnboardingStep::new(TEMPLATES_STEP, "Read the account's templates"),
            OnboardingStep::new(MESSAGE_STEP, "Receive a first message"),
        ],
    },
];

impl Onboard for Meta {
    fn routes(&self) -> &'static [OnboardingRoute] {
        &ROUTES
    }

    fn take<'a>(
        &'a self,
        step: &'a str,
        case: &'a Case<'a>,
    ) -> BoxFuture<'a, Result<Progress, StepError>> {
        let graph = Graph::new(&self.http, &self.config);
        match step {
            "token" => Box::pin(token::token(graph, self.app(), case)),
            "permissions" => Box::pin(token::permissions(graph, self.app(), case)),
            "secret" => Box::pin(token::secret(graph, self.app(), case)),
            "account" => Box::pin(account::account(graph, case)),
            "number" => Box::pin(account::number(graph, case)),
            "fields" => Box::pin(webhooks::fields(graph, self.app(), case)),
            "subscribe" => Box::pin(webhooks::subscribe(graph, self.app(), case)),
            "override" => Box::pin(webhooks::override_url(graph, self.app(), case)),
            "register" => Box::pin(phone::register(graph, case)),
            "contacts" => Box::pin(phone::contacts(graph, self.app(), case)),
            "history" => Box::pin(phone::history(graph, self.app(), case)),
            other => {
                let error = StepError::new(
                    "unknown_step",
                    format!("Meta's adapter knows no step '{other}'"),
                    "this is a mistake of the program; tell its makers",
                );
                Box::pin(async { Err(error) })
            }
        }
    }

    fn draft(&self, case: &Case<'_>) -> Result<ChannelDraft, StepError> {
        let is_on_phone = case.is(COEXISTENCE);
        // The number has come from an app of its own to the server's, which signs its webhooks from now on.
        let server = self.config.app.as_ref().map(|app| app.id.as_str());
        let is_servers = case.fact(APP_ID).is_some() && case.fact(APP_ID) == server;
        let outdated: &[&str] = if is_servers && !App::is_own(case) {
            &[APP_SECRET, VERIFY_TOKEN]
        } else {
            &[]
        };
        Ok(ChannelDraft {
            outdated,
            account: need(case, WABA_ID)?.to_owned(),
            key: need(case, PHONE_NUMBER_ID)?.to_owned(),
            phone: need(case, PHONE)?.to_owned(),
            settings: ChannelSettings {
                coexistence: is_on_phone,
                messages_per_second: if is_on_phone { COEXISTENCE_PACE } else { PACE },
                ..ChannelSettings::default()
            },
        })
    }

    fn facts_of(&self, channel: &Channel) -> Facts {
        let coexistence = yes_or_no(channel.settings.coexistence);
        [
            (WABA_ID, channel.account.clone()),
            (PHONE_NUMBER_ID, channel.key.clone()),
            (PHONE, channel.phone.to_string()),
            (COEXISTENCE, coexistence.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn examine<'a>(&'a self, case: &'a Case<'a>) -> BoxFuture<'a, Vec<Finding>> {
        let graph = Graph::new(&self.http, &self.config);
        Box::pin(examine::examine(graph, self.app(), case))
    }
}

const fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { YES } else { NO }
}

/// The app whose webhooks these are, as far as a case needs to know it.
struct App<'a> {
    /// The server's own app, if it has one.
    server: Option<&'a super::MetaApp>,
    /// The id of the number's own app, where Meta had to be asked for it.
    asked: Option<String>,
}

impl Meta {
    fn app(&self) -> App<'_> {
        App {
            server: self.config.app.as_ref(),
            asked: None,
        }
    }
}

impl App<'_> {
    /// Whether the number has an app of its own.
    fn is_own(case: &Case<'_>) -> bool {
        case.secrets.get(APP_SECRET).is_some()
    }

    /// The app's id, if it is known.
    fn id(&self, case: &Case<'_>) -> Option<String> {
        if Self::is_own(case) {
            let known = case.fact(APP_ID).map(str::to_owned);
            known.or_else(|| self.asked.clone())
        } else {
            self.server
                .map(|app| app.id.clone())
                .filter(|id| !id.is_empty())
        }
    }

    /// With the id of the number's own app, asked for if it is not known: a channel does not keep it.
    async fn asking(mut self, graph: &mut Graph<'_>, case: &Case<'_>) -> Self {
        let token = case.secrets.get(ACCESS_TOKEN);
        if let (true, None, Some(token)) = (Self::is_own(case), self.id(case), token)
            && let Ok(seen) = token::debug(graph, token, token).await
        {
            self.learn(&seen);
        }
        self
    }

    /// Notes whose token it is.
    fn learn(&mut self, seen: &token::Seen) {
        self.asked = Some(seen.app_id.clone()).filter(|id| !id.is_empty());
    }

    /// The token by which the app itself asks, if its id and secret are known.
    fn token(&self, case: &Case<'_>) -> Option<Secret> {
        let id = self.id(case)?;
        let secret = match case.secrets.get(APP_SECRET) {
            Some(own) => own,
            None => self.server.map(|app| &app.secret)?,
        };
        (!secret.is_empty()).then(|| Secret::new(format!("{id}|{}", secret.expose())))
    }

    /// Where the app's webhooks should go: a shared app's to the address that all channels share.
    fn webhook_url<'c>(&self, case: &'c Case<'_>) -> &'c str {
        if Self::is_own(case) {
            case.channel_webhook_url
        } else {
            case.shared_webhook_url
        }
    }

    /// The word of the handshake on that address.
    fn verify_token(&self, case: &Case<'_>) -> Option<Secret> {
        let token = if Self::is_own(case) {
            case.secrets.get(VERIFY_TOKEN)
        } else {
            self.server.map(|app| &app.verify_token)
        };
        token.filter(|token| !token.is_empty()).cloned()
    }
}

/// The access token.
fn access_token<'a>(case: &'a Case<'_>) -> Result<&'a Secret, StepError> {
    case.secrets.get(ACCESS_TOKEN).ok_or_else(|| {
        StepError::new(
            "token_missing",
            "there is no access token yet",
            "take the steps before this one, or give 'access_token'",
        )
        .asks(ACCESS_TOKEN, "the access token")
    })
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

/// An id that becomes a part of a path, and must not become more.
fn need_id<'a>(case: &'a Case<'_>, name: &str) -> Result<&'a str, StepError> {
    let id = need(case, name)?;
    if id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(id);
    }
    Err(StepError::new(
        "not_an_id",
        format!("'{name}' is not an id of Meta's, which consists of digits"),
        "copy it once more from WhatsApp Manager",
    )
    .asks(name, "the id, digits only"))
}
