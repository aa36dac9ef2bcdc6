//! Messages as a person would tell of them in one line, and where two texts part.

use crate::domain::content::{Content, Row, Section, TemplateContent};
use crate::domain::message::Body;

/// A message to a customer, in one line.
pub fn content(content: &Content) -> String {
    match content {
        Content::Text { text } => one_line(text),
        Content::Media(media) => {
            let name = media.name.iter().map(|name| format!(" {name}"));
            let caption = media
                .caption
                .iter()
                .map(|text| format!(": {}", one_line(text)));
            let tail: String = name.chain(caption).collect();
            format!("{} {}{tail}", media.media.name(), media.url)
        }
        Content::Buttons { text, buttons } => {
            let titles = buttons.iter().map(|button| format!(" [{}]", button.title));
            format!("{}{}", one_line(text), titles.collect::<String>())
        }
        Content::List {
            text,
            button,
            sections,
        } => {
            let titles: Vec<&str> = rows(sections).map(|row| row.title.as_str()).collect();
            format!("{} [{button}: {}]", one_line(text), titles.join(" · "))
        }
        Content::Location(place) => format!(
            "location {}, {}{}",
            place.latitude,
            place.longitude,
            place
                .name
                .iter()
                .map(|name| format!(" {name}"))
                .collect::<String>()
        ),
        Content::Contacts { contacts } => {
            let names: Vec<&str> = contacts.iter().map(|card| card.name.as_str()).collect();
            format!("contact card of {}", names.join(", "))
        }
        Content::Reaction { emoji, .. } if emoji.is_empty() => "takes a reaction back".to_owned(),
        Content::Reaction { emoji, .. } => format!("reaction {emoji}"),
        Content::Form { text, button, .. } => format!("{} [{button}]", one_line(text)),
        Content::Template(template) => self::template(template),
    }
}

/// A template with its values.
pub fn template(template: &TemplateContent) -> String {
    let values: Vec<String> = template
        .body
        .iter()
        .map(|(name, value)| match name.parse::<usize>() {
            Ok(_) => one_line(value),
            Err(_) => format!("{name}: {}", one_line(value)),
        })
        .collect();
    format!("template {}({})", template.name, values.join(", "))
}

/// The rows of all sections, in order.
pub fn rows(sections: &[Section]) -> impl Iterator<Item = &Row> + Clone {
    sections.iter().flat_map(|section| &section.rows)
}

/// A message of a customer, in one line.
pub fn body(body: &Body) -> String {
    let text = one_line(body.text());
    match body {
        Body::Text { .. } => text,
        Body::Button(_) | Body::List(_) => format!("[{text}]"),
        Body::Reaction { .. } => format!("reacts {text}"),
        Body::Edit { body, .. } => format!("edits: {}", self::body(body)),
        Body::Revoke { .. } => "withdraws a message".to_owned(),
        Body::Form { answers } => format!("form {}", serde_json::Value::from(answers.clone())),
        other if text.is_empty() => other.kind().to_owned(),
        other => format!("{}: {text}", other.kind()),
    }
}

/// A text on one line; what is longer than a screen is cut.
pub fn one_line(text: &str) -> String {
    const LETTERS: usize = 300;
    let mut line: String = text
        .chars()
        .take(LETTERS)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if text.chars().count() > LETTERS {
        line.push('…');
    }
    line
}

/// Two texts with the word marked at which the second stops saying what the first says.
pub(super) fn mark(wanted: &str, given: &str) -> (String, String) {
    let (wanted_words, given_words) = (words(wanted), words(given));
    let agrees = |start: usize| {
        let given = given_words[start..].iter();
        let pairs = wanted_words.iter().zip(given);
        pairs
            .take_while(|((_, one), (_, other))| one == other)
            .count()
    };
    let best = (0..given_words.len()).map(|start| (agrees(start), std::cmp::Reverse(start)));
    let (same, start) = best.max().map_or((0, 0), |(same, start)| (same, start.0));
    (
        mark_word(wanted, wanted_words.get(same)),
        mark_word(given, given_words.get(start + same)),
    )
}

fn mark_word(text: &str, word: Option<&(usize, &str)>) -> String {
    match word {
        Some((at, word)) => {
            let end = at + word.len();
            format!("{}«{word}»{}", &text[..*at], &text[end..])
        }
        None => format!("{text}«»"),
    }
}

/// The words of a text, each with its place.
fn words(text: &str) -> Vec<(usize, &str)> {
    let start = text.as_ptr() as usize;
    text.split_whitespace()
        .map(|word| (word.as_ptr() as usize - start, word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::mark;

    #[test]
    fn the_word_that_differs_is_marked_in_both_texts() {
        let given = "Hi Ada, prices begin at €120,000.";
        assert_eq!(
            mark("prices start at", given),
            (
                "prices «start» at".to_owned(),
                "Hi Ada, prices «begin» at €120,000.".to_owned()
            )
        );
        assert_eq!(
            mark("prices begin at €120,000. Shall", given),
            (
                "prices begin at €120,000. «Shall»".to_owned(),
                "Hi Ada, prices begin at €120,000.«»".to_owned()
            )
        );
        assert_eq!(mark("x", "").1, "«»");
    }
}
