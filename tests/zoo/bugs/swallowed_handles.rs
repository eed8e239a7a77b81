//! Callbacks and tasks that open no scope of their own, so that a scope that lives as long as the host keeps their handles. The
//! process grows, and shows no other symptom.

use crate::host::{global, host};
use crate::open::{call, call_with, checkpoint, make_callback};
use crate::specimen::specimens;
use crate::stage::Stage;
use v8::{Context, Function, Global, Local, Number, Object, PinScope};

specimens! {
    walmart: "node 0.10.22 (Walmart)", "https://github.com/nodejs/post-mortem/issues/11",
        "close callback of an event loop", MissingScope;
    stream_wrap: "nodejs/node #1075", "https://github.com/nodejs/node/pull/1078",
        "read callback that enters its context, and no scope", MissingScope;
    late_scope: "nodejs/node #1133", "https://github.com/nodejs/node/pull/1133",
        "signal callback: one handle made one line before the scope", OuterGrowth;
    buffer_new: "nodejs/node #7711", "https://github.com/nodejs/node/pull/7711",
        "current context fetched before an escapable scope", OuterGrowth;
    catch_all: "electron/electron #22531", "https://github.com/electron/electron/pull/22531",
        "task of a message pump under a catch-all scope", OuterGrowth;
    worker: "clockworklabs/SpacetimeDB #4746", "https://github.com/clockworklabs/SpacetimeDB/pull/4746",
        "requests in a scope that lives as long as the worker", MissingScope;
    message_queue: "armory3d/armorcore #58", "https://github.com/armory3d/armorcore/issues/58",
        "frame of a game loop in which no callback runs", OuterGrowth;
    guest: "wasmerio/edgejs #82", "https://github.com/wasmerio/edgejs/pull/82",
        "host calls a guest's function through a C table", MissingScope;
    start_instance: "nodejs/node-chakracore #102", "https://github.com/nodejs/node-chakracore/issues/102",
        "modules loaded at start into the instance's scope", OuterGrowth;
    script_origin: "denoland/rusty_v8 #1902", "https://github.com/denoland/rusty_v8/pull/1902",
        "a binding that makes hidden handles", OuterGrowth;
    after_work: "wankdanker/node-odbc #12", "https://github.com/wankdanker/node-odbc/pull/12",
        "after-work callback that escapes its result, for nobody, into the root scope", OuterGrowth;
}

mod walmart {
    use super::*;

    fn on_close(scope: &mut PinScope, callback: &Global<Function>) {
        let callback = Local::new(scope, callback);
        let process = Object::new(scope);
        make_callback(scope, "on_close", process, callback); //~ walmart callback
    }

    fn mended(scope: &mut PinScope, callback: &Global<Function>) {
        scope!(let scope, scope);
        on_close(scope, callback);
    }

    fn uv_run(stage: &Stage, on_close: fn(&mut PinScope, &Global<Function>)) {
        host!(scope); //~ walmart opener
        let callback = global(scope, "function onClose() {}");
        stage.turns(scope, |scope| {
            turn!(scope, "uv_run");
            on_close(scope, &callback);
        });
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, on_close);
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, mended);
    }
}

mod stream_wrap {
    use super::*;

    fn on_read(scope: &mut PinScope, context: &Global<Context>, callback: &Global<Function>) {
        let context = Local::new(scope, context);
        let scope = &mut v8::ContextScope::new(scope, context);
        let callback = Local::new(scope, callback);
        let bytes = Number::new(scope, 0.5);
        call_with(scope, callback, &[bytes.into()]); //~ stream_wrap callback
    }

    fn mended(scope: &mut PinScope, context: &Global<Context>, callback: &Global<Function>) {
        scope!(let scope, scope);
        on_read(scope, context, callback);
    }

    fn uv_run(stage: &Stage, on_read: fn(&mut PinScope, &Global<Context>, &Global<Function>)) {
        host!(scope, context); //~ stream_wrap opener
        let callback = global(scope, "function onRead(bytes) { return { bytes } }");
        let context = Global::new(scope, context);
        stage.turns(scope, |scope| {
            turn!(scope, "uv_run");
            on_read(scope, &context, &callback);
        });
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, on_read);
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, mended);
    }
}

mod late_scope {
    use super::*;

    fn on_signal(scope: &mut PinScope, context: &Global<Context>, callback: &Global<Function>) {
        let context = Local::new(scope, context); // one line too early
        scope!(let scope, scope);
        let scope = &mut v8::ContextScope::new(scope, context);
        let callback = Local::new(scope, callback);
        call(scope, callback);
    }

    fn mended(scope: &mut PinScope, context: &Global<Context>, callback: &Global<Function>) {
        scope!(let scope, scope);
        let context = Local::new(scope, context);
        let scope = &mut v8::ContextScope::new(scope, context);
        let callback = Local::new(scope, callback);
        call(scope, callback);
    }

    fn uv_run(stage: &Stage, on_signal: fn(&mut PinScope, &Global<Context>, &Global<Function>)) {
        host!(scope, context); //~ late_scope opener
        let callback = global(scope, "function onSignal() {}");
        let context = Global::new(scope, context);
        stage.turns(scope, |scope| {
            turn!(scope, "uv_run"); //~ late_scope place
            on_signal(scope, &context, &callback);
        });
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, on_signal);
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, mended);
    }
}

mod buffer_new {
    use super::*;

    fn buffer_new<'s>(
        scope: &mut PinScope<'s, '_>,
        context: &Global<Context>,
    ) -> Local<'s, v8::ArrayBuffer> {
        let context = Local::new(scope, context); // in the caller's scope
        escapable_handle_scope!(let scope, scope);
        let buffer = {
            let scope = &mut v8::ContextScope::new(scope, context);
            v8::ArrayBuffer::new(scope, 16)
        };
        scope.escape(buffer)
    }

    fn mended<'s>(
        scope: &mut PinScope<'s, '_>,
        context: &Global<Context>,
    ) -> Local<'s, v8::ArrayBuffer> {
        escapable_handle_scope!(let scope, scope);
        let buffer = {
            let context = Local::new(scope, context);
            let scope = &mut v8::ContextScope::new(scope, context);
            v8::ArrayBuffer::new(scope, 16)
        };
        scope.escape(buffer)
    }

    pub fn bug(stage: &Stage) {
        host!(scope, context); //~ buffer_new opener
        let context = Global::new(scope, context);
        stage.turns(scope, |scope| {
            turn!(scope, "read"); //~ buffer_new place
            buffer_new(scope, &context);
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope, context);
        let context = Global::new(scope, context);
        stage.turns(scope, |scope| {
            turn!(scope, "read");
            scope!(let scope, scope);
            mended(scope, &context);
        });
    }
}

mod catch_all {
    use super::*;

    fn run_task(scope: &mut PinScope, callback: &Global<Function>) {
        let callback = Local::new(scope, callback);
        scope.enqueue_microtask(callback);
        checkpoint(scope);
    }

    fn mended(scope: &mut PinScope, callback: &Global<Function>) {
        scope!(let scope, scope);
        run_task(scope, callback);
    }

    fn pump(stage: &Stage, run_task: fn(&mut PinScope, &Global<Function>)) {
        host!(scope); //~ catch_all opener
        scope.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
        let callback = global(scope, "function onTask() { return {} }");
        stage.turns(scope, |scope| {
            turn!(scope, "message pump"); //~ catch_all place
            run_task(scope, &callback);
        });
    }

    pub fn bug(stage: &Stage) {
        pump(stage, run_task);
    }

    pub fn twin(stage: &Stage) {
        pump(stage, mended);
    }
}

mod worker {
    use super::*;

    fn reduce(scope: &mut PinScope, reducer: &Global<Function>) {
        let reducer = Local::new(scope, reducer);
        let argument = v8::String::new(scope, "insert").unwrap();
        call_with(scope, reducer, &[argument.into()]); //~ worker callback
    }

    fn mended(scope: &mut PinScope, reducer: &Global<Function>) {
        scope!(let scope, scope);
        reduce(scope, reducer);
    }

    fn worker(stage: &Stage, reduce: fn(&mut PinScope, &Global<Function>)) {
        host!(scope); //~ worker opener
        let reducer = global(scope, "function reducer(name) { return [name] }");
        stage.turns(scope, |scope| {
            turn!(scope, "request");
            reduce(scope, &reducer);
        });
    }

    pub fn bug(stage: &Stage) {
        worker(stage, reduce);
    }

    pub fn twin(stage: &Stage) {
        worker(stage, mended);
    }
}

mod message_queue {
    use super::*;

    fn handle_message_queue(scope: &mut PinScope, context: &Global<Context>) {
        let context = Local::new(scope, context);
        let _scope = &mut v8::ContextScope::new(scope, context);
        // No message is waiting.
    }

    fn mended(scope: &mut PinScope, context: &Global<Context>) {
        scope!(let scope, scope);
        handle_message_queue(scope, context);
    }

    fn frames(stage: &Stage, handle_message_queue: fn(&mut PinScope, &Global<Context>)) {
        host!(scope, context); //~ message_queue opener
        let context = Global::new(scope, context);
        stage.turns(scope, |scope| {
            turn!(scope, "frame"); //~ message_queue place
            handle_message_queue(scope, &context);
        });
    }

    pub fn bug(stage: &Stage) {
        frames(stage, handle_message_queue);
    }

    pub fn twin(stage: &Stage) {
        frames(stage, mended);
    }
}

mod guest {
    use super::*;

    /// The interface of the host, as the guest sees it.
    struct Table {
        invoke: fn(&mut PinScope, &Global<Function>),
    }

    fn invoke(scope: &mut PinScope, function: &Global<Function>) {
        let function = Local::new(scope, function);
        call(scope, function); //~ guest callback
    }

    fn mended(scope: &mut PinScope, function: &Global<Function>) {
        scope!(let scope, scope);
        invoke(scope, function);
    }

    fn step(stage: &Stage, table: &Table) {
        host!(scope); //~ guest opener
        let function = global(scope, "function exported() { return { answer: 42 } }");
        stage.turns(scope, |scope| {
            turn!(scope, "step");
            (table.invoke)(scope, &function);
        });
    }

    pub fn bug(stage: &Stage) {
        step(stage, &Table { invoke });
    }

    pub fn twin(stage: &Stage) {
        step(stage, &Table { invoke: mended });
    }
}

mod start_instance {
    use super::*;
    use handleguard_tests::origin;

    const MODULES: usize = 60;

    fn load(scope: &mut PinScope) {
        let source = v8::String::new(scope, "export default 1").unwrap();
        let origin = origin(scope, "module.js", true);
        let mut source = v8::script_compiler::Source::new(source, Some(&origin));
        let module = v8::script_compiler::compile_module(scope, &mut source).unwrap();
        module.instantiate_module(scope, |_, _, _, _| None).unwrap();
    }

    fn mended(scope: &mut PinScope) {
        scope!(let scope, scope);
        load(scope);
    }

    fn load_all(stage: &Stage, modules: usize, load: fn(&mut PinScope)) {
        host!(scope); //~ start_instance opener
        stage.turns(scope, |scope| {
            turn!(scope, "load modules"); //~ start_instance place
            for _ in 0..modules {
                load(scope);
            }
        });
    }

    pub fn bug(stage: &Stage) {
        load_all(stage, MODULES, load);
    }

    /// One module a turn: its 10,000 turns are of the same code.
    pub fn twin(stage: &Stage) {
        load_all(stage, 1, mended);
    }
}

mod script_origin {
    use super::*;

    fn name_of_script(scope: &mut PinScope, function: &Global<Function>) -> bool {
        let function = function.open(scope);
        function
            .get_script_origin(scope)
            .resource_name()
            .is_some_and(|name| name.is_string())
    }

    fn mended(scope: &mut PinScope, function: &Global<Function>) -> bool {
        scope!(let scope, scope);
        name_of_script(scope, function)
    }

    fn profile(stage: &Stage, name_of_script: fn(&mut PinScope, &Global<Function>) -> bool) {
        host!(scope); //~ script_origin opener
        let function = global(scope, "function profiled() {}");
        stage.turns(scope, |scope| {
            turn!(scope, "sample"); //~ script_origin place
            assert!(name_of_script(scope, &function));
        });
    }

    pub fn bug(stage: &Stage) {
        profile(stage, name_of_script);
    }

    pub fn twin(stage: &Stage) {
        profile(stage, mended);
    }
}

mod after_work {
    use super::*;

    fn rows(scope: &mut PinScope, callback: &Global<Function>) {
        let callback = Local::new(scope, callback);
        let row = Object::new(scope);
        make_callback(scope, "after_work", row, callback);
    }

    fn after_work(scope: &mut PinScope, callback: &Global<Function>) {
        escapable_handle_scope!(let scope, scope);
        rows(scope, callback);
        let undefined = Number::new(scope, 0.5);
        scope.escape(undefined);
    }

    fn mended(scope: &mut PinScope, callback: &Global<Function>) {
        scope!(let scope, scope);
        rows(scope, callback);
    }

    fn uv_run(stage: &Stage, after_work: fn(&mut PinScope, &Global<Function>)) {
        host!(scope); //~ after_work opener
        let callback = global(scope, "function onRow() {}");
        stage.turns(scope, |scope| {
            turn!(scope, "uv_run"); //~ after_work place
            after_work(scope, &callback);
        });
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, after_work);
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, mended);
    }
}
