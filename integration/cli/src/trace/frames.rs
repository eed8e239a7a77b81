//! The frames of a stack, from the text that bpftrace makes of it.

use handleguard::foreign_text;

/// How many frames of a stack are kept. The scripts ask for no more.
const MAX_FRAMES: usize = 32;

/// Splits a stack into its frames, each without what differs from build to build, and escaped. Leaves out the repeated frames that
/// a wrong frame pointer yields.
pub fn frames(stack: &str) -> Vec<String> {
    let parts: Vec<&str> = if stack.contains('\n') {
        stack.split('\n').collect()
    } else {
        split_at_commas(stack)
    };
    let mut frames: Vec<String> = Vec::new();
    for part in parts {
        let frame = without_hash(without_offset(part.trim()));
        if frame.is_empty() || frame == "0" {
            continue;
        }
        let frame = foreign_text(frame);
        if frames.last() != Some(&frame) {
            frames.push(frame);
        }
        if frames.len() == MAX_FRAMES {
            break;
        }
    }
    frames
}

/// Splits at the commas between names, not at those within a name of C++.
fn split_at_commas(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0_u32;
    let mut start = 0;
    let mut before = ' ';
    for (at, character) in list.char_indices() {
        match character {
            '(' | '<' => depth += 1,
            // Not the arrow of a function's type.
            '>' if before == '-' => {}
            ')' | '>' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        before = character;
    }
    parts.push(&list[start..]);
    parts
}

/// Without `+12`, the distance from the start of the function.
fn without_offset(frame: &str) -> &str {
    match frame.rsplit_once('+') {
        Some((name, offset))
            if !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => frame,
    }
}

/// Without `::h0123456789abcdef`, the hash that rustc appends.
fn without_hash(frame: &str) -> &str {
    match frame.rsplit_once("::h") {
        Some((name, hash))
            if hash.len() == 16
                && hash
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) =>
        {
            name
        }
        _ => frame,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_a_frame_on_each_line() {
        let stack = "\n    v8::Function::Call(v8::Local<v8::Context>, int)+0\n    on_tick+12\n    0x566fa00\n    0x566fa00\n";
        let expected = [
            "v8::Function::Call(v8::Local<v8::Context>, int)",
            "on_tick",
            "0x566fa00",
        ];
        assert_eq!(frames(stack), expected);
        assert_eq!(frames("\n    m+1+2\n    n+x\n"), ["m+1", "n+x"]);
    }

    #[test]
    fn a_list_is_split_between_names() {
        let list = "host::close::h47be3877de11467c,<host::Loop as host::Turn>::turn, f(g(int, long), void (*)(int)),h<fn() -> (u8, u8)>,0,0";
        let expected = [
            "host::close",
            "<host::Loop as host::Turn>::turn",
            "f(g(int, long), void (*)(int))",
            "h<fn() -> (u8, u8)>",
        ];
        assert_eq!(frames(list), expected);
        assert_eq!(frames("operator>, a"), ["operator>", "a"]);
        assert_eq!(frames("0,0,0"), [""; 0]);
        assert_eq!(frames(""), [""; 0]);
    }

    #[test]
    fn a_hostile_name_is_escaped_and_cut() {
        assert_eq!(
            frames("\n a\u{1b}[2J\u{202e}b+1\n"),
            [r"a\u{1b}[2J\u{202e}b"]
        );
        let long = frames(&format!("\n{}+7\n", "x".repeat(1 << 20)));
        assert_eq!(long, [format!("{}…", "x".repeat(256))]);
        assert_eq!(frames(&"a\nb\n".repeat(1000)).len(), MAX_FRAMES);
        assert_eq!(frames("))>>,((<<,"), ["))>>", "((<<,"]);
    }
}
