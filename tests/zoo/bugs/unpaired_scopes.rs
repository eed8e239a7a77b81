//! Scopes that are closed in the wrong order, or never. V8's release builds do not check it.

use crate::host::{host, parked};
use crate::napi;
use crate::open::{enter, exit};
use crate::specimen::specimens;
use crate::stage::Stage;
use v8::{Isolate, Number};

specimens! {
    twice_initialised: "lightpanda-io/browser #2813", "https://github.com/lightpanda-io/browser/pull/2813",
        "one storage initialised twice", NeverClosed;
    error_path: "nodejs/node #16175", "https://github.com/nodejs/node/issues/16175",
        "add-on whose error path leaves its scope open", NeverClosed;
    wrong_order: "oven-sh/bun #32834", "https://github.com/oven-sh/bun/pull/32834",
        "add-on that closes the outer of two scopes first", OutOfOrder;
    bogus_token: "denoland/deno #21629", "https://github.com/denoland/deno/pull/21629",
        "add-on handed the token of its host's scope, which it closes", OutOfOrder;
    early_return: "tangramdotdev/tangram #752", "https://github.com/tangramdotdev/tangram/pull/752",
        "early return that leaves the isolate while a scope is open", NeverClosed;
    snapshot: "denoland/deno #4168", "https://github.com/denoland/deno/pull/4168",
        "scope still open where the isolate ends in a snapshot", NeverClosed;
    thread_local: "denoland/rusty_v8 #1467", "https://github.com/denoland/rusty_v8/issues/1467",
        "scope still open in an isolate that ends with its thread", NeverClosed;
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

mod snapshot {
    use super::*;

    /// Makes a snapshot after `work` with the isolate that V8 disposes of for it.
    fn make(work: impl FnOnce(&mut Isolate)) {
        let mut creator = Isolate::snapshot_creator(None, None);
        {
            v8::scope!(let scope, &mut creator);
            let context = v8::Context::new(scope, Default::default());
            scope.set_default_context(context);
        }
        work(&mut creator);
        let blob = creator.create_blob(v8::FunctionCodeHandling::Clear);
        assert!(blob.is_some());
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "build");
            make(|isolate| {
                napi::open(isolate); //~ snapshot opener
            });
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        let mut turn = 0;
        stage.turns(scope, |scope| {
            turn!(scope, "build");
            turn += 1;
            // A snapshot takes several milliseconds.
            if turn % 500 == 0 {
                make(|isolate| napi::close(napi::open(isolate)));
            }
        });
    }
}

mod thread_local {
    use super::*;
    use std::cell::RefCell;

    thread_local! {
        static WORKER: RefCell<Option<v8::OwnedIsolate>> = const { RefCell::new(None) };
    }

    /// Runs `job` on a thread of its own, in an isolate that the thread keeps in a local.
    fn on_worker(job: fn(&mut Isolate)) {
        let run = move || {
            WORKER.with_borrow_mut(|worker| {
                job(worker.get_or_insert_with(|| Isolate::new(Default::default())));
            });
        };
        std::thread::spawn(run).join().expect("a thread that ends");
    }

    pub fn bug(stage: &Stage) {
        host!(scope);
        stage.turns(scope, |scope| {
            turn!(scope, "job");
            on_worker(|isolate| {
                napi::open(isolate); //~ thread_local opener
            });
        });
    }

    pub fn twin(stage: &Stage) {
        host!(scope);
        let mut turn = 0;
        stage.turns(scope, |scope| {
            turn!(scope, "job");
            turn += 1;
            // To make an isolate takes a millisecond.
            if turn % 100 == 0 {
                on_worker(|isolate| napi::close(napi::open(isolate)));
            }
        });
    }
}
