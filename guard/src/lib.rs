//! handleguard
#![deny(unsafe_code)]

#[doc(hidden)]
pub mod compiled_in;
#[doc(hidden)]
pub mod compiled_out;
pub mod finding;
pub mod stack;
#[cfg(feature = "testing")]
pub mod testing;

mod action;
mod checker;
mod config;
mod directives;
mod engine;
mod local;
mod place;
mod react;
mod report;
mod rule;
mod sight;
mod sites;
mod start;
mod stderr;
mod switch;
mod sync;
mod tick;
mod trace;
mod violation;

pub use action::Action;
pub use config::{Config, InitError, VARIABLE};
pub use directives::ConfigError;
pub use engine::{Dialect, Engine, IsolateId, Seen, Sight};
pub use place::Place;
pub use report::{Report, Site};
pub use rule::Rule;
pub use switch::*;
pub use trace::{Frame, Trace};
pub use violation::Violation;
