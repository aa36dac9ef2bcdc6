//! Whether Twilio would take a message at all: its limits on lengths, counts and kinds.
//! Knows no channel and no customer; what only Twilio can know is left to its answer.

use rejoinder_engine::adapter::{SendError, SendErrorKind};
use rejoinder_engine::domain::content::{
    Button, Content, MediaKind, MediaLink, Place, Section, TemplateContent,
};
use url::Url;

use super::templates::Pattern;

/// The text of a message (Twilio's error 21617).
const MAX_TEXT: usize = 1600;
/// The text above buttons or a list.
const MAX_INTERACTIVE_TEXT: usize = 1024;
/// Buttons of a message that is not a template.
const MAX_BUTTONS: usize = 3;
/// The title of a button.
const MAX_BUTTON_TITLE: usize = 20;
/// Rows of a list, all sections together.
const MAX_ROWS: usize = 10;
/// The title of a row.
const MAX_ROW_TITLE: usize = 24;
/// The second line of a row.
const MAX_ROW_DESCRIPTION: usize = 72;
/// The id of a button or row.
const MAX_ID: usize = 200;

/// Refuses what Twilio would refuse, naming the limit and by how much it is passed.
pub(super) fn check(content: &Content) -> Result<(), SendError> {
    match content {
        Content::Text { text } => length("the text", text, MAX_TEXT),
        Content::Media(media) => check_media(media),
        Content::Buttons { text, buttons } => check_buttons(text, buttons),
        Content::List {
            text,
            button,
            sections,
        } => check_list(text, button, sections),
        Content::Location(place) => check_place(place),
        Content::Template(template) => check_template(template),
        Content::Contacts { .. } => refuse("Twilio cannot send business cards over WhatsApp"),
        Content::Reaction { .. } => refuse("Twilio cannot send reactions over WhatsApp"),
        Content::Form { .. } => {
            refuse("Twilio sends a form only as a template: create one there and send that")
        }
    }
}

fn check_media(media: &MediaLink) -> Result<(), SendError> {
    let is_web = Url::parse(&media.url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    if !is_web {
        return refuse("the file's address is not a complete web address (https://…)");
    }
    let Some(caption) = media.caption.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    match media.media {
        MediaKind::Image | MediaKind::Video => length("the caption", caption, MAX_TEXT),
        MediaKind::Document | MediaKind::Audio | MediaKind::Voice | MediaKind::Sticker => {
            refuse(format!(
                "Twilio has no captions for files of kind {}: send the text as a message of its own",
                media.media.name()
            ))
        }
    }
}

fn check_buttons(text: &str, buttons: &[Button]) -> Result<(), SendError> {
    check_pattern(text)?;
    count("buttons", buttons.len(), MAX_BUTTONS)?;
    for button in buttons {
        literal("the title of a button", &button.title, MAX_BUTTON_TITLE)?;
        literal("the id of a button", &button.id, MAX_ID)?;
    }
    Ok(())
}

fn check_list(text: &str, button: &str, sections: &[Section]) -> Result<(), SendError> {
    check_pattern(text)?;
    literal("the caption of the list's button", button, MAX_BUTTON_TITLE)?;
    let rows = || sections.iter().flat_map(|section| &section.rows);
    count("rows", rows().count(), MAX_ROWS)?;
    for row in rows() {
        literal("the title of a row", &row.title, MAX_ROW_TITLE)?;
        literal("the id of a row", &row.id, MAX_ID)?;
        if let Some(description) = &row.description {
            literal("the description of a row", description, MAX_ROW_DESCRIPTION)?;
        }
    }
    Ok(())
}

fn check_pattern(text: &str) -> Result<(), SendError> {
    length("the text", text, MAX_INTERACTIVE_TEXT)?;
    if Pattern::of(text).is_misread {
        return refuse(
            "a line of the text holds '{{' and is longer than 255 characters or holds a tab: \
             Twilio would read a variable there",
        );
    }
    Ok(())
}

fn check_place(place: &Place) -> Result<(), SendError> {
    if place.latitude.abs() <= 90.0 && place.longitude.abs() <= 180.0 {
        Ok(())
    } else {
        refuse("the place is not on the globe: latitude is -90 to 90, longitude -180 to 180")
    }
}

fn check_template(template: &TemplateContent) -> Result<(), SendError> {
    // Twilio numbers the variables of a whole template; guessing where those of the header and of
    // the buttons come would put wrong values before a customer.
    if template.header.is_some() || !template.buttons.is_empty() {
        return refuse(
            "Twilio numbers the variables of a template throughout: give those of its header and \
             buttons along with those of its body",
        );
    }
    for (name, value) in template.body.iter() {
        if value.trim().is_empty() {
            return refuse(format!("the template's value {name} is empty"));
        }
        if value.contains(['\n', '\r', '\t', '\0']) {
            return refuse(format!(
                "the template's value {name} holds a line break or tab, which Twilio does not take"
            ));
        }
    }
    Ok(())
}

/// Text that becomes a part of a Content resource, where Twilio looks for variables.
fn literal(what: &str, text: &str, most: usize) -> Result<(), SendError> {
    length(what, text, most)?;
    if text.contains("{{") {
        return refuse(format!(
            "{what} holds '{{{{', which Twilio would read as a variable"
        ));
    }
    Ok(())
}

fn length(what: &str, text: &str, most: usize) -> Result<(), SendError> {
    let actual = text.chars().count();
    if text.trim().is_empty() {
        refuse(format!("{what} is empty"))
    } else if actual > most {
        refuse(format!(
            "{what} has {actual} characters; Twilio takes at most {most}"
        ))
    } else {
        Ok(())
    }
}

fn count(what: &str, actual: usize, most: usize) -> Result<(), SendError> {
    if (1..=most).contains(&actual) {
        Ok(())
    } else {
        refuse(format!(
            "the message has {actual} {what}; Twilio takes 1 to {most}"
        ))
    }
}

fn refuse(detail: impl Into<String>) -> Result<(), SendError> {
    Err(SendError::new(SendErrorKind::Invalid, detail))
}
