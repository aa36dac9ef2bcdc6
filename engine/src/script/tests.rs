//! Scripts as tenants write them, and as attackers do. Each `cases/*.rhai` names its events in
//! comments `//> …` and has what comes of them beside it; `UPDATE=1` rewrites that.

mod examples;
mod world;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::world::World;
use super::{RunOutput, Script, ScriptHost};

fn compile(source: &str) -> Script {
    let compiled = ScriptHost::new().compile(source);
    compiled.unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn shown(output: &RunOutput) -> String {
    let mut text = String::new();
    for line in &output.trace {
        writeln!(text, "  trace {}: {}", line.line, line.text).expect("a string takes it");
    }
    match &output.result {
        Ok(effects) => {
            for effect in effects {
                let json = serde_json::to_string(effect).expect("effects are data");
                writeln!(text, "  {json}").expect("a string takes it");
            }
        }
        Err(failure) => {
            writeln!(
                text,
                "  error {}:{}: {}",
                failure.line, failure.column, failure.message
            )
            .expect("a string takes it");
        }
    }
    if let Some(state) = &output.state {
        writeln!(text, "  state {}", Value::Object(state.clone())).expect("a string takes it");
    }
    if output.stopped {
        text.push_str("  stopped\n");
    }
    text
}

fn outcome(source: &str) -> String {
    let mut world = World::new();
    let script = match world.host.compile(source) {
        Ok(script) => script,
        Err(problems) => {
            let lines = problems
                .iter()
                .map(|problem| format!("refused {problem}\n"));
            return lines.collect();
        }
    };
    let mut text = String::new();
    for every in script.schedules() {
        writeln!(text, "every {} {}", every.cron.text(), every.handler).expect("a string takes it");
    }
    if script.even_when_held() {
        text.push_str("even when held\n");
    }
    for template in script.templates() {
        writeln!(text, "names template {template}").expect("a string takes it");
    }
    for event in source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("//> "))
    {
        let output = world.play(&script, event);
        writeln!(text, "{event}\n{}", shown(&output).trim_end()).expect("a string takes it");
    }
    text
}

#[test]
fn every_case_comes_out_as_written_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/script/cases");
    #[expect(clippy::disallowed_methods, reason = "the test's own switch")]
    let update = std::env::var_os("UPDATE").is_some();
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rhai"))
        .collect();
    paths.sort();
    assert!(paths.len() > 5, "cases are missing");
    for path in paths {
        let source = std::fs::read_to_string(&path).expect("a script");
        let started = Instant::now();
        let found = outcome(&source);
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{} is slow",
            path.display()
        );
        assert_eq!(
            found,
            outcome(&source),
            "{} differs when repeated",
            path.display()
        );
        let beside = path.with_extension("out");
        if update {
            std::fs::write(&beside, &found).expect("a place to write");
        }
        let wanted = std::fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(found, wanted, "{}", path.display());
    }
}

#[test]
fn what_is_remembered_comes_back_as_it_went_in() {
    let script = compile(
        r##"
        const KEEP = #{ list: [1, 2.5, "x", true, ()], map: #{ "$time": "mine" } };
        fn on_message(chat, message) {
            if "at" in chat.state {
                log(chat.state.at == now(), chat.state.span == duration("90m"), chat.state.keep == KEEP);
                log(type_of(chat.state.at));
            } else {
                chat.state.at = now();
                chat.state.span = duration("90m");
                chat.state.keep = KEEP;
            }
        }"##,
    );
    let mut world = World::new();
    let first = world.play(&script, "message one");
    assert_eq!(first.result, Ok(Vec::new()));
    let second = world.play(&script, "message two");
    assert_eq!(second.trace[0].text, "true true true");
    assert_eq!(second.state, None, "nothing changed");
}

#[test]
fn a_script_says_what_it_defines() {
    let script = compile(
        "fn on_message(chat, message) { log(chat.history(2)); } fn nudge(chat) {} fn add(a, b, c) { a + b + c }",
    );
    assert!(script.defines("nudge") && !script.defines("on_echo"));
    assert_eq!(
        script.handlers().collect::<Vec<_>>(),
        ["on_message", "nudge"]
    );
    assert_eq!(script.history_lines(), 50);
    assert_eq!(compile("fn nudge(chat) {}").history_lines(), 0);
}

#[test]
fn a_run_of_an_ordinary_rule_is_quick() {
    let source = include_str!("cases/example_price.rhai");
    let mut world = World::new();
    let script = world.host.compile(source).expect("the example compiles");
    world.play(&script, "message What is the PRICE?");
    let started = Instant::now();
    for _ in 0..1_000 {
        world.play(&script, "message What is the PRICE?");
    }
    let each = started.elapsed() / 1_000;
    // Ten microseconds when optimised; tests are not, and share the machine.
    assert!(each < Duration::from_millis(2), "{each:?}");
    println_in_tests(&format!("one run: {each:?}"));
}

#[expect(clippy::print_stderr, reason = "a figure to read with --nocapture")]
fn println_in_tests(text: &str) {
    eprintln!("{text}");
}

#[test]
fn hostile_scripts_end_in_an_error_quickly_on_a_small_stack() {
    for body in [
        "loop {}",
        "let s = \"a\"; loop { s += s; }",
        "let s = \"a\"; s.pad(60000, \"a\"); s.replace(\"a\", s);",
        "let s = \"a\"; s.pad(60000, \"a\"); s.replace(\"\", s);",
        "let a = []; for i in 0..2000 { a = [a]; } log(a);",
        "let a = []; for i in 0..2000 { a = [a]; } `${a}`;",
        "let m = #{}; for i in 0..60 { m[\"k\" + i] = m; }",
        "let a = [1]; for i in 0..60 { a.push(a); }",
        "let a = [1]; loop { a += a; }",
        "let m = #{}; let big = \"a\"; big.pad(60000, \"b\"); for i in 0..5000 { m[\"k\" + i] = big + i; }",
        "let m = #{}; m.f = || m; chat.state.m = m;",
        "let m = 1; m = #{ f: || m }; m.f = m;",
        "chat.state.f = |x| x;",
        "f(0);",
        "for i in 0..2000 { chat.reply(\"x\"); }",
        "let a = []; a.pad(1000000000, 0);",
        "sleep(5);",
        "let big = \"a\"; big.pad(60000, \"b\"); for i in 0..100 { chat.state[\"k\" + i] = big; }",
        "chat.state.n = 0.0 / 0.0;",
        "chat.state.r = 0..3;",
        "message.matches(\"(a{1000}){1000}\");",
        "let a = []; for i in 0..2000 { a.push(i); } let b = []; for i in 0..2000 { b.push(a); }",
        "throw \"no\";",
        "for i in 0..1000000000 { let x = [1, 2, 3]; }",
        "try { loop {} } catch { loop {} }",
        "[1, 2].map(|x| g(x));",
        "let x = 1; [1, 2].map(|y| x + y);",
    ] {
        let source = format!(
            "fn on_message(chat, message) {{ {body} }} fn f(n) {{ f(n + 1) }} fn g(x) {{ [1].map(|y| g(y)) }}"
        );
        let run = move || {
            let mut world = World::new();
            let script = compile(&source);
            let started = Instant::now();
            let output = world.play(&script, "message aaaa");
            let failure = output.result.expect_err(&source);
            assert!(
                failure.line > 0 || failure.message.starts_with("chat.state"),
                "{failure:?}"
            );
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "{source}: {:?}",
                started.elapsed()
            );
            (failure, output.state)
        };
        let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
        let (failure, state) = thread.spawn(run).expect("a thread").join().expect(body);
        assert_eq!(state, None);
        println_in_tests(&format!(
            "{body}\n    {}:{}: {}",
            failure.line, failure.column, failure.message
        ));
    }
}

#[test]
fn sources_built_to_break_the_parser_are_refused_or_harmless() {
    let many = |part: &str, count: usize| part.repeat(count);
    let bodies = [
        many("(", 30_000),
        many("[", 30_000),
        many("-", 30_000),
        many("!", 30_000),
        many("#{a:", 15_000),
        many("`${", 20_000),
        many("{", 30_000),
        many("|x|", 15_000),
        format!("let x = 1; x{};", many(".y", 30_000)),
        format!("let x = [1]; x{};", many("[0]", 20_000)),
        format!("let x = 1{};", many("+1", 30_000)),
        format!("let x = 1{};", many("**1", 20_000)),
        format!("let x = 1{};", many("??1", 20_000)),
        format!("let x = true{};", many("&&true", 10_000)),
        format!("let x = 1; x{};", many(".f()", 15_000)),
        format!("if false {{}} {}", many("else if false {} ", 3_500)),
        format!("switch 1 {{ {} }}", many("1=>1,", 12_000)),
        format!(
            "switch 1 {{ {} }}",
            (0..999).map(|i| format!("{i}=>1,")).collect::<String>()
        ),
        many("let a = 1;", 6_000),
        many("/*", 30_000),
        many("\"\\", 30_000),
        many("try{", 15_000),
        many("while true {", 5_000),
    ];
    for body in bodies {
        let shown: String = body.chars().take(40).collect();
        let source = format!("fn on_message(chat, message) {{ {body} }}");
        let run = move || {
            let started = Instant::now();
            let mut world = World::new();
            let compiled = world.host.compile(&source);
            if let Ok(script) = &compiled {
                world.play(script, "message x");
            }
            (compiled.err(), started.elapsed())
        };
        let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
        let (refused, took) = thread.spawn(run).expect("a thread").join().expect(&shown);
        println_in_tests(&format!("{took:?} {shown} {refused:?}"));
        assert!(took < Duration::from_secs(5), "{shown}: {took:?}");
    }
}
