/* handleguard for C++17: guards on top of handleguard.h. They can be moved and not copied, and neither throw nor need exceptions.
 *
 *   handleguard::register_isolate(isolate);
 *   for (;;) {
 *     HANDLEGUARD_TURN(isolate, "event loop");
 *     on_close(isolate);
 *   }
 *
 *   void on_close(v8::Isolate* isolate) {
 *     v8::HandleScope scope(isolate);
 *     HANDLEGUARD_SCOPE(isolate);
 *     HANDLEGUARD_CALLBACK(isolate, "on_close");
 *     ... call into JavaScript ...
 *   }
 *
 * If V8's header (v8.h) is included before this one, isolates are read by V8's own functions. */

#ifndef HANDLEGUARD_HPP
#define HANDLEGUARD_HPP

#include "handleguard.h"

#include <atomic>
#include <cstring>

namespace handleguard {

namespace detail {

/** Keeps the entry that a token names open for as long as it lives. */
template <typename Token, handleguard_status (*End)(Token)>
class Guard {
 public:
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  Guard(Guard&& other) noexcept : token_(other.token_), status_(other.status_) {
    other.token_ = Token{};
  }

  Guard& operator=(Guard&& other) noexcept {
    if (this != &other) {
      end();
      token_ = other.token_;
      status_ = other.status_;
      other.token_ = Token{};
    }
    return *this;
  }

  ~Guard() { end(); }

  /** Ends the entry early. The destructor then does nothing. */
  handleguard_status end() noexcept {
    const Token token = token_;
    token_ = Token{};
    return End(token);
  }

  /** The result of its beginning. `handleguard_last_error` returns the message. */
  handleguard_status status() const noexcept { return status_; }

 protected:
  Guard() noexcept = default;

  Token token_ = Token{};
  handleguard_status status_ = HANDLEGUARD_STATUS_OK;
};

}  // namespace detail

/** A turn of the host's loop. */
class Turn : public detail::Guard<handleguard_turn, handleguard_turn_end> {
 public:
  Turn(void* isolate, handleguard_place* place) noexcept {
    status_ = handleguard_turn_begin(isolate, place, &token_);
  }
};

/** The record of a scope. Declare it right after V8's scope, so that it ends right before it. */
class Scope : public detail::Guard<handleguard_scope, handleguard_scope_end> {
 public:
  Scope(void* isolate, handleguard_place* place,
        handleguard_scope_kind kind = HANDLEGUARD_SCOPE_KIND_HANDLE) noexcept {
    status_ = handleguard_scope_begin(isolate, kind, place, &token_);
  }
};

/** A call into JavaScript. */
class Callback : public detail::Guard<handleguard_callback, handleguard_callback_end> {
 public:
  Callback(void* isolate, handleguard_place* place) noexcept {
    status_ = handleguard_callback_begin(isolate, place, &token_);
  }
};

/** A checkpoint for microtasks, which needs no scope around it. */
class Checkpoint : public detail::Guard<handleguard_callback, handleguard_callback_end> {
 public:
  Checkpoint(void* isolate, handleguard_place* place) noexcept {
    status_ = handleguard_checkpoint_begin(isolate, place, &token_);
  }
};

/** Whether the library is compatible with this header. */
inline bool abi_matches() noexcept {
  return handleguard_abi_version() == HANDLEGUARD_ABI_VERSION;
}

/* The include guards of the parts of v8.h that are used here. */
#if defined(INCLUDE_V8_ISOLATE_H_) && defined(INCLUDE_V8_LOCAL_HANDLE_H_) && \
    defined(INCLUDE_V8_PRIMITIVE_H_)

namespace detail {

inline int64_t number_of_handles(void* isolate) noexcept {
  return v8::HandleScope::NumberOfHandles(static_cast<v8::Isolate*>(isolate));
}

inline void* current_isolate() noexcept { return v8::Isolate::TryGetCurrent(); }

/** The offset of V8's count of open scopes in the isolate, in bytes; 0 until it is known. */
inline std::atomic<size_t> level_offset{0};

inline int32_t level_at(const void* isolate, size_t offset) noexcept {
  return *reinterpret_cast<const volatile int32_t*>(static_cast<const char*>(isolate) + offset);
}

inline int64_t level(void* isolate) noexcept {
  return level_at(isolate, level_offset.load(std::memory_order_relaxed));
}

/** Whether the number at `offset` goes up and down by one with each of `scopes` nested scopes. */
inline bool counts(v8::Isolate* isolate, size_t offset, int scopes) noexcept {
  const int32_t before = level_at(isolate, offset);
  if (scopes == 0) return before > 0;
  bool inside;
  {
    const v8::HandleScope scope(isolate);
    inside = level_at(isolate, offset) == before + 1 && counts(isolate, offset, scopes - 1);
  }
  return inside && level_at(isolate, offset) == before;
}

/** Finds V8's count of open scopes, which V8 does not expose: a HandleScope saves V8's previous `next` and `limit` as its second
 *  and third word (v8-local-handle.h), and `level` follows that pair in the isolate (`HandleScopeData`). A number that does not
 *  count scopes is skipped. The offset was 584 in V8 15.0 and 58272 in V8 11.3. An isolate is larger than the window searched
 *  here: its tables of builtins and roots alone take tens of KiB. */
inline bool find_level(v8::Isolate* isolate) noexcept {
  constexpr size_t window = 64 * 1024;
  const v8::HandleScope outer(isolate);
  /* Without a handle, both words are null. */
  (void)v8::Local<v8::Value>::New(isolate, v8::Undefined(isolate));
  const v8::HandleScope scope(isolate);
  uintptr_t saved[3];
  static_assert(sizeof(scope) >= sizeof(saved), "three words at least");
  std::memcpy(saved, static_cast<const void*>(&scope), sizeof(saved));
  const char* const memory = reinterpret_cast<const char*>(isolate);
  for (size_t offset = 0; offset < window; offset += sizeof(uintptr_t)) {
    const size_t behind = offset + 2 * sizeof(uintptr_t);
    if (std::memcmp(memory + offset, &saved[1], 2 * sizeof(uintptr_t)) == 0 &&
        counts(isolate, behind, 3)) {
      level_offset.store(behind, std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

}  // namespace detail

/** Registers `isolate`, which this thread must have entered, to be read by V8's own functions. V8's count of open scopes is read
 *  from the isolate itself. If it is not found, the start-up line says so, and scopes opened without a guard are not seen. */
inline handleguard_status register_isolate(v8::Isolate* isolate) noexcept {
  const handleguard_reader reader = {sizeof(handleguard_reader),
                                     detail::find_level(isolate) ? detail::level : nullptr,
                                     detail::number_of_handles, detail::current_isolate};
  return handleguard_isolate_register(isolate, &reader);
}

#endif

}  // namespace handleguard

#define HANDLEGUARD_JOIN_(a, b) a##b
#define HANDLEGUARD_UNIQUE_(prefix, line) HANDLEGUARD_JOIN_(prefix, line)
#define HANDLEGUARD_GUARD_(type, isolate, name)                                              \
  static handleguard_place HANDLEGUARD_UNIQUE_(handleguard_place_, __LINE__) =               \
      HANDLEGUARD_PLACE(name);                                                               \
  const ::handleguard::type HANDLEGUARD_UNIQUE_(handleguard_guard_, __LINE__)(               \
      isolate, &HANDLEGUARD_UNIQUE_(handleguard_place_, __LINE__))

/** A turn, callback, checkpoint or scope from here to the end of the block. A scope has the name of the enclosing function. */
#define HANDLEGUARD_TURN(isolate, name) HANDLEGUARD_GUARD_(Turn, isolate, name)
#define HANDLEGUARD_CALLBACK(isolate, name) HANDLEGUARD_GUARD_(Callback, isolate, name)
#define HANDLEGUARD_CHECKPOINT(isolate, name) HANDLEGUARD_GUARD_(Checkpoint, isolate, name)
#define HANDLEGUARD_SCOPE(isolate) HANDLEGUARD_GUARD_(Scope, isolate, __func__)

#endif
