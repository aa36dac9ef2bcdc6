//! A secret as it is held in memory. Knows nothing of how it is sealed.

use std::fmt;

use zeroize::Zeroizing;

/// Letters of which some may be shown: four of fewer would be too many.
const LONG: usize = 16;
/// Letters that are shown of a long one.
const SHOWN: usize = 4;

/// Something that must not be seen: it does not print, does not serialise, and is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself; the name makes every use of it easy to find.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What may be shown of it, so that people know which one it is: its last letters; of a short one only that it
    /// is there.
    pub fn hint(&self) -> String {
        let length = self.0.chars().count();
        let hidden = if length < LONG {
            length
        } else {
            length - SHOWN
        };
        std::iter::once('…')
            .chain(self.0.chars().skip(hidden))
            .collect()
    }

    /// Whether two secrets are the same, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len()
            && a.iter()
                .zip(b)
                .fold(0, |difference, (a, b)| difference | (a ^ b))
                == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret");
    }

    #[test]
    fn a_hint_shows_four_letters_of_a_long_secret_and_none_of_a_short_one() {
        assert_eq!(Secret::new("EAAG0123456789abcdef3f9c").hint(), "…3f9c");
        assert_eq!(Secret::new("0123456789abcdef").hint(), "…cdef");
        assert_eq!(Secret::new("0123456789abcde").hint(), "…");
        assert_eq!(Secret::new("").hint(), "…");
        // Letters, not bytes: fifteen of these have thirty.
        assert_eq!(Secret::new("ü".repeat(15)).hint(), "…");
        assert_eq!(Secret::new("ü".repeat(16)).hint(), "…üüüü");
    }
}
