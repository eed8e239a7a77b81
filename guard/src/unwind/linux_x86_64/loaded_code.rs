//! Distinguishes code of loaded files from code that the program made while it ran, as compiled JavaScript is.

use super::loaded_modules::Finder;
use crate::sync::real::OnceBox;
use std::ops::Range;

/// Returns those of the addresses that lie in a loaded file: the program or a shared object.
///
/// Where the dynamic linker cannot be asked without a lock (glibc before 2.35), returns all.
#[inline]
pub(crate) fn loaded(ips: &[usize]) -> impl Iterator<Item = usize> + '_ {
    let finder = finder();
    // Frames that follow each other are mostly of one file.
    let mut last = finder.as_ref().map_or(0..0, Finder::program);
    ips.iter().copied().filter(move |ip| {
        if last.contains(ip) {
            return true;
        }
        match finder {
            None => true,
            Some(finder) => match range_at(finder, *ip) {
                Some(range) => {
                    last = range;
                    true
                }
                None => false,
            },
        }
    })
}

#[inline(never)]
fn range_at(finder: &Finder, ip: usize) -> Option<Range<usize>> {
    let program = finder.program();
    if program.contains(&ip) {
        return Some(program);
    }
    finder.range_at(ip)
}

fn finder() -> &'static Option<Finder> {
    static FINDER: OnceBox<Option<Finder>> = OnceBox::new();
    FINDER.get_or_init(|| Box::new(Finder::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_no_file_is_left_out() {
        let own = code_of_no_file_is_left_out as *const () as usize;
        let libc = libc::getpid as *const () as usize;
        let heap = Box::new(0_u64);
        let stack = 0_u64;
        let made = [(&raw const *heap).addr(), (&raw const stack).addr(), 0x10];
        let all = [own, made[0], libc, made[1], own + 1, made[2]];
        let kept: Vec<usize> = loaded(&all).collect();
        assert_eq!(kept, [own, libc, own + 1]);
    }
}
