//! The variables of a template: `{{1}}`, `{{first_name}}` within its words.
//! Knows no provider: both write them alike.

use rejoinder_engine::domain::template::TemplateParameters;

/// The variables of a template whose words are `texts`.
pub(crate) fn parameters<'a>(texts: impl IntoIterator<Item = &'a str>) -> TemplateParameters {
    let mut names: Vec<&str> = Vec::new();
    for name in texts.into_iter().flat_map(names_in) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let numbers: Option<Vec<usize>> = names.iter().map(|name| number(name)).collect();
    match numbers {
        // Whoever uses the third has to give the first and the second too.
        Some(numbers) => TemplateParameters::Positional(numbers.into_iter().max().unwrap_or(0)),
        None => TemplateParameters::Named(names.into_iter().map(str::to_owned).collect()),
    }
}

/// Whether a text has a variable.
pub(crate) fn has_any(text: &str) -> bool {
    names_in(text).next().is_some()
}

fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once("}}")?;
        let name = name.trim();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (!name.is_empty() && name.bytes().all(is_name)).then_some(name)
    })
}

fn number(name: &str) -> Option<usize> {
    name.parse().ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_counted_by_the_highest_or_named_in_order() {
        let named = |names: &[&str]| {
            TemplateParameters::Named(names.iter().map(|name| (*name).to_owned()).collect())
        };
        for (texts, expected) in [
            (&["Hello"][..], TemplateParameters::Positional(0)),
            (
                &["{{1}} and {{2}}, {{1}}"],
                TemplateParameters::Positional(2),
            ),
            (&["{{ 3 }}", "a{{1}}"], TemplateParameters::Positional(3)),
            (&["{{b}} {{a}} {{b}}"], named(&["b", "a"])),
            (&["{{1}} {{a}}"], named(&["1", "a"])),
            (
                &["{{}} {{a b}} {{x {{1}} }}"],
                TemplateParameters::Positional(1),
            ),
            (&["{{0}}"], named(&["0"])),
        ] {
            assert_eq!(parameters(texts.iter().copied()), expected, "{texts:?}");
        }
        assert!(has_any("https://a.example/{{1}}") && !has_any("{{ {} }}"));
    }
}
