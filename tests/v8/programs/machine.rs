//! Runs a program on real V8, and compares the model with V8's state and handleguard's record after each step.

use super::model::{Model, What};
use super::program::Step;
use handleguard_tests::function;
use handleguard_v8::handleguard::{self, Rule};
use handleguard_v8::{
    GuardedFunction, escapable_handle_scope, handles, level, scope, tc_scope, testing, turn,
};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use v8::{Context, Function, Global, Local, Number, PinScope};

/// Which number is given to the comparison too high by one, to prove that it objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    Depth,
    Level,
    Handles,
    Missing,
    Left,
    Others,
}

/// The functions that a program calls.
struct Callee {
    context: Global<Context>,
    caller: Global<Function>,
}

#[derive(Default)]
struct State {
    model: Model,
    planted: Option<Planted>,
    /// The first disagreement.
    disagreement: Option<String>,
    steps: u64,
    callee: Option<Rc<Callee>>,
    /// The steps of the native function that JavaScript calls.
    blocks: Vec<Vec<Step>>,
    /// How many levels V8 opens for a call and the native function in it.
    call_levels: u32,
}

thread_local! {
    /// The state of the program on this thread, which cannot be passed through JavaScript.
    static STATE: RefCell<State> = RefCell::default();
}

fn state<R>(f: impl FnOnce(&mut State) -> R) -> R {
    STATE.with_borrow_mut(f)
}

fn model<R>(f: impl FnOnce(&mut Model) -> R) -> R {
    state(|state| f(&mut state.model))
}

impl State {
    fn agree(&mut self, what: &str, planted: Planted, ours: u64, expected: u64) {
        let ours = ours + u64::from(self.planted == Some(planted));
        if ours != expected && self.disagreement.is_none() {
            let steps = self.steps;
            self.disagreement = Some(format!(
                "after step {steps}: {what}: {ours}, expected {expected}"
            ));
        }
    }

    fn compare(&mut self, isolate: &v8::Isolate) {
        self.steps += 1;
        let depth = self.model.depth().into();
        self.agree("depth", Planted::Depth, handleguard::depth().into(), depth);
        let seen = level(isolate).expect("a level").into();
        self.agree("level", Planted::Level, seen, self.model.level().into());
        let seen = handles(isolate).expect("a count of handles");
        self.agree("handles", Planted::Handles, seen, self.model.handles());
    }
}

/// The payload of the program's own panics.
struct Planned;

/// The result of a program without a disagreement.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    pub steps: u64,
    /// Calls without a scope, and handles left, each found.
    pub missing: u64,
    pub left: u64,
}

/// A host that runs programs.
pub struct Machine {
    callee: Rc<Callee>,
    call_levels: u32,
}

impl Machine {
    pub fn new(scope: &mut PinScope, context: Local<Context>) -> Self {
        let native = Function::new(scope, native).expect("a function");
        let name = v8::String::new(scope, "native").expect("a string");
        context.global(scope).set(scope, name.into(), native.into());
        let caller = function(scope, "function caller() { return native() }");
        let undefined = v8::undefined(scope).into();
        let inside = caller.call_with_context(scope, context, undefined, &[]);
        let inside = inside.and_then(|level| level.uint32_value(scope));
        let outside = level(scope).expect("a level");
        Self {
            callee: Rc::new(Callee {
                context: Global::new(scope, context),
                caller: Global::new(scope, caller),
            }),
            call_levels: inside.expect("the level in a native function") - outside,
        }
    }

    /// Runs `program`.
    ///
    /// # Errors
    ///
    /// The first disagreement.
    pub fn run(
        &self,
        scope: &mut PinScope,
        program: &[Step],
        planted: Option<Planted>,
    ) -> Result<Tally, String> {
        let mut model = Model::default();
        // The host's scope.
        model.open(What::Scope, 1, handles(scope).expect("a count of handles"));
        // The closure below.
        model.open(What::Turn, 0, 0);
        state(|state| {
            *state = State {
                model,
                planted,
                callee: Some(self.callee.clone()),
                call_levels: self.call_levels,
                ..State::default()
            };
        });
        let violations = testing::run(|| {
            scope!(let scope, scope);
            opened(What::Scope, 1, scope, |scope| caught(scope, program));
        })
        .violations;
        let count = |rule| {
            let found = violations.iter().filter(|found| found.rule() == rule);
            found.count() as u64
        };
        let missing = count(Rule::MissingScope);
        let others = violations.len() as u64 - missing - count(Rule::OuterGrowth);
        let left = violations.iter().map(|found| found.handles()).sum();
        state(|state| {
            let (expected_missing, expected_left) = (state.model.missing, state.model.left);
            state.agree(
                "calls without a scope",
                Planted::Missing,
                missing,
                expected_missing,
            );
            state.agree("handles left", Planted::Left, left, expected_left);
            state.agree("violations of other rules", Planted::Others, others, 0);
            state.callee = None;
            match state.disagreement.take() {
                Some(disagreement) => Err(disagreement),
                None => Ok(Tally {
                    steps: state.steps,
                    missing,
                    left,
                }),
            }
        })
    }
}

/// Runs `f` while `what` is open in the model, and closes it on each way out.
fn opened<S, R>(what: What, levels: u32, scope: &mut S, f: impl FnOnce(&mut S) -> R) -> R {
    struct Close(usize);
    impl Drop for Close {
        fn drop(&mut self) {
            model(|model| model.close_to(self.0));
        }
    }
    let _close = Close(model(|model| {
        model.open(what, levels, 0);
        model.len() - 1
    }));
    f(scope)
}

/// Runs `block`, and catches the program's own panics.
fn caught(scope: &mut PinScope, block: &[Step]) {
    let panicked = catch_unwind(AssertUnwindSafe(|| run(scope, block)));
    if let Err(payload) = panicked
        && !payload.is::<Planned>()
    {
        resume_unwind(payload);
    }
}

fn run(scope: &mut PinScope, block: &[Step]) {
    for step in block {
        match step {
            Step::Make(handles) => {
                for _ in 0..*handles {
                    Number::new(scope, 0.5);
                }
                model(|model| model.make(u64::from(*handles)));
            }
            Step::Scope(block) => {
                scope!(let scope, scope);
                opened(What::Scope, 1, scope, |scope| run(scope, block));
            }
            Step::Escapable(block, escapes) => {
                // The slot for the escaping handle, in the scope around it.
                model(|model| model.make(1));
                escapable_handle_scope!(let scope, scope);
                opened(What::Scope, 1, scope, |scope| {
                    run(scope, block);
                    if *escapes {
                        let value = Number::new(scope, 0.5);
                        model(|model| model.make(1));
                        scope.escape(value);
                    }
                });
            }
            Step::TryCatch(block) => {
                tc_scope!(let scope, scope);
                run(scope, block);
            }
            Step::Turn(block) => {
                turn!(scope, "turn");
                opened(What::Turn, 0, scope, |scope| run(scope, block));
            }
            Step::Call(block) => call(scope, block),
            Step::Catch(block) => caught(scope, block),
            Step::Return => return,
            Step::Panic => resume_unwind(Box::new(Planned)),
        }
        state(|state| state.compare(scope));
    }
}

fn call(scope: &mut PinScope, block: &[Step]) {
    let callee = state(|state| state.callee.clone()).expect("a program that runs");
    let context = Local::new(scope, &callee.context);
    let caller = Local::new(scope, &callee.caller);
    let undefined = v8::undefined(scope).into();
    state(|state| {
        state.model.make(2);
        state.model.call();
        state.blocks.push(block.to_vec());
    });
    let result = caller.guarded_call_with_context(scope, context, undefined, &[]);
    assert!(result.is_some());
    model(|model| model.make(1));
}

/// The native function that JavaScript calls. V8 has opened scopes for it, and holds handles of its own in them.
fn native(scope: &mut PinScope, _: v8::FunctionCallbackArguments, mut result: v8::ReturnValue) {
    result.set_uint32(level(scope).expect("a level"));
    let Some(block) = state(|state| state.blocks.pop()) else {
        return;
    };
    let levels = state(|state| state.call_levels);
    opened(What::Implicit, levels, scope, |scope| {
        let now = handles(scope).expect("a count of handles");
        model(|model| model.make(now - model.handles()));
        caught(scope, &block);
    });
}
