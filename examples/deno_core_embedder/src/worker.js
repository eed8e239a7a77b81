const { op_greet, op_worker_run } = Deno.core.ops;

export function greetAll(names) {
  return names.map((name) => op_greet(name));
}

export function startWorker(requests) {
  op_worker_run(function reduce(request) {
    Deno.core.print(`request ${request}\n`);
  }, requests);
}
