//! Faults round the checker that end or hold up no host, and lose no report: subscribers that panic or belong to one thread,
//! a stderr that takes nothing, a process without descriptors, signals, exits. Each test runs itself again in a child.
#![cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    any(debug_assertions, feature = "enabled")
))]

mod common;

use common::Fake;
use handleguard_test_support::child::{self, SIGABRT, command, is_child};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than a report takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// A loop whose close callback opens no scope.
#[inline(never)]
fn violate(fake: Fake) {
    let _main = handleguard::scope(fake, "main");
    let _turn = handleguard::turn(fake, "uv_run");
    let _callback = handleguard::callback(fake, "on_close");
    std::hint::black_box(());
}

/// How many reports of a violation have been written.
fn reports(stderr: &[u8]) -> usize {
    let text = String::from_utf8_lossy(stderr);
    text.matches("handleguard: missing-scope: callback `on_close` at ")
        .count()
}

#[track_caller]
fn rerun(test: &str, directives: &str) -> Output {
    child::run(&mut command(test, directives))
}

#[track_caller]
fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", child::shown(output));
}

#[test]
fn a_subscriber_of_one_thread_hides_no_report_of_another() {
    const TEST: &str = "a_subscriber_of_one_thread_hides_no_report_of_another";
    if is_child() {
        let of_one_thread = || {
            let sink = tracing_subscriber::fmt().with_writer(std::io::sink);
            tracing::subscriber::with_default(sink.finish(), || tracing::info!("its own work"));
        };
        thread::spawn(of_one_thread).join().unwrap();
        return violate(Fake::new(0xabc));
    }
    let output = rerun(TEST, "log");
    assert_exit(&output, 0);
    assert_eq!(reports(&output.stderr), 1, "{}", child::shown(&output));
}

#[test]
fn a_subscriber_of_one_thread_receives_the_reports_of_that_thread() {
    const TEST: &str = "a_subscriber_of_one_thread_receives_the_reports_of_that_thread";
    if is_child() {
        let stdout = tracing_subscriber::fmt().with_writer(std::io::stdout);
        let subscriber = stdout.with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", id = 7);
            let _entered = span.enter();
            violate(Fake::new(0xabc));
            assert!(handleguard::flush(LONG));
        });
        return;
    }
    let output = rerun(TEST, "log,tick=off");
    assert_exit(&output, 0);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("ERROR request{id=7}: handleguard: missing-scope: callback `on_close` at "),
        "{}",
        child::shown(&output)
    );
    assert_eq!(reports(&output.stderr), 0, "{}", child::shown(&output));
}

#[test]
fn a_subscriber_that_panics_ends_nothing_and_the_report_goes_to_stderr() {
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    const TEST: &str = "a_subscriber_that_panics_ends_nothing_and_the_report_goes_to_stderr";
    struct Panics;
    impl<S: tracing::Subscriber> Layer<S> for Panics {
        fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
            panic!("the subscriber's own fault");
        }
    }
    if is_child() {
        let subscriber = tracing_subscriber::registry().with(Panics);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        let fake = Fake::new(0xabc);
        violate(fake);
        // The report of the second comes from a guard that is dropped while the thread unwinds.
        fake.handles.set(Some(0));
        let grows = std::panic::AssertUnwindSafe(|| {
            let _turn = handleguard::turn(fake, "uv_run");
            fake.handles.set(Some(5));
            panic!("the host's own");
        });
        let unwound = std::panic::catch_unwind(grows);
        assert!(unwound.is_err());
        assert!(handleguard::flush(LONG));
        assert_eq!(handleguard::report().violations(), 2);
        return;
    }
    let output = rerun(TEST, "log");
    assert_exit(&output, 0);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(reports(&output.stderr), 1, "{}", child::shown(&output));
    assert!(
        text.contains("handleguard: the subscriber to `tracing` panicked at this event:\nhandleguard: missing-scope: "),
        "{text}"
    );
    assert!(text.contains("handleguard: outer-growth: "), "{text}");
}

/// A pipe that has no room left.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    set_blocking(&writer, false);
    while writer.write(&[b'x'; 4096]).is_ok() {}
    set_blocking(&writer, true);
    (reader, writer)
}

fn set_blocking(pipe: &PipeWriter, is_blocking: bool) {
    let flags = if is_blocking { 0 } else { libc::O_NONBLOCK };
    // SAFETY: changes a flag of a descriptor that is open.
    let set = unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, flags) };
    assert_eq!(set, 0);
}

#[test]
fn a_stderr_that_nobody_reads_holds_no_loop_up_and_the_lost_reports_are_counted() {
    const TEST: &str =
        "a_stderr_that_nobody_reads_holds_no_loop_up_and_the_lost_reports_are_counted";
    if is_child() {
        violate(Fake::new(0xabc));
        println!("\nthe loop went on");
        // The parent empties the pipe meanwhile.
        let mut until_closed = Vec::new();
        std::io::stdin().read_to_end(&mut until_closed).unwrap();
        return violate(Fake::new(0xdef));
    }
    let (mut reader, writer) = full_pipe();
    let mut host = command(TEST, "log,tick=off")
        .stdin(Stdio::piped())
        .stderr(writer)
        .spawn()
        .unwrap();
    let stdin = host.stdin.take().unwrap();
    let mut stdout = host.stdout.take().unwrap();
    let mut went_on = Vec::new();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&went_on).contains("the loop went on") {
        let read = stdout.read(&mut chunk).unwrap();
        assert!(read > 0, "the child ended");
        went_on.extend_from_slice(&chunk[..read]);
    }
    // By now the start-up line is lost. The first report may find room or not.
    let stderr = thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        all
    });
    drop(stdin);
    let status = host.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    let text = String::from_utf8_lossy(&stderr.join().unwrap()).into_owned();
    let text = text.trim_start_matches('x');
    assert!(
        text.contains("handleguard: messages lost because stderr took no more: "),
        "{text}"
    );
    assert!(text.contains("       isolate: 0xdef\n"), "{text}");
}

#[test]
fn a_stderr_that_nobody_reads_delays_no_abort_and_no_exit() {
    const TEST: &str = "a_stderr_that_nobody_reads_delays_no_abort_and_no_exit";
    if is_child() {
        return violate(Fake::new(0xabc));
    }
    for (directives, signal) in [("abort", Some(SIGABRT)), ("log", None)] {
        let (reader, writer) = full_pipe();
        let output = child::run(command(TEST, directives).stderr(writer));
        assert_eq!(output.status.signal(), signal, "{}", child::shown(&output));
        drop(reader);
    }
}

#[test]
fn a_stderr_without_a_reader_raises_no_sigpipe_and_a_closed_one_is_no_fault() {
    const TEST: &str = "a_stderr_without_a_reader_raises_no_sigpipe_and_a_closed_one_is_no_fault";
    if is_child() {
        // SAFETY: restores the default action, which Rust's start has changed; a host in C++ has it.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        if std::env::var_os("CLOSED").is_some() {
            // SAFETY: nothing in this process owns the descriptor.
            unsafe { libc::close(2) };
        }
        violate(Fake::new(0xabc));
        assert!(handleguard::flush(LONG));
        return;
    }
    for (directives, signal) in [("abort", Some(SIGABRT)), ("log", None)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let broken = child::run(command(TEST, directives).stderr(writer));
        assert_eq!(broken.status.signal(), signal, "{}", child::shown(&broken));
        let closed = child::run(command(TEST, directives).env("CLOSED", "1"));
        assert_eq!(closed.status.signal(), signal, "{}", child::shown(&closed));
    }
}

#[test]
fn abort_needs_no_descriptor_and_no_lock_of_stderr() {
    const TEST: &str = "abort_needs_no_descriptor_and_no_lock_of_stderr";
    if is_child() {
        let fake = Fake::new(0xabc);
        drop(handleguard::scope(fake, "warm"));
        let (locked, is_locked) = mpsc::channel();
        thread::spawn(move || {
            let _lock = std::io::stderr().lock();
            locked.send(()).unwrap();
            thread::park();
        });
        is_locked.recv().unwrap();
        while std::fs::File::open("/dev/null")
            .map(std::mem::forget)
            .is_ok()
        {}
        violate(fake);
        unreachable!("lived on");
    }
    let output = rerun(TEST, "abort");
    assert_eq!(
        output.status.signal(),
        Some(SIGABRT),
        "{}",
        child::shown(&output)
    );
    assert_eq!(reports(&output.stderr), 1, "{}", child::shown(&output));
}

#[test]
fn a_signal_that_the_host_waits_for_goes_to_the_host() {
    const TEST: &str = "a_signal_that_the_host_waits_for_goes_to_the_host";
    if is_child() {
        // The thread of the checker starts before the host blocks the signal.
        violate(Fake::new(0xabc));
        assert!(handleguard::flush(LONG));
        let mut signal = 0;
        // SAFETY: the set is initialised by `sigemptyset`. `kill` signals this process.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGTERM);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            // The main thread of the harness, which only waits, has not blocked it: the signal must not be for the process.
            libc::pthread_kill(libc::pthread_self(), libc::SIGTERM);
            libc::sigwait(&raw const set, &raw mut signal);
        }
        assert_eq!(signal, libc::SIGTERM);
        // Every other thread of the checker's has all signals blocked (`proc(5)`, SigBlk).
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let statuses: Vec<String> = tasks
            .map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap())
            .filter(|status| status.starts_with("Name:\thandleguard-tic"))
            .collect();
        let [status] = &statuses[..] else {
            panic!("not one thread: {statuses:#?}");
        };
        let blocked = status
            .lines()
            .find_map(|line| line.strip_prefix("SigBlk:\t"));
        let blocked = u64::from_str_radix(blocked.unwrap(), 16).unwrap();
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGCHLD, libc::SIGHUP] {
            assert_ne!(blocked & (1 << (signal - 1)), 0, "{status}");
        }
        return;
    }
    assert_exit(&rerun(TEST, "log"), 0);
}

#[test]
fn a_violation_right_before_the_exit_is_logged() {
    const TEST: &str = "a_violation_right_before_the_exit_is_logged";
    if is_child() {
        violate(Fake::new(0xabc));
        std::process::exit(7);
    }
    let output = rerun(TEST, "log");
    assert_exit(&output, 7);
    assert_eq!(reports(&output.stderr), 1, "{}", child::shown(&output));
}

#[test]
fn a_clean_process_has_no_thread_of_the_checker() {
    const TEST: &str = "a_clean_process_has_no_thread_of_the_checker";
    if is_child() {
        let fake = Fake::new(0xabc);
        let before = std::fs::read_dir("/proc/self/task").unwrap().count();
        for _ in 0..1000 {
            let _turn = handleguard::turn(fake, "uv_run");
            let _scope = handleguard::scope(fake, "on_close");
            let _callback = handleguard::callback(fake, "on_close");
        }
        assert_eq!(
            std::fs::read_dir("/proc/self/task").unwrap().count(),
            before
        );
        return;
    }
    assert_exit(&rerun(TEST, "log"), 0);
}

/// A violation by a stack that no other `path` has: each bit selects which of two functions calls on.
fn branch(fake: Fake, left: u32, path: u32) {
    match (left, path & 1) {
        (0, _) => violate(fake),
        (_, 0) => even(fake, left - 1, path >> 1),
        _ => odd(fake, left - 1, path >> 1),
    }
}

#[inline(never)]
fn even(fake: Fake, left: u32, path: u32) {
    branch(fake, left, path);
    // No tail call, and not the same code as `odd`.
    std::hint::black_box(0);
}

#[inline(never)]
fn odd(fake: Fake, left: u32, path: u32) {
    branch(fake, left, path);
    std::hint::black_box(1);
}

#[test]
fn a_full_table_is_said_and_a_new_rule_is_reported_all_the_same() {
    const TEST: &str = "a_full_table_is_said_and_a_new_rule_is_reported_all_the_same";
    if is_child() {
        let fake = Fake::new(0xabc);
        for path in 0..100 {
            branch(fake, 8, path);
        }
        fake.handles.set(Some(0));
        let _turn = handleguard::turn(fake, "another rule");
        fake.handles.set(Some(100_000));
        return;
    }
    let output = rerun(TEST, "log,sites=16,tick=off");
    assert_exit(&output, 0);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("handleguard: the site table is full (16 sites): "),
        "{text}"
    );
    assert!(
        text.contains("handleguard: outer-growth: turn `another rule` at "),
        "{text}"
    );
}

#[test]
fn a_host_that_unloads_the_library_with_the_checker_lives_on() {
    const TEST: &str = "a_host_that_unloads_the_library_with_the_checker_lives_on";
    if is_child() {
        let library = std::env::var("LIBRARY").unwrap();
        let path = std::ffi::CString::new(library).unwrap();
        // SAFETY: the library is this crate with a function of that type, built for this test. `dlclose` ends the use of both.
        unsafe {
            let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
            assert!(!library.is_null());
            let violate = libc::dlsym(library, c"violate".as_ptr());
            assert!(!violate.is_null());
            let violate = std::mem::transmute::<*mut libc::c_void, extern "C" fn()>(violate);
            thread::spawn(move || violate()).join().unwrap();
            assert_eq!(libc::dlclose(library), 0);
        }
        // Some ticks, which a thread that was left behind would not survive.
        thread::sleep(Duration::from_millis(500));
        return;
    }
    let mut cargo = Command::new(env!("CARGO"));
    let features = ["--features", "handleguard/enabled"];
    cargo.args(["build", "-p", "handleguard", "--example", "unload"]);
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    cargo.args(features).args(["--profile", profile]);
    cargo.args(["--message-format", "json"]);
    // A sanitizer's code would need the sanitizer, which this program does not export.
    cargo.env_remove("RUSTFLAGS");
    let built = cargo.output().unwrap();
    let messages = String::from_utf8_lossy(&built.stdout);
    let library = messages
        .split('"')
        .find(|word| word.ends_with("/libunload.so"))
        .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&built.stderr)));
    let output = child::run(command(TEST, "log,tick=100ms").env("LIBRARY", library));
    assert_exit(&output, 0);
    assert_eq!(reports(&output.stderr), 1, "{}", child::shown(&output));
}

#[test]
fn new_sites_are_logged_in_the_order_in_which_they_occurred() {
    const TEST: &str = "new_sites_are_logged_in_the_order_in_which_they_occurred";
    if is_child() {
        // The thread of the checker finds some at once, whenever it looks.
        for isolate in 1..=200 {
            branch(Fake::new(isolate), 8, u32::try_from(isolate).unwrap());
        }
        return;
    }
    let output = rerun(TEST, "log,tick=off");
    assert_exit(&output, 0);
    let text = String::from_utf8_lossy(&output.stderr);
    let isolates: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("       isolate: "))
        .collect();
    let expected: Vec<String> = (1..=200).map(|isolate| format!("{isolate:#x}")).collect();
    assert_eq!(isolates, expected);
}
