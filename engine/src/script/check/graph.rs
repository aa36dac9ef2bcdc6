//! Who calls whom: which functions anything calls at all, and how long after the customer's last
//! message they run. Names in quotes count as calls wherever they stand, so that nothing is called
//! unreachable that is not.

use std::collections::HashMap;

use super::chain::Call;
use super::handlers::naming;
use super::kinds::Name;
use super::subject::Subject;
use crate::domain::time::Span;
use crate::script::explain::nearest;

/// How one function comes to be called by another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// At once.
    Call,
    /// As the answer to a request, seconds later.
    Answer,
    /// After a while: how long, where that can be told.
    Later(Option<Span>),
    /// For one of many chats, which have last written so long ago.
    Each(Age),
    /// By the clock.
    Schedule,
    /// It is named, and it cannot be told for what.
    Somehow,
}

struct Edge {
    /// `None`: the top of the script.
    from: Option<usize>,
    to: usize,
    way: Way,
}

/// How long after the customer's last message a function runs at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// It cannot be told that it runs at all.
    Unknown,
    /// While the window is still open.
    Within(Span),
    /// When the window has usually been shut for long.
    Late(Cause),
}

/// Why a function runs late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It is a follow-up after this long.
    After(Span),
    /// It is a follow-up at a time that nobody can tell beforehand.
    SomeTime,
    /// It is called for many chats.
    Each,
    /// A schedule calls it.
    Schedule,
}

/// Who calls whom.
pub(super) struct Graph {
    edges: Vec<Edge>,
    reached: Vec<bool>,
    /// Reached from what has just happened, at once.
    prompt: Vec<bool>,
    ages: Vec<Age>,
    /// A follow-up names its function in a way that cannot be told beforehand.
    is_open: bool,
}

/// The window is open for 24 hours; what comes in its last minute may find it shut.
const OPEN_FOR: Span = Span::minutes(24 * 60 - 1);
/// The handlers of what opens the window, or comes within it, and how long after the customer's last
/// message they run. How old the last message is when another event comes, nobody can tell.
const FRESH: [(&str, Span); 4] = [
    ("on_message", Span::ZERO),
    ("on_start", Span::ZERO),
    ("on_response", Span::ZERO),
    // Unless the location's vars say otherwise.
    ("on_window_closing", Span::hours(23)),
];

impl Graph {
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let mut graph = Self {
            edges: Vec::new(),
            reached: vec![false; subject.functions.len()],
            prompt: vec![false; subject.functions.len()],
            ages: vec![Age::Unknown; subject.functions.len()],
            is_open: false,
        };
        graph.read(subject);
        graph.follow(subject);
        graph.grow_old(subject);
        graph
    }

    /// Whether something calls a function, as far as can be told.
    pub(super) fn is_reached(&self, subject: &Subject<'_>, function: usize) -> bool {
        let could_be_handler = (1..=2).contains(&subject.functions[function].parameters.len());
        self.reached[function] || (self.is_open && could_be_handler)
    }

    /// A function that names this one, although nothing calls it either.
    pub(super) fn caller(&self, function: usize) -> Option<usize> {
        let mut edges = self.edges.iter().filter(|edge| edge.to == function);
        edges.find_map(|edge| edge.from.filter(|from| *from != function))
    }

    /// What a parameter of a function is given by what calls it from outside of the script; `None`
    /// where that may be anything.
    pub(super) fn given_to(&self, function: usize, position: usize) -> Vec<Option<Name>> {
        let edges = self.edges.iter().filter(|edge| edge.to == function);
        let mut given: Vec<Option<Name>> = edges
            .filter_map(|edge| match (edge.way, position) {
                (Way::Call, _) => None,
                (Way::Answer | Way::Later(_) | Way::Each(_), 0) => Some(Some("chat")),
                (Way::Answer, 1) => Some(Some("response")),
                (Way::Schedule, 0) => Some(Some("location")),
                _ => Some(None),
            })
            .collect();
        if self.is_open {
            given.push(None);
        }
        given
    }

    /// Whether a function runs, and never because of what has just happened.
    pub(super) fn is_delayed(&self, function: usize) -> bool {
        self.reached[function] && !self.prompt[function] && !self.is_open
    }

    /// Why a function runs late, if it never runs in time.
    pub(super) fn late(&self, function: usize) -> Option<Cause> {
        match self.ages[function] {
            Age::Late(cause) if !self.prompt[function] && !self.is_open => Some(cause),
            Age::Late(_) | Age::Within(_) | Age::Unknown => None,
        }
    }

    fn read(&mut self, subject: &Subject<'_>) {
        let own: HashMap<&str, usize> = subject
            .functions
            .iter()
            .enumerate()
            .map(|(index, function)| (function.name.as_str(), index))
            .collect();
        // The names in quotes of which it is known what they are for.
        let mut explained = vec![false; subject.tokens.len()];
        for (_, call) in subject.calls() {
            let Some(named) = naming(subject, &call) else {
                continue;
            };
            let from = subject.function_at(call.name);
            let target = subject.text_of(&named);
            if target.is_none() {
                self.is_open = true;
            }
            if let Some(explained) = explained.get_mut(named.start) {
                *explained = named.len() == 1 && target.is_some();
            }
            let Some((target, way)) = target.zip(way(subject, &call)) else {
                continue;
            };
            let to = own.get(target.as_str()).copied();
            // A misspelt name is told where it stands, and not once more where it is missed.
            let near = || Some(*own.get(nearest(&target, own.keys().copied())?)?);
            let edge = to
                .map(|to| (to, way))
                .or_else(|| Some((near()?, Way::Somehow)));
            self.edges
                .extend(edge.map(|(to, way)| Edge { from, to, way }));
        }
        for (at, explained) in explained.into_iter().enumerate() {
            let tokens = subject.tokens;
            let called = tokens.name(at).filter(|name| calls(subject, at, name));
            let (to, way) = if explained {
                continue;
            } else if let Some(to) = called.and_then(|name| own.get(name)) {
                (to, Way::Call)
            } else if let Some(to) = subject
                .text_of(&(at..at + 1))
                .and_then(|text| own.get(text.as_str()))
            {
                (to, Way::Somehow)
            } else {
                continue;
            };
            self.edges.push(Edge {
                from: subject.function_at(at),
                to: *to,
                way,
            });
        }
    }

    /// From events and the top of the script along the edges.
    fn follow(&mut self, subject: &Subject<'_>) {
        for (index, function) in subject.functions.iter().enumerate() {
            let is_event = subject.is_event(&function.name);
            self.reached[index] = is_event;
            self.prompt[index] = is_event;
        }
        // Each round reaches at least one function more, or is the last.
        for _ in 0..=subject.functions.len() {
            let mut changed = false;
            for edge in &self.edges {
                let reached = edge.from.is_none_or(|from| self.reached[from]);
                let prompt = match edge.way {
                    Way::Call | Way::Answer => edge.from.is_some_and(|from| self.prompt[from]),
                    Way::Somehow => reached,
                    Way::Later(_) | Way::Each(_) | Way::Schedule => false,
                };
                changed |= (reached && !self.reached[edge.to]) || (prompt && !self.prompt[edge.to]);
                self.reached[edge.to] |= reached;
                self.prompt[edge.to] |= prompt;
            }
            if !changed {
                break;
            }
        }
    }

    fn grow_old(&mut self, subject: &Subject<'_>) {
        for (index, function) in subject.functions.iter().enumerate() {
            let fresh = FRESH.iter().find(|(name, _)| *name == function.name);
            if let Some((_, after)) = fresh {
                self.ages[index] = Age::Within(*after);
            }
        }
        let rounds = subject.functions.len() + 1;
        for round in 0..=rounds {
            let mut changed = false;
            for edge in &self.edges {
                if edge.from.is_some_and(|from| !self.reached[from]) {
                    continue;
                }
                let from = edge.from.map_or(Age::Unknown, |from| self.ages[from]);
                let mut age = older(self.ages[edge.to], arrival(from, edge.way));
                if age != self.ages[edge.to] {
                    if round == rounds {
                        // What still grows goes round in circles.
                        age = Age::Late(Cause::SomeTime);
                    }
                    self.ages[edge.to] = age;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
    }
}

/// Whether the name of a function means the function where it stands, and not a parameter, a variable,
/// a property or a key of the same name.
fn calls(subject: &Subject<'_>, at: usize, name: &str) -> bool {
    let tokens = subject.tokens;
    if at > 0 && tokens.is_word(at - 1, "fn") {
        return false;
    }
    let open = at + 1 + usize::from(tokens.is(at + 1, "!"));
    if tokens.is(open, "(") {
        return true;
    }
    let Some(function) = subject.function_at(at) else {
        return false;
    };
    let is_bound = subject.bound[function].contains_key(name);
    !is_bound && !tokens.is_member(at) && !tokens.is(at + 1, ":")
}

fn older(one: Age, other: Age) -> Age {
    match (one, other) {
        (Age::Unknown, age) | (age, Age::Unknown) => age,
        (Age::Within(one), Age::Within(other)) => Age::Within(one.max(other)),
        // The first cause found is the one that is told.
        (Age::Late(cause), _) | (_, Age::Late(cause)) => Age::Late(cause),
    }
}

fn arrival(from: Age, way: Way) -> Age {
    match (way, from) {
        (Way::Call | Way::Answer, from) => from,
        (Way::Somehow, _) => Age::Unknown,
        (Way::Each(age), _) => age,
        (Way::Schedule, _) => Age::Late(Cause::Schedule),
        (Way::Later(Some(span)), Age::Within(before)) if before + span <= OPEN_FOR => {
            Age::Within(before + span)
        }
        (Way::Later(Some(span)), _) if span > OPEN_FOR => Age::Late(Cause::After(span)),
        (Way::Later(Some(span)), Age::Within(before)) => Age::Late(Cause::After(before + span)),
        (Way::Later(_), Age::Unknown) => Age::Unknown,
        (Way::Later(_), _) => Age::Late(Cause::SomeTime),
    }
}

/// How a call that names a function will call it; `None` for `cancel`, which does not.
fn way(subject: &Subject<'_>, call: &Call) -> Option<Way> {
    Some(match subject.called(call) {
        "every" => Way::Schedule,
        "each_chat" => Way::Each(age_of_chosen(subject, call)),
        "request" => Way::Answer,
        "if_silent" | "after" | "at" => Way::Later(delay(subject, call)),
        _ => return None,
    })
}

/// How long ago the customers wrote whom a filter chooses: `#{ spoke_within: "20h" }`.
fn age_of_chosen(subject: &Subject<'_>, call: &Call) -> Age {
    let filter = subject.arguments(call).into_iter().next();
    // A filter that is computed may choose those whose window is open.
    let Some(entries) = filter.and_then(|filter| subject.tokens.map(&filter)) else {
        return Age::Unknown;
    };
    let value = |key: &str| entries.iter().find(|entry| entry.key == key);
    if let Some(window) = value("window")
        && subject.text_of(&window.value).as_deref() != Some("closed")
    {
        return Age::Unknown;
    }
    match value("spoke_within").map(|entry| subject.span_of(&entry.value)) {
        Some(None) => Age::Unknown,
        Some(Some(span)) if span <= OPEN_FOR => Age::Within(span),
        Some(Some(_)) | None => Age::Late(Cause::Each),
    }
}

/// How long after the call a follow-up comes, where the script says so.
fn delay(subject: &Subject<'_>, call: &Call) -> Option<Span> {
    let when = subject.arguments(call).into_iter().next()?;
    let tokens = subject.tokens;
    // A time that is reckoned from the end of the window knows what it does.
    if when.clone().any(|at| tokens.is_word(at, "window")) {
        return Some(Span::ZERO);
    }
    let first = when.start;
    let is_from_now = tokens.is_word(first, "now") && tokens.is(first + 3, "+");
    // now() + "2h"
    let after = if is_from_now { first + 4 } else { first };
    subject.span_of(&(after..when.end))
}
