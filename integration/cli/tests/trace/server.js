// An HTTP server with the add-on named on the command line. The add-on's timer starts with the first request, so that a
// tracer can attach before. Prints its port.
'use strict';
const http = require('http');
const addon = require(require('path').resolve(process.argv[2]));

let ticks = 0;
let started = false;

function onTick() {
  ticks += 1;
}

const server = http.createServer((request, response) => {
  if (!started) {
    started = true;
    addon.start(onTick);
  }
  response.end(`${ticks}\n`);
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
