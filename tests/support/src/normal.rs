//! Texts without what differs from run to run, from machine to machine and from edit to edit.

/// Extensions of source files whose line numbers change with every edit.
const SOURCES: [&str; 3] = [".rs:", ".cc:", ".c:"];

/// Replaces lines and columns of Rust, C and C++ sources: `host.rs:7:21` becomes `host.rs:LL:CC`, and `host.c:7` becomes
/// `host.c:LL`.
pub fn lines(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(end) = SOURCES
        .iter()
        .filter_map(|ending| rest.find(ending).map(|at| at + ending.len() - 1))
        .min()
    {
        out.push_str(&rest[..end]);
        rest = &rest[end..];
        for mark in [":LL", ":CC"] {
            let digits = rest.strip_prefix(':').map_or(0, |after| {
                after.bytes().take_while(u8::is_ascii_digit).count()
            });
            if digits == 0 {
                break;
            }
            out.push_str(mark);
            rest = &rest[1 + digits..];
        }
    }
    out + rest
}

/// Replaces durations in seconds and milliseconds: `0.3 s` becomes `N.N s`, and `12.0 ms` becomes `N.N ms`.
pub fn seconds(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let is_unit = |word: &&str| {
        let unit = word.split([',', '\n', ';']).next();
        unit.is_some_and(|unit| ["s", "ms"].contains(&unit))
    };
    let words: Vec<&str> = words
        .iter()
        .enumerate()
        .map(|(at, &word)| match words.get(at + 1) {
            Some(next) if is_unit(next) && word.parse::<f64>().is_ok() => "N.N",
            _ => word,
        })
        .collect();
    words.join(" ")
}

/// Replaces addresses: `0x55ab40dcf700` becomes `<address>`.
pub fn addresses(text: &str) -> String {
    let mut pieces = text.split("0x");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str("<address>");
        out.push_str(piece.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    out
}

/// Replaces the value of the labelled lines `label`, as in `thread: main`, by `value`.
pub fn label(text: &str, label: &str, value: &str) -> String {
    let lines = text.split('\n').map(|line| match line.split_once(": ") {
        Some((before, _)) if before.trim() == label => format!("{before}: {value}"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Replaces what is between the first `before` and the next `after` by `...`; `text` itself if it has no `before`.
///
/// # Panics
///
/// Panics if no `after` follows.
pub fn between(text: &str, before: &str, after: &str) -> String {
    let Some((head, rest)) = text.split_once(before) else {
        return text.to_owned();
    };
    let Some((_, tail)) = rest.split_once(after) else {
        panic!("no `{after}` follows `{before}` in {text}");
    };
    format!("{head}{before}...{after}{tail}")
}

/// Replaces how many handles are alive, which includes what the engine makes for itself: `; 25 handles alive now` becomes
/// `; <n> handles alive now`.
pub fn handles_alive(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let count = line
            .strip_suffix(" handles alive now")
            .and_then(|line| line.rsplit_once("; "));
        match count {
            Some((before, _)) => format!("{before}; <n> handles alive now"),
            None => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_of_sources_are_replaced_and_those_of_scripts_kept() {
        assert_eq!(
            lines("at a/host.rs:7:21, b.cc:3; c.c:12:\nd.rs: e.js:1:18"),
            "at a/host.rs:LL:CC, b.cc:LL; c.c:LL:\nd.rs: e.js:1:18"
        );
    }

    #[test]
    fn durations_are_replaced_and_other_numbers_kept() {
        assert_eq!(
            seconds("in 0.3 s\n\nfirst 1.5 s, last 12.0 ms after 3 turns"),
            "in N.N s\n\nfirst N.N s, last N.N ms after 3 turns"
        );
    }

    #[test]
    fn addresses_are_replaced() {
        assert_eq!(
            addresses("of 0x55ab40dcf700, 0xg"),
            "of <address>, <address>g"
        );
    }

    #[test]
    fn a_labelled_line_keeps_its_label() {
        assert_eq!(
            label("  thread: main\n  other: thread", "thread", "<thread>"),
            "  thread: <thread>\n  other: thread"
        );
    }

    #[test]
    fn what_is_between_is_replaced_once() {
        assert_eq!(between("on: a b; on: c;", "on: ", ";"), "on: ...; on: c;");
        assert_eq!(between("off", "on: ", ";"), "off");
    }

    #[test]
    fn the_number_of_handles_alive_is_replaced() {
        assert_eq!(
            handles_alive("opened 1 turn ago; 25 handles alive now\n3 handles"),
            "opened 1 turn ago; <n> handles alive now\n3 handles"
        );
    }
}
