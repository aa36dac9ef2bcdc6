//! From a message to the form that Twilio takes, and from Twilio's answer to whether it was sent.
//! Knows nothing of retries: each function makes one request.

use http::Method;
use rejoinder_engine::adapter::{Outgoing, SendError, SendErrorKind, Sent, Signal};
use rejoinder_engine::domain::channel::Channel;
use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::content::{Content, Place};
use rejoinder_engine::domain::ids::DeliveryId;
use rejoinder_engine::domain::inbound::Stage;
use serde::Deserialize;
use serde::ser::{Serialize, Serializer};

use super::templates::Pattern;
use super::{TwilioConfig, errors, inbound, login};
use crate::http::{Answer, Http};

/// Carries our id of a message in the address that its statuses are sent to.
pub(super) const DELIVERY_PARAMETER: &str = "delivery";
/// Asks Twilio to send a webhook again that we do not answer; by default it would be lost.
pub(super) const CONNECTION_OVERRIDES: &str = "#rc=3&rp=all&ct=3000&rt=5000";

/// Sends one message.
pub(super) async fn send(
    http: &Http,
    config: &TwilioConfig,
    outgoing: &Outgoing<'_>,
) -> Result<Sent, SendError> {
    let (user, password) = login(outgoing.channel, outgoing.credentials)?;
    let url = format!(
        "{}/2010-04-01/Accounts/{}/Messages.json",
        config.api_url, outgoing.channel.account
    );
    let request = http
        .request(Method::POST, &url)
        .basic_auth(user, Some(password.expose()))
        .form(&form(outgoing)?);
    sent(&http.send(request).await?)
}

/// Shows the customer that their message was read and that an answer is being written. Twilio has
/// one mark for both.
pub(super) async fn signal(
    http: &Http,
    config: &TwilioConfig,
    signal: &Signal<'_>,
) -> Result<(), SendError> {
    let (user, password) = login(signal.channel, signal.credentials)?;
    let url = format!("{}/v2/Indicators/Typing.json", config.messaging_url);
    let request = http
        .request(Method::POST, &url)
        .basic_auth(user, Some(password.expose()))
        .form(&[("messageId", signal.message_id), ("channel", "whatsapp")]);
    let answer = http.send(request).await?;
    if (200..300).contains(&answer.status) {
        Ok(())
    } else {
        Err(errors::refusal(&answer))
    }
}

/// The form of a message. Twilio cannot quote, so `reply_to` is left out, and it names a document
/// after what the file's server says, so the name is too.
pub(super) fn form(outgoing: &Outgoing<'_>) -> Result<Vec<(&'static str, String)>, SendError> {
    let mut form = vec![
        ("To", format!("whatsapp:{}", outgoing.to)),
        ("From", sender(outgoing.channel)),
    ];
    if let Some(service) = &outgoing.channel.settings.messaging_service {
        form.push(("MessagingServiceSid", service.clone()));
    }
    match outgoing.content {
        Content::Text { text } => form.push(("Body", text.clone())),
        Content::Media(media) => {
            if let Some(caption) = media.caption.as_deref().filter(|text| !text.is_empty()) {
                form.push(("Body", caption.to_owned()));
            }
            form.push(("MediaUrl", media.url.clone()));
        }
        Content::Location(place) => {
            form.push(("Body", place_text(place)));
            form.push(("PersistentAction", persistent_action(place)));
        }
        Content::Buttons { text, .. } | Content::List { text, .. } => {
            let values = Pattern::of(text).values;
            content(&mut form, outgoing, &numbered(values))?;
        }
        Content::Template(template) => {
            let values: Vec<_> = template
                .body
                .iter()
                .map(|(name, value)| (name, value.to_owned()))
                .collect();
            content(&mut form, outgoing, &values)?;
        }
        Content::Contacts { .. } | Content::Reaction { .. } | Content::Form { .. } => {
            return Err(SendError::new(
                SendErrorKind::Invalid,
                format!(
                    "Twilio cannot send {} over WhatsApp",
                    outgoing.content.kind()
                ),
            ));
        }
    }
    if let Some(url) = outgoing.callback_url {
        form.push(("StatusCallback", status_callback(url, outgoing.delivery_id)));
    }
    Ok(form)
}

fn content(
    form: &mut Vec<(&'static str, String)>,
    outgoing: &Outgoing<'_>,
    values: &[(String, String)],
) -> Result<(), SendError> {
    let sid = outgoing.reference.ok_or_else(|| {
        SendError::new(
            SendErrorKind::TemplateRejected,
            "the message has no content resource at Twilio yet",
        )
    })?;
    form.push(("ContentSid", sid.to_owned()));
    if !values.is_empty() {
        let json = serde_json::to_string(&Variables(values))
            .expect("a map of texts to texts always serialises");
        form.push(("ContentVariables", json));
    }
    Ok(())
}

fn numbered(values: Vec<String>) -> Vec<(String, String)> {
    values
        .into_iter()
        .enumerate()
        .map(|(position, value)| ((position + 1).to_string(), value))
        .collect()
}

/// Serialises in the order given, unlike a map: a request must not depend on a hash.
struct Variables<'a>(&'a [(String, String)]);

impl Serialize for Variables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The channel's number as Twilio writes it.
pub(super) fn sender(channel: &Channel) -> String {
    let phone = Phone::parse(&channel.key).unwrap_or_else(|| channel.phone.clone());
    format!("whatsapp:{phone}")
}

/// Twilio wants a text with every message; that of a place is what people call it.
pub(super) fn place_text(place: &Place) -> String {
    [&place.name, &place.address]
        .into_iter()
        .flatten()
        .find(|text| !text.trim().is_empty())
        .cloned()
        .unwrap_or_else(|| format!("{},{}", place.latitude, place.longitude))
}

/// `geo:-23.56,-46.65|MASP, Av. Paulista`.
fn persistent_action(place: &Place) -> String {
    let label: Vec<_> = [&place.name, &place.address]
        .into_iter()
        .flatten()
        .map(|text| text.replace(['|', '\n', '\r'], " ").trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    let mut action = format!("geo:{},{}", place.latitude, place.longitude);
    if !label.is_empty() {
        action.push('|');
        action.push_str(&label.join(", "));
    }
    action
}

/// The address with our id in its query, unless it is there already. Nothing else is touched:
/// Twilio signs the address as it is written here.
fn status_callback(url: &str, delivery_id: DeliveryId) -> String {
    let (address, overrides) = url
        .find('#')
        .map_or((url, CONNECTION_OVERRIDES), |at| (&url[..at], &url[at..]));
    let query = address.split_once('?').map(|(_, query)| query);
    let is_named = form_urlencoded::parse(query.unwrap_or("").as_bytes())
        .any(|(name, _)| name == DELIVERY_PARAMETER);
    if is_named {
        return format!("{address}{overrides}");
    }
    let joint = if query.is_some() { '&' } else { '?' };
    format!("{address}{joint}{DELIVERY_PARAMETER}={delivery_id}{overrides}")
}

/// What Twilio's answer says of the message. A message that failed at once is told here and never
/// again: Twilio sends no status for the state in which a message begins.
fn sent(answer: &Answer) -> Result<Sent, SendError> {
    #[derive(Deserialize)]
    struct Created {
        sid: String,
        #[serde(default)]
        status: Option<String>,
        #[serde(default)]
        error_code: Option<i64>,
    }

    if !(200..300).contains(&answer.status) {
        return Err(errors::refusal(answer));
    }
    let created: Option<Created> = serde_json::from_slice(&answer.body).ok();
    let Some(created) = created.filter(|created| !created.sid.is_empty()) else {
        return Err(SendError::new(
            SendErrorKind::InDoubt,
            "Twilio took the message, but its answer cannot be read",
        ));
    };
    match created.status.as_deref().and_then(inbound::stage) {
        Some(Stage::Failed) => Err(errors::failed_at_once(created.error_code)),
        _ => Ok(Sent {
            provider_id: created.sid,
        }),
    }
}
