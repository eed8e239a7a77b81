/// What the checker can read of an engine. Each part is either how it is read, or why it cannot be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// The engine's own count of open scopes.
    pub level: Result<String, String>,
    /// The engine's count of handles.
    pub handles: Result<String, String>,
    /// Scopes and calls of code that does not use the checker's guards.
    pub hooks: Result<String, String>,
}
