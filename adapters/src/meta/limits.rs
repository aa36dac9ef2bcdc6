//! What Meta would refuse: lengths, counts and forms of outgoing content.
//! Checks content alone; whether it may leave now is not its concern.

use std::collections::HashSet;
use std::fmt::Display;
use std::net::IpAddr;

use rejoinder_engine::adapter::{SendError, SendErrorKind};
use rejoinder_engine::domain::content::{
    Button, ContactCard, Content, MediaKind, MediaLink, Place, Section, TemplateButton,
    TemplateContent, TemplateHeader, TemplateValues,
};
use serde_json::Value;
use url::{Host, Url};

// Meta's figures, in characters or pieces (its pages on each message type).
const TEXT: usize = 4096;
const CAPTION: usize = 1024;
const INTERACTIVE_TEXT: usize = 1024;
const BUTTONS: usize = 3;
const BUTTON_TITLE: usize = 20;
const BUTTON_ID: usize = 256;
const LIST_TEXT: usize = 4096;
const LIST_BUTTON: usize = 20;
const SECTIONS: usize = 10;
const ROWS: usize = 10;
const SECTION_TITLE: usize = 24;
const ROW_TITLE: usize = 24;
const ROW_ID: usize = 200;
const ROW_DESCRIPTION: usize = 72;
const FORM_BUTTON: usize = 30;
const TEMPLATE_NAME: usize = 512;
const TEMPLATE_BUTTON_INDEX: u8 = 9;
const COPY_CODE: usize = 15;
/// More spaces than this in a row make Meta refuse a template's value.
const SPACES: usize = 4;

type Checked = Result<(), SendError>;

/// Whether Meta would take `content`.
pub(super) fn check(content: &Content) -> Checked {
    match content {
        Content::Text { text } => length("the text", text, TEXT),
        Content::Media(link) => media(link),
        Content::Buttons { text, buttons } => {
            length("the text above the buttons", text, INTERACTIVE_TEXT)?;
            check_buttons(buttons)
        }
        Content::List {
            text,
            button,
            sections,
        } => {
            length("the text above the list", text, LIST_TEXT)?;
            length("the caption of the list's button", button, LIST_BUTTON)?;
            check_sections(sections)
        }
        Content::Location(place) => location(place),
        Content::Contacts { contacts } => check_contacts(contacts),
        Content::Reaction { message_id, .. } => {
            filled("the id of the message reacted to", message_id)
        }
        Content::Form {
            text,
            button,
            flow,
            data,
        } => {
            length("the text above the form's button", text, INTERACTIVE_TEXT)?;
            length("the caption of the form's button", button, FORM_BUTTON)?;
            filled("the form's flow id", flow)?;
            match data {
                Value::Null | Value::Object(_) => Ok(()),
                _ => refuse("the form's data must be a map of names and values"),
            }
        }
        Content::Template(content) => template(content),
    }
}

fn check_buttons(buttons: &[Button]) -> Checked {
    count("buttons", buttons.len(), BUTTONS)?;
    for (i, button) in (1..).zip(buttons) {
        length(
            format_args!("the title of button {i}"),
            &button.title,
            BUTTON_TITLE,
        )?;
        length(format_args!("the id of button {i}"), &button.id, BUTTON_ID)?;
    }
    distinct(
        "the titles of the buttons",
        buttons.iter().map(|button| &button.title),
    )?;
    distinct(
        "the ids of the buttons",
        buttons.iter().map(|button| &button.id),
    )
}

fn check_sections(sections: &[Section]) -> Checked {
    count("sections", sections.len(), SECTIONS)?;
    let rows = || sections.iter().flat_map(|section| &section.rows);
    count("rows in all sections together", rows().count(), ROWS)?;
    for (i, section) in (1..).zip(sections) {
        if section.rows.is_empty() {
            return refuse(format!("section {i} has no rows"));
        }
        // One section needs no heading; several cannot be told apart without.
        if sections.len() > 1 {
            filled(
                format_args!("the title of section {i} of several"),
                &section.title,
            )?;
        }
        at_most(
            format_args!("the title of section {i}"),
            &section.title,
            SECTION_TITLE,
        )?;
    }
    for (i, row) in (1..).zip(rows()) {
        length(format_args!("the title of row {i}"), &row.title, ROW_TITLE)?;
        length(format_args!("the id of row {i}"), &row.id, ROW_ID)?;
        let description = row.description.as_deref().unwrap_or_default();
        at_most(
            format_args!("the description of row {i}"),
            description,
            ROW_DESCRIPTION,
        )?;
    }
    distinct("the ids of the rows", rows().map(|row| &row.id))
}

fn media(link: &MediaLink) -> Checked {
    address("the file's address", &link.url)?;
    let caption = link.caption.as_deref().unwrap_or_default();
    match link.media {
        MediaKind::Image | MediaKind::Video | MediaKind::Document => {
            at_most("the caption", caption, CAPTION)
        }
        MediaKind::Audio | MediaKind::Voice | MediaKind::Sticker if caption.is_empty() => Ok(()),
        MediaKind::Audio | MediaKind::Voice | MediaKind::Sticker => refuse(format!(
            "a file of kind {} cannot have a caption; send the text by itself",
            link.media.name()
        )),
    }
}

/// Meta fetches the file: its address must be one that Meta can reach. Loopback is for simulators.
fn address(what: &str, address: &str) -> Checked {
    let Ok(url) = Url::parse(address) else {
        return refuse(format!("{what} is not a complete https address"));
    };
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback => Ok(()),
        scheme => refuse(format!("{what} must begin with https, not with {scheme}")),
    }
}

fn location(place: &Place) -> Checked {
    for (what, degrees, limit) in [
        ("latitude", place.latitude, 90.0),
        ("longitude", place.longitude, 180.0),
    ] {
        // Written so that "not a number" is refused, too.
        if !(-limit..=limit).contains(&degrees) {
            return refuse(format!(
                "the {what} must be between -{limit} and {limit} degrees and is {degrees}"
            ));
        }
    }
    Ok(())
}

fn check_contacts(contacts: &[ContactCard]) -> Checked {
    if contacts.is_empty() {
        return refuse("there must be at least one business card");
    }
    for (i, card) in (1..).zip(contacts) {
        filled(format_args!("the name on business card {i}"), &card.name)?;
        for phone in &card.phones {
            filled(format_args!("a phone number on business card {i}"), phone)?;
        }
        for email in &card.emails {
            filled(
                format_args!("an e-mail address on business card {i}"),
                email,
            )?;
        }
    }
    Ok(())
}

fn template(content: &TemplateContent) -> Checked {
    length("the template's name", &content.name, TEMPLATE_NAME)?;
    if let Some(language) = &content.language {
        filled("the template's language", language)?;
    }
    match &content.header {
        None => {}
        Some(TemplateHeader::Text { value }) => parameter("the template's header", value)?,
        Some(TemplateHeader::Media { media, url, .. }) => {
            if !matches!(
                media,
                MediaKind::Image | MediaKind::Video | MediaKind::Document
            ) {
                return refuse(format!(
                    "the template's header takes an image, a video or a document, not a file of kind {}",
                    media.name()
                ));
            }
            address("the address of the template's header", url)?;
        }
    }
    for (name, value) in content.body.iter() {
        parameter(format_args!("the template's parameter {name}"), value)?;
    }
    if let TemplateValues::Named(values) = &content.body {
        for (name, _) in values {
            filled("the name of a template's parameter", name)?;
        }
        distinct(
            "the names of the template's parameters",
            values.iter().map(|(name, _)| name),
        )?;
    }
    let mut indices = HashSet::new();
    for button in &content.buttons {
        let index = match button {
            TemplateButton::QuickReply { index, payload } => {
                length(
                    format_args!("the payload of the template's button {index}"),
                    payload,
                    BUTTON_ID,
                )?;
                index
            }
            TemplateButton::Url { index, suffix } => {
                parameter(
                    format_args!("the link of the template's button {index}"),
                    suffix,
                )?;
                index
            }
            TemplateButton::CopyCode { index, code } => {
                length(
                    format_args!("the code of the template's button {index}"),
                    code,
                    COPY_CODE,
                )?;
                index
            }
        };
        if *index > TEMPLATE_BUTTON_INDEX {
            return refuse(format!(
                "a template's buttons are counted from 0 to {TEMPLATE_BUTTON_INDEX}; there is no button {index}"
            ));
        }
        if !indices.insert(index) {
            return refuse(format!("the template's button {index} is given twice"));
        }
    }
    Ok(())
}

/// A value of a template's variable.
fn parameter(what: impl Display, value: &str) -> Checked {
    filled(&what, value)?;
    if value.contains(['\n', '\r', '\t']) {
        return refuse(format!("{what} must not contain a line break or a tab"));
    }
    if value.contains(&" ".repeat(SPACES + 1)) {
        return refuse(format!(
            "{what} must not contain more than {SPACES} spaces in a row"
        ));
    }
    Ok(())
}

fn length(what: impl Display, text: &str, limit: usize) -> Checked {
    filled(&what, text)?;
    at_most(what, text, limit)
}

fn filled(what: impl Display, text: &str) -> Checked {
    if text.trim().is_empty() {
        return refuse(format!("{what} must not be empty"));
    }
    Ok(())
}

fn at_most(what: impl Display, text: &str, limit: usize) -> Checked {
    let actual = text.chars().count();
    if actual > limit {
        return refuse(format!(
            "{what} may have {limit} characters and has {actual}"
        ));
    }
    Ok(())
}

fn count(what: &str, actual: usize, limit: usize) -> Checked {
    if (1..=limit).contains(&actual) {
        return Ok(());
    }
    refuse(format!(
        "there may be 1 to {limit} {what} and there are {actual}"
    ))
}

fn distinct<'a>(what: &str, texts: impl Iterator<Item = &'a String>) -> Checked {
    let mut seen = HashSet::new();
    for text in texts {
        if !seen.insert(text) {
            return refuse(format!("{what} must differ, and one comes twice"));
        }
    }
    Ok(())
}

fn refuse(detail: impl Into<String>) -> Checked {
    Err(SendError::new(SendErrorKind::Invalid, detail))
}

#[cfg(test)]
mod tests;
