//! smoke
use handleguard_tests::{function, start_v8};
use handleguard_v8::{GuardedFunction, testing};

#[test]
fn smoke() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    handleguard_v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let f = function(scope, "function onClose() {}");
    let undefined = v8::undefined(scope).into();
    let outcome = testing::run(|| {
        for _ in 0..3 {
            handleguard_v8::turn!(scope, "loop");
            f.guarded_call(scope, undefined, &[]);
        }
        for _ in 0..3 {
            handleguard_v8::turn!(scope, "loop");
            handleguard_v8::scope!(let scope, scope);
            f.guarded_call(scope, undefined, &[]);
        }
        for _ in 0..2 {
            handleguard_v8::turn!(scope, "stray");
            let _ = v8::Object::new(scope);
            handleguard_v8::scope!(let scope, scope);
            f.guarded_call(scope, undefined, &[]);
        }
    });
    for v in outcome.violations {
        println!("{v}   handles {}\n", v.handles());
    }
}
