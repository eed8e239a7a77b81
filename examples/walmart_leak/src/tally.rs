/// What happened in a phase.
#[derive(Default)]
pub struct Tally {
    /// Connections of the server that were closed, each told to `onClose`.
    pub closed: u64,
    /// Handlers that threw, and connections that failed.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
}

impl Tally {
    pub fn error(&mut self, what: impl ToString) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| what.to_string());
    }
}
