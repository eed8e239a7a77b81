//! The guards that a host holds.

pub(crate) mod addon;
pub(crate) mod callback;
pub(crate) mod engine_work;
pub(crate) mod filling;
pub(crate) mod gc;
pub(crate) mod isolate;
pub(crate) mod persistent;
pub(crate) mod scope;
pub(crate) mod seal;
pub(crate) mod session;
#[cfg(feature = "testing")]
pub(crate) mod test_run;
pub(crate) mod token;
pub(crate) mod turn;
pub(crate) mod verdicts;
