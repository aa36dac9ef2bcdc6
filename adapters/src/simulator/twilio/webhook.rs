//! Bodies of Twilio's webhooks as lists of parameters, in the order in which Twilio writes them.
//! Pure: knows no clock, no ids of its own, and sends nothing.

use super::super::world::plain;
use super::{Registration, title};

/// The parameters of a form, in order.
type Params = Vec<(String, String)>;

/// Who writes, and under which id.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The name in the customer's profile.
    pub name: &'a str,
    /// The customer's number, with or without a plus sign.
    pub phone: &'a str,
    /// The message's SID.
    pub sid: &'a str,
    /// Our message that it answers, by its SID.
    pub context: Option<&'a str>,
}

/// What a status says.
#[derive(Clone, Copy, Debug)]
pub struct StatusUpdate<'a> {
    /// The message's SID.
    pub sid: &'a str,
    /// `sent`, `delivered`, `read`, `failed`, `undelivered`.
    pub status: &'a str,
    /// The customer, digits or a business-scoped id.
    pub to: &'a str,
    /// Why it failed.
    pub error_code: Option<i64>,
}

/// A text message.
pub fn text_message(sender: &Registration, arrival: &Arrival<'_>, text: &str) -> Params {
    message(sender, arrival, "text", text, &[])
}

/// A tap on a quick reply.
pub fn button_tap(
    sender: &Registration,
    arrival: &Arrival<'_>,
    payload: &str,
    title: &str,
) -> Params {
    let extra = [("ButtonText", title), ("ButtonPayload", payload)];
    message(sender, arrival, "interactive", title, &extra)
}

/// A row chosen from a list picker.
pub fn list_choice(
    sender: &Registration,
    arrival: &Arrival<'_>,
    row_id: &str,
    title: &str,
) -> Params {
    let extra = [("ListId", row_id), ("ListTitle", title)];
    message(sender, arrival, "interactive", title, &extra)
}

/// A picture, by its address.
pub fn image(
    sender: &Registration,
    arrival: &Arrival<'_>,
    media_url: &str,
    caption: Option<&str>,
) -> Params {
    let extra = [
        ("MediaContentType0", "image/jpeg"),
        ("MediaUrl0", media_url),
    ];
    message(sender, arrival, "image", caption.unwrap_or(""), &extra)
}

/// A place.
pub fn location(
    sender: &Registration,
    arrival: &Arrival<'_>,
    latitude: f64,
    longitude: f64,
) -> Params {
    let (latitude, longitude) = (latitude.to_string(), longitude.to_string());
    let extra = [
        ("Latitude", latitude.as_str()),
        ("Longitude", longitude.as_str()),
    ];
    message(sender, arrival, "location", "", &extra)
}

/// A message of any type, with further parameters.
pub fn message(
    sender: &Registration,
    arrival: &Arrival<'_>,
    kind: &str,
    text: &str,
    extra: &[(&str, &str)],
) -> Params {
    let media = extra.iter().any(|(name, _)| name.starts_with("MediaUrl"));
    let own = address(&sender.number);
    let customer = address(arrival.phone);
    let fixed = [
        ("SmsMessageSid", arrival.sid),
        ("NumMedia", if media { "1" } else { "0" }),
        ("ProfileName", arrival.name),
        ("MessageType", kind),
        ("SmsSid", arrival.sid),
        ("WaId", plain(arrival.phone)),
        ("SmsStatus", "received"),
        ("Body", text),
        ("To", &own),
        ("NumSegments", "1"),
        ("ReferralNumMedia", "0"),
        ("MessageSid", arrival.sid),
        ("AccountSid", &sender.account_sid),
    ];
    let mut params = owned(fixed.iter().chain(extra));
    if let Some(sid) = arrival.context {
        let quoted = [
            ("OriginalRepliedMessageSender", own.as_str()),
            ("OriginalRepliedMessageSid", sid),
        ];
        params.extend(owned(&quoted));
    }
    let last = [
        (
            "ChannelMetadata",
            r#"{"type":"whatsapp","data":{"context":{}}}"#,
        ),
        ("From", &customer),
        ("ApiVersion", "2010-04-01"),
    ];
    params.extend(owned(&last));
    params
}

/// A text that the owner is supposed to have written on the phone. No evidence exists that Twilio sends it.
pub fn echo(sender: &Registration, to: &str, sid: &str, text: &str) -> Params {
    owned(&[
        ("MessageSid", sid),
        ("SmsMessageSid", sid),
        ("SmsSid", sid),
        ("SmsStatus", "received"),
        ("NumMedia", "0"),
        ("MessageType", "text"),
        ("Body", text),
        ("From", &address(&sender.number)),
        ("To", &address(to)),
        ("AccountSid", &sender.account_sid),
        ("ApiVersion", "2010-04-01"),
    ])
}

/// A status of a message.
pub fn status(sender: &Registration, update: &StatusUpdate<'_>) -> Params {
    let to = address(update.to);
    let channel_to = to.strip_prefix("whatsapp:").unwrap_or(&to);
    let mut params = owned(&[
        ("ChannelPrefix", "whatsapp"),
        ("ApiVersion", "2010-04-01"),
        ("MessageStatus", update.status),
        ("SmsSid", update.sid),
        ("SmsStatus", update.status),
        ("ChannelInstallSid", "XE00000000000000000000000000000001"),
        ("To", &to),
        ("From", &address(&sender.number)),
        ("MessageSid", update.sid),
        ("AccountSid", &sender.account_sid),
        ("ChannelToAddress", channel_to),
    ]);
    if matches!(update.status, "delivered" | "read") {
        let event = update.status.to_ascii_uppercase();
        params.extend(owned(&[("EventType", event.as_str())]));
    }
    if let Some(code) = update.error_code {
        let text = code.to_string();
        params.extend(owned(&[
            ("ErrorCode", text.as_str()),
            ("ChannelStatusMessage", title(code)),
        ]));
    }
    params
}

/// The body of a form with these parameters.
pub fn encode<K: AsRef<str>, V: AsRef<str>>(params: &[(K, V)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params)
        .finish()
}

/// An address as Twilio writes it: a number with its plus sign, a business-scoped id without.
pub(super) fn address(text: &str) -> String {
    let text = plain(text);
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("whatsapp:+{text}")
    } else {
        format!("whatsapp:{text}")
    }
}

fn owned<'a>(params: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> Params {
    params
        .into_iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
