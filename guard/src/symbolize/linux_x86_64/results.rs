//! Remembers names, so that a place or a stack that is shown again is not read again.

use crate::fork::mutex::ForkMutex;
use crate::symbolize::address::Address;
use crate::symbolize::module::Module;
use crate::symbolize::symbol::Symbol;
use std::collections::HashMap;
use std::sync::Arc;

static RESULTS: ForkMutex<Results> = ForkMutex::new();

/// How many bytes the names take before all are forgotten.
const MAX_BYTES: usize = 1 << 20;

/// The functions at addresses.
#[derive(Default)]
struct Results {
    /// By the id of the module and the address in its file.
    symbols: HashMap<(u64, u64), Arc<[Symbol]>>,
    bytes: usize,
}

/// Returns what is known of each address.
pub(super) fn known(addresses: &[Address<'_>]) -> Vec<Option<Arc<[Symbol]>>> {
    RESULTS.with(|results| {
        (addresses.iter())
            .map(|address| results.get(address.module?.0, address.module?.1))
            .collect()
    })
}

/// Remembers the functions at a return address in the file of `module`.
pub(super) fn remember(module: &Module, offset: u64, symbols: &Arc<[Symbol]>) {
    RESULTS.with(|results| results.insert(module, offset, symbols));
}

impl Results {
    fn get(&self, module: &Module, offset: u64) -> Option<Arc<[Symbol]>> {
        self.symbols.get(&(module.id(), offset)).cloned()
    }

    fn insert(&mut self, module: &Module, offset: u64, symbols: &Arc<[Symbol]>) {
        let bytes = size(symbols);
        if self.bytes + bytes > MAX_BYTES {
            *self = Self::default();
        }
        // With little memory, it is looked up again.
        if self.symbols.try_reserve(1).is_ok() {
            let key = (module.id(), offset);
            if self.symbols.insert(key, Arc::clone(symbols)).is_none() {
                self.bytes += bytes;
            }
        }
    }
}

/// Returns about how many bytes the symbols of one address take, with their place in the table.
fn size(symbols: &[Symbol]) -> usize {
    let texts = symbols.iter().map(|symbol| {
        let name = symbol.name.as_ref().map_or(0, String::capacity);
        name + symbol.file.as_ref().map_or(0, |file| file.capacity())
    });
    // Twice the entry, for a table of this kind is half empty after it has grown.
    2 * size_of::<((u64, u64), Arc<[Symbol]>)>() + size_of_val(symbols) + texts.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbolize::module::Identity;

    #[test]
    fn what_is_remembered_is_bounded_and_belongs_to_one_module() {
        let module = || Module::new(true, Vec::new(), Identity::Headers([].into()));
        let (one, other) = (module(), module());
        let symbols = |name: String| -> Arc<[Symbol]> {
            Arc::new([Symbol {
                name: Some(name),
                file: None,
                line: None,
            }])
        };
        let mut results = Results::default();
        results.insert(&one, 1, &symbols("f".to_owned()));
        assert_eq!(results.get(&one, 1), Some(symbols("f".to_owned())));
        assert_eq!(results.get(&one, 2), None);
        assert_eq!(results.get(&other, 1), None);
        let mut most = 0;
        for offset in 0..100_000 {
            results.insert(&one, offset, &symbols("x".repeat(256)));
            assert!(results.get(&one, offset).is_some());
            most = most.max(results.symbols.len());
        }
        assert!((1_000..4_000).contains(&most), "{most}");
        assert!(results.bytes <= MAX_BYTES);
    }
}
