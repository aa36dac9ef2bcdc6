//! What can be said: texts, files, buttons, lists, places, business cards and forms.

use rhai::{Array, Dynamic, Map};

use super::{Api, Fallible, api, fail, text};
use crate::domain::content::{
    Button, ContactCard, Content, MediaKind, MediaLink, Place, Row, Section, TemplateContent,
};
use crate::script::convert;

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Content",
        "What `chat.reply` sends besides text. A file is fetched by WhatsApp from a public `https://` address when the message is sent. \
         Twilio sends texts up to 1,600 letters (Meta 4,096), and no business cards, reactions, or forms outside of templates; what a provider does not take fails when it is sent, and `on_status` tells.",
    );
    api.value::<Content>("content", "content to send");
    register_files(api);
    api! { api;
        /// Text with buttons to tap; what was tapped comes back as `message.choice`.
        ///
        /// 3 buttons at most, titles of 20 letters. A button given as text has that text as its id; give
        /// `#{ id, title }` to name it yourself: the id stays the same when you change the wording.
        ///
        /// ```rhai
        /// chat.reply(buttons("Shall I arrange a viewing?", ["Yes", "No"]));
        /// chat.reply(buttons("Which one?", [#{ id: "flat_7", title: "The flat" }, #{ id: "house_2", title: "The house" }]));
        /// ```
        fn "buttons(text: text, buttons: array) -> content" => buttons;

        /// Text with a menu of rows behind a button; what was picked comes back as `message.choice`.
        ///
        /// 10 rows at most, titles of 24 letters. Rows are texts or `#{ id, title, description }`; they
        /// may stand in sections, `#{ title, rows }`.
        ///
        /// ```rhai
        /// chat.reply(list("Which day suits you?", "Choose", ["Monday", #{ id: "tue", title: "Tuesday", description: "all day" }]));
        /// chat.reply(list("Which day?", "Choose", [#{ title: "This week", rows: ["Friday"] }, #{ title: "Next", rows: ["Monday"] }]));
        /// ```
        fn "list(text: text, button: text, rows: array) -> content" => list;

        /// A place on the map: degrees north and east, and what it is called.
        ///
        /// ```rhai
        /// chat.reply(location(52.52, 13.405, "Our office"));
        /// ```
        fn "location(latitude: number, longitude: number, name?: text) -> content" =>
            |lat: Dynamic, lon: Dynamic| place(&lat, &lon, None),
            |lat: Dynamic, lon: Dynamic, name: Dynamic| place(&lat, &lon, Some(&name));

        /// A business card with a name and a phone number.
        ///
        /// ```rhai
        /// chat.reply(contact_card("Ada Lovelace", "+49 30 901820"));
        /// ```
        fn "contact_card(name: text, phone: text) -> content" => contact_card;

        /// A business card from a map: `name`, and `phone` or `phones`, `email` or `emails`, `company`.
        ///
        /// ```rhai
        /// chat.reply(contact_card(#{ name: "Ada", phone: "+49 30 901820", company: "Analytical" }));
        /// ```
        fn "contact_card(parts: map) -> content" => contact_card_of_map;

        /// A form (a WhatsApp Flow) behind a button; the answers come back as `message.form`.
        ///
        /// The flow is named by its id; the map fills in its first screen.
        ///
        /// ```rhai
        /// chat.reply(form("Tell us what you need", "Open", "912345678", #{ name: chat.contact.name }));
        /// ```
        fn "form(text: text, button: text, flow: text, data?: map) -> content" =>
            |body: Dynamic, button: Dynamic, flow: Dynamic| form(&body, &button, &flow, Dynamic::UNIT),
            |body: Dynamic, button: Dynamic, flow: Dynamic, data: Dynamic| form(&body, &button, &flow, data);
    }
}

fn register_files(api: &mut Api<'_>) {
    api! { api;
        /// A picture, with a caption if you like.
        ///
        /// ```rhai
        /// chat.reply(image("https://example.com/flat.jpg", "The living room"));
        /// ```
        fn "image(url: text, caption?: text) -> content" =>
            |url: Dynamic| file(MediaKind::Image, &url, None),
            |url: Dynamic, caption: Dynamic| file(MediaKind::Image, &url, Some(&caption));

        /// A film, with a caption if you like.
        ///
        /// ```rhai
        /// chat.reply(video("https://example.com/tour.mp4", "A tour of the flat"));
        /// ```
        fn "video(url: text, caption?: text) -> content" =>
            |url: Dynamic| file(MediaKind::Video, &url, None),
            |url: Dynamic, caption: Dynamic| file(MediaKind::Video, &url, Some(&caption));

        /// A sound.
        ///
        /// ```rhai
        /// chat.reply(audio("https://example.com/welcome.mp3"));
        /// ```
        fn "audio(url: text) -> content" => |url: Dynamic| file(MediaKind::Audio, &url, None);

        /// A file to keep, with the name that the customer sees.
        ///
        /// ```rhai
        /// chat.reply(document("https://example.com/offer-7.pdf", "Offer.pdf"));
        /// ```
        fn "document(url: text, name?: text) -> content" =>
            |url: Dynamic| file(MediaKind::Document, &url, None),
            |url: Dynamic, name: Dynamic| file(MediaKind::Document, &url, Some(&name));

        /// A sticker.
        ///
        /// ```rhai
        /// chat.reply(sticker("https://example.com/thanks.webp"));
        /// ```
        fn "sticker(url: text) -> content" => |url: Dynamic| file(MediaKind::Sticker, &url, None);
    }
}

/// Content as given to `chat.reply`: a text, or what one of the constructors made.
pub(super) fn content(value: Dynamic) -> Fallible<Content> {
    if value.is_string() {
        return Ok(Content::Text {
            text: text(&value, "the text of the reply")?,
        });
    }
    if value.is::<TemplateContent>() {
        return fail(
            "a template is sent by chat.send(template(…)); as second value of chat.reply it stands in when the window is shut",
        );
    }
    match value.try_cast_result::<Content>() {
        Ok(content) => Ok(content),
        Err(value) => fail(format!(
            "chat.reply needs text or content such as image(\"https://…\"), not {}",
            convert::describe(&value)
        )),
    }
}

fn file(media: MediaKind, url: &Dynamic, second: Option<&Dynamic>) -> Fallible<Content> {
    let url = text(url, "the address of the file")?;
    if !url.starts_with("https://") {
        return fail(format!(
            "the address of the {} must begin with https://",
            media.name()
        ));
    }
    let second = match second {
        Some(value) if !value.is_unit() => {
            Some(convert::to_text(value).or_else(fail)?).filter(|text| !text.is_empty())
        }
        _ => None,
    };
    let (caption, name) = if media == MediaKind::Document {
        (None, second)
    } else {
        (second, None)
    };
    Ok(Content::Media(MediaLink {
        media,
        url,
        caption,
        name,
    }))
}

fn buttons(body: Dynamic, buttons: Dynamic) -> Fallible<Content> {
    let text_above = text(&body, "the text above the buttons")?;
    let Ok(items) = buttons.as_array_ref() else {
        return fail(if buttons.is_map() {
            "a map loses the order of the buttons; write buttons(text, [#{ id: \"yes\", title: \"Yes\" }, …])".to_owned()
        } else {
            format!(
                "the buttons are an array such as [\"Yes\", \"No\"], not {}",
                convert::describe(&buttons)
            )
        });
    };
    let rows = items
        .iter()
        .map(|item| row(item, "a button"))
        .collect::<Fallible<Vec<Row>>>()?;
    if rows.is_empty() {
        return fail("there must be at least one button");
    }
    different_ids(rows.iter(), "buttons")?;
    let buttons = rows.into_iter().map(|row| Button {
        id: row.id,
        title: row.title,
    });
    Ok(Content::Buttons {
        text: text_above,
        buttons: buttons.collect(),
    })
}

fn list(body: Dynamic, button: Dynamic, sections: Dynamic) -> Fallible<Content> {
    let text_above = text(&body, "the text above the list")?;
    let button = text(&button, "the caption of the list's button")?;
    let Ok(items) = sections.as_array_ref() else {
        return fail(format!(
            "the rows of a list are an array such as [\"Monday\", \"Tuesday\"] or [#{{ title: \"This week\", rows: [\"Monday\"] }}], not {}",
            convert::describe(&sections)
        ));
    };
    let in_sections = items
        .iter()
        .any(|item| item.as_map_ref().is_ok_and(|map| map.contains_key("rows")));
    let sections = if in_sections {
        items
            .iter()
            .map(section)
            .collect::<Fallible<Vec<Section>>>()?
    } else {
        vec![Section {
            title: String::new(),
            rows: rows(&items)?,
        }]
    };
    if sections.iter().any(|section| section.rows.is_empty()) || sections.is_empty() {
        return fail("a list, and each of its sections, needs at least one row");
    }
    different_ids(sections.iter().flat_map(|section| &section.rows), "rows")?;
    Ok(Content::List {
        text: text_above,
        button,
        sections,
    })
}

fn section(value: &Dynamic) -> Fallible<Section> {
    let Ok(map) = value.as_map_ref() else {
        return fail(format!(
            "a section is #{{ title, rows }}, not {}",
            convert::describe(value)
        ));
    };
    known_keys(&map, &["title", "rows"], "a section")?;
    let items = map.get("rows").and_then(|rows| rows.as_array_ref().ok());
    let Some(items) = items else {
        return fail(
            "the rows of a section are an array; write #{ title: \"This week\", rows: [\"Monday\"] }",
        );
    };
    Ok(Section {
        title: optional(&map, "title")?.unwrap_or_default(),
        rows: rows(&items)?,
    })
}

fn rows(items: &Array) -> Fallible<Vec<Row>> {
    items.iter().map(|item| row(item, "a row")).collect()
}

fn row(value: &Dynamic, what: &str) -> Fallible<Row> {
    let Ok(map) = value.as_map_ref() else {
        let title = text(value, &format!("the title of {what}"))?;
        return Ok(Row {
            id: title.clone(),
            title,
            description: None,
        });
    };
    known_keys(&map, &["id", "title", "description"], what)?;
    let Some(title) = map.get("title") else {
        return fail(format!(
            "{what} needs a title; write #{{ id: \"yes\", title: \"Yes\" }}"
        ));
    };
    let title = text(title, &format!("the title of {what}"))?;
    let id = optional(&map, "id")?.unwrap_or_else(|| title.clone());
    Ok(Row {
        id,
        title,
        description: optional(&map, "description")?,
    })
}

fn different_ids<'a>(rows: impl Iterator<Item = &'a Row>, what: &str) -> Fallible<()> {
    let mut seen = std::collections::BTreeSet::new();
    for row in rows {
        if !seen.insert(&row.id) {
            return fail(format!(
                "two {what} have the id '{}'; what was chosen could not be told",
                row.id
            ));
        }
    }
    Ok(())
}

fn place(latitude: &Dynamic, longitude: &Dynamic, name: Option<&Dynamic>) -> Fallible<Content> {
    let name = name
        .map(|name| text(name, "the name of the place"))
        .transpose()?;
    Ok(Content::Location(Place {
        latitude: degrees(latitude, 90.0, "latitude")?,
        longitude: degrees(longitude, 180.0, "longitude")?,
        name,
        address: None,
    }))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "degrees have three digits; larger ones are refused"
)]
fn degrees(value: &Dynamic, most: f64, what: &str) -> Fallible<f64> {
    let number = value
        .as_float()
        .or_else(|_| value.as_int().map(|whole| whole as f64));
    match number {
        Ok(number) if number.abs() <= most => Ok(number),
        _ => fail(format!(
            "the {what} is a number from -{most} to {most}; write location(52.52, 13.405, \"Office\")"
        )),
    }
}

fn contact_card(name: Dynamic, phone: Dynamic) -> Fallible<Content> {
    Ok(cards(ContactCard {
        name: text(&name, "the name on the card")?,
        phones: vec![text(&phone, "the phone number on the card")?],
        ..ContactCard::default()
    }))
}

fn contact_card_of_map(map: Map) -> Fallible<Content> {
    known_keys(
        &map,
        &["name", "phone", "phones", "email", "emails", "company"],
        "a card",
    )?;
    let Some(name) = optional(&map, "name")? else {
        return fail("a card needs a name; write contact_card(\"Ada\", \"+49 30 901820\")");
    };
    Ok(cards(ContactCard {
        name,
        phones: one_or_more(&map, "phone", "phones")?,
        emails: one_or_more(&map, "email", "emails")?,
        company: optional(&map, "company")?,
    }))
}

fn cards(card: ContactCard) -> Content {
    Content::Contacts {
        contacts: vec![card],
    }
}

fn one_or_more(map: &Map, one: &str, more: &str) -> Fallible<Vec<String>> {
    let mut texts: Vec<String> = optional(map, one)?.into_iter().collect();
    if let Some(values) = map.get(more) {
        match values.as_array_ref() {
            Ok(values) => {
                for value in values.iter() {
                    texts.push(text(value, one)?);
                }
            }
            Err(_) => {
                return fail(format!(
                    "{more} is an array such as [\"…\"]; for a single one write {one}"
                ));
            }
        }
    }
    Ok(texts)
}

fn form(body: &Dynamic, button: &Dynamic, flow: &Dynamic, data: Dynamic) -> Fallible<Content> {
    Ok(Content::Form {
        text: text(body, "the text above the form's button")?,
        button: text(button, "the caption of the form's button")?,
        flow: text(flow, "the flow's id")?,
        data: convert::to_json(&data).or_else(fail)?,
    })
}

pub(in crate::script) fn optional(map: &Map, key: &str) -> Fallible<Option<String>> {
    match map.get(key) {
        Some(value) if !value.is_unit() => text(value, key).map(Some),
        _ => Ok(None),
    }
}

pub(in crate::script) fn known_keys(map: &Map, known: &[&str], what: &str) -> Fallible<()> {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => fail(format!("{what} has no {key}; it has {}", known.join(", "))),
        None => Ok(()),
    }
}
