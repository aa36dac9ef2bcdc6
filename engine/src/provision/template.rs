//! Templates: what a location's rules can rely on being there. Learnt from the providers' lists, or told by
//! people; nothing here creates a template at a provider.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Problem, save};
use crate::adapter::{MAX_TEMPLATES, SendError, SendErrorKind};
use crate::core::Core;
use crate::domain::content::MediaKind;
use crate::domain::ids::{ChannelId, LocationId};
use crate::domain::template::{HeaderShape, TemplateParameters, TemplateShape, TemplateStatus};
use crate::engine::Engine;
use crate::setup::ChannelSetup;
use crate::store::{ForgetTemplate, ReplaceTemplates, SaveTemplate, TemplateRow};

/// Reading an account's whole list takes no longer: a full one has 120 pages, which come in half a
/// second each.
const LISTING: Duration = Duration::from_secs(120);
/// Bytes of a template's name at most: Meta allows as many.
const MAX_NAME_BYTES: usize = 512;
/// Bytes of a language's code at most; `zh_Hant_HK` has ten.
const MAX_LANGUAGE_BYTES: usize = 16;
/// Variables of a template at most: Twilio allows as many, Meta fewer.
const MAX_PARAMETERS: usize = 100;
/// Bytes of a variable's name at most; people write words.
const MAX_PARAMETER_BYTES: usize = 100;
/// Buttons of a template at most, as WhatsApp has it.
const MAX_BUTTONS: usize = 10;

/// An account of a location whose templates were asked for at its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncedAccount {
    /// The adapter's kind.
    pub provider: String,
    /// The account at the provider.
    pub account: String,
    /// How many templates it has; `None` if the provider keeps no list, so that what people told stays.
    pub templates: Option<usize>,
}

impl Engine {
    /// The templates that a location's rules can name, each name and language once; `None` as long as
    /// neither a provider nor a person has told of any.
    ///
    /// Where accounts share a name and language, the one that may be sent counts.
    ///
    /// # Errors
    /// The database failed.
    pub async fn templates(
        &self,
        location_id: LocationId,
    ) -> Result<Option<Vec<TemplateShape>>, Problem> {
        known(&self.core, location_id).await
    }

    /// Notes a template of an account as a person describes it, until the account's list is read next.
    /// Without `account` it is that of the location's channels, if they have one in common.
    ///
    /// # Errors
    /// The location is not there, the account is not one of its channels', or something does not do.
    pub async fn put_template(
        &self,
        location_id: LocationId,
        account: Option<&str>,
        shape: TemplateShape,
    ) -> Result<TemplateRow, Problem> {
        let core = &self.core;
        check(&shape).map_err(Problem::Invalid)?;
        if core.store.location(location_id).await?.is_none() {
            return Err(Problem::Missing("location"));
        }
        let account = account_of(core, location_id, account).await?;
        let known = core.store.of(location_id).templates().await?;
        let of_account = known.iter().filter(|row| row.account == account);
        let others = of_account
            .filter(|row| (&row.shape.name, &row.shape.language) != (&shape.name, &shape.language));
        if others.count() >= MAX_TEMPLATES {
            return Err(Problem::Invalid(format!(
                "an account has {MAX_TEMPLATES} templates at most; remove one that no rule names"
            )));
        }
        let row = TemplateRow {
            account,
            shape,
            seen_at: core.clock.now(),
        };
        let operation = SaveTemplate {
            location_id,
            row: row.clone(),
        };
        save(core, operation).await?;
        Ok(row)
    }

    /// Forgets a template in one language, of one account or of all. At the provider it stays.
    ///
    /// # Errors
    /// It is not known, or the database failed.
    pub async fn remove_template(
        &self,
        location_id: LocationId,
        account: Option<&str>,
        name: &str,
        language: &str,
    ) -> Result<(), Problem> {
        let forget = ForgetTemplate {
            location_id,
            account: account.map(str::to_owned),
            name: name.to_owned(),
            language: language.to_owned(),
        };
        let was_known = save(&self.core, forget).await?;
        was_known.then_some(()).ok_or(Problem::Missing("template"))
    }

    /// Reads the lists of the accounts of every enabled channel at their providers. What was known of an
    /// account is replaced as a whole; an account that could not be asked keeps what was known of it.
    ///
    /// # Errors
    /// The location has no enabled channel; an account could not be asked, after the others were;
    /// the database failed.
    pub async fn sync_templates(
        &self,
        location_id: LocationId,
    ) -> Result<Vec<SyncedAccount>, Problem> {
        let core = &self.core;
        let channels = core.setup.channels().await?;
        let mut channels = channels.of(location_id);
        channels.retain(|setup| setup.channel.enabled);
        if channels.is_empty() {
            return Err(Problem::Invalid(
                "the location has no enabled channel, so there is no account to ask; connect one first"
                    .to_owned(),
            ));
        }
        let accounts: BTreeSet<(String, String)> =
            channels.iter().map(|setup| account_key(setup)).collect();
        let (mut synced, mut failures) = (Vec::new(), Vec::new());
        for (provider, account) in accounts {
            let key = (provider.clone(), account.clone());
            match read_list(core, location_id, &key, &channels).await? {
                Ok(templates) => synced.push(SyncedAccount {
                    provider,
                    account,
                    templates,
                }),
                Err(error) => {
                    failures.push(format!("{provider} account {account}: {}", error.detail));
                }
            }
        }
        if failures.is_empty() {
            return Ok(synced);
        }
        Err(Problem::Provider(format!(
            "templates could not be listed ({}); what was known of them stays",
            failures.join("; ")
        )))
    }
}

/// Reads the list of the account that a channel belongs to; gives how many templates it has, if there is a list.
pub(super) async fn sync_channel(
    core: &Core,
    location_id: LocationId,
    id: ChannelId,
) -> Result<Result<Option<usize>, SendError>, Problem> {
    let channels = core.setup.channels().await?;
    let channel = channels.get(id).ok_or(Problem::Missing("channel"))?;
    let key = account_key(channel);
    read_list(core, location_id, &key, &channels.of(location_id)).await
}

fn account_key(setup: &ChannelSetup) -> (String, String) {
    let channel = &setup.channel;
    (channel.provider.clone(), channel.account.clone())
}

/// Reads the list of an account, by whichever of its channels opens it.
async fn read_list(
    core: &Core,
    location_id: LocationId,
    key: &(String, String),
    channels: &[&Arc<ChannelSetup>],
) -> Result<Result<Option<usize>, SendError>, Problem> {
    let of_account = channels.iter().filter(|setup| account_key(setup) == *key);
    let asked_at = core.clock.now();
    let shapes = match ask(core, of_account.copied()).await {
        Ok(shapes) => shapes,
        Err(error) => return Ok(Err(error)),
    };
    let count = shapes.as_ref().map(Vec::len);
    if let Some(shapes) = shapes {
        let replace = ReplaceTemplates {
            location_id,
            account: key.1.clone(),
            shapes,
            asked_at,
        };
        save(core, replace).await?;
    }
    Ok(Ok(count))
}

/// What the check of a location's rules is told of its templates.
pub(super) async fn known(
    core: &Core,
    location_id: LocationId,
) -> Result<Option<Vec<TemplateShape>>, Problem> {
    let store = core.store.of(location_id);
    let rows = store.templates().await?;
    if rows.is_empty() && store.template_lists().await?.is_empty() {
        return Ok(None);
    }
    let mut shapes: Vec<TemplateShape> = rows.into_iter().map(|row| row.shape).collect();
    let is_same =
        |a: &TemplateShape, b: &TemplateShape| (&a.name, &a.language) == (&b.name, &b.language);
    // They come in the order of names and languages: only neighbours can be the same.
    shapes.dedup_by(|later, first| {
        let same = is_same(later, first);
        if same && first.status != TemplateStatus::Approved {
            std::mem::swap(later, first);
        }
        same
    });
    Ok(Some(shapes))
}

/// The list of an account, by the first of its channels whose credentials open it.
async fn ask<'a>(
    core: &Core,
    channels: impl Iterator<Item = &'a Arc<ChannelSetup>>,
) -> Result<Option<Vec<TemplateShape>>, SendError> {
    let mut failure = SendError::new(SendErrorKind::Invalid, "its provider is not set up");
    for setup in channels {
        let Some(adapter) = core.adapters.get(setup.channel.provider.as_str()) else {
            continue;
        };
        let listing = adapter.templates(&setup.channel, &setup.credentials);
        match tokio::time::timeout(LISTING, listing).await {
            Ok(Ok(shapes)) => return Ok(shapes.map(usable)),
            Ok(Err(error)) => failure = error,
            Err(_) => {
                let seconds = LISTING.as_secs();
                let detail = format!("the list did not come to its end within {seconds} seconds");
                failure = SendError::new(SendErrorKind::Temporary, detail);
            }
        }
    }
    Err(failure)
}

/// Those of a provider's list that a rule could name, each name and language once.
fn usable(shapes: Vec<TemplateShape>) -> Vec<TemplateShape> {
    let mut seen = BTreeSet::new();
    let shapes = shapes.into_iter();
    shapes
        .filter(|shape| check(shape).is_ok())
        .filter(|shape| seen.insert((shape.name.clone(), shape.language.clone())))
        .collect()
}

/// The account that a person means.
async fn account_of(
    core: &Core,
    location_id: LocationId,
    named: Option<&str>,
) -> Result<String, Problem> {
    let channels = core.store.of(location_id).channels().await?;
    let accounts: BTreeSet<String> = channels
        .into_iter()
        .map(|channel| channel.account)
        .collect();
    let listed = || {
        accounts
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let refuse = |sentence: String| Err(Problem::Invalid(sentence));
    match (named, accounts.first()) {
        (_, None) => refuse(
            "the location has no channel yet; a template belongs to the account of one".to_owned(),
        ),
        (Some(named), _) if accounts.contains(named) => Ok(named.to_owned()),
        (Some(named), _) => refuse(format!(
            "no channel of the location belongs to the account '{named}'; there are: {}",
            listed()
        )),
        (None, Some(only)) if accounts.len() == 1 => Ok(only.clone()),
        (None, Some(_)) => refuse(format!(
            "'account' is missing: the channels belong to several; there are: {}",
            listed()
        )),
    }
}

/// Whether this can be a template.
fn check(shape: &TemplateShape) -> Result<(), String> {
    let is_text = |text: &str, most: usize| {
        (1..=most).contains(&text.len())
            && text.trim() == text
            && !text.chars().any(char::is_control)
    };
    if !is_text(&shape.name, MAX_NAME_BYTES) {
        return Err(format!(
            "'name' is the template's name as approved, of up to {MAX_NAME_BYTES} letters"
        ));
    }
    let is_code = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_text(&shape.language, MAX_LANGUAGE_BYTES) || !is_code(&shape.language) {
        return Err(format!(
            "'{}' is no language of a template; write it as the provider does, such as en or pt_BR",
            shape.language
        ));
    }
    let parameters = match &shape.parameters {
        TemplateParameters::Positional(count) => *count,
        TemplateParameters::Named(names) => {
            let distinct: BTreeSet<&String> = names.iter().collect();
            let are_names = names.iter().all(|name| is_text(name, MAX_PARAMETER_BYTES));
            if !are_names || distinct.len() != names.len() {
                return Err(format!(
                    "'parameters' is how many values the body takes, or their names: each once, \
                     of up to {MAX_PARAMETER_BYTES} letters"
                ));
            }
            names.len()
        }
    };
    if parameters > MAX_PARAMETERS {
        return Err(format!(
            "a template has {MAX_PARAMETERS} parameters at most, not {parameters}"
        ));
    }
    if let HeaderShape::Media(MediaKind::Audio | MediaKind::Voice | MediaKind::Sticker) =
        shape.header
    {
        return Err("a template's header is text, image, video or document".to_owned());
    }
    let places: BTreeSet<u8> = shape.buttons.iter().map(|button| button.index).collect();
    let are_in_range = places.iter().all(|index| usize::from(*index) < MAX_BUTTONS);
    if places.len() != shape.buttons.len() || !are_in_range {
        return Err(format!(
            "each of a template's buttons stands once, with an 'index' from 0 to {}",
            MAX_BUTTONS - 1
        ));
    }
    Ok(())
}
