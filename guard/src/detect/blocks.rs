//! The engine's blocks of handles, and the level of the scope that began each.
//!
//! An engine such as V8 keeps the handles of all open scopes in blocks of one size (`handle-scope-implementer.h`,
//! `kHandleBlockSize`). A scope begins a block where the last one is full, and gives its blocks back when it closes. So the last
//! blocks in a row that were begun at the present level are those of the one scope that is open at that level: whatever else was
//! open at that level has closed, and its blocks are gone.

/// The level at which each block was begun, outermost block first.
#[derive(Default, Debug)]
pub(crate) struct Blocks(Vec<u32>);

/// From which block in a row a scope is sampled. Its first costs nothing, for a host with nothing open between its turns begins one in
/// each. Its second may be none: where one block lies right behind another in memory, V8 keeps the one that a scope gives back
/// (`handles.cc`, `HandleScopeImplementer::DeleteExtensions`), and the scope around it fills that.
pub(crate) const SAMPLED_FROM: usize = 3;

/// The level of a block that was begun unseen.
const UNKNOWN: u32 = u32::MAX;

impl Blocks {
    /// An isolate without blocks.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Records that the block `index`, counted from 0, begins while the engine is at `level`. Returns how many blocks the innermost
    /// scope has begun, this one included.
    pub(crate) fn begin(&mut self, index: usize, level: u32) -> usize {
        // The engine has given back what lay beyond, or has begun blocks itself.
        self.0.resize(index, UNKNOWN);
        self.0.push(level);
        self.0.iter().rev().take_while(|&&at| at == level).count()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_scope_that_fills_block_after_block_is_counted() {
        let mut blocks = Blocks::new();
        let counts: Vec<usize> = (0..4).map(|index| blocks.begin(index, 1)).collect();
        assert_eq!(counts, [1, 2, 3, 4]);
    }

    #[test]
    fn blocks_of_a_scope_that_has_closed_count_for_no_other() {
        let mut blocks = Blocks::new();
        blocks.begin(0, 1);
        assert_eq!([blocks.begin(1, 2), blocks.begin(2, 2)], [1, 2]);
        // The inner scope has closed. Another one at its level, and then the outer one, begin the next block.
        assert_eq!(blocks.begin(1, 2), 1);
        assert_eq!(blocks.begin(1, 1), 2);
    }

    #[test]
    fn a_block_inside_an_inner_scope_divides_the_outer_ones() {
        let mut blocks = Blocks::new();
        blocks.begin(0, 1);
        blocks.begin(1, 1);
        assert_eq!(blocks.begin(2, 2), 1);
        assert_eq!(blocks.begin(2, 1), 3, "the inner scope has closed");
    }

    #[test]
    fn blocks_that_were_begun_unseen_belong_to_no_scope() {
        let mut blocks = Blocks::new();
        blocks.begin(0, 1);
        assert_eq!(blocks.begin(3, 1), 1);
    }
}
