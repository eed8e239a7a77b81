// An add-on of Node, where `handleguard.hpp` reads V8 by its own functions. `.ci/headers` builds and runs it.
#include <node.h>

#include <handleguard.hpp>

namespace {

using v8::Function;
using v8::FunctionCallbackInfo;
using v8::HandleScope;
using v8::Isolate;
using v8::Local;
using v8::String;
using v8::Undefined;
using v8::Value;

void call(Isolate* isolate, Local<Value> callback) {
  HANDLEGUARD_CALLBACK(isolate, "on_close");
  Local<Value> result;
  if (!callback.As<Function>()
           ->Call(isolate->GetCurrentContext(), Undefined(isolate), 0, nullptr)
           .ToLocal(&result)) {
    return;
  }
}

// Acts as an event loop whose callback opens no scope.
void bad(const FunctionCallbackInfo<Value>& info) {
  for (int pass = 0; pass < 3; pass++) {
    HANDLEGUARD_TURN(info.GetIsolate(), "event loop");
    call(info.GetIsolate(), info[0]);
  }
}

void good(const FunctionCallbackInfo<Value>& info) {
  for (int pass = 0; pass < 3; pass++) {
    HANDLEGUARD_TURN(info.GetIsolate(), "event loop");
    HandleScope scope(info.GetIsolate());
    HANDLEGUARD_SCOPE(info.GetIsolate());
    call(info.GetIsolate(), info[0]);
  }
}

// A scope without a guard: handleguard sees it by V8's own count.
void unseen(const FunctionCallbackInfo<Value>& info) {
  HANDLEGUARD_TURN(info.GetIsolate(), "event loop");
  HandleScope scope(info.GetIsolate());
  call(info.GetIsolate(), info[0]);
}

void report(const FunctionCallbackInfo<Value>& info) {
  const auto give = [](void* data, const char* text, size_t length) {
    const auto& info = *static_cast<const FunctionCallbackInfo<Value>*>(data);
    Local<String> string;
    if (String::NewFromUtf8(info.GetIsolate(), text, v8::NewStringType::kNormal,
                            static_cast<int>(length))
            .ToLocal(&string)) {
      info.GetReturnValue().Set(string);
    }
  };
  handleguard_report_to(give, const_cast<FunctionCallbackInfo<Value>*>(&info));
}

}  // namespace

NODE_MODULE_INIT() {
  (void)module;
  (void)context;
  handleguard_init("log,tick=off");
  handleguard::register_isolate(Isolate::GetCurrent());
  NODE_SET_METHOD(exports, "bad", bad);
  NODE_SET_METHOD(exports, "good", good);
  NODE_SET_METHOD(exports, "unseen", unseen);
  NODE_SET_METHOD(exports, "report", report);
}
