//! What a line of a simulated chat asks for: something said, or a command that begins with a colon.
//! Does nothing; knows no world.

use rejoinder_engine::domain::time::Span;
use rejoinder_engine::script::nearest;
use serde_json::{Map, Value};

use super::thing::Thing;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    /// The customer writes.
    Say(String),
    /// The customer taps a button, by title, id or number.
    Tap(String),
    /// The customer picks a row of a list.
    Pick(String),
    /// The customer sends something else than text, with or without a text.
    Send(Thing, String),
    React(String),
    Edit(String),
    Revoke,
    Fill(Map<String, Value>),
    /// The owner answers from the phone.
    Owner(String),
    /// A person answers from the inbox.
    Agent(String),
    Wait(Span),
    /// A moment on the location's clocks, as written.
    Until(String),
    CloseWindow,
    /// The customer opens what has arrived.
    Read,
    /// The latest message turns out not to have arrived.
    Failed(String),
    /// The next message meets this.
    Fail(String),
    Endpoint(String, Endpoint),
    As(String),
    Who,
    Why,
    Reload,
    Help,
    Quit,
}

/// What an endpoint does when it is called.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Endpoint {
    /// It answers with this.
    Answers(Value),
    /// It does not answer, for this reason.
    Fails(String),
}

/// Every command: its name, what stands behind it, and what it does.
pub(super) const COMMANDS: [(&str, &str, &str); 22] = [
    ("tap", "Yes", "tap a button: its title, id or number"),
    ("pick", "Monday", "pick a row of a list"),
    (
        "send",
        "image [text]",
        "send image, video, document, voice, audio, sticker, location or contact",
    ),
    ("react", "👍", "react to the latest message"),
    ("edit", "new text", "change your latest message"),
    ("revoke", "", "delete your latest message for everyone"),
    ("fill", "email=ada@example.com", "complete the latest form"),
    ("owner", "text", "the owner answers from the phone"),
    ("agent", "text", "a person answers from the inbox"),
    ("wait", "2d", "let time pass"),
    (
        "until",
        "2026-03-30 09:00",
        "let time pass, up to a moment on the location's clocks",
    ),
    (
        "close-window",
        "",
        "the provider shuts the service window early, without a word",
    ),
    (
        "status",
        "read | failed 131047",
        "the customer reads; or the latest message turns out lost",
    ),
    ("fail", "unreachable", "the next message meets this"),
    (
        "endpoint",
        "crm {\"id\": 7}",
        "what an endpoint answers from now on; or unreachable, timeout, too_large",
    ),
    ("as", "Ben", "be another customer"),
    ("who", "", "what is known of the customer, and what is due"),
    ("why", "", "what the last event made of every rule, in full"),
    ("reload", "", "read the rules again"),
    ("help", "", "this list"),
    ("quit", "", "leave, like Ctrl-D"),
    (":", "text", "say something that begins with a colon"),
];

/// Reads a line; an empty one asks for nothing.
pub(super) fn read(line: &str) -> Result<Option<Command>, String> {
    let line = line.trim();
    let is_command = line
        .strip_prefix(':')
        .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_alphabetic()));
    if line.is_empty() {
        return Ok(None);
    }
    if !is_command {
        let said = line
            .strip_prefix("::")
            .map_or(line.to_owned(), |rest| format!(":{rest}"));
        return Ok(Some(Command::Say(said)));
    }
    let (name, rest) = split(&line[1..]);
    let some = |make: fn(String) -> Command| {
        if rest.is_empty() {
            Err(usage(name))
        } else {
            Ok(make(rest.to_owned()))
        }
    };
    let alone = |command: Command| {
        if rest.is_empty() {
            Ok(command)
        } else {
            Err(format!("nothing stands behind :{name}"))
        }
    };
    let command = match name {
        "tap" => some(Command::Tap),
        "pick" => some(Command::Pick),
        "send" => send(rest),
        "react" => some(Command::React),
        "edit" => some(Command::Edit),
        "revoke" => alone(Command::Revoke),
        "fill" => fill(rest).map(Command::Fill),
        "owner" => some(Command::Owner),
        "agent" => some(Command::Agent),
        "wait" => match rest {
            "" => Err(usage(name)),
            rest => Span::parse(rest)
                .map(Command::Wait)
                .map_err(|error| error.to_string()),
        },
        "until" => some(Command::Until),
        "close-window" => alone(Command::CloseWindow),
        "status" => status(rest),
        "fail" => some(Command::Fail),
        "endpoint" => endpoint(rest),
        "as" => some(Command::As),
        "who" => alone(Command::Who),
        "why" => alone(Command::Why),
        "reload" => alone(Command::Reload),
        "help" => alone(Command::Help),
        "quit" => alone(Command::Quit),
        unknown => Err(missing(unknown)),
    };
    command.map(Some)
}

/// The first word, and the rest.
fn split(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (first, rest.trim())
}

fn usage(name: &str) -> String {
    let known = COMMANDS.iter().find(|(known, ..)| *known == name);
    let example = known.map_or("", |(_, example, _)| example);
    format!("something is missing; write for example :{name} {example}")
}

fn missing(name: &str) -> String {
    let names = COMMANDS.iter().map(|(name, ..)| *name);
    match nearest(name, names) {
        Some(near) => format!("there is no command :{name}; did you mean :{near}?"),
        None => format!(
            "there is no command :{name}; :help shows what there is, and ::{name} is said as it stands"
        ),
    }
}

fn send(rest: &str) -> Result<Command, String> {
    let (word, text) = split(rest);
    let mut things = Thing::ALL.iter();
    if let Some((_, thing)) = things.find(|(name, _)| *name == word) {
        return Ok(Command::Send(*thing, text.to_owned()));
    }
    let names = || Thing::ALL.iter().map(|(name, _)| *name);
    Err(match nearest(word, names()) {
        Some(near) => format!("there is no {word} to send; did you mean {near}?"),
        None => format!(
            "what is sent is one of {}",
            names().collect::<Vec<_>>().join(", ")
        ),
    })
}

fn status(rest: &str) -> Result<Command, String> {
    match split(rest) {
        ("read", "") => Ok(Command::Read),
        ("failed", failure) if !failure.is_empty() => Ok(Command::Failed(failure.to_owned())),
        _ => Err("write :status read, or :status failed 131047, or :status failed unreachable; that a message was sent and delivered is told by itself".to_owned()),
    }
}

fn endpoint(rest: &str) -> Result<Command, String> {
    let (name, answer) = split(rest);
    if answer.is_empty() {
        return Err(usage("endpoint"));
    }
    let is_word = answer
        .chars()
        .all(|letter| letter.is_ascii_lowercase() || letter == '_');
    let done = match serde_json::from_str(answer) {
        Ok(body) => Endpoint::Answers(body),
        Err(_) if is_word => Endpoint::Fails(answer.to_owned()),
        Err(error) => {
            return Err(format!(
                "what {name} answers is JSON, such as {{\"id\": 7}}: {error}"
            ));
        }
    };
    Ok(Command::Endpoint(name.to_owned(), done))
}

/// Answers of a form: `guests=2 name="Ada B"`. What reads as a number or true or false is one.
fn fill(rest: &str) -> Result<Map<String, Value>, String> {
    let mut answers = Map::new();
    for word in words(rest) {
        let Some((key, value)) = word.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(format!("'{word}' is no answer; write for example guests=2"));
        };
        let read = match value.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
            Some(text) => Value::from(text),
            None => serde_json::from_str(value)
                .ok()
                .filter(|value: &Value| value.is_number() || value.is_boolean())
                .unwrap_or_else(|| Value::from(value)),
        };
        answers.insert(key.to_owned(), read);
    }
    if answers.is_empty() {
        return Err(usage("fill"));
    }
    Ok(answers)
}

/// The words of a text; what stands in double quotes is not taken apart.
fn words(text: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let words = text.split(move |letter: char| {
        is_quoted ^= letter == '"';
        letter.is_whitespace() && !is_quoted
    });
    words.filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_said_and_a_colon_before_a_word_makes_it_a_command() {
        let said = |text: &str| Ok(Some(Command::Say(text.to_owned())));
        assert_eq!(read(" What is the price? "), said("What is the price?"));
        assert_eq!(read(":-) thanks"), said(":-) thanks"));
        assert_eq!(read("::D"), said(":D"));
        assert_eq!(read("  "), Ok(None));
        assert_eq!(
            read(":tap  Yes, please"),
            Ok(Some(Command::Tap("Yes, please".to_owned())))
        );
        assert_eq!(read(":wait 2d"), Ok(Some(Command::Wait(Span::days(2)))));
        assert_eq!(
            read(":send image like this"),
            Ok(Some(Command::Send(Thing::Image, "like this".to_owned())))
        );
        assert_eq!(
            read(":endpoint crm {\"id\": 7}"),
            Ok(Some(Command::Endpoint(
                "crm".to_owned(),
                Endpoint::Answers(json!({"id": 7}))
            )))
        );
        assert_eq!(
            read(":endpoint crm timeout"),
            Ok(Some(Command::Endpoint(
                "crm".to_owned(),
                Endpoint::Fails("timeout".to_owned())
            )))
        );
    }

    #[test]
    fn answers_of_a_form_are_texts_numbers_and_truths() {
        let filled = read(":fill name=\"Ada B\" guests=2 vegan=true email=a@b.c zip=\"01234\"");
        let wanted =
            json!({"name": "Ada B", "guests": 2, "vegan": true, "email": "a@b.c", "zip": "01234"});
        let Ok(Some(Command::Fill(answers))) = filled else {
            panic!("{filled:?}");
        };
        assert_eq!(Value::from(answers), wanted);
    }

    #[test]
    fn what_makes_no_sense_is_answered_by_what_does() {
        for (line, part) in [
            (":tpa Yes", "did you mean :tap?"),
            (":dance", ":help shows what there is"),
            (":tap", "write for example :tap Yes"),
            (":wait two days", "is not a duration"),
            (":send picture", "one of image, video"),
            (":send vidoe", "did you mean video?"),
            (":status delivered", "told by itself"),
            (":fill email", "guests=2"),
            (":endpoint crm {id}", "is JSON"),
            (":why not", "nothing stands behind :why"),
        ] {
            let told = read(line).expect_err(line);
            assert!(told.contains(part), "{line}: {told}");
        }
    }

    #[test]
    fn every_command_of_the_list_is_understood() {
        for (name, example, _) in COMMANDS {
            let example = example.split(" | ").next().unwrap_or_default();
            let example = example.replace("[text]", "text");
            let line = format!(":{name} {example}");
            assert!(matches!(read(&line), Ok(Some(_))), "{line}");
        }
    }
}
