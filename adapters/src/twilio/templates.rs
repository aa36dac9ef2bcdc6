//! Content resources: what must exist at Twilio before buttons, lists and templates can be sent.
//! Knows how they are named, found and created, and not how long their references are kept.

mod list;

use std::collections::BTreeMap;

use http::Method;
use rejoinder_engine::adapter::{Outgoing, ResourceKey, SendError, SendErrorKind};
use rejoinder_engine::domain::content::{Button, Content, Section};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{TwilioConfig, errors, login};
use crate::http::{Answer, Http, without_doubt};

pub(super) use self::list::list;
#[cfg(test)]
pub(super) use self::list::shapes;

/// The names of contents that we create begin with it.
const OWN_PREFIX: &str = "rejoinder_";
/// Twilio requires a language; nobody reviews or reads that of a message within the window.
const SESSION_LANGUAGE: &str = "en";
/// What a variable stands for in Twilio's console.
const SAMPLE: &str = "text";
/// The most characters that Twilio takes as the value of a variable.
const MAX_VALUE_CHARS: usize = 255;
/// The most variables that Twilio takes in one resource.
const MAX_VARIABLES: usize = 100;
/// Contents asked for at once. A name is rarely used more than once or twice.
const PAGE_SIZE: &str = "100";
/// An account with more pages of contents of one name is not searched further.
const MAX_PAGES: usize = 20;

/// A text with its lines as variables, so that messages which differ only in what they say share
/// one Content resource. A line that does not fit a variable stays as it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// The text with `{{1}}`, `{{2}}` … in the place of lines.
    pub(super) body: String,
    /// What these stand for.
    pub(super) values: Vec<String>,
    /// Whether a line that stayed would be read as a variable.
    pub(super) is_misread: bool,
}

impl Pattern {
    /// Takes `text` apart.
    pub(super) fn of(text: &str) -> Self {
        let mut values = Vec::new();
        let mut is_misread = false;
        let mut lines = Vec::new();
        for line in text.split('\n') {
            let fits = !line.trim().is_empty()
                && !line.contains(['\r', '\t', '\0'])
                && line.chars().count() <= MAX_VALUE_CHARS
                && values.len() < MAX_VARIABLES;
            if fits {
                values.push(line.to_owned());
                lines.push(format!("{{{{{}}}}}", values.len()));
            } else {
                is_misread |= line.contains("{{");
                lines.push(line.to_owned());
            }
        }
        Self {
            body: lines.join("\n"),
            values,
            is_misread,
        }
    }
}

/// What must exist before `outgoing` can be sent, if anything.
pub(super) fn resource(outgoing: &Outgoing<'_>) -> Option<ResourceKey> {
    let key = match outgoing.content {
        Content::Template(template) => {
            let language = template.language.as_deref().unwrap_or(outgoing.language);
            format!("template:{}:{language}", template.name)
        }
        content => Draft::of(content)?.hash(),
    };
    Some(ResourceKey {
        account: outgoing.channel.account.clone(),
        key,
    })
}

/// Finds a template; finds or creates the resource of buttons or of a list. Gives its SID.
pub(super) async fn provide(
    http: &Http,
    config: &TwilioConfig,
    outgoing: &Outgoing<'_>,
) -> Result<String, SendError> {
    let contents = Contents {
        http,
        config,
        outgoing,
    };
    if let Content::Template(template) = outgoing.content {
        let language = template.language.as_deref().unwrap_or(outgoing.language);
        let found = contents.find(&template.name, language).await?;
        return found.ok_or_else(|| {
            SendError::new(
                SendErrorKind::TemplateRejected,
                format!(
                    "Twilio has no content named '{}' in the language '{language}': create it there \
                     under exactly this name",
                    template.name
                ),
            )
        });
    }
    let draft = Draft::of(outgoing.content).ok_or_else(|| {
        SendError::new(
            SendErrorKind::Invalid,
            "this message needs no content resource",
        )
    })?;
    // It may be there although its reference is not: created by another node, or just before a
    // connection broke.
    let name = draft.name();
    match contents.find(&name, SESSION_LANGUAGE).await? {
        Some(sid) => Ok(sid),
        None => contents.create(&name, &draft).await,
    }
}

/// The Content resource of a message within the window, but for its name.
#[derive(Serialize)]
pub(super) struct Draft<'a> {
    language: &'static str,
    variables: BTreeMap<String, &'static str>,
    types: Type<'a>,
}

#[derive(Serialize)]
enum Type<'a> {
    #[serde(rename = "twilio/quick-reply")]
    QuickReply {
        body: String,
        actions: Vec<Action<'a>>,
    },
    #[serde(rename = "twilio/list-picker")]
    ListPicker {
        body: String,
        button: &'a str,
        items: Vec<ListItem<'a>>,
    },
}

#[derive(Serialize)]
struct Action<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    id: &'a str,
}

#[derive(Serialize)]
struct ListItem<'a> {
    id: &'a str,
    item: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

impl<'a> Draft<'a> {
    /// The resource of buttons or of a list; other messages need none, or one that people create.
    pub(super) fn of(content: &'a Content) -> Option<Self> {
        match content {
            Content::Buttons { text, buttons } => Some(Self::of_buttons(text, buttons)),
            Content::List {
                text,
                button,
                sections,
            } => Some(Self::of_list(text, button, sections)),
            Content::Text { .. }
            | Content::Media(_)
            | Content::Location(_)
            | Content::Contacts { .. }
            | Content::Reaction { .. }
            | Content::Form { .. }
            | Content::Template(_) => None,
        }
    }

    fn of_buttons(text: &str, buttons: &'a [Button]) -> Self {
        Self::new(text, |body| Type::QuickReply {
            body,
            actions: buttons
                .iter()
                .map(|button| Action {
                    kind: "QUICK_REPLY",
                    title: &button.title,
                    id: &button.id,
                })
                .collect(),
        })
    }

    /// Twilio's lists have no sections: the rows follow each other, the headings are left out.
    fn of_list(text: &str, button: &'a str, sections: &'a [Section]) -> Self {
        Self::new(text, |body| Type::ListPicker {
            body,
            button,
            items: sections
                .iter()
                .flat_map(|section| &section.rows)
                .map(|row| ListItem {
                    id: &row.id,
                    item: &row.title,
                    description: row.description.as_deref(),
                })
                .collect(),
        })
    }

    fn new(text: &str, types: impl FnOnce(String) -> Type<'a>) -> Self {
        let pattern = Pattern::of(text);
        Self {
            language: SESSION_LANGUAGE,
            variables: (1..=pattern.values.len())
                .map(|number| (number.to_string(), SAMPLE))
                .collect(),
            types: types(pattern.body),
        }
    }

    /// A hash of exactly what would be created.
    fn hash(&self) -> String {
        let json = serde_json::to_vec(self).expect("texts and maps of texts always serialise");
        hex::encode(&Sha256::digest(json)[..16])
    }

    /// The name by which it is found again at Twilio.
    fn name(&self) -> String {
        format!("{OWN_PREFIX}{}", self.hash())
    }
}

/// The contents of a channel's account.
struct Contents<'a> {
    http: &'a Http,
    config: &'a TwilioConfig,
    outgoing: &'a Outgoing<'a>,
}

#[derive(Deserialize)]
struct Page {
    contents: Vec<Found>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Deserialize)]
struct Found {
    sid: String,
    #[serde(default)]
    friendly_name: Option<String>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    date_created: Option<String>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    next_page_url: Option<String>,
}

impl Meta {
    /// What to ask for the next page. Only the query of its address is followed: the credentials go to
    /// one host.
    fn next(&self) -> Option<&str> {
        let (_, query) = self.next_page_url.as_deref()?.split_once('?')?;
        Some(query)
    }
}

impl Contents<'_> {
    /// The newest content of exactly this name and language.
    async fn find(&self, name: &str, language: &str) -> Result<Option<String>, SendError> {
        let mut query = form_urlencoded::Serializer::new(String::new())
            .append_pair("ContentName", name)
            .append_pair("Language", language)
            .append_pair("PageSize", PAGE_SIZE)
            .finish();
        for _ in 0..MAX_PAGES {
            let path = format!("/v2/Content?{query}");
            let page: Page = self.ask(Method::GET, &path, None::<&()>).await?;
            let found = page
                .contents
                .into_iter()
                // Newest first within a second too: the last of several greatest wins.
                .rev()
                .filter(|content| {
                    content.friendly_name.as_deref() == Some(name)
                        && content.language.as_deref() == Some(language)
                })
                .max_by(|a, b| a.date_created.cmp(&b.date_created));
            if let Some(content) = found {
                return Ok(Some(content.sid));
            }
            match page.meta.next() {
                Some(next) => next.clone_into(&mut query),
                None => break,
            }
        }
        Ok(None)
    }

    async fn create(&self, name: &str, draft: &Draft<'_>) -> Result<String, SendError> {
        #[derive(Serialize)]
        struct Named<'a> {
            friendly_name: &'a str,
            #[serde(flatten)]
            draft: &'a Draft<'a>,
        }
        let named = Named {
            friendly_name: name,
            draft,
        };
        let created: Found = self.ask(Method::POST, "/v1/Content", Some(&named)).await?;
        Ok(created.sid)
    }

    async fn ask<B: Serialize + Sync, A: for<'de> Deserialize<'de>>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<A, SendError> {
        let (user, password) = login(self.outgoing.channel, self.outgoing.credentials)?;
        let url = format!("{}{path}", self.config.content_url);
        let mut request = self
            .http
            .request(method, &url)
            .basic_auth(user, Some(password.expose()));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = self.http.send(request).await.map_err(without_doubt)?;
        read(&answer)
    }
}

fn read<A: for<'de> Deserialize<'de>>(answer: &Answer) -> Result<A, SendError> {
    if !(200..300).contains(&answer.status) {
        return Err(without_doubt(errors::refusal(answer)));
    }
    serde_json::from_slice(&answer.body).map_err(|_| {
        SendError::new(
            SendErrorKind::Temporary,
            "Twilio's answer about its contents cannot be read",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_variables_where_they_fit() {
        let long = "x".repeat(MAX_VALUE_CHARS + 1);
        let pattern = Pattern::of(&format!("Hi {{{{Ana}}}}\n\nTotal:\t5\n{long}\nBye"));
        assert_eq!(
            pattern.body,
            format!("{{{{1}}}}\n\nTotal:\t5\n{long}\n{{{{2}}}}")
        );
        assert_eq!(pattern.values, ["Hi {{Ana}}", "Bye"]);
        assert!(!pattern.is_misread);
        assert!(Pattern::of("a\t{{1}}").is_misread);
    }
}
