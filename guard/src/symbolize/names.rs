//! Names for places that are known only by their code: the innermost function of the user there, with file and line.

use crate::engine::wording::FrameClassifier;
use crate::fork::mutex::ForkMutex;
use crate::place::intern::{self, MAX_PLACES};
use crate::place::{CodeAddress, Location, Place};
use crate::symbolize::frame::{Frame, FrameKind};
use crate::unwind::platform;
use std::collections::HashMap;

/// What was looked up, by address. Of more than [`MAX_PLACES`] addresses, the rest is looked up each time.
static NAMES: ForkMutex<HashMap<usize, Resolved>> = ForkMutex::new();

/// How many frames are searched for one of the user's code. In a debug build, the checker and the crate that binds the engine
/// have many frames of their own.
const MAX_DEPTH: usize = 64;

/// How many callers of a place are kept. In a debug build, the crate that binds the engine has about ten frames there.
const MAX_CALLERS: usize = 24;

/// Returns the place with its function, file and line, if it is a code address that symbols name; else the place itself.
///
/// Slow (milliseconds the first time): reads the program's symbols.
pub(crate) fn named(place: Place, classifier: &FrameClassifier) -> Place {
    let Location::Code(CodeAddress { ip, stack }) = place.location else {
        return place;
    };
    let code = resolved(ip, classifier);
    let code = if code.is_users {
        code
    } else {
        // A function of the crate that binds the engine, and not inlined into its caller: the caller is on the stack.
        user_around(stack, classifier).map_or(code, |ip| resolved(ip, classifier))
    };
    code.named.unwrap_or(place)
}

/// Returns the return addresses around the code of `place`, innermost first, for [`named_among`]. None if the place has a name
/// already.
pub(crate) fn callers_of(place: Place) -> Vec<usize> {
    match place.location {
        Location::Code(CodeAddress { stack, .. }) => platform::frames_from(stack, MAX_CALLERS),
        _ => Vec::new(),
    }
}

/// As [`named`], after the function at the place has returned: `callers` are the addresses that [`callers_of`] returned before.
pub(crate) fn named_among(place: Place, callers: &[usize], classifier: &FrameClassifier) -> Place {
    let Location::Code(CodeAddress { ip, .. }) = place.location else {
        return place;
    };
    let users = [ip].into_iter().chain(callers.iter().copied());
    users
        .map(|ip| resolved(ip, classifier))
        .find(|code| code.is_users)
        .unwrap_or_else(|| resolved(ip, classifier))
        .named
        .unwrap_or(place)
}

/// Returns the return address into the innermost function of the user's on this stack, for a hook that returns to `ip`.
///
/// One look-up if that is the function at `ip`, which the hook returns to; else the stack is walked. `ip` itself if the walk
/// finds none.
#[cold]
pub(crate) fn user_around_hook(ip: usize, classifier: &FrameClassifier) -> usize {
    if resolved(ip, classifier).is_users {
        return ip;
    }
    user_around((&raw const classifier).addr(), classifier).unwrap_or(ip)
}

/// Returns the return address into the innermost function of the user's, from the frame outwards that holds the address
/// `stack`.
///
/// If that frame is the user's own, it holds a scope, and the line that opened the scope is no longer known: the result is the
/// start of the function then.
fn user_around(stack: usize, classifier: &FrameClassifier) -> Option<usize> {
    let frames = platform::frames_from(stack, MAX_DEPTH);
    let at = frames
        .iter()
        .position(|&ip| resolved(ip, classifier).is_users)?;
    match at {
        // Names are looked up for the byte before an address, as for the call before a return address.
        0 => Some(platform::function_start(frames[0]).map_or(frames[0], |start| start + 1)),
        _ => Some(frames[at]),
    }
}

/// The code that a return address belongs to.
#[derive(Clone, Copy)]
struct Resolved {
    named: Option<Place>,
    /// One of the functions inlined there is neither the engine's nor the checker's.
    is_users: bool,
}

fn resolved(ip: usize, classifier: &FrameClassifier) -> Resolved {
    if let Some(known) = NAMES.with(|names| names.get(&ip).copied()) {
        return known;
    }
    // Not under the lock: it reads files.
    let resolved = resolve(ip, classifier);
    NAMES.with(|names| {
        if names.len() < MAX_PLACES {
            names.insert(ip, resolved);
        }
    });
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
    let place = match frame.line() {
        Some((file, line)) => intern::line_of(&frame.function, &file, line),
        None => intern::code_of(&frame.function, ip),
    };
    place.copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn here() -> usize {
        let mut ip = 0;
        backtrace::trace(|frame| {
            let mut frames = Vec::new();
            Frame::resolve(frame.ip().addr(), FrameClassifier::NONE, &mut frames);
            // The closure's name has more after it.
            let is_here = frames.iter().any(|frame| frame.function == NAME);
            if is_here {
                ip = frame.ip().addr();
            }
            !is_here
        });
        ip
    }

    const NAME: &str = "handleguard::symbolize::names::tests::here";

    #[test]
    fn code_is_named_by_its_function_and_line() {
        let place = named(Place::code(here(), 0), FrameClassifier::NONE);
        assert_eq!(place.name, Some(NAME));
        assert!(
            place.location.file().ends_with("symbolize/names.rs"),
            "{place}"
        );
        let first = line!() - 25;
        assert!(
            (first..first + 15).contains(&place.location.line()),
            "{place}"
        );
    }

    #[test]
    fn a_line_has_one_identity_whether_symbols_or_the_host_named_it() {
        let named = named(Place::code(here(), 0), FrameClassifier::NONE);
        let location = named.location;
        let interned = Place::interned(NAME, location.file(), location.line());
        assert_eq!(named.identity(), interned.identity());
    }

    #[test]
    fn code_without_symbols_keeps_its_address() {
        let place = named(Place::code(0x10, 0), FrameClassifier::NONE);
        assert_eq!(place.to_string(), "0x10");
    }
}
