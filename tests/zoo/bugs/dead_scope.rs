//! A scope that closes in the statement that opens it, or is never opened: the code looks right, and each handle goes to the scope
//! outside.

use crate::host::{Realm, global, host, strong};
use crate::open::{call, make_callback};
use crate::specimen::specimens;
use crate::stage::Stage;
use v8::{Function, Global, Isolate, Local, Object, PinScope};

specimens! {
    epoll: "nodejs/nan #389 (fivdi/epoll)", "https://github.com/nodejs/nan/issues/389",
        "scope that is a temporary, and ends with its statement", MissingScope;
    async_pi: "nodejs/nan #393", "https://github.com/nodejs/nan/issues/393",
        "the same in an example that was copied: after-work callback", MissingScope;
    never_opened: "microsoft/node-native-keymap #23", "https://github.com/microsoft/node-native-keymap/pull/23",
        "scope declared, and never opened", MissingScope;
}

mod epoll {
    use super::*;

    fn on_event(scope: &mut PinScope, callback: &Global<Function>) {
        // `Nan::HandleScope();`
        {
            scope!(let scope, scope);
            let _ = scope;
        };
        dispatch(scope, callback);
    }

    fn mended(scope: &mut PinScope, callback: &Global<Function>) {
        scope!(let scope, scope);
        dispatch(scope, callback);
    }

    fn dispatch(scope: &mut PinScope, callback: &Global<Function>) {
        let callback = Local::new(scope, callback);
        let events = Object::new(scope);
        make_callback(scope, "on_event", events, callback); //~ epoll callback
    }

    fn uv_run(stage: &Stage, on_event: fn(&mut PinScope, &Global<Function>)) {
        host!(scope); //~ epoll opener
        let callback = global(scope, "function onEvent() {}");
        stage.turns(scope, |scope| {
            turn!(scope, "uv_run");
            on_event(scope, &callback);
        });
    }

    pub fn bug(stage: &Stage) {
        uv_run(stage, on_event);
    }

    pub fn twin(stage: &Stage) {
        uv_run(stage, mended);
    }
}

mod async_pi {
    use super::*;
    use std::pin::pin;

    struct Worker {
        callback: Global<Function>,
    }

    impl Worker {
        fn handle_ok(&self, scope: &mut PinScope) {
            // `let _ =` drops at once what `let _scope =` would keep.
            let _ = pin!(v8::HandleScope::new(scope)).init();
            self.report(scope);
        }

        fn mended(&self, scope: &mut PinScope) {
            scope!(let scope, scope);
            self.report(scope);
        }

        fn report(&self, scope: &mut PinScope) {
            let callback = Local::new(scope, &self.callback);
            call(scope, callback); //~ async_pi callback
        }
    }

    fn after_work(stage: &Stage, handle_ok: fn(&Worker, &mut PinScope)) {
        host!(scope); //~ async_pi opener
        let callback = global(scope, "function onPi() { return 3.14 }");
        let worker = Worker { callback };
        stage.turns(scope, |scope| {
            turn!(scope, "after work");
            handle_ok(&worker, scope);
        });
    }

    pub fn bug(stage: &Stage) {
        after_work(stage, Worker::handle_ok);
    }

    pub fn twin(stage: &Stage) {
        after_work(stage, Worker::mended);
    }
}

mod never_opened {
    use super::*;
    use crate::napi;

    fn notify(isolate: &mut Isolate, realm: &Realm) {
        let callback = strong(isolate, &realm.callback);
        let context = strong(isolate, &realm.context);
        callback_scope!(unsafe let scope, context);
        let scope = &mut v8::ContextScope::new(scope, context);
        call(scope, callback); //~ never_opened callback
    }

    fn on_change(isolate: &mut Isolate, realm: &Realm) {
        let _scope: Option<napi::Token> = None;
        notify(isolate, realm);
    }

    fn mended(isolate: &mut Isolate, realm: &Realm) {
        let scope = napi::open(isolate);
        notify(isolate, realm);
        napi::close(scope);
    }

    fn listen(stage: &Stage, on_change: fn(&mut Isolate, &Realm)) {
        handleguard_tests::start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        let realm = Realm::new(isolate, "function onKeymap() {}");
        stage.turns(isolate, |isolate| {
            turn!(isolate, "message");
            on_change(isolate, &realm);
        });
    }

    pub fn bug(stage: &Stage) {
        listen(stage, on_change);
    }

    pub fn twin(stage: &Stage) {
        listen(stage, mended);
    }
}
