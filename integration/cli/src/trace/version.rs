//! Finds the version of V8 in the texts of a binary.

use std::io::{self, Read};

/// How much of a binary is searched.
const MAX_SEARCHED: u64 = 4 << 30;

/// How much of it is in memory at once.
const BLOCK: usize = 1 << 20;

/// More than a version can take: blocks overlap by that much.
const OVERLAP: usize = 128;

/// A version as the binary has it. Numbers, so that it may be printed as it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Version {
    /// V8's own in node, and the number of node's patches: `11.3.244.8-node.38`.
    Node([u32; 4], u32),
    /// That of the v8 crate: `150.4.0`.
    V8Crate([u32; 3]),
}

impl Version {
    /// The first two numbers.
    pub fn first_two(&self) -> (u32, u32) {
        match self {
            Self::Node([first, second, ..], _) | Self::V8Crate([first, second, _]) => {
                (*first, *second)
            }
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node([a, b, c, d], patches) => {
                write!(formatter, "{a}.{b}.{c}.{d}-node.{patches}")
            }
            Self::V8Crate([a, b, c]) => write!(formatter, "{a}.{b}.{c}"),
        }
    }
}

/// What one pass over a binary finds: the first version of each kind.
#[derive(Debug, Default, PartialEq)]
pub struct Versions {
    /// `a.b.c.d-node.n`, as V8 in node names itself.
    pub node: Option<Version>,
    /// `v8-a.b.c/src`, as messages of panics in the v8 crate name its files.
    pub v8_crate: Option<Version>,
}

/// Searches a binary for versions.
///
/// # Errors
///
/// Returns that of reading.
pub fn find(file: impl Read) -> io::Result<Versions> {
    find_by_blocks(file, BLOCK)
}

fn find_by_blocks(file: impl Read, size: usize) -> io::Result<Versions> {
    let mut file = file.take(MAX_SEARCHED);
    let mut versions = Versions::default();
    let mut block = Vec::with_capacity(size);
    loop {
        let missing = size - block.len();
        let read = file.by_ref().take(missing as u64).read_to_end(&mut block)?;
        let last = read < missing;
        // A version that begins behind this may go on in the next block, which begins before it.
        let searched = if last {
            block.len()
        } else {
            block.len() - OVERLAP / 2
        };
        search(&block, searched, &mut versions);
        if last || (versions.node.is_some() && versions.v8_crate.is_some()) {
            return Ok(versions);
        }
        block.drain(..size - OVERLAP);
    }
}

/// Searches for the hyphens of versions in the first `searched` bytes.
fn search(block: &[u8], searched: usize, versions: &mut Versions) {
    const NODE: &[u8] = b"-node.";
    const CRATE: &[u8] = b"v8-";
    for at in (0..searched).filter(|&at| block[at] == b'-') {
        if versions.node.is_none()
            && let Some(after) = block[at..].strip_prefix(NODE)
        {
            versions.node = node(&block[..at], after);
        }
        if versions.v8_crate.is_none() && block[..=at].ends_with(CRATE) {
            versions.v8_crate = v8_crate(&block[at + 1..]);
        }
    }
}

fn node(before: &[u8], after: &[u8]) -> Option<Version> {
    let is_version = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    // What stands before a version may be a digit too, so only its end counts.
    let start = before.len()
        - before
            .iter()
            .rev()
            .take(OVERLAP / 2)
            .take_while(|byte| is_version(byte))
            .count();
    let mut parts: Vec<_> = before[start..]
        .rsplit(|&byte| byte == b'.')
        .take(4)
        .map(number)
        .collect();
    parts.reverse();
    let version: [Option<u32>; 4] = parts.try_into().ok()?;
    let digits = after
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let patches = number(&after[..digits])?;
    let [a, b, c, d] = version;
    Some(Version::Node([a?, b?, c?, d?], patches))
}

fn v8_crate(after: &[u8]) -> Option<Version> {
    let end = after
        .iter()
        .take(OVERLAP / 2)
        .position(|&byte| byte == b'/')?;
    after[end..].starts_with(b"/src").then_some(())?;
    let parts: Vec<_> = after[..end]
        .split(|&byte| byte == b'.')
        .map(number)
        .collect();
    let [a, b, c]: [Option<u32>; 3] = parts.try_into().ok()?;
    Some(Version::V8Crate([a?, b?, c?]))
}

/// A number of at most six digits.
fn number(digits: &[u8]) -> Option<u32> {
    let is_number = matches!(digits.len(), 1..=6) && digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits)
        .ok()
        .filter(|_| is_number)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(binary: &[u8]) -> (Option<String>, Option<String>) {
        let Versions { node, v8_crate } = find(binary).expect("no error in memory");
        (
            node.map(|version| version.to_string()),
            v8_crate.map(|version| version.to_string()),
        )
    }

    #[test]
    fn each_kind_of_version_is_found() {
        let binary = b"\0 -node.x\0process 11.3.244.8-node.38\0/registry/v8-150.4.0/src/scope.rs\x0012.4.1.1-node.2";
        let (node, v8_crate) = found(binary);
        assert_eq!(node.as_deref(), Some("11.3.244.8-node.38"));
        assert_eq!(v8_crate.as_deref(), Some("150.4.0"));
        let version = find(binary.as_slice()).expect("no error in memory").node;
        assert_eq!(version.map(|version| version.first_two()), Some((11, 3)));
    }

    #[test]
    fn what_is_almost_a_version_is_none() {
        for binary in [
            b"".as_slice(),
            b"-node.",
            b"11.3.244-node.38",
            b"11.3..8-node.38",
            b"11.3.244.8-node.",
            b"11.3.244.8888888-node.38",
            b"v8-",
            b"v8-150.4.0",
            b"v8-150.4.0/sr",
            b"v8-150.4.0.1/src",
            b"v8-150.4.x/src",
            b"v8-150.4.$(id)/src",
        ] {
            assert_eq!(found(binary), (None, None), "{:?}", str::from_utf8(binary));
        }
    }

    #[test]
    fn a_version_across_blocks_is_whole() {
        for before in 0..600 {
            for (text, version) in [
                ("11.3.244.8-node.381", "11.3.244.8-node.381"),
                ("/v8-150.4.0/src", "150.4.0"),
            ] {
                let mut binary = vec![b'-'; before];
                binary.extend(text.as_bytes());
                binary.extend([b'-'; 300]);
                let Versions { node, v8_crate } =
                    find_by_blocks(binary.as_slice(), 256).expect("no error in memory");
                let found = node.or(v8_crate).map(|version| version.to_string());
                assert_eq!(found.as_deref(), Some(version), "{before}");
            }
        }
    }
}
