//! How a function becomes part of the language: together with its signature, its documentation and
//! its example, so that none of them can be missing or speak of another. Knows no noun.

use std::any::TypeId;
use std::collections::HashMap;

use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext, RhaiNativeFunc};

use super::{no_property, no_setter};
use crate::script::catalog::{Catalog, Chapter, Entry, More, Noun, is_type};

/// The language while it is being built, and the catalog of what is in it.
pub(in crate::script) struct Api<'a> {
    engine: &'a mut Engine,
    catalog: Catalog,
    types: HashMap<TypeId, &'static str>,
}

/// What Rhai takes as a value.
pub(in crate::script) trait Value: Clone + Send + Sync + 'static {}

impl<T: Clone + Send + Sync + 'static> Value for T {}

/// Adds entries to an [`Api`]: documentation, what it is, signature, and the functions that do it, one
/// for each number of values or for types that Rhai tells apart.
///
/// ```text
/// api! { api;
///     /// Answers with a text or other content, inside the service window only.
///     ///
///     /// ```rhai
///     /// chat.reply("Prices start at €120,000.");
///     /// ```
///     fn "chat.reply(content: content)" => reply;
/// }
/// ```
///
/// `fn` is a function or a method, `get` a property, `top` a statement for the top of a script, `on` a
/// handler, which the script writes itself, and `rhai` what Rhai brings along.
macro_rules! api {
    ($api:ident; $($(#[doc = $doc:literal])+ $kind:ident $signature:literal $(=> $($function:expr),+)?;)+) => {$(
        $crate::script::api::registrar::entry!(
            $kind $api, $signature, concat!($($doc, "\n"),+) $(, $($function),+)?
        );
    )+};
}

/// One entry of [`api!`].
macro_rules! entry {
    (fn $api:ident, $signature:literal, $doc:expr, $($function:expr),+) => {{
        let entry = $crate::script::catalog::Entry::read($signature, $doc);
        let arities = [$($api.function(&entry, $function)),+];
        $api.add(entry, &arities);
    }};
    (get $api:ident, $signature:literal, $doc:expr, $function:expr) => {{
        let entry = $crate::script::catalog::Entry::read($signature, $doc);
        let arity = $api.property(&entry, $function);
        $api.add(entry, &[arity]);
    }};
    (top $api:ident, $signature:literal, $doc:expr, $($function:expr),+) => {{
        let mut entry = $crate::script::catalog::Entry::read($signature, $doc);
        entry.kind = $crate::script::catalog::Kind::Statement;
        let arities = [$($api.function(&entry, $function)),+];
        $api.add(entry, &arities);
    }};
    // What Rhai registers itself.
    (rhai $api:ident, $signature:literal, $doc:expr) => {{
        let mut entry = $crate::script::catalog::Entry::read($signature, $doc);
        entry.of_rhai = true;
        let arities: Vec<usize> = entry.arities().collect();
        $api.add(entry, &arities);
    }};
    (on $api:ident, $signature:literal, $doc:expr) => {{
        let mut entry = $crate::script::catalog::Entry::read($signature, $doc);
        entry.kind = $crate::script::catalog::Kind::Handler;
        let arity = entry.parameters.len();
        $api.add(entry, &[arity]);
    }};
}

pub(in crate::script) use {api, entry};

impl<'a> Api<'a> {
    pub(in crate::script) fn new(engine: &'a mut Engine) -> Self {
        Self {
            engine,
            catalog: Catalog::default(),
            types: HashMap::from([(TypeId::of::<ImmutableString>(), "text")]),
        }
    }

    /// Begins a part of the reference; the entries that follow belong to it.
    pub(in crate::script) fn chapter(&mut self, title: &'static str, doc: &'static str) {
        self.catalog.chapters.push(Chapter { title, doc });
    }

    /// Makes a type known under the name that signatures use; `shown` is how a person calls it.
    /// What it does not have is refused by name.
    pub(in crate::script) fn noun<T: Value>(&mut self, name: &'static str, shown: &'static str) {
        self.value::<T>(name, shown);
        self.engine
            .register_indexer_get(move |_: &mut T, property: &str| {
                no_property::<Dynamic>(name, property)
            });
        self.engine.register_indexer_set(
            move |context: NativeCallContext<'_>, own: &mut T, property: &str, value: Dynamic| {
                no_setter(
                    &context,
                    shown,
                    Dynamic::from(own.clone()),
                    property,
                    &value,
                )
            },
        );
    }

    /// Makes a type known that says itself what its properties are, or has none.
    pub(in crate::script) fn value<T: Value>(&mut self, name: &'static str, shown: &'static str) {
        self.engine.register_type_with_name::<T>(name);
        self.types.insert(TypeId::of::<T>(), name);
        self.catalog.nouns.push(Noun { name, shown });
    }

    /// The language itself, for what has no name to write: operators, conversions, setters, and
    /// words that are refused.
    pub(in crate::script) fn mechanics(&mut self) -> &mut Engine {
        self.engine
    }

    /// Registers one of an entry's functions; gives how many values it takes, the receiver aside.
    pub(in crate::script) fn function<
        A: 'static,
        const N: usize,
        const X: bool,
        R: Value,
        const F: bool,
        T,
    >(
        &mut self,
        entry: &Entry,
        function: T,
    ) -> usize
    where
        T: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        self.register(entry, entry.name, function)
    }

    /// Registers what reads an entry's property.
    pub(in crate::script) fn property<A: 'static, const X: bool, R: Value, const F: bool, T>(
        &mut self,
        entry: &Entry,
        getter: T,
    ) -> usize
    where
        T: RhaiNativeFunc<A, 1, X, R, F> + Send + Sync + 'static,
    {
        // Rhai's own name for what reads a property.
        self.register(entry, &format!("get${}", entry.name), getter)
    }

    fn register<A: 'static, const N: usize, const X: bool, R: Value, const F: bool, T>(
        &mut self,
        entry: &Entry,
        name: &str,
        function: T,
    ) -> usize
    where
        T: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        if let Some(receiver) = entry.receiver {
            let first = T::param_types()
                .first()
                .and_then(|id| self.types.get(id).copied());
            assert!(
                first.is_none_or(|first| first == receiver),
                "{}: the function is one of {first:?}",
                entry.signature
            );
        }
        self.engine.register_fn(name, function);
        N - usize::from(entry.receiver.is_some())
    }

    /// Adds an entry whose functions take these numbers of values.
    ///
    /// # Panics
    /// If the signature tells something else than the functions; every test would see that.
    pub(in crate::script) fn add(&mut self, mut entry: Entry, arities: &[usize]) {
        let told = entry.arities();
        assert!(
            told.clone().all(|arity| arities.contains(&arity))
                && arities.iter().all(|arity| told.contains(arity)),
            "{}: its functions take {arities:?} values",
            entry.signature
        );
        entry.chapter = self
            .catalog
            .chapters
            .last()
            .map_or("", |chapter| chapter.title);
        self.catalog.entries.push(entry);
    }

    /// Adds what Rhai brings along beyond the entries of this chapter.
    pub(super) fn more(&mut self, more: &[More]) {
        let chapter = self
            .catalog
            .chapters
            .last()
            .map_or("", |chapter| chapter.title);
        let more = more.iter().map(|more| More { chapter, ..*more });
        self.catalog.more.extend(more);
    }

    /// The catalog of what was registered.
    ///
    /// # Panics
    /// If a signature names a type that there is not.
    pub(in crate::script) fn finish(self) -> Catalog {
        for entry in &self.catalog.entries {
            let unknown = entry
                .types()
                .chain(entry.receiver)
                .find(|name| !is_type(name, &self.catalog));
            assert!(
                unknown.is_none(),
                "{}: there is no type {unknown:?}",
                entry.signature
            );
        }
        self.catalog
    }
}
