//! What Rhai brings along, as far as rules may use it: the common functions with documentation and
//! example, the rest by name, so that what is written wrongly can be told. Registers nothing: the
//! packages of `language.rs` do, and a test calls everything that stands here.

use super::{Api, api};
use crate::script::catalog::More;

/// What can be read from values of Rhai without brackets; most of it is a function too.
pub(in crate::script) const PROPERTIES: [&str; 23] = [
    "bits",
    "bytes",
    "ceiling",
    "chars",
    "end",
    "floor",
    "fraction",
    "int",
    "is_anonymous",
    "is_empty",
    "is_even",
    "is_exclusive",
    "is_finite",
    "is_inclusive",
    "is_infinite",
    "is_nan",
    "is_odd",
    "is_zero",
    "len",
    "name",
    "round",
    "start",
    "tag",
];

/// Continues the chapter on text.
pub(super) fn texts(api: &mut Api<'_>) {
    api! { api;
        /// How many letters it has.
        ///
        /// ```rhai
        /// if message.text.len() > 500 { chat.reply("Could you say that in a sentence?"); }
        /// ```
        rhai "text.len() -> integer";

        /// Whether it has no letters.
        ///
        /// ```rhai
        /// if message.text.is_empty() { return; }
        /// ```
        rhai "text.is_empty() -> bool";

        /// Whether a text stands somewhere in it, to the letter. For words use `message.mentions`.
        ///
        /// ```rhai
        /// if message.text.contains("@") { chat.state.email = message.text; }
        /// ```
        rhai "text.contains(part: text) -> bool";

        /// Whether it begins with a text.
        ///
        /// ```rhai
        /// if message.text.starts_with("/") { log("a command"); }
        /// ```
        rhai "text.starts_with(start: text) -> bool";

        /// Whether it ends with a text.
        ///
        /// ```rhai
        /// if message.text.ends_with("?") { log("a question"); }
        /// ```
        rhai "text.ends_with(end: text) -> bool";

        /// Where a text stands in it, from 0; -1 if nowhere. It is looked for from a place on, if one is given.
        ///
        /// ```rhai
        /// let at = message.text.index_of(":");
        /// ```
        rhai "text.index_of(part: text, from?: integer) -> integer";

        /// A part of it: from a place, counted from 0, to the end, or so many letters.
        ///
        /// ```rhai
        /// let first_ten = message.text.sub_string(0, 10);
        /// ```
        rhai "text.sub_string(start: integer|range, length?: integer) -> text";

        /// Its parts between the places where a text stands; between spaces, if none is given.
        ///
        /// ```rhai
        /// for part in message.text.split(",") { log(part); }
        /// ```
        rhai "text.split(at?: text|integer, most?: integer) -> array";

        /// The text in capital letters.
        ///
        /// ```rhai
        /// let code = message.text.to_upper();
        /// ```
        rhai "text.to_upper() -> text";

        /// The text in small letters.
        ///
        /// ```rhai
        /// if message.text.to_lower() == "yes" { chat.reply("Wonderful."); }
        /// ```
        rhai "text.to_lower() -> text";

        /// The whole number that it is; an error if it is none.
        ///
        /// ```rhai
        /// if message.matches("^\\d{1,9}$") { chat.state.rooms = message.text.parse_int(); }
        /// ```
        rhai "text.parse_int(base?: integer) -> integer";

        /// The number that it is, with a point for the decimals; an error if it is none.
        ///
        /// ```rhai
        /// let price = "12.50".parse_float();
        /// ```
        rhai "text.parse_float() -> number";
    }
    api.more(&[
        More::new("append", &[2], "\"a\".append(\"b\")"),
        More::new("bytes", &[1], "\"a\".bytes()"),
        More::new("chars", &[1, 2, 3], "\"abc\".chars(0, 2)"),
        More::new("clear", &[1], "\"a\".clear()"),
        More::new("crop", &[2, 3], "\"abc\".crop(0, 2)"),
        More::new("get", &[2], "\"abc\".get(0)"),
        More::new("make_lower", &[1], "\"A\".make_lower()"),
        More::new("make_upper", &[1], "\"a\".make_upper()"),
        More::new("pop", &[1, 2], "\"abc\".pop(1)"),
        More::new("remove", &[2], "\"abc\".remove(\"b\")"),
        More::new("set", &[3], "\"abc\".set(0, 'x')"),
        More::new("split_rev", &[2, 3], "\"a,b\".split_rev(\",\", 2)"),
        More::new("to_blob", &[1], "\"a\".to_blob()"),
        More::new("to_chars", &[1], "\"a\".to_chars()"),
        More::new("truncate", &[2], "\"abc\".truncate(2)"),
    ]);
}

/// Maps, numbers, and what goes with every value.
pub(super) fn register(api: &mut Api<'_>) {
    maps(api);
    numbers(api);
    values(api);
}

fn maps(api: &mut Api<'_>) {
    api.chapter(
        "Maps",
        "A map is written `#{ name: \"Ada\", rooms: 3 }`; `map.name` and `map[\"name\"]` read it, `()` if there is none, and setting either adds to it. It keeps its names in alphabetical order. A map has 1,000 entries at most, those within counted.",
    );
    api! { api;
        /// How many entries it has.
        ///
        /// ```rhai
        /// log(#{ rooms: 3 }.len());
        /// ```
        rhai "map.len() -> integer";

        /// Whether it has no entries.
        ///
        /// ```rhai
        /// if chat.location.vars.is_empty() { log("nothing is set"); }
        /// ```
        rhai "map.is_empty() -> bool";

        /// Whether there is an entry of a name; also written `"rooms" in map`.
        ///
        /// ```rhai
        /// if chat.location.vars.contains("phone") { chat.reply(chat.location.vars.phone); }
        /// ```
        rhai "map.contains(name: text) -> bool";

        /// Its names, in alphabetical order.
        ///
        /// ```rhai
        /// let prices = #{ flat: 120, house: 250 };
        /// for name in prices.keys() { log(name, prices[name]); }
        /// ```
        rhai "map.keys() -> array";

        /// Its values, in the alphabetical order of the names.
        ///
        /// ```rhai
        /// log(#{ flat: 120, house: 250 }.values());
        /// ```
        rhai "map.values() -> array";

        /// Takes an entry away, in place, and gives it back; `()` if there is none.
        ///
        /// ```rhai
        /// let wishes = message.form ?? #{};
        /// wishes.remove("flow_token");
        /// ```
        rhai "map.remove(name: text) -> any";
    }
    api.more(&[
        More::new("clear", &[1], "#{ a: 1 }.clear()"),
        More::new("drain", &[2], "#{ a: 1 }.drain(|name, value| true)"),
        More::new("fill_with", &[2], "#{ a: 1 }.fill_with(#{ b: 2 })"),
        More::new("filter", &[2], "#{ a: 1 }.filter(|name, value| true)"),
        More::new("get", &[2], "#{ a: 1 }.get(\"a\")"),
        More::new("map", &[2], "#{ a: 1 }.map(|name, value| value)"),
        More::new("mixin", &[2], "#{ a: 1 }.mixin(#{ b: 2 })"),
        More::new("retain", &[2], "#{ a: 1 }.retain(|name, value| true)"),
        More::new("set", &[3], "#{ a: 1 }.set(\"b\", 2)"),
    ]);
}

fn numbers(api: &mut Api<'_>) {
    api.chapter(
        "Numbers",
        "Whole numbers are exact up to 18 digits; numbers with a point are not: count money in cents. Dividing whole numbers gives a whole number.",
    );
    api! { api;
        /// The nearest whole number, as a number with a point; `to_int` makes it a whole one.
        ///
        /// ```rhai
        /// let euros = 12.6.round().to_int();
        /// ```
        rhai "number.round() -> number";

        /// The next lower whole number, as a number with a point.
        ///
        /// ```rhai
        /// let euros = 12.6.floor().to_int();
        /// ```
        rhai "number.floor() -> number";

        /// The next higher whole number, as a number with a point.
        ///
        /// ```rhai
        /// let boxes = (17.0 / 6.0).ceiling().to_int();
        /// ```
        rhai "number.ceiling() -> number";

        /// The whole number, what follows the point cut off.
        ///
        /// ```rhai
        /// let euros = 12.6.to_int();
        /// ```
        rhai "number.to_int() -> integer";

        /// The number with a point; dividing it keeps the decimals.
        ///
        /// ```rhai
        /// let share = 1.to_float() / 3;
        /// ```
        rhai "number.to_float() -> number";

        /// The number without its minus.
        ///
        /// ```rhai
        /// let apart = abs(3 - 7);
        /// ```
        rhai "abs(number: number) -> number";

        /// The smaller of two.
        ///
        /// ```rhai
        /// let shown = min(message.text.len(), 20);
        /// ```
        rhai "min(one: number|text, other: number|text) -> any";

        /// The larger of two.
        ///
        /// ```rhai
        /// let guests = max(1, chat.state.guests ?? 0);
        /// ```
        rhai "max(one: number|text, other: number|text) -> any";

        /// The numbers from one up to but not including another, for `for`; by steps, if one is given.
        ///
        /// Also written `1..4`, or `1..=4` with the last one.
        ///
        /// ```rhai
        /// for hour in range(9, 18, 3) { log(hour); }
        /// ```
        rhai "range(from: number, to: number, step?: number) -> range";
    }
    more_numbers(api);
}

fn more_numbers(api: &mut Api<'_>) {
    api.more(&[
        More::new("E", &[0], "E()"),
        More::new("PI", &[0], "PI()"),
        More::new("acos", &[1], "acos(1.0)"),
        More::new("acosh", &[1], "acosh(1.0)"),
        More::new("asin", &[1], "asin(1.0)"),
        More::new("asinh", &[1], "asinh(1.0)"),
        More::new("atan", &[1, 2], "atan(1.0)"),
        More::new("atanh", &[1], "atanh(0.5)"),
        More::new("bits", &[1, 2, 3], "5.bits(0, 2)"),
        More::new("cos", &[1], "cos(1.0)"),
        More::new("cosh", &[1], "cosh(1.0)"),
        More::new("end", &[1], "(0..3).end()"),
        More::new("exp", &[1], "exp(1.0)"),
        More::new("fraction", &[1], "1.5.fraction()"),
        More::new("hypot", &[2], "hypot(3.0, 4.0)"),
        More::new("int", &[1], "1.5.int()"),
        More::new("is_even", &[1], "2.is_even()"),
        More::new("is_exclusive", &[1], "(0..3).is_exclusive()"),
        More::new("is_finite", &[1], "1.0.is_finite()"),
        More::new("is_inclusive", &[1], "(0..3).is_inclusive()"),
        More::new("is_infinite", &[1], "1.0.is_infinite()"),
        More::new("is_nan", &[1], "1.0.is_nan()"),
        More::new("is_odd", &[1], "2.is_odd()"),
        More::new("is_zero", &[1], "2.is_zero()"),
        More::new("ln", &[1], "ln(2.0)"),
        More::new("sign", &[1], "(-2).sign()"),
        More::new("sin", &[1], "sin(1.0)"),
        More::new("sinh", &[1], "sinh(1.0)"),
        More::new("sqrt", &[1], "sqrt(2.0)"),
        More::new("start", &[1], "(0..3).start()"),
        More::new("tan", &[1], "tan(1.0)"),
        More::new("tanh", &[1], "tanh(1.0)"),
        More::new("to_binary", &[1], "2.to_binary()"),
        More::new("to_degrees", &[1], "to_degrees(1.0)"),
        More::new("to_hex", &[1], "255.to_hex()"),
        More::new("to_octal", &[1], "8.to_octal()"),
        More::new("to_radians", &[1], "to_radians(1.0)"),
    ]);
}

fn values(api: &mut Api<'_>) {
    api.chapter("Every value", "These go with values of any kind.");
    api! { api;
        /// The value as text. Between `` ` ` `` it is done by itself: `` `${value}` ``.
        ///
        /// ```rhai
        /// let seven = 7.to_string();
        /// ```
        rhai "any.to_string() -> text";

        /// What kind of value it is: `"string"`, `"i64"` (a whole number), `"f64"`, `"bool"`, `"array"`,
        /// `"map"`, `"time"`, `"()"` ….
        ///
        /// ```rhai
        /// if type_of(chat.state.list) == "array" { log(chat.state.list); }
        /// ```
        rhai "type_of(value: any) -> text";
    }
    api.more(&[
        More::new("debug", &[1], "debug(1)"),
        More::new("is_anonymous", &[1], "(|| 1).is_anonymous()"),
        More::new("is_def_fn", &[2], "is_def_fn(\"f\", 1)"),
        More::new("is_def_var", &[1], "is_def_var(\"x\")"),
        More::new("name", &[1], "(|| 1).name()"),
        More::new("set_tag", &[2], "let x = 1; x.set_tag(1)"),
        More::new("tag", &[1], "tag(1)"),
        More::new("take", &[1], "let x = 1; take(x)"),
        More::new("to_debug", &[1], "1.to_debug()"),
    ]);
}
