//! The directives of the variable `HANDLEGUARD`: one table, and what reads it.

#[cfg(test)]
mod documentation;
pub(crate) mod error;
pub(crate) mod help;
pub(crate) mod parse;
mod table;
