//! The decoded pairs of a form, as Twilio writes its webhooks.
//! Knows nothing of what the names mean, and nothing of signatures, which need the undecoded bytes.

/// A decoded form. An empty value counts as an absent one: Twilio sends either.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Decodes a form or a query.
    pub(super) fn parse(raw: &str) -> Self {
        Self(
            form_urlencoded::parse(raw.as_bytes())
                .map(|(name, value)| (name.into_owned(), without_nul(&value)))
                .collect(),
        )
    }

    /// The first value of `name` that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// Whether `name` comes with two values that differ. The signature does not tell their order,
    /// so neither may be believed.
    pub(super) fn is_ambiguous(&self, name: &str) -> bool {
        let mut values = self.values(name);
        values
            .next()
            .is_some_and(|first| values.any(|value| value != first))
    }

    /// Whether `name` is set to `true`.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

/// `text` with every NUL replaced: PostgreSQL stores none.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_two_values_is_ambiguous_only_if_they_differ() {
        let form = Form::parse("a=1&a=2&b=1&b=1&c=&c=1");
        assert!(form.is_ambiguous("a"));
        assert!(!form.is_ambiguous("b"));
        assert!(!form.is_ambiguous("c"));
        assert_eq!(form.get("c"), Some("1"));
        assert_eq!(form.get("d"), None);
    }
}
