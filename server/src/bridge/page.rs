//! The page as HTML: whom a number is connected for and on whose behalf, and what its script must know.
//! What the script then draws is its own affair.

use std::fmt::Write as _;

use rejoinder_engine::Bridged;
use rejoinder_engine::domain::ticket::TicketState;
use serde::Serialize;
use serde_json::json;
use url::{Url, form_urlencoded};
use warp::reply::Response;

use super::{Bridge, policy, word};
use crate::reply::{self, Error};

/// Which of the two addresses is shown.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// Where a website's page leads.
    Start,
    /// Where Facebook's full page comes back to.
    Callback,
}

/// How the page begins.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Beginning {
    /// A number can be connected.
    Open,
    /// The ticket was used: perhaps its steps are being taken.
    Used,
    /// The ticket's time is over, or there never was such a ticket.
    Expired,
    /// The server's operator has not set it up.
    Unset,
}

/// What the script must know; it is on the page, so that nothing secret is among it.
#[derive(Serialize)]
struct Knowledge<'a> {
    place: Place,
    beginning: Beginning,
    /// The page's own address must be this one, or Facebook would refuse it.
    home: String,
    /// The settings that are missing.
    missing: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signup: Option<SignUp<'a>>,
}

/// What is known of a ticket that is there, and how it is signed up with.
#[derive(Serialize)]
struct SignUp<'a> {
    ticket: &'a str,
    /// Who is told what came of it.
    origin: &'a str,
    app_id: &'a str,
    version: &'a str,
    sdk_url: &'a str,
    /// The options of Facebook's login.
    login: serde_json::Value,
    /// The same as a full page.
    dialog: String,
    /// Where the full page comes back to.
    callback: String,
    /// Whose messages tell how the sign-up goes.
    facebook: String,
    /// Whether those of its other hosts count as well.
    is_facebook: bool,
}

impl Bridge {
    /// The page; `parameter` is the one that carries the ticket.
    pub(super) async fn page(
        &self,
        place: Place,
        query: &str,
        parameter: &str,
    ) -> Result<Response, Error> {
        let home = self.home()?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let ticket = pairs.find(|(name, _)| name == parameter);
        let ticket = ticket.map(|(_, value)| value.into_owned());
        let ticket = ticket.unwrap_or_default();
        let bridged = match word(&ticket) {
            Some(word) => self.engine.bridged(&word).await?,
            None => None,
        };
        let beginning = match bridged.as_ref().map(|bridged| bridged.state) {
            None | Some(TicketState::Expired) => Beginning::Expired,
            Some(TicketState::Used) => Beginning::Used,
            Some(TicketState::Open) if self.missing().is_empty() => Beginning::Open,
            Some(TicketState::Open) => Beginning::Unset,
        };
        let knowledge = Knowledge {
            place,
            beginning,
            home,
            missing: self.missing(),
            signup: bridged
                .as_ref()
                .map(|bridged| self.sign_up(&ticket, bridged)),
        };
        let knowledge = serde_json::to_string(&knowledge).expect("our own types have string keys");
        let policy = if place == Place::Start && beginning == Beginning::Open {
            policy::with_facebook(&self.options)
        } else {
            policy::alone()
        };
        Ok(reply::page(html(bridged.as_ref(), &knowledge), &policy))
    }

    fn missing(&self) -> Vec<&'static str> {
        let settings = [
            ("meta.app_id", !self.options.app_id.is_empty()),
            ("meta.app_secret", self.options.has_app_secret),
            ("meta.config_id", !self.options.config_id.is_empty()),
        ];
        let missing = settings.into_iter().filter(|(_, is_set)| !is_set);
        missing.map(|(name, _)| name).collect()
    }

    fn sign_up<'a>(&'a self, ticket: &'a str, bridged: &'a Bridged) -> SignUp<'a> {
        let options = &*self.options;
        // Asked for as a text: the session's events come in the shape of version 3.
        let mut extras = json!({ "setup": {}, "sessionInfoVersion": "3" });
        if bridged.ticket.coexistence {
            extras["featureType"] = "whatsapp_business_app_onboarding".into();
        }
        let login = json!({
            "config_id": options.config_id,
            "response_type": "code",
            "override_default_response_type": true,
            "extras": extras,
        });
        SignUp {
            ticket,
            origin: bridged.ticket.origin.as_str(),
            app_id: &options.app_id,
            version: &options.version,
            sdk_url: &options.sdk_url,
            dialog: self.dialog(ticket, &extras.to_string()),
            login,
            callback: self.callback(),
            facebook: policy::origin(&options.dialog_url),
            is_facebook: policy::is_facebook(&options.dialog_url),
        }
    }

    /// Facebook's sign-up as a full page.
    fn dialog(&self, ticket: &str, extras: &str) -> String {
        let options = &*self.options;
        let address = format!("{}/{}/dialog/oauth", options.dialog_url, options.version);
        let callback = self.callback();
        let query = [
            ("client_id", options.app_id.as_str()),
            ("config_id", options.config_id.as_str()),
            ("response_type", "code"),
            ("override_default_response_type", "true"),
            ("redirect_uri", callback.as_str()),
            ("state", ticket),
            ("extras", extras),
        ];
        Url::parse_with_params(&address, query).map_or(address, String::from)
    }
}

fn html(bridged: Option<&Bridged>, knowledge: &str) -> String {
    let heading = match bridged {
        Some(Bridged { ticket, .. }) => format!(
            "Connecting <strong>{}</strong> <span>on behalf of <strong>{}</strong></span>",
            escaped(&ticket.name),
            escaped(ticket.origin.host()),
        ),
        None => "Connect a WhatsApp number".to_owned(),
    };
    format!(
        include_str!("page.html"),
        heading = heading,
        knowledge = escaped(knowledge)
    )
}

/// Text that stands in HTML or in an attribute as what it is.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            // Marks that turn the direction of what follows would let a name stand for another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(html, "&lt;U+{:04X}&gt;", u32::from(letter));
            }
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_whatever_it_looks_like() {
        assert_eq!(
            escaped("<script>alert('x')</script> & \"y\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;"
        );
        assert_eq!(escaped("Café \u{202e}evil"), "Café &lt;U+202E&gt;evil");
    }
}
