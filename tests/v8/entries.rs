//! The table of what each function of the v8 crate's binding does: complete, and in agreement with the hooks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const TABLE: &str = include_str!("../../integration/entries.txt");
const HOOKED: &str = include_str!("../../integration/src/interpose/functions.rs");

/// What a function does, in the words of the table.
#[derive(PartialEq, Eq, Debug)]
enum Entry<'a> {
    Enters { how: &'a str },
    Handles,
    Neither,
}

fn table() -> BTreeMap<&'static str, Entry<'static>> {
    let mut table = BTreeMap::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let (symbol, entry) = match words[..] {
            ["enters", how, symbol] => (symbol, Entry::Enters { how }),
            ["handles", symbol] => (symbol, Entry::Handles),
            ["neither", symbol] => (symbol, Entry::Neither),
            _ => panic!("`{line}`"),
        };
        let before = table.insert(symbol, entry);
        assert_eq!(before, None, "{symbol} is listed twice");
    }
    table
}

/// The library that the v8 crate links, which its build script puts beside the build of this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this binary");
    let profile = test.parent().and_then(Path::parent).expect("two folders");
    profile.join("gn_out/obj/librusty_v8.a")
}

/// The symbols that an archive defines, by its index (`ar(5)`, the format of GNU): after the magic and the header of the index come the number
/// of symbols, as many offsets, and the names, each with a NUL.
fn index(archive: &[u8]) -> impl Iterator<Item = &str> {
    const MAGIC: &[u8] = b"!<arch>\n";
    const HEADER: usize = 60;
    let rest = archive.strip_prefix(MAGIC).expect("an archive");
    let wide = rest.starts_with(b"/SYM64/ ");
    assert!(wide || rest.starts_with(b"/ "), "an archive with an index");
    let size = std::str::from_utf8(&rest[48..58]).expect("a number");
    let size: usize = size.trim().parse().expect("the size of the index");
    let index = &rest[HEADER..HEADER + size];
    let word = if wide { 8 } else { 4 };
    let count = index[..word]
        .iter()
        .fold(0_usize, |number, &byte| number << 8 | usize::from(byte));
    index[word * (1 + count)..]
        .split(|&byte| byte == 0)
        .filter_map(|name| std::str::from_utf8(name).ok())
}

/// Whether the symbol is one of the binding's: `v8__Function__Call`, and not a mangled name.
fn is_of_the_binding(symbol: &str) -> bool {
    let library = symbol.split_once("__").map_or("", |(library, _)| library);
    matches!(
        library,
        "v8" | "v8_inspector" | "cppgc" | "crdtp" | "simdutf" | "std"
    )
}

/// Only the archive of x86-64 Linux is in the format that [`index`] reads.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn each_function_of_the_binding_is_in_the_table_and_no_other() {
    let library = library();
    let archive =
        std::fs::read(&library).unwrap_or_else(|error| panic!("{}: {error}", library.display()));
    let linked: BTreeSet<&str> = index(&archive)
        .filter(|symbol| is_of_the_binding(symbol))
        .collect();
    assert!(linked.len() > 800, "{} symbols", linked.len());
    let table = table();
    let listed: BTreeSet<&str> = table.keys().copied().collect();
    let new: Vec<&&str> = linked.difference(&listed).collect();
    let gone: Vec<&&str> = listed.difference(&linked).collect();
    assert_eq!(
        (new, gone),
        (vec![], vec![]),
        "new in the binding, and gone from it: see `integration/entries.txt`"
    );
}

#[test]
fn the_hooks_are_in_each_function_that_the_table_says_is_hooked_and_in_no_other_that_enters() {
    let hooked: BTreeSet<&str> = HOOKED
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\", "))
        .filter(|(_, serves)| serves.starts_with("Calls,") || serves.starts_with("Turns,"))
        .map(|(symbol, _)| symbol)
        .collect();
    let table = table();
    let said: BTreeSet<&str> = table
        .iter()
        .filter(|(_, entry)| **entry == Entry::Enters { how: "hooked" })
        .map(|(symbol, _)| *symbol)
        .collect();
    assert_eq!(hooked, said);
}

#[test]
fn each_reason_for_no_hook_is_explained() {
    for (symbol, entry) in table() {
        let Entry::Enters { how } = entry else {
            continue;
        };
        let explained = format!("#     {how:<15} ");
        assert!(
            how == "hooked" || TABLE.contains(&explained),
            "{symbol}: {how}"
        );
    }
}
