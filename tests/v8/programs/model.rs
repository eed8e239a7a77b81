//! The expectation of a naive reader of the program, who knows nothing of handleguard, and of V8 only that a handle goes to the
//! innermost scope.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    Scope,
    /// A scope of V8's own, around a native function that JavaScript calls.
    Implicit,
    Turn,
}

#[derive(Debug)]
struct Entry {
    what: What,
    levels: u32,
    handles: u64,
}

/// The entries that are open, and what must be found by the end of the program.
#[derive(Default, Debug)]
pub struct Model {
    open: Vec<Entry>,
    /// Calls that began with nothing open since the turn.
    pub missing: u64,
    /// Handles made with nothing open since the turn.
    pub left: u64,
}

impl Model {
    pub fn open(&mut self, what: What, levels: u32, handles: u64) {
        self.open.push(Entry {
            what,
            levels,
            handles,
        });
    }

    /// How many entries are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Closes every entry opened since then.
    pub fn close_to(&mut self, len: usize) {
        self.open.truncate(len);
    }

    pub fn make(&mut self, handles: u64) {
        if self.is_exposed() {
            self.left += handles;
        }
        let innermost = self.open.iter_mut().rfind(|entry| entry.levels > 0);
        innermost.expect("the host's scope").handles += handles;
    }

    pub fn call(&mut self) {
        self.missing += u64::from(self.is_exposed());
    }

    fn is_exposed(&self) -> bool {
        let turn = self.open.iter().rposition(|entry| entry.what == What::Turn);
        turn.is_some_and(|turn| self.open[turn..].iter().all(|entry| entry.levels == 0))
    }

    /// Scopes of the program's own since the turn.
    pub fn depth(&self) -> u32 {
        let since_turn = self
            .open
            .iter()
            .rev()
            .take_while(|entry| entry.what != What::Turn);
        u32::try_from(since_turn.filter(|entry| entry.what == What::Scope).count()).unwrap()
    }

    /// V8's level.
    pub fn level(&self) -> u32 {
        self.open.iter().map(|entry| entry.levels).sum()
    }

    /// V8's number of handles.
    pub fn handles(&self) -> u64 {
        self.open.iter().map(|entry| entry.handles).sum()
    }
}
