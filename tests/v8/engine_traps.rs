//! False-alarm traps in V8's own actions: it opens scopes, ends calls early and runs code at times of its choice. Each trap stays
//! silent, and the outer scope does not grow.

use crate::traps::silent;
use handleguard_tests::{child, eval, function, host, is_child, origin, start_v8};
use handleguard_v8::{
    GuardedFunction, GuardedIsolate, GuardedModule, scope, tc_scope, testing, turn,
};
use v8::{Function, FunctionCallbackArguments, Global, Local, PinScope, ReturnValue};

fn call_argument(scope: &mut PinScope, args: FunctionCallbackArguments, _: ReturnValue) {
    let callback: Local<Function> = args.get(0).try_into().unwrap();
    let undefined = v8::undefined(scope).into();
    callback.guarded_call(scope, undefined, &[]);
}

#[test]
fn microtasks_that_v8_drains_by_itself_at_the_end_of_a_call() {
    fn native(scope: &mut PinScope, _: FunctionCallbackArguments, _: ReturnValue) {
        let undefined = v8::undefined(scope).into();
        function(scope, "() => [1, 2, 3]").guarded_call(scope, undefined, &[]);
    }

    silent(
        "(native) => { globalThis.drained = false; Promise.resolve().then(native).then(() => { drained = true }) }",
        |scope, callback| {
            scope.set_microtasks_policy(v8::MicrotasksPolicy::Auto);
            turn!(scope, "loop");
            scope!(let scope, scope);
            let callback = Local::new(scope, callback);
            let native = Function::new(scope, native).unwrap();
            let undefined = v8::undefined(scope).into();
            callback.guarded_call(scope, undefined, &[native.into()]);
            assert!(eval(scope, "drained").is_true());
        },
    );
}

#[test]
fn an_exception_through_three_native_frames() {
    silent(
        "(native) => native(() => native(() => native(() => { throw 1 })))",
        |scope, callback| {
            turn!(scope, "loop");
            scope!(let scope, scope);
            tc_scope!(let scope, scope);
            let callback = Local::new(scope, callback);
            let native = Function::new(scope, call_argument).unwrap();
            let undefined = v8::undefined(scope).into();
            let result = callback.guarded_call(scope, undefined, &[native.into()]);
            assert!(result.is_none() && scope.has_caught());
        },
    );
}

#[test]
fn execution_terminated_in_the_middle_of_a_callback() {
    fn terminate(scope: &mut PinScope, args: FunctionCallbackArguments, rv: ReturnValue) {
        scope!(let scope, scope);
        let _ = v8::Object::new(scope);
        scope.terminate_execution();
        call_argument(scope, args, rv);
    }

    silent(
        "(native) => { native(() => { for (;;); }); for (;;); }",
        |scope, callback| {
            turn!(scope, "loop");
            scope!(let scope, scope);
            tc_scope!(let scope, scope);
            let callback = Local::new(scope, callback);
            let native = Function::new(scope, terminate).unwrap();
            let undefined = v8::undefined(scope).into();
            let result = callback.guarded_call(scope, undefined, &[native.into()]);
            assert!(result.is_none() && scope.has_terminated());
            assert!(scope.cancel_terminate_execution());
        },
    );
}

#[test]
fn a_handle_made_global_in_a_turn_and_a_weak_one_made_strong() {
    silent("() => ({})", |scope, callback| {
        let (global, weak) = {
            turn!(scope, "keep");
            scope!(let scope, scope);
            let callback = Local::new(scope, callback);
            let undefined = v8::undefined(scope).into();
            let made = callback.guarded_call(scope, undefined, &[]).unwrap();
            (Global::new(scope, made), v8::Weak::new(scope, made))
        };
        turn!(scope, "use");
        let strong = weak.to_global(scope).expect("held by the global");
        scope!(let scope, scope);
        assert!(Local::new(scope, strong) == Local::new(scope, global));
    });
}

/// In a process of its own: V8 writes into the read-only heap that all isolates of a process share while it makes a snapshot.
#[test]
fn a_snapshot_made_and_started_from() {
    if !is_child() {
        let child = child("engine_traps::a_snapshot_made_and_started_from", "panic");
        assert!(child.status.success());
        return;
    }
    start_v8();
    testing::assert_clean(|| {
        for _ in 0..5 {
            let mut creator = v8::Isolate::snapshot_creator(None, None);
            {
                turn!(&mut creator, "build");
                scope!(let scope, &mut creator);
                let context = v8::Context::new(scope, Default::default());
                let scope = &mut v8::ContextScope::new(scope, context);
                eval(scope, "globalThis.answer = () => 42");
                scope.set_default_context(context);
            }
            let blob = creator.create_blob(v8::FunctionCodeHandling::Keep).unwrap();
            let params = v8::CreateParams::default().snapshot_blob(blob);
            let isolate = &mut v8::Isolate::new(params);
            turn!(isolate, "run");
            scope!(let scope, isolate);
            let context = v8::Context::new(scope, Default::default());
            let scope = &mut v8::ContextScope::new(scope, context);
            let answer = eval(scope, "answer").cast::<Function>();
            let undefined = v8::undefined(scope).into();
            let result = answer.guarded_call(scope, undefined, &[]).unwrap();
            assert_eq!(result.uint32_value(scope), Some(42));
        }
    });
}

#[test]
fn a_module_that_awaits_at_its_top_level() {
    silent("() => 1", |scope, _| {
        let module = {
            turn!(scope, "load");
            scope!(let scope, scope);
            let source = "globalThis.done = false; await null; await null; globalThis.done = true";
            let source = v8::String::new(scope, source).unwrap();
            let origin = origin(scope, "module.js", true);
            let mut source = v8::script_compiler::Source::new(source, Some(&origin));
            let module = v8::script_compiler::compile_module(scope, &mut source).unwrap();
            module.instantiate_module(scope, |_, _, _, _| None).unwrap();
            let promise = module.guarded_evaluate(scope).unwrap();
            let promise = promise.cast::<v8::Promise>();
            assert_eq!(promise.state(), v8::PromiseState::Pending);
            Global::new(scope, module)
        };
        turn!(scope, "loop");
        scope!(let scope, scope);
        scope.guarded_perform_microtask_checkpoint();
        let module = Local::new(scope, module);
        assert_eq!(module.get_status(), v8::ModuleStatus::Evaluated);
        assert!(eval(scope, "done").is_true());
    });
}

/// `(module (import "host" "call" (func)) (func (export "run") call 0))`
const WASM: &str = "new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 2, 13, 1, 4, 104, \
                    111, 115, 116, 4, 99, 97, 108, 108, 0, 0, 3, 2, 1, 0, 7, 7, 1, 3, 114, 117, 110, 0, 1, 10, 6, 1, 4, \
                    0, 16, 0, 11]))";

#[test]
fn a_host_function_called_by_webassembly() {
    fn native(scope: &mut PinScope, _: FunctionCallbackArguments, _: ReturnValue) {
        let _ = v8::Object::new(scope);
        let undefined = v8::undefined(scope).into();
        function(scope, "() => [1, 2, 3]").guarded_call(scope, undefined, &[]);
    }

    let source = format!(
        "(native) => {{ globalThis.run ??= new WebAssembly.Instance({WASM}, {{ host: {{ call: native }} }}).exports.run; run() }}"
    );
    silent(&source, |scope, callback| {
        turn!(scope, "loop");
        scope!(let scope, scope);
        let callback = Local::new(scope, callback);
        let native = Function::new(scope, native).unwrap();
        let undefined = v8::undefined(scope).into();
        let result = callback.guarded_call(scope, undefined, &[native.into()]);
        assert!(result.is_some());
    });
}

mod inspector {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;
    use v8::inspector::{
        Channel, ChannelImpl, StringBuffer, StringView, V8Inspector, V8InspectorClient,
        V8InspectorClientImpl, V8InspectorClientTrustLevel,
    };

    struct Client;

    impl V8InspectorClientImpl for Client {}

    /// Counts the replies.
    struct Replies(Rc<Cell<usize>>);

    impl ChannelImpl for Replies {
        fn send_response(&self, _: i32, _: v8::UniquePtr<StringBuffer>) {
            self.0.set(self.0.get() + 1);
        }

        fn send_notification(&self, _: v8::UniquePtr<StringBuffer>) {}

        fn flush_protocol_notifications(&self) {}
    }

    #[test]
    fn a_session_of_the_inspector_that_looks_on_and_evaluates() {
        const TURNS: usize = 200;

        host!(scope, context);
        let inspector = V8Inspector::create(scope, V8InspectorClient::new(Box::new(Client)));
        inspector.context_created(context, 1, StringView::empty(), StringView::empty());
        let replies = Rc::new(Cell::new(0));
        let session = inspector.connect(
            1,
            Channel::new(Box::new(Replies(replies.clone()))),
            StringView::from(&b"{}"[..]),
            V8InspectorClientTrustLevel::FullyTrusted,
        );
        let send = |message: &str| {
            session.dispatch_protocol_message(StringView::from(message.as_bytes()));
        };
        send(r#"{"id":1,"method":"Runtime.enable"}"#);
        send(r#"{"id":2,"method":"Debugger.enable"}"#);
        let callback = function(scope, "() => { console.log('looked on') }");
        let callback = Global::new(scope, callback);
        testing::assert_at_most(scope, 0, |scope| {
            testing::assert_clean(|| {
                for _ in 0..TURNS {
                    turn!(scope, "loop");
                    scope!(let scope, scope);
                    let callback = Local::new(scope, &callback);
                    let undefined = v8::undefined(scope).into();
                    callback.guarded_call(scope, undefined, &[]);
                    send(
                        r#"{"id":3,"method":"Runtime.evaluate","params":{"expression":"[1, {}]"}}"#,
                    );
                }
            });
        });
        assert_eq!(replies.get(), TURNS + 2);
        inspector.context_destroyed(context);
    }
}
