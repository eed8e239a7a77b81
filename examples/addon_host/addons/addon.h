// The host's table of functions, as in src/api.rs.
#ifndef ADDON_H
#define ADDON_H

#include <stddef.h>
#include <stdint.h>

typedef const void* addon_value;
typedef uint32_t addon_scope;

enum addon_status : int32_t { ADDON_OK, ADDON_ARGUMENT, ADDON_EXCEPTION, ADDON_SCOPE_MISMATCH };

struct addon_api {
  uint32_t version;
  void* host;
  addon_status (*open_scope)(void* host, addon_scope* scope);
  addon_status (*close_scope)(void* host, addon_scope scope);
  addon_status (*string)(void* host, const char* text, size_t length, addon_value* value);
  addon_status (*function)(void* host, const char* name, addon_value* value);
  addon_status (*call)(void* host, addon_value function, addon_value argument,
                       addon_value* result);
};

#define ADDON_EXPORT extern "C" __attribute__((visibility("default")))

#endif
