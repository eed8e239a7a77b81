//! Class c: scopes that are closed in the wrong order or never, and isolates used on a thread that has not entered them.
//! V8's release builds check neither.

use crate::host::{global, host};
use crate::napi;
use crate::open::{call, enter, exit};
use crate::specimen::specimens;
use crate::stage::Stage;
use v8::{Function, Global, Isolate, Number, PinScope};

specimens! {
    class "c";
    twice_initialised: "lightpanda-io/browser #2813", "https://github.com/lightpanda-io/browser/pull/2813",
        "one storage initialised twice", NeverClosed;
    error_path: "nodejs/node #16175", "https://github.com/nodejs/node/issues/16175",
        "add-on whose error path leaves its scope open", NeverClosed;
    wrong_order: "oven-sh/bun #32834", "https://github.com/oven-sh/bun/pull/32834",
        "add-on that closes the outer of two scopes first", OutOfOrder;
    bogus_token: "denoland/deno #21629", "https://github.com/denoland/deno/pull/21629",
        "add-on handed the token of its host's scope, which it closes", OutOfOrder;
    check_immediate: "nodejs/node #23997", "https://github.com/nodejs/node/issues/23997",
        "scope on an isolate that another thread has", WrongThread;
    own_thread: "nodejs/node-addon-api #858", "https://github.com/nodejs/node-addon-api/issues/858",
        "library that calls back on a thread of its own", WrongThread;
    after_call: "joeferner/node-java #346", "https://github.com/joeferner/node-java/issues/346",
        "turn on a worker's thread that does not lock the isolate", WrongThread;
    worker_exception: "audreyt/node-webworker-threads #118", "https://github.com/audreyt/node-webworker-threads/issues/118",
        "worker that reports its exception on the main isolate", WrongIsolate;
    early_return: "tangramdotdev/tangram #752", "https://github.com/tangramdotdev/tangram/pull/752",
        "early return that leaves the isolate while a scope is open", NeverClosed;
    exited_twice: "supabase/edge-runtime #254", "https://github.com/supabase/edge-runtime/pull/254",
        "isolate left by a guard of its own and by its owner", WrongThread;
}

mod twice_initialised {
    use super::*;

    pub fn bug(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "page");
            let storage = napi::open(scope); //~ twice_initialised opener
            napi::open_again(storage, scope);
            Number::new(scope, 0.5);
            napi::close(storage);
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "page");
            let outer = napi::open(scope);
            let inner = napi::open(scope);
            Number::new(scope, 0.5);
            napi::close(inner);
            napi::close(outer);
        });
    }
}

mod error_path {
    use super::*;

    fn init(isolate: &mut Isolate) -> Result<(), ()> {
        let scope = napi::open(isolate); //~ error_path opener
        fails()?;
        napi::close(scope);
        Ok(())
    }

    fn mended(isolate: &mut Isolate) -> Result<(), ()> {
        let scope = napi::open(isolate);
        let done = fails();
        napi::close(scope);
        done
    }

    fn fails() -> Result<(), ()> {
        Err(())
    }

    fn load(stage: &Stage, init: fn(&mut Isolate) -> Result<(), ()>) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "load add-on");
            assert!(init(scope).is_err());
        });
    }

    pub fn bug(stage: &Stage) {
        load(stage, init);
    }

    pub fn twin(stage: &Stage) {
        load(stage, mended);
    }
}

mod wrong_order {
    use super::*;

    fn callback(isolate: &mut Isolate) {
        let outer = napi::open(isolate); //~ wrong_order opener
        let inner = napi::open(isolate);
        // The error path was written later than the scopes.
        napi::close(outer);
        napi::close(inner);
    }

    fn mended(isolate: &mut Isolate) {
        let outer = napi::open(isolate);
        let inner = napi::open(isolate);
        napi::close(inner);
        napi::close(outer);
    }

    fn call(stage: &Stage, callback: fn(&mut Isolate)) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            callback(scope);
        });
    }

    pub fn bug(stage: &Stage) {
        call(stage, callback);
    }

    pub fn twin(stage: &Stage) {
        call(stage, mended);
    }
}

mod bogus_token {
    use super::*;

    fn add_on(isolate: &mut Isolate, open: impl FnOnce(&mut Isolate) -> napi::Token) {
        let token = open(isolate);
        let _ = v8::undefined(isolate);
        napi::close(token);
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            let hosts = napi::open(scope);
            add_on(scope, |_| hosts);
            napi::close(hosts); //~ bogus_token stack
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            let hosts = napi::open(scope);
            add_on(scope, |isolate| napi::open(isolate));
            napi::close(hosts);
        });
    }
}

/// Runs `elsewhere` with `isolate` on a second thread, while this one waits and has left it.
fn on_second_thread(isolate: &mut Isolate, elsewhere: impl FnOnce(&mut Isolate) + Send) {
    let address = std::ptr::from_mut(isolate).expose_provenance();
    // SAFETY: entered by `Isolate::new` on this thread, and entered again below.
    unsafe { isolate.exit() };
    std::thread::scope(|threads| {
        threads.spawn(|| {
            // SAFETY: the first thread does not touch it until this one has ended.
            let isolate = unsafe { &mut *std::ptr::with_exposed_provenance_mut(address) };
            elsewhere(isolate);
        });
    });
    // SAFETY: the second thread has ended.
    unsafe { isolate.enter() };
}

/// Enters an isolate on this thread for the time of `f`.
fn entered(isolate: &mut Isolate, f: impl FnOnce(&mut Isolate)) {
    // SAFETY: left again below.
    unsafe { enter(isolate) };
    f(isolate);
    // SAFETY: entered above.
    unsafe { exit(isolate) };
}

mod check_immediate {
    use super::*;

    fn check(isolate: &mut Isolate) {
        scope!(let scope, isolate); //~ check_immediate place
        let _ = scope;
    }

    pub fn bug(stage: &Stage) {
        handleguard_tests::start_v8();
        let isolate = &mut *v8::Isolate::new(Default::default());
        stage.turns(isolate, |isolate| {
            turn!(isolate, "uv_run");
            on_second_thread(isolate, check);
        });
    }

    pub fn twin(stage: &Stage) {
        handleguard_tests::start_v8();
        let isolate = &mut *v8::Isolate::new(Default::default());
        stage.turns(isolate, |isolate| {
            turn!(isolate, "uv_run");
            on_second_thread(isolate, |isolate| entered(isolate, check));
        });
    }
}

mod own_thread {
    use super::*;
    use std::sync::mpsc;

    /// What a library keeps of its caller.
    struct Listener<'a, 's, 'i> {
        scope: *mut PinScope<'s, 'i>,
        callback: &'a Global<Function>,
    }

    // SAFETY: it isn't, which is the bug; the other thread waits for this one.
    unsafe impl Send for Listener<'_, '_, '_> {}

    fn notify(scope: &mut PinScope, callback: &Global<Function>) {
        let callback = crate::host::strong(scope, callback);
        call(scope, callback); //~ own_thread callback
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        let callback = &global(scope, "function onData() {}");
        stage.turns(scope, |scope| {
            turn!(scope, "uv_run");
            scope!(let scope, scope);
            let listener = Listener { scope, callback };
            std::thread::scope(|threads| {
                threads.spawn(move || {
                    let listener = listener;
                    // SAFETY: the first thread waits.
                    notify(unsafe { &mut *listener.scope }, listener.callback);
                });
            });
        });
    }

    /// A thread-safe function: the library's thread only says that there is something to be called.
    pub fn twin(stage: &Stage) {
        host!(scope);
        let callback = &global(scope, "function onData() {}");
        let (ask, asked) = mpsc::channel();
        let (data, ready) = mpsc::channel();
        let library = std::thread::spawn(move || {
            while asked.recv().is_ok() {
                data.send(()).unwrap();
            }
        });
        stage.turns(scope, |scope| {
            turn!(scope, "uv_run");
            scope!(let scope, scope);
            ask.send(()).unwrap();
            ready.recv().unwrap();
            notify(scope, callback);
        });
        drop(ask);
        library.join().unwrap();
    }
}

mod after_call {
    use super::*;

    fn after_call(isolate: &mut Isolate) {
        turn!(isolate, "after call"); //~ after_call place
    }

    pub fn bug(stage: &Stage) {
        handleguard_tests::start_v8();
        let isolate = &mut *v8::Isolate::new(Default::default());
        stage.turns(isolate, |isolate| on_second_thread(isolate, after_call));
    }

    pub fn twin(stage: &Stage) {
        handleguard_tests::start_v8();
        let isolate = &mut *v8::Isolate::new(Default::default());
        stage.turns(isolate, |isolate| {
            on_second_thread(isolate, |isolate| entered(isolate, after_call));
        });
    }
}

mod worker_exception {
    use super::*;

    fn fatal_exception(main: &mut Isolate) {
        scope!(let scope, main); //~ worker_exception place
        let _ = scope;
    }

    fn worker(stage: &Stage, fatal_exception: fn(&mut Isolate)) {
        handleguard_tests::start_v8();
        let main = &mut *v8::Isolate::new(Default::default());
        on_second_thread(main, |main| {
            let worker = &mut v8::Isolate::new(Default::default());
            stage.turns(worker, |worker| {
                turn!(worker, "worker's loop");
                fatal_exception(main);
            });
        });
    }

    pub fn bug(stage: &Stage) {
        worker(stage, fatal_exception);
    }

    pub fn twin(stage: &Stage) {
        worker(stage, |main| entered(main, fatal_exception));
    }
}

/// An isolate that no thread has entered.
fn parked() -> v8::OwnedIsolate {
    handleguard_tests::start_v8();
    let isolate = v8::Isolate::new(Default::default());
    // SAFETY: entered when it was made.
    unsafe { isolate.exit() };
    isolate
}

mod early_return {
    use super::*;

    /// Leaves the isolate whatever happens, and its scope too late.
    struct Scope<'a> {
        isolate: &'a mut Isolate,
        scope: napi::Token,
    }

    impl<'a> Scope<'a> {
        fn new(isolate: &'a mut Isolate) -> Self {
            // SAFETY: left by `exit`.
            unsafe { enter(isolate) };
            let scope = napi::open(isolate); //~ early_return opener
            Self { isolate, scope }
        }

        fn exit(&mut self) {
            // SAFETY: entered by `new`.
            unsafe { exit(self.isolate) };
        }
    }

    impl Drop for Scope<'_> {
        fn drop(&mut self) {
            napi::close(self.scope);
        }
    }

    fn compile(isolate: &mut Isolate) -> Result<(), ()> {
        let mut scope = Scope::new(isolate);
        let compiled = fails();
        scope.exit();
        compiled
    }

    fn mended(isolate: &mut Isolate) -> Result<(), ()> {
        // SAFETY: left below.
        unsafe { enter(isolate) };
        let scope = napi::open(isolate);
        let compiled = fails();
        napi::close(scope);
        // SAFETY: entered above.
        unsafe { exit(isolate) };
        compiled
    }

    fn fails() -> Result<(), ()> {
        Err(())
    }

    fn requests(stage: &Stage, compile: fn(&mut Isolate) -> Result<(), ()>) {
        let isolate = &mut *parked();
        stage.turns(isolate, |isolate| assert!(compile(isolate).is_err()));
        // SAFETY: the v8 crate disposes of it entered.
        unsafe { isolate.enter() };
    }

    pub fn bug(stage: &Stage) {
        requests(stage, compile);
    }

    pub fn twin(stage: &Stage) {
        requests(stage, mended);
    }
}

mod exited_twice {
    use super::*;

    /// `scopeguard::guard`.
    struct Guard(*const Isolate);

    impl Drop for Guard {
        fn drop(&mut self) {
            // SAFETY: entered by `start`; not any more, where its owner has left it: that is the bug.
            unsafe { exit(&*self.0) }; //~ exited_twice place
        }
    }

    fn start(isolate: &Isolate) -> Guard {
        // SAFETY: left by the guard.
        unsafe { enter(isolate) };
        Guard(isolate)
    }

    pub fn bug(stage: &Stage) {
        let isolate = &mut *parked();
        stage.turns(isolate, |isolate| {
            let _guard = start(isolate);
            // SAFETY: entered above.
            unsafe { exit(isolate) };
        });
    }

    pub fn twin(stage: &Stage) {
        let isolate = &mut *parked();
        stage.turns(isolate, |isolate| drop(start(isolate)));
        // SAFETY: the v8 crate disposes of it entered.
        unsafe { isolate.enter() };
    }
}
