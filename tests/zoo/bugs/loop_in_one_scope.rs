//! Loops that make handles in one scope and never leave it, so that no turn ends. V8 has no limit; the user sets one, here of 100
//! handles.

use crate::host::{global, host};
use crate::open::call;
use crate::specimen::specimens;
use crate::stage::Stage;
use v8::{Function, Global, Local, Number, PinScope};

const BUDGET: &str = "scope-budget=100";

/// Rounds of each loop.
const ROUNDS: u32 = 200;

specimens! {
    compile_loop: "denoland/rusty_v8 #481", "https://github.com/denoland/rusty_v8/issues/481",
        "scripts compiled endlessly in one scope", ScopeBudget, directives = BUDGET;
    heap_utils: "nodejs/node #60885", "https://github.com/nodejs/node/pull/60885",
        "edges of a heap snapshot, each an object in one scope", ScopeBudget, directives = BUDGET;
    escapable_loop: "napi-rs #2458", "https://github.com/napi-rs/napi-rs/issues/2458",
        "loop of calls in one escapable scope", ScopeBudget, directives = BUDGET;
    create_int64: "oven-sh/bun #30602", "https://github.com/oven-sh/bun/pull/30602",
        "a handle for each small integer, in the scope of a call of an add-on", ScopeBudget, directives = BUDGET;
    noop_scopes: "denoland/deno #33281", "https://github.com/denoland/deno/pull/33281",
        "add-on's own scopes that its host leaves out", ScopeBudget, directives = BUDGET;
    dispatch: "wasmerio/edgejs #125", "https://github.com/wasmerio/edgejs/pull/125",
        "events dispatched in the scope of the loop's step", ScopeBudget, directives = BUDGET;
}

mod compile_loop {
    use super::*;

    fn round(scope: &mut PinScope) {
        let source = v8::String::new(scope, "1").unwrap();
        v8::Script::compile(scope, source, None).unwrap();
    }

    fn mended(scope: &mut PinScope) {
        scope!(let scope, scope);
        round(scope);
    }

    fn worker(scope: &mut PinScope, round: fn(&mut PinScope), rounds: u32) {
        scope!(let scope, scope); //~ compile_loop opener
        for _ in 0..rounds {
            round(scope);
        }
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "worker");
            worker(scope, round, ROUNDS);
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "worker");
            worker(scope, mended, 10);
        });
    }
}

mod heap_utils {
    use super::*;

    fn edge(scope: &mut PinScope, edges: &Global<v8::Array>, at: u32) {
        let edges = Local::new(scope, edges);
        let edge = v8::Object::new(scope);
        edges.set_index(scope, at, edge.into());
    }

    fn mended(scope: &mut PinScope, edges: &Global<v8::Array>, at: u32) {
        scope!(let scope, scope);
        edge(scope, edges, at);
    }

    fn snapshot(
        scope: &mut PinScope,
        edge: fn(&mut PinScope, &Global<v8::Array>, u32),
        rounds: u32,
    ) {
        scope!(let scope, scope); //~ heap_utils opener
        let edges = v8::Array::new(scope, 0);
        let edges = Global::new(scope, edges);
        for at in 0..rounds {
            edge(scope, &edges, at);
        }
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "snapshot");
            snapshot(scope, edge, ROUNDS);
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "snapshot");
            snapshot(scope, mended, 10);
        });
    }
}

mod escapable_loop {
    use super::*;

    fn round(scope: &mut PinScope, callback: &Global<Function>) {
        let callback = Local::new(scope, callback);
        call(scope, callback);
    }

    fn mended(scope: &mut PinScope, callback: &Global<Function>) {
        scope!(let scope, scope);
        round(scope, callback);
    }

    fn sum<'s>(
        scope: &mut PinScope<'s, '_>,
        callback: &Global<Function>,
        round: fn(&mut PinScope, &Global<Function>),
        rounds: u32,
    ) -> Local<'s, Number> {
        escapable_handle_scope!(let scope, scope); //~ escapable_loop opener
        for _ in 0..rounds {
            round(scope, callback);
        }
        let sum = Number::new(scope, 0.5);
        scope.escape(sum)
    }

    fn calls(stage: &Stage, round: fn(&mut PinScope, &Global<Function>), rounds: u32) {
        host!(scope);
        let callback = global(scope, "function one() { return 1.5 }");
        stage.turns(scope, |scope| {
            turn!(scope, "request");
            scope!(let scope, scope);
            sum(scope, &callback, round, rounds);
        });
    }

    pub fn bug(stage: &Stage) {
        calls(stage, round, ROUNDS);
    }

    pub fn twin(stage: &Stage) {
        calls(stage, mended, 10);
    }
}

/// Has JavaScript call `native`.
fn from_javascript(stage: &Stage, native: impl v8::MapFnTo<v8::FunctionCallback>) {
    host!(scope);
    let callback = handleguard_tests::function(scope, "function caller(native) { native() }");
    let native = Function::new(scope, native).unwrap();
    stage.turns(scope, |scope| {
        turn!(scope, "request");
        scope!(let scope, scope);
        crate::open::call_with(scope, callback, &[native.into()]);
    });
}

mod create_int64 {
    use super::*;

    fn fill(scope: &mut PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        scope!(let scope, scope); //~ create_int64 opener
        for _ in 0..ROUNDS {
            v8::Integer::new(scope, 1);
        }
    }

    /// What fits into the value itself needs no handle.
    fn mended(scope: &mut PinScope, _: v8::FunctionCallbackArguments, mut result: v8::ReturnValue) {
        scope!(let _scope, scope);
        for _ in 0..ROUNDS {
            result.set_int32(1);
        }
    }

    pub fn bug(stage: &Stage) {
        from_javascript(stage, fill);
    }

    pub fn twin(stage: &Stage) {
        from_javascript(stage, mended);
    }
}

mod noop_scopes {
    use super::*;
    use crate::napi;

    /// What an add-on is linked against.
    struct Host {
        open: fn(&mut v8::Isolate) -> Option<napi::Token>,
        close: fn(Option<napi::Token>),
    }

    const NOTHING: Host = Host {
        open: |_| None,
        close: |_| (),
    };

    const MENDED: Host = Host {
        open: |isolate| Some(napi::open(isolate)),
        close: |token| token.into_iter().for_each(napi::close),
    };

    /// An add-on that takes care.
    fn add_on(scope: &mut PinScope, host: &Host, rounds: u32) {
        scope!(let scope, scope); //~ noop_scopes opener
        for _ in 0..rounds {
            let token = (host.open)(scope);
            Number::new(scope, 0.5);
            (host.close)(token);
        }
    }

    fn careful(scope: &mut PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        add_on(scope, &NOTHING, ROUNDS);
    }

    fn mended(scope: &mut PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        add_on(scope, &MENDED, 10);
    }

    pub fn bug(stage: &Stage) {
        from_javascript(stage, careful);
    }

    pub fn twin(stage: &Stage) {
        from_javascript(stage, mended);
    }
}

mod dispatch {
    use super::*;

    fn event(scope: &mut PinScope, callback: &Global<Function>) {
        let callback = Local::new(scope, callback);
        call(scope, callback);
    }

    fn mended(scope: &mut PinScope, callback: &Global<Function>) {
        scope!(let scope, scope);
        event(scope, callback);
    }

    fn step(stage: &Stage, event: fn(&mut PinScope, &Global<Function>), events: u32) {
        host!(scope);
        let callback = global(scope, "function onEvent() { return {} }");
        stage.turns(scope, |scope| {
            turn!(scope, "step");
            scope!(let scope, scope); //~ dispatch opener
            for _ in 0..events {
                event(scope, &callback);
            }
        });
    }

    pub fn bug(stage: &Stage) {
        step(stage, event, ROUNDS);
    }

    pub fn twin(stage: &Stage) {
        step(stage, mended, 10);
    }
}
