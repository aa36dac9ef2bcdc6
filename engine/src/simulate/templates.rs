//! Whether WhatsApp would take a template, as far as the location's templates are known.

use crate::adapter::{SendError, SendErrorKind};
use crate::domain::content::{TemplateButton, TemplateContent, TemplateHeader, TemplateValues};
use crate::domain::template::{
    ButtonValue, HeaderShape, TemplateParameters, TemplateShape, TemplateStatus,
};

/// Meta's code for a template that is not there in that language.
const NO_TEMPLATE: i64 = 132_001;
/// Meta's code for values that do not fit.
const WRONG_VALUES: i64 = 132_000;
/// Meta's code for a template that is not approved any more.
const PAUSED: i64 = 132_015;

/// Refuses what WhatsApp would refuse.
pub(super) fn check(
    known: &[TemplateShape],
    sent: &TemplateContent,
    language: &str,
) -> Result<(), SendError> {
    if known.is_empty() {
        return Ok(());
    }
    let name = &sent.name;
    let language = sent.language.as_deref().unwrap_or(language);
    let refuse = |code: i64, detail: String| {
        Err(SendError::new(SendErrorKind::TemplateRejected, detail).with_code(code))
    };
    let mut of_name = known.iter().filter(|shape| shape.name == *name).peekable();
    if of_name.peek().is_none() {
        return refuse(NO_TEMPLATE, format!("there is no template {name}"));
    }
    let Some(shape) = of_name.find(|shape| shape.language == language) else {
        let detail = format!("template {name} is not there in the language {language}");
        return refuse(NO_TEMPLATE, detail);
    };
    if shape.status != TemplateStatus::Approved {
        let detail = format!("template {name} is {}", shape.status.name());
        return refuse(PAUSED, detail);
    }
    match values(shape, sent)
        .or_else(|| header(shape, sent))
        .or_else(|| buttons(shape, sent))
    {
        Some(mismatch) => refuse(WRONG_VALUES, format!("template {name}: {mismatch}")),
        None => Ok(()),
    }
}

fn values(shape: &TemplateShape, sent: &TemplateContent) -> Option<String> {
    match (&shape.parameters, &sent.body) {
        (TemplateParameters::Positional(wanted), TemplateValues::Positional(given)) => {
            (given.len() != *wanted)
                .then(|| format!("it takes {wanted} values and was given {}", given.len()))
        }
        (TemplateParameters::Named(wanted), TemplateValues::Named(given)) => {
            let given: Vec<&String> = given.iter().map(|(name, _)| name).collect();
            let missing = wanted.iter().find(|name| !given.contains(name));
            let unknown = given.iter().find(|name| !wanted.contains(name));
            missing
                .map(|name| format!("the value {name} is missing"))
                .or_else(|| unknown.map(|name| format!("it has no value {name}")))
        }
        (TemplateParameters::Named(wanted), TemplateValues::Positional(_)) => {
            (!wanted.is_empty()).then(|| format!("its values have names: {}", wanted.join(", ")))
        }
        (TemplateParameters::Positional(_), TemplateValues::Named(_)) => {
            Some("its values have numbers, not names".to_owned())
        }
    }
}

fn header(shape: &TemplateShape, sent: &TemplateContent) -> Option<String> {
    match (shape.header, &sent.header) {
        (HeaderShape::None, None) => None,
        (HeaderShape::None, Some(_)) => Some("its header takes no value".to_owned()),
        (HeaderShape::Text, Some(TemplateHeader::Text { .. })) => None,
        (HeaderShape::Text, _) => Some("its header takes a text".to_owned()),
        (HeaderShape::Media(wanted), Some(TemplateHeader::Media { media, .. }))
            if *media == wanted =>
        {
            None
        }
        (HeaderShape::Media(wanted), _) => Some(format!(
            "its header takes a file of the kind {}",
            wanted.name()
        )),
    }
}

fn buttons(shape: &TemplateShape, sent: &TemplateContent) -> Option<String> {
    let given = |index: u8, kind: ButtonValue| {
        sent.buttons.iter().any(|button| match (button, kind) {
            (TemplateButton::Url { index: own, .. }, ButtonValue::Url)
            | (TemplateButton::CopyCode { index: own, .. }, ButtonValue::Code) => *own == index,
            _ => false,
        })
    };
    let mut wanted = shape.buttons.iter();
    let lacks = wanted.find(|button| !given(button.index, button.kind))?;
    Some(format!("its button {} takes a value", lacks.index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::content::MediaKind;
    use crate::domain::template::{ButtonShape, TemplateCategory};

    fn shape(name: &str) -> TemplateShape {
        TemplateShape {
            name: name.to_owned(),
            language: "en".to_owned(),
            parameters: TemplateParameters::Positional(1),
            header: HeaderShape::None,
            buttons: Vec::new(),
            status: TemplateStatus::Approved,
            category: TemplateCategory::Utility,
        }
    }

    fn sent(name: &str, values: &[&str]) -> TemplateContent {
        TemplateContent {
            name: name.to_owned(),
            language: None,
            body: TemplateValues::Positional(values.iter().map(|&it| it.to_owned()).collect()),
            header: None,
            buttons: Vec::new(),
        }
    }

    fn refusal(known: &[TemplateShape], sent: &TemplateContent) -> String {
        let error = check(known, sent, "en").expect_err("it is refused");
        assert_eq!(error.kind, SendErrorKind::TemplateRejected);
        error.detail
    }

    #[test]
    fn what_whatsapp_would_not_take_is_refused_and_says_why() {
        let paused = TemplateShape {
            status: TemplateStatus::Paused,
            ..shape("paused")
        };
        let named = TemplateShape {
            parameters: TemplateParameters::Named(vec!["city".to_owned()]),
            ..shape("named")
        };
        let offer = TemplateShape {
            header: HeaderShape::Media(MediaKind::Image),
            ..shape("offer")
        };
        let link = TemplateShape {
            buttons: vec![ButtonShape {
                index: 0,
                kind: ButtonValue::Url,
            }],
            ..shape("link")
        };
        let known = [shape("hello"), paused, named, offer, link];
        assert!(check(&known, &sent("hello", &["Ada"]), "en").is_ok());
        assert!(
            check(&[], &sent("anything", &[]), "en").is_ok(),
            "none is known"
        );
        for (template, told) in [
            (sent("helo", &["Ada"]), "there is no template helo"),
            (sent("hello", &[]), "takes 1 values and was given 0"),
            (sent("paused", &["Ada"]), "is paused"),
            (sent("named", &["Berlin"]), "have names: city"),
            (sent("offer", &["Ada"]), "a file of the kind image"),
            (sent("link", &["Ada"]), "its button 1 takes a value"),
        ] {
            let detail = refusal(&known, &template);
            assert!(detail.contains(told), "{detail}");
        }
        let german = TemplateContent {
            language: Some("de".to_owned()),
            ..sent("hello", &["Ada"])
        };
        assert!(refusal(&known, &german).contains("in the language de"));
    }
}
