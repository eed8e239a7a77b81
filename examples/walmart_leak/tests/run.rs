//! Runs the program as a user does, and checks its output and its exit status.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_walmart_leak");

const A_SCRIPT: &str =
    "a JavaScript file that declares the functions onConnection, onRequest, onResponse and onClose";

/// The program, without the variable `HANDLEGUARD` of the user who runs the tests.
fn program(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_remove("HANDLEGUARD");
    command
}

/// Runs the program to its end. Its output is shown if the test fails.
fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    println!("{command:?}: {}", output.status);
    println!("stdout:\n{}", String::from_utf8_lossy(&output.stdout));
    println!("stderr:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn events(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect()
}

/// The events with that message.
fn named<'a>(events: &'a [Value], message: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["message"] == message)
        .collect()
}

/// The only event with that message.
fn the<'a>(events: &'a [Value], message: &str) -> &'a Value {
    match named(events, message)[..] {
        [event] => event,
        ref other => panic!("{} events `{message}`, not one", other.len()),
    }
}

fn script(name: &str, source: &str) -> String {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, source).expect("a script is written");
    file.to_str().expect("a path in Unicode").to_owned()
}

/// The line of `source` that holds `text`, counted from 1.
fn line_of(source: &str, text: &str) -> usize {
    let found = source.lines().position(|line| line.contains(text));
    found.expect("the source holds it") + 1
}

fn assert_rejected(output: &Output, line: &str) {
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("{line}\n"));
}

#[test]
#[cfg(any(debug_assertions, feature = "enabled"))]
fn the_bug_is_one_site_counted_once_for_each_closed_connection() {
    let output = run(&mut program(&[
        "--phase",
        "bug",
        "--seconds",
        "2",
        "--json",
        "--check",
    ]));
    assert_eq!(output.status.code(), Some(1));
    let events = events(&output);
    assert!(events.iter().all(|event| {
        let target = event["target"].as_str();
        target == Some("walmart_leak") || target == Some("handleguard")
    }));

    let verdict = the(&events, "verdict");
    let closed = verdict["closed"].as_u64().expect("a number");
    assert!(closed > 0);
    assert_eq!(verdict["violations"], closed);
    assert_eq!(verdict["sites"], 1);
    assert_eq!(verdict["errors"], 0);
    let handles = verdict["handles"].as_u64().expect("a number");
    assert!(handles > 0, "the bug leaks");
    assert_eq!(handles % closed, 0, "a whole number of handles each");

    let all: Vec<&Value> = named(&events, "site")
        .into_iter()
        .filter(|site| site["part"] == "in all")
        .collect();
    let [site] = all[..] else {
        panic!("{} sites, not one", all.len());
    };
    assert_eq!(site["rule"], "missing-scope");
    assert_eq!(site["count"], closed);
    assert_eq!(site["handles"], handles, "all growth is this site's");
    assert!(site["callback"].as_str().unwrap().contains("`on_close`"));
    assert!(site["callee"].as_str().unwrap().starts_with("onClose ("));
    assert!(
        site["opener"]
            .as_str()
            .unwrap()
            .contains("`walmart_leak::main`")
    );

    let logged: Vec<&Value> = events
        .iter()
        .filter(|event| event["target"] == "handleguard" && event["level"] == "ERROR")
        .collect();
    assert_eq!(logged.len(), 1, "handleguard logs the site once");
    assert_eq!(logged[0]["rule"], "missing-scope");
}

#[test]
#[cfg(any(debug_assertions, feature = "enabled"))]
fn the_fix_is_clean_and_grows_by_nothing() {
    let output = run(&mut program(&[
        "--phase",
        "fixed",
        "--seconds",
        "2",
        "--json",
        "--check",
    ]));
    assert_eq!(output.status.code(), Some(0));
    let events = events(&output);
    let verdict = the(&events, "verdict");
    assert!(verdict["closed"].as_u64() > Some(0));
    assert_eq!(verdict["handles"], 0);
    assert_eq!(verdict["violations"], 0);
    assert_eq!(verdict["errors"], 0);
    assert!(named(&events, "site").is_empty());
    let handles = |sample: &Value| sample["handles"].as_u64().expect("a number");
    let samples = named(&events, "sample");
    assert!(samples.len() > 1);
    assert!(
        samples
            .iter()
            .all(|sample| handles(sample) == handles(samples[0]))
    );
}

#[test]
#[cfg(any(debug_assertions, feature = "enabled"))]
fn without_arguments_both_phases_run_over_10_000_connections_each() {
    let output = run(&mut program(&[]));
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, verdict) = text.split_once("\nverdict:\n").expect("a verdict");
    let [bug, fixed] = verdict.lines().collect::<Vec<_>>()[..] else {
        panic!("not two lines: {verdict}");
    };
    let closed = |line: &str, phase: &str| -> u64 {
        let rest = line.trim_start().strip_prefix(phase).expect("its phase");
        let number = rest.split_whitespace().next().expect("a number");
        number.parse().expect("a number")
    };
    assert!(closed(bug, "bug:") >= 10_000);
    assert!(bug.ends_with(&format!("; {} violations at 1 site", closed(bug, "bug:"))));
    assert!(closed(fixed, "fixed:") >= 10_000);
    assert!(fixed.ends_with(
        "        0 handles left: 0 handles a closed connection; 0 violations at 0 sites"
    ));
}

#[cfg(unix)]
#[test]
#[cfg(any(debug_assertions, feature = "enabled"))]
fn abort_dies_at_the_first_close_and_names_both_places() {
    use std::os::unix::process::ExitStatusExt;
    const SIGABRT: i32 = 6;

    let output = run(program(&["--phase", "bug"]).env("HANDLEGUARD", "abort"));
    assert_eq!(output.status.signal(), Some(SIGABRT));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let close = line_of(include_str!("../src/close.rs"), "make_callback(");
    let main = line_of(include_str!("../src/main.rs"), "scope!(let scope, isolate)");
    for part in [
        "handleguard: missing-scope: callback `on_close` at ",
        &format!("src/close.rs:{close}:"),
        "swallowed by: HandleScope #1 `walmart_leak::main` at ",
        &format!("src/main.rs:{main}:"),
        "calls: onClose (examples/walmart_leak/src/handlers.js:",
        "rule: missing-scope=abort",
        "help: open a scope in `on_close` before its first handle: `handleguard_v8::scope!(let scope, scope);`",
        "run_closing_handles",
    ] {
        assert!(stderr.contains(part), "not there: {part}");
    }
    let reports = stderr.matches("missing-scope: callback").count();
    assert_eq!(reports, 1, "the first is the last");
}

#[test]
#[cfg(any(debug_assertions, feature = "enabled"))]
fn a_check_that_would_not_look_is_refused() {
    let output = run(program(&["--check"]).env("HANDLEGUARD", "off"));
    assert_rejected(
        &output,
        "walmart_leak: --check: every rule is off; accepted: HANDLEGUARD with another action",
    );
}

#[test]
#[cfg(any(debug_assertions, feature = "enabled"))]
fn a_wrong_directive_is_one_line() {
    let output = run(program(&[]).env("HANDLEGUARD", "aboort"));
    assert_rejected(
        &output,
        "walmart_leak: HANDLEGUARD: directive 1 (byte 0) `aboort`: unknown directive `aboort` (did you mean `abort`?); \
         accepted: off, count, log, panic, abort, <rule>=<action>, addon:<file>=<action>, scope-budget=<number>, sites=<number>, tick=<duration>, strict, require-hooks, full-stack, help",
    );
    assert!(output.stdout.is_empty());
}

#[test]
#[cfg(not(any(debug_assertions, feature = "enabled")))]
fn compiled_out_it_leaks_and_says_that_nobody_looks() {
    let output = run(program(&["--seconds", "1", "--json"]).env("HANDLEGUARD", "abort"));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "walmart_leak: HANDLEGUARD has no effect: the checks are compiled out of this build\n"
    );
    let events = events(&output);
    the(
        &events,
        "the checks of handleguard are compiled out of this build: a leak shows, and nobody names it",
    );
    let [bug, fixed] = named(&events, "verdict")[..] else {
        panic!("not two phases");
    };
    assert!(bug["handles"].as_u64() > Some(0));
    assert_eq!(fixed["handles"], 0);

    let output = run(&mut program(&["--check"]));
    assert_rejected(
        &output,
        "walmart_leak: --check: the checks are compiled out of this build; accepted: a build with the feature `enabled`",
    );
}

#[test]
fn a_wrong_command_line_is_one_line() {
    let options = "--phase, --seconds, --script, --port, --json, --check, --help";
    for (args, line) in [
        (
            &["--seconds", "ten"][..],
            "--seconds ten: no such number; accepted: a whole number from 1 to 86400".to_owned(),
        ),
        (
            &["--seconds", "0"],
            "--seconds 0: no such number; accepted: a whole number from 1 to 86400".to_owned(),
        ),
        (
            &["--seconds"],
            "--seconds: needs a value; accepted: a whole number from 1 to 86400".to_owned(),
        ),
        (
            &["--port", "65536"],
            "--port 65536: no such number; accepted: a whole number from 0 to 65535".to_owned(),
        ),
        (
            &["--phase", "bugg"],
            "--phase bugg: no such phase; accepted: bug, fixed or both".to_owned(),
        ),
        (
            &["--jsno"],
            format!("invalid option '--jsno'; accepted: {options}"),
        ),
        (
            &["bug"],
            format!("unexpected argument \"bug\"; accepted: {options}"),
        ),
        (
            &["--json=yes"],
            format!("unexpected argument for option '--json': \"yes\"; accepted: {options}"),
        ),
    ] {
        let output = run(&mut program(args));
        assert_rejected(&output, &format!("walmart_leak: {line}"));
    }
}

#[test]
fn a_script_that_cannot_be_used_is_one_line() {
    let reject = |file: &str, what: &str| {
        let mut program = program(&["--script", file]);
        // The script needs an isolate, for which handleguard would print its start-up line.
        if handleguard_v8::handleguard::COMPILED_IN {
            program.env("HANDLEGUARD", "off");
        }
        let output = run(&mut program);
        let line = format!("walmart_leak: script {file}: {what}; accepted: {A_SCRIPT}");
        assert_rejected(&output, &line);
        assert!(output.stdout.is_empty());
    };
    let missing = "no/such/script.js";
    let error = fs::read(missing).expect_err("it is not there");
    reject(missing, &format!("cannot be read: {error}"));
    let broken = script("broken.js", "function onClose() {\n");
    reject(
        &broken,
        &format!("SyntaxError: Unexpected end of input ({broken}:2)"),
    );
    let throwing = script("throwing.js", "\nthrow new Error('no such item');");
    reject(&throwing, &format!("Error: no such item ({throwing}:2)"));
    let lacking = script(
        "lacking.js",
        "function onConnection() {}\nfunction onRequest() {}\nfunction onResponse() {}\nlet onClose = 1;",
    );
    reject(&lacking, "declares no function onClose");
}

#[test]
fn a_port_in_use_is_one_line() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = holder.local_addr().expect("an address").port();
    let error = TcpListener::bind(("127.0.0.1", port)).expect_err("the port is held");
    let output = run(&mut program(&["--port", &port.to_string()]));
    assert_rejected(
        &output,
        &format!(
            "walmart_leak: --port {port}: cannot listen on 127.0.0.1:{port}: {error}; accepted: a free port, or 0 for any"
        ),
    );
}

#[test]
fn a_handler_that_throws_is_counted_and_the_rest_goes_on() {
    let file = script(
        "throwing_handlers.js",
        "function onConnection() {}\n\
         function onRequest() { throw new TypeError('out of stock'); }\n\
         function onResponse(status) { if (status !== 500) throw new Error(status); }\n\
         function onClose() {}\n",
    );
    let output = run(&mut program(&[
        "--phase",
        "fixed",
        "--seconds",
        "1",
        "--json",
        "--script",
        &file,
    ]));
    assert_eq!(output.status.code(), Some(0));
    let events = events(&output);
    let verdict = the(&events, "verdict");
    assert!(verdict["closed"].as_u64() > Some(0));
    assert_eq!(verdict["errors"], verdict["closed"]);
    assert_eq!(
        verdict["first_error"],
        format!("TypeError: out of stock ({file}:2)")
    );
    assert_eq!(verdict["handles"], 0);
}

#[test]
fn a_stranger_gets_an_answer_and_cannot_hold_up_the_end() {
    let mut child = program(&["--phase", "fixed", "--seconds", "2", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let address = loop {
        let line = lines.next().expect("an address comes").expect("a line");
        let event: Value = serde_json::from_str(&line).expect("each line is JSON");
        if let Some(address) = event["address"].as_str() {
            break address.to_owned();
        }
    };
    let ask = |text: &str| {
        let mut socket = TcpStream::connect(&address).expect("the server accepts");
        socket.write_all(text.as_bytes()).expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers");
        answer
    };
    let answer = ask("GET /cart HTTP/1.1\r\nHost: shop\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\"path\":\"/cart\""), "{answer}");
    let answer = ask("nonsense\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );

    let _silent = TcpStream::connect(&address).expect("the server accepts");
    lines.for_each(|line| println!("{}", line.expect("a line")));
    assert!(child.wait().expect("an end").success());
}

#[test]
fn help_goes_to_stdout() {
    let output = run(&mut program(&["--help"]));
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\nUsage: walmart_leak [options]\n"));
    assert!(output.stderr.is_empty());
}
