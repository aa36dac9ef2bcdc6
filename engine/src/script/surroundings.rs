//! What a location offers to its rules by name, as far as known. Knows no rule.

use crate::domain::template::TemplateShape;

/// The names that a script may use and that are not its own; what is `None` is not known, and then
/// not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The templates.
    pub templates: KnownTemplates,
    /// The language of templates for which a script names none.
    pub language: Option<String>,
    /// The endpoints that `chat.request` may call.
    pub endpoints: Option<Vec<String>>,
    /// The constants in `location.vars`.
    pub vars: Option<Vec<String>>,
}

/// The templates that a script may name, as far as known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KnownTemplates {
    /// Nobody asked: the script is looked at for no location.
    #[default]
    Unasked,
    /// The location was never told of any, so that whoever names one should hear that nobody looked.
    Untold,
    /// All of them, one entry per name and language.
    All(Vec<TemplateShape>),
}

impl KnownTemplates {
    /// Those that were told of.
    pub fn told(&self) -> &[TemplateShape] {
        match self {
            Self::Unasked | Self::Untold => &[],
            Self::All(templates) => templates,
        }
    }
}
