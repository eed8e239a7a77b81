//! Scopes that are closed twice: by copies of one scope object, or by a stale token.

use crate::host::{global, host};
use crate::napi;
use crate::open::call;
use crate::specimen::specimens;
use crate::stage::Stage;
use v8::{Isolate, Local, Number};

specimens! {
    copied: "nodejs/node-addon-api #565", "https://github.com/nodejs/node-addon-api/pull/565",
        "scope object copied, and closed by each copy", OutOfOrder, unmarked_turns = 10;
    existing: "nodejs/node-addon-api #1263", "https://github.com/nodejs/node-addon-api/pull/1263",
        "scope object that takes over a token which its caller closes too", OutOfOrder, unmarked_turns = 10;
    stale_token: "BabylonJS/JsRuntimeHost #223", "https://github.com/BabylonJS/JsRuntimeHost/pull/223",
        "stale token closed, later and in another scope", OutOfOrder, unmarked_turns = 10;
    try_catch: "NodeRT/NodeRT #79", "https://github.com/NodeRT/NodeRT/pull/79",
        "`TryCatch` destroyed by hand, and again by its block", OutOfOrder;
}

mod copied {
    use super::*;

    /// `Napi::HandleScope`, whose destructor closes.
    struct Scope(napi::Token);

    impl Drop for Scope {
        fn drop(&mut self) {
            napi::close(self.0); //~ copied stack
        }
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            let first = Scope(napi::open(scope));
            let _copy = Scope(first.0);
            Number::new(scope, 0.5);
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            let first = Scope(napi::open(scope));
            let _moved = first;
            Number::new(scope, 0.5);
        });
    }
}

mod existing {
    use super::*;

    fn with_scope(token: napi::Token, use_it: impl FnOnce()) {
        use_it();
        napi::close(token);
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        let callback = global(scope, "function onData() {}");
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            let token = napi::open(scope);
            with_scope(token, || {
                let callback = Local::new(scope, &callback);
                call(scope, callback);
            });
            napi::close(token); //~ existing stack
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        let callback = global(scope, "function onData() {}");
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            let token = napi::open(scope);
            with_scope(token, || {
                let callback = Local::new(scope, &callback);
                call(scope, callback);
            });
        });
    }
}

mod stale_token {
    use super::*;

    fn first(isolate: &mut Isolate) -> napi::Token {
        let token = napi::open(isolate);
        napi::close(token);
        token
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            let stale = first(scope);
            let token = napi::open(scope);
            napi::close(stale); //~ stale_token stack
            napi::close(token);
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            let token = napi::open(scope);
            napi::close(token);
            let token = napi::open(scope);
            napi::close(token);
        });
    }
}

mod try_catch {
    use super::*;

    /// A `TryCatch` that its block destroys.
    struct TryCatch(napi::Token);

    impl Drop for TryCatch {
        fn drop(&mut self) {
            napi::close(self.0); //~ try_catch stack
        }
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        let callback = global(scope, "function onData() {}");
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            scope!(let scope, scope);
            let caught = TryCatch(napi::open_try_catch(scope));
            let callback = Local::new(scope, &callback);
            call(scope, callback);
            napi::close(caught.0);
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        let callback = global(scope, "function onData() {}");
        stage.turns(scope, |scope| {
            turn!(scope, "call add-on");
            scope!(let scope, scope);
            let _caught = TryCatch(napi::open_try_catch(scope));
            let callback = Local::new(scope, &callback);
            call(scope, callback);
        });
    }
}
