//! Names for places that are known by their code only, from the program's symbols; and room for names that come from
//! outside, each kept once, for a [`Place`] holds what lives for ever.

use crate::engine::wording::FrameClassifier;
use crate::place::{CodeAddress, Location, Place, SourceLine};
use crate::symbolize::frame::{Frame, FrameKind};
use crate::unwind::{eh_frame, loaded_modules, stack_memory};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Places remembered. A program has so many lines that open a scope; what is beyond goes unnamed, by its address.
const MAX_NAMES: usize = 4096;

/// By address.
static NAMES: Mutex<Option<HashMap<usize, Resolved>>> = Mutex::new(None);

/// Frames looked at to find a place in the user's code. In a debug build those of the checker and of what binds the engine
/// are many.
const MAX_DEPTH: usize = 64;

/// The place with its function, file and line, if it was known by code only and symbols name it.
///
/// Slow (milliseconds the first time): reads the binary's symbols.
pub(crate) fn named(place: Place, classifier: &FrameClassifier) -> Place {
    let Location::Code(CodeAddress { ip, stack }) = place.location else {
        return place;
    };
    let code = resolved(ip, classifier);
    let code = if code.is_users {
        code
    } else {
        // A function of what binds the engine, that was not inlined into its caller.
        user_around(stack, classifier).map_or(code, |ip| resolved(ip, classifier))
    };
    code.named.unwrap_or(place)
}

/// The return address into the innermost function on this stack that is neither the engine's nor the checker's.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[cold]
pub(crate) fn user_of_stack(classifier: &FrameClassifier) -> Option<usize> {
    user_around(std::ptr::from_ref(&classifier).addr(), classifier)
}

/// The same, from the frame outwards that holds the address `stack`.
///
/// Where that frame is the user's own, a scope lies in it, and nobody knows any more at which line of the function it was
/// opened: then the beginning of the function.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn user_around(stack: usize, classifier: &FrameClassifier) -> Option<usize> {
    let mut frames = Vec::new();
    let registers = stack_memory::Registers::here();
    if stack < registers.sp {
        // That function has returned.
        return None;
    }
    eh_frame::frames(registers, |ip, end| {
        if end > stack {
            frames.push(ip);
        }
        frames.len() < MAX_DEPTH
    });
    let at = frames
        .iter()
        .position(|&ip| resolved(ip, classifier).is_users)?;
    match at {
        // An address is taken for that behind a call.
        0 => Some(loaded_modules::function_around(frames[0]).map_or(frames[0], |start| start + 1)),
        _ => Some(frames[at]),
    }
}

/// Elsewhere the machine stack is not walked by its addresses.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn user_of_stack(_: &FrameClassifier) -> Option<usize> {
    None
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn user_around(_: usize, _: &FrameClassifier) -> Option<usize> {
    None
}

/// The code that a return address belongs to.
#[derive(Clone, Copy)]
struct Resolved {
    named: Option<Place>,
    /// One of the functions inlined there is neither the engine's nor the checker's.
    is_users: bool,
}

fn resolved(ip: usize, classifier: &FrameClassifier) -> Resolved {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    if let Some(known) = names.get(&ip) {
        return *known;
    }
    let resolved = resolve(ip, classifier);
    if names.len() < MAX_NAMES {
        names.insert(ip, resolved);
    }
    resolved
}

fn resolve(ip: usize, classifier: &FrameClassifier) -> Resolved {
    let mut frames = Vec::new();
    Frame::resolve(ip, classifier, &mut frames);
    let users = frames.iter().find(|frame| {
        frame.kind != FrameKind::Engine
            && frame.has_name()
            && !frame.is_checker(classifier)
            && !frame.is_std()
    });
    Resolved {
        named: users.or(frames.first()).and_then(|frame| name(frame, ip)),
        is_users: users.is_some(),
    }
}

fn name(frame: &Frame, ip: usize) -> Option<Place> {
    if !frame.has_name() {
        return None;
    }
    let location = match frame.line() {
        Some((file, line, column)) => {
            Location::Line(Box::leak(Box::new(SourceLine { file, line, column })))
        }
        None => Location::Code(CodeAddress { ip, stack: 0 }),
    };
    Some(Place {
        name: Some(frame.function.clone().leak()),
        location,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn here() -> usize {
        let mut ip = 0;
        backtrace::trace(|frame| {
            // Some names have that of their closure in them.
            let inside = backtrace_symbol(frame).ends_with("names::tests::here");
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
            name = symbol
                .name()
                .map(|it| format!("{it:#}"))
                .unwrap_or_default();
        });
        name
    }

    #[test]
    fn code_is_named_by_its_function_and_line() {
        let place = named(Place::code(here(), 0), FrameClassifier::NONE);
        assert!(place.name.unwrap().contains("here"), "{place}");
        assert!(place.location.file().ends_with("names.rs"), "{place}");
        assert!(place.location.line() > 0, "{place}");
    }

    #[test]
    fn code_without_symbols_keeps_its_address() {
        let place = named(Place::code(0x10, 0), FrameClassifier::NONE);
        assert_eq!(place.to_string(), "0x10");
    }
}
