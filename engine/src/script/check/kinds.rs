//! What values certainly are: parameters by who calls their function, variables by what they are
//! given, chains by what the catalog says of each link. Where two things are possible, nothing is said.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use super::chain::{Chain, Link, Root};
use super::subject::Subject;
use crate::script::catalog::{Kind, Type, catalog};
use crate::script::tokens::Tokens;

/// A type, as the catalog names it.
pub(super) type Name = &'static str;

/// Rounds in which types travel from calls to parameters; what is not settled then is uncertain.
const ROUNDS: usize = 8;

/// What a parameter may be, as far as its callers tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    /// No caller has been seen.
    Nothing,
    One(Name),
    Anything,
}

/// The names of each function whose type is certain.
pub(super) struct Kinds(Vec<HashMap<String, Name>>);

impl Kinds {
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let mut kinds = Self(vec![HashMap::new(); subject.functions.len()]);
        let calls = own_calls(subject);
        let mut before = from_outside(subject);
        for round in 0..=ROUNDS {
            kinds.settle(subject, &before);
            let mut parameters = from_outside(subject);
            for (caller, callee, arguments) in &calls {
                for (index, argument) in arguments.iter().enumerate() {
                    if let Some(given) = parameters[*callee].get_mut(index) {
                        let kind = kinds.of_expression(subject, *caller, argument);
                        *given = meet(*given, kind.map_or(Given::Anything, Given::One));
                    }
                }
            }
            if parameters == before {
                return kinds;
            }
            if round + 1 == ROUNDS {
                parameters = from_outside(subject);
                for (_, callee, _) in &calls {
                    parameters[*callee].fill(Given::Anything);
                }
            }
            before = parameters;
        }
        kinds
    }

    /// What a chain has come to after some of its links.
    pub(super) fn after(&self, subject: &Subject<'_>, chain: &Chain, links: usize) -> Option<Name> {
        let tokens = subject.tokens;
        let kind = match chain.root {
            Root::Name(at) => {
                let function = subject.function_at(at)?;
                *self.0[function].get(tokens.name(at)?)?
            }
            Root::Call(name, _) => {
                let name = tokens.name(name)?;
                if subject.function(name).is_some() || subject.is_of_host(name) {
                    return None;
                }
                (*INDEX.returned.get(&(None, name))?)?
            }
            Root::Text => "text",
            Root::Other => return None,
        };
        along(tokens, kind, &chain.links[..links])
    }

    /// Names whose one value is a chain of a certain type.
    fn settle(&mut self, subject: &Subject<'_>, parameters: &[Vec<Given>]) {
        for (index, function) in subject.functions.iter().enumerate() {
            self.0[index].clear();
            let is_single = |name: &str| subject.bound[index].get(name) == Some(&1);
            for (name, given) in function.parameters.iter().zip(&parameters[index]) {
                if let Given::One(kind) = given
                    && is_single(name)
                {
                    self.0[index].insert(name.clone(), kind);
                }
            }
            for at in function.body.clone() {
                let tokens = subject.tokens;
                let Some(name) = tokens.name(at) else {
                    continue;
                };
                if !tokens.is_word(at - 1, "let") || !tokens.is(at + 1, "=") || !is_single(name) {
                    continue;
                }
                let Some(end) = tokens.end_of_statement(at) else {
                    continue;
                };
                if let Some(kind) = self.of_expression(subject, Some(index), &(at + 2..end)) {
                    self.0[index].insert(name.to_owned(), kind);
                }
            }
        }
    }

    fn of_expression(
        &self,
        subject: &Subject<'_>,
        function: Option<usize>,
        expression: &Range<usize>,
    ) -> Option<Name> {
        // What is computed at the top is not looked at.
        function?;
        let chain = subject.chain_at(expression.start)?;
        let is_whole = chain.range == *expression;
        is_whole.then(|| self.after(subject, chain, chain.links.len()))?
    }
}

/// What a type comes to after some links.
pub(super) fn along(tokens: &Tokens, of: Name, links: &[Link]) -> Option<Name> {
    let mut kind = of;
    for link in links {
        kind = match *link {
            Link::Property(at) => {
                let name = tokens.spots()[at].name()?;
                (*INDEX.properties.get(&(kind, name))?)?
            }
            Link::Method(at, _) => {
                let name = tokens.spots()[at].name()?;
                (*INDEX.returned.get(&(Some(kind), name))?)?
            }
            Link::Index => return None,
        };
    }
    Some(kind)
}

/// Whether all properties of a type are known, so that another one is a mistake.
pub(super) fn is_closed(kind: Name) -> bool {
    INDEX.closed.contains(kind)
}

/// Whether a type has a property.
pub(super) fn has_property(kind: Name, name: &str) -> bool {
    INDEX.properties.contains_key(&(kind, name))
}

/// What the catalog says of types, at hand: a long script asks for it thousands of times.
struct Index {
    closed: HashSet<Name>,
    properties: HashMap<(Name, &'static str), Option<Name>>,
    /// By receiver and name; `None` where functions of one name give back different things.
    returned: HashMap<(Option<Name>, &'static str), Option<Name>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let nouns: HashSet<Name> = catalog().nouns().iter().map(|noun| noun.name).collect();
    let mut index = Index {
        closed: HashSet::new(),
        properties: HashMap::new(),
        returned: HashMap::new(),
    };
    for entry in catalog().entries() {
        let kind = entry.returns.and_then(single);
        match (entry.kind, entry.receiver) {
            (Kind::Property, Some(receiver)) => {
                index.properties.insert((receiver, entry.name), kind);
                index.closed.extend(nouns.get(receiver));
            }
            (Kind::Handler, _) => {}
            (_, receiver) => {
                let known = index.returned.entry((receiver, entry.name)).or_insert(kind);
                *known = known.filter(|known| Some(*known) == kind);
            }
        }
    }
    index
});

fn single(of: Type) -> Option<Name> {
    let mut alternatives = of.alternatives();
    let first = alternatives.next().filter(|first| *first != "any")?;
    alternatives.next().is_none().then_some(first)
}

fn meet(one: Given, other: Given) -> Given {
    match (one, other) {
        (Given::Nothing, given) | (given, Given::Nothing) => given,
        (Given::One(one), Given::One(other)) if one == other => Given::One(one),
        _ => Given::Anything,
    }
}

/// What events, follow-ups, schedules and answers give to the functions that they call.
fn from_outside(subject: &Subject<'_>) -> Vec<Vec<Given>> {
    let graph = subject.graph();
    let functions = subject.functions.iter().enumerate();
    functions
        .map(|(index, function)| {
            let event = catalog().handler(&function.name);
            let parameters = function.parameters.iter().enumerate();
            parameters
                .map(|(position, _)| match event {
                    Some(event) => {
                        let parameter = event.parameters.get(position);
                        let kind = parameter.and_then(|parameter| single(parameter.of));
                        kind.map_or(Given::Anything, Given::One)
                    }
                    None => graph
                        .given_to(index, position)
                        .into_iter()
                        .map(|kind| kind.map_or(Given::Anything, Given::One))
                        .fold(Given::Nothing, meet),
                })
                .collect()
        })
        .collect()
}

/// The calls of the script's own functions: by whom, of which, with what.
type OwnCall = (Option<usize>, usize, Vec<Range<usize>>);

fn own_calls(subject: &Subject<'_>) -> Vec<OwnCall> {
    let calls = subject.calls().filter(|(_, call)| call.after.is_none());
    calls
        .filter_map(|(_, call)| {
            let name = subject.called(&call);
            let callee = subject.functions.iter().position(|own| own.name == name)?;
            Some((
                subject.function_at(call.name),
                callee,
                subject.arguments(&call),
            ))
        })
        .collect()
}

/// How often each name of a function gets a value: as a parameter, by `let`, `for`, `catch`, as the
/// parameter of a function within, or by an assignment.
pub(super) fn bindings<'a>(
    tokens: &'a Tokens,
    parameters: &'a [String],
    body: &Range<usize>,
) -> HashMap<&'a str, usize> {
    const ASSIGNMENTS: [&str; 12] = [
        "=", "+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", "&=", "|=", "^=",
    ];
    let mut bound: HashMap<&str, usize> = HashMap::new();
    for parameter in parameters {
        *bound.entry(parameter).or_default() += 1;
    }
    let mut within = false;
    for at in body.clone() {
        if tokens.is(at, "|") {
            // Between the bars of `|a, b|`; a bar between numbers merely makes names uncertain.
            within = !within && !tokens.is_operand(at - 1);
        }
        let Some(name) = tokens.name(at).filter(|_| !tokens.is_member(at)) else {
            continue;
        };
        let is_let = tokens.is_word(at - 1, "let") || tokens.is_word(at - 1, "const");
        let is_caught = at > 1 && tokens.is_word(at - 2, "catch") && tokens.is(at - 1, "(");
        // for x in, for (x, i) in
        let is_loop = tokens.is_word(at - 1, "for")
            || (at > 1 && tokens.is_word(at - 2, "for") && tokens.is(at - 1, "("))
            || (at > 3 && tokens.is_word(at - 4, "for") && tokens.is(at - 3, "("));
        let is_changed = !is_let && tokens.is_one_of(at + 1, &ASSIGNMENTS);
        if is_let || is_caught || is_loop || is_changed || within {
            *bound.entry(name).or_default() += 1;
        }
    }
    bound
}
