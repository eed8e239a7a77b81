/* A mock of V8's handle blocks, because the library links no V8. Handles are counted, and closing a scope removes those made
 * since it opened. */
#ifndef ARENA_H
#define ARENA_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct arena {
  int64_t level;
  int64_t handles;
};

static struct arena *arena_entered = NULL;

static int64_t arena_level(void *isolate) { return ((struct arena *)isolate)->level; }
static int64_t arena_handles(void *isolate) { return ((struct arena *)isolate)->handles; }
static void *arena_current(void) { return arena_entered; }

/* Opens a scope. Returns the argument for `arena_close`. */
static int64_t arena_open(struct arena *arena) {
  arena->level++;
  return arena->handles;
}

static void arena_close(struct arena *arena, int64_t before) {
  arena->level--;
  arena->handles = before;
}

#define CHECK(condition)                                                     \
  do {                                                                       \
    if (!(condition)) {                                                      \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                               \
    }                                                                        \
  } while (0)

#endif
