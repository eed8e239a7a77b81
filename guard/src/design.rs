//! The design of this crate, for readers of its source. This module holds documentation only.
//!
//! # The concept
//!
//! A handle lives in the innermost handle scope that is open when it is made, and dies with that scope. A host that calls
//! into JavaScript from an event loop opens a scope for each callback. If it forgets one, the handles of that callback land
//! in whatever scope is open outside the loop, and stay there as long as the process.
//!
//! Counting open scopes does not find this: the outer scope is open, so the count is never 0. The missing piece is a
//! *barrier*. The host marks its turns, and **a scope opened before the turn does not enclose what runs in it**.
//!
//! # Two sources, one verdict
//!
//! The engine knows how many scopes are open (its *level*) and how many handles are alive, including those of scopes that no
//! guard sees. It does not know who opened a scope, or where. Guards and hooks know exactly that, but a count that they keep
//! drifts as soon as code opens a scope without them. So:
//!
//! - **The engine's counts decide.** A verdict compares the level and the number of handles now with those noted when the turn
//!   began.
//! - **The scope stack explains.** It says which scope the handles landed in, who opened it, and which callback made them.
//!
//! Where the engine's counts cannot be read, the scope stack decides too. Where both are known and disagree, the rule `desync`
//! reports the disagreement once, the record follows the engine, and no other rule fires until the open turns end.
//!
//! # The way of a violation
//!
//! ```text
//!   detect    a pure function of the record and the engine's counts returns a `Finding`
//!   describe  the finding becomes a `Violation`: places named, stack captured, text by `Display`
//!   record    the site table counts it: one line for each distinct cause
//!   react     abort, panic or log: the only side effects
//! ```
//!
//! The folders of `src` are these steps, and `pipeline.rs` joins them. Below them lie `engine` (what the checker asks of an
//! engine), `place`, `config`, `unwind` and `symbolize`; above them lie `guards` and `hooks`, through which a host calls, and
//! `process`, which holds the one checker of the process. Nothing below the guards asks for that checker: each guard passes it
//! down. So tests and models build instances of their own.
//!
//! # The two records
//!
//! A thread has two records of what is open.
//!
//! The **scope stack**, one for each isolate, is the full record: scopes, callbacks and turns as entries, with the engine's
//! level, the place, and what each rule needs. All verdicts come from it.
//!
//! The **pending log**, one for each thread, keeps most scopes and callbacks out of the scope stack. Nearly all of them open
//! and close without any verdict: the engine's level is where it should be, and nothing else is being judged. For those, an
//! open is a few comparisons and one store, and a close is a step back. The log holds up to 31 entries.
//!
//! ```text
//!   guard opens a scope
//!      |
//!      |-- the log is enabled for this isolate, and the limits hold? --yes--> append an entry           (fast path)
//!      |
//!      no
//!      |
//!      +--> flush: replay the open entries of the log into the scope stack
//!           judge and record in the scope stack                                                         (slow path)
//!           the stack returns the limits of the next fast path, or none while something must be judged
//! ```
//!
//! Every access to the scope stack flushes the log first, so a reader of the stack never sees a difference between the two.
//! A property test runs random programs with and without the fast path and compares every finding.
//!
//! # Whose handles are they?
//!
//! Handles that are made while nothing is open since the turn began land in a scope that outlives the turn. Each of them is
//! reported once:
//!
//! 1. A callback that starts in that state is a `missing-scope`. Handles that were made on the way to it, that it makes, and that
//!    are made after it until something is opened, are added to that report. These are its *late handles*.
//! 2. If `missing-scope` is off, the callback's own handles are an `outer-growth` of the callback.
//! 3. What is left at the end of the turn, less what was reported before, is an `outer-growth` of the turn.
//!
//! A turn keeps the number of handles at its start and the number reported since; the difference to the number now is what no
//! report has covered yet.
//!
//! The engine says how many there are, and not who made them. Where refused handles can be let through, a turn that is watched is
//! sealed: the engine refuses each handle directly under it, and the engine layer lets the handle through and seals the turn again for
//! the next one. `thread/caught.rs` keeps the stack until the turn ends. Only the count at the end decides whether anything is reported,
//! so what is let through is never an accusation; `outer-growth` takes the stacks of the turn that it reports. `record/watch.rs` decides
//! which turns are watched, and adds to a site the makers that are seen after its first report.
//!
//! # The closure of a test
//!
//! A test has no event loop, and often marks no turn. So the closure of a test is a turn of each isolate that is used in it. It begins
//! with the closure in the isolates that the thread has entered and that are known by then, and in any other at its first guard or
//! hook. It is kept apart from the host's turns, which are counted without it. `guards/test_run.rs` has the rest.
//!
//! # One turn, step by step
//!
//! `main` has opened a scope. A turn begins; `on_close` calls into JavaScript without a scope and makes two handles, then
//! `on_read` does the same thing right.
//!
//! ```text
//!   step                          level  handles  scope stack                        verdict
//!   main opens a scope              1       0     main
//!   turn begins                     1       0     main | turn                        notes level 1, handles 0
//!   on_close makes one handle       1       1
//!   on_close calls JavaScript       1       1     main | turn, callback              level 1 is not above 1: missing-scope,
//!                                                                                    and 1 handle made on the way
//!   JavaScript makes a handle       1       2
//!   the call returns                1       2     main | turn                        1 more handle for that report
//!   on_read opens a scope           2       2     main | turn, on_read
//!   on_read calls JavaScript        2       2     main | turn, on_read, callback     level 2 is above 1: right
//!   JavaScript makes a handle       2       3
//!   the call returns                2       3     main | turn, on_read
//!   on_read's scope closes          1       2     main | turn
//!   turn ends                       1       2     main                               2 handles left, 2 reported: nothing new
//! ```
//!
//! # Two threads for one report
//!
//! To name a stack is slow: it reads the symbols of the program. To write a report may block: stderr is a pipe, and a subscriber is
//! the host's code. So with the action `log`, the violating thread does neither.
//!
//! ```text
//!   violating thread                                      thread of the checker (process/reporter.rs)
//!   describe: addresses, and what the isolate answers
//!   record: publish the site, mark it as unlogged
//!   wake                                          ─────▶  take what is unlogged
//!   go on                                                 name places and stack
//!                                                         log to the subscriber of the violating thread
//! ```
//!
//! A place that a hook recorded is an address inside the crate that binds the engine. The user's function is a frame further out,
//! and which one is known only by names. So the violating thread keeps the return addresses around the place while they are on its
//! stack ([`Location::Frames`](crate::Location::Frames)).
//!
//! # Names and live isolates
//!
//! A guard may outlive its isolate. So guards keep an isolate's *name* ([`Engine`](crate::Engine)), and only a
//! [`LiveIsolate`](crate::LiveIsolate) answers questions. A guard that is dropped gets one only while the isolate has a record
//! on the thread. [`end_isolate`](crate::end_isolate), which an engine layer calls before the isolate goes, ends the records
//! of all threads: each record shares a flag with the isolate's entry in a table of the process, and the pending logs of all
//! threads stand in one list, through which the end disables each log that is enabled for the isolate. Ids are not used
//! again on a thread, so a late guard names nothing in a new isolate at the same address.
