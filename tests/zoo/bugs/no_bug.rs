//! Reports that are not about a bug of the host: advice on a scope that nothing needs, and a scope that handleguard loses track of.

use crate::host::host;
use crate::napi;
use crate::specimen::specimens;
use crate::stage::Stage;
use v8::{Isolate, Number};

specimens! {
    every_call: "cloudflare/workerd #4087", "https://github.com/cloudflare/workerd/pull/4087",
        "scope around each call, in which no handle is made", RedundantScope,
        directives = "redundant-scope=log", turns = 150;
    two_stacks: "oven-sh/bun #39805", "https://github.com/oven-sh/bun/pull/39805",
        "two scope stacks of which a callback closes one", Desync, hooked = Some(&[]);
}

mod every_call {
    use super::*;

    fn method(isolate: &mut Isolate) {
        scope!(let scope, isolate); //~ every_call place
        let _ = scope;
    }

    fn needs_it(isolate: &mut Isolate) {
        scope!(let scope, isolate);
        Number::new(scope, 0.5);
    }

    fn calls(stage: &Stage, method: fn(&mut Isolate)) {
        handleguard_tests::start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        stage.turns(isolate, |isolate| {
            turn!(isolate, "request");
            method(isolate);
        });
    }

    pub fn bug(stage: &Stage) {
        calls(stage, method);
    }

    pub fn twin(stage: &Stage) {
        calls(stage, needs_it);
    }
}

mod two_stacks {
    use super::*;

    fn callback(isolate: &mut Isolate) {
        scope!(let scope, isolate);
        Number::new(scope, 0.5);
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            let token = napi::open(scope); //~ two_stacks place
            napi::close_unseen(token);
            callback(scope);
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            let token = napi::open(scope);
            napi::close(token);
            callback(scope);
        });
    }
}
