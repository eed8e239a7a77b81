/// One frame of the script that the engine runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptFrame {
    /// The function's name.
    pub function: String,
    /// The script's name.
    pub script: String,
    /// Where in the script, counted from 1.
    pub line: u32,
    /// Where in the line, counted from 1.
    pub column: u32,
}
