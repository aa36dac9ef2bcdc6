//! What stands at the top level of a script, as far as its tokens tell.

use super::Diagnostic;
use super::scan::Spot;

/// A function of the script.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) parameters: Vec<String>,
    pub(super) line: u32,
    pub(super) column: u32,
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
    pub(super) fn of(spots: &[Spot]) -> Self {
        let mut outline = Self::default();
        let mut i = 0;
        while let Some(spot) = spots.get(i) {
            let next = spots.get(i + 1);
            let is_call = next.is_some_and(|next| next.is("("));
            match spot.name() {
                Some("private") => i += 1,
                Some("fn") => {
                    outline.function(spots, i);
                    i = after_block(spots, i);
                }
                Some("const") => {
                    outline
                        .constants
                        .extend(next.and_then(Spot::name).map(str::to_owned));
                    i = after_statement(spots, i);
                }
                Some("every" | "even_when_held") if is_call => i = after_statement(spots, i),
                _ if spot.is(";") => i += 1,
                name => {
                    outline.problems.push(Diagnostic {
                        message: misplaced(name),
                        line: spot.line,
                        column: spot.column,
                    });
                    i = after_statement(spots, i);
                }
            }
        }
        outline
    }

    fn function(&mut self, spots: &[Spot], start: usize) {
        let Some((spot, name)) = spots
            .get(start + 1)
            .and_then(|spot| spot.name().map(|name| (spot, name)))
        else {
            return;
        };
        let parameters = spots[start + 2..]
            .iter()
            .skip(1)
            .take_while(|spot| !spot.is(")"))
            .filter_map(|spot| spot.name().map(str::to_owned));
        self.functions.push(Function {
            name: name.to_owned(),
            parameters: parameters.collect(),
            line: spot.line,
            column: spot.column,
        });
    }
}

fn misplaced(name: Option<&str>) -> String {
    match name {
        Some("let") => "let cannot stand at the top of a script: write const for a value that never changes, chat.state for something to remember".into(),
        _ => "only functions, const, every(…) and even_when_held() stand at the top of a script; put this into a function, for example fn on_message(chat, message) { … }".into(),
    }
}

/// The token after the block that begins at or after `start`.
fn after_block(spots: &[Spot], start: usize) -> usize {
    let depth = spots[start].depth;
    let ends = |spot: &Spot| spot.depth <= depth && spot.is("}");
    let end = spots[start..].iter().position(ends);
    end.map_or(spots.len(), |end| start + end + 1)
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
