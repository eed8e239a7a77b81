//! What was opened last on this thread and is as it should be: only written down here, and told to the
//! [stack](crate::stack) when something else happens than the close of the innermost.
//!
//! Most scopes and callbacks are closed again with nothing to be said of them in between. Of those the stack never hears:
//! an open is a few comparisons and one entry, a close is one step down. What the comparisons ask is what the stack would:
//! the engine's level is not below the record, the isolate is the current one, and a callback stands higher than its turn.
//! Whether that is *all* it would ask is worked out when it has been told everything ([`FastPathLimits`]); where there is more to be
//! judged at each scope (a budget, a collection, strict mode, advice), nothing is written down here at all.
//!
//! Every other way to the stack begins with [`tell`], so whoever looks at it finds it as if there were nothing in between.
//!
//! The names of entries are those that the stack would have given, and are used once: [`PendingLog::last`] counts them.
#![expect(
    unsafe_code,
    reason = "reads the engine's counters, and a thread-local by its address"
)]

use crate::describe::scope::ScopeKind;
use crate::detect::stack::replay::FastPathLimits;
use crate::engine::counters::{Counters, Cursor};
use crate::engine::ids::{EntryId, IsolateId};
use crate::engine::interface::Engine;
use crate::place::{Location, Place};
use std::cell::{Cell, OnceCell};
use std::panic;
use std::ptr;

/// Entries; what is deeper goes to the stack. The first stands for the stack's own innermost frame.
const ROOM: usize = 32;

/// Handles that a scope holds before it is worth a look.
pub(crate) const MIN_HIGH_WATER: u64 = 64;

/// A thread's own, made where it is first armed.
pub(crate) struct PendingSlot(OnceCell<Box<PendingLog>>);

impl PendingSlot {
    pub(crate) const fn new() -> Self {
        Self(OnceCell::new())
    }

    /// Has the next scopes and callbacks of `isolate` written down here. Its stack has been told everything.
    #[inline]
    pub(crate) fn enable(
        &self,
        isolate: IsolateId,
        fast_path_limits: FastPathLimits,
        counters: Counters,
    ) {
        let recent = self.0.get_or_init(|| Box::new(PendingLog::new()));
        recent.enable(isolate, fast_path_limits, counters);
        pointer::set(&raw const **recent);
    }
}

impl Drop for PendingSlot {
    fn drop(&mut self) {
        pointer::set(ptr::null());
    }
}

pub(crate) struct PendingLog {
    /// The isolate whose scopes and callbacks may be written down; 0 for none.
    enabled: Cell<usize>,
    /// The innermost entry: one of `entries`, once it was armed.
    top: Cell<*const Cell<PendingEntry>>,
    /// The last of `entries`, once it was armed.
    last_entry: Cell<*const Cell<PendingEntry>>,
    counters: Cell<Counters>,
    /// The name given last. No two isolates of a thread have one in common, as long as entries are told of late.
    last: Cell<EntryId>,
    /// That of which the stack knows.
    flushed_up_to: Cell<EntryId>,
    /// The level above which a callback is in a scope of its turn.
    floor: Cell<u32>,
    /// The isolate that the entries are of.
    owner: Cell<usize>,
    /// The lowest address at which a scope lies that a hook told of.
    lowest: Cell<usize>,
    /// What is more to be known of an entry that is [`hooked`](PendingEntry::hooked).
    hooked: [Cell<Hooked>; ROOM],
    entries: [Cell<PendingEntry>; ROOM],
}

/// Of a scope that a hook told of.
#[derive(Clone, Copy)]
struct Hooked {
    /// Where it lies.
    storage: usize,
    /// [`PendingLog::lowest`] outside of it.
    lowest: usize,
}

/// A scope or callback that is open.
#[derive(Clone, Copy)]
pub(crate) struct PendingEntry {
    pub(crate) id: EntryId,
    pub(crate) cursor: Cursor,
    /// The engine's level just inside.
    pub(crate) level: u32,
    /// `None` is a callback.
    pub(crate) kind: Option<ScopeKind>,
    /// A hook told of it, of a scope.
    hooked: bool,
    pub(crate) place: Place,
}

/// Takes the scope's entry away, if it is the innermost and there is nothing to be said of it. False if the stack has to be told.
#[inline(always)]
pub(crate) fn close_scope(id: EntryId) -> bool {
    id != EntryId::NONE && own().is_some_and(|recent| recent.pop(id, true))
}

/// The same of a callback.
#[inline(always)]
pub(crate) fn end_callback(id: EntryId) -> bool {
    id != EntryId::NONE && own().is_some_and(|recent| recent.pop(id, false))
}

impl PendingLog {
    const fn new() -> Self {
        const NOTHING: PendingEntry = PendingEntry {
            id: EntryId::NONE,
            cursor: Cursor { next: 0, limit: 0 },
            level: 0,
            kind: None,
            hooked: false,
            place: Place::code(0, 0),
        };
        const NOWHERE: Hooked = Hooked {
            storage: 0,
            lowest: usize::MAX,
        };
        Self {
            enabled: Cell::new(0),
            top: Cell::new(ptr::null()),
            last_entry: Cell::new(ptr::null()),
            counters: Cell::new(Counters::NONE),
            last: Cell::new(EntryId::NONE),
            flushed_up_to: Cell::new(EntryId::NONE),
            floor: Cell::new(u32::MAX),
            owner: Cell::new(0),
            lowest: Cell::new(usize::MAX),
            hooked: [const { Cell::new(NOWHERE) }; ROOM],
            entries: [const { Cell::new(NOTHING) }; ROOM],
        }
    }

    #[inline]
    fn enable(&self, isolate: IsolateId, fast_path_limits: FastPathLimits, counters: Counters) {
        let first = &self.entries[0];
        first.set(PendingEntry {
            level: fast_path_limits.level,
            ..first.get()
        });
        self.top.set(first);
        self.last_entry.set(&self.entries[ROOM - 1]);
        self.lowest.set(fast_path_limits.lowest);
        self.owner.set(isolate.0);
        self.counters.set(counters);
        let last = self.last.get().max(fast_path_limits.last);
        self.last.set(last);
        self.flushed_up_to.set(last);
        self.floor.set(fast_path_limits.floor.unwrap_or(u32::MAX));
        self.enabled.set(isolate.0);
    }

    /// The innermost entry; the first, which is the stack's own, where nothing is written down.
    #[inline(always)]
    fn top(&self) -> &Cell<PendingEntry> {
        debug_assert!(self.entries.as_ptr_range().contains(&self.top.get()));
        // SAFETY: `arm` has it point at one of the entries, and `push` and `pop` move it by one, never past either end: the last
        // entry is asked for by the one, and the first has an id that the other is never asked for. Before `arm`, nobody has
        // `self`: see `own`.
        unsafe { &*self.top.get() }
    }

    /// How many are written down.
    fn depth(&self) -> usize {
        let bytes = self.top.get().addr() - self.entries.as_ptr().addr();
        bytes / size_of::<PendingEntry>()
    }

    /// Writes down what begins, unless there is something to be said of it.
    #[inline(always)]
    fn push(
        &self,
        isolate: IsolateId,
        kind: Option<ScopeKind>,
        place: Place,
        hooked: bool,
    ) -> Option<EntryId> {
        if self.enabled.get() != isolate.0 || ptr::eq(self.top.get(), self.last_entry.get()) {
            return None;
        }
        let (top, counters) = (self.top(), self.counters.get());
        let level = counters.level();
        let below = top.get().level;
        // A scope has raised it already.
        let raised = kind.is_some_and(|kind| kind.levels() > 0);
        let is_low = level < below || (raised && level == below);
        if is_low || (kind.is_none() && level <= self.floor.get()) {
            return None;
        }
        let id = self.last.get().next();
        self.last.set(id);
        // SAFETY: not the last one, as was asked above.
        let at = unsafe { &*ptr::from_ref(top).add(1) };
        at.set(PendingEntry {
            id,
            cursor: counters.cursor(),
            level,
            kind,
            hooked,
            place,
        });
        self.top.set(at);
        Some(id)
    }

    fn adopt(&self, isolate: IsolateId, kind: ScopeKind, place: Place) -> bool {
        if self.enabled.get() != isolate.0 {
            return false;
        }
        let mut entry = self.top().get();
        let unnamed = matches!(entry.place.location, Location::Code(_));
        if !entry.hooked || !unnamed || !entry.kind.is_some_and(|hooked| kind.adopts(hooked)) {
            return false;
        }
        entry.kind = Some(kind);
        entry.place = place;
        self.top().set(entry);
        true
    }

    /// Takes the innermost entry away, if it is that of `id`, which is not nothing's, and there is nothing to be said of it.
    #[inline(always)]
    fn pop(&self, id: EntryId, is_scope: bool) -> bool {
        let top = self.top();
        let entry = top.get();
        // The first, which stays, has nothing's.
        if entry.id != id {
            return false;
        }
        if is_scope {
            // Where another block of handles was begun, this is as good as any number: told of, or as few as it looks.
            let bytes = self.counters.get().next().wrapping_sub(entry.cursor.next);
            if bytes as u64 >= MIN_HIGH_WATER * size_of::<usize>() as u64 {
                return false;
            }
        }
        self.top.set(ptr::from_ref(top).wrapping_sub(1));
        true
    }
}

/// A scope of the engine was opened, or a call into JavaScript begins where there is no `kind`. `None` if the stack has to be
/// told, or [asked](adopt) whether a hook has.
#[inline(always)]
pub(crate) fn open<E: Engine>(
    engine: E,
    kind: Option<ScopeKind>,
    name: Option<&'static str>,
    location: &'static panic::Location<'static>,
) -> Option<EntryId> {
    let isolate = engine.isolate();
    let recent = own()?;
    if !engine.is_entered() {
        return None;
    }
    let location = Location::Source(location);
    let place = Place { name, location };
    // What a hook has told of has raised the engine's level once, and so is not written down again; but a `TryCatch` raises none.
    if kind.is_some_and(|kind| kind.levels() == 0) && recent.top().get().hooked {
        return None;
    }
    recent.push(isolate, kind, place, false)
}

/// A guard tells more of the scope that a hook has just told of. False if that was not only written down, or there is none.
pub(crate) fn adopt(isolate: IsolateId, kind: ScopeKind, place: Place) -> bool {
    own().is_some_and(|recent| recent.adopt(isolate, kind, place))
}

/// As [`open`], of a scope that was constructed at the address `storage` by a function that returns to `ip`.
#[inline(always)]
pub(crate) fn construct<E: Engine>(engine: E, kind: ScopeKind, ip: usize, storage: usize) -> bool {
    let isolate = engine.isolate();
    let Some(recent) = own() else { return false };
    let lowest = recent.lowest.get();
    if storage >= lowest || !engine.is_entered() {
        return false;
    }
    let place = Place::code(ip, storage);
    if recent.push(isolate, Some(kind), place, true).is_none() {
        return false;
    }
    recent.hooked[recent.depth()].set(Hooked { storage, lowest });
    recent.lowest.set(storage);
    true
}

/// The scope at that address is about to be destroyed. False if the stack has to be told.
#[inline(always)]
pub(crate) fn destruct(isolate: IsolateId, storage: usize) -> bool {
    let Some(recent) = own() else { return false };
    if recent.enabled.get() != isolate.0 {
        return false;
    }
    let entry = recent.top().get();
    let depth = recent.depth();
    let hooked = recent.hooked[depth].get();
    // The first entry is the stack's own.
    let is_meant = entry.hooked && hooked.storage == storage;
    let closed = is_meant && recent.pop(entry.id, true);
    if closed {
        recent.lowest.set(hooked.lowest);
    }
    closed
}

/// What is to be done where a hook sees a call.
pub(crate) enum Call {
    /// Nothing: a guard has told of it.
    Told,
    /// It is written down, under that name.
    Written(EntryId),
    /// The stack has to be asked.
    Ask,
}

/// A call begins in the isolate that is entered, at `place`, as a hook sees it.
#[inline(always)]
pub(crate) fn call(isolate: IsolateId, place: Place) -> Call {
    let Some(recent) = own() else {
        return Call::Ask;
    };
    // Where nothing is written down, the innermost is the stack's, and may be a guard's callback.
    if recent.enabled.get() != isolate.0 || recent.depth() == 0 {
        return Call::Ask;
    }
    let entry = recent.top().get();
    let by_guard = !matches!(entry.place.location, Location::Code(_));
    if entry.kind.is_none() && by_guard && entry.level == recent.counters.get().level() {
        return Call::Told;
    }
    recent
        .push(isolate, None, place, false)
        .map_or(Call::Ask, Call::Written)
}

/// Gives all entries to `stack`, outermost first, each with the address of its scope where a hook told of it, else 0; with the
/// isolate that they are of and the name given last. Forgets them.
#[inline]
pub(crate) fn flush(
    stack: impl FnOnce(IsolateId, &mut dyn Iterator<Item = (PendingEntry, usize)>, EntryId),
) {
    let Some(recent) = own() else { return };
    recent.enabled.set(0);
    // Else nothing was written down since.
    if recent.flushed_up_to.replace(recent.last.get()) != recent.last.get() {
        let depth = recent.depth();
        recent.top.set(&raw const recent.entries[0]);
        let hooked = recent.hooked[1..=depth].iter().map(Cell::get);
        let mut entries = recent.entries[1..=depth]
            .iter()
            .map(Cell::get)
            .zip(hooked)
            .map(|(entry, hooked)| (entry, if entry.hooked { hooked.storage } else { 0 }));
        stack(
            IsolateId(recent.owner.get()),
            &mut entries,
            recent.last.get(),
        );
    }
}

/// Has the stack told of everything, until it is [armed](PendingSlot::arm) again.
pub(crate) fn disable() {
    if let Some(recent) = own() {
        recent.enabled.set(0);
    }
}

/// What is this thread's own, if it was ever armed.
#[inline(always)]
fn own<'a>() -> Option<&'a PendingLog> {
    // SAFETY: null, or what `PendingSlot` of this thread holds in a box: it takes the pointer back before it drops that. No reference leaves
    // the functions of this module, which drop no `PendingSlot`.
    unsafe { pointer::get().as_ref() }
}

/// Where this thread's [`PendingLog`] is.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod pointer {
    use super::PendingLog;
    use crate::thread::tls_word;
    use std::ptr;

    crate::__tls_word!(".globl", "handleguard_recent");

    #[inline(always)]
    pub(super) fn get() -> *const PendingLog {
        // SAFETY: its own offset.
        ptr::with_exposed_provenance(unsafe { tls_word::read(offset()) })
    }

    pub(super) fn set(recent: *const PendingLog) {
        // SAFETY: its own offset.
        unsafe { tls_word::write(offset(), recent.expose_provenance()) }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod pointer {
    use super::PendingLog;
    use std::cell::Cell;
    use std::ptr;

    thread_local! {
        static POINTER: Cell<*const PendingLog> = const { Cell::new(ptr::null()) };
    }

    #[inline]
    pub(super) fn get() -> *const PendingLog {
        POINTER.get()
    }

    pub(super) fn set(recent: *const PendingLog) {
        POINTER.set(recent);
    }
}
