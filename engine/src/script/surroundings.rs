//! What a location offers to its rules by name, as far as known. Knows no rule.

use crate::domain::template::TemplateShape;

/// The names that a script may use and that are not its own; what is `None` is not known, and then
/// not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The templates, one entry per name and language.
    pub templates: Option<Vec<TemplateShape>>,
    /// The endpoints that `chat.request` may call.
    pub endpoints: Option<Vec<String>>,
    /// The constants in `location.vars`.
    pub vars: Option<Vec<String>>,
}
