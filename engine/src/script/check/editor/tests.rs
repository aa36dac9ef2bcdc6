//! What an editor is offered at `|`, and what it is told about a word.

use super::{Completion, Hover};
use crate::script::{KnownTemplates, ScriptHost, Surroundings};

fn host() -> ScriptHost {
    ScriptHost::builder()
        .function("vat", 1, |_| Ok(serde_json::Value::Null))
        .build()
}

fn around() -> Surroundings {
    Surroundings {
        templates: KnownTemplates::Unasked,
        language: None,
        endpoints: Some(vec!["crm".into()]),
        vars: Some(vec!["phone".into(), "price".into()]),
    }
}

/// The script without its mark, and where that stood.
fn marked(source: &str) -> (String, (u32, u32)) {
    let (before, after) = source.split_once('|').expect("a mark");
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |line| line.chars().count())
        + 1;
    let number = |n: usize| u32::try_from(n).expect("a short script");
    (format!("{before}{after}"), (number(line), number(column)))
}

fn offered(source: &str) -> Vec<Completion> {
    let (source, position) = marked(source);
    host().complete(&source, position, &around())
}

fn labels(source: &str) -> Vec<String> {
    offered(source)
        .into_iter()
        .map(|offer| offer.label)
        .collect()
}

fn in_handler(body: &str) -> String {
    format!(
        "const LIMIT = 5;\n\nfn on_message(chat, message) {{\n    {body}\n}}\n\nfn nudge(chat) {{}}\n"
    )
}

fn told(source: &str) -> Option<Hover> {
    let (source, position) = marked(source);
    host().hover(&source, position, &around())
}

#[test]
fn after_a_dot_stands_what_belongs_to_the_value() {
    for (body, is_offered, is_not) in [
        ("chat.|", "reply", "tag"),
        ("chat.re|", "reply", "send"),
        ("chat.re|ly(\"x\");", "reply", "send"),
        ("chat.contact.|", "tag", "reply"),
        ("chat?.contact.|", "tag", "reply"),
        (
            "chat.window.|\n    chat.reply(\"é\");",
            "closes_at",
            "reply",
        ),
        ("let now = now(); now.|", "weekday", "reply"),
        ("chat.reply(`Hi ${chat.contact.|", "name_or", "reply"),
        ("message.text.|", "split", "push"),
        ("for tag in chat.contact.tags.|", "len", "split"),
        ("chat.location.vars.|", "phone", "keys"),
        ("if message.text.len().|", "to_float", "split"),
    ] {
        let found = labels(&in_handler(body));
        assert!(
            found.iter().any(|label| label == is_offered),
            "{body}: {found:?}"
        );
        assert!(
            !found.iter().any(|label| label == is_not),
            "{body}: {found:?}"
        );
    }
}

#[test]
fn a_parameter_is_known_by_its_name_and_by_who_calls_its_function() {
    assert!(labels("fn helper(chat) { chat.| }").contains(&"reply".into()));
    let follow_up = "fn on_message(c, m) { c.after(\"1h\", \"later\"); m.| }\nfn later(it) { }";
    assert!(labels(follow_up).contains(&"mentions".into()));
    let follow_up = "fn on_message(c, m) { c.after(\"1h\", \"later\"); }\nfn later(it) { it.| }";
    assert!(labels(follow_up).contains(&"reply".into()));
    assert!(labels("fn helper(thing) { thing.| }").is_empty());
}

#[test]
fn a_word_begins_with_what_may_be_called_or_read() {
    let found = labels(&in_handler("let price = 5; |"));
    for name in [
        "chat", "message", "price", "LIMIT", "nudge", "image", "now", "stop", "vat",
    ] {
        assert!(found.iter().any(|label| label == name), "{name}: {found:?}");
    }
    for name in ["on_message", "every", "reply"] {
        assert!(
            !found.iter().any(|label| label == name),
            "{name}: {found:?}"
        );
    }
    assert!(labels(&in_handler("let |")).is_empty());
}

#[test]
fn at_the_top_stand_the_handlers_that_are_missing() {
    let found = offered("fn on_message(chat, message) {}\n\non|");
    let echo = found.iter().find(|offer| offer.label == "on_echo");
    assert_eq!(
        echo.expect("on_echo").insert,
        "fn on_echo(chat, message) {\n    \n}"
    );
    assert!(!found.iter().any(|offer| offer.label == "on_message"));
    assert!(labels("ev|").contains(&"every".into()));
    assert!(labels("fn on_st|").contains(&"on_status".into()));
}

#[test]
fn between_quotes_stand_names() {
    assert_eq!(labels(&in_handler("chat.if_silent(\"2d\", \"|")), ["nudge"]);
    assert_eq!(
        labels(&in_handler("chat.if_silent(\"2d\", \"nu|\");")),
        ["nudge"]
    );
    assert_eq!(
        labels(&in_handler("chat.reply(list(chat.contact.|")),
        labels(&in_handler("chat.contact.|"))
    );
    assert!(labels(&in_handler("log(nu|")).contains(&"nudge".into()));
    assert_eq!(labels(&in_handler("chat.cancel(\"|\");")), ["nudge"]);
    assert_eq!(
        labels("every(\"0 9 * * MON\", \"|\");\nfn week(location) {}"),
        ["week"]
    );
    assert_eq!(labels(&in_handler("chat.request(\"|\", #{});")), ["crm"]);
    for body in [
        "chat.reply(\"|\");",
        "log(\"nu|\");",
        "// chat.|",
        "`chat.|`",
        "/* chat.| */",
    ] {
        assert!(labels(&in_handler(body)).is_empty(), "{body}");
    }
}

#[test]
fn a_call_without_values_is_finished_and_a_property_has_no_brackets() {
    let insert = |label: &str| {
        let found = offered(&in_handler("chat.|"));
        let offer = found.into_iter().find(|offer| offer.label == label);
        offer.map(|offer| offer.insert)
    };
    assert_eq!(insert("reply").as_deref(), Some("reply("));
    assert_eq!(insert("typing").as_deref(), Some("typing()"));
    assert_eq!(insert("contact").as_deref(), Some("contact"));
}

#[test]
fn a_word_tells_what_it_means() {
    for (body, words) in [
        ("chat.re|ply(\"x\");", "chat.reply(content: text|content"),
        ("chat.contact.t|ag(\"x\");", "chat.contact.tag(tag: text)"),
        ("let a = now().hour|;", "time.hour: integer"),
        ("cha|t.reply(\"x\");", "chat: chat"),
        (
            "chat.reply(ima|ge(\"https://example.com\"));",
            "image(url: text",
        ),
        ("chat.cancel(\"nud|ge\");", "fn nudge(chat)"),
        ("va|t(5);", "A function of this installation."),
    ] {
        let hover = told(&in_handler(body)).unwrap_or_else(|| panic!("{body}"));
        assert!(hover.contents.contains(words), "{body}: {}", hover.contents);
    }
    let own = "// Says hello.\n// Once.\nfn hel|lo(chat) {}";
    assert_eq!(
        told(own).map(|hover| hover.contents).as_deref(),
        Some("```rhai\nfn hello(chat)\n```\n\nSays hello.\nOnce.")
    );
    assert!(
        told("fn on_mess|age(chat, message) {}")
            .is_some_and(|hover| hover.contents.contains("wrote"))
    );
    for body in ["// chat.re|ply", "retu|rn;", "thing.nothing|;"] {
        assert_eq!(told(&in_handler(body)), None, "{body}");
    }
    let hover = told(&in_handler("chat.re|ply(\"x\");")).expect("a word");
    assert_eq!((hover.line, hover.column, hover.end_column), (4, 10, 15));
}

#[test]
fn any_place_of_any_text_is_harmless() {
    let source =
        in_handler("chat.reply(`Hi ${message.text}`, #{ a: [1, \"é\"] }.x); /* ü */ chat.\"");
    for line in 0..12 {
        for column in (0..90).step_by(3) {
            host().complete(&source, (line, column), &around());
            host().hover(&source, (line, column), &around());
        }
    }
}

#[test]
fn a_script_built_to_be_slow_is_answered_all_the_same() {
    let many = |part: &str| part.repeat(60_000 / part.len());
    for source in [
        many("("),
        many("a."),
        many("a("),
        many("fn a(){a()}"),
        many("fn on_message(a,b){let x = a; x.y; c.after(\"1h\",\"d\");}"),
        many("let a = a;"),
        many("\"${"),
        many("`${"),
        many("{"),
        many("|a|"),
    ] {
        let started = std::time::Instant::now();
        for position in [(1, 1), (1, 30_000), (1, 60_001)] {
            host().complete(&source, position, &around());
            host().hover(&source, position, &around());
        }
        let took = started.elapsed();
        assert!(took.as_secs() < 10, "{}…: {took:?}", &source[..20]);
    }
}
