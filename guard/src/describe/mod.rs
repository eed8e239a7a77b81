//! A violation as data and as text.
//!
//! `rules/` has one file for each rule. The files beside it have what the rules share, one noun each (a scope, a turn, a number
//! of handles), and put a message together: `message.rs` writes the lines that every violation has.

pub(crate) mod beginning;
pub(crate) mod ended;
pub mod finding;
pub(crate) mod first_user;
pub(crate) mod gc_phase;
pub(crate) mod handles;
pub(crate) mod lines;
pub(crate) mod makers;
pub(crate) mod message;
pub(crate) mod opener;
pub(crate) mod rule_text;
pub(crate) mod rules;
pub(crate) mod scope;
pub(crate) mod sibling;
pub(crate) mod turn;
#[cfg(feature = "testing")]
pub(crate) mod unjudged;
pub(crate) mod violation;
