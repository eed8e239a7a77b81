//! Persistent handles that are made for each event and never reset. The macros know of no handle that is made, and what is left
//! counts from the second full collection on.

use crate::host::{global, host};
use crate::open::call;
use crate::specimen::specimens;
use crate::stage::Stage;
use std::cell::Cell;
use v8::{Function, Global, Local, PinScope, Value};

specimens! {
    wall_profiler: "DataDog/pprof-nodejs #387", "https://github.com/DataDog/pprof-nodejs/pull/387",
        "a persistent handle for each event, none of them reset", GlobalGrowth, turns = 300;
}

mod wall_profiler {
    use super::*;

    fn on_event(scope: &mut PinScope, callback: &Global<Function>) -> Global<Value> {
        scope!(let scope, scope);
        let callback = Local::new(scope, callback);
        let result = call(scope, callback).unwrap();
        Global::new(scope, result)
    }

    fn events(stage: &Stage, keep: fn(Global<Value>)) {
        host!(scope);
        let callback = global(scope, "function onEvent() { return {} }");
        let served = Cell::new(0);
        stage.turns(scope, |scope| {
            turn!(scope, "event loop");
            keep(on_event(scope, &callback));
            served.set(served.get() + 1);
            if served.get() % 100 == 0 {
                scope.request_garbage_collection_for_testing(v8::GarbageCollectionType::Full);
            }
        });
    }

    pub fn bug(stage: &Stage) {
        events(stage, std::mem::forget);
    }

    pub fn twin(stage: &Stage) {
        events(stage, drop);
    }
}
