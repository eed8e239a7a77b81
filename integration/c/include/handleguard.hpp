/* handleguard for C++17: guards on top of handleguard.h. They move, do not copy, throw nothing, and need no exceptions.
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
 * Where V8's headers (v8.h) are included before this one, isolates are read by V8's own functions. */

#ifndef HANDLEGUARD_HPP
#define HANDLEGUARD_HPP

#include "handleguard.h"

#include <atomic>
#include <cstring>

namespace handleguard {

namespace detail {

/** What a token names is open as long as this lives. */
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

  /** Ends it before its time; after that, nothing is left to end. */
  handleguard_status end() noexcept {
    const Token token = token_;
    token_ = Token{};
    return End(token);
  }

  /** How its beginning went. `handleguard_last_error` has the words. */
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

/** The record of a scope. Make it right after V8's, so that it ends right before. */
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

/** Whether the library fits this header. */
inline bool abi_matches() noexcept {
  return handleguard_abi_version() == HANDLEGUARD_ABI_VERSION;
}

/* The include guards of what is used of v8.h. */
#if defined(INCLUDE_V8_ISOLATE_H_) && defined(INCLUDE_V8_LOCAL_HANDLE_H_) && \
    defined(INCLUDE_V8_PRIMITIVE_H_)

namespace detail {

inline int64_t number_of_handles(void* isolate) noexcept {
  return v8::HandleScope::NumberOfHandles(static_cast<v8::Isolate*>(isolate));
}

inline void* current_isolate() noexcept { return v8::Isolate::TryGetCurrent(); }

/** Where V8 keeps its count of open scopes, in bytes from the isolate; 0 as long as that is not known. */
inline std::atomic<size_t> level_offset{0};

inline int32_t level_at(const void* isolate, size_t offset) noexcept {
  return *reinterpret_cast<const volatile int32_t*>(static_cast<const char*>(isolate) + offset);
}

inline int64_t level(void* isolate) noexcept {
  return level_at(isolate, level_offset.load(std::memory_order_relaxed));
}

/** Whether the number there follows so many more scopes up and down, one by one. */
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

/** Finds that number, which V8 shows to nobody: a HandleScope saves V8's `next` and `limit` of the moment before as its second
 *  and third word (v8-local-handle.h), and `level` lies behind that pair in the isolate (`HandleScopeData`). What does not
 *  count scopes is passed over. It stood at byte 584 in V8 15.0 and 58272 in V8 11.3; an isolate is larger than what is looked
 *  through here, for its tables of builtins and roots alone are tens of KiB. */
inline bool find_level(v8::Isolate* isolate) noexcept {
  constexpr size_t window = 64 * 1024;
  const v8::HandleScope outer(isolate);
  /* A handle, or both words are null. */
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

/** Makes `isolate` known, which must be entered on this thread: read by V8's own functions, and its count of open scopes where
 *  this V8 keeps it. If that is not found, the start-up line says so, and scopes of code that uses no guard are not seen. */
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

/** A turn, callback or scope from here to the end of the block. A scope has the name of the function around it. */
#define HANDLEGUARD_TURN(isolate, name) HANDLEGUARD_GUARD_(Turn, isolate, name)
#define HANDLEGUARD_CALLBACK(isolate, name) HANDLEGUARD_GUARD_(Callback, isolate, name)
#define HANDLEGUARD_SCOPE(isolate) HANDLEGUARD_GUARD_(Scope, isolate, __func__)

#endif
