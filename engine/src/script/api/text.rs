//! Text: finding words as people write them, and the functions of Rhai that grow text without
//! looking at its size first.

use rhai::ImmutableString;
use unicode_normalization::UnicodeNormalization;

use super::{Api, Fallible, api, builtin, fail};
use crate::script::limits::TEXT_BYTES;

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Text",
        "Text is written `\"…\"`, or `` `…` `` with values in it: `` `Hi ${name}` ``. Joining is `+`. A text may have 64 KiB.",
    );
    api! { api;
        /// The text with every occurrence of one text replaced by another; the text itself stays as it was.
        ///
        /// ```rhai
        /// let name = message.text.replace("  ", " ");
        /// ```
        fn "text.replace(old: text, new: text) -> text" =>
            |text: ImmutableString, old: &str, new: &str| replace(&text, old, new),
            |text: ImmutableString, old: char, new: &str| replace(&text, old.encode_utf8(&mut [0; 4]), new),
            |text: ImmutableString, old: &str, new: char| replace(&text, old, new.encode_utf8(&mut [0; 4])),
            |text: ImmutableString, old: char, new: char| replace(&text, old.encode_utf8(&mut [0; 4]), new.encode_utf8(&mut [0; 4]));

        /// The text without the spaces at both ends; the text itself stays as it was.
        ///
        /// ```rhai
        /// let name = message.text.trim();
        /// ```
        fn "text.trim() -> text" => |text: ImmutableString| -> ImmutableString { text.trim().into() };

        /// Fills it up to so many letters, at its end, in place.
        ///
        /// ```rhai
        /// let line = "Flat";
        /// line.pad(12, ".");
        /// ```
        fn "text.pad(length: integer, with: text)" =>
            |text: &mut ImmutableString, length: i64, with: &str| pad(text, length, with),
            |text: &mut ImmutableString, length: i64, with: char| pad(text, length, with.encode_utf8(&mut [0; 4]));
    }
    builtin::texts(api);
}

fn replace(text: &str, old: &str, new: &str) -> Fallible<ImmutableString> {
    // Rhai looks at the size afterwards, when gigabytes may have been written.
    let count = text.matches(old).count();
    let size = count.saturating_mul(new.len()).saturating_add(text.len());
    if size.saturating_sub(count.saturating_mul(old.len())) > TEXT_BYTES {
        return fail(format!(
            "this text would become too large: {TEXT_BYTES} bytes at most"
        ));
    }
    Ok(text.replace(old, new).into())
}

/// Rhai's own says that a text is too large without saying where.
fn pad(text: &mut ImmutableString, length: i64, with: &str) -> Fallible<()> {
    let wanted = usize::try_from(length).unwrap_or(0);
    let missing = wanted.saturating_sub(text.chars().count());
    let per_letter = with.len().div_ceil(with.chars().count().max(1));
    if missing
        .saturating_mul(per_letter)
        .saturating_add(text.len())
        > TEXT_BYTES
    {
        return fail(format!(
            "this text would become too large: {TEXT_BYTES} bytes at most"
        ));
    }
    let filling = with.chars().cycle().take(missing);
    *text = text.chars().chain(filling).collect::<String>().into();
    Ok(())
}

/// A text as words, without case and accents.
pub(super) struct Words(Vec<String>);

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let mut words = vec![String::new()];
        for letter in text.chars().flat_map(char::to_lowercase).nfkd() {
            if is_accent(letter) {
                continue;
            }
            let stands_alone = is_written_without_spaces(letter);
            if stands_alone || !letter.is_alphanumeric() {
                words.push(String::new());
            }
            if letter.is_alphanumeric() {
                let word = words.last_mut();
                match (letter, word) {
                    ('ß', Some(word)) => word.push_str("ss"),
                    (letter, Some(word)) => word.push(letter),
                    (_, None) => {}
                }
            }
            if stands_alone {
                words.push(String::new());
            }
        }
        words.retain(|word| !word.is_empty());
        Self(words)
    }

    /// Whether the words of `phrase` stand here side by side.
    pub(super) fn contain(&self, phrase: &str) -> bool {
        let phrase = Self::of(phrase).0;
        !phrase.is_empty() && self.0.windows(phrase.len()).any(|words| words == phrase)
    }

    /// Whether the words of `phrase` stand here and no others.
    pub(super) fn are(&self, phrase: &str) -> bool {
        !self.0.is_empty() && self.0 == Self::of(phrase).0
    }
}

/// Marks that people leave out when they type: Latin and Greek accents, Hebrew points, Arabic vowels.
const fn is_accent(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}')
}

/// Scripts that put no spaces between words: there every letter counts as a word of its own.
const fn is_written_without_spaces(letter: char) -> bool {
    matches!(letter,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn words_are_found_whole_without_case_and_accents() {
        for (text, phrase, found) in [
            ("What is the PRICE?", "price", true),
            ("priceless", "price", false),
            ("Où est l'hôtel", "hotel", true),
            ("OU EST", "où", true),
            ("Combien ça coûte ?", "ça  coute", true),
            ("coûte ça", "ça coûte", false),
            ("Straße 5", "STRASSE", true),
            ("İstanbul'da", "istanbul", true),
            ("请问价格多少", "价格", true),
            ("ราคาเท่าไหร่", "ราคา", true),
            ("كَمْ السعر", "كم", true),
            ("Ｐｒｉｃｅ", "price", true),
            ("anything", "", false),
            ("", "price", false),
        ] {
            assert_eq!(Words::of(text).contain(phrase), found, "{phrase} in {text}");
        }
    }

    #[test]
    fn a_phrase_alone_is_told_from_one_in_a_sentence() {
        for (text, phrase, alone) in [
            ("STOP!", "stop", true),
            ("  Arrêt. ", "arret", true),
            ("opt-out", "opt out", true),
            ("stop by tomorrow", "stop", false),
            ("stop stop", "stop", false),
            ("", "stop", false),
            ("!", "?", false),
        ] {
            assert_eq!(Words::of(text).are(phrase), alone, "{phrase} is {text}");
        }
    }
}
