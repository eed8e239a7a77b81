/* handleguard: a sanitizer for V8 handle scopes. The interface for C; handleguard.hpp has guards for C++ on top.
 *
 *   static handleguard_place here = HANDLEGUARD_HERE;
 *   handleguard_callback callback;
 *   handleguard_callback_begin(isolate, &here, &callback);
 *   ... call into JavaScript ...
 *   handleguard_callback_end(callback);
 *
 * Every function takes null. Nothing is to be freed. No exception leaves; the action `panic` aborts here. All of it may be
 * called on any thread; what begins on a thread ends there.
 *
 * Written by cbindgen from the Rust side, as the test `header` checks: do not edit. */


#ifndef HANDLEGUARD_H
#define HANDLEGUARD_H

#include <stddef.h>
#include <stdint.h>

/** A place of that name, here: the initialiser of a static `handleguard_place`. */
#define HANDLEGUARD_PLACE(name) { (name), __FILE__, __LINE__, NULL }

/** A place with the name of the function around it. */
#define HANDLEGUARD_HERE HANDLEGUARD_PLACE(__func__)


/**
 * The version of this header. A library of another version may not fit: compare it with `handleguard_abi_version()`.
 */
#define HANDLEGUARD_ABI_VERSION 1

/**
 * How a function ended. `handleguard_last_error` has the words.
 */
enum handleguard_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * As asked.
   */
  HANDLEGUARD_STATUS_OK = 0,
  /**
   * An argument is null that must not be, or out of range.
   */
  HANDLEGUARD_STATUS_ARGUMENT = 1,
  /**
   * The isolate is not registered.
   */
  HANDLEGUARD_STATUS_UNREGISTERED = 2,
  /**
   * What is to end is not open on this thread: it has ended, or what it was begun in has, or another thread began it.
   */
  HANDLEGUARD_STATUS_NOT_OPEN = 3,
  /**
   * A directive was not understood.
   */
  HANDLEGUARD_STATUS_DIRECTIVE = 4,
  /**
   * The checker is already running.
   */
  HANDLEGUARD_STATUS_STARTED = 5,
  /**
   * A bug in handleguard; nothing was done.
   */
  HANDLEGUARD_STATUS_INTERNAL = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum handleguard_status handleguard_status;
#else
typedef int32_t handleguard_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The kind of a scope, by V8's words.
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
   * Stands in for the scope that the engine opened round a callback.
   */
  HANDLEGUARD_SCOPE_KIND_CALLBACK = 2,
  /**
   * `v8::TryCatch`; holds no handles.
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
 * How an isolate is read. Each function may be null: then what it would tell is unknown, and the verdict is left to what the
 * host has told. None of them may throw, or call handleguard.
 */
typedef struct {
  /**
   * `sizeof(handleguard_reader)`: later versions may add to its end.
   */
  size_t size;
  /**
   * Handle scopes open in the isolate, as the engine counts them; negative where it cannot tell.
   */
  int64_t (*level)(void *isolate);
  /**
   * Handles alive in all scopes of the isolate together, as `v8::HandleScope::NumberOfHandles`; negative where it cannot
   * tell. Without it, `outer-growth` and `scope-budget` see nothing.
   */
  int64_t (*handles)(void *isolate);
  /**
   * The isolate that this thread has entered, as `v8::Isolate::TryGetCurrent`; null where it has entered none. Without it,
   * `wrong-thread` and `wrong-isolate` see nothing.
   */
  void *(*current)(void);
} handleguard_reader;

/**
 * A place in the host's source, by which reports name what begins there. Keep one in static storage for each, made by
 * `HANDLEGUARD_HERE` or `HANDLEGUARD_PLACE("name")`.
 *
 * Up to 4096 distinct places are named; what is beyond shares one name.
 */
typedef struct {
  /**
   * Its name in reports: the function's, or any other. May be null.
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
   * handleguard's own; begins as null, and is not to be changed.
   */
  void *interned;
} handleguard_place;

/**
 * A turn that has begun. Nothing is to be freed; one that is all zero ends nothing.
 */
typedef struct {
  /**
   * handleguard's own.
   */
  void *isolate;
  /**
   * handleguard's own.
   */
  uint64_t number;
} handleguard_turn;

/**
 * A scope that is open. Nothing is to be freed; one that is all zero closes nothing.
 */
typedef struct {
  /**
   * handleguard's own.
   */
  void *isolate;
  /**
   * handleguard's own.
   */
  uint64_t number;
} handleguard_scope;

/**
 * A callback that is under way. Nothing is to be freed; one that is all zero ends nothing.
 */
typedef struct {
  /**
   * handleguard's own.
   */
  void *isolate;
  /**
   * handleguard's own.
   */
  uint64_t number;
} handleguard_callback;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version that the library was built with.
 */
uint32_t handleguard_abi_version(void);

/**
 * Starts the checker with `directives`, as in the environment variable `HANDLEGUARD`: `"log,missing-scope=abort,tick=60s"`;
 * null for the defaults. The variable wins over them. Without this, the first guard starts it with the defaults and the
 * variable.
 *
 * # Safety
 *
 * `directives` is null, or ends with 0.
 */
handleguard_status handleguard_init(const char *directives);

/**
 * What went wrong on this thread last; empty if nothing did. Valid until the next function of the interface fails on this
 * thread, or the thread ends. Never null.
 */
const char *handleguard_last_error(void);

/**
 * Makes an isolate known by its address, with the functions that read it; with none, where `reader` is null. Again for the
 * same isolate, it changes these.
 *
 * # Safety
 *
 * `reader` is null or points at as many bytes as its `size` says. Its functions may be called with `isolate` until
 * `handleguard_isolate_end`, on threads that begin or end something of that isolate.
 */
handleguard_status handleguard_isolate_register(void *isolate,
                                                const handleguard_reader *reader);

/**
 * Ends the record of an isolate: what is still open in it is judged by `never-closed`. Call it just before the isolate is
 * disposed, on its thread.
 */
handleguard_status handleguard_isolate_end(void *isolate);

/**
 * Marks that a turn of the host's loop begins: one pass of the event loop, one request, one task. Scopes opened before it do
 * not count as enclosing what runs in it. Turns nest.
 *
 * # Safety
 *
 * `place` is null, or as `HANDLEGUARD_PLACE` makes it and valid for ever; `turn` is null or may be written.
 */
handleguard_status handleguard_turn_begin(void *isolate,
                                          handleguard_place *place,
                                          handleguard_turn *turn);

/**
 * The turn ends. Judges `outer-growth` and `never-closed`.
 */
handleguard_status handleguard_turn_end(handleguard_turn turn);

/**
 * Records that a scope was just opened: call it right after. `kind` is a `handleguard_scope_kind`.
 *
 * # Safety
 *
 * `place` is null, or as `HANDLEGUARD_PLACE` makes it and valid for ever; `scope` is null or may be written.
 */
handleguard_status handleguard_scope_begin(void *isolate,
                                           int32_t kind,
                                           handleguard_place *place,
                                           handleguard_scope *scope);

/**
 * The scope closes: call it right before. Judges `out-of-order`.
 */
handleguard_status handleguard_scope_end(handleguard_scope scope);

/**
 * Records that the host calls into JavaScript now. Judges `missing-scope` at once.
 *
 * # Safety
 *
 * `place` is null, or as `HANDLEGUARD_PLACE` makes it and valid for ever; `callback` is null or may be written.
 */
handleguard_status handleguard_callback_begin(void *isolate,
                                              handleguard_place *place,
                                              handleguard_callback *callback);

/**
 * The call has returned. Judges `outer-growth`.
 */
handleguard_status handleguard_callback_end(handleguard_callback callback);

/**
 * Writes the report, all sites and counters as they stand now, as text into `buffer`, as much as fits in `size` bytes with
 * the 0 at its end. Returns how many bytes the whole would need, with that 0; 0 if there is none because of an error.
 *
 * Another thread may add to it in the meantime: `handleguard_report_to` needs no second call.
 *
 * # Safety
 *
 * `buffer` is null, or `size` bytes from it may be written.
 */
size_t handleguard_report(char *buffer,
                          size_t size);

/**
 * Gives the report as text to `write`, once, with `data` and its length without the 0 at its end. It is `write`'s until
 * that returns.
 *
 * # Safety
 *
 * `write` is null, or may be called with `data`, and does not throw.
 */
handleguard_status handleguard_report_to(void (*write)(void *data, const char *text, size_t length),
                                         void *data);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HANDLEGUARD_H */
