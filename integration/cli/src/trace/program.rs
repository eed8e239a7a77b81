//! What kind of program the target is, and where to probe it.

use crate::failure::Failure;
use crate::trace::elf::{self, Found};
use crate::trace::kind::Kind;
use crate::trace::layout::Layout;
use crate::trace::maps::Mapping;
use crate::trace::target::Target;
use crate::trace::version::{self, Version, Versions};
use std::fmt;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// Where a probe is attached: a function of a file that this process holds open.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    process: u32,
    descriptor: u32,
    function: &'static str,
}

impl Point {
    fn new(file: &File, function: &'static str) -> Self {
        Self {
            process: std::process::id(),
            descriptor: file.as_raw_fd().unsigned_abs(),
            function,
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            process,
            descriptor,
            function,
        } = self;
        write!(formatter, "/proc/{process}/fd/{descriptor}:{function}")
    }
}

/// A program that can be traced.
#[derive(Debug)]
pub struct Program {
    /// Its kind.
    pub kind: Kind,
    /// Which version of V8 or of the v8 crate it contains.
    pub version: Version,
    /// Where V8's counts are.
    pub layout: Layout,
    /// The constructor of a scope by which the layout is confirmed.
    pub construct: Point,
    /// Every constructor of a scope.
    pub constructs: Vec<Point>,
    /// The destructor of a scope.
    pub destruct: Vec<Point>,
    /// Where an isolate ends.
    pub disposes: Vec<Point>,
    /// Where the host waits for events.
    pub waits: Vec<Point>,
    /// Where the host enters JavaScript.
    pub callbacks: Vec<Point>,
    /// Keeps the descriptors of the points in the C library.
    _libraries: Vec<File>,
}

const CONSTRUCT_CRATE: &str = "v8__HandleScope__CONSTRUCT";
const DESTRUCT_CRATE: &str = "v8__HandleScope__DESTRUCT";
const DISPOSE_CRATE: &str = "v8__Isolate__Dispose";
const CALL_CRATE: &str = "v8__Function__Call";
const CALLBACKS_CRATE: [&str; 4] = [
    CALL_CRATE,
    "v8__Function__NewInstance",
    "v8__Script__Run",
    "v8__Module__Evaluate",
];
const WAITS_LIBC: [&str; 5] = ["epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll"];

const CONSTRUCT_NODE: &str = "_ZN2v811HandleScopeC1EPNS_7IsolateE";
/// From V8 12 on, the second is the base of the third; before, the first was.
const CONSTRUCTS_NODE: [&str; 3] = [
    CONSTRUCT_NODE,
    "_ZN2v824EscapableHandleScopeBaseC1EPNS_7IsolateE",
    "_ZN2v820EscapableHandleScopeC1EPNS_7IsolateE",
];
const DESTRUCT_NODE: &str = "_ZN2v811HandleScopeD1Ev";
const DISPOSE_NODE: &str = "_ZN2v87Isolate7DisposeEv";
const WAIT_NODE: &str = "uv__io_poll";
/// From V8 13 on, the overload without an isolate calls the one with it.
const CALL_NODE_ISOLATE: &str =
    "_ZN2v88Function4CallEPNS_7IsolateENS_5LocalINS_7ContextEEENS3_INS_5ValueEEEiPS7_";
const CALL_NODE: &str = "_ZN2v88Function4CallENS_5LocalINS_7ContextEEENS1_INS_5ValueEEEiPS5_";
/// Node's own namespace.
const PREFIX_NODE: &str = "_ZN4node";

/// How many files that pass for a C library are probed.
const MAX_LIBRARIES: usize = 4;

const ACCEPTED: &str = "accepted: a node with V8 in its own binary (as from nodejs.org), or a program with the v8 crate; neither of them stripped";

impl Program {
    /// Finds out what kind of program the target is, and where to probe it.
    ///
    /// # Errors
    ///
    /// Says why it can't be traced.
    pub fn of(target: &Target<'_>) -> Result<Self, Failure> {
        let fault = |what: String| {
            let (id, name) = (target.process.id(), target.name());
            Failure::fault(format!("{id}: {name}: {what}"))
        };
        let found = elf::find(&target.binary, &every_function(), PREFIX_NODE).map_err(fault)?;
        let versions = version::find(from_start(&target.binary)?)
            .map_err(|error| fault(format!("its binary cannot be read: {error}")))?;
        let kind = kind_of(&found).ok_or_else(|| fault(no_functions(&versions, target)))?;
        let needed: &[&str] = match kind {
            Kind::Node => &[
                CONSTRUCT_NODE,
                DESTRUCT_NODE,
                DISPOSE_NODE,
                WAIT_NODE,
                CALL_NODE,
            ],
            Kind::V8Crate => &[CONSTRUCT_CRATE, DESTRUCT_CRATE, DISPOSE_CRATE, CALL_CRATE],
        };
        if let Some(missing) = needed.iter().find(|function| !found.has(function)) {
            return Err(fault(format!(
                "it has no symbol {missing}; accepted: a binary that is not stripped"
            )));
        }
        let version = match kind {
            Kind::Node => versions.node,
            Kind::V8Crate => versions.v8_crate,
        };
        let layout = version
            .as_ref()
            .and_then(|version| Layout::of(kind, version.first_two()));
        let (Some(version), Some(layout)) = (&version, layout) else {
            let version = version
                .map_or("a V8 that does not say its version".to_owned(), |version| {
                    version.to_string()
                });
            let known = Layout::known(kind);
            return Err(fault(format!(
                "the layout of {version} is unknown; known of {}: {known}",
                kind.noun()
            )));
        };
        let own = |functions: &[&'static str]| points(&target.binary, &found, functions);
        let mut libraries = Vec::new();
        let (construct, constructs, destruct, disposes, waits, callbacks) = match kind {
            Kind::Node => (
                CONSTRUCT_NODE,
                own(&CONSTRUCTS_NODE),
                own(&[DESTRUCT_NODE]),
                own(&[DISPOSE_NODE]),
                own(&[WAIT_NODE]),
                own(&[if found.has(CALL_NODE_ISOLATE) {
                    CALL_NODE_ISOLATE
                } else {
                    CALL_NODE
                }]),
            ),
            Kind::V8Crate => {
                let (files, mut waits) = libc_waits(target);
                libraries = files;
                if waits.is_empty() {
                    // A statically linked program contains its C library.
                    waits = own(&WAITS_LIBC);
                }
                if waits.is_empty() {
                    return Err(fault(format!(
                        "neither it nor its C library has one of {}, which mark a turn",
                        WAITS_LIBC.join(", ")
                    )));
                }
                (
                    CONSTRUCT_CRATE,
                    own(&[CONSTRUCT_CRATE]),
                    own(&[DESTRUCT_CRATE]),
                    own(&[DISPOSE_CRATE]),
                    waits,
                    own(&CALLBACKS_CRATE),
                )
            }
        };
        Ok(Self {
            kind,
            version: version.clone(),
            layout,
            construct: Point::new(&target.binary, construct),
            constructs,
            destruct,
            disposes,
            waits,
            callbacks,
            _libraries: libraries,
        })
    }

    /// Its kind and version, for a line of text.
    pub fn what(&self) -> String {
        let version = &self.version;
        match self.kind {
            Kind::Node => format!("node with V8 {version}"),
            Kind::V8Crate => format!("the v8 crate {version}"),
        }
    }
}

fn kind_of(found: &Found) -> Option<Kind> {
    if found.has(CONSTRUCT_CRATE) {
        Some(Kind::V8Crate)
    } else {
        found.prefix.then_some(Kind::Node)
    }
}

fn every_function() -> Vec<&'static str> {
    let mut functions = vec![
        CONSTRUCT_CRATE,
        DESTRUCT_CRATE,
        DISPOSE_CRATE,
        DESTRUCT_NODE,
        DISPOSE_NODE,
        WAIT_NODE,
        CALL_NODE_ISOLATE,
        CALL_NODE,
    ];
    functions.extend(CALLBACKS_CRATE);
    functions.extend(CONSTRUCTS_NODE);
    functions.extend(WAITS_LIBC);
    functions
}

fn points(file: &File, found: &Found, functions: &[&'static str]) -> Vec<Point> {
    functions
        .iter()
        .filter(|function| found.has(function))
        .map(|function| Point::new(file, function))
        .collect()
}

/// The file, to be read from its start.
fn from_start(mut file: &File) -> Result<&File, Failure> {
    use std::io::Seek;
    file.rewind()
        .map_err(|error| Failure::fault(format!("the binary cannot be read: {error}")))?;
    Ok(file)
}

/// Why a binary without the functions that are looked for is refused.
fn no_functions(versions: &Versions, target: &Target<'_>) -> String {
    let library = target.mappings.iter().any(|mapping| {
        file_name(mapping)
            .is_some_and(|name| name.starts_with("libnode.so") || name.starts_with("libv8"))
    });
    let neither = format!("neither the symbols of node nor {CONSTRUCT_CRATE} of the v8 crate");
    let what = match (&versions.node, &versions.v8_crate) {
        (Some(version), _) => format!("it contains V8 {version} and {neither}: it is stripped"),
        (None, Some(version)) => {
            format!("it contains the v8 crate {version} and {neither}: it is stripped")
        }
        (None, None) if library => {
            format!("it has V8 in a shared library, and {neither} in its own binary")
        }
        (None, None) => format!("it has no V8: {neither}"),
    };
    format!("{what}; {ACCEPTED}")
}

/// The files of the C library that the target runs, and their functions that wait for events.
///
/// Whatever is mapped for execution under such a name counts, so that a program which maps one more does not hide the real one.
fn libc_waits(target: &Target<'_>) -> (Vec<File>, Vec<Point>) {
    let mut files: Vec<File> = Vec::new();
    let mut waits = Vec::new();
    let mut seen = Vec::new();
    for mapping in target.mappings.iter().filter(|mapping| mapping.executable) {
        if files.len() == MAX_LIBRARIES {
            break;
        }
        if !file_name(mapping).is_some_and(|name| is_libc(&name)) {
            continue;
        }
        let Ok(file) = target.open_mapped(mapping) else {
            continue;
        };
        let Ok(metadata) = file.metadata() else {
            continue;
        };
        let identity = (metadata.dev(), metadata.ino());
        if seen.contains(&identity) {
            continue;
        }
        seen.push(identity);
        let Ok(found) = elf::find(&file, &WAITS_LIBC, PREFIX_NODE) else {
            continue;
        };
        let points = points(&file, &found, &WAITS_LIBC);
        if !points.is_empty() {
            waits.extend(points);
            files.push(file);
        }
    }
    (files, waits)
}

fn file_name(mapping: &Mapping) -> Option<String> {
    Some(
        mapping
            .path
            .as_ref()?
            .file_name()?
            .to_string_lossy()
            .into_owned(),
    )
}

/// Whether a file of this name may be glibc or musl.
fn is_libc(name: &str) -> bool {
    ["libc.", "libc-", "ld-musl"]
        .iter()
        .any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_numbers_and_a_constant() {
        let file = File::open("/proc/self/exe").expect("the binary of this test");
        let point = Point::new(&file, CONSTRUCT_CRATE).to_string();
        let expected = format!(
            "/proc/{}/fd/{}:v8__HandleScope__CONSTRUCT",
            std::process::id(),
            file.as_raw_fd()
        );
        assert_eq!(point, expected);
    }

    #[test]
    fn no_function_has_a_letter_that_bpftrace_interprets() {
        for function in every_function() {
            assert!(
                function
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
                "{function}"
            );
        }
    }

    #[test]
    fn the_c_library_is_found_by_its_name() {
        for name in [
            "libc.so.6",
            "libc-2.31.so",
            "ld-musl-x86_64.so.1",
            "libc.\n#e#",
        ] {
            assert!(is_libc(name), "{name}");
        }
        for name in ["libcap.so.2", "libcrypto.so.3", "ld-linux-x86-64.so.2", "x"] {
            assert!(!is_libc(name), "{name}");
        }
    }
}
