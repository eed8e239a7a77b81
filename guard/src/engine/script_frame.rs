/// One frame of the script that the engine runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptFrame {
    /// The name of the function.
    pub function: String,
    /// The name of the script.
    pub script: String,
    /// The line in the script, counted from 1.
    pub line: u32,
    /// The column in the line, counted from 1.
    pub column: u32,
}
