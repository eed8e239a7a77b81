//! Isolates used on a thread that has not entered them. V8's release builds do not check it.

use crate::host::{global, host, parked};
use crate::open::{call, enter, exit};
use crate::specimen::specimens;
use crate::stage::Stage;
use v8::{Function, Global, Isolate, PinScope};

specimens! {
    check_immediate: "nodejs/node #23997", "https://github.com/nodejs/node/issues/23997",
        "scope on an isolate that another thread has", WrongThread;
    own_thread: "nodejs/node-addon-api #858", "https://github.com/nodejs/node-addon-api/issues/858",
        "library that calls back on a thread of its own", WrongThread;
    after_call: "joeferner/node-java #346", "https://github.com/joeferner/node-java/issues/346",
        "turn on a worker's thread that does not lock the isolate", WrongThread, is_turn = true;
    worker_exception: "audreyt/node-webworker-threads #118", "https://github.com/audreyt/node-webworker-threads/issues/118",
        "worker that reports its exception on the main isolate", WrongIsolate;
    exited_twice: "supabase/edge-runtime #254", "https://github.com/supabase/edge-runtime/pull/254",
        "isolate left by a guard of its own and by its owner", WrongThread;
    deleter: "nodejs/node #30339", "https://github.com/nodejs/node/pull/30339",
        "deleter of a buffer that V8 frees on a thread of its own", WrongThread;
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

mod deleter {
    use super::*;
    use std::ffi::c_void;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    static BYTES: [u8; 64] = [0; 64];
    static FREED: AtomicU32 = AtomicU32::new(0);

    /// Makes a buffer that `free` gets back with `data`, and has V8 free it.
    fn make_and_free(
        scope: &mut PinScope,
        free: unsafe extern "C" fn(*mut c_void, usize, *mut c_void),
        data: *mut c_void,
    ) {
        {
            scope!(let scope, scope);
            // SAFETY: the bytes live for ever, and no script writes them; what `data` points at lives until it is freed.
            let store = unsafe {
                let bytes = BYTES.as_ptr().cast_mut().cast();
                v8::ArrayBuffer::new_backing_store_from_ptr(bytes, BYTES.len(), free, data)
            };
            v8::ArrayBuffer::with_backing_store(scope, &store.make_shared());
        }
        let before = FREED.load(Ordering::SeqCst);
        scope.request_garbage_collection_for_testing(v8::GarbageCollectionType::Full);
        while FREED.load(Ordering::SeqCst) == before {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    unsafe extern "C" fn opens_a_scope(_: *mut c_void, _: usize, isolate: *mut c_void) {
        // SAFETY: the isolate waits for this in `make_and_free`. That its thread has it is the bug.
        let isolate = unsafe { &mut *isolate.cast::<Isolate>() };
        {
            scope!(let scope, isolate); //~ deleter place
            let _ = scope;
        }
        FREED.fetch_add(1, Ordering::SeqCst);
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "uv_run");
            let isolate: &mut Isolate = scope;
            let isolate: *mut Isolate = isolate;
            make_and_free(scope, opens_a_scope, isolate.cast());
        });
    }

    unsafe extern "C" fn leaves_a_task(_: *mut c_void, _: usize, tasks: *mut c_void) {
        // SAFETY: the counter lives as long as the host.
        let tasks = unsafe { &*tasks.cast::<AtomicU32>() };
        tasks.fetch_add(1, Ordering::SeqCst);
        FREED.fetch_add(1, Ordering::SeqCst);
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        let tasks: &AtomicU32 = Box::leak(Box::default());
        let mut turn = 0;
        stage.turns(scope, |scope| {
            turn!(scope, "uv_run");
            turn += 1;
            // A collection takes a millisecond.
            if turn % 100 == 0 {
                let data = (&raw const *tasks).cast_mut().cast();
                make_and_free(scope, leaves_a_task, data);
            }
            for _ in 0..tasks.swap(0, Ordering::SeqCst) {
                scope!(let scope, scope);
                let _ = v8::Number::new(scope, 0.5);
            }
        });
    }
}
