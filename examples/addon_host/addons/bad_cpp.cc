// Two bugs that real add-ons had.
#include "addon.h"

// Returns early, and leaves its scope open: every later handle goes to it.
ADDON_EXPORT void on_timer(const addon_api* api) {
  addon_scope scope;
  addon_value function, argument, result;
  if (api->open_scope(api->host, &scope) != ADDON_OK) return;
  if (api->function(api->host, "onTimer", &function) != ADDON_OK) return;
  if (api->string(api->host, "bad_cpp", 7, &argument) != ADDON_OK) return;
  if (api->call(api->host, function, argument, &result) == ADDON_OK) return;
  api->close_scope(api->host, scope);
}

// Closes the outer scope first.
ADDON_EXPORT void on_close(const addon_api* api) {
  addon_scope outer, inner;
  addon_value argument;
  api->open_scope(api->host, &outer);
  api->open_scope(api->host, &inner);
  api->string(api->host, "bad_cpp", 7, &argument);
  api->close_scope(api->host, outer);
  api->close_scope(api->host, inner);
}
