//! A missing scope as in [`swallowed_handles`](super::swallowed_handles), with no scope open outside either, so V8 aborts. V8's
//! message names neither the callback nor the rule.

use crate::host::{Realm, host, strong};
use crate::open::{call, call_with};
use crate::specimen::specimens;
use crate::stage::Stage;
use v8::{Isolate, Local, Object};

specimens! {
    uv_work: "nodejs/node #15604", "https://github.com/nodejs/node/issues/15604",
        "completion of work on another thread", MissingScope;
    uv_timer: "nodejs/node-addon-api #1652", "https://github.com/nodejs/node-addon-api/issues/1652",
        "timer on the main thread", MissingScope;
    keymap: "microsoft/node-native-keymap #22", "https://github.com/microsoft/node-native-keymap/pull/22",
        "keyboard-change callback of the operating system, by a C function pointer", MissingScope;
    mojo_reply: "electron/electron #50556", "https://github.com/electron/electron/pull/50556",
        "reply of a task, hidden by its caller where it comes synchronously", MissingScope, directives = "strict";
    trace_event: "nodejs/node #19972", "https://github.com/nodejs/node/pull/19972",
        "trace event that makes a handle before any callback", Sealed, directives = SEALED;
    promise_base: "electron/electron #23005", "https://github.com/electron/electron/pull/23005",
        "task that makes a promise for its reply", Sealed, directives = SEALED;
    escapable_alone: "nodejs/nan #440", "https://github.com/nodejs/nan/issues/440",
        "escapable scope with no parent", Sealed, directives = SEALED;
    environment: "holepunchto/pear-expo #5", "https://github.com/holepunchto/pear-expo-hello-world/pull/5",
        "environment set up outside any scope", Sealed, directives = SEALED;
    rematerialised: "nodejs/node #17539", "https://github.com/nodejs/node/pull/17539",
        "persistent made local before the scope, in a sealed turn of a host with a scope outside", Sealed, directives = SEALED;
}

const SEALED: &str = "sealed=abort";

/// Runs `callback` in turns with no scope outside.
fn uv_run(stage: &Stage, source: &str, callback: fn(&mut Isolate, &Realm)) {
    handleguard_tests::start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    isolate.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
    let realm = Realm::new(isolate, source);
    stage.turns(isolate, |isolate| {
        turn!(isolate, "uv_run");
        callback(isolate, &realm);
    });
}

mod uv_work {
    use super::*;

    fn after_work(isolate: &mut Isolate, realm: &Realm) {
        let callback = strong(isolate, &realm.callback);
        let context = strong(isolate, &realm.context);
        callback_scope!(unsafe let scope, context);
        let scope = &mut v8::ContextScope::new(scope, context);
        call(scope, callback); //~ uv_work callback
    }

    fn mended(isolate: &mut Isolate, realm: &Realm) {
        scope!(let scope, isolate);
        after_work(scope, realm);
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, "function afterWork() { return {} }", after_work);
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, "function afterWork() { return {} }", mended);
    }
}

mod uv_timer {
    use super::*;

    fn on_timer(isolate: &mut Isolate, realm: &Realm) {
        let callback = strong(isolate, &realm.callback);
        let context = strong(isolate, &realm.context);
        callback_scope!(unsafe let scope, context);
        let scope = &mut v8::ContextScope::new(scope, context);
        let late = v8::Boolean::new(scope, true);
        call_with(scope, callback, &[late.into()]); //~ uv_timer callback
    }

    fn mended(isolate: &mut Isolate, realm: &Realm) {
        scope!(let scope, isolate);
        on_timer(scope, realm);
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, "function onTimer(late) { return late }", on_timer);
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, "function onTimer(late) { return late }", mended);
    }
}

mod keymap {
    use super::*;
    use std::ffi::c_void;

    /// The data that the operating system passes back to its listener.
    struct Listener<'a> {
        isolate: &'a mut Isolate,
        realm: &'a Realm,
    }

    /// The operating system, which knows nothing of V8.
    fn keyboard_changes(listener: extern "C" fn(*mut c_void), data: *mut c_void) {
        listener(data);
    }

    extern "C" fn on_change(data: *mut c_void) {
        // SAFETY: what `listen` passed.
        let Listener { isolate, realm } = unsafe { &mut *data.cast() };
        notify(isolate, realm);
    }

    extern "C" fn mended(data: *mut c_void) {
        // SAFETY: what `listen` passed.
        let Listener { isolate, realm } = unsafe { &mut *data.cast() };
        scope!(let scope, *isolate);
        notify(scope, realm);
    }

    fn notify(isolate: &mut Isolate, realm: &Realm) {
        let callback = strong(isolate, &realm.callback);
        let context = strong(isolate, &realm.context);
        callback_scope!(unsafe let scope, context);
        let scope = &mut v8::ContextScope::new(scope, context);
        call(scope, callback); //~ keymap callback
    }

    fn listen(isolate: &mut Isolate, realm: &Realm, listener: extern "C" fn(*mut c_void)) {
        let mut data = Listener { isolate, realm };
        keyboard_changes(listener, (&raw mut data).cast());
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, "function onKeymap() {}", |isolate, realm| {
            listen(isolate, realm, on_change);
        });
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, "function onKeymap() {}", |isolate, realm| {
            listen(isolate, realm, mended);
        });
    }
}

mod mojo_reply {
    use super::*;

    fn reply(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        let resolve: v8::Local<v8::Function> = args.get(0).try_into().unwrap();
        let dictionary = Object::new(scope);
        call_with(scope, resolve, &[dictionary.into()]); //~ mojo_reply callback
    }

    fn mended(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, rv: v8::ReturnValue) {
        scope!(let scope, scope);
        reply(scope, args, rv);
    }

    fn asked(stage: &Stage, reply: impl v8::MapFnTo<v8::FunctionCallback>) {
        host!(scope);
        let ask = handleguard_tests::function(scope, "function ask(reply) { reply((it) => it) }");
        let reply = v8::Function::new(scope, reply).unwrap();
        stage.turns(scope, |scope| {
            turn!(scope, "task");
            scope!(let scope, scope);
            call_with(scope, ask, &[reply.into()]);
        });
    }

    pub fn bug(stage: &Stage) {
        asked(stage, reply);
    }

    pub fn twin(stage: &Stage) {
        asked(stage, mended);
    }
}

mod trace_event {
    use super::*;

    struct AsyncScope;

    impl AsyncScope {
        fn new(isolate: &mut Isolate, realm: &Realm) -> Self {
            let context = strong(isolate, &realm.context);
            v8::callback_scope!(unsafe let scope, context);
            v8::String::new(scope, "async id").unwrap(); //~ trace_event stack
            Self
        }
    }

    fn after_work(isolate: &mut Isolate, realm: &Realm) {
        let _async = AsyncScope::new(isolate, realm);
    }

    fn mended(isolate: &mut Isolate, realm: &Realm) {
        scope!(let scope, isolate);
        let _async = AsyncScope::new(scope, realm);
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, "function afterWork() {}", after_work);
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, "function afterWork() {}", mended);
    }
}

mod promise_base {
    use super::*;

    fn on_path_generated(isolate: &mut Isolate, realm: &Realm) {
        let context = strong(isolate, &realm.context);
        v8::callback_scope!(unsafe let scope, context);
        let scope = &mut v8::ContextScope::new(scope, context);
        v8::PromiseResolver::new(scope); //~ promise_base stack
    }

    fn mended(isolate: &mut Isolate, realm: &Realm) {
        scope!(let scope, isolate);
        on_path_generated(scope, realm);
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, "function reply() {}", on_path_generated);
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, "function reply() {}", mended);
    }
}

mod escapable_alone {
    use super::*;

    fn construct(isolate: &mut Isolate, realm: &Realm) {
        let context = strong(isolate, &realm.context);
        v8::callback_scope!(unsafe let scope, context);
        let scope: &mut v8::PinScope = scope;
        escapable_handle_scope!(let scope, scope); //~ escapable_alone stack
        let object = v8::Boolean::new(scope, true);
        scope.escape(object);
    }

    fn mended(isolate: &mut Isolate, realm: &Realm) {
        scope!(let scope, isolate);
        construct(scope, realm);
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, "function Wrapped() {}", construct);
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, "function Wrapped() {}", mended);
    }
}

mod environment {
    use super::*;

    fn set_up(isolate: &mut Isolate, realm: &Realm) {
        let context = strong(isolate, &realm.context);
        v8::callback_scope!(unsafe let scope, context);
        v8::ObjectTemplate::new(scope); //~ environment stack
    }

    fn mended(isolate: &mut Isolate, realm: &Realm) {
        scope!(let scope, isolate);
        set_up(scope, realm);
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, "function main() {}", set_up);
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, "function main() {}", mended);
    }
}

mod rematerialised {
    use super::*;
    use v8::{Function, Global, PinScope};

    fn async_task_started(scope: &mut PinScope, stack: &Global<Function>) {
        let stack = Local::new(scope, stack); //~ rematerialised stack
        scope!(let scope, scope);
        call(scope, stack);
    }

    fn mended(scope: &mut PinScope, stack: &Global<Function>) {
        scope!(let scope, scope);
        let stack = Local::new(scope, stack);
        call(scope, stack);
    }

    fn inspected(stage: &Stage, started: fn(&mut PinScope, &Global<Function>)) {
        host!(scope); //~ rematerialised opener
        let stack = crate::host::global(scope, "function asyncTaskStarted() {}");
        stage.turns(scope, |scope| {
            turn!(scope, "message");
            started(scope, &stack);
        });
    }

    pub fn bug(stage: &Stage) {
        inspected(stage, async_task_started);
    }

    pub fn twin(stage: &Stage) {
        inspected(stage, mended);
    }
}
