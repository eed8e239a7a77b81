//! Names for places that are known only by their code: the innermost function of the user there, with file and line.

use crate::engine::wording::FrameClassifier;
use crate::place::intern;
use crate::place::{CodeAddress, CodeFrames, Location, Place};
use crate::symbolize;
use crate::symbolize::address::Address;
use crate::symbolize::by_address::ByAddress;
use crate::symbolize::frame::Frame;
use crate::unwind::platform;

/// What was looked up.
static NAMES: ByAddress<Resolved> = ByAddress::new();

/// How many frames around a place are kept. In a debug build, the checker and the crate that binds the engine have many frames
/// of their own between the place and the user's function.
const MAX_AROUND: usize = 24;

/// Returns the place with what [`named`] needs to name it later, on any thread. The function that the place names must be on
/// the stack of this thread. Names nothing.
#[cold]
pub(crate) fn kept(place: Place) -> Place {
    let Location::Code(CodeAddress { ip, stack }) = place.location else {
        return place;
    };
    if stack == 0 {
        return place;
    }
    let around = platform::frames_from(stack, MAX_AROUND).into();
    match intern::frames_of(CodeFrames { ip, around }) {
        Some(frames) => Place {
            location: Location::Frames(frames),
            ..place
        },
        None => place.without_stack(),
    }
}

/// Returns the place with its function, file and line, if it is a code address that symbols name; else the place itself.
///
/// Slow, for it reads the program's symbols: not to be called on a thread of the host that goes on afterwards.
pub(crate) fn named(place: Place, classifier: &FrameClassifier) -> Place {
    let code = match place.location {
        Location::Code(CodeAddress { ip, .. }) => resolved(ip, classifier),
        Location::Frames(CodeFrames { ip, around }) => {
            let code = resolved(*ip, classifier);
            if code.is_users {
                code
            } else {
                // A function of the crate that binds the engine, and not inlined into its caller: the caller is around it.
                first_user(around, classifier).unwrap_or(code)
            }
        }
        Location::Source(_) | Location::Line(_) => return place,
    };
    code.named.unwrap_or(place)
}

/// The innermost function of the user's on this stack.
///
/// If it is that of the first frame, it holds a scope, and the line that opened the scope is not known: the result is the start
/// of the function then.
fn first_user(frames: &[usize], classifier: &FrameClassifier) -> Option<Resolved> {
    NAMES.prepare(frames);
    let at = frames
        .iter()
        .position(|&ip| resolved(ip, classifier).is_users)?;
    let ip = match at {
        // Names are looked up for the byte before an address, as for the call before a return address.
        0 => platform::function_start(frames[0]).map_or(frames[0], |start| start + 1),
        _ => frames[at],
    };
    Some(resolved(ip, classifier))
}

/// Two functions of the user's on this stack, each with its line: the innermost, and one that called it. If the innermost is a
/// dependency's, the other is the innermost of the program's own packages.
pub(crate) fn users_of(stack: &CodeFrames, classifier: &FrameClassifier) -> [Option<Place>; 2] {
    Frame::look_up(&stack.around);
    let mut innermost: Option<(Frame, Option<Place>)> = None;
    for &ip in &stack.around {
        let mut frames = Vec::new();
        Frame::resolve(ip, classifier, &mut frames);
        if frames.iter().any(Frame::is_runtime) {
            break;
        }
        for frame in frames {
            if !frame.is_users(classifier) {
                continue;
            }
            let place = name(&frame, ip);
            match &innermost {
                None => innermost = Some((frame, place)),
                Some((inner, first)) => {
                    let is_other = inner.function != frame.function;
                    if is_other && (!inner.is_dependency() || !frame.is_dependency()) {
                        return [*first, place];
                    }
                }
            }
        }
    }
    [innermost.and_then(|(_, place)| place), None]
}

/// The code that a return address belongs to.
#[derive(Clone, Copy)]
struct Resolved {
    named: Option<Place>,
    /// One of the functions inlined there is neither the engine's nor the checker's.
    is_users: bool,
}

fn resolved(ip: usize, classifier: &FrameClassifier) -> Resolved {
    NAMES.get(ip, || resolve(ip, classifier))
}

fn resolve(ip: usize, classifier: &FrameClassifier) -> Resolved {
    let mut frames = Vec::new();
    Frame::resolve(ip, classifier, &mut frames);
    let users = frames.iter().find(|frame| frame.is_users(classifier));
    Resolved {
        named: users.or(frames.first()).and_then(|frame| name(frame, ip)),
        is_users: users.is_some(),
    }
}

/// Returns the place of the frame at `ip`; `None` if that is no more than the address.
fn name(frame: &Frame, ip: usize) -> Option<Place> {
    if let Some((file, line)) = frame.line().filter(|_| frame.has_name()) {
        return intern::line_of(&frame.function, &file, line).copied();
    }
    // Without a line, the module and the address in its file stand for it. They mean the same in each process.
    let Some(module) = symbolize::platform::module_at(ip.wrapping_sub(1)) else {
        let known = frame
            .has_name()
            .then(|| intern::code_of(&frame.function, ip));
        return known.flatten().copied();
    };
    let address = Address::new(ip, Some(&module)).to_string();
    if frame.has_name() {
        return intern::line_of(&frame.function, &address, 0).copied();
    }
    let unnamed = intern::line_of("", &address, 0)?;
    Some(Place {
        name: None,
        ..*unnamed
    })
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

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn code_without_a_line_shows_its_place_in_its_module() {
        let getpid = libc::getpid as *const () as usize;
        let place = named(Place::code(getpid + 1, 0), FrameClassifier::NONE).to_string();
        let (name, address) = place.split_once("` at libc.so.6+0x").expect(&place);
        assert!(name.ends_with("getpid"), "{place}");
        let offset = usize::from_str_radix(address, 16).unwrap();
        assert!(offset < getpid, "{place}");
        // The header of the file: in the module, and no code.
        let module = symbolize::platform::module_at(getpid).unwrap();
        let header = Place::code(module.bias + 0x10, 0);
        let shown = named(header, FrameClassifier::NONE).to_string();
        assert_eq!(shown, "libc.so.6+0x10");
    }
}
