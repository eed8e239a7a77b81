//! The path of a close callback: the bug of 2013, and its fix of one line.

use crate::connection::{Connection, End};
use crate::phase::Phase;
use crate::script::{self, Handlers, Thrown};
use crate::tally::Tally;
use handleguard_v8::make_callback;
use v8::PinScope;

/// Node's `HandleWrap::OnClose` up to v0.10.21. It opens no HandleScope, so each handle made on the way into JavaScript and back stays
/// in the scope of `main`, which lives as long as the process.
fn on_close(scope: &mut PinScope<'_, '_>, handlers: &Handlers<'_>) -> Result<(), Thrown> {
    handleguard_v8::tc_scope!(let scope, scope);
    let result = make_callback(scope, "on_close", handlers.this, handlers.on_close, &[]);
    script::outcome(scope, result).map(drop)
}

/// Node's `HandleWrap::OnClose` in v0.10.22.
fn on_close_fixed(scope: &mut PinScope<'_, '_>, handlers: &Handlers<'_>) -> Result<(), Thrown> {
    handleguard_v8::scope!(let scope, scope); // The fix.
    handleguard_v8::tc_scope!(let scope, scope);
    let result = make_callback(scope, "on_close", handlers.this, handlers.on_close, &[]);
    script::outcome(scope, result).map(drop)
}

/// Closes the connections that the turn is done with, as `uv__run_closing_handles` does at the end of a turn. Calls the JavaScript
/// handler for the server's ends; the client's ends have none.
pub fn run_closing_handles(
    scope: &mut PinScope<'_, '_>,
    handlers: &Handlers<'_>,
    closing: &mut Vec<Connection>,
    phase: Phase,
    tally: &mut Tally,
) {
    for Connection { socket, end, .. } in closing.drain(..) {
        drop(socket);
        if end == End::Client {
            continue;
        }
        tally.closed += 1;
        let result = match phase {
            Phase::Bug => on_close(scope, handlers),
            Phase::Fixed => on_close_fixed(scope, handlers),
        };
        if let Err(thrown) = result {
            tally.error(thrown);
        }
    }
}
