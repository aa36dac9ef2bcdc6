//! Chains: `chat.contact.tag("lead")` as what it begins with and what is looked up in turn.
//! Knows no function; only how a chain is written.

use std::ops::Range;

use crate::script::scan::Token;
use crate::script::tokens::Tokens;

/// A value and what is looked up in it, one after the other.
pub(super) struct Chain {
    /// Its tokens.
    pub(super) range: Range<usize>,
    pub(super) root: Root,
    pub(super) links: Vec<Link>,
}

/// What a chain begins with.
#[derive(Clone, Copy)]
pub(super) enum Root {
    /// A variable, a parameter or a constant.
    Name(usize),
    /// A call: its name, and the bracket that opens after it.
    Call(usize, usize),
    /// A text in quotes.
    Text,
    /// Something else, of which nothing is known.
    Other,
}

/// One step of a chain.
#[derive(Clone, Copy)]
pub(super) enum Link {
    /// `.name`
    Property(usize),
    /// `.name(`: the name, and the bracket.
    Method(usize, usize),
    /// `[`
    Index,
}

/// A call in a script: of a function, or of a method on what a chain has come to.
pub(super) struct Call {
    /// Where the function's name stands.
    pub(super) name: usize,
    /// Where its bracket opens.
    pub(super) open: usize,
    /// How many links of the chain stand before it; `None` for a function.
    pub(super) after: Option<usize>,
}

impl Chain {
    /// Every chain of a script, in the order of their beginnings.
    pub(super) fn all(tokens: &Tokens) -> Vec<Self> {
        let mut chains = Vec::new();
        // A link is met again when its turn comes; by then it belongs to a chain.
        let mut taken = vec![false; tokens.len()];
        for at in 0..tokens.len() {
            if taken[at] || is_declared(tokens, at) {
                continue;
            }
            let chain = if tokens.is_member(at) {
                links(tokens, Root::Other, at - 1..at - 1)
            } else if tokens.name(at).is_some() {
                root(tokens, at)
            } else if tokens.text(at).is_some() {
                links(tokens, Root::Text, at..at + 1)
            } else {
                continue;
            };
            for link in &chain.links {
                if let Link::Property(name) | Link::Method(name, _) = *link {
                    taken[name] = true;
                }
            }
            chains.push(chain);
        }
        chains
    }

    /// The calls in it, in order.
    pub(super) fn calls(&self) -> impl Iterator<Item = Call> {
        let root = match self.root {
            Root::Call(name, open) => Some(Call {
                name,
                open,
                after: None,
            }),
            Root::Name(_) | Root::Text | Root::Other => None,
        };
        let methods = self.links.iter().enumerate();
        let methods = methods.filter_map(|(after, link)| match *link {
            Link::Method(name, open) => Some(Call {
                name,
                open,
                after: Some(after),
            }),
            Link::Property(_) | Link::Index => None,
        });
        root.into_iter().chain(methods)
    }
}

/// Whether a name is only introduced at a place, or is the key of a map: `fn f`, `let x`, `x: 1`.
fn is_declared(tokens: &Tokens, at: usize) -> bool {
    let is_key = tokens.is(at + 1, ":");
    is_key
        || at > 0
            && ["fn", "let", "const"]
                .iter()
                .any(|word| tokens.is_word(at - 1, word))
}

fn root(tokens: &Tokens, at: usize) -> Chain {
    // `f!(x)` calls as well.
    let open = at + 1 + usize::from(tokens.is(at + 1, "!"));
    if tokens.is(open, "(") {
        let after = tokens.end_of(open) + 1;
        links(tokens, Root::Call(at, open), at..after)
    } else {
        links(tokens, Root::Name(at), at..at + 1)
    }
}

/// The chain of a root that takes these tokens; its links follow.
fn links(tokens: &Tokens, root: Root, taken: Range<usize>) -> Chain {
    let mut links = Vec::new();
    let mut at = taken.end;
    loop {
        if tokens.is_one_of(at, &["[", "?["]) {
            links.push(Link::Index);
            at = tokens.end_of(at) + 1;
        } else if tokens.is_one_of(at, &[".", "?."]) && is_named(tokens, at + 1) {
            let name = at + 1;
            if tokens.is(name + 1, "(") {
                links.push(Link::Method(name, name + 1));
                at = tokens.end_of(name + 1) + 1;
            } else {
                links.push(Link::Property(name));
                at = name + 1;
            }
        } else {
            break;
        }
    }
    Chain {
        range: taken.start..at.min(tokens.len()),
        root,
        links,
    }
}

fn is_named(tokens: &Tokens, at: usize) -> bool {
    let spot = tokens.spots().get(at);
    spot.is_some_and(|spot| matches!(spot.token, Token::Name(_)))
}
