//! Static probes (USDT) of provider `handleguard`, for a tracer that attaches to the running process. Each is one `nop` and a
//! note in the binary, and costs the same whether or not a tracer is attached.
//!
//! | probe | fires when | arguments |
//! |---|---|---|
//! | `scope_open` | a scope has been recorded | isolate |
//! | `scope_close` | a recorded scope is about to close | isolate |
//! | `turn` | a turn has begun | isolate |
//! | `violation` | a rule that is not off is violated | isolate, address and length of the rule's name |
//!
//! ```text
//! bpftrace -p PID -e 'usdt:./host:handleguard:violation { @[str(arg1, arg2), ustack] = count(); }'
//! ```

use crate::config::rule::Rule;
use crate::engine::ids::IsolateId;
use probe::probe;

#[inline(always)]
pub(crate) fn scope_open(isolate: IsolateId) {
    probe!(handleguard, scope_open, isolate.0);
}

#[inline(always)]
pub(crate) fn scope_close(isolate: IsolateId) {
    probe!(handleguard, scope_close, isolate.0);
}

#[inline(always)]
pub(crate) fn turn(isolate: IsolateId) {
    probe!(handleguard, turn, isolate.0);
}

#[inline(always)]
pub(crate) fn violation(isolate: IsolateId, rule: Rule) {
    let name = rule.name();
    probe!(handleguard, violation, isolate.0, name.as_ptr(), name.len());
}
