/// How messages speak of an engine: its word for a scope, and code that compiles in the user's program.
#[derive(PartialEq, Eq, Debug)]
pub struct Wording {
    /// A statement that opens a scope to the end of the block.
    pub open_scope: &'static str,
    /// A statement that marks a turn to the end of the block.
    pub mark_turn: &'static str,
    /// A statement that enters an isolate on the current thread.
    pub enter_isolate: &'static str,
    /// How its frames are told from the user's.
    pub classifier: &'static FrameClassifier,
}

/// How the frames of an engine, and of what binds it, are told from the user's in a stack.
#[derive(PartialEq, Eq, Debug)]
pub struct FrameClassifier {
    /// The engine's name.
    pub name: &'static str,
    /// `Some(file!())` of a file of the crate that implements [`Engine`]: functions in its folder are left out of stacks, as
    /// the checker's own.
    pub file: Option<&'static str>,
    /// How the paths of functions and types of that crate begin, as in `my_layer::`: such functions are left out of stacks too.
    pub own_paths: &'static [&'static str],
    /// How the folder of the crate that binds the engine begins, as in `v8-` for `v8-150.4.0`.
    pub engine_crate: Option<&'static str>,
    /// How the names of the engine's functions begin, those of the binding crate's apart.
    pub engine_symbols: &'static [&'static str],
    /// How the names of those functions begin in which one function of the script runs.
    pub script_symbols: &'static [&'static str],
}

impl FrameClassifier {
    /// An engine without frames of its own.
    pub const NONE: &'static Self = &Self {
        name: "the engine",
        file: None,
        own_paths: &[],
        engine_crate: None,
        engine_symbols: &[],
        script_symbols: &[],
    };
}
