//! Arrays: what Rhai brings along for them, by name, and what it lacks. Knows no other noun.

use rhai::Array;

use super::{Api, Fallible, api, fail};
use crate::script::catalog::More;
use crate::script::convert;
use crate::script::limits::TEXT_BYTES;

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Arrays",
        "An array is written `[\"Monday\", \"Tuesday\"]`; `array[0]` is its first item, `array[-1]` its last, and `for item in array { … }` goes through it. It changes in place where nothing else is said. An array has 2,000 items at most, those of arrays within counted. A function given as value, `|item| item > 1`, cannot use the variables around it.",
    );
    api! { api;
        /// The items as one text, with something between them.
        ///
        /// ```rhai
        /// chat.reply("We have " + ["flats", "houses"].join(" and ") + ".");
        /// ```
        fn "array.join(between: text) -> text" => join;
    }
    of_rhai(api);
}

fn of_rhai(api: &mut Api<'_>) {
    api! { api;
        /// How many items it has.
        ///
        /// ```rhai
        /// log(chat.contact.tags.len());
        /// ```
        rhai "array.len() -> integer";

        /// Whether it has no items.
        ///
        /// ```rhai
        /// if message.contacts.is_empty() { return; }
        /// ```
        rhai "array.is_empty() -> bool";

        /// Adds an item at the end, in place.
        ///
        /// In `chat.state` it must be there first.
        ///
        /// ```rhai
        /// let asked = chat.state.asked ?? [];
        /// asked.push(message.text);
        /// chat.state.asked = asked;
        /// ```
        rhai "array.push(item: any)";

        /// Takes the last item away and gives it back; `()` if there is none.
        ///
        /// ```rhai
        /// let last = [1, 2, 3].pop();
        /// ```
        rhai "array.pop() -> any";

        /// Takes the first item away and gives it back; `()` if there is none.
        ///
        /// ```rhai
        /// let next = ["name", "date"].shift();
        /// ```
        rhai "array.shift() -> any";

        /// Puts an item at a place, counted from 0, in place.
        ///
        /// ```rhai
        /// let steps = ["name", "date"];
        /// steps.insert(0, "greeting");
        /// ```
        rhai "array.insert(place: integer, item: any)";

        /// Takes the item at a place away, in place, and gives it back.
        ///
        /// ```rhai
        /// let steps = ["name", "date"];
        /// steps.remove(0);
        /// ```
        rhai "array.remove(place: integer) -> any";

        /// Whether an item is in it; also written `"lead" in chat.contact.tags`.
        ///
        /// ```rhai
        /// if ["yes", "ok"].contains(message.text.to_lower()) { chat.reply("Wonderful."); }
        /// ```
        rhai "array.contains(item: any) -> bool";

        /// Where an item stands, from 0; -1 if nowhere.
        ///
        /// ```rhai
        /// let step = ["name", "date"].index_of("date");
        /// ```
        rhai "array.index_of(item: any, from?: integer) -> integer";

        /// The items for which a function says `true`.
        ///
        /// ```rhai
        /// let large = [120, 250, 90].filter(|price| price > 100);
        /// ```
        rhai "array.filter(function: function) -> array";

        /// What a function makes of each item.
        ///
        /// ```rhai
        /// let names = message.contacts.map(|card| card.name);
        /// ```
        rhai "array.map(function: function) -> array";

        /// Whether a function says `true` for some item.
        ///
        /// ```rhai
        /// if chat.history(10).some(|line| line.by == "phone") { return; }
        /// ```
        rhai "array.some(function: function) -> bool";

        /// Whether a function says `true` for all items.
        ///
        /// ```rhai
        /// let cheap = [120, 90].all(|price| price < 200);
        /// ```
        rhai "array.all(function: function) -> bool";

        /// The first item for which a function says `true`, or `()`.
        ///
        /// ```rhai
        /// let flat = [#{ id: 7, rooms: 3 }].find(|flat| flat.rooms == 3);
        /// ```
        rhai "array.find(function: function, from?: integer) -> any";

        /// One value out of all items: a function is given what there is so far and the next item.
        ///
        /// ```rhai
        /// let total = [120, 90].reduce(|sum, price| sum + price, 0);
        /// ```
        rhai "array.reduce(function: function, start?: any) -> any";

        /// Puts the items in order, in place; by a function that is given two, if you like.
        ///
        /// ```rhai
        /// let prices = [120, 90];
        /// prices.sort();
        /// ```
        rhai "array.sort(function?: function)";

        /// Turns the order around, in place.
        ///
        /// ```rhai
        /// let lines = chat.history(5);
        /// lines.reverse();
        /// ```
        rhai "array.reverse()";

        /// A part of it: from a place, counted from 0, to the end, or so many items.
        ///
        /// ```rhai
        /// let first_three = chat.history(10).extract(0, 3);
        /// ```
        rhai "array.extract(start: integer|range, count?: integer) -> array";

        /// Adds the items of another array at the end, in place.
        ///
        /// ```rhai
        /// let all = ["a"];
        /// all.append(["b", "c"]);
        /// ```
        rhai "array.append(items: array)";
    }
    api.more(&[
        More::new("chop", &[2], "[1, 2].chop(1)"),
        More::new("clear", &[1], "[1].clear()"),
        More::new("dedup", &[1, 2], "[1, 1].dedup()"),
        More::new("drain", &[2, 3], "[1, 2].drain(|n| n > 1)"),
        More::new("find_map", &[2, 3], "[1].find_map(|n| n)"),
        More::new("for_each", &[2], "[1].for_each(|| log(1))"),
        More::new("get", &[2], "[1].get(0)"),
        More::new("order", &[1, 2], "[2, 1].order()"),
        More::new("order_by", &[2], "[2, 1].order_by(|a, b| a - b)"),
        More::new("order_desc", &[1], "[2, 1].order_desc()"),
        More::new("pad", &[3], "[1].pad(2, 0)"),
        More::new("reduce_rev", &[2, 3], "[1].reduce_rev(|a, b| a + b, 0)"),
        More::new("retain", &[2, 3], "[1, 2].retain(|n| n > 1)"),
        More::new("set", &[3], "[1].set(0, 2)"),
        More::new("sort_by", &[2], "[2, 1].sort_by(|a, b| a - b)"),
        More::new("sort_desc", &[1], "[2, 1].sort_desc()"),
        More::new("splice", &[3, 4], "[1, 2].splice(0, 1, [3])"),
        More::new("split", &[2], "[1, 2].split(1)"),
        More::new("truncate", &[2], "[1, 2].truncate(1)"),
        More::new("zip", &[3], "[1].zip([2], |a, b| a + b)"),
    ]);
}

fn join(items: &mut Array, between: &str) -> Fallible<String> {
    let mut joined = String::new();
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            joined.push_str(between);
        }
        let text = convert::to_text(item);
        joined.push_str(&text.or_else(|reason| fail(format!("item {place}: {reason}")))?);
        if joined.len() > TEXT_BYTES {
            return fail(format!(
                "this text would become too large: {TEXT_BYTES} bytes at most"
            ));
        }
    }
    Ok(joined)
}
