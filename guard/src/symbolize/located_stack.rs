//! A stack whose addresses can be named later, wherever its modules are then.

use crate::symbolize::address::Address;
use crate::symbolize::module::LoadedModule;
use crate::symbolize::platform;

/// Return addresses, innermost first, each with its module.
#[derive(Clone, Debug)]
pub(crate) struct LocatedStack {
    ips: Box<[usize]>,
    /// For each address, the position of its module in `modules`, or [`NO_MODULE`].
    in_module: Box<[u8]>,
    modules: Box<[LoadedModule]>,
}

const NO_MODULE: u8 = u8::MAX;

impl LocatedStack {
    /// Looks up the modules of a stack that was just captured, so that they are still loaded.
    pub(crate) fn new(ips: &[usize]) -> Self {
        let mut modules: Vec<LoadedModule> = Vec::new();
        let in_module = ips.iter().map(|ip| {
            // The call lies before the return address.
            let call = ip.wrapping_sub(1);
            let known = modules.iter().position(|it| it.range.contains(&call));
            let at = known.or_else(|| {
                modules.push(platform::module_at(call)?);
                Some(modules.len() - 1)
            });
            at.and_then(|at| u8::try_from(at).ok()).unwrap_or(NO_MODULE)
        });
        let in_module = in_module.collect();
        Self {
            ips: ips.into(),
            in_module,
            modules: modules.into(),
        }
    }

    /// Makes a stack whose addresses are all in one module.
    #[cfg(test)]
    pub(crate) fn for_test(ips: &[usize], module: LoadedModule) -> Self {
        Self {
            ips: ips.into(),
            in_module: vec![0; ips.len()].into(),
            modules: [module].into(),
        }
    }

    pub(crate) fn ips(&self) -> &[usize] {
        &self.ips
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = Address<'_>> {
        let module = |at: u8| self.modules.get(usize::from(at));
        (self.ips.iter().zip(&self.in_module)).map(move |(&ip, &at)| Address::new(ip, module(at)))
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn each_address_keeps_its_module() {
        let own = LocatedStack::new as *const () as usize + 1;
        let libc = libc::getpid as *const () as usize + 1;
        let stack = LocatedStack::new(&[own, libc, 0x10, own + 1]);
        assert_eq!(stack.ips(), [own, libc, 0x10, own + 1]);
        assert_eq!(stack.modules.len(), 2);
        let names: Vec<_> = stack
            .addresses()
            .map(|it| it.module.map(|(module, _)| module.shared_object()))
            .collect();
        assert_eq!(
            names,
            [Some(None), Some(Some("libc.so.6")), None, Some(None)]
        );
        let offsets: Vec<_> = stack
            .addresses()
            .filter_map(|it| it.module.map(|(_, offset)| offset))
            .collect();
        assert_eq!(offsets[2], offsets[0] + 1);
        assert!(offsets[0] < own as u64, "not the bare address");
    }
}
