//! The twin of `linux_x86_64` for every other target: crate `backtrace` looks up every name, and no frame is known to be in a
//! shared object.

use crate::symbolize::symbol;

pub(crate) use symbol::by_backtrace as symbols_at;
pub(crate) use symbol::forget_in_backtrace as forget_symbols;

/// Returns `None`: the shared object is not known.
pub(crate) fn shared_object_of(_: usize) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_without_shared_objects() {
        let ip = forget_symbols as *const () as usize + 1;
        let mut names = Vec::new();
        symbols_at(ip, |symbol| names.extend(symbol.name));
        assert_eq!(
            names.last().map(String::as_str),
            Some("handleguard::symbolize::symbol::forget_in_backtrace")
        );
        assert_eq!(shared_object_of(ip), None);
        forget_symbols();
    }
}
