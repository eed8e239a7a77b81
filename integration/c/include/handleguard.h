/* handleguard: a sanitizer for V8 handle scopes. The interface for C; handleguard.hpp has guards for C++ on top.
 *
 *   static handleguard_place here = HANDLEGUARD_HERE;
 *   handleguard_callback callback;
 *   handleguard_callback_begin(isolate, &here, &callback);
 *   ... call into JavaScript ...
 *   handleguard_callback_end(callback);
 *
 * Every function accepts null. The caller frees nothing. No function throws; the action `panic` aborts. Every function may be
 * called on any thread, and an entry must end on the thread on which it began.
 *
 * cbindgen generates this file from the Rust source, and the test `header` compares the two: do not edit it. */


#ifndef HANDLEGUARD_H
#define HANDLEGUARD_H

#include <stddef.h>
#include <stdint.h>

/** Initialises a static `handleguard_place` with a name and the current line. */
#define HANDLEGUARD_PLACE(name) { (name), __FILE__, __LINE__, NULL }

/** Initialises a static `handleguard_place` with the name of the enclosing function and the current line. */
#define HANDLEGUARD_HERE HANDLEGUARD_PLACE(__func__)


/**
 * The version of this header. A library of another version may be incompatible: compare this with `handleguard_abi_version()`.
 */
#define HANDLEGUARD_ABI_VERSION 1

/**
 * The result of a function. `handleguard_last_error` returns the message.
 */
enum handleguard_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Success.
   */
  HANDLEGUARD_STATUS_OK = 0,
  /**
   * An argument is out of range, or null where that is not accepted.
   */
  HANDLEGUARD_STATUS_ARGUMENT = 1,
  /**
   * The isolate is not registered.
   */
  HANDLEGUARD_STATUS_UNREGISTERED = 2,
  /**
   * The entry is not open on this thread: it has already ended, an entry around it has ended, or it began on another thread.
   */
  HANDLEGUARD_STATUS_NOT_OPEN = 3,
  /**
   * A directive is invalid.
   */
  HANDLEGUARD_STATUS_DIRECTIVE = 4,
  /**
   * The checker is already running.
   */
  HANDLEGUARD_STATUS_STARTED = 5,
  /**
   * A bug in handleguard. The call had no effect.
   */
  HANDLEGUARD_STATUS_INTERNAL = 6,
  /**
   * The time was up before the function was done.
   */
  HANDLEGUARD_STATUS_TIMEOUT = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum handleguard_status handleguard_status;
#else
typedef int32_t handleguard_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The kind of a scope, named as in V8.
 */
enum handleguard_scope_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * `v8::HandleScope`.
   */
  HANDLEGUARD_SCOPE_KIND_HANDLE = 0,
  /**
   * `v8::EscapableHandleScope`.
   */
  HANDLEGUARD_SCOPE_KIND_ESCAPABLE = 1,
  /**
   * Stands for the scope that the engine opened around a callback.
   */
  HANDLEGUARD_SCOPE_KIND_CALLBACK = 2,
  /**
   * `v8::TryCatch`, which holds no handles.
   */
  HANDLEGUARD_SCOPE_KIND_TRY_CATCH = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum handleguard_scope_kind handleguard_scope_kind;
#else
typedef int32_t handleguard_scope_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Functions that read an isolate. Each may be null: handleguard then relies on the entries that the host records. None of them may
 * throw, or call handleguard.
 */
typedef struct {
  /**
   * `sizeof(handleguard_reader)`: later versions may add fields at the end.
   */
  size_t size;
  /**
   * Returns how many handle scopes are open in the isolate, as the engine counts them; negative if that is unknown.
   */
  int64_t (*level)(void *isolate);
  /**
   * Returns how many handles are alive in all scopes of the isolate together, as `v8::HandleScope::NumberOfHandles` does;
   * negative if that is unknown. Without it, `outer-growth` and `scope-budget` report nothing.
   */
  int64_t (*handles)(void *isolate);
  /**
   * Returns the isolate that this thread has entered, as `v8::Isolate::TryGetCurrent` does; null if it has entered none. Without
   * it, `wrong-thread` and `wrong-isolate` report nothing.
   */
  void *(*current)(void);
} handleguard_reader;

/**
 * A place in the host's source, which reports use to name an entry that begins there. Keep one in static storage for each place,
 * made by `HANDLEGUARD_HERE` or `HANDLEGUARD_PLACE("name")`.
 *
 * Up to 4096 distinct places are named; all further places share one name.
 */
typedef struct {
  /**
   * Its name in reports: that of the function, or any other. May be null.
   */
  const char *name;
  /**
   * The source file. May be null.
   */
  const char *file;
  /**
   * The line, counted from 1; 0 where it is unknown.
   */
  uint32_t line;
  /**
   * Private to handleguard. Initialise it to null, and do not change it.
   */
  void *interned;
} handleguard_place;

/**
 * A turn that has begun. It owns nothing; ending one that is all zero does nothing.
 */
typedef struct {
  /**
   * Private to handleguard.
   */
  void *isolate;
  /**
   * Private to handleguard.
   */
  uint64_t number;
} handleguard_turn;

/**
 * A scope that is open. It owns nothing; ending one that is all zero does nothing.
 */
typedef struct {
  /**
   * Private to handleguard.
   */
  void *isolate;
  /**
   * Private to handleguard.
   */
  uint64_t number;
} handleguard_scope;

/**
 * A callback that is running. It owns nothing; ending one that is all zero does nothing.
 */
typedef struct {
  /**
   * Private to handleguard.
   */
  void *isolate;
  /**
   * Private to handleguard.
   */
  uint64_t number;
} handleguard_callback;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Returns the version that the library was built with.
 */
uint32_t handleguard_abi_version(void);

/**
 * Starts the checker with `directives`, or with the defaults if it is null. The syntax is that of the environment variable
 * `HANDLEGUARD`, as in `"log,missing-scope=abort,tick=60s"`, and the variable overrides them. If the host does not call this, the
 * first guard starts the checker with the defaults and the variable.
 *
 * # Safety
 *
 * `directives` is null, or a string that ends with 0.
 */
handleguard_status handleguard_init(const char *directives);

/**
 * Returns the message of the last failure on this thread; an empty string if there was none. Valid until the next function of the
 * interface fails on this thread, or the thread ends. Never null.
 */
const char *handleguard_last_error(void);

/**
 * Registers an isolate by its address, with the functions that read it, or without any if `reader` is null. Registering an isolate
 * again replaces its functions.
 *
 * # Safety
 *
 * `reader` is null or points to as many bytes as its `size` says. Its functions may be called with `isolate` until
 * `handleguard_isolate_end`, on every thread that begins or ends an entry of that isolate.
 */
handleguard_status handleguard_isolate_register(void *isolate,
                                                const handleguard_reader *reader);

/**
 * Ends the record of an isolate, and checks `never-closed` for each entry that is still open in it. Call this right before the
 * isolate is disposed, on its thread.
 */
handleguard_status handleguard_isolate_end(void *isolate);

/**
 * Begins a turn of the host's loop: one pass of the event loop, one request, one task. A scope opened before the turn does not
 * protect a callback that runs in it. Turns nest.
 *
 * # Safety
 *
 * `place` is null, or as `HANDLEGUARD_PLACE` makes it and in static storage; `turn` is null or may be written.
 */
handleguard_status handleguard_turn_begin(void *isolate,
                                          handleguard_place *place,
                                          handleguard_turn *turn);

/**
 * Ends a turn. Checks `outer-growth` and `never-closed`.
 */
handleguard_status handleguard_turn_end(handleguard_turn turn);

/**
 * Records a scope. Call this right after the scope was opened. `kind` is a `handleguard_scope_kind`.
 *
 * # Safety
 *
 * `place` is null, or as `HANDLEGUARD_PLACE` makes it and in static storage; `scope` is null or may be written.
 */
handleguard_status handleguard_scope_begin(void *isolate,
                                           int32_t kind,
                                           handleguard_place *place,
                                           handleguard_scope *scope);

/**
 * Ends the record of a scope. Call this right before the scope closes. Checks `out-of-order`.
 */
handleguard_status handleguard_scope_end(handleguard_scope scope);

/**
 * Records that the host is about to call into JavaScript. Checks `missing-scope` at once.
 *
 * # Safety
 *
 * `place` is null, or as `HANDLEGUARD_PLACE` makes it and in static storage; `callback` is null or may be written.
 */
handleguard_status handleguard_callback_begin(void *isolate,
                                              handleguard_place *place,
                                              handleguard_callback *callback);

/**
 * Records that the host is about to let the engine run its microtasks, as by `v8::Isolate::PerformMicrotaskCheckpoint`. This
 * needs no scope around it, because the engine opens one for the microtasks: `missing-scope` is not checked.
 * `handleguard_callback_end` ends it.
 *
 * # Safety
 *
 * `place` is null, or as `HANDLEGUARD_PLACE` makes it and in static storage; `callback` is null or may be written.
 */
handleguard_status handleguard_checkpoint_begin(void *isolate,
                                                handleguard_place *place,
                                                handleguard_callback *callback);

/**
 * Records that the call has returned. Checks `outer-growth`.
 */
handleguard_status handleguard_callback_end(handleguard_callback callback);

/**
 * Writes the report, with all sites and counters so far, as text into `buffer`: as much as fits in `size` bytes with the 0 at its
 * end. Returns how many bytes the whole report needs, with that 0, or 0 after an error.
 *
 * The report may grow between two calls, as other threads add to it. `handleguard_report_to` needs only one call.
 *
 * # Safety
 *
 * `buffer` is null, or `size` bytes of it may be written.
 */
size_t handleguard_report(char *buffer,
                          size_t size);

/**
 * Calls `write` once with `data`, the report as text, and the length of the text without the 0 at its end. The text is valid until
 * `write` returns.
 *
 * # Safety
 *
 * `write` is null, or may be called with `data`, and does not throw.
 */
handleguard_status handleguard_report_to(void (*write)(void *data, const char *text, size_t length),
                                         void *data);

/**
 * Waits until the first violation at each site has been logged, `timeout_ms` milliseconds at most: a thread of the checker logs it,
 * soon after it occurred. A process that returns from `main` or calls `exit` need not call it; one that calls `abort` or `_exit`
 * loses what has not been logged.
 */
handleguard_status handleguard_flush(uint32_t timeout_ms);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HANDLEGUARD_H */
