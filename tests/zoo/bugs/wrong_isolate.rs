//! A scope or a callback of one isolate while another one is entered. A function of V8 that takes no isolate as an argument then
//! uses the other one.

use crate::host::{Realm, host};
use crate::open::{call, enter, exit};
use crate::specimen::specimens;
use crate::stage::Stage;
use v8::{Isolate, Local};

specimens! {
    block_destructor: "NativeScript/ios #78", "https://github.com/NativeScript/ios/pull/78",
        "destructor that opens its scope on the first isolate it finds", WrongIsolate;
    two_pages: "h4ckf0r0day/obscura #776", "https://github.com/h4ckf0r0day/obscura/pull/776",
        "script of the older of two pages", WrongIsolate;
    temporary: "nodejs/node-v0.x-archive #9423", "https://github.com/nodejs/node-v0.x-archive/issues/9423",
        "temporary isolate that is still entered when the loop goes on", WrongIsolate;
    exception_error: "Tencent/puerts #1767", "https://github.com/Tencent/puerts/pull/1767",
        "exception made by the current isolate for another one", WrongIsolate;
    out_of_order: "denoland/rusty_v8 #814", "https://github.com/denoland/rusty_v8/issues/814",
        "two isolates left in the order in which they were entered", WrongIsolate;
}

/// Enters an isolate for the time of `f`.
fn entered(isolate: &mut Isolate, f: impl FnOnce(&mut Isolate)) {
    // SAFETY: of this thread, and left again below.
    unsafe { enter(isolate) };
    f(isolate);
    // SAFETY: entered above, and the current one.
    unsafe { exit(isolate) };
}

mod block_destructor {
    use super::*;

    struct Block<'a> {
        isolate: &'a mut Isolate,
        destroy: fn(&mut Isolate),
    }

    impl Drop for Block<'_> {
        fn drop(&mut self) {
            (self.destroy)(self.isolate);
        }
    }

    fn destroy(isolate: &mut Isolate) {
        scope!(let scope, isolate); //~ block_destructor place
        let _ = scope;
    }

    fn main(stage: &Stage, destroy: fn(&mut Isolate)) {
        handleguard_tests::start_v8();
        let mut main = v8::Isolate::new(Default::default());
        let mut worker = v8::Isolate::new(Default::default());
        stage.turns(&mut worker, |worker| {
            turn!(worker, "worker's loop");
            let _block = Block {
                isolate: &mut main,
                destroy,
            };
        });
    }

    pub fn bug(stage: &Stage) {
        main(stage, destroy);
    }

    pub fn twin(stage: &Stage) {
        main(stage, |isolate| entered(isolate, destroy));
    }
}

mod two_pages {
    use super::*;

    fn evaluate(page: &mut Isolate, realm: &Realm) {
        scope!(let scope, page); //~ two_pages place
        let context = Local::new(scope, &realm.context);
        let scope = &mut v8::ContextScope::new(scope, context);
        v8::String::new(scope, "title").unwrap();
    }

    fn browse(stage: &Stage, evaluate: fn(&mut Isolate, &Realm)) {
        handleguard_tests::start_v8();
        let older = &mut v8::Isolate::new(Default::default());
        let realm = Realm::new(older, "() => 1");
        let mut newer = v8::Isolate::new(Default::default());
        stage.turns(&mut newer, |newer| {
            turn!(newer, "page");
            evaluate(older, &realm);
        });
    }

    pub fn bug(stage: &Stage) {
        browse(stage, evaluate);
    }

    pub fn twin(stage: &Stage) {
        browse(stage, |older, realm| {
            entered(older, |older| evaluate(older, realm));
        });
    }
}

mod temporary {
    use super::*;

    pub fn bug(stage: &Stage) {
        host!(scope);
        let callback = handleguard_tests::function(scope, "function onTimer() {}");
        stage.turns(scope, |scope| {
            turn!(scope, "uv_run");
            scope!(let scope, scope);
            let temporary = v8::Isolate::new(Default::default());
            call(scope, callback); //~ temporary callback
            drop(temporary);
        });
    }

    /// One temporary isolate, entered and left each time: to make 10,000 takes long.
    pub fn twin(stage: &Stage) {
        host!(scope);
        let callback = handleguard_tests::function(scope, "function onTimer() {}");
        let temporary = &mut *v8::Isolate::new(Default::default());
        // SAFETY: entered when it was made.
        unsafe { temporary.exit() };
        stage.turns(scope, |scope| {
            turn!(scope, "uv_run");
            scope!(let scope, scope);
            entered(temporary, |_| ());
            call(scope, callback);
        });
        // SAFETY: the v8 crate disposes of it entered.
        unsafe { temporary.enter() };
    }
}

mod exception_error {
    use super::*;

    fn throw(isolate: &mut Isolate, realm: &Realm) {
        scope!(let scope, isolate); //~ exception_error place
        let context = Local::new(scope, &realm.context);
        let scope = &mut v8::ContextScope::new(scope, context);
        let message = v8::String::new(scope, "no such class").unwrap();
        v8::Exception::error(scope, message);
    }

    fn environments(stage: &Stage, throw: fn(&mut Isolate, &Realm)) {
        handleguard_tests::start_v8();
        let mut first = v8::Isolate::new(Default::default());
        let realm = Realm::new(&mut first, "() => 1");
        let mut second = v8::Isolate::new(Default::default());
        stage.turns(&mut second, |second| {
            turn!(second, "tick");
            throw(&mut first, &realm);
        });
    }

    pub fn bug(stage: &Stage) {
        environments(stage, throw);
    }

    pub fn twin(stage: &Stage) {
        environments(stage, |first, realm| {
            entered(first, |first| throw(first, realm));
        });
    }
}

mod out_of_order {
    use super::*;

    fn bug_turn(first: &mut Isolate, second: &mut Isolate) {
        // SAFETY: it isn't: that is the bug. Both are left, and V8's own record of who was entered before whom is put right by
        // what follows.
        unsafe {
            enter(first);
            enter(second);
            exit(first); //~ out_of_order place
            second.exit();
        }
    }

    fn mended(first: &mut Isolate, second: &mut Isolate) {
        entered(first, |_| entered(second, |_| ()));
    }

    fn pages(stage: &Stage, turn: fn(&mut Isolate, &mut Isolate)) {
        handleguard_tests::start_v8();
        let first = &mut *v8::Isolate::new(Default::default());
        // SAFETY: entered when it was made.
        unsafe { first.exit() };
        let second = &mut *v8::Isolate::new(Default::default());
        // SAFETY: as above.
        unsafe { second.exit() };
        stage.turns(first, |first| turn(first, second));
        // SAFETY: the v8 crate disposes of the last one first, and of each entered.
        unsafe {
            first.enter();
            second.enter();
        }
    }

    pub fn bug(stage: &Stage) {
        pages(stage, bug_turn);
    }

    pub fn twin(stage: &Stage) {
        pages(stage, mended);
    }
}
