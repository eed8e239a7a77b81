// Each handler opens a scope of its own around everything that it does.
#include "addon.h"

namespace {

class Scope {
 public:
  explicit Scope(const addon_api* api) : api_(api) { api_->open_scope(api_->host, &scope_); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { api_->close_scope(api_->host, scope_); }

 private:
  const addon_api* api_;
  addon_scope scope_ = 0;
};

void call(const addon_api* api, const char* name, const char* text, size_t length) {
  addon_value function, argument, result;
  if (api->function(api->host, name, &function) != ADDON_OK) return;
  if (api->string(api->host, text, length, &argument) != ADDON_OK) return;
  api->call(api->host, function, argument, &result);
}

}  // namespace

ADDON_EXPORT void on_timer(const addon_api* api) {
  Scope scope(api);
  call(api, "onTimer", "good_cpp", 8);
}

ADDON_EXPORT void on_close(const addon_api* api) {
  Scope outer(api);
  Scope inner(api);
  call(api, "onClose", "good_cpp", 8);
}
