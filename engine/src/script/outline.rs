//! What stands at the top level of a script, as far as its tokens tell.

use std::ops::Range;

use super::Diagnostic;
use super::diagnostic::Extent;
use super::scan::Spot;
use super::tokens::Tokens;

/// A function of the script.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) parameters: Vec<String>,
    /// Where its name stands.
    pub(super) extent: Extent,
    /// The tokens of its body, the braces included.
    pub(super) body: Range<usize>,
}

/// What stands at the top level.
#[derive(Default)]
pub(super) struct Outline {
    pub(super) functions: Vec<Function>,
    pub(super) constants: Vec<String>,
    pub(super) problems: Vec<Diagnostic>,
}

impl Outline {
    /// Reads the top level.
    pub(super) fn of(tokens: &Tokens) -> Self {
        let spots = tokens.spots();
        let mut outline = Self::default();
        let mut i = 0;
        while let Some(spot) = spots.get(i) {
            let next = spots.get(i + 1);
            let is_call = next.is_some_and(|next| next.is("("));
            match spot.name() {
                Some("private") => i += 1,
                Some("fn") => i = outline.function(tokens, i),
                Some("const") => {
                    outline
                        .constants
                        .extend(next.and_then(Spot::name).map(str::to_owned));
                    i = after_statement(spots, i);
                }
                Some("every" | "even_when_held") if is_call => i = after_statement(spots, i),
                _ if spot.is(";") => i += 1,
                name => {
                    outline
                        .problems
                        .push(Diagnostic::error(spot.extent, misplaced(name)));
                    i = after_statement(spots, i);
                }
            }
        }
        outline
    }

    /// Reads the function that begins at `start`, and gives the token after it.
    fn function(&mut self, tokens: &Tokens, start: usize) -> usize {
        let spots = tokens.spots();
        let depth = spots[start].depth;
        let opens = |spot: &Spot| spot.depth == depth && spot.is("{");
        let Some(open) = spots[start..].iter().position(opens).map(|at| start + at) else {
            return spots.len();
        };
        let after = (tokens.end_of(open) + 1).min(spots.len());
        let Some((spot, name)) = spots
            .get(start + 1)
            .and_then(|spot| spot.name().map(|name| (spot, name)))
        else {
            return after;
        };
        let parameters = spots.get(start + 2..open).unwrap_or_default().iter();
        let parameters = parameters.filter_map(|spot| spot.name().map(str::to_owned));
        self.functions.push(Function {
            name: name.to_owned(),
            parameters: parameters.collect(),
            extent: spot.extent,
            body: open..after,
        });
        after
    }
}

fn misplaced(name: Option<&str>) -> String {
    match name {
        Some("let") => "let cannot stand at the top of a script: write const for a value that never changes, chat.state for something to remember".into(),
        _ => "only functions, const, every(…) and even_when_held() stand at the top of a script; put this into a function, for example fn on_message(chat, message) { … }".into(),
    }
}

/// The token after the statement that begins at `start`: after its `;`, or its last `}`.
fn after_statement(spots: &[Spot], start: usize) -> usize {
    let depth = spots[start].depth;
    let mut i = start;
    while let Some(spot) = spots.get(i) {
        let starts_next = |spot: &Spot| matches!(spot.name(), Some("fn" | "const" | "every"));
        if spot.depth <= depth {
            if spot.is(";") {
                return i + 1;
            }
            if i > start && starts_next(spot) {
                return i;
            }
        }
        i += 1;
    }
    spots.len()
}
