//! The tests of the verdicts, a file for each rule. Its words are tested beside them, in `describe/rules/<rule>.rs`.

mod desync;
mod global_growth;
mod in_gc;
mod missing_scope;
mod never_closed;
mod out_of_order;
mod outer_growth;
mod redundant_scope;
mod scope_budget;
mod scope_growth;
mod sealed;
mod wrong_isolate;
mod wrong_thread;
