//! What the naming of a stack takes from the process, and what it does without files and without memory. Each test runs itself
//! again in a process of its own.
#![cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    any(debug_assertions, feature = "enabled")
))]

mod common;

use common::Fake;
use handleguard::Trace;
use handleguard_test_support::child;
use std::ffi::CString;
use std::fs;
use std::io::Error;
use std::process::Command;
use std::thread;

#[inline(never)]
fn on_close(fake: Fake) {
    let _callback = handleguard::callback(fake, "on_close");
    fake.handles.set(Some(2));
}

/// Returns the stack of a violation, which nobody has named yet.
fn trace() -> Trace {
    let fake = Fake::new(1);
    fake.handles.set(Some(0));
    let _main = handleguard::scope(fake, "main");
    let turn = handleguard::turn(fake, "loop");
    on_close(fake);
    drop(turn);
    let report = handleguard::report();
    report.sites()[0].violation().trace().clone()
}

/// Runs the test of that name in a child, and returns what that wrote to stdout.
#[track_caller]
fn in_child(test: &str) -> String {
    run(&mut child::command(test, DIRECTIVES))
}

const DIRECTIVES: &str = "count,tick=0";

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = child::run(command);
    assert!(output.status.success(), "{}", child::shown(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns a number of `/proc/self/status`, in KiB.
fn status(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Whether a sanitizer manages the memory, of which it takes terabytes of addresses and a multiple of the rest.
fn is_sanitized() -> bool {
    status("VmSize:") > 1 << 30
}

#[test]
fn naming_a_stack_takes_a_few_mib_and_keeps_one() {
    if child::is_child() {
        let trace = trace();
        // Forgets the highest value.
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = status("VmRSS:");
        let text = trace.to_string();
        let (peak, after) = (
            status("VmHWM:").saturating_sub(before),
            status("VmRSS:").saturating_sub(before),
        );
        println!("peak {peak} KiB, kept {after} KiB");
        assert!(text.contains("on_close"), "{text}");
        assert!(peak < 8 << 10 || is_sanitized(), "{peak} KiB");
        assert!(after < 3 << 10 || is_sanitized(), "{after} KiB");
        return;
    }
    println!(
        "{}",
        in_child("naming_a_stack_takes_a_few_mib_and_keeps_one")
    );
}

#[test]
fn a_stack_is_named_on_another_thread() {
    if child::is_child() {
        let trace = trace();
        let elsewhere = trace.clone();
        let named = thread::spawn(move || elsewhere.to_string()).join().unwrap();
        assert_eq!(named, trace.to_string());
        assert!(named.contains(": naming::on_close\n"), "{named}");
        return;
    }
    in_child("a_stack_is_named_on_another_thread");
}

/// Makes an empty folder the root, as a container may, and returns whether the system allows that.
fn enter_root(root: String) -> bool {
    let path = CString::new(root).unwrap();
    // SAFETY: a string that ends with 0.
    let mut result = unsafe { libc::chroot(path.as_ptr()) };
    if result != 0 {
        // A user namespace allows it to all users, where the process has one thread and the system allows namespaces.
        // SAFETY: changes what the process may do, and nothing in memory.
        result = unsafe { libc::unshare(libc::CLONE_NEWUSER) };
        if result == 0 {
            // SAFETY: as above.
            result = unsafe { libc::chroot(path.as_ptr()) };
        }
    }
    if result != 0 {
        println!("skipped: {}", Error::last_os_error());
        return false;
    }
    std::env::set_current_dir("/").unwrap();
    assert!(fs::read_dir("/").unwrap().next().is_none());
    true
}

/// Returns the lines without numbers, each once.
fn kinds(text: &str) -> Vec<String> {
    let mut kinds = Vec::new();
    for line in text.lines() {
        let (number, frame) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
        assert!(number.trim().parse::<u8>().is_ok(), "{line}");
        let mut parts = frame.splitn(2, "+0x");
        let (module, rest) = (parts.next().unwrap(), parts.next().unwrap_or(line));
        let (offset, id) = rest.split_once(" [build id ").unwrap_or((rest, ""));
        assert!(u64::from_str_radix(offset, 16).is_ok(), "{line}");
        let kind = match id.strip_suffix(']') {
            Some(id) => {
                assert!(
                    id.len() >= 16 && id.bytes().all(|it| it.is_ascii_hexdigit()),
                    "{line}"
                );
                format!("{module}+0x... [build id ...]")
            }
            None => format!("{module}+0x..."),
        };
        // A build id is shown once.
        if !id.is_empty() || !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

#[test]
fn without_its_files_a_stack_shows_modules_with_their_build_ids_once() {
    if let Ok(root) = std::env::var("EMPTY_ROOT") {
        let trace = trace();
        if enter_root(root) {
            println!("trace:\n{trace}end of trace");
            assert_eq!(trace.to_string(), trace.to_string());
        }
        return;
    }
    let root = std::env::temp_dir().join(format!("handleguard-root-{}", std::process::id()));
    fs::create_dir(&root).unwrap();
    let mut command = child::command(
        "without_its_files_a_stack_shows_modules_with_their_build_ids_once",
        DIRECTIVES,
    );
    let said = run(command.env("EMPTY_ROOT", &root));
    fs::remove_dir(&root).unwrap();
    let Some((_, text)) = said.split_once("trace:\n") else {
        println!("{said}");
        return;
    };
    let (text, _) = text.split_once("end of trace").unwrap();
    let exe = std::env::current_exe().unwrap();
    let program = exe.file_name().unwrap().to_str().unwrap();
    assert_eq!(
        kinds(text),
        [
            format!("{program}+0x... [build id ...]"),
            format!("{program}+0x..."),
            "libc.so.6+0x... [build id ...]".to_owned(),
            "libc.so.6+0x...".to_owned(),
        ],
        "{text}"
    );
}

/// Limits the memory of the process to what it has and `more` KiB.
fn limit_memory(more: u64) {
    let bytes = (status("VmSize:") + more) << 10;
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` lives while it is read.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    assert_eq!(result, 0, "{}", Error::last_os_error());
}

#[test]
fn little_memory_makes_a_stack_shorter_and_ends_nothing() {
    if let Ok(more) = std::env::var("MORE_KIB") {
        let trace = trace();
        limit_memory(more.parse().unwrap());
        let text = trace.to_string();
        limit_memory(1 << 30);
        println!("trace:\n{text}");
        assert!(
            trace.to_string().contains(": naming::on_close\n"),
            "enough again"
        );
        return;
    }
    if is_sanitized() {
        return;
    }
    let mut named = Vec::new();
    for more in [
        64,
        256,
        1 << 10,
        2 << 10,
        4 << 10,
        16 << 10,
        64 << 10,
        1 << 20,
    ] {
        let mut command = child::command(
            "little_memory_makes_a_stack_shorter_and_ends_nothing",
            DIRECTIVES,
        );
        let said = run(command.env("MORE_KIB", more.to_string()));
        assert!(said.contains("  0: naming"), "{said}");
        named.push(said.contains(": naming::on_close\n"));
    }
    assert!(!named[0], "the file of the program is larger");
    assert!(named[named.len() - 1]);
    assert!(named.is_sorted(), "{named:?}");
}
