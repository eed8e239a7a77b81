//! What becomes of a process: each test runs itself again in a child, with directives in its environment, and looks at
//! how the child ended and at all that it wrote.
#![cfg(all(unix, any(debug_assertions, feature = "enabled")))]

mod common;

use common::{Fake, normalised};
use handleguard::{Action, Config, ScopeGuard};
use handleguard_test_support::child::{self, SIGABRT, command, is_child};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// The exit code of the test harness if a test fails.
const FAILED: i32 = 101;

struct Ended {
    status: ExitStatus,
    stderr: String,
    all: String,
}

impl Ended {
    #[track_caller]
    fn assert_aborted(&self) {
        assert_eq!(self.status.signal(), Some(SIGABRT), "{}", self.all);
    }

    #[track_caller]
    fn assert_exit(&self, code: i32) {
        assert_eq!(self.status.code(), Some(code), "{}", self.all);
    }

    #[track_caller]
    fn assert_stderr(&self, expected: &str) {
        assert_eq!(self.stderr, expected, "{}", self.all);
    }

    /// The first line of the first violation, from the end of the rule's name on.
    #[track_caller]
    fn sentence(&self) -> &str {
        let found = self.stderr.lines().find_map(|line| {
            let (_, sentence) = line.split_once("handleguard: missing-scope: ")?;
            Some(sentence)
        });
        found.unwrap_or_else(|| panic!("no violation\n{}", self.all))
    }
}

fn rerun(test: &str, directives: &(impl AsRef<OsStr> + ?Sized)) -> Ended {
    ended(command(test, directives).spawn().unwrap())
}

fn ended(child: Child) -> Ended {
    let output = child::wait(child);
    Ended {
        status: output.status,
        all: child::shown(&output),
        stderr: normalised(&String::from_utf8_lossy(&output.stderr), file!()),
    }
}

/// The start-up line with one action for all rules.
fn on(action: &'static str) -> String {
    format!("handleguard: {}\n", common::on(|_| action))
}

#[inline(never)]
fn on_close(fake: Fake) {
    let _callback = handleguard::callback(fake, "on_close");
    std::hint::black_box(());
}

/// A loop whose close callback opens no scope.
fn leaking_host() {
    let fake = Fake::new(0xabc);
    let _main = handleguard::scope(fake, "main");
    let _turn = handleguard::turn(fake, "uv_run");
    on_close(fake);
}

/// The same, mended.
fn mended_host() {
    let fake = Fake::new(0xabc);
    let _main = handleguard::scope(fake, "main");
    let _turn = handleguard::turn(fake, "uv_run");
    let _scope = handleguard::scope(fake, "on_close");
    on_close(fake);
}

fn missing_scope(action: &str) -> String {
    format!(
        "\
handleguard: missing-scope: callback `on_close` at death.rs:LL:CC started with no HandleScope opened since the turn began; its handles stay in the HandleScope `main` at death.rs:LL:CC
      callback: `on_close` at death.rs:LL:CC
  swallowed by: HandleScope #1 `main` at death.rs:LL:CC, opened 1 turn ago
          turn: #1 `uv_run` at death.rs:LL:CC
        thread: <thread>
       isolate: 0xabc
          rule: missing-scope={action}
          help: open a scope in `on_close` before its first handle: `let _scope = arena.scope();`
     backtrace (at the start of the callback):
        0: death::on_close
"
    )
}

#[test]
fn child_without_a_violation_lives() {
    if is_child() {
        return mended_host();
    }
    let ended = rerun("child_without_a_violation_lives", "abort");
    ended.assert_exit(0);
    ended.assert_stderr(&on("abort"));
}

#[test]
fn abort_prints_the_whole_message_and_ends_by_sigabrt() {
    if is_child() {
        leaking_host();
        unreachable!("lived on");
    }
    let ended = rerun(
        "abort_prints_the_whole_message_and_ends_by_sigabrt",
        "abort",
    );
    ended.assert_aborted();
    ended.assert_stderr(&(on("abort") + &missing_scope("abort")));
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_shows_the_sentence_in_colour_unless_no_color_is_set() {
    const TEST: &str = "a_terminal_shows_the_sentence_in_colour_unless_no_color_is_set";
    if is_child() {
        leaking_host();
        unreachable!("lived on");
    }
    let exe = std::env::current_exe().unwrap();
    let on_a_terminal = |no_color: &str| {
        // `script(1)` of util-linux runs a command on a terminal of its own.
        let shell = format!("{} {TEST} --exact --nocapture", exe.display());
        let output = Command::new("script")
            .args(["-qec", &shell, "/dev/null"])
            .env(child::VARIABLE, "1")
            .env("HANDLEGUARD", "abort")
            .env("NO_COLOR", no_color)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let coloured = on_a_terminal("");
    let (_, rest) = coloured
        .split_once("\x1b[1;31mhandleguard: missing-scope: ")
        .unwrap_or_else(|| panic!("no colour: {coloured}"));
    let line = rest.lines().next().unwrap();
    assert!(line.ends_with("\x1b[0m"), "{line:?}");
    let plain = on_a_terminal("1");
    assert!(plain.contains("\nhandleguard: missing-scope: "), "{plain}");
    assert!(!plain.contains("\x1b[1;31m"), "{plain}");
}

#[test]
fn abort_of_the_end_of_a_callback_prints_the_whole_message() {
    if is_child() {
        let fake = Fake::new(0xabc);
        fake.handles.set(Some(10));
        let _main = handleguard::scope(fake, "main");
        let _turn = handleguard::turn(fake, "uv_run");
        leaves_handles(fake);
        unreachable!("lived on");
    }
    let ended = rerun(
        "abort_of_the_end_of_a_callback_prints_the_whole_message",
        "abort,missing-scope=off",
    );
    ended.assert_aborted();
    let message = "\
handleguard: outer-growth: callback `on_close` at death.rs:LL:CC left 3 handles in the HandleScope `main` at death.rs:LL:CC
      callback: `on_close` at death.rs:LL:CC
  swallowed by: HandleScope #1 `main` at death.rs:LL:CC, opened 1 turn ago; 13 handles alive now
          turn: #1 `uv_run` at death.rs:LL:CC
        thread: <thread>
       isolate: 0xabc
          rule: outer-growth=abort
          help: open a scope before creating the first handle, and escape only the handle you return: `let _scope = arena.scope();`
     backtrace (at the end of the callback):
        0: death::leaves_handles
";
    let on = on("abort").replace("missing-scope=abort", "missing-scope=off");
    ended.assert_stderr(&(on + message));
}

#[inline(never)]
fn leaves_handles(fake: Fake) {
    let _callback = handleguard::callback(fake, "on_close");
    fake.handles.set(Some(13));
}

#[test]
fn the_sentence_is_the_same_in_abort_panic_and_log() {
    const NAME: &str = "the_sentence_is_the_same_in_abort_panic_and_log";
    if is_child() {
        if std::env::var_os("SUBSCRIBE").is_some() {
            tracing_subscriber::fmt()
                .with_writer(std::io::stderr)
                .without_time()
                .with_ansi(false)
                .init();
        }
        return leaking_host();
    }
    let abort = rerun(NAME, "abort");
    abort.assert_aborted();

    let panic = rerun(NAME, "panic");
    panic.assert_exit(FAILED);
    let (_, payload) = panic.stderr.split_once("Box<dyn Any>").map_or_else(
        || panic.stderr.split_once(":\nhandleguard: ").unwrap(),
        |_| panic!("the payload is not printed\n{}", panic.all),
    );
    assert!(
        format!("handleguard: {payload}").starts_with(&missing_scope("panic")),
        "{}",
        panic.all
    );

    let log = rerun(NAME, "log,tick=off");
    log.assert_exit(0);
    log.assert_stderr(&(on("log") + &missing_scope("log")));

    let event = ended(
        command(NAME, "log,tick=off")
            .env("SUBSCRIBE", "1")
            .spawn()
            .unwrap(),
    );
    event.assert_exit(0);
    assert_eq!(panic.sentence(), abort.sentence());
    assert_eq!(log.sentence(), abort.sentence());
    let fields = event.sentence().strip_prefix(abort.sentence()).unwrap();
    assert!(
        fields.starts_with(" rule=\"missing-scope\" callback=`on_close` at death.rs:LL:CC "),
        "{}",
        event.all
    );
}

#[test]
fn panic_aborts_while_the_engine_is_on_the_stack() {
    if is_child() {
        let fake = Fake::new(0xabc);
        let _main = handleguard::scope(fake, "main");
        let _callback = handleguard::callback(fake, "run_script");
        closes_in_disorder(fake);
        unreachable!("lived on");
    }
    let ended = rerun("panic_aborts_while_the_engine_is_on_the_stack", "panic");
    ended.assert_aborted();
    let message = "\
handleguard: out-of-order: HandleScope `outer` at death.rs:LL:CC closed while HandleScope `inner` at death.rs:LL:CC, which began inside it, is still open
       closing: HandleScope #3 `outer` at death.rs:LL:CC
    still open: HandleScope #4 `inner` at death.rs:LL:CC
        thread: <thread>
       isolate: 0xabc
          rule: out-of-order=panic
          note: panic aborts because the engine's C++ frames are on the stack, and a panic must not unwind through them
          help: close scopes in the reverse order of opening: keep each in a local variable of one block, not in a field, in a `Box` or across an `.await`
     backtrace (at the close):
        0: death::close
";
    ended.assert_stderr(&(on("panic") + message));
}

fn closes_in_disorder(fake: Fake) {
    let outer = handleguard::scope(fake, "outer");
    let inner = handleguard::scope(fake, "inner");
    close(outer);
    close(inner);
}

#[inline(never)]
fn close(guard: ScopeGuard<Fake>) {
    {
        let _closes_here = guard;
    }
    // The close is no tail call, which would leave this function out of the stack.
    std::hint::black_box(());
}

#[test]
fn panic_aborts_while_the_engine_is_on_the_stack_for_another_isolate() {
    if is_child() {
        let (outer, inner) = (Fake::new(0xabc), Fake::new(0xdef));
        let _scope = handleguard::scope(outer, "outer");
        let _callback = handleguard::callback(outer, "outer");
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _turn = handleguard::turn(inner, "inner");
            on_close(inner);
        }));
        println!("unwound: {}", unwound.is_err());
        return;
    }
    let ended = rerun(
        "panic_aborts_while_the_engine_is_on_the_stack_for_another_isolate",
        "panic",
    );
    ended.assert_aborted();
    assert!(
        ended.stderr.contains(
            "          note: panic aborts because the engine's C++ frames are on the stack, and a panic must not unwind through them\n"
        ),
        "{}",
        ended.all
    );
}

#[test]
fn violation_during_a_panic_is_printed_and_does_not_panic_again() {
    if is_child() {
        let fake = Fake::new(0xabc);
        let _turn = handleguard::turn(fake, "uv_run");
        std::mem::forget(handleguard::scope(fake, "leaked"));
        panic!("of the program's own");
    }
    let ended = rerun(
        "violation_during_a_panic_is_printed_and_does_not_panic_again",
        "panic",
    );
    ended.assert_exit(FAILED);
    assert_eq!(
        ended.stderr.matches("panicked at").count(),
        1,
        "{}",
        ended.all
    );
    let (before, message) = ended
        .stderr
        .split_once("handleguard: never-closed: ")
        .unwrap_or_else(|| panic!("no report\n{}", ended.all));
    assert!(before.contains("of the program's own"), "{}", ended.all);
    assert!(
        message.ends_with(
            "handleguard: note: no second panic, because this thread is already panicking\n"
        ),
        "{}",
        ended.all
    );
}

#[test]
fn forgotten_inner_guard_is_reported_and_the_count_is_right_after() {
    if is_child() {
        let fake = Fake::new(0xabc);
        let outer = handleguard::scope(fake, "outer");
        std::mem::forget(handleguard::scope(fake, "inner"));
        assert_eq!(handleguard::depth(), 2);
        close(outer);
        assert_eq!(handleguard::depth(), 0);
        let _next = handleguard::scope(fake, "next");
        assert_eq!(handleguard::depth(), 1);
        return;
    }
    let ended = rerun(
        "forgotten_inner_guard_is_reported_and_the_count_is_right_after",
        "log,tick=off",
    );
    ended.assert_exit(0);
    let message = "\
handleguard: out-of-order: HandleScope `outer` at death.rs:LL:CC closed while HandleScope `inner` at death.rs:LL:CC, which began inside it, is still open
       closing: HandleScope #1 `outer` at death.rs:LL:CC
    still open: HandleScope #2 `inner` at death.rs:LL:CC
        thread: <thread>
       isolate: 0xabc
          rule: out-of-order=log
          help: close scopes in the reverse order of opening: keep each in a local variable of one block, not in a field, in a `Box` or across an `.await`
     backtrace (at the close):
        0: death::close
";
    ended.assert_stderr(&(on("log") + message));
}

#[test]
fn wrong_directive_is_named_in_one_line_and_the_defaults_hold() {
    if is_child() {
        return mended_host();
    }
    let ended = rerun(
        "wrong_directive_is_named_in_one_line_and_the_defaults_hold",
        "aboort",
    );
    ended.assert_exit(0);
    let (error, rest) = ended.stderr.split_once('\n').unwrap();
    assert!(
        error.starts_with(
            "handleguard: HANDLEGUARD: directive 1 (byte 0) `aboort`: unknown directive `aboort` (did you mean `abort`?)"
        ) && error.ends_with("; ignored, the defaults hold"),
        "{}",
        ended.all
    );
    assert_eq!(
        rest,
        on(Action::default_for_build().name()),
        "{}",
        ended.all
    );
}

#[test]
fn value_that_is_not_unicode_is_reported_in_one_line() {
    if is_child() {
        return mended_host();
    }
    let ended = rerun(
        "value_that_is_not_unicode_is_reported_in_one_line",
        OsStr::from_bytes(b"log\xff"),
    );
    ended.assert_exit(0);
    let error = "handleguard: HANDLEGUARD: directive 1 (byte 0) `log\u{fffd}`: not Unicode; expected comma-separated \
                directives, see HANDLEGUARD=help; ignored, the defaults hold\n";
    ended.assert_stderr(&(error.to_owned() + &on(Action::default_for_build().name())));
}

#[test]
fn try_init_gives_a_wrong_directive_back_and_prints_nothing() {
    if is_child() {
        let error = Config::new().try_init().unwrap_err().to_string();
        assert!(
            error.starts_with("HANDLEGUARD: directive 1 (byte 0) `aboort`: unknown directive"),
            "{error}"
        );
        return;
    }
    let ended = rerun(
        "try_init_gives_a_wrong_directive_back_and_prints_nothing",
        "aboort",
    );
    ended.assert_exit(0);
    ended.assert_stderr("");
}

#[test]
fn tick_that_is_too_short_is_an_error_unless_the_variable_replaces_it() {
    if is_child() {
        let short = Config::new().tick(Duration::from_millis(50));
        println!("{:?}", short.try_init().map_err(|error| error.to_string()));
        return;
    }
    for (directives, result) in [
        (
            "log",
            "Err(\"`Config::tick`: 50ms is too short a time between reports; expected 100 ms or more, or zero for no reports\")\n",
        ),
        ("tick=100ms", "Ok(())\n"),
        ("tick=off", "Ok(())\n"),
    ] {
        let ended = rerun(
            "tick_that_is_too_short_is_an_error_unless_the_variable_replaces_it",
            directives,
        );
        ended.assert_exit(0);
        ended.assert_stderr("");
        assert!(ended.all.contains(result), "{}", ended.all);
    }
}

/// The variable would switch the checks off. Runs as root only, for the test makes a program that others start as root.
#[test]
#[cfg(target_os = "linux")]
fn program_with_more_rights_than_its_user_ignores_the_variable_and_prints_so_once() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    // SAFETY: both functions always succeed, and read no memory of this process.
    let (user, effective) = unsafe { (libc::getuid(), libc::geteuid()) };
    if is_child() {
        if user == effective {
            println!("no set-user-id here");
            return;
        }
        Config::new().try_init().unwrap();
        assert!(Config::new().try_init().is_err());
        return mended_host();
    }
    if effective != 0 {
        println!("skipped: makes a set-user-id program, which needs root");
        return;
    }
    let folder =
        std::env::temp_dir().join(format!("handleguard-set-user-id-{}", std::process::id()));
    let program = folder.join("program");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for (path, mode) in [(&folder, 0o755), (&program, 0o4755)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let this = command(
        "program_with_more_rights_than_its_user_ignores_the_variable_and_prints_so_once",
        "off",
    );
    let mut set_user_id = Command::new(&program);
    set_user_id
        .args(this.get_args())
        .envs(
            this.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let started = child::spawn_copy(&mut set_user_id);
    let ended = started.map(ended);
    std::fs::remove_dir_all(&folder).unwrap();
    let ended = match ended {
        Ok(ended) if ended.all.contains("no set-user-id here\n") => {
            println!(
                "skipped: the file system of {} has no set-user-id programs",
                folder.display()
            );
            return;
        }
        Ok(ended) => ended,
        Err(error) => panic!("{}: {error}", program.display()),
    };
    ended.assert_exit(0);
    ended.assert_stderr(
        &("handleguard: HANDLEGUARD is ignored, because this program runs with more rights than its user (AT_SECURE)\n"
            .to_owned()
            + &on(Action::default_for_build().name())),
    );
}

#[test]
fn variable_wins_over_code_and_a_second_start_is_an_error() {
    if is_child() {
        Config::new().action(Action::Abort).try_init().unwrap();
        mended_host();
        let error = Config::new().try_init().unwrap_err().to_string();
        assert_eq!(
            error,
            "handleguard is already running: call `try_init` once, before the first guard"
        );
        return;
    }
    let ended = rerun(
        "variable_wins_over_code_and_a_second_start_is_an_error",
        "count",
    );
    ended.assert_exit(0);
    ended.assert_stderr(&on("count"));
}

#[test]
fn help_prints_the_directives() {
    if is_child() {
        return mended_host();
    }
    let ended = rerun("help_prints_the_directives", "abort,help");
    ended.assert_exit(0);
    let (help, on_line) = ended
        .stderr
        .split_at(ended.stderr.find("handleguard: on:").unwrap());
    assert_eq!(on_line, on("abort"), "{}", ended.all);
    assert!(
        help.starts_with("handleguard: HANDLEGUARD=<directive>,<directive>,... ("),
        "{}",
        ended.all
    );
    for rule in handleguard::Rule::ALL {
        assert!(
            help.contains(&format!("\n  {rule}=<action>")),
            "{}",
            ended.all
        );
    }
    let advice = handleguard::Rule::ALL
        .iter()
        .filter(|rule| rule.is_advice());
    assert_eq!(
        help.matches("now abort").count(),
        handleguard::Rule::ALL.len() - advice.count(),
        "{}",
        ended.all
    );
}

#[test]
fn off_says_and_does_nothing() {
    if is_child() {
        leaking_host();
        assert!(handleguard::report().is_clean());
        return;
    }
    let ended = rerun("off_says_and_does_nothing", "off");
    ended.assert_exit(0);
    ended.assert_stderr("");
}

/// Drops its guards with the thread's other locals.
struct Holder(std::cell::RefCell<Vec<ScopeGuard<Fake>>>, Fake);

impl Drop for Holder {
    fn drop(&mut self) {
        while let Some(guard) = self.0.get_mut().pop() {
            drop(guard);
        }
        // New ones, too.
        {
            let _turn = handleguard::turn(self.1, "teardown");
            let _scope = handleguard::scope(self.1, "teardown");
            let _callback = handleguard::callback(self.1, "teardown");
            handleguard::depth();
        }
        handleguard::end_isolate(self.1);
    }
}

thread_local! {
    static HOLDER: Holder = Holder(std::cell::RefCell::default(), Fake::new(7));
}

#[test]
fn guards_dropped_with_the_threads_locals_are_silent() {
    if is_child() {
        // The locals of a thread are dropped in the reverse order of their first use.
        let holder_first = std::thread::spawn(|| {
            HOLDER.with(|holder| {
                let mut guards = holder.0.borrow_mut();
                guards.push(handleguard::scope(holder.1, "first"));
                guards.push(handleguard::scope(holder.1, "second"));
            });
        });
        holder_first.join().unwrap();
        let checker_first = std::thread::spawn(|| {
            let fake = Fake::new(7);
            let guard = handleguard::scope(fake, "first");
            HOLDER.with(|holder| holder.0.borrow_mut().push(guard));
        });
        checker_first.join().unwrap();
        return;
    }
    let ended = rerun("guards_dropped_with_the_threads_locals_are_silent", "abort");
    ended.assert_exit(0);
    ended.assert_stderr(&on("abort"));
}

#[test]
fn subscriber_that_violates_a_rule_while_it_logs_one_is_not_reported() {
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    struct Violates(Fake, &'static std::sync::atomic::AtomicU32);
    impl<S: tracing::Subscriber> Layer<S> for Violates {
        fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
            self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let _turn = handleguard::turn(self.0, "subscriber");
            on_close(self.0);
            let outer = handleguard::scope(self.0, "outer");
            let inner = handleguard::scope(self.0, "inner");
            close(outer);
            close(inner);
        }
    }
    // SAFETY: a `Fake` is used by one thread only, the one of the test.
    unsafe impl Send for Violates {}
    // SAFETY: as above.
    unsafe impl Sync for Violates {}

    if is_child() {
        static EVENTS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let violates = Violates(Fake::new(0xabc), &EVENTS);
        let subscriber = tracing_subscriber::registry().with(violates);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        leaking_host();
        assert!(handleguard::flush(std::time::Duration::from_secs(60)));
        assert_eq!(
            EVENTS.load(std::sync::atomic::Ordering::Relaxed),
            2,
            "the start, and one violation"
        );
        assert_eq!(handleguard::report().violations(), 1);
        return;
    }
    let ended = rerun(
        "subscriber_that_violates_a_rule_while_it_logs_one_is_not_reported",
        "log,tick=off",
    );
    ended.assert_exit(0);
    ended.assert_stderr("");
}

/// Code that is interrupted by a signal whose handler violates a rule.
#[inline(never)]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn interrupted(depth: u32) {
    if depth > 0 {
        interrupted(depth - 1);
    } else {
        // SAFETY: the handler uses only what this thread may use here.
        unsafe { libc::raise(libc::SIGUSR1) };
    }
    // No call above is the last thing that the function does.
    std::hint::black_box(depth);
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn violation_in_a_signal_handler_shows_the_function_that_was_interrupted() {
    use std::ptr;

    extern "C" fn on_signal(_: libc::c_int) {
        leaking_host();
    }
    if is_child() {
        let memory = vec![0u8; 1 << 20].leak();
        let stack = libc::stack_t {
            ss_sp: memory.as_mut_ptr().cast(),
            ss_flags: 0,
            ss_size: memory.len(),
        };
        let mut before = std::mem::MaybeUninit::uninit();
        // SAFETY: asks for the alternate stack of this thread.
        unsafe { libc::sigaltstack(ptr::null(), before.as_mut_ptr()) };
        let set = |flags| {
            // SAFETY: the stack is never freed, and the handler is raised below only.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_signal as *const () as usize;
                action.sa_flags = flags;
                libc::sigaltstack(&raw const stack, ptr::null_mut());
                libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut());
            }
        };
        // Two lines, for two sites.
        set(0);
        interrupted(2);
        set(libc::SA_ONSTACK);
        interrupted(2);
        // SAFETY: initialised above. AddressSanitizer frees the stack that is set when the thread ends, which is to be its own.
        unsafe { libc::sigaltstack(before.as_ptr(), ptr::null_mut()) };
        let report = handleguard::report();
        assert_eq!(report.sites().len(), 2, "one on each stack: {report}");
        for site in report.sites() {
            let trace = site.violation().trace();
            assert!(!trace.is_truncated(), "{trace}");
            let folded = trace.folded();
            let mut rest = folded.as_str();
            let test =
                "death::violation_in_a_signal_handler_shows_the_function_that_was_interrupted";
            for name in [
                test,
                "death::interrupted;death::interrupted;death::interrupted;",
                "raise",
                "on_signal",
            ] {
                let at = rest.find(name);
                rest = &rest[at.unwrap_or_else(|| panic!("no `{name}` in its place: {folded}"))..];
            }
        }
        return;
    }
    let ended = rerun(
        "violation_in_a_signal_handler_shows_the_function_that_was_interrupted",
        "count",
    );
    ended.assert_exit(0);
}

#[test]
fn tick_thread_prints_the_report() {
    if is_child() {
        leaking_host();
        let mut until_closed = Vec::new();
        std::io::stdin().read_to_end(&mut until_closed).unwrap();
        return;
    }
    let mut child = command("tick_thread_prints_the_report", "log,tick=100ms")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let pid = child.id();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    // Ends the child, should the report never come.
    let (came, late) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let _ = late.recv_timeout(Duration::from_secs(60));
        drop(stdin);
    });
    let mut printed = String::new();
    let mut rows = 0;
    while rows < 2 && stderr.read_line(&mut printed).unwrap() > 0 {
        rows = printed.matches(" after the start\n").count();
    }
    if cfg!(target_os = "linux") {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let names: Vec<String> = threads
            .map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap())
            .collect();
        assert!(
            names.iter().any(|name| name.trim() == "handleguard-tic"),
            "the kernel keeps 15 bytes of each name: {names:?}"
        );
    }
    drop(came);
    watch.join().unwrap();
    ended(child).assert_exit(0);
    let printed = normalised(&printed, file!());
    let table = printed
        .strip_prefix(&(on("log") + &missing_scope("log")))
        .unwrap_or_else(|| panic!("{printed}"));
    let (interval, all) = table
        .split_once("in all:\n")
        .unwrap_or_else(|| panic!("{printed}"));
    for report in [interval, all] {
        assert!(
            report.starts_with(
                "handleguard: 1 violation, 1 site, 0 handles left, in N.N s\n\n  missing-scope: callback `on_close`"
            ),
            "{printed}"
        );
        assert!(
            report.contains("\n              death::on_close ("),
            "{printed}"
        );
    }
}

#[test]
fn stderr_that_takes_nothing_is_no_reason_to_panic() {
    const NAME: &str = "stderr_that_takes_nothing_is_no_reason_to_panic";
    if is_child() {
        if std::env::var_os("CLOSE").is_some() {
            use std::os::fd::FromRawFd;
            // SAFETY: nothing else in this process has an object that owns descriptor 2.
            drop(unsafe { std::os::fd::OwnedFd::from_raw_fd(2) });
        }
        leaking_host();
        std::io::stdout().write_all(b"lived on\n").unwrap();
        return;
    }
    let broken_pipe = |directives| {
        let mut child = command(NAME, directives).spawn().unwrap();
        drop(child.stderr.take());
        ended(child)
    };
    let full = |directives| {
        let mut command = command(NAME, directives);
        if let Ok(full) = std::fs::File::options().write(true).open("/dev/full") {
            command.stderr(full);
        }
        ended(command.spawn().unwrap())
    };
    let closed = |directives| {
        let mut command = command(NAME, directives);
        ended(command.env("CLOSE", "1").spawn().unwrap())
    };
    for ended in [
        broken_pipe("log"),
        full("log"),
        closed("log"),
        closed("count,help"),
    ] {
        ended.assert_exit(0);
        assert!(ended.all.contains("lived on"), "{}", ended.all);
    }
    for ended in [broken_pipe("abort"), full("abort"), closed("abort")] {
        ended.assert_aborted();
    }
}
