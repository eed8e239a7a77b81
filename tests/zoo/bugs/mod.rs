//! The specimens: one file for each shape of bug.

mod closed_twice;
mod dead_scope;
mod during_gc;
mod loop_in_one_scope;
mod never_reset;
mod no_bug;
mod no_scope_open;
mod swallowed_handles;
mod unpaired_scopes;
mod wrong_isolate;
mod wrong_thread;

use crate::specimen::Specimen;

/// The specimens of each file.
pub const FILES: [&[Specimen]; 11] = [
    swallowed_handles::ALL,
    no_scope_open::ALL,
    unpaired_scopes::ALL,
    wrong_thread::ALL,
    loop_in_one_scope::ALL,
    wrong_isolate::ALL,
    during_gc::ALL,
    closed_twice::ALL,
    dead_scope::ALL,
    never_reset::ALL,
    no_bug::ALL,
];

/// Every specimen, file by file.
pub fn all() -> impl Iterator<Item = &'static Specimen> + Send {
    FILES.into_iter().flatten()
}
