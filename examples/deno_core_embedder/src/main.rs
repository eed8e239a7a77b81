//! A stock deno_core program: modules, timers, promises, and ops of each sort. All that it has of handleguard is the line in its build
//! script, and the line below that links the crate.

mod args;
mod handles;
mod leak;
mod ops;

use deno_core::error::AnyError;
use deno_core::{
    JsRuntime, ModuleSpecifier, PollEventLoopOptions, RuntimeOptions, StaticModuleLoader,
};
// A crate that nothing names is not linked, and neither are its hooks.
use handleguard_v8 as _;
use std::process::ExitCode;
use std::rc::Rc;

fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(args) => args,
        Err(error) => {
            eprintln!("deno_core_embedder: {error}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime for one thread");
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("deno_core_embedder: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: args::Args) -> Result<(), AnyError> {
    let url = |file: &str| ModuleSpecifier::parse(&format!("file:///{file}"));
    let modules = StaticModuleLoader::new([
        (url("main.js")?, include_str!("main.js").to_owned()),
        (url("worker.js")?, include_str!("worker.js").to_owned()),
    ]);
    let mut js = JsRuntime::new(RuntimeOptions {
        module_loader: Some(Rc::new(modules)),
        extensions: vec![ops::embedder::init()],
        ..Default::default()
    });
    let (operations, leak) = (args.operations, args.leak);
    js.execute_script(
        "args.js",
        format!("globalThis.args = {{ operations: {operations}, leak: {leak} }};"),
    )?;
    let before = handles::alive(js.v8_isolate());
    let main = js.load_main_es_module(&url("main.js")?).await?;
    let evaluated = js.mod_evaluate(main);
    js.run_event_loop(PollEventLoopOptions::default()).await?;
    evaluated.await?;
    let after = handles::alive(js.v8_isolate());
    println!(
        "{} operations; {before} handles before, {after} after",
        ops::done()
    );
    Ok(())
}
