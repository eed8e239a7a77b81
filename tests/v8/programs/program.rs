use proptest::prelude::*;

/// One step of a random program. The steps inside one end with it.
#[derive(Clone, Debug)]
pub enum Step {
    /// Makes so many handles.
    Make(u8),
    /// A `HandleScope`.
    Scope(Vec<Self>),
    /// An `EscapableHandleScope`, which lets a handle escape or not.
    Escapable(Vec<Self>, bool),
    /// A `TryCatch`.
    TryCatch(Vec<Self>),
    /// A turn.
    Turn(Vec<Self>),
    /// A guarded call of JavaScript, which calls a native function that does this.
    Call(Vec<Self>),
    /// Catches the panics of the steps inside it.
    Catch(Vec<Self>),
    /// Leaves the block early.
    Return,
    Panic,
}

/// Random programs.
pub fn program() -> impl Strategy<Value = Vec<Step>> {
    let leaf = prop_oneof![
        12 => (0_u8..4).prop_map(Step::Make),
        1 => Just(Step::Return),
        1 => Just(Step::Panic),
    ];
    let step = leaf.prop_recursive(8, 64, 6, |step| {
        let block = || prop::collection::vec(step.clone(), 0..5);
        prop_oneof![
            3 => block().prop_map(Step::Scope),
            2 => (block(), prop::bool::ANY).prop_map(|(block, escapes)| Step::Escapable(block, escapes)),
            1 => block().prop_map(Step::TryCatch),
            4 => block().prop_map(Step::Turn),
            4 => block().prop_map(Step::Call),
            1 => block().prop_map(Step::Catch),
        ]
    });
    prop::collection::vec(step, 1..12)
}
