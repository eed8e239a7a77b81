//! Names for places that are known by their code only, from the program's symbols; and room for names that come from
//! outside, each kept once, for a [`Place`] holds what lives for ever.

use crate::engine::Layer;
use crate::frame::{Frame, FrameKind};
use crate::place::{Code, Place, SourceLine, Spot};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Places remembered. A program has so many lines that open a scope; what is beyond goes unnamed, by its address.
const MAX_NAMES: usize = 4096;

/// By address. Two functions that share one are told apart by the frame that was found on the stack.
static NAMES: Mutex<Option<HashMap<usize, Place>>> = Mutex::new(None);

/// The place with its function, file and line, if it was known by code only and symbols name it.
///
/// Slow (milliseconds the first time): reads the binary's symbols.
pub(crate) fn named(place: Place, layer: &Layer) -> Place {
    let Spot::Code(Code { ip, stack }) = place.location else {
        return place;
    };
    let ip = frame_around(stack).unwrap_or(ip);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    if let Some(known) = names.get(&ip) {
        return *known;
    }
    if names.len() == MAX_NAMES {
        return place;
    }
    let resolved = resolve(ip, layer).unwrap_or(place);
    names.insert(ip, resolved);
    resolved
}

/// The return address in the frame that holds the address `stack`: the function that is meant, where it is still on the
/// stack.
fn frame_around(stack: usize) -> Option<usize> {
    let _ = stack;
    None
}

/// The innermost function at `ip` that is neither the engine's nor the checker's.
fn resolve(ip: usize, layer: &Layer) -> Option<Place> {
    let mut frames = Vec::new();
    // The call, and not what it returns to.
    Frame::resolve(ip.checked_sub(1)?, layer, &mut frames);
    let frame = frames
        .iter()
        .find(|frame| {
            frame.kind != FrameKind::Engine && !frame.is_checker(layer) && !frame.is_std()
        })
        .or(frames.first())?;
    let (file, line, column) = frame.line()?;
    Some(Place {
        name: Some(frame.function.clone().leak()),
        location: Spot::Line(Box::leak(Box::new(SourceLine { file, line, column }))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn here() -> usize {
        let mut ip = 0;
        backtrace::trace(|frame| {
            let inside = backtrace_symbol(frame).contains("names::tests::here");
            if inside {
                ip = frame.ip().addr();
            }
            !inside
        });
        ip
    }

    fn backtrace_symbol(frame: &backtrace::Frame) -> String {
        let mut name = String::new();
        backtrace::resolve_frame(frame, |symbol| {
            name = symbol.name().map(|it| it.to_string()).unwrap_or_default();
        });
        name
    }

    #[test]
    fn code_is_named_by_its_function_and_line() {
        let place = named(Place::code(here(), 0), Layer::NONE);
        assert!(place.name.unwrap().contains("here"), "{place}");
        assert!(place.location.file().ends_with("names.rs"), "{place}");
        assert!(place.location.line() > 0, "{place}");
    }

    #[test]
    fn code_without_symbols_keeps_its_address() {
        let place = named(Place::code(0x10, 0), Layer::NONE);
        assert_eq!(place.to_string(), "0x10");
    }
}
