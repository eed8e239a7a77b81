//! An address of code, with its place in a module.

use crate::symbolize::module::{LoadedModule, Module};
use std::fmt;
use std::sync::Arc;

/// A return address, and the module that holds its code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address<'a> {
    pub(crate) ip: usize,
    /// The module and the address in its file; `None` if no module holds the code, as of compiled script.
    pub(crate) module: Option<(&'a Arc<Module>, u64)>,
}

impl<'a> Address<'a> {
    pub(crate) fn new(ip: usize, loaded: Option<&'a LoadedModule>) -> Self {
        Self {
            ip,
            module: loaded.map(|it| (&it.module, ip.wrapping_sub(it.bias) as u64)),
        }
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.module {
            Some((module, offset)) => write!(f, "{}+{offset:#x}", module.name()),
            None => write!(f, "{:#x}", self.ip),
        }
    }
}
