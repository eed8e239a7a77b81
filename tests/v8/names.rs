//! Names that JavaScript chooses: whatever they hold, a report shows them on their own line and keeps a bounded part.

use handleguard_tests::{child, eval, host, is_child, origin};
use handleguard_v8::handleguard::{self, Trace};
use handleguard_v8::{GuardedFunction, testing, turn};

/// Takes a title from the terminal, begins a line that looks like a report, and turns the direction of writing.
const SCRIPT: &str = "evil\u{1b}]0;owned\u{7}.js\nhandleguard: FORGED\u{202e}";
const SCRIPT_SHOWN: &str = r"evil\u{1b}]0;owned\u{7}.js\nhandleguard: FORGED\u{202e}";

/// Two functions with such names. The first calls its first argument with its second.
const FUNCTIONS: &str = r"
var o = {
  'outer\u001b[2J\nhandleguard: FORGED\u0000\u2066'(native, leak) { native(leak) },
  'leak\r\u009b31m\u2028'() {},
};
Object.values(o)";
const OUTER_SHOWN: &str = r"outer\u{1b}[2J\nhandleguard: FORGED\u{0}\u{2066}";
const LEAK_SHOWN: &str = r"leak\r\u{9b}31m\u{2028}";

/// Calls its first argument as a callback without a scope, in a turn of its own.
fn leak(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
    let callback = v8::Local::<v8::Function>::try_from(args.get(0)).unwrap();
    turn!(scope, "nested loop");
    let undefined = v8::undefined(scope).into();
    callback.guarded_call(scope, undefined, &[]);
}

/// Runs `source` as the script `name`.
fn run<'s>(scope: &v8::PinScope<'s, '_>, source: &str, name: &str) -> v8::Local<'s, v8::Value> {
    let source = v8::String::new(scope, source).unwrap();
    let origin = origin(scope, name, false);
    let script = v8::Script::compile(scope, source, Some(&origin)).unwrap();
    script.run(scope).unwrap()
}

/// One violation by functions of such names.
fn leak_by_foreign_names() {
    host!(scope, context);
    let native = v8::Function::new(scope, leak).unwrap();
    let functions: v8::Local<v8::Object> = run(scope, FUNCTIONS, SCRIPT).try_into().unwrap();
    let [outer, leak] = [0, 1].map(|at| functions.get_index(scope, at).unwrap());
    let outer: v8::Local<v8::Function> = outer.try_into().unwrap();
    let undefined = v8::undefined(scope).into();
    outer.call(scope, undefined, &[native.into(), leak]);
}

/// Panics if `text` holds a character that a terminal or an editor obeys.
fn assert_harmless(text: &str) {
    for line in text.lines() {
        let foreign = line.replace("\u{1b}[", "").escape_debug().to_string();
        assert!(!line.contains(char::is_control), "{foreign}");
        assert!(!line.starts_with("handleguard: FORGED"), "{foreign}");
        for mark in ['\u{2028}', '\u{202e}', '\u{2066}'] {
            assert!(!line.contains(mark), "{foreign}");
        }
    }
}

/// Panics unless the whole message of the violation shows the names harmless, where they belong.
fn assert_shown(message: &str) {
    assert_harmless(message);
    for lines in [
        format!("\n         calls: {}\n", callee_shown()),
        format!(": {OUTER_SHOWN} [JavaScript]\n             at {SCRIPT_SHOWN}:3:69\n"),
    ] {
        assert!(message.contains(&lines), "no `{lines}` in {message}");
    }
}

fn callee_shown() -> String {
    format!("{LEAK_SHOWN} ({SCRIPT_SHOWN}:4:26)")
}

#[test]
fn names_of_scripts_and_functions_forge_nothing_in_any_text() {
    const NAME: &str = "names::names_of_scripts_and_functions_forge_nothing_in_any_text";
    if is_child() {
        leak_by_foreign_names();
        println!("{}", handleguard::report());
        return;
    }
    for action in ["log", "abort"] {
        let output = child(NAME, action);
        assert_shown(&String::from_utf8(output.stderr).unwrap());
    }
    let output = child(NAME, "count");
    let report = String::from_utf8(output.stdout).unwrap();
    assert_harmless(&report);
    let callee = format!("\n  calls {}\n", callee_shown());
    assert!(report.contains(&callee), "no `{callee}` in {report}");
}

#[test]
fn names_of_scripts_and_functions_forge_nothing_in_a_panic_or_a_folded_stack() {
    let mut violations = testing::run(leak_by_foreign_names).violations;
    let violation = violations.remove(0);
    // The panic's message is the whole text.
    assert_shown(&violation.to_string());
    let folded = violation.trace().folded();
    assert_harmless(&folded);
    assert!(folded.contains(&format!(";{OUTER_SHOWN};")), "{folded}");
}

#[test]
fn names_of_scripts_and_functions_forge_nothing_in_an_event() {
    const NAME: &str = "names::names_of_scripts_and_functions_forge_nothing_in_an_event";
    if is_child() {
        let subscriber = tracing_subscriber::fmt().json();
        subscriber.with_writer(std::io::stderr).init();
        leak_by_foreign_names();
        return;
    }
    let output = child(NAME, "log");
    let events = String::from_utf8(output.stderr).unwrap();
    let events = events.lines().map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["fields"].clone()
    });
    let violations: Vec<_> = events
        .filter(|event| event["rule"] == "missing-scope")
        .collect();
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0]["callee"], callee_shown());
}

/// A recursion of 100 functions, of a script and with a function whose names have a megabyte, that calls `native` at its end. The
/// function's name is a concatenation, which V8 keeps as a tree.
fn deep(scope: &mut v8::PinScope, native: impl v8::MapFnTo<v8::FunctionCallback>) {
    const MIB: usize = 1 << 20;
    let native = v8::Function::new(scope, native).unwrap();
    let run: v8::Local<v8::Function> = run(
        scope,
        "(function (native) {
          function deep(n) { if (n == 0) native(function () {}); else deep(n - 1) }
          Object.defineProperty(deep, 'name', { value: 'f'.repeat(1 << 20) });
          deep(99);
        })",
        &"s".repeat(MIB),
    )
    .try_into()
    .unwrap();
    let undefined = v8::undefined(scope).into();
    run.call(scope, undefined, &[native.into()]);
}

#[test]
fn frames_of_one_script_share_its_name_and_neighbours_that_of_their_function() {
    fn look(scope: &mut v8::PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        let mut frames = testing::script_frames(scope);
        let caller = frames.pop().unwrap();
        assert_eq!(&*caller.function, "<anonymous>");
        assert_eq!(frames.len(), 100);
        let [function, script] = ["f", "s"].map(|name| format!("{}…", name.repeat(256)));
        for frame in &frames {
            assert_eq!(*frame.function, function);
            assert_eq!(*frame.script, script);
            assert_eq!(frame.function.as_ptr(), frames[0].function.as_ptr());
            assert_eq!(frame.script.as_ptr(), caller.script.as_ptr());
        }
    }
    host!(scope, context);
    deep(scope, look);
}

#[test]
fn a_name_that_just_fits_is_whole_and_one_of_several_bytes_a_character_is_cut_between_two() {
    fn look(scope: &mut v8::PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        let frames = testing::script_frames(scope);
        let shown: Vec<&str> = frames.iter().map(|frame| &*frame.function).collect();
        let [z, e, euro, smile] = [("z", 256), ("é", 128), ("€", 85), ("😀", 64)]
            .map(|(character, times)| character.repeat(times));
        let lone = "\u{fffd}".repeat(85);
        assert_eq!(
            shown[..8],
            [
                z.clone(),
                z + "…",
                e.clone(),
                e + "…",
                euro + "…",
                smile.clone(),
                smile + "…",
                lone + "…"
            ]
        );
    }
    host!(scope, context);
    let native = v8::Function::new(scope, look).unwrap();
    let global = context.global(scope);
    let key = v8::String::new(scope, "native").unwrap();
    global.set(scope, key.into(), native.into());
    eval(
        scope,
        r"
        let next = native;
        const wrap = name => {
          const inner = next;
          const outer = () => { inner() };
          Object.defineProperty(outer, 'name', { value: name });
          next = outer;
        };
        wrap('z'.repeat(256)); wrap('z'.repeat(257));
        wrap('é'.repeat(128)); wrap('é'.repeat(129));
        wrap('€'.repeat(86));
        wrap('😀'.repeat(64)); wrap('😀'.repeat(65));
        wrap('\ud800'.repeat(300));
        next()",
    );
}

/// Returns the most memory that this process has used so far, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() / 1024
}

#[test]
fn a_violation_under_a_hundred_frames_of_huge_names_keeps_little() {
    const NAME: &str = "names::a_violation_under_a_hundred_frames_of_huge_names_keeps_little";
    fn look(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, ret: v8::ReturnValue) {
        let before = peak();
        leak(scope, args, ret);
        let taken = peak() - before;
        // The names of all frames have 200 MiB.
        assert!(taken < 16, "{taken} MiB");
    }
    if is_child() {
        {
            host!(scope, context);
            deep(scope, look);
        }
        let report = handleguard::report();
        let trace: &Trace = report.sites()[0].violation().trace();
        assert_eq!(trace.folded().matches('…').count(), 100);
        return;
    }
    assert!(child(NAME, "count").status.success());
}
