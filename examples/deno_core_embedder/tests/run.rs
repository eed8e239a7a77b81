//! Runs the program as a user does.

use std::process::{Command, Output};

fn run(args: &[&str], handleguard: &str) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_deno_core_embedder"))
        .args(args)
        .env("HANDLEGUARD", handleguard)
        .output()
        .expect("the program starts");
    println!(
        "{}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        stdout(&output),
        stderr(&output)
    );
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[cfg(feature = "hooks")]
mod with_the_build_line {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_hundred_thousand_operations_violate_no_rule_and_leave_no_handle() {
        let output = run(&[], "abort,require-hooks");
        assert!(output.status.success());
        assert_eq!(
            stdout(&output),
            "100000 operations; 0 handles before, 0 after\n"
        );
        // One line, which says that every hook is proved, and then nothing.
        let text = stderr(&output);
        assert!(text.starts_with("handleguard: on: missing-scope=abort "));
        assert!(text.ends_with(", hooks (29 of 29 proved)\n"));
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_worker_that_serves_all_requests_in_one_scope_is_caught_after_the_first() {
        let output = run(&["--leak"], "abort");
        assert_eq!(output.status.signal(), Some(6), "SIGABRT");
        assert_eq!(stdout(&output), "request 0\n");
        let text = stderr(&output);
        let op = "`deno_core_embedder::leak::op_worker_run::op_worker_run::call` at src/leak.rs:";
        let sentence = text
            .lines()
            .find(|line| line.starts_with("handleguard: outer-growth: "))
            .expect("a report");
        assert!(sentence.starts_with(&format!(
            "handleguard: outer-growth: turn {op}15 left 3 handles in the HandleScope {op}"
        )));
        assert!(sentence.contains(&format!(", made by {op}17")));
        assert!(text.contains(
            "          help: open a scope in `deno_core_embedder::leak::op_worker_run::op_worker_run::call` before creating the first \
             handle, and escape only the handle you return: `handleguard_v8::scope!(let scope, scope);`\n"
        ));
        assert!(text.contains("op_worker_run::call\n             at src/leak.rs:17\n"));
        assert!(
            text.contains(": startWorker [JavaScript]\n             at file:///worker.js:8:3\n")
        );
    }
}

#[cfg(not(feature = "hooks"))]
mod without_the_build_line {
    use super::*;

    const NONE: &str = "none of 29 was put in by the linker: call `handleguard_build::link_hooks()` in the build script of the \
                        program itself, for cargo drops the link arguments of a dependency's, or put the flags that the command \
                        `handleguard-build` prints into `.cargo/config.toml`; until then, plain scopes have no name, and \
                        out-of-order and never-closed do not judge them; missing-scope and outer-growth do not judge plain \
                        calls; no turn is recognised that the program does not mark; in-gc, never-closed and wrong-isolate \
                        know an isolate only by its guards; never-closed judges no context that is entered and not left; \
                        global-growth names nobody, and judges only turns that the program marks; sealed can rescue no handle";

    #[test]
    fn the_program_says_at_its_start_that_it_is_not_seen_and_runs() {
        let output = run(&["--operations", "100"], "log");
        assert!(output.status.success());
        assert_eq!(
            stderr(&output),
            format!("handleguard: no hook took effect: {NONE}\n")
        );
        assert_eq!(
            stdout(&output),
            "100 operations; 0 handles before, 0 after\n"
        );
    }

    #[test]
    fn require_hooks_ends_it_with_status_2_before_it_does_anything() {
        let output = run(&["--operations", "100"], "log,require-hooks");
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(
            stderr(&output),
            format!("handleguard: require-hooks: {NONE}\n")
        );
        assert_eq!(stdout(&output), "");
    }

    #[test]
    fn off_is_silent() {
        let output = run(&["--operations", "100"], "off");
        assert!(output.status.success());
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn a_wrong_argument_is_named_with_what_is_accepted() {
    let output = run(&["--laek"], "off");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stderr(&output),
        "deno_core_embedder: invalid option '--laek'; accepted: --operations <number>, --leak\n"
    );
}
