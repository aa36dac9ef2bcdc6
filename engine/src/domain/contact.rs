//! A customer of a location, and the addresses by which a provider knows them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::ids::{ContactId, LocationId};

/// A phone number in E.164 form, kept as digits without the plus sign.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Phone(String);

impl Phone {
    /// E.164 allows fifteen digits; numbers shorter than five are service codes, not customers.
    const DIGITS: std::ops::RangeInclusive<usize> = 5..=15;

    /// Reads `+49 30 901820`, `4930901820` or `whatsapp:+4930901820`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("whatsapp:").unwrap_or(text);
        let text = text.strip_prefix('+').unwrap_or(text);
        let mut digits = String::with_capacity(text.len());
        for letter in text.chars() {
            match letter {
                '0'..='9' => digits.push(letter),
                ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' => {}
                _ => return None,
            }
        }
        (Self::DIGITS.contains(&digits.len()) && !digits.starts_with('0')).then_some(Self(digits))
    }

    /// The digits, without a plus sign.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

/// Writes the number in E.164 form, with the plus sign.
impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("not a phone number in E.164 form"))
    }
}

/// One way to reach a contact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Address {
    /// A phone number.
    Phone(Phone),
    /// A business-scoped user id (`BR.8842117730056193`): customers who hide their number.
    UserId(String),
}

impl Address {
    /// Reads what a person types: a phone number, or a business-scoped id such as `BR.88421`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(phone) = Phone::parse(text) {
            return Some(Self::Phone(phone));
        }
        let id = text.trim();
        let id = id.strip_prefix("whatsapp:").unwrap_or(id);
        let (country, rest) = id.split_once('.')?;
        let valid = country.len() == 2
            && country.bytes().all(|b| b.is_ascii_uppercase())
            && (1..=134).contains(&rest.len())
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        valid.then(|| Self::UserId(id.to_owned()))
    }

    /// The stable name of the kind, as stored.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Phone(_) => "phone",
            Self::UserId(_) => "user_id",
        }
    }

    /// The address without its kind, as stored: digits, or the business-scoped id.
    pub fn value(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.digits(),
            Self::UserId(id) => id,
        }
    }
}

/// Writes a phone number with its plus sign, a business-scoped id as it is.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(phone) => phone.fmt(f),
            Self::UserId(id) => f.write_str(id),
        }
    }
}

/// What a webhook says about the person at the other end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The phone number, unless the customer hides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// The business-scoped id, if the provider tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The name in the customer's profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Peer {
    /// The addresses, the phone number first: it is what people recognise, and both lead to the same contact.
    pub fn addresses(&self) -> impl Iterator<Item = Address> + '_ {
        let phone = self.phone.clone().map(Address::Phone);
        phone
            .into_iter()
            .chain(self.user_id.clone().map(Address::UserId))
    }
}

/// A customer of a location.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// The tenant.
    pub location_id: LocationId,
    /// This contact.
    pub id: ContactId,
    /// The name in the profile, or "".
    pub name: String,
    /// The phone number, unless hidden.
    pub phone: Option<Phone>,
    /// The language, if known (`en`, `pt_BR`), or "".
    pub language: String,
    /// Labels, in the order given.
    pub tags: Vec<String>,
    /// What rules and people noted about the customer.
    pub attributes: serde_json::Map<String, serde_json::Value>,
    /// Whether the customer asked not to be written to.
    pub opted_out: bool,
}

/// Something that rules change about a contact.
#[derive(Clone, Debug, PartialEq)]
pub enum ContactChange {
    /// A label is added.
    Tag(String),
    /// A label is removed.
    Untag(String),
    /// Something is noted, or with null removed.
    SetAttribute {
        /// Its name.
        name: String,
        /// Its value.
        value: serde_json::Value,
    },
    /// The customer does not want, or wants again, to be written to.
    SetOptedOut(bool),
}

impl ContactChange {
    /// Makes the change; a change that was made already changes nothing.
    pub fn apply(&self, contact: &mut Contact) {
        match self {
            Self::Tag(tag) => {
                if !contact.tags.contains(tag) {
                    contact.tags.push(tag.clone());
                }
            }
            Self::Untag(tag) => contact.tags.retain(|known| known != tag),
            Self::SetAttribute { name, value } if value.is_null() => {
                contact.attributes.remove(name);
            }
            Self::SetAttribute { name, value } => {
                contact.attributes.insert(name.clone(), value.clone());
            }
            Self::SetOptedOut(opted_out) => contact.opted_out = *opted_out,
        }
    }
}

/// What rules change about a contact, in order. Changes, not the outcome: they are made to the contact
/// as it is when they are written, so that what others changed meanwhile stays.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactChanges {
    /// The contact.
    pub contact_id: ContactId,
    /// The changes.
    pub changes: Vec<ContactChange>,
}

impl ContactChanges {
    /// No changes yet.
    pub const fn of(contact_id: ContactId) -> Self {
        Self {
            contact_id,
            changes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_reads_in_every_form_that_providers_write() {
        for text in [
            "+49 30 901820",
            "4930901820",
            "whatsapp:+4930901820",
            "+49 (30) 901-820",
        ] {
            assert_eq!(
                Phone::parse(text).map(|phone| phone.to_string()).as_deref(),
                Some("+4930901820"),
                "{text}"
            );
        }
        for wrong in ["", "+", "1234", "0304455667", "BR.123", "+4930901820123456"] {
            assert_eq!(Phone::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_business_scoped_id_is_told_from_a_number() {
        assert_eq!(
            Address::parse("BR.8842117730056193"),
            Some(Address::UserId("BR.8842117730056193".into()))
        );
        assert_eq!(
            Address::parse("whatsapp:US.ENT.118"),
            Some(Address::UserId("US.ENT.118".into()))
        );
        assert_eq!(Address::parse("Br.1"), None);
        assert_eq!(Address::parse("BR."), None);
    }
}
