//! Forked children: none waits for a thread of its parent, and each has reports of its own. Each test runs itself again in
//! a host process, which forks.
#![cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    any(debug_assertions, feature = "enabled")
))]

mod common;

use common::{Fake, normalised};
use handleguard_test_support::child;
use std::ffi::{c_int, c_void};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a child may take that has milliseconds of work to do.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the test of that name in a host process with these directives, and returns what that wrote to stderr.
#[track_caller]
fn run_host(test: &str, directives: &str) -> String {
    let host = child::run(&mut child::command(test, directives));
    assert!(host.status.success(), "{}", child::shown(&host));
    String::from_utf8(host.stderr).unwrap()
}

/// How a child ended.
#[derive(PartialEq, Eq, Debug)]
enum End {
    Exit(c_int),
    Signal(c_int),
    /// It had to be killed.
    Hung,
}

/// Runs `f` in a forked child, and waits for its end.
fn in_child(f: impl FnOnce()) -> End {
    let pid = fork();
    if pid == 0 {
        f();
        end_child();
    }
    let started = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: `pid` is a child that nobody else waits for, and `status` is an `int`.
        if unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == pid {
            break;
        }
        if started.elapsed() > LIMIT {
            // SAFETY: the child was not waited for yet, so the number is still its own.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, &raw mut status, 0);
            }
            return End::Hung;
        }
        thread::sleep(Duration::from_millis(1));
    }
    if libc::WIFSIGNALED(status) {
        End::Signal(libc::WTERMSIG(status))
    } else {
        End::Exit(libc::WEXITSTATUS(status))
    }
}

/// Returns 0 in the child.
fn fork() -> libc::pid_t {
    // SAFETY: a child may do what blocks on no thread of its parent. That the checker does not is what these tests are
    // about; the tests themselves allocate, which glibc allows in a child.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", std::io::Error::last_os_error());
    pid
}

/// Ends a child without the handlers that the harness has registered.
fn end_child() -> ! {
    // SAFETY: may be called at any time.
    unsafe { libc::_exit(0) }
}

/// A turn that leaves handles.
#[inline(never)]
fn leave_handles(fake: Fake) {
    fake.handles.set(Some(0));
    let turn = handleguard::turn(fake, "worker");
    fake.handles.set(Some(9));
    drop(turn);
    // Keeps the end of the turn from being a tail call, which would leave no frame of this function.
    std::hint::black_box(());
}

#[test]
fn children_that_count_while_two_threads_of_the_parent_do_never_hang() {
    const TEST: &str = "children_that_count_while_two_threads_of_the_parent_do_never_hang";
    if !child::is_child() {
        run_host(TEST, "count");
        return;
    }
    leave_handles(Fake::new(1));
    thread::spawn(|| {
        loop {
            std::hint::black_box(handleguard::tick());
        }
    });
    thread::spawn(|| {
        let fake = Fake::new(2);
        loop {
            leave_handles(fake);
            handleguard::end_isolate(fake);
        }
    });
    thread::sleep(Duration::from_millis(50));
    assert_none_hangs(200, || {
        leave_handles(Fake::new(3));
        std::hint::black_box(handleguard::tick());
    });
}

#[test]
fn children_that_print_while_two_threads_of_the_parent_do_never_hang() {
    const TEST: &str = "children_that_print_while_two_threads_of_the_parent_do_never_hang";
    if !child::is_child() {
        run_host(TEST, "log,tick=off");
        return;
    }
    leave_handles(Fake::new(1));
    thread::spawn(name_stacks);
    thread::spawn(|| {
        loop {
            let _held = std::io::stderr().lock();
            thread::sleep(Duration::from_millis(1));
        }
    });
    thread::sleep(Duration::from_millis(50));
    assert_none_hangs(10, || leave_handles(Fake::new(3)));
}

#[test]
fn a_child_that_is_to_abort_dies_with_its_sentence() {
    const TEST: &str = "a_child_that_is_to_abort_dies_with_its_sentence";
    if child::is_child() {
        {
            // A callback without a scope: something for the parent to name.
            let fake = Fake::new(1);
            let _turn = handleguard::turn(fake, "parent");
            let _callback = handleguard::callback(fake, "parent");
        }
        thread::spawn(name_stacks);
        thread::spawn(name_stacks);
        thread::sleep(Duration::from_millis(50));
        for _ in 0..4 {
            let end = in_child(|| leave_handles(Fake::new(3)));
            assert_eq!(end, End::Signal(libc::SIGABRT));
        }
        return;
    }
    let stderr = run_host(TEST, "count,outer-growth=abort");
    let text = normalised(&stderr, file!());
    let sentences: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("handleguard: outer-growth"))
        .collect();
    assert_eq!(
        sentences,
        vec![format!("handleguard: {SENTENCE}"); 4],
        "{stderr}"
    );
}

#[test]
fn a_child_whose_parent_holds_the_locks_of_backtrace_and_of_the_dynamic_linker_reports_with_names()
{
    const TEST: &str = "a_child_whose_parent_holds_the_locks_of_backtrace_and_of_the_dynamic_linker_reports_with_names";
    if child::is_child() {
        // Not on the thread that forks, which is not to know the loaded modules yet.
        thread::spawn(|| drop(handleguard::turn(Fake::new(1), "parent")))
            .join()
            .unwrap();
        hold_the_lock_of_backtrace();
        hold_the_lock_of_the_dynamic_linker();
        let end = in_child(|| leave_handles(Fake::new(3)));
        assert_eq!(end, End::Signal(libc::SIGABRT));
        return;
    }
    let stderr = run_host(TEST, "abort");
    let text = normalised(&stderr, file!());
    let report: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("handleguard: outer-growth"))
        .collect();
    let (sentence, frame) = (report.first(), report.last());
    assert_eq!(
        sentence.copied(),
        Some(&*format!("handleguard: {SENTENCE}")),
        "{stderr}"
    );
    assert_eq!(frame, Some(&"        0: fork::leave_handles"), "{stderr}");
}

/// Has another thread hold the lock of crate `backtrace` from now on.
fn hold_the_lock_of_backtrace() {
    let (held, is_held) = mpsc::channel();
    thread::spawn(move || {
        backtrace::resolve((fork as *mut c_void).wrapping_byte_add(1), |_| {
            let _ = held.send(());
            sleep_for_ever();
        });
    });
    is_held.recv().unwrap();
}

/// Has another thread hold the lock of the list of modules from now on.
fn hold_the_lock_of_the_dynamic_linker() {
    extern "C" fn hold(_: *mut libc::dl_phdr_info, _: usize, held: *mut c_void) -> c_int {
        // SAFETY: the sender that is passed below, which outlives the call.
        let held = unsafe { &*held.cast::<mpsc::Sender<()>>() };
        let _ = held.send(());
        sleep_for_ever()
    }
    let (held, is_held) = mpsc::channel::<()>();
    thread::spawn(move || {
        // SAFETY: the callback has the signature that is asked for, and gets the pointer to a sender.
        unsafe { libc::dl_iterate_phdr(Some(hold), (&raw const held).cast_mut().cast()) };
    });
    is_held.recv().unwrap();
}

fn sleep_for_ever() -> ! {
    loop {
        thread::park();
    }
}

/// Holds the lock of the symbols for much of the time.
fn name_stacks() {
    loop {
        std::hint::black_box(handleguard::report().to_string());
    }
}

/// Forks `children` one by one to run `f`.
#[track_caller]
fn assert_none_hangs(children: usize, f: impl Fn()) {
    for child in 0..children {
        assert_eq!(in_child(&f), End::Exit(0), "child {child}");
    }
}

const SENTENCE: &str = "outer-growth: turn `worker` at fork.rs:LL:CC left 9 handles in no HandleScope that handleguard sees";

/// What came since the parent's last report, and all.
fn periodic() -> String {
    let report = |times| {
        format!(
            "handleguard: {times} violations, 1 site, {handles} handles left, in N.N s\n\
             \n  {SENTENCE}\n              fork::leave_handles\n          \
             {times} times, {handles} handles left; first N.N s, last N.N s after the start\n\
             \n  handleguard itself: N.N ms spent on violations; 1 of 1024 sites in use\n",
            handles = 9 * times,
        )
    };
    format!("{}in all:\n{}", report(3), report(4))
}

#[test]
fn a_child_has_periodic_reports_of_its_own() {
    const TEST: &str = "a_child_has_periodic_reports_of_its_own";
    if !child::is_child() {
        let stderr = run_host(TEST, "log,tick=3s");
        let text = normalised(&stderr, file!());
        let (_, child) = text.split_once("the child:\n").unwrap();
        // Of each stack, the first function.
        let frame = "              fork::";
        let lines = child
            .lines()
            .filter(|line| !line.starts_with(frame) || line.contains("fork::leave_handles"))
            .map(|line| format!("{}\n", line.split(" (tests/").next().unwrap()));
        assert_eq!(lines.collect::<String>(), periodic(), "{stderr}");
        return;
    }
    let (mut from_child, to_parent) = std::io::pipe().unwrap();
    let fake = Fake::new(1);
    let mut child = 0;
    // One site, as long as no pass of the loop is compiled apart; the parent prints and reports it before it forks.
    for turn in 0..std::hint::black_box(4) {
        leave_handles(fake);
        if std::hint::black_box(turn) == 0 {
            handleguard::tick();
            child = fork();
            if child != 0 {
                break;
            }
            // SAFETY: both are open.
            assert_eq!(unsafe { libc::dup2(to_parent.as_raw_fd(), 2) }, 2);
        }
    }
    if child == 0 {
        thread::sleep(LIMIT);
        end_child();
    }
    drop(to_parent);
    // The interval, and all.
    let mut text = String::new();
    while text.matches("handleguard itself").count() < 2 || !text.ends_with('\n') {
        let mut bytes = [0; 4096];
        match from_child.read(&mut bytes).unwrap() {
            0 => break,
            read => text.push_str(std::str::from_utf8(&bytes[..read]).unwrap()),
        }
    }
    // SAFETY: the child was not waited for, so the number is still its own.
    unsafe { libc::kill(child, libc::SIGKILL) };
    eprint!("the child:\n{text}");
}

#[test]
fn a_child_logs_a_site_of_its_own_once_and_none_of_its_parent() {
    const TEST: &str = "a_child_logs_a_site_of_its_own_once_and_none_of_its_parent";
    #[inline(never)]
    fn of_the_child(fake: Fake) {
        leave_handles(fake);
        std::hint::black_box(());
    }
    if child::is_child() {
        leave_handles(Fake::new(0xabc));
        // The parent may have logged it by now or not: in either case the parent does.
        let ended = in_child(|| {
            of_the_child(Fake::new(0xdef));
            assert!(handleguard::flush(LIMIT));
        });
        assert_eq!(ended, End::Exit(0));
        assert!(handleguard::flush(LIMIT));
        return;
    }
    let stderr = run_host(TEST, "log,tick=off");
    for isolate in ["0xabc", "0xdef"] {
        let line = format!("       isolate: {isolate}\n");
        assert_eq!(stderr.matches(&line).count(), 1, "{isolate}: {stderr}");
    }
}

#[test]
fn a_child_that_exits_ends_its_own_thread_and_not_one_of_its_parent() {
    const TEST: &str = "a_child_that_exits_ends_its_own_thread_and_not_one_of_its_parent";
    if child::is_child() {
        leave_handles(Fake::new(0xabc));
        assert!(handleguard::flush(LIMIT));
        for _ in 0..20 {
            let ended = in_child(|| {
                leave_handles(Fake::new(0xdef));
                // SAFETY: the child has no thread but this one and that of the checker.
                unsafe { libc::exit(0) }
            });
            assert_eq!(ended, End::Exit(0));
        }
        return;
    }
    run_host(TEST, "log,tick=off");
}
