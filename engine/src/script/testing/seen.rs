//! What a test looks at: what a customer received, and what is known of them.

use rhai::{Array, Dynamic, ImmutableString, Map};

use super::content::Reaction;
use super::customer::Customer;
use super::expect::{Difference, Expected};
use super::received::Received;
use super::stage::View;
use crate::domain::content::{Content, TemplateContent};
use crate::domain::time::Timestamp;
use crate::script::api::registrar::{Api, api};
use crate::script::api::time::Time;
use crate::script::api::{Fallible, fail};
use crate::script::convert;

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "What a customer has received",
        "Messages are looked at one after the other. Those that a test never looks at do no harm.",
    );
    api! { api;
        /// Looks at the next message that the customer received, and gives it back.
        ///
        /// A text must be part of what it says. A template counts by its name, and by its values where
        /// the test names some. Of other content the texts given must be part of it, and buttons, rows and
        /// addresses the same. Without a value any message will do. Messages that a test never looks at
        /// do no harm.
        ///
        /// ```rhai
        /// customer.receives("prices start at");
        /// customer.receives(buttons("When would you like to come?", ["Monday", "Tuesday"]));
        /// customer.receives(template("viewing_reminder", ["Ada"]));
        /// ```
        fn "customer.receives(expected?: any) -> received" =>
            |customer: &mut Customer| receives(customer, &Expected::Anything),
            |customer: &mut Customer, expected: Dynamic| receives(customer, &read_expected(expected)?);

        /// Looks whether the customer has received nothing that the test has not looked at.
        ///
        /// ```rhai
        /// customer.receives_nothing();
        /// ```
        fn "customer.receives_nothing()" => |customer: &mut Customer| {
            customer.play.check_nothing(customer.whose())
        };

        /// Looks whether the next message to the customer that failed did so by this kind of failure.
        ///
        /// ```rhai
        /// customer.misses("window_closed");
        /// ```
        fn "customer.misses(failure: text)" => misses;

        /// The labels of the customer.
        ///
        /// ```rhai
        /// assert(customer.tags.contains("lead"));
        /// ```
        get "customer.tags: array" => |customer: &mut Customer| -> Fallible<Array> {
            Ok(look(customer)?.tags.into_iter().map(Dynamic::from).collect())
        };

        /// What rules have noted about the customer.
        ///
        /// ```rhai
        /// assert_eq(customer.attributes.budget, 200000);
        /// ```
        get "customer.attributes: map" => |customer: &mut Customer| -> Fallible<Map> {
            let zone = customer.play.stage.zone();
            Ok(convert::map_from_json(&look(customer)?.attributes, zone))
        };

        /// Whether the customer does not want to be written to.
        ///
        /// ```rhai
        /// assert(customer.opted_out);
        /// ```
        get "customer.opted_out: bool" => |customer: &mut Customer| -> Fallible<bool> {
            Ok(look(customer)?.opted_out)
        };

        /// Whether someone other than the rules is in charge of the chat.
        ///
        /// ```rhai
        /// assert(customer.held);
        /// ```
        get "customer.held: bool" => |customer: &mut Customer| -> Fallible<bool> {
            Ok(!look(customer)?.held_by.is_empty())
        };

        /// Who is in charge of the chat: `"phone"`, `"agent"`, `"rule"`, or `""`.
        ///
        /// ```rhai
        /// assert_eq(customer.held_by, "rule");
        /// ```
        get "customer.held_by: text" => |customer: &mut Customer| -> Fallible<ImmutableString> {
            Ok(look(customer)?.held_by.into())
        };

        /// Whether free text would reach the customer now.
        ///
        /// ```rhai
        /// assert(!customer.window_is_open);
        /// ```
        get "customer.window_is_open: bool" => |customer: &mut Customer| -> Fallible<bool> {
            Ok(look(customer)?.window_is_open)
        };

        /// Who should take the chat over, as `chat.assign` said, or `""`.
        ///
        /// ```rhai
        /// assert_eq(customer.assigned_to, "");
        /// ```
        get "customer.assigned_to: text" => |customer: &mut Customer| -> Fallible<ImmutableString> {
            Ok(look(customer)?.assigned_to.into())
        };

        /// The notes beside the chat, oldest first: maps of `text` and `at`.
        ///
        /// ```rhai
        /// assert_eq(customer.notes.len(), 0);
        /// ```
        get "customer.notes: array" => |customer: &mut Customer| -> Fallible<Array> {
            let zone = customer.play.stage.zone();
            let note = |(text, at): (String, Timestamp)| {
                Dynamic::from_map(Map::from_iter([
                    ("text".into(), text.into()),
                    ("at".into(), Dynamic::from(Time { at, zone })),
                ]))
            };
            Ok(look(customer)?.notes.into_iter().map(note).collect())
        };
    }
}

fn look(customer: &Customer) -> Fallible<View> {
    customer.play.told(customer.play.stage.look(customer.key))
}

fn read_expected(value: Dynamic) -> Fallible<Expected> {
    if let Ok(part) = value.as_immutable_string_ref() {
        return Ok(Expected::Part(part.as_str().to_owned()));
    }
    if let Some(template) = value.read_lock::<TemplateContent>() {
        return Ok(Expected::Template(template.clone()));
    }
    if let Some(reaction) = value.read_lock::<Reaction>() {
        return Ok(Expected::Reaction(reaction.0.clone()));
    }
    match value.try_cast_result::<Content>() {
        Ok(content) => Ok(Expected::Content(content)),
        Err(value) => fail(format!(
            "what is expected is a text, template(\"name\"), buttons(\"text\", [\"Yes\", \"No\"]) and the like, not {}",
            convert::describe(&value)
        )),
    }
}

fn receives(customer: &mut Customer, expected: &Expected) -> Fallible<Received> {
    let heard = customer.play.check_next(customer.whose(), expected)?;
    Ok(Received {
        heard,
        zone: customer.play.stage.zone(),
    })
}

fn misses(customer: &mut Customer, failure: &str) -> Fallible<()> {
    let name = &customer.name;
    match customer.play.next_failure(customer.key)? {
        Some((kind, _)) if kind == failure => Ok(()),
        Some((kind, detail)) => customer.play.fail(
            format!("a message to {name} failed otherwise"),
            Difference {
                expected: failure.to_owned(),
                received: format!("{kind}: {detail}"),
            },
        ),
        None => customer.play.fail(
            format!("no message to {name} failed"),
            Difference {
                expected: failure.to_owned(),
                received: "nothing".to_owned(),
            },
        ),
    }
}
