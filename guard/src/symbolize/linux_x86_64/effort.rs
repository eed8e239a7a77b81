//! How much work one look-up in debug information may be. A damaged file may claim that each function is everywhere, and that
//! names refer to each other without end.

/// What is left of the effort for one stack.
pub(super) struct Effort {
    ranges: u32,
    units: u32,
}

impl Effort {
    /// Enough for any stack: the ranges of four million functions, and a look-up of another unit for each of some thousand names.
    pub(super) const fn for_one_stack() -> Self {
        Self {
            ranges: 1 << 22,
            units: 1 << 12,
        }
    }

    /// Whether one more range of code may be looked at.
    #[inline]
    pub(super) fn allows_range(&mut self) -> bool {
        take(&mut self.ranges)
    }

    /// Whether one more unit may be looked up.
    pub(super) fn allows_unit(&mut self) -> bool {
        take(&mut self.units)
    }
}

fn take(left: &mut u32) -> bool {
    match left.checked_sub(1) {
        Some(less) => {
            *left = less;
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_ends() {
        let mut effort = Effort {
            ranges: 2,
            units: 1,
        };
        assert_eq!([(); 3].map(|()| effort.allows_range()), [true, true, false]);
        assert_eq!([(); 2].map(|()| effort.allows_unit()), [true, false]);
    }
}
