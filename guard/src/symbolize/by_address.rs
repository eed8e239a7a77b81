//! What was found out about return addresses, each once.

use crate::fork::mutex::ForkMutex;
use crate::place::intern::MAX_PLACES;
use crate::symbolize::frame::Frame;
use std::collections::HashMap;

/// Facts by return address. Of more than [`MAX_PLACES`] addresses, the rest is found out each time.
pub(crate) struct ByAddress<T>(ForkMutex<HashMap<usize, T>>);

impl<T: Copy> ByAddress<T> {
    pub(crate) const fn new() -> Self {
        Self(ForkMutex::new())
    }

    /// Returns the fact about `ip`; calls `find_out` if it is not known.
    pub(crate) fn get(&self, ip: usize, find_out: impl FnOnce() -> T) -> T {
        if let Some(known) = self.0.with(|known| known.get(&ip).copied()) {
            return known;
        }
        // Not under the lock: it reads files.
        let fact = find_out();
        self.0.with(|known| {
            if known.len() < MAX_PLACES {
                known.insert(ip, fact);
            }
        });
        fact
    }

    /// Looks up the names of all these addresses at once, if the fact about one of them is not known.
    pub(crate) fn prepare(&self, ips: &[usize]) {
        if self
            .0
            .with(|known| ips.iter().any(|ip| !known.contains_key(ip)))
        {
            Frame::look_up(ips);
        }
    }
}
