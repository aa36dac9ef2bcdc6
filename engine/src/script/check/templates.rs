//! Templates as a script uses them, against their shape at the location: name, language, values,
//! header and buttons. Where no language can be told, a template of several fits if it fits in one.

use std::ops::Range;

use super::names::missing;
use super::report::Report;
use super::subject::Subject;
use crate::domain::template::{HeaderShape, TemplateParameters, TemplateShape, TemplateStatus};
use crate::script::surroundings::KnownTemplates;
use crate::script::tokens::Entry;

/// A template as the script writes it; what cannot be told is `None`.
struct Use<'a> {
    name: Range<usize>,
    language: Option<String>,
    values: Values,
    header: Given,
    /// The positions of its buttons that are given.
    buttons: Option<Vec<Option<Vec<&'a str>>>>,
}

enum Values {
    /// Neither an array nor a map that is written out.
    Unclear,
    Positional(usize, Range<usize>),
    Named(Vec<(String, usize)>, Range<usize>),
    None,
}

enum Given {
    Yes,
    No,
}

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let templates = match &subject.surroundings.templates {
        KnownTemplates::Unasked => return,
        KnownTemplates::Untold => None,
        KnownTemplates::All(templates) => Some(templates),
    };
    for (_, call) in subject.calls() {
        if call.after.is_some() || subject.called(&call) != "template" {
            continue;
        }
        let arguments = subject.arguments(&call);
        let Some(used) = read(subject, &arguments) else {
            continue;
        };
        let Some(name) = subject.text_of(&used.name) else {
            continue;
        };
        let extent = subject.tokens.extent(used.name.clone());
        let Some(templates) = templates else {
            // Once is enough: it is not about this template.
            report.warning(extent, || {
                "the location's templates are not known yet, so this one was not looked for; run \
                 rejoinder template sync"
                    .into()
            });
            return;
        };
        let named: Vec<&TemplateShape> = templates.iter().filter(|own| own.name == name).collect();
        if named.is_empty() {
            let mut names: Vec<String> = templates.iter().map(|own| own.name.clone()).collect();
            names.dedup();
            report.error(extent, || {
                missing(
                    "template",
                    &name,
                    &names,
                    "write one that WhatsApp has approved",
                )
            });
            continue;
        }
        let default = subject.surroundings.language.as_ref();
        let spoken: Vec<&TemplateShape> = match used.language.as_ref().or(default) {
            Some(language) => named
                .iter()
                .copied()
                .filter(|own| own.language == *language)
                .collect(),
            None => named.clone(),
        };
        let Some(first) = spoken.first() else {
            report.error(extent, || {
                let languages: Vec<&str> = named.iter().map(|own| own.language.as_str()).collect();
                let only = languages.join(", ");
                match (&used.language, default) {
                    (None, Some(default)) => format!(
                        "template {name} is not in the location's language, {default}, only in {only}; \
                         write template(#{{ name: \"{name}\", language: \"{}\", … }})",
                        languages[0]
                    ),
                    (language, _) => format!(
                        "template {name} has no language {}, only {only}",
                        language.as_deref().unwrap_or_default(),
                    ),
                }
            });
            continue;
        };
        let fits = |shape: &&TemplateShape| mismatch(&used, shape).is_none();
        if !spoken.iter().any(fits)
            && let Some((place, message)) = mismatch(&used, first)
        {
            report.error(subject.tokens.extent(place), || message);
        }
        if !spoken
            .iter()
            .any(|own| own.status == TemplateStatus::Approved)
        {
            report.warning(extent, || {
                format!(
                    "template {name} is {}, so it is not sent until WhatsApp approves it",
                    first.status.name()
                )
            });
        }
    }
}

/// `template(name)`, `template(name, values)` or `template(#{ name, … })`.
fn read<'a>(subject: &'a Subject<'_>, arguments: &[Range<usize>]) -> Option<Use<'a>> {
    let tokens = subject.tokens;
    match arguments {
        [only] if tokens.is(only.start, "#") => {
            let entries = tokens.map(only)?;
            let find = |key: &str| entries.iter().find(|entry| entry.key == key);
            let value = |entry: &Entry<'_>| entry.value.clone();
            let language = find("language").map(value);
            let buttons = match find("buttons").map(value) {
                None => Some(Vec::new()),
                Some(buttons) => tokens.array(&buttons).map(|buttons| {
                    let keys = |button: &Range<usize>| {
                        if tokens.is(button.start, "(") && button.len() == 2 {
                            return Some(Vec::new());
                        }
                        let entries = tokens.map(button)?;
                        Some(entries.iter().map(|entry| entry.key).collect())
                    };
                    buttons.iter().map(keys).collect()
                }),
            };
            Some(Use {
                name: find("name").map(value)?,
                language: match language {
                    // A language that is computed may be any.
                    Some(language) => Some(subject.text_of(&language)?),
                    None => None,
                },
                values: find("body").map_or(Values::None, |body| values(subject, &body.value)),
                header: find("header").map_or(Given::No, |_| Given::Yes),
                buttons,
            })
        }
        [name, rest @ ..] => Some(Use {
            name: name.clone(),
            language: None,
            values: rest
                .first()
                .map_or(Values::None, |body| values(subject, body)),
            header: Given::No,
            buttons: Some(Vec::new()),
        }),
        [] => None,
    }
}

fn values(subject: &Subject<'_>, body: &Range<usize>) -> Values {
    if let Some(items) = subject.tokens.array(body) {
        return Values::Positional(items.len(), body.clone());
    }
    match subject.tokens.map(body) {
        Some(entries) => {
            let names = entries.iter().map(|entry| (entry.key.to_owned(), entry.at));
            Values::Named(names.collect(), body.clone())
        }
        None => Values::Unclear,
    }
}

/// Where and how a use does not fit a shape.
fn mismatch(used: &Use<'_>, shape: &TemplateShape) -> Option<(Range<usize>, String)> {
    let name = &shape.name;
    mismatch_of_values(used, shape)
        .or_else(|| match (shape.header, &used.header) {
            (HeaderShape::None, _) | (_, Given::Yes) => None,
            (HeaderShape::Text, Given::No) => Some((
                used.name.clone(),
                format!("the header of template {name} has a variable; write template(#{{ name: \"{name}\", header: \"…\", body: […] }})"),
            )),
            (HeaderShape::Media(media), Given::No) => Some((
                used.name.clone(),
                format!(
                    "template {name} begins with a file; write template(#{{ name: \"{name}\", header: {}(\"https://…\"), body: […] }})",
                    media.name()
                ),
            )),
        })
        .or_else(|| {
            let given = used.buttons.as_ref()?;
            let lacks = shape.buttons.iter().find(|wanted| {
                let button = given.get(usize::from(wanted.index));
                // A button that is computed may be the right one.
                !matches!(button, Some(None))
                    && !matches!(button, Some(Some(keys)) if keys.contains(&wanted.kind.key()))
            })?;
            Some((
                used.name.clone(),
                format!(
                    "button {} of template {name} needs a value; write template(#{{ name: \"{name}\", …, buttons: [{}#{{ {}: \"…\" }}] }})",
                    lacks.index + 1,
                    "(), ".repeat(usize::from(lacks.index)),
                    lacks.kind.key()
                ),
            ))
        })
}

fn mismatch_of_values(used: &Use<'_>, shape: &TemplateShape) -> Option<(Range<usize>, String)> {
    let name = &shape.name;
    match (&shape.parameters, &used.values) {
        (_, Values::Unclear) => None,
        (TemplateParameters::Positional(0), Values::None) => None,
        (TemplateParameters::Positional(wanted), Values::None) => Some((
            used.name.clone(),
            format!(
                "template {name} takes {}; write template(\"{name}\", [{}])",
                count(*wanted),
                blanks(*wanted)
            ),
        )),
        (TemplateParameters::Positional(wanted), Values::Positional(given, place)) => {
            (given != wanted).then(|| {
                (
                    place.clone(),
                    format!(
                        "template {name} takes {}, and {given} {} given here; write [{}]",
                        count(*wanted),
                        if *given == 1 { "is" } else { "are" },
                        blanks(*wanted)
                    ),
                )
            })
        }
        (TemplateParameters::Positional(wanted), Values::Named(_, place)) => Some((
            place.clone(),
            format!(
                "template {name} takes its values by position; write [{}]",
                blanks(*wanted)
            ),
        )),
        (TemplateParameters::Named(wanted), Values::None) => (!wanted.is_empty()).then(|| {
            (
                used.name.clone(),
                format!(
                    "template {name} takes values; write template(\"{name}\", {})",
                    by_name(wanted)
                ),
            )
        }),
        (TemplateParameters::Named(wanted), Values::Positional(_, place)) => Some((
            place.clone(),
            format!(
                "template {name} takes its values by name; write {}",
                by_name(wanted)
            ),
        )),
        (TemplateParameters::Named(wanted), Values::Named(given, place)) => {
            let stranger = given.iter().find(|(own, _)| !wanted.contains(own));
            let missing = wanted
                .iter()
                .find(|own| !given.iter().any(|(name, _)| name == *own));
            match (stranger, missing) {
                (Some((own, at)), _) => Some((
                    *at..*at + 1,
                    format!(
                        "template {name} has no value {own}; write {}",
                        by_name(wanted)
                    ),
                )),
                (None, Some(own)) => Some((
                    place.clone(),
                    format!(
                        "template {name} needs a value {own}; write {}",
                        by_name(wanted)
                    ),
                )),
                (None, None) => None,
            }
        }
    }
}

fn count(values: usize) -> String {
    match values {
        0 => "no values".into(),
        1 => "1 value".into(),
        more => format!("{more} values"),
    }
}

/// Values that a sentence shows: nobody reads more.
const MAX_BLANKS: usize = 20;

fn blanks(count: usize) -> String {
    let mut blanks = vec!["\"…\""; count.min(MAX_BLANKS)];
    if count > MAX_BLANKS {
        blanks.push("…");
    }
    blanks.join(", ")
}

fn by_name(names: &[String]) -> String {
    let entries: Vec<String> = names.iter().map(|name| format!("{name}: \"…\"")).collect();
    format!("#{{ {} }}", entries.join(", "))
}
