//! Templates: what may leave outside the service window.

use rhai::Dynamic;

use super::content::{known_keys, optional};
use super::{Api, Fallible, api, fail, text};
use crate::domain::content::{
    Content, MediaKind, MediaLink, TemplateButton, TemplateContent, TemplateHeader, TemplateValues,
};
use crate::script::convert;

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Templates",
        "Templates are forms that WhatsApp has approved; they may leave at any time. A value that is missing or empty is refused when the message is sent, so write `chat.contact.name_or(\"there\")`, not `chat.contact.name`.",
    );
    api.value::<TemplateContent>("template", "a template");
    api! { api;
        /// A template with the values of its body: an array for `{{1}}`, `{{2}}` …, a map for named ones.
        ///
        /// ```rhai
        /// chat.send(template("viewing_reminder", [chat.contact.name_or("there")]));
        /// ```
        fn "template(name: text, body?: array|map) -> template" => template, template_with;

        /// A template with more than a body: a map of `name`, and of `language`, `header`, `body` and
        /// `buttons` as it needs.
        ///
        /// Without `language` it is the location's own. The header is text, or `image(…)`, `video(…)`,
        /// `document(…)`. Buttons stand by position: `#{ url: … }` the end of a link,
        /// `#{ payload: … }` what comes back as `message.choice`, `#{ code: … }` a code to copy, `()`
        /// for one without a value.
        ///
        /// ```rhai
        /// chat.send(template(#{
        ///     name: "offer", language: "de", header: image("https://example.com/flat.jpg"),
        ///     body: ["Ada"], buttons: [#{ url: "o/7" }, (), #{ payload: "later" }],
        /// }));
        /// ```
        fn "template(parts: map) -> template" => template;
    }
}

/// A template as given to `chat.send`.
pub(super) fn template_content(value: Dynamic, usage: &str) -> Fallible<TemplateContent> {
    match value.try_cast_result::<TemplateContent>() {
        Ok(template) => Ok(template),
        Err(value) => fail(format!(
            "a template is needed here, not {}; write {usage}",
            convert::describe(&value)
        )),
    }
}

/// What the map of a template may name.
pub(in crate::script) const KEYS: [&str; 5] = ["name", "language", "header", "body", "buttons"];

/// By a name, or from a map.
fn template(value: Dynamic) -> Fallible<TemplateContent> {
    let Ok(map) = value.as_map_ref() else {
        return named(text(&value, "the name of the template")?, None);
    };
    known_keys(&map, &KEYS, "a template")?;
    let Some(name) = optional(&map, "name")? else {
        return fail(
            "a template needs a name; write template(#{ name: \"offer\", body: [\"Ada\"] })",
        );
    };
    let mut template = named(name, map.get("body"))?;
    template.language = optional(&map, "language")?;
    template.header = map.get("header").map(header).transpose()?;
    if let Some(buttons) = map.get("buttons") {
        let Ok(items) = buttons.as_array_ref() else {
            return fail(
                "the buttons of a template are an array, by position, such as [#{ url: \"end\" }]",
            );
        };
        for (index, item) in items.iter().enumerate() {
            template.buttons.extend(template_button(index, item)?);
        }
    }
    Ok(template)
}

fn template_with(name: Dynamic, values: Dynamic) -> Fallible<TemplateContent> {
    named(text(&name, "the name of the template")?, Some(&values))
}

fn named(name: String, body: Option<&Dynamic>) -> Fallible<TemplateContent> {
    let parameter = |of: &str, value: &Dynamic| {
        convert::to_text(value)
            .or_else(|reason| fail(format!("template {name}, value {of}: {reason}")))
    };
    let values = match body {
        None => TemplateValues::default(),
        Some(values) => {
            if let Ok(items) = values.as_array_ref() {
                let items = items
                    .iter()
                    .enumerate()
                    .map(|(i, value)| parameter(&(i + 1).to_string(), value));
                TemplateValues::Positional(items.collect::<Fallible<_>>()?)
            } else if let Ok(map) = values.as_map_ref() {
                let items = map
                    .iter()
                    .map(|(key, value)| Ok((key.as_str().to_owned(), parameter(key, value)?)));
                TemplateValues::Named(items.collect::<Fallible<_>>()?)
            } else {
                return fail(format!(
                    "the values of template {name} are an array such as [\"Ada\"], or a map for named ones, not {}",
                    convert::describe(values)
                ));
            }
        }
    };
    Ok(TemplateContent {
        name,
        language: None,
        header: None,
        body: values,
        buttons: Vec::new(),
    })
}

fn header(value: &Dynamic) -> Fallible<TemplateHeader> {
    if let Some(content) = value.read_lock::<Content>() {
        return match &*content {
            Content::Media(MediaLink {
                media: media @ (MediaKind::Image | MediaKind::Video | MediaKind::Document),
                url,
                name,
                ..
            }) => Ok(TemplateHeader::Media {
                media: *media,
                url: url.clone(),
                name: name.clone(),
            }),
            other => fail(format!(
                "the header of a template is text, image(…), video(…) or document(…), not {}",
                other.kind()
            )),
        };
    }
    Ok(TemplateHeader::Text {
        value: text(value, "the header of the template")?,
    })
}

fn template_button(position: usize, value: &Dynamic) -> Fallible<Option<TemplateButton>> {
    if value.is_unit() {
        return Ok(None);
    }
    let refuse = || {
        fail(
            "a button of a template is #{ url: \"end of the link\" }, #{ payload: \"id\" }, #{ code: \"SAVE10\" } or ()",
        )
    };
    let (Ok(index), Ok(map)) = (u8::try_from(position), value.as_map_ref()) else {
        return refuse();
    };
    known_keys(&map, &["url", "payload", "code"], "a button of a template")?;
    let of = |key: &str| optional(&map, key);
    match (of("url")?, of("payload")?, of("code")?) {
        (Some(suffix), None, None) => Ok(Some(TemplateButton::Url { index, suffix })),
        (None, Some(payload), None) => Ok(Some(TemplateButton::QuickReply { index, payload })),
        (None, None, Some(code)) => Ok(Some(TemplateButton::CopyCode { index, code })),
        _ => refuse(),
    }
}
