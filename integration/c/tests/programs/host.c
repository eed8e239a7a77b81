/* A host in C: an event loop whose close callback opens no scope. Calls each function of the interface. */
#include <handleguard.h>
#include <pthread.h>
#include <string.h>

#include "arena.h"

_Static_assert(HANDLEGUARD_ABI_VERSION == ABI_VERSION, "the version");
_Static_assert(sizeof(handleguard_status) == STATUS_SIZE, "handleguard_status");
_Static_assert(sizeof(handleguard_scope_kind) == SCOPE_KIND_SIZE, "handleguard_scope_kind");
_Static_assert(sizeof(handleguard_reader) == READER_SIZE, "handleguard_reader");
_Static_assert(sizeof(handleguard_place) == PLACE_SIZE, "handleguard_place");
_Static_assert(sizeof(handleguard_turn) == TURN_SIZE, "handleguard_turn");
_Static_assert(sizeof(handleguard_scope) == SCOPE_SIZE, "handleguard_scope");
_Static_assert(sizeof(handleguard_callback) == CALLBACK_SIZE, "handleguard_callback");

static struct arena arena;

/* The bug: its handles stay in the scope of `main`. */
static void on_close(void) {
  static handleguard_place here = HANDLEGUARD_HERE;
  handleguard_callback callback;
  CHECK(handleguard_callback_begin(&arena, &here, &callback) == HANDLEGUARD_STATUS_OK);
  arena.handles += 2;
  CHECK(handleguard_callback_end(callback) == HANDLEGUARD_STATUS_OK);
}

/* A callback that opens a scope. */
static void on_timer(void) {
  static handleguard_place here = HANDLEGUARD_HERE;
  static handleguard_place call = HANDLEGUARD_PLACE("tick");
  handleguard_scope scope;
  handleguard_callback callback;
  int64_t before = arena_open(&arena);
  CHECK(handleguard_scope_begin(&arena, HANDLEGUARD_SCOPE_KIND_HANDLE, &here, &scope) == HANDLEGUARD_STATUS_OK);
  CHECK(handleguard_callback_begin(&arena, &call, &callback) == HANDLEGUARD_STATUS_OK);
  arena.handles += 2;
  CHECK(handleguard_callback_end(callback) == HANDLEGUARD_STATUS_OK);
  CHECK(handleguard_scope_end(scope) == HANDLEGUARD_STATUS_OK);
  arena_close(&arena, before);
}

/* A checkpoint for microtasks needs no scope: the engine opens one for them. */
static void drain(void) {
  static handleguard_place here = HANDLEGUARD_HERE;
  handleguard_callback checkpoint;
  int64_t before;
  CHECK(handleguard_checkpoint_begin(&arena, &here, &checkpoint) == HANDLEGUARD_STATUS_OK);
  before = arena_open(&arena);
  arena.handles += 2;
  arena_close(&arena, before);
  CHECK(handleguard_callback_end(checkpoint) == HANDLEGUARD_STATUS_OK);
}

static void failed(const char *what, handleguard_status status) {
  printf("%s: %d, %s\n", what, (int)status, handleguard_last_error());
}

/* Every misuse returns an error, and has no other effect. */
static void misuse(void) {
  static handleguard_place here = HANDLEGUARD_HERE;
  handleguard_reader reader = {0, NULL, NULL, NULL};
  handleguard_turn turn;
  handleguard_scope scope;
  handleguard_callback callback;
  failed("init", handleguard_init("tick=10"));
  failed("register", handleguard_isolate_register(NULL, NULL));
  failed("register", handleguard_isolate_register(&arena, &reader));
  failed("end", handleguard_isolate_end(NULL));
  failed("turn", handleguard_turn_begin(&arena, &here, NULL));
  memset(&turn, 0xff, sizeof turn);
  failed("turn", handleguard_turn_begin(NULL, &here, &turn));
  CHECK(handleguard_turn_end(turn) == HANDLEGUARD_STATUS_OK);
  failed("callback", handleguard_callback_begin((void *)8, &here, &callback));
  failed("callback", handleguard_callback_begin((void *)8, &here, &callback));
  CHECK(handleguard_isolate_register(&arena, NULL) == HANDLEGUARD_STATUS_OK);
  failed("scope", handleguard_scope_begin(&arena, HANDLEGUARD_SCOPE_KIND_HANDLE, NULL, &scope));
  failed("scope", handleguard_scope_begin(&arena, 7, &here, &scope));
  CHECK(handleguard_scope_end(scope) == HANDLEGUARD_STATUS_OK);
  failed("report", handleguard_report_to(NULL, NULL));
  turn.isolate = &arena;
  turn.number = 99;
  failed("turn", handleguard_turn_end(turn));
}

/* An entry of one thread is not open on another. */
static void *other_thread(void *scope) {
  CHECK(handleguard_scope_end(*(handleguard_scope *)scope) == HANDLEGUARD_STATUS_NOT_OPEN);
  return NULL;
}

static void print(void *data, const char *text, size_t length) {
  CHECK(data == &arena && strlen(text) == length);
  fwrite(text, 1, length, stdout);
}

int main(int argc, char **argv) {
  static handleguard_place here = HANDLEGUARD_HERE;
  static handleguard_place loop = HANDLEGUARD_PLACE("event loop");
  const handleguard_reader reader = {sizeof reader, arena_level, arena_handles, arena_current};
  handleguard_scope scope;
  char small[12];
  size_t needed;
  char *text;
  int clean = argc > 1 && strcmp(argv[1], "clean") == 0;

  if (argc > 1 && strcmp(argv[1], "misuse") == 0) {
    misuse();
    return 0;
  }
  CHECK(handleguard_abi_version() == HANDLEGUARD_ABI_VERSION);
  CHECK(strcmp(handleguard_last_error(), "") == 0);
  CHECK(handleguard_init("log,tick=off") == HANDLEGUARD_STATUS_OK);
  CHECK(handleguard_init(NULL) == HANDLEGUARD_STATUS_STARTED);
  arena_entered = &arena;
  CHECK(handleguard_isolate_register(&arena, &reader) == HANDLEGUARD_STATUS_OK);
  arena_open(&arena);
  CHECK(handleguard_scope_begin(&arena, HANDLEGUARD_SCOPE_KIND_HANDLE, &here, &scope) == HANDLEGUARD_STATUS_OK);
  for (int pass = 0; pass < 3; pass++) {
    handleguard_turn turn;
    CHECK(handleguard_turn_begin(&arena, &loop, &turn) == HANDLEGUARD_STATUS_OK);
    drain();
    on_timer();
    if (!clean) on_close();
    CHECK(handleguard_turn_end(turn) == HANDLEGUARD_STATUS_OK);
  }
  if (!clean) {
    pthread_t other;
    CHECK(pthread_create(&other, NULL, other_thread, &scope) == 0 && pthread_join(other, NULL) == 0);
  }
  CHECK(handleguard_scope_end(scope) == HANDLEGUARD_STATUS_OK);
  if (!clean) CHECK(handleguard_scope_end(scope) == HANDLEGUARD_STATUS_NOT_OPEN);
  arena_close(&arena, 0);
  CHECK(handleguard_isolate_end(&arena) == HANDLEGUARD_STATUS_OK);
  /* Before the line about the isolate, which is written at once. */
  CHECK(handleguard_flush(60000) == HANDLEGUARD_STATUS_OK);
  CHECK(handleguard_isolate_end(&arena) == HANDLEGUARD_STATUS_UNREGISTERED);

  needed = handleguard_report(NULL, 0);
  CHECK(handleguard_report(small, sizeof small) == needed);
  CHECK(strcmp(small, "handleguard") == 0);
  text = malloc(needed);
  CHECK(text != NULL && handleguard_report(text, needed) == needed);
  CHECK(strlen(text) + 1 == needed);
  free(text);
  CHECK(handleguard_report_to(print, &arena) == HANDLEGUARD_STATUS_OK);
  return 0;
}
