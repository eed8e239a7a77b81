//! Host code that V8 calls on threads of its own, where it has set the current isolate for work of its own.

use handleguard_tests::{child, host, is_child};
use handleguard_v8::handleguard::{self, Rule};
use handleguard_v8::{scope, testing, turn};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

static ISOLATE: AtomicPtr<v8::Isolate> = AtomicPtr::new(null_mut());
static OWNER: Mutex<Option<ThreadId>> = Mutex::new(None);
static FREED: AtomicU32 = AtomicU32::new(0);
static FREED_ELSEWHERE: AtomicU32 = AtomicU32::new(0);
static BYTES: [u8; 64] = [0; 64];

/// Counts a buffer that V8 frees, and returns whether that is on a thread of V8's.
fn count_freed() -> bool {
    let is_elsewhere = *OWNER.lock().unwrap() != Some(thread::current().id());
    FREED_ELSEWHERE.fetch_add(u32::from(is_elsewhere), Ordering::SeqCst);
    FREED.fetch_add(1, Ordering::SeqCst);
    is_elsewhere
}

unsafe extern "C" fn counts(_: *mut c_void, _: usize, _: *mut c_void) {
    count_freed();
}

unsafe extern "C" fn opens_a_scope(_: *mut c_void, _: usize, _: *mut c_void) {
    let isolate = ISOLATE.load(Ordering::SeqCst);
    if count_freed() && !isolate.is_null() {
        // SAFETY: the isolate lives until `frees_buffers` has cleared its address. That the owner uses it meanwhile is the bug.
        let isolate = unsafe { &mut *isolate };
        scope!(let scope, isolate);
        let _ = scope;
    }
}

/// Makes `count` buffers with the deleter `free`, and has each freed by the sweep after a collection, in a turn of its own.
fn frees_buffers(
    scope: &mut v8::PinScope,
    count: u32,
    free: unsafe extern "C" fn(*mut c_void, usize, *mut c_void),
) {
    *OWNER.lock().unwrap() = Some(thread::current().id());
    let isolate: &mut v8::Isolate = scope;
    ISOLATE.store(isolate, Ordering::SeqCst);
    for number in 1..=count {
        turn!(scope, "loop");
        {
            scope!(let scope, scope);
            // SAFETY: the bytes live for ever, and no script writes them.
            let store = unsafe {
                let data = BYTES.as_ptr().cast_mut().cast();
                v8::ArrayBuffer::new_backing_store_from_ptr(data, BYTES.len(), free, null_mut())
            };
            v8::ArrayBuffer::with_backing_store(scope, &store.make_shared());
        }
        scope.request_garbage_collection_for_testing(v8::GarbageCollectionType::Full);
        while FREED.load(Ordering::SeqCst) < number {
            thread::sleep(Duration::from_millis(1));
        }
    }
    ISOLATE.store(null_mut(), Ordering::SeqCst);
    assert!(FREED_ELSEWHERE.load(Ordering::SeqCst) > 0);
}

#[test]
fn each_deleter_that_opens_a_scope_on_a_thread_of_v8s_is_reported_and_nothing_else_is() {
    if is_child() {
        host!(scope, _context);
        frees_buffers(scope, 100, opens_a_scope);
        let report = handleguard::report();
        let sites: Vec<_> = report.sites().iter().collect();
        let rules: Vec<Rule> = sites.iter().map(|site| site.violation().rule()).collect();
        assert_eq!(rules, [Rule::WrongThread], "{report}");
        let freed = FREED_ELSEWHERE.load(Ordering::SeqCst);
        assert_eq!(sites[0].count(), u64::from(freed), "{report}");
        println!("{}", sites[0].violation());
        return;
    }
    let output = child(
        "engine_threads::each_deleter_that_opens_a_scope_on_a_thread_of_v8s_is_reported_and_nothing_else_is",
        "log,tick=off",
    );
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    for part in [
        "handleguard: wrong-thread: HandleScope `v8::engine_threads::opens_a_scope` at ",
        "          note: the engine runs this code in work of its own, such as freeing what a collection found dead\n",
        "          help: note here only what is to be done, and do it in a task of the isolate's own thread\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_deleter_that_only_counts_is_silent() {
    if is_child() {
        host!(scope, _context);
        frees_buffers(scope, 20, counts);
        assert_eq!(handleguard::report().sites().len(), 0);
        return;
    }
    let output = child(
        "engine_threads::a_deleter_that_only_counts_is_silent",
        "abort",
    );
    assert!(output.status.success());
}

unsafe extern "C" {
    #[cfg_attr(not(windows), link_name = "_ZN2v87Isolate5EnterEv")]
    #[cfg_attr(windows, link_name = "?Enter@Isolate@v8@@QEAAXXZ")]
    fn enter(isolate: *mut c_void);
    #[cfg_attr(not(windows), link_name = "_ZN2v87Isolate4ExitEv")]
    #[cfg_attr(windows, link_name = "?Exit@Isolate@v8@@QEAAXXZ")]
    fn exit(isolate: *mut c_void);
}

/// As C++ code does, which calls V8's own functions: no hook and no guard sees it.
#[test]
fn a_thread_that_enters_unseen_has_entered() {
    handleguard_tests::start_v8();
    let mut isolate = v8::Isolate::new(Default::default());
    {
        scope!(let scope, &mut isolate);
        let _ = scope;
    }
    // SAFETY: entered by `Isolate::new`; entered again below.
    unsafe { isolate.exit() };
    // SAFETY: a transparent wrapper of the address (`isolate.rs`).
    let raw: *mut c_void = unsafe { std::mem::transmute(isolate.as_raw_isolate_ptr()) };
    let (raw, address) = (
        raw.expose_provenance(),
        (&raw mut isolate).expose_provenance(),
    );
    let on_second_thread = move || {
        let raw = std::ptr::with_exposed_provenance_mut(raw);
        // SAFETY: the first thread has left the isolate, and waits.
        let isolate: &mut v8::OwnedIsolate =
            unsafe { &mut *std::ptr::with_exposed_provenance_mut(address) };
        // SAFETY: no thread has entered the isolate.
        unsafe { enter(raw) };
        testing::assert_clean(|| {
            for _ in 0..3 {
                turn!(isolate, "loop");
                scope!(let scope, isolate);
                let _ = v8::Number::new(scope, 0.5);
            }
        });
        // SAFETY: entered above.
        unsafe { exit(raw) };
    };
    thread::spawn(on_second_thread).join().unwrap();
    // SAFETY: no thread has entered it.
    unsafe { isolate.enter() };
}
