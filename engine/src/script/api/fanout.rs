//! A function of the rule for each of many chats. Knows no chats: which they are is found out afterwards.

use rhai::{Array, Dynamic, Map};

use super::location::LocationView;
use super::{Api, Fallible, api, fail, span, text};
use crate::domain::effect::Effect;
use crate::domain::fanout::{ChatFilter, Consent, WindowState};
use crate::script::explain::nearest;
use crate::script::{convert, limits};

/// What a filter may name.
const KEYS: [&str; 9] = [
    "tag",
    "tags",
    "without_tag",
    "silent_for",
    "spoke_within",
    "window",
    "language",
    "opted_in",
    "opted_out",
];

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Many chats at once",
        "A rule calls a function of its own for every chat of the location that a filter finds, one after the other, at most 20 a second. \
         Each call is a run like any other: it has its own chat and state, and a mistake in one leaves the others alone. \
         When a chat's turn comes the filter is looked at again: who has answered meanwhile is left out, and so is a chat that somebody holds. \
         It survives restarts, waits for the end of quiet hours, and ends when the rule is switched off.",
    );
    api! { api;
        /// Calls a function for each chat that a filter finds.
        ///
        /// The filter is a map, and everything in it must hold: `tag` (a label), `tags` (all of these),
        /// `without_tag` (a label, or none of several), `silent_for` (the customer's last message is at
        /// least that old, or there is none), `spoke_within` (it is at most that old), `window`
        /// (`"open"` or `"closed"`), `language` (`"pt"` finds `"pt_BR"` too), `opted_in: true`,
        /// `opted_out: true`. `#{}` finds all. Who opted out is found by `opted_out: true` only.
        ///
        /// A last map, 8 KiB as JSON at most, is passed on, `fn nudge(chat, args)`. The same function
        /// asked for again waits until the first round is over. Chats that begin later are not visited.
        /// A function that is called this way cannot begin another round; five rounds a run at most.
        ///
        /// ```rhai
        /// every("0 9 * * MON-FRI", "morning_round");
        ///
        /// fn morning_round(location) {
        ///     location.each_chat(#{ tag: "lead", silent_for: "3d" }, "nudge");
        /// }
        ///
        /// fn nudge(chat) { chat.send(template("viewing_reminder", [chat.contact.name_or("there")])); }
        /// ```
        fn "location.each_chat(filter: map, handler: handler, args?: map)" =>
            |location: &mut LocationView, filter: Dynamic, handler: Dynamic| each_chat(location, &filter, &handler, None),
            |location: &mut LocationView, filter: Dynamic, handler: Dynamic, args: Map| each_chat(location, &filter, &handler, Some(&args));
    }
}

fn each_chat(
    location: &LocationView,
    filter: &Dynamic,
    handler: &Dynamic,
    args: Option<&Map>,
) -> Fallible<()> {
    let run = &location.0;
    if run.is_visit {
        return fail(
            "a function that each_chat calls cannot call each_chat: every chat would begin a round of its own",
        );
    }
    let Ok(filter) = filter.as_map_ref() else {
        return fail(format!(
            "a filter is a map, not {}; write for example #{{ tag: \"lead\", silent_for: \"3d\" }}",
            convert::describe(filter)
        ));
    };
    let Ok(name) = handler.as_immutable_string_ref() else {
        return fail(format!(
            "the name of a function is needed, in quotes as in \"nudge\", not {}",
            convert::describe(handler)
        ));
    };
    run.check_handler(&name)?;
    run.want_few(
        Effect::EachChat {
            filter: read(&filter)?,
            handler: name.as_str().to_owned(),
            args: super::timer::passed_on(args)?,
        },
        limits::FANOUTS,
        "call each_chat",
    )
}

fn read(map: &Map) -> Fallible<ChatFilter> {
    let mut filter = ChatFilter::default();
    let mut consent = None;
    for (key, value) in map {
        match key.as_str() {
            "tag" => filter.tags.push(text(value, "the tag of a filter")?),
            "tags" => filter.tags.extend(texts(value, "tags")?),
            "without_tag" if value.is_array() => {
                filter.without_tags.extend(texts(value, "without_tag")?);
            }
            "without_tag" => filter
                .without_tags
                .push(text(value, "the tag of a filter")?),
            "silent_for" => filter.silent_for = Some(span(value, "silent_for: \"3d\"")?),
            "spoke_within" => filter.spoke_within = Some(span(value, "spoke_within: \"1d\"")?),
            "window" => filter.window = Some(window(value)?),
            "language" => filter.language = Some(text(value, "the language of a filter")?),
            "opted_in" | "opted_out" => {
                let wanted = if key == "opted_in" {
                    Consent::OptedIn
                } else {
                    Consent::OptedOut
                };
                if !value.as_bool().unwrap_or(false) {
                    return fail(format!("{key} is written {key}: true, or left out"));
                }
                if consent.is_some_and(|earlier| earlier != wanted) {
                    return fail("nobody has opted in and out; write one of the two");
                }
                consent = Some(wanted);
            }
            other => check_key(other).or_else(fail)?,
        }
    }
    filter.consent = consent.unwrap_or_default();
    if filter.tags.len() + filter.without_tags.len() > limits::FILTER_TAGS {
        return fail(format!(
            "a filter names {} tags at most",
            limits::FILTER_TAGS
        ));
    }
    Ok(filter)
}

/// Refuses what a filter cannot name.
pub(in crate::script) fn check_key(key: &str) -> Result<(), String> {
    if KEYS.contains(&key) {
        return Ok(());
    }
    Err(match nearest(key, KEYS) {
        Some(near) => format!("a filter has no {key}; did you mean {near}?"),
        None => format!("a filter has no {key}; it may have {}", KEYS.join(", ")),
    })
}

fn texts(value: &Dynamic, key: &str) -> Fallible<Vec<String>> {
    let Ok(items) = value.as_array_ref() else {
        return fail(format!(
            "{key} is an array, as in {key}: [\"lead\", \"berlin\"], not {}",
            convert::describe(value)
        ));
    };
    let items: &Array = &items;
    items
        .iter()
        .map(|item| text(item, "the tag of a filter"))
        .collect()
}

fn window(value: &Dynamic) -> Fallible<WindowState> {
    let text = value.as_immutable_string_ref();
    match text.as_deref().map(rhai::ImmutableString::as_str) {
        Ok("open") => Ok(WindowState::Open),
        Ok("closed") => Ok(WindowState::Closed),
        _ => fail("window is \"open\" or \"closed\""),
    }
}
