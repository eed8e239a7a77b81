/// Hands the list of V8's hooked functions to the macro `$then`: for each function its symbol, what the hook serves, the
/// register of the first integer argument that the function does not take, its hook, and the function itself with its signature.
///
/// `handleguard-build` has the symbols once more, for the linker; a test there compares the two lists.
macro_rules! hooked_functions {
    ($then:ident) => {
        $then! {
            "v8__HandleScope__CONSTRUCT", Scopes, "rdx" => scopes::construct_handle_scope,
                handle_scope_construct(storage: *mut c_void, isolate: *mut RawIsolate);
            "v8__HandleScope__DESTRUCT", Scopes, "rsi" => scopes::destruct_handle_scope,
                handle_scope_destruct(storage: *mut c_void);
            "v8__TryCatch__CONSTRUCT", Scopes, "rdx" => scopes::construct_try_catch,
                try_catch_construct(storage: *mut c_void, isolate: *mut RawIsolate);
            "v8__TryCatch__DESTRUCT", Scopes, "rsi" => scopes::destruct_try_catch,
                try_catch_destruct(storage: *mut c_void);
            "v8__Function__Call", Calls, "r9" => calls::function_call,
                function_call(function: Handle, context: Handle, recv: Handle, argc: c_int, argv: *const Handle) -> Handle;
            "v8__Function__NewInstance", Calls, "r8" => calls::function_new_instance,
                function_new_instance(function: Handle, context: Handle, argc: c_int, argv: *const Handle) -> Handle;
            "v8__Script__Run", Calls, "rdx" => calls::script_run,
                script_run(script: Handle, context: Handle) -> Handle;
            "v8__Module__Evaluate", Calls, "rdx" => calls::module_evaluate,
                module_evaluate(module: Handle, context: Handle) -> Handle;
            "v8__Module__EvaluateForImportDefer", Calls, "rdx" => calls::module_evaluate_for_import_defer,
                module_evaluate_for_import_defer(module: Handle, context: Handle) -> Handle;
            "v8__Isolate__PerformMicrotaskCheckpoint", Calls, "rsi" => calls::isolate_checkpoint,
                isolate_checkpoint(isolate: *mut RawIsolate);
            "v8__MicrotaskQueue__PerformCheckpoint", Calls, "rdx" => calls::queue_checkpoint,
                queue_checkpoint(isolate: *mut RawIsolate, queue: *const c_void);
            "v8__Platform__PumpMessageLoop", Turns, "rcx" => calls::pump_message_loop,
                pump_message_loop(platform: *mut c_void, isolate: *mut RawIsolate, wait: bool) -> bool;
            "v8__Platform__RunIdleTasks", Turns, "rdx" => calls::run_idle_tasks,
                run_idle_tasks(platform: *mut c_void, isolate: *mut RawIsolate, seconds: f64);
            "v8__Task__Run", Turns, "rsi" => calls::task_run,
                task_run(task: *mut c_void);
            "v8__IdleTask__Run", Turns, "rsi" => calls::idle_task_run,
                idle_task_run(task: *mut c_void, deadline: f64);
            "v8__Isolate__New", Isolates, "rsi" => isolates::new,
                isolate_new(params: *const c_void) -> *mut RawIsolate;
            "v8__Isolate__Enter", Isolates, "rsi" => isolates::enter,
                isolate_enter(isolate: *mut RawIsolate);
            "v8__Isolate__Exit", Isolates, "rsi" => isolates::exit,
                isolate_exit(isolate: *mut RawIsolate);
            "v8__Isolate__Dispose", Isolates, "rsi" => isolates::dispose,
                isolate_dispose(isolate: *mut RawIsolate);
            "v8__SnapshotCreator__DESTRUCT", Isolates, "rsi" => isolates::destruct_snapshot_creator,
                snapshot_creator_destruct(creator: *mut c_void);
            "v8__Context__Enter", Siblings, "rsi" => siblings::context_enter,
                context_enter(context: Handle);
            "v8__Context__Exit", Siblings, "rsi" => siblings::context_exit,
                context_exit(context: Handle);
            "v8__DisallowJavascriptExecutionScope__CONSTRUCT", Siblings, "rcx" => siblings::construct_disallow_javascript,
                disallow_javascript_construct(storage: *mut c_void, isolate: *mut RawIsolate, on_failure: c_int);
            "v8__DisallowJavascriptExecutionScope__DESTRUCT", Siblings, "rsi" => siblings::destruct_disallow_javascript,
                disallow_javascript_destruct(storage: *mut c_void);
            "v8__AllowJavascriptExecutionScope__CONSTRUCT", Siblings, "rdx" => siblings::construct_allow_javascript,
                allow_javascript_construct(storage: *mut c_void, isolate: *mut RawIsolate);
            "v8__AllowJavascriptExecutionScope__DESTRUCT", Siblings, "rsi" => siblings::destruct_allow_javascript,
                allow_javascript_destruct(storage: *mut c_void);
            "v8__Global__New", Persistent, "rdx" => persistent::global_new,
                global_new(isolate: *mut RawIsolate, data: Handle) -> Handle;
            "v8__Global__Reset", Persistent, "rsi" => persistent::global_reset,
                global_reset(data: Handle);
        }
    };
}
pub(super) use hooked_functions;
