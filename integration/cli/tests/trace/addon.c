// A binary add-on for a stock node: a libuv timer that calls JavaScript. Built plain it leaks, as in node's issue 16175:
// the first tick opens a handle scope and never closes it, and the others rely on it. Built with -DMENDED each tick has
// a scope of its own.

#include <node_api.h>
#include <stdlib.h>
#include <uv.h>

#define TICK_MS 2

struct ticker {
  uv_timer_t timer;
  napi_env env;
  napi_ref callback;
};

static void check(napi_status status) {
  if (status != napi_ok) {
    napi_fatal_error("ticker", NAPI_AUTO_LENGTH, "a Node-API call failed", NAPI_AUTO_LENGTH);
  }
}

static void call_javascript(struct ticker *ticker) {
  napi_value callback, global;
  check(napi_get_reference_value(ticker->env, ticker->callback, &callback));
  check(napi_get_global(ticker->env, &global));
  check(napi_call_function(ticker->env, global, callback, 0, NULL, NULL));
}

#ifdef MENDED

static void on_tick(uv_timer_t *timer) {
  struct ticker *ticker = timer->data;
  napi_handle_scope scope;
  check(napi_open_handle_scope(ticker->env, &scope));
  call_javascript(ticker);
  check(napi_close_handle_scope(ticker->env, scope));
}

#else

static void on_tick(uv_timer_t *timer) {
  call_javascript(timer->data);
}

static void on_first_tick(uv_timer_t *timer) {
  struct ticker *ticker = timer->data;
  napi_handle_scope scope;
  check(napi_open_handle_scope(ticker->env, &scope));
  call_javascript(ticker);
  uv_timer_start(timer, on_tick, TICK_MS, TICK_MS);
}

#endif

static napi_value start(napi_env env, napi_callback_info info) {
  struct ticker *ticker = calloc(1, sizeof *ticker);
  size_t count = 1;
  napi_value callback;
  uv_loop_t *loop;
  if (ticker == NULL) abort();
  ticker->env = env;
  check(napi_get_cb_info(env, info, &count, &callback, NULL, NULL));
  check(napi_create_reference(env, callback, 1, &ticker->callback));
  check(napi_get_uv_event_loop(env, &loop));
  uv_timer_init(loop, &ticker->timer);
  ticker->timer.data = ticker;
#ifdef MENDED
  uv_timer_start(&ticker->timer, on_tick, TICK_MS, TICK_MS);
#else
  uv_timer_start(&ticker->timer, on_first_tick, TICK_MS, TICK_MS);
#endif
  return NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  check(napi_create_function(env, "start", NAPI_AUTO_LENGTH, start, NULL, &function));
  check(napi_set_named_property(env, exports, "start", function));
  return exports;
}
