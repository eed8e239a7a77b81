// A host in C++, without exceptions: it moves guards, and keeps one scope in a field, where it closes too late.
#include <handleguard.hpp>

#include <type_traits>
#include <utility>

extern "C" {
#include "arena.h"
}

static_assert(!std::is_copy_constructible<handleguard::Turn>::value, "guards do not copy");
static_assert(!std::is_copy_assignable<handleguard::Scope>::value, "guards do not copy");
static_assert(std::is_nothrow_move_constructible<handleguard::Callback>::value, "guards move");
static_assert(std::is_nothrow_move_assignable<handleguard::Scope>::value, "guards move");

static arena the_arena;

class HandleScope {
 public:
  HandleScope() : before_(arena_open(&the_arena)) {}
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;
  ~HandleScope() { arena_close(&the_arena, before_); }

 private:
  int64_t before_;
};

static handleguard::Scope opened_elsewhere() {
  static handleguard_place here = HANDLEGUARD_HERE;
  handleguard::Scope scope(&the_arena, &here, HANDLEGUARD_SCOPE_KIND_ESCAPABLE);
  handleguard::Scope moved(std::move(scope));
  return moved;
}

static void on_timer() {
  HandleScope handles;
  handleguard::Scope scope = opened_elsewhere();
  CHECK(scope.status() == HANDLEGUARD_STATUS_OK);
  HANDLEGUARD_CALLBACK(&the_arena, "on_timer");
  the_arena.handles += 2;
}

// C linkage, so that every compiler gives the frame the same name.
extern "C" void on_close() {
  HANDLEGUARD_CALLBACK(&the_arena, "on_close");
  the_arena.handles += 2;
}

// Assigns a new scope to a field that still holds one.
extern "C" void keeps_a_scope() {
  HandleScope outer;
  handleguard::Scope field = opened_elsewhere();
  HandleScope inner;
  field = opened_elsewhere();
  // Closing the first scope has closed the second too, and nothing is left to end after that.
  CHECK(field.end() == HANDLEGUARD_STATUS_NOT_OPEN);
  CHECK(field.end() == HANDLEGUARD_STATUS_OK);
}

int main(int argc, char**) {
  const handleguard_reader reader = {sizeof(handleguard_reader), arena_level, arena_handles, arena_current};
  CHECK(handleguard::abi_matches());
  CHECK(handleguard_init("log,tick=off") == HANDLEGUARD_STATUS_OK);
  arena_entered = &the_arena;
  CHECK(handleguard_isolate_register(&the_arena, &reader) == HANDLEGUARD_STATUS_OK);
  {
    HandleScope handles;
    HANDLEGUARD_SCOPE(&the_arena);
    for (int pass = 0; pass < 2; pass++) {
      HANDLEGUARD_TURN(&the_arena, "event loop");
      {
        HANDLEGUARD_CHECKPOINT(&the_arena, "drain");
      }
      on_timer();
      if (argc == 1) on_close();
      if (argc == 1 && pass == 0) keeps_a_scope();
    }
  }
  CHECK(handleguard_isolate_end(&the_arena) == HANDLEGUARD_STATUS_OK);
  const auto print = [](void*, const char* text, size_t length) { fwrite(text, 1, length, stdout); };
  CHECK(handleguard_report_to(print, nullptr) == HANDLEGUARD_STATUS_OK);
  return 0;
}
