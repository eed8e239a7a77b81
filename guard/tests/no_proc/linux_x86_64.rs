//! A process that has no `/proc`, nor its own file: it reports as it does elsewhere, and does not look for them again and again.

use super::common::{Fake, normalised};
use handleguard_test_support::child::{self, command, is_child};
use std::ffi::{c_int, c_void};
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

/// One violation of `missing-scope`.
#[inline(never)]
fn leak(fake: Fake) {
    let _turn = handleguard::turn(fake, "loop");
    on_close(fake);
}

#[inline(never)]
fn on_close(fake: Fake) {
    let _callback = handleguard::callback(fake, "on_close");
    std::hint::black_box(());
}

/// Puts the process into an empty folder, which is removed. Returns `false` without root.
fn enter_empty_root() -> bool {
    let folder = std::env::temp_dir().join(format!("handleguard-empty-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    std::env::set_current_dir(&folder).unwrap();
    std::fs::remove_dir(&folder).unwrap();
    let entered = std::os::unix::fs::chroot(".");
    if let Err(error) = &entered {
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    }
    entered.is_ok()
}

const REPORT: &str = "\
handleguard: missing-scope: callback `on_close` at linux_x86_64.rs:LL:CC started with no HandleScope open
      callback: `on_close` at linux_x86_64.rs:LL:CC
  swallowed by: no HandleScope that handleguard sees
          turn: #1 `loop` at linux_x86_64.rs:LL:CC
        thread: <thread>
       isolate: 0xabc
          rule: missing-scope=log
          help: open a scope in `on_close` before its first handle: `let _scope = arena.scope();`
     backtrace (at the start of the callback):
";

const SKIPPED: &str = "skipped: a chroot needs root\n";

fn a_violation_in_an_empty_chroot_is_reported_with_its_whole_stack() {
    if is_child() {
        if !enter_empty_root() {
            print!("{SKIPPED}");
            return;
        }
        leak(Fake::new(0xabc));
        let report = handleguard::report();
        let trace = report.sites()[0].violation().trace();
        assert!(!trace.is_truncated(), "{trace}");
        return;
    }
    let output = run("chroot", "log");
    if String::from_utf8_lossy(&output.stdout).contains(SKIPPED) {
        print!("{SKIPPED}");
        return;
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let (start, report) = stderr.split_once('\n').unwrap();
    assert!(start.starts_with("handleguard: on: "));
    let (report, frames) = report.split_at(report.find("        0: ").unwrap());
    assert_eq!(normalised(report, file!()), REPORT);
    // Down to the C library's start of the program, by the addresses in their files.
    let frames: Vec<&str> = frames.lines().map(str::trim).collect();
    assert!(frames.len() > 5, "{stderr}");
    assert!(frames[0].starts_with("0: no_proc-"), "{stderr}");
    assert!(
        frames[frames.len() - 2].contains(": libc.so.6+0x"),
        "{stderr}"
    );
    assert!(frames[frames.len() - 1].contains(": no_proc-"), "{stderr}");
}

/// Runs this program again as a child.
fn run(test: &str, directives: &str) -> Output {
    let output = child::run(&mut command(test, directives));
    println!("{}", child::shown(&output));
    assert!(output.status.success());
    output
}

pub fn main() {
    if !is_child() {
        a_violation_in_an_empty_chroot_is_reported_with_its_whole_stack();
        a_violation_without_files_looks_for_each_once();
        println!("test result: ok. 2 passed");
        return;
    }
    println!("running 1 test");
    match std::env::args().nth(1).as_deref() {
        Some("chroot") => a_violation_in_an_empty_chroot_is_reported_with_its_whole_stack(),
        Some("refused") => a_violation_without_files_looks_for_each_once(),
        other => panic!("no test {other:?}"),
    }
}

/// How often the process has tried to open a file since [`refuse_files`].
static OPENED: AtomicU32 = AtomicU32::new(0);

/// Makes the kernel refuse each file that this thread opens from now on, as if there was none, and counts it.
fn refuse_files() {
    extern "C" fn on_open(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
        OPENED.fetch_add(1, Ordering::Relaxed);
        let context = context.cast::<libc::ucontext_t>();
        // SAFETY: the kernel passes the context, and takes the result of the system call from it.
        unsafe { (*context).uc_mcontext.gregs[libc::REG_RAX as usize] = -i64::from(libc::ENOENT) };
    }
    const fn operation(code: u32, k: u32, jump_if_not: u8) -> libc::sock_filter {
        let (code, jt) = (code as u16, 0);
        libc::sock_filter {
            code,
            jt,
            jf: jump_if_not,
            k,
        }
    }
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const IS: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    // `seccomp_data` begins with the number of the system call.
    let filter = [
        operation(LOAD, 0, 0),
        operation(IS, libc::SYS_open as u32, 1),
        operation(RETURN, libc::SECCOMP_RET_TRAP, 0),
        operation(IS, libc::SYS_openat as u32, 1),
        operation(RETURN, libc::SECCOMP_RET_TRAP, 0),
        operation(RETURN, libc::SECCOMP_RET_ALLOW, 0),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the handler only counts and changes its own context; the kernel copies the filter.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_open as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(
            libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()),
            0
        );
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program),
            0
        );
    }
}

fn a_violation_without_files_looks_for_each_once() {
    if !is_child() {
        run("refused", "count");
        return;
    }
    let fake = Fake::new(0xabc);
    refuse_files();
    assert!(std::fs::File::open("/proc/self/maps").is_err());
    assert_eq!(OPENED.swap(0, Ordering::Relaxed), 1, "counted");
    leak(fake);
    assert_eq!(
        OPENED.swap(0, Ordering::Relaxed),
        1,
        "the bounds of the stack"
    );
    for _ in 0..std::hint::black_box(100) {
        leak(fake);
    }
    // Another site.
    leak(fake);
    assert_eq!(OPENED.swap(0, Ordering::Relaxed), 0);
    let report = handleguard::report();
    assert!(report.sites().len() >= 3);
    for site in report.sites() {
        assert!(!site.violation().trace().is_truncated());
    }
    assert_eq!(OPENED.load(Ordering::Relaxed), 0, "nothing is named yet");
    let unnamed = handleguard::report().to_string();
    assert!(unnamed.contains("no_proc-"), "{unnamed}");
    assert_ne!(OPENED.swap(0, Ordering::Relaxed), 0, "the names");
    handleguard::report().to_string();
    assert_eq!(OPENED.swap(0, Ordering::Relaxed), 0, "are looked up once");
}
