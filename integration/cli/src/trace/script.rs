//! The programs for bpftrace: constants of this crate with blanks, which are filled in with numbers and constants alone.

use crate::trace::kind::Kind;
use crate::trace::program::{Point, Program};
use std::fmt::Write;

const CONFIRM: &str = include_str!("scripts/confirm.bt");
const NODE: &str = include_str!("scripts/node.bt");
const V8_CRATE: &str = include_str!("scripts/v8_crate.bt");
const TURN: &str = include_str!("scripts/turn.bt");

/// What may stand in a blank. There is no text among it that was read somewhere.
#[derive(Clone, Copy)]
enum Filling<'program> {
    Number(u64),
    Address(u64),
    Probes(&'program [Point]),
    Point(&'program Point),
}

/// The program that confirms the layout on the live process.
pub fn confirm(process: u32, program: &Program) -> String {
    filled(&[CONFIRM], &fillings(process, (0, 0), program))
}

/// The program that traces. `code` is the first and last address of the target's own code, for which its stacks are searched.
pub fn trace(process: u32, code: (u64, u64), program: &Program) -> String {
    let callbacks = match program.kind {
        Kind::Node => NODE,
        Kind::V8Crate => V8_CRATE,
    };
    filled(&[callbacks, TURN], &fillings(process, code, program))
}

fn fillings(
    process: u32,
    code: (u64, u64),
    program: &Program,
) -> [(&'static str, Filling<'_>); 11] {
    [
        ("pid", Filling::Number(process.into())),
        ("next", Filling::Number(program.layout.next)),
        ("level", Filling::Number(program.layout.level())),
        ("text", Filling::Address(code.0)),
        ("text_end", Filling::Address(code.1)),
        ("construct", Filling::Point(&program.construct)),
        ("constructs", Filling::Probes(&program.constructs)),
        ("destruct", Filling::Probes(&program.destruct)),
        ("disposes", Filling::Probes(&program.disposes)),
        ("waits", Filling::Probes(&program.waits)),
        ("callbacks", Filling::Probes(&program.callbacks)),
    ]
}

/// Replaces each `{{name}}`.
///
/// # Panics
///
/// Panics if there is no such filling. The tests fill in each script.
fn filled(scripts: &[&str], fillings: &[(&str, Filling<'_>)]) -> String {
    let script = scripts.join("\n");
    let mut pieces = script.split("{{");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let filling = piece.split_once("}}").and_then(|(name, rest)| {
            let (_, filling) = fillings.iter().find(|(known, _)| *known == name)?;
            Some((*filling, rest))
        });
        let (filling, rest) =
            filling.expect("[handleguard internal bug] a blank without a filling");
        let written = match filling {
            Filling::Number(number) => write!(text, "{number}"),
            Filling::Address(address) => write!(text, "{address:#x}"),
            Filling::Point(point) => write!(text, "{point}"),
            Filling::Probes(points) => {
                let probes: Vec<_> = points
                    .iter()
                    .map(|point| format!("uprobe:{point}"))
                    .collect();
                write!(text, "{}", probes.join(",\n"))
            }
        };
        written.expect("a string takes everything");
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blank_of_every_script_is_filled() {
        let fillings: Vec<_> = [
            "pid",
            "next",
            "level",
            "text",
            "text_end",
            "construct",
            "constructs",
            "destruct",
            "disposes",
            "waits",
            "callbacks",
        ]
        .map(|name| (name, Filling::Number(4711)))
        .to_vec();
        for script in [CONFIRM, NODE, V8_CRATE, TURN] {
            let text = filled(&[script], &fillings);
            assert!(
                text.contains("4711") && !text.contains("{{") && !text.contains("}}"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_filling_is_a_number_or_a_probe() {
        let text = filled(
            &["{{a}} {{b}}", "{{c}}{{c}}"],
            &[
                ("a", Filling::Number(10)),
                ("b", Filling::Address(0xffff)),
                ("c", Filling::Probes(&[])),
            ],
        );
        assert_eq!(text, "10 0xffff\n");
    }
}
