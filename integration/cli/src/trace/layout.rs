//! Where V8 keeps its `HandleScopeData` in an isolate: the one thing that no symbol shows.

use crate::trace::kind::Kind;

/// Where `HandleScopeData { next, limit, level, sealed_level }` (`v8-internal.h`) is in an isolate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    kind: Kind,
    /// The first two numbers of the version: V8's in node, the crate's else.
    version: (u32, u32),
    /// The byte of `next`.
    pub next: u64,
    tried_on: &'static str,
}

const fn layout(kind: Kind, version: (u32, u32), next: u64, tried_on: &'static str) -> Layout {
    Layout {
        kind,
        version,
        next,
        tried_on,
    }
}

const LAYOUTS: [Layout; 5] = [
    layout(Kind::Node, (10, 2), 55144, "node 18.20.8"),
    layout(Kind::Node, (11, 3), 58256, "node 20.20.2"),
    layout(Kind::Node, (12, 4), 512, "node 22.23.3"),
    layout(Kind::Node, (13, 6), 560, "node 24.21.0"),
    layout(Kind::V8Crate, (150, 4), 568, "v8 150.4.0"),
];

impl Layout {
    /// The layout of this version of a kind of program.
    pub fn of(kind: Kind, version: (u32, u32)) -> Option<Self> {
        LAYOUTS
            .into_iter()
            .find(|layout| (layout.kind, layout.version) == (kind, version))
    }

    /// Lists the versions of a kind of program whose layout is known.
    pub fn known(kind: Kind) -> String {
        let mut known = Vec::new();
        for Layout {
            version, tried_on, ..
        } in LAYOUTS.iter().filter(|layout| layout.kind == kind)
        {
            known.push(format!("{}.{} ({tried_on})", version.0, version.1));
        }
        known.join(", ")
    }

    /// The byte of `level`, behind the pointers `next` and `limit`.
    pub fn level(self) -> u64 {
        self.next + 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_known_by_its_first_two_numbers_and_its_kind() {
        let layout = Layout::of(Kind::V8Crate, (150, 4)).expect("known");
        assert_eq!((layout.next, layout.level()), (568, 584));
        for (kind, version) in [
            (Kind::Node, (150, 4)),
            (Kind::V8Crate, (11, 3)),
            (Kind::Node, (1, 3)),
            (Kind::Node, (11, 30)),
        ] {
            assert_eq!(Layout::of(kind, version), None, "{kind:?} {version:?}");
        }
        assert_eq!(Layout::known(Kind::V8Crate), "150.4 (v8 150.4.0)");
        assert!(Layout::known(Kind::Node).starts_with("10.2 (node 18.20.8), 11.3 (node 20.20.2)"));
    }
}
