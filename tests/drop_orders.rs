//! Guards that outlive their isolate, in each order: safe code that must touch nothing of a freed isolate.
//!
//! Run with no argument, each order runs in a process of its own, without seals and with them. `drop_orders orders` prints the
//! names of the orders, and `drop_orders <order>` runs one, prints its name, and ends with status 0: valgrind and a sanitizer
//! run those (`.ci/drop-orders`), for only they see a write to memory that is free.

use handleguard_tests::{function, start_v8};
use handleguard_v8::handleguard::finding::ScopeKind;
use handleguard_v8::handleguard::{AddonFunction, TurnGuard};
use handleguard_v8::{
    GcPhase, V8, addon_guard, callback_guard, gc_guard, scope, scope_guard, turn, turn_guard,
};
use std::cell::RefCell;
use std::process::{Command, ExitCode};

/// The directives under which each order runs.
const SETTINGS: [&str; 2] = ["log", "log,sealed=abort"];

/// Each order by its name.
const ORDERS: [(&str, fn()); 14] = [
    ("isolate-before-turn", isolate_before_turn),
    ("isolate-before-nested-turns", isolate_before_nested_turns),
    ("isolate-before-scope", isolate_before_scope),
    ("isolate-before-callback", isolate_before_callback),
    ("isolate-before-gc", isolate_before_gc),
    ("isolate-before-addon", isolate_before_addon),
    ("isolate-before-boxed-guards", isolate_before_boxed_guards),
    ("snapshot-before-turn", snapshot_before_turn),
    ("snapshot-of-plain-code", snapshot_of_plain_code),
    ("thread-local-isolate-before-turn", thread_local_isolate),
    ("turn-before-thread-local-isolate", thread_local_turn),
    ("disposed-on-another-thread", disposed_on_another_thread),
    ("disposed-by-an-ending-thread", disposed_by_an_ending_thread),
    ("turn-of-a-reused-address", turn_of_a_reused_address),
];

/// The one run in which valgrind must find an error: it proves that it sees the memory of a freed isolate.
const CONTROL: &str = "reads-a-freed-isolate";

fn main() -> ExitCode {
    // A test harness gets options, which mean nothing here.
    let argument = std::env::args().skip(1).find(|it| !it.starts_with('-'));
    match argument.as_deref() {
        None => run_all(),
        Some("orders") => {
            for (name, _) in ORDERS {
                println!("{name}");
            }
            ExitCode::SUCCESS
        }
        Some(CONTROL) => {
            start_v8();
            reads_a_freed_isolate();
            ExitCode::SUCCESS
        }
        Some(wanted) => match ORDERS.iter().find(|(name, _)| *name == wanted) {
            Some((name, order)) => {
                start_v8();
                order();
                println!("{name}");
                ExitCode::SUCCESS
            }
            // Another test was asked for by name.
            None => ExitCode::SUCCESS,
        },
    }
}

/// Runs each order as a child, under each setting.
fn run_all() -> ExitCode {
    let exe = std::env::current_exe().expect("the path of this binary");
    let mut failed = 0;
    for (name, _) in ORDERS {
        for setting in SETTINGS {
            let output = Command::new(&exe)
                .arg(name)
                .env("HANDLEGUARD", setting)
                .output()
                .expect("a child process");
            let is_ok = output.status.success()
                && String::from_utf8_lossy(&output.stdout) == format!("{name}\n");
            if !is_ok {
                failed += 1;
                println!(
                    "{name}, HANDLEGUARD={setting}: {}\n{}{}",
                    output.status,
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr),
                );
            }
        }
    }
    println!(
        "drop orders: {} run, {failed} failed",
        ORDERS.len() * SETTINGS.len()
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn isolate() -> v8::OwnedIsolate {
    v8::Isolate::new(Default::default())
}

/// Makes a handle in a scope of its own.
fn use_it(isolate: &mut v8::Isolate) {
    scope!(let scope, isolate);
    let _ = v8::Number::new(scope, 0.5);
}

/// The fields of a struct are dropped in the order of their declaration.
struct IsolateFirst<G> {
    isolate: v8::OwnedIsolate,
    _guard: G,
}

/// Makes a guard by `guard`, and drops it after its isolate.
fn isolate_before<G>(guard: impl FnOnce(&mut v8::OwnedIsolate) -> G) {
    let mut isolate = isolate();
    let _guard = guard(&mut isolate);
    let mut request = IsolateFirst { isolate, _guard };
    use_it(&mut request.isolate);
}

fn isolate_before_turn() {
    isolate_before(|isolate| turn_guard(isolate, "request"));
}

fn isolate_before_nested_turns() {
    let mut isolate = isolate();
    let outer = turn_guard(&mut isolate, "outer");
    let inner = turn_guard(&mut isolate, "inner");
    use_it(&mut isolate);
    drop(isolate);
    drop(outer);
    drop(inner);
}

fn isolate_before_scope() {
    isolate_before(|isolate| scope_guard(isolate, ScopeKind::CallbackScope, "request"));
}

fn isolate_before_callback() {
    isolate_before(|isolate| callback_guard(isolate, "request"));
}

fn isolate_before_gc() {
    isolate_before(|isolate| gc_guard(isolate, GcPhase::SecondPass, "finalizer"));
}

fn isolate_before_addon() {
    let function = AddonFunction::new("addons/libtimers.so".as_ref(), "on_timer");
    isolate_before(|isolate| addon_guard(isolate, function));
}

/// Dropped outermost first, and after the isolate.
fn isolate_before_boxed_guards() {
    let mut isolate = isolate();
    let turn = Box::new(turn_guard(&mut isolate, "turn"));
    let scope = Box::new(scope_guard(&mut isolate, ScopeKind::CallbackScope, "scope"));
    let callback = Box::new(callback_guard(&mut isolate, "callback"));
    let inner = Box::new(turn_guard(&mut isolate, "inner"));
    use_it(&mut isolate);
    drop(isolate);
    drop((turn, scope, callback, inner));
}

/// `create_blob` consumes the isolate, and V8 disposes of it in C++.
fn snapshot_before_turn() {
    let mut isolate = v8::Isolate::snapshot_creator(None, None);
    let turn = turn_guard(&mut isolate, "snapshot");
    {
        scope!(let scope, &mut isolate);
        let context = v8::Context::new(scope, Default::default());
        scope.set_default_context(context);
    }
    let blob = isolate.create_blob(v8::FunctionCodeHandling::Clear);
    assert!(blob.is_some());
    drop(turn);
}

/// As [`snapshot_before_turn`], where only the hooks see the isolate. A call into another isolate looks for the isolate that its
/// function belongs to among those that have a record.
fn snapshot_of_plain_code() {
    let mut isolate = v8::Isolate::snapshot_creator(None, None);
    {
        v8::scope!(let scope, &mut isolate);
        let context = v8::Context::new(scope, Default::default());
        scope.set_default_context(context);
    }
    let blob = isolate.create_blob(v8::FunctionCodeHandling::Clear);
    assert!(blob.is_some());
    // Of the same size as an isolate, so that the next one lies elsewhere.
    let filler = (0..4).map(|_| vec![0u8; 1 << 16]).collect::<Vec<_>>();
    let isolate = &mut self::isolate();
    v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let function = function(scope, "() => 1");
    v8::scope!(let scope, scope);
    let undefined = v8::undefined(scope).into();
    // So many that the handle of the function is not in the last block.
    for _ in 0..4096 {
        let _ = v8::Number::new(scope, 0.5);
    }
    function.call(scope, undefined, &[]);
    drop(filler);
}

/// What was initialised first is dropped last, after the locals of handleguard.
fn thread_local_isolate() {
    thread_local! {
        static WORKER: RefCell<Option<IsolateFirst<TurnGuard<V8>>>> = const { RefCell::new(None) };
    }
    on_a_thread(|| {
        // Has the local's destructor registered before those of handleguard.
        WORKER.with(|_| ());
        let mut isolate = isolate();
        let _guard = turn_guard(&mut isolate, "worker");
        let mut worker = IsolateFirst { isolate, _guard };
        use_it(&mut worker.isolate);
        WORKER.set(Some(worker));
    });
}

fn thread_local_turn() {
    struct Worker {
        _turn: TurnGuard<V8>,
        isolate: v8::OwnedIsolate,
    }
    thread_local! {
        static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
    }
    on_a_thread(|| {
        WORKER.with(|_| ());
        let mut isolate = isolate();
        let _turn = turn_guard(&mut isolate, "worker");
        let mut worker = Worker { _turn, isolate };
        use_it(&mut worker.isolate);
        WORKER.set(Some(worker));
    });
}

fn on_a_thread(f: impl FnOnce() + Send + 'static) {
    std::thread::spawn(f).join().expect("the thread");
}

/// The isolate moves to a thread that disposes of it, which takes `unsafe`, and the guards stay.
fn disposed_on_another_thread() {
    let mut isolate = isolate();
    let turn = turn_guard(&mut isolate, "first thread");
    use_it(&mut isolate);
    // SAFETY: this thread entered it; the other enters it before it uses it.
    unsafe { isolate.exit() };
    let isolate = Moved(isolate);
    on_a_thread(move || {
        let Moved(mut isolate) = { isolate };
        // SAFETY: the first thread has left it, and `drop` leaves it.
        unsafe { isolate.enter() };
        turn!(isolate, "second thread");
        use_it(&mut isolate);
    });
    drop(turn);
    // It may lie at the same address.
    let mut isolate = self::isolate();
    turn!(isolate, "first thread");
    use_it(&mut isolate);
}

/// As [`disposed_on_another_thread`], when the locals of that thread are destroyed, after those of handleguard.
fn disposed_by_an_ending_thread() {
    thread_local! {
        static ISOLATE: RefCell<Option<v8::OwnedIsolate>> = const { RefCell::new(None) };
    }
    let mut isolate = isolate();
    let turn = turn_guard(&mut isolate, "first thread");
    let scope = scope_guard(&mut isolate, ScopeKind::CallbackScope, "first thread");
    use_it(&mut isolate);
    // SAFETY: this thread entered it; the other enters it before it uses it.
    unsafe { isolate.exit() };
    let isolate = Moved(isolate);
    on_a_thread(move || {
        ISOLATE.with(|_| ());
        let Moved(mut isolate) = { isolate };
        // SAFETY: the first thread has left it, and `drop` leaves it.
        unsafe { isolate.enter() };
        use_it(&mut isolate);
        ISOLATE.set(Some(isolate));
    });
    drop(scope);
    drop(turn);
}

struct Moved(v8::OwnedIsolate);

// SAFETY: the thread that sends it has left the isolate.
unsafe impl Send for Moved {}

/// The guard of a dead isolate is dropped while another lives at its address, if the allocator is so kind.
fn turn_of_a_reused_address() {
    let mut first = isolate();
    let stale = turn_guard(&mut first, "first");
    drop(first);
    let mut second = isolate();
    let turn = turn_guard(&mut second, "second");
    drop(stale);
    use_it(&mut second);
    drop(turn);
    use_it(&mut second);
}

/// What no guard may do. Run by valgrind only.
fn reads_a_freed_isolate() {
    let isolate = isolate();
    let address = (&raw const *isolate).cast::<*const u64>();
    // SAFETY: `v8::Isolate` is a transparent wrapper of the address of V8's object (`isolate.rs`).
    let object = unsafe { *address };
    drop(isolate);
    // SAFETY: none, which is the point: V8 has freed the memory. A read changes nothing.
    std::hint::black_box(unsafe { object.read_volatile() });
}
