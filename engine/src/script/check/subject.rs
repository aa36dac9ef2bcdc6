//! A script under examination: its tokens, chains and functions, and what its constants hold.
//! Finds nothing by itself; the passes ask it.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use rhai::Dynamic;

use super::chain::{Call, Chain};
use super::graph::Graph;
use super::kinds::{Kinds, bindings};
use crate::domain::time::Span;
use crate::script::ScriptHost;
use crate::script::api::time::Length;
use crate::script::catalog::catalog;
use crate::script::compile::{Evaluated, Reading};
use crate::script::outline::Function;
use crate::script::surroundings::Surroundings;
use crate::script::tokens::Tokens;

/// A script under examination.
pub(super) struct Subject<'a> {
    pub(super) tokens: &'a Tokens,
    pub(super) functions: &'a [Function],
    pub(super) chains: Vec<Chain>,
    pub(super) surroundings: &'a Surroundings,
    constants: HashMap<String, Dynamic>,
    graph: OnceCell<Graph>,
    kinds: OnceCell<Kinds>,
    keys: OnceCell<HashSet<&'a str>>,
    host: &'a ScriptHost,
    /// How often each name of a function gets a value.
    pub(super) bound: Vec<HashMap<&'a str, usize>>,
    /// The chain that begins at a token, if one does.
    chain_at: HashMap<usize, usize>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        host: &'a ScriptHost,
        reading: &'a Reading,
        evaluated: Option<Evaluated>,
        surroundings: &'a Surroundings,
    ) -> Self {
        let chains = Chain::all(&reading.tokens);
        let starts = chains.iter().enumerate();
        Self {
            tokens: &reading.tokens,
            functions: &reading.functions,
            chain_at: starts
                .map(|(index, chain)| (chain.range.start, index))
                .collect(),
            chains,
            host,
            bound: reading
                .functions
                .iter()
                .map(|function| bindings(&reading.tokens, &function.parameters, &function.body))
                .collect(),
            surroundings,
            constants: evaluated.map_or_else(HashMap::new, |evaluated| evaluated.constants),
            graph: OnceCell::new(),
            kinds: OnceCell::new(),
            keys: OnceCell::new(),
        }
    }

    /// Who calls whom.
    pub(super) fn graph(&self) -> &Graph {
        self.graph.get_or_init(|| Graph::of(self))
    }

    /// What values certainly are.
    pub(super) fn kinds(&self) -> &Kinds {
        self.kinds.get_or_init(|| Kinds::of(self))
    }

    /// Whether a map of the script may hold something under a name: `name: |x| …`, `map.name = …`,
    /// `map["name"] = …`.
    pub(super) fn is_key(&self, name: &str) -> bool {
        let tokens = self.tokens;
        let keys = self.keys.get_or_init(|| {
            let places = 0..tokens.len();
            let keys = places.filter(|at| tokens.is_one_of(at + 1, &[":", "=", "]"]));
            keys.filter_map(|at| tokens.name(at).or_else(|| tokens.text(at)))
                .collect()
        });
        keys.contains(name)
    }

    /// The chain that begins at a token.
    pub(super) fn chain_at(&self, at: usize) -> Option<&Chain> {
        Some(&self.chains[*self.chain_at.get(&at)?])
    }

    /// The functions of the embedding program, and how many values each takes.
    pub(super) fn of_host(&self) -> impl Iterator<Item = &'a (String, usize)> {
        self.host.0.functions.iter()
    }

    /// Whether the embedding program has a function of a name.
    pub(super) fn is_of_host(&self, name: &str) -> bool {
        let functions = &self.host.0.functions;
        functions.iter().any(|(own, _)| own == name)
    }

    /// Whether the embedding program has a function of a name that takes so many values.
    pub(super) fn is_of_host_with(&self, name: &str, values: usize) -> bool {
        let functions = &self.host.0.functions;
        functions
            .iter()
            .any(|(own, arity)| own == name && *arity == values)
    }

    /// The function of a name.
    pub(super) fn function(&self, name: &str) -> Option<&'a Function> {
        self.functions.iter().find(|own| own.name == name)
    }

    /// The function in whose body a token stands; `None` at the top of the script.
    pub(super) fn function_at(&self, at: usize) -> Option<usize> {
        let after = self.functions.partition_point(|own| own.body.start <= at);
        let index = after.checked_sub(1)?;
        self.functions[index].body.contains(&at).then_some(index)
    }

    /// Whether events call functions of this name.
    pub(super) fn is_event(&self, name: &str) -> bool {
        catalog().handler(name).is_some()
    }

    /// Every call, with the chain it stands in.
    pub(super) fn calls(&self) -> impl Iterator<Item = (&Chain, Call)> {
        self.chains
            .iter()
            .flat_map(|chain| chain.calls().map(move |call| (chain, call)))
    }

    /// The name that is called.
    pub(super) fn called(&self, call: &Call) -> &'a str {
        self.tokens.name(call.name).unwrap_or_default()
    }

    /// The values that are given to a call, each as its tokens.
    pub(super) fn arguments(&self, call: &Call) -> Vec<Range<usize>> {
        self.tokens.items(call.open)
    }

    /// The text that an expression certainly is: a literal, or a constant that holds one.
    pub(super) fn text_of(&self, expression: &Range<usize>) -> Option<String> {
        if expression.len() != 1 {
            return None;
        }
        let literal = self.tokens.text(expression.start).map(str::to_owned);
        literal.or_else(|| {
            let constant = self.constant(expression.start)?;
            constant.clone().into_string().ok()
        })
    }

    /// The constant that a name means; a function may use the name for something of its own.
    pub(super) fn constant(&self, at: usize) -> Option<&Dynamic> {
        let name = self.tokens.name(at)?;
        let constant = self.constants.get(name)?;
        let is_own = self
            .function_at(at)
            .is_some_and(|function| self.bound[function].contains_key(name));
        (!is_own).then_some(constant)
    }

    /// The duration that an expression certainly is: a text, `duration("…")`, or a constant.
    pub(super) fn span_of(&self, expression: &Range<usize>) -> Option<Span> {
        let tokens = self.tokens;
        let first = expression.start;
        if tokens.is_word(first, "duration") && tokens.is(first + 1, "(") {
            let inner = first + 2..expression.end.saturating_sub(1);
            return Span::parse(&self.text_of(&inner)?).ok();
        }
        if let Some(text) = self.text_of(expression) {
            return Span::parse(&text).ok();
        }
        let constant = self.constant(first).filter(|_| expression.len() == 1)?;
        Some(constant.read_lock::<Length>()?.0)
    }
}
