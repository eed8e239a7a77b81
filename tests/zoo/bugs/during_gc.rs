//! Scopes and calls in callbacks that garbage collection or teardown starts, whatever they interrupt.

use crate::host::{Realm, host, strong};
use crate::napi;
use crate::open::{call, gc};
use crate::specimen::specimens;
use crate::stage::Stage;
use handleguard_v8::GcPhase;
use std::cell::Cell;
use std::ffi::c_void;
use std::rc::Rc;
use v8::{Global, Isolate, Local, Number, Object, PinScope};

specimens! {
    finalizer: "nodejs/node #30127", "https://github.com/nodejs/node/issues/30127",
        "finalizer that calls JavaScript, straight from a weak callback", InGc;
    weak_value: "nodejs/nan #886", "https://github.com/nodejs/nan/issues/886",
        "finalizer that makes a value in the scope of whatever was interrupted", OuterGrowth;
    memwatch: "lloyd/node-memwatch #50", "https://github.com/lloyd/node-memwatch/pull/50",
        "scope in an after-GC callback", InGc;
    node_weak: "TooTallNate/node-weak #65", "https://github.com/TooTallNate/node-weak/pull/67",
        "weak callback that calls JavaScript in its first pass", InGc;
    napi_finalizer: "oven-sh/bun #13870", "https://github.com/oven-sh/bun/pull/13870",
        "Node-API scope in a finalizer that runs during collection", InGc;
    inspector_reply: "lightpanda-io/browser #2407", "https://github.com/lightpanda-io/browser/issues/2407",
        "reply of an inspector from a weak callback's first pass", InGc;
    vm_destruction: "oven-sh/bun #38506", "https://github.com/oven-sh/bun/pull/38506",
        "finalizers fired by the destruction of a VM", InGc;
    late_destructor: "cloudflare/workerd #7231", "https://github.com/cloudflare/workerd/pull/7231",
        "destructor of an object of `cppgc` that opens a scope when V8 sweeps, after the collection", InGc, unmarked_turns = 10;
}

/// The body of a finalizer or a weak callback.
type Act = fn(&mut Isolate, &Realm);

/// Runs turns in a host with a scope outside, whose V8 collects on demand.
fn collections(stage: &Stage, mut turn: impl for<'s, 'i> FnMut(&mut PinScope<'s, 'i>, &Realm)) {
    host!(scope, context); //~ weak_value opener
    let realm = Realm {
        context: Global::new(scope, context),
        callback: crate::host::global(scope, "function onCollected() { return {} }"),
    };
    stage.turns(scope, |scope| {
        turn!(scope, "loop");
        turn(scope, &realm);
    });
}

/// Makes an object that nothing holds, and has V8 collect the young generation. The finalizer runs in V8's second pass.
fn finalized(scope: &mut PinScope, finalizer: impl FnOnce(&mut Isolate) + 'static) {
    let _weak = {
        v8::scope!(let scope, scope);
        let object = Object::new(scope);
        v8::Weak::with_finalizer(scope, object, Box::new(finalizer))
    };
    scope.request_garbage_collection_for_testing(v8::GarbageCollectionType::Minor);
}

// V8's weak callbacks themselves, which the v8 crate hides behind `Weak`.
unsafe extern "C" {
    fn v8__Global__NewWeak(
        isolate: v8::UnsafeRawIsolatePtr,
        data: *const Object,
        parameter: *const c_void,
        first_pass: unsafe extern "C" fn(*const c_void),
    ) -> *const c_void;
    fn v8__Global__Reset(slot: *const c_void);
    fn v8__WeakCallbackInfo__GetParameter(info: *const c_void) -> *mut c_void;
}

/// The argument of a weak callback.
struct Parameter<'a> {
    isolate: *mut Isolate,
    realm: &'a Realm,
    act: Act,
    slot: *const c_void,
    ran: bool,
}

unsafe extern "C" fn first_pass(info: *const c_void) {
    // SAFETY: V8 hands the parameter of `collected`, which waits for this.
    let parameter = unsafe { &mut *v8__WeakCallbackInfo__GetParameter(info).cast::<Parameter>() };
    parameter.ran = true;
    // SAFETY: the slot of the weak handle, which has to be reset in the first pass; the isolate is the one that is collected.
    let isolate = unsafe {
        v8__Global__Reset(parameter.slot);
        &mut *parameter.isolate
    };
    (parameter.act)(isolate, parameter.realm);
}

/// As [`finalized`], with `act` in the first pass, while V8 collects.
fn collected(scope: &mut PinScope, realm: &Realm, act: Act) {
    let mut parameter = Parameter {
        isolate: std::ptr::from_mut::<Isolate>(scope),
        realm,
        act,
        slot: std::ptr::null(),
        ran: false,
    };
    let address = &raw mut parameter;
    {
        v8::scope!(let scope, scope);
        let object = Object::new(scope);
        // SAFETY: the object is alive, and the parameter outlives the collection below.
        parameter.slot = unsafe {
            v8__Global__NewWeak(
                scope.as_raw_isolate_ptr(),
                &raw const *object,
                address.cast(),
                first_pass,
            )
        };
    }
    scope.request_garbage_collection_for_testing(v8::GarbageCollectionType::Minor);
    assert!(parameter.ran, "V8 has not collected the object");
}

mod finalizer {
    use super::*;

    fn finalize(isolate: &mut Isolate, realm: &Realm) {
        let _gc = gc(isolate, GcPhase::SecondPass, "finalizer");
        on_collected(isolate, realm);
    }

    fn on_collected(isolate: &mut Isolate, realm: &Realm) {
        let callback = strong(isolate, &realm.callback);
        let context = strong(isolate, &realm.context);
        callback_scope!(unsafe let scope, context);
        call(scope, callback); //~ finalizer callback
    }

    pub fn bug(stage: &Stage) {
        collections(stage, |scope, realm| {
            let realm = realm.clone();
            finalized(scope, move |isolate| finalize(isolate, &realm));
        });
    }

    /// Deferred: the loop runs the finalizer after the collection.
    pub fn twin(stage: &Stage) {
        collections(stage, |scope, realm| {
            let queue = Rc::new(Cell::new(0));
            let queued = queue.clone();
            finalized(scope, move |_| queued.set(queued.get() + 1));
            for _ in 0..queue.take() {
                scope!(let scope, scope);
                on_collected(scope, realm);
            }
        });
    }
}

mod weak_value {
    use super::*;

    fn finalize(isolate: &mut Isolate, realm: &Realm) {
        let _gc = gc(isolate, GcPhase::SecondPass, "weak callback"); //~ weak_value place
        count(isolate, realm);
    }

    fn count(isolate: &mut Isolate, realm: &Realm) {
        let context = strong(isolate, &realm.context);
        callback_scope!(unsafe let scope, context);
        Number::new(scope, 0.5);
    }

    fn mended(isolate: &mut Isolate, realm: &Realm) {
        let _gc = gc(isolate, GcPhase::SecondPass, "weak callback");
        scope!(let scope, isolate);
        count(scope, realm);
    }

    fn run(stage: &Stage, finalize: Act) {
        collections(stage, |scope, realm| {
            let realm = realm.clone();
            finalized(scope, move |isolate| finalize(isolate, &realm));
        });
    }

    pub fn bug(stage: &Stage) {
        run(stage, finalize);
    }

    pub fn twin(stage: &Stage) {
        run(stage, mended);
    }
}

mod memwatch {
    use super::*;

    unsafe extern "C" fn after_gc(
        isolate: v8::UnsafeRawIsolatePtr,
        _: v8::GCType,
        _: v8::GCCallbackFlags,
        _: *mut c_void,
    ) {
        // SAFETY: V8 hands the isolate that it has collected.
        let isolate = &mut unsafe { Isolate::from_raw_isolate_ptr(isolate) };
        let _gc = gc(isolate, GcPhase::Callback, "after GC");
        scope!(let scope, isolate); //~ memwatch place
        Number::new(scope, 0.5);
    }

    pub fn bug(stage: &Stage) {
        collections(stage, |scope, _| {
            scope.add_gc_epilogue_callback(after_gc, std::ptr::null_mut(), v8::GCType::kGCTypeAll);
            scope.request_garbage_collection_for_testing(v8::GarbageCollectionType::Minor);
            scope.remove_gc_epilogue_callback(after_gc, std::ptr::null_mut());
        });
    }

    thread_local! {
        static COLLECTIONS: Cell<u32> = const { Cell::new(0) };
    }

    unsafe extern "C" fn mended(
        isolate: v8::UnsafeRawIsolatePtr,
        _: v8::GCType,
        _: v8::GCCallbackFlags,
        _: *mut c_void,
    ) {
        // SAFETY: V8 hands the isolate that it has collected.
        let isolate = &mut unsafe { Isolate::from_raw_isolate_ptr(isolate) };
        let _gc = gc(isolate, GcPhase::Callback, "after GC");
        COLLECTIONS.set(COLLECTIONS.get() + 1);
    }

    /// The callback only counts, and the loop calls JavaScript.
    pub fn twin(stage: &Stage) {
        collections(stage, |scope, realm| {
            scope.add_gc_epilogue_callback(mended, std::ptr::null_mut(), v8::GCType::kGCTypeAll);
            scope.request_garbage_collection_for_testing(v8::GarbageCollectionType::Minor);
            scope.remove_gc_epilogue_callback(mended, std::ptr::null_mut());
            for _ in 0..COLLECTIONS.replace(0) {
                scope!(let scope, scope);
                let callback = Local::new(scope, &realm.callback);
                call(scope, callback);
            }
        });
    }
}

mod node_weak {
    use super::*;

    fn on_collected(isolate: &mut Isolate, realm: &Realm) {
        let callback = strong(isolate, &realm.callback);
        let context = strong(isolate, &realm.context);
        v8::callback_scope!(unsafe let scope, context);
        call(scope, callback); //~ node_weak callback
    }

    pub fn bug(stage: &Stage) {
        collections(stage, |scope, realm| {
            collected(scope, realm, on_collected);
        });
    }

    /// Deferred: the loop makes the call after the collection.
    pub fn twin(stage: &Stage) {
        collections(stage, |scope, realm| {
            collected(scope, realm, |_, _| ());
            scope!(let scope, scope);
            on_collected(scope, realm);
        });
    }
}

mod napi_finalizer {
    use super::*;

    fn finalize(isolate: &mut Isolate, _: &Realm) {
        let scope = napi::open(isolate); //~ napi_finalizer place
        napi::close(scope);
    }

    pub fn bug(stage: &Stage) {
        collections(stage, |scope, realm| {
            collected(scope, realm, finalize);
        });
    }

    /// Deferred until after the collection.
    pub fn twin(stage: &Stage) {
        collections(stage, |scope, realm| {
            let realm = realm.clone();
            finalized(scope, move |isolate| {
                let _gc = gc(isolate, GcPhase::SecondPass, "finalizer");
                finalize(isolate, &realm);
            });
        });
    }
}

mod inspector_reply {
    use super::*;

    fn reply(isolate: &mut Isolate, realm: &Realm) {
        scope!(let scope, isolate); //~ inspector_reply place
        let context = strong(scope, &realm.context);
        let scope = &mut v8::ContextScope::new(scope, context);
        let _ = v8::null(scope);
    }

    pub fn bug(stage: &Stage) {
        collections(stage, |scope, realm| {
            collected(scope, realm, reply);
        });
    }

    /// The loop sends the reply.
    pub fn twin(stage: &Stage) {
        collections(stage, |scope, realm| {
            collected(scope, realm, |_, _| ());
            reply(scope, realm);
        });
    }
}

mod vm_destruction {
    use super::*;

    fn finalize(isolate: &mut Isolate) {
        let scope = napi::open(isolate); //~ vm_destruction place
        napi::close(scope);
    }

    pub fn bug(stage: &Stage) {
        collections(stage, |scope, _| {
            let _gc = gc(scope, GcPhase::Teardown, "destruction of the VM");
            finalize(scope);
        });
    }

    /// Runs the finalizers before the destruction.
    pub fn twin(stage: &Stage) {
        collections(stage, |scope, _| {
            finalize(scope);
            let _gc = gc(scope, GcPhase::Teardown, "destruction of the VM");
        });
    }
}

mod late_destructor {
    use super::*;
    use handleguard_tests::collections;
    use std::cell::RefCell;

    thread_local! {
        /// What the next destructor that runs after a collection does.
        static ON_CLOSE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    }

    struct Socket;

    // SAFETY: it refers to nothing on the heap.
    unsafe impl v8::cppgc::GarbageCollected for Socket {
        fn trace(&self, _: &mut v8::cppgc::Visitor) {}

        fn get_name(&self) -> &'static std::ffi::CStr {
            c"Socket"
        }
    }

    impl Drop for Socket {
        fn drop(&mut self) {
            if !collections::in_progress()
                && let Some(on_close) = ON_CLOSE.take()
            {
                on_close();
            }
        }
    }

    /// Makes sockets that nothing holds and fills the heap, until V8 has swept one of them after a collection.
    fn sweep_one(scope: &mut PinScope, on_close: impl FnOnce() + 'static) {
        ON_CLOSE.set(Some(Box::new(on_close)));
        while ON_CLOSE.with_borrow(Option::is_some) {
            scope!(let scope, scope);
            let template = v8::FunctionTemplate::new(
                scope,
                |_: &mut PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue| {},
            );
            let function = template.get_function(scope).unwrap();
            let object = function.new_instance(scope, &[]).unwrap();
            // SAFETY: the value is wrapped at once, with the tag of its type.
            unsafe {
                let heap = scope.get_cpp_heap().unwrap();
                let socket = v8::cppgc::make_garbage_collected(heap, Socket);
                Object::wrap::<1, Socket>(scope, object, &socket);
            }
            handleguard_tests::eval(
                scope,
                "{ let a = []; for (let i = 0; i < 60000; i++) a.push({ i }); globalThis.kept = a }",
            );
            let platform = v8::V8::get_current_platform();
            while v8::Platform::pump_message_loop(&platform, scope, false) {}
        }
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        collections::watch(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "loop");
            let isolate: &mut Isolate = scope;
            let isolate: *mut Isolate = isolate;
            sweep_one(scope, move || {
                // SAFETY: V8 sweeps on the isolate's thread. That the destructor uses the isolate is the bug.
                let isolate = unsafe { &mut *isolate };
                scope!(let scope, isolate); //~ late_destructor place
                let _ = Number::new(scope, 0.5);
            });
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        collections::watch(scope);
        let closed = Rc::new(Cell::new(0));
        let mut turn = 0;
        stage.turns(scope, |scope| {
            turn!(scope, "loop");
            turn += 1;
            // To fill the heap takes long.
            if turn % 2000 == 0 {
                let closed = closed.clone();
                sweep_one(scope, move || closed.set(closed.get() + 1));
            }
            for _ in 0..closed.take() {
                scope!(let scope, scope);
                let _ = Number::new(scope, 0.5);
            }
        });
    }
}
