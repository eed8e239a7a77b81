//! The memory map of a process, as `/proc/PID/maps` lists it.

use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// A part of the address space.
#[derive(Debug, PartialEq)]
pub struct Mapping {
    /// Its addresses.
    pub addresses: Range<u64>,
    /// Whether its code may run.
    pub executable: bool,
    /// The path of the file that is mapped, if it is one. The process may have made it up: data, not a place to open.
    pub path: Option<PathBuf>,
}

impl Mapping {
    /// The name under `/proc/PID/map_files` that leads to the mapped file itself, wherever its path leads.
    pub fn map_file(&self) -> String {
        format!("{:x}-{:x}", self.addresses.start, self.addresses.end)
    }
}

/// Parses the whole list. A line that is no mapping is left out.
pub fn parse(text: &[u8]) -> Vec<Mapping> {
    text.split(|&byte| byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

/// Parses `start-end permissions offset device inode     path`.
fn parse_line(line: &[u8]) -> Option<Mapping> {
    let (addresses, rest) = field(line)?;
    let (permissions, rest) = field(rest)?;
    let (_offset, rest) = field(rest)?;
    let (_device, rest) = field(rest)?;
    let (_inode, rest) = field(rest).unwrap_or((rest, b""));
    let (start, end) = str::from_utf8(addresses).ok()?.split_once('-')?;
    let (start, end) = (hexadecimal(start)?, hexadecimal(end)?);
    // Everything else is a name in brackets, as `[heap]`, or nothing.
    let path = rest.trim_ascii_start();
    let path = path.starts_with(b"/").then(|| unescape(path));
    (start < end && permissions.len() == 4).then(|| Mapping {
        addresses: start..end,
        executable: permissions[2] == b'x',
        path: path.map(|path| PathBuf::from(OsString::from_vec(path))),
    })
}

/// Splits at the first space.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().position(|&byte| byte == b' ')?;
    Some((&line[..end], &line[end + 1..]))
}

/// Parses a number as the kernel writes it: no sign, no prefix.
fn hexadecimal(digits: &str) -> Option<u64> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u64::from_str_radix(digits, 16).ok())?
}

/// Undoes what the kernel does to a path: it writes a newline as `\012`, and marks a file that was removed. A path that has one
/// of these texts itself looks the same.
fn unescape(path: &[u8]) -> Vec<u8> {
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    let mut unescaped = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, after @ ..] = rest {
        if let Some(after) = rest.strip_prefix(br"\012") {
            unescaped.push(b'\n');
            rest = after;
        } else {
            unescaped.push(*first);
            rest = after;
        }
    }
    unescaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(line: &str) -> Option<PathBuf> {
        let parsed = parse(line.as_bytes());
        assert_eq!(parsed.len(), 1, "{line}");
        parsed.into_iter().next()?.path
    }

    #[test]
    fn each_line_is_a_mapping() {
        let text = b"\
55a9ae000000-55a9ae400000 r-xp 00001000 fe:00 247030                     /usr/bin/node
55a9b0000000-55a9b0021000 rw-p 00000000 00:00 0                          [heap]
7f5f4c000000-7f5f4c021000 rw-p 00000000 00:00 0 
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";
        let parsed = parse(text);
        let expected = [
            (
                0x55a9_ae00_0000..0x55a9_ae40_0000,
                true,
                Some("/usr/bin/node"),
            ),
            (0x55a9_b000_0000..0x55a9_b002_1000, false, None),
            (0x7f5f_4c00_0000..0x7f5f_4c02_1000, false, None),
            (0xffff_ffff_ff60_0000..0xffff_ffff_ff60_1000, true, None),
        ]
        .map(|(addresses, executable, path)| Mapping {
            addresses,
            executable,
            path: path.map(PathBuf::from),
        });
        assert_eq!(parsed, expected);
        assert_eq!(parsed[0].map_file(), "55a9ae000000-55a9ae400000");
    }

    #[test]
    fn a_path_may_have_any_byte() {
        let line = "10000000-10001000 r--p 00000000 fe:00 12   ";
        for (written, path) in [
            ("/a b/c  d", "/a b/c  d"),
            (r"/t/libc.\012/x#e#", "/t/libc.\n/x#e#"),
            (r"/t/\012", "/t/\n"),
            (r"/t/\01", r"/t/\01"),
            (r"/t/\n$(id)`id`;'", r"/t/\n$(id)`id`;'"),
            ("/memfd:node (deleted)", "/memfd:node"),
            ("/a (deleted) b", "/a (deleted) b"),
            ("/ends in a space ", "/ends in a space "),
        ] {
            assert_eq!(
                path_of(&format!("{line}{written}")),
                Some(PathBuf::from(path))
            );
        }
        let mut raw = line.as_bytes().to_vec();
        raw.extend(b"/\xff\x1b[2J");
        let path = parse(&raw).remove(0).path.expect("a path");
        assert_eq!(path.into_os_string().into_vec(), b"/\xff\x1b[2J");
    }

    #[test]
    fn what_is_no_mapping_is_left_out() {
        for line in [
            "",
            "10000000-10001000",
            "10000000-10001000 r-xp",
            "10001000-10000000 r-xp 00000000 fe:00 12 /a",
            "+1-+2 r-xp 00000000 fe:00 12 /a",
            "0x1-0x2 r-xp 00000000 fe:00 12 /a",
            "1-10000000000000000 r-xp 00000000 fe:00 12 /a",
            "10000000-10001000 x 00000000 fe:00 12 /a",
        ] {
            assert_eq!(parse(line.as_bytes()), [], "{line}");
        }
    }
}
