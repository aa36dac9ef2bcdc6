//! `rejoinder simulate`: scripts of chats beside their transcripts, byte for byte, and what it refuses.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The program that `tests/run` builds.
fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("debug")
        .join("rejoinder")
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("simulate")
        .join(name)
}

fn begin(folder: &Path, words: &[&str]) -> Child {
    Command::new(program())
        .env_clear()
        .current_dir(folder)
        .arg("simulate")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs; is it built?")
}

/// Chats with the rules of a folder, by lines that come through a pipe.
fn chat(folder: &Path, words: &[&str], lines: &str) -> Output {
    let mut child = begin(folder, words);
    let mut stdin = child.stdin.take().expect("a pipe");
    // Whoever does not begin does not read either.
    let _ = stdin.write_all(lines.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn shown(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// Compares what a chat shows with the transcript beside its script; `UPDATE=1` writes it anew.
fn check(name: &str, words: &[&str]) -> Output {
    let folder = folder(name);
    let lines = fs::read_to_string(folder.join(format!("{name}.txt"))).expect("a script");
    let output = chat(&folder, words, &lines);
    let transcript = shown(&output);
    for line in transcript.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.contains('\u{1b}'), "no colour in a pipe: {line}");
    }
    let beside = folder.join(format!("{name}.out"));
    #[expect(clippy::disallowed_methods, reason = "the test's own switch")]
    if std::env::var("UPDATE").is_ok() {
        fs::write(&beside, &transcript).expect("written");
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    assert_eq!(transcript, expected, "if that is right, run with UPDATE=1");
    output
}

const SILENCE: [&str; 4] = ["hours.rhai", "silence.rhai", "--at", "2026-03-27 17:55"];

#[test]
fn a_customer_falls_silent_before_a_weekend_a_change_of_clocks_and_easter() {
    let output = check("silence", &SILENCE);
    assert!(output.status.success());
}

#[test]
fn everything_that_a_customer_and_those_around_them_can_do() {
    let output = check("phone", &[]);
    assert_eq!(output.status.code(), Some(1), "some lines make no sense");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("lines could not be followed"), "{told}");
}

#[test]
fn a_file_of_lines_reads_like_a_pipe() {
    let folder = folder("silence");
    let by_pipe = chat(&folder, &SILENCE, "What is the price?\n:wait 1d\n");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "What is the price?\r\n\r\n:wait 1d").expect("written");
    let script = file.path().to_str().expect("a name");
    let by_file = chat(&folder, &[&SILENCE[..], &["--script", script]].concat(), "");
    assert!(by_file.status.success());
    assert_eq!(shown(&by_pipe), shown(&by_file));
    assert!(shown(&by_file).contains("Sat 28 Mar 17:24  → Ada: "));
}

#[test]
fn rules_are_read_again_and_a_mistake_keeps_the_old_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let rule = folder.path().join("greet.rhai");
    let write = |text: &str| fs::write(&rule, text).expect("written");
    write("fn on_message(chat, message) { chat.reply(\"One\"); }");
    let mut child = begin(folder.path(), &["--zone", "Asia/Kolkata"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut all = String::new();
    // Says something and reads on until all of these were shown, in this order.
    let mut say = |text: &str, parts: &[&str]| {
        writeln!(stdin, "{text}").expect("it listens");
        for part in parts {
            let mut line = String::new();
            while !line.contains(part) {
                line.clear();
                let read = reader.read_line(&mut line).expect("a line");
                all.push_str(&line);
                assert!(read > 0, "'{part}' is not in: {all}");
            }
        }
    };
    say("hello", &["Asia/Kolkata · rules: greet.rhai", "→ Ada: One"]);
    write("fn on_message(chat, message) { chat.replay(\"Two\"); }");
    say(":reload", &["greet.rhai:1:37: error:", "ones stay"]);
    say("hello", &["→ Ada: One"]);
    write("fn on_message(chat, message) { chat.reply(\"Three\"); }");
    let more = folder.path().join("more.rhai");
    fs::write(more, "fn on_echo(chat, message) {}").expect("written");
    say(":reload", &["read again"]);
    let idle = "more.rhai did not act: no function for this";
    say("hello", &[idle, "→ Ada: Three"]);
    fs::remove_file(&rule).expect("gone");
    say(":reload", &["read again"]);
    say("hello", &["Ada> hello", idle]);
    say(":quit", &[":quit"]);
    assert_eq!(
        child.wait().expect("it ends").code(),
        Some(1),
        "one mistake"
    );
}

#[test]
fn what_cannot_begin_says_why() {
    let empty = tempfile::tempdir().expect("a folder");
    for (words, part) in [
        (&[][..], "there are no scripts here"),
        (&["no.rhai"][..], "there is no file or folder 'no.rhai'"),
    ] {
        let output = chat(empty.path(), words, "");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(part), "{told}");
    }
    for (words, part) in [
        (["--at", "tomorrow"], "--at \"2026-03-27 17:55\""),
        (["--zone", "Berlin"], "Berlin"),
        (["--location", "nowhere.toml"], "nowhere.toml"),
        (["--script", "nothing.txt"], "nothing.txt cannot be read"),
    ] {
        let output = chat(&folder("silence"), &words, "");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(part), "{told}");
    }
}
