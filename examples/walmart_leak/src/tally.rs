/// The events of a phase, counted.
#[derive(Default)]
pub struct Tally {
    /// Connections of the server that were closed, each with a call of `onClose`.
    pub closed: u64,
    /// How many handlers threw, and how many connections failed, together.
    pub errors: u64,
    /// The message of the first of these failures.
    pub first_error: Option<String>,
}

impl Tally {
    pub fn error(&mut self, what: impl ToString) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| what.to_string());
    }
}
