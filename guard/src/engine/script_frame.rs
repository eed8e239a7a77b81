use crate::foreign_text::ForeignText;

/// One frame of the script that the engine runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptFrame {
    /// The name of the function.
    pub function: ForeignText,
    /// The name of the script. The frames of one script should share it: clone it from frame to frame.
    pub script: ForeignText,
    /// The line in the script, counted from 1.
    pub line: u32,
    /// The column in the line, counted from 1.
    pub column: u32,
}
