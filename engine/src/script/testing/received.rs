//! A message that a customer received, as tests look at it.

use chrono_tz::Tz;
use rhai::{Array, Dynamic};

use super::stage::Heard;
use super::words;
use crate::domain::content::{Content, TemplateValues};
use crate::script::api::registrar::{Api, api};
use crate::script::api::time::Time;

/// A message that a customer received.
#[derive(Clone)]
pub(super) struct Received {
    pub(super) heard: Heard,
    pub(super) zone: Tz,
}

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "What was received",
        "`customer.receives(…)` gives the message back, to look at it more closely.",
    );
    api.noun::<Received>("received", "the received message");
    api! { api;
        /// What it says: the text, the caption, or the text above buttons; `""` for a template.
        ///
        /// ```rhai
        /// let answer = customer.receives();
        /// assert(answer.text.len() < 200, "a short answer");
        /// ```
        get "received.text: text" => |it: &mut Received| it.heard.content.text().to_owned();

        /// What it is: `"text"`, `"buttons"`, `"list"`, `"template"`, `"image"` …
        ///
        /// ```rhai
        /// assert_eq(customer.receives().kind, "buttons");
        /// ```
        get "received.kind: text" => |it: &mut Received| it.heard.content.kind();

        /// When it arrived.
        ///
        /// ```rhai
        /// assert_eq(customer.receives().at, time("2026-01-05 10:00"));
        /// ```
        get "received.at: time" => |it: &mut Received| Time { at: it.heard.at, zone: it.zone };

        /// The titles of its buttons, or of the rows of its list; `[]` if it has none.
        ///
        /// ```rhai
        /// assert_eq(customer.receives().buttons, ["Yes", "No"]);
        /// ```
        get "received.buttons: array" => buttons;

        /// The name of the template, or `()`.
        ///
        /// ```rhai
        /// assert_eq(customer.receives().template, "viewing_reminder");
        /// ```
        get "received.template: text?" => template;

        /// The values of the template's body, in order; `[]` if there are none.
        ///
        /// ```rhai
        /// assert_eq(customer.receives(template("viewing_reminder")).values, ["Ada"]);
        /// ```
        get "received.values: array" => values;

        /// The address of the file that was sent, or `()`.
        ///
        /// ```rhai
        /// assert(customer.receives(image("https://example.com/flat.jpg")).url.ends_with(".jpg"));
        /// ```
        get "received.url: text?" => url;
    }
    api.mechanics()
        .register_fn("to_string", |it: &mut Received| {
            words::content(&it.heard.content)
        });
}

fn buttons(it: &mut Received) -> Array {
    match &it.heard.content {
        Content::Buttons { buttons, .. } => buttons
            .iter()
            .map(|button| button.title.clone().into())
            .collect(),
        Content::List { sections, .. } => words::rows(sections)
            .map(|row| row.title.clone().into())
            .collect(),
        _ => Array::new(),
    }
}

fn template(it: &mut Received) -> Dynamic {
    match &it.heard.content {
        Content::Template(template) => template.name.clone().into(),
        _ => Dynamic::UNIT,
    }
}

fn values(it: &mut Received) -> Array {
    match &it.heard.content {
        Content::Template(template) => match &template.body {
            TemplateValues::Positional(values) => {
                values.iter().cloned().map(Dynamic::from).collect()
            }
            TemplateValues::Named(values) => values
                .iter()
                .map(|(_, value)| Dynamic::from(value.clone()))
                .collect(),
        },
        _ => Array::new(),
    }
}

fn url(it: &mut Received) -> Dynamic {
    match &it.heard.content {
        Content::Media(media) => media.url.clone().into(),
        _ => Dynamic::UNIT,
    }
}
