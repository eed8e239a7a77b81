//! The words and frames of an engine, for messages and stacks.

/// The engine-specific parts of messages: statements that compile in the user's program.
#[derive(PartialEq, Eq, Debug)]
pub struct Wording {
    /// A statement that opens a scope to the end of the block.
    pub open_scope: &'static str,
    /// A statement that marks a turn to the end of the block.
    pub mark_turn: &'static str,
    /// A statement that enters an isolate on the current thread.
    pub enter_isolate: &'static str,
    /// The classifier of the frames in a stack.
    pub classifier: &'static FrameClassifier,
}

/// Classifies the frames of a stack: the checker's own, the engine's, and the user's.
#[derive(PartialEq, Eq, Debug)]
pub struct FrameClassifier {
    /// The engine's name.
    pub name: &'static str,
    /// `Some(file!())` of a file of the crate that implements [`Engine`](crate::Engine). Stacks leave out the functions in
    /// that file's folder, as they leave out the checker's own.
    pub file: Option<&'static str>,
    /// The first parts of the paths of functions and types of that crate, such as `my_layer::`. Stacks leave them out too.
    pub own_paths: &'static [&'static str],
    /// The first part of the folder name of the crate that binds the engine, such as `v8-` for `v8-150.4.0`.
    pub engine_crate: Option<&'static str>,
    /// The first parts of the names of the engine's functions, without those of the binding crate.
    pub engine_symbols: &'static [&'static str],
    /// The first parts of the names of the engine's functions that each run one function of the script.
    pub script_symbols: &'static [&'static str],
    /// The first parts of the names of the engine's functions that are neither the binding crate's nor the engine's interface; and
    /// of the binding crate's wrappers of callbacks that the engine calls on its own account.
    pub internal_symbols: &'static [&'static str],
    /// The first parts of the names of the engine's functions that call a native function for the script. In strict mode, a
    /// callback counts only if native code that was called so makes it; every callback does if there are none.
    pub native_call_symbols: &'static [&'static str],
}

impl FrameClassifier {
    /// The classifier of an engine without frames of its own.
    pub const NONE: &'static Self = &Self {
        name: "the engine",
        file: None,
        own_paths: &[],
        engine_crate: None,
        engine_symbols: &[],
        script_symbols: &[],
        internal_symbols: &[],
        native_call_symbols: &[],
    };
}
