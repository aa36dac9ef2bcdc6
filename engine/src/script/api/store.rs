//! What is remembered: `chat.state`, kept per chat and rule, and `contact.attributes`, kept per
//! customer for all rules. Both are handles, so that `let s = chat.state; s.n = 1` is remembered too.

use std::sync::Arc;

use rhai::{Array, Dynamic, ImmutableString, Map};

use super::{Api, Fallible, api, fail};
use crate::domain::effect::Effect;
use crate::script::convert;
use crate::script::run::{Recorded, Run};

/// A map that is remembered, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct Bag {
    run: Arc<Run>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    State,
    Attributes,
}

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "What is remembered",
        "`chat.state` belongs to one chat and one rule, `chat.contact.attributes` to one customer and all rules. \
         Both are maps of text, numbers, `true` and `false`, times, durations, and arrays and maps of these, which come back as they went in. \
         What was never set is `()`: `chat.state.n ?? 0` gives something else instead, and setting `()` forgets.",
    );
    api.value::<Bag>("state", "the whole state or attributes");
    api! { api;
        /// The value remembered under a name, or `()`; for names that are computed.
        ///
        /// ```rhai
        /// let answer = chat.state.get("answer to " + message.text);
        /// ```
        fn "state.get(name: text) -> any" => get;

        /// Remembers a value under a name; for names that are computed.
        ///
        /// ```rhai
        /// chat.state.set("answer to 1", message.text);
        /// ```
        fn "state.set(name: text, value: any)" => set;

        /// Whether something is remembered under a name; also written `"n" in chat.state`.
        ///
        /// ```rhai
        /// if chat.state.contains("order") { log("knows an order"); }
        /// ```
        fn "state.contains(name: text) -> bool" => contains;

        /// Forgets what is remembered under a name, and gives it back.
        ///
        /// ```rhai
        /// chat.state.remove("order");
        /// ```
        fn "state.remove(name: text) -> any" => remove;

        /// The names under which something is remembered, in alphabetical order.
        ///
        /// ```rhai
        /// for name in chat.state.keys() { log(name, chat.state.get(name)); }
        /// ```
        fn "state.keys() -> array" => keys;

        /// What is remembered, in the alphabetical order of the names.
        ///
        /// ```rhai
        /// log(chat.state.values());
        /// ```
        fn "state.values() -> array" => |bag: &mut Bag| bag.read(|map| map.values().cloned().collect::<Array>());

        /// How much is remembered.
        ///
        /// ```rhai
        /// log(chat.state.len());
        /// ```
        fn "state.len() -> integer" => |bag: &mut Bag| bag.len();

        /// Whether nothing is remembered.
        ///
        /// ```rhai
        /// if chat.state.is_empty() { chat.reply("Nice to meet you!"); }
        /// ```
        fn "state.is_empty() -> bool" => |bag: &mut Bag| bag.len() == 0;

        /// Forgets everything.
        ///
        /// ```rhai
        /// chat.state.clear();
        /// ```
        fn "state.clear()" => clear;

        /// All that is remembered, as a map of its own that may be changed freely.
        ///
        /// ```rhai
        /// log(chat.state.to_map());
        /// ```
        fn "state.to_map() -> map" => |bag: &mut Bag| bag.to_map();
    }
    api.mechanics()
        .register_indexer_get(get)
        .register_indexer_set(set)
        .register_get("len", |bag: &mut Bag| bag.len())
        .register_get("is_empty", |bag: &mut Bag| bag.len() == 0)
        .register_fn("to_string", |bag: &mut Bag| {
            convert::show(&bag.to_map().into())
        });
}

impl Bag {
    pub(super) fn state(run: &Arc<Run>) -> Self {
        Self {
            run: Arc::clone(run),
            kind: Kind::State,
        }
    }

    pub(super) fn attributes(run: &Arc<Run>) -> Self {
        Self {
            run: Arc::clone(run),
            kind: Kind::Attributes,
        }
    }

    fn read<T>(&self, read: impl FnOnce(&Map) -> T) -> T {
        let recorded = self.run.recorded();
        read(match self.kind {
            Kind::State => &recorded.state,
            Kind::Attributes => &recorded.attributes,
        })
    }

    /// All of it, as it is now.
    pub(in crate::script) fn to_map(&self) -> Map {
        self.read(Map::clone)
    }

    fn len(&self) -> i64 {
        self.read(|map| i64::try_from(map.len()).unwrap_or(i64::MAX))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Map) -> T) -> T {
        let recorded: &mut Recorded = &mut self.run.recorded();
        change(match self.kind {
            Kind::State => {
                recorded.state_touched = true;
                &mut recorded.state
            }
            Kind::Attributes => &mut recorded.attributes,
        })
    }

    /// Takes over a whole map, as in `chat.state = #{}`.
    pub(super) fn replace(&self, value: &Dynamic) -> Fallible<()> {
        if value.is::<Self>() {
            // What Rhai writes back after `chat.state.n = 1`.
            return Ok(());
        }
        let Ok(map) = value.as_map_ref() else {
            return fail(format!(
                "chat.state is a map, it cannot become {}; write chat.state.name = …",
                convert::describe(value)
            ));
        };
        let json = check("chat.state", value)?;
        let before = self.read(|map| convert::map_to_json(map).or_else(fail))?;
        self.run
            .resize_state(convert::size(&before), convert::size(&json))?;
        self.change(|own| *own = map.clone());
        Ok(())
    }
}

fn check(name: &str, value: &Dynamic) -> Fallible<serde_json::Value> {
    convert::check_size(value)
        .and_then(|()| convert::to_json(value))
        .or_else(|reason| fail(format!("{name}: {reason}")))
}

fn get(bag: &mut Bag, name: &str) -> Dynamic {
    bag.read(|map| map.get(name).cloned().unwrap_or(Dynamic::UNIT))
}

fn set(bag: &mut Bag, name: ImmutableString, value: Dynamic) -> Fallible<()> {
    let json = check(&name, &value)?;
    let known = get(bag, &name);
    let known = convert::to_json(&known).or_else(fail)?;
    if known == json {
        return Ok(());
    }
    match bag.kind {
        Kind::Attributes => bag.run.want(Effect::SetAttribute {
            name: name.as_str().to_owned(),
            value: json,
        })?,
        Kind::State => {
            // Quotes, colon and comma around a new name.
            let of_name = if known.is_null() { name.len() + 4 } else { 0 };
            let after = convert::size(&json) + of_name;
            bag.run.resize_state(convert::size(&known), after)?;
        }
    }
    bag.change(|map| {
        if value.is_unit() {
            map.remove(name.as_str());
        } else {
            map.insert(name.as_str().into(), value);
        }
    });
    Ok(())
}

fn contains(bag: &mut Bag, name: &str) -> bool {
    bag.read(|map| map.contains_key(name))
}

fn remove(bag: &mut Bag, name: ImmutableString) -> Fallible<Dynamic> {
    let value = get(bag, &name);
    if !value.is_unit() {
        set(bag, name, Dynamic::UNIT)?;
    }
    Ok(value)
}

fn keys(bag: &mut Bag) -> Array {
    bag.read(|map| map.keys().map(|name| name.as_str().into()).collect())
}

fn clear(bag: &mut Bag) -> Fallible<()> {
    for name in keys(bag) {
        if let Ok(name) = name.into_immutable_string() {
            set(bag, name, Dynamic::UNIT)?;
        }
    }
    Ok(())
}
