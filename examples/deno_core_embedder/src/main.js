import { greetAll, startWorker } from "./worker.js";

const { op_sum, op_apply, op_later } = Deno.core.ops;
const { operations, leak } = globalThis.args;

function sleep(milliseconds) {
  return new Promise((resolve) => Deno.core.createTimer(resolve, milliseconds, undefined, false, true));
}

// Fifty ops of each turn: hot loops of fast ones, strings, calls back into JavaScript, and promises.
async function turn(number) {
  let sum = 0;
  for (let i = 0; i < 30; i++) sum = op_sum(sum, i);
  greetAll(["Ada", "Grace", "Barbara", "Jean", "Radia"]);
  for (let i = 0; i < 5; i++) sum += op_apply((value) => value + number, i);
  const waits = [];
  for (let i = 0; i < 10; i++) waits.push(op_later(i));
  for (const value of await Promise.all(waits)) sum += value;
  return sum;
}

const turns = Math.ceil(operations / 50);
for (let number = 1; number <= turns; number++) {
  if (leak && number === 1) startWorker(100);
  await turn(number);
  if (number % 100 === 0) await sleep(1);
}
