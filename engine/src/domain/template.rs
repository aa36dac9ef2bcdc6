//! A provider-approved message form, as far as sending needs it.

/// How a template is known to a provider that wants more than its name: Twilio sends by Content SID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentReference {
    /// The provider's account.
    pub account: String,
    /// A hash of exactly what was created, or the template's name and language.
    pub key: String,
    /// The provider's id.
    pub reference: String,
}
