// Sends HTTP requests to a port of this machine for some seconds: `node client.js PORT SECONDS`. Half of the connections are kept.
// Prints how many requests were answered. Exits with status 1 if a request fails.
'use strict';
const http = require('http');
const [port, seconds] = process.argv.slice(2).map(Number);
const end = Date.now() + seconds * 1000;
const kept = new http.Agent({ keepAlive: true });
const fresh = new http.Agent({ keepAlive: false });
let answered = 0;

function ask(agent) {
  http.get({ port, host: '127.0.0.1', agent }, (response) => {
    response.resume();
    response.on('end', () => {
      answered += 1;
      if (Date.now() < end) ask(agent);
    });
  }).on('error', (error) => {
    console.error(`client.js: ${error.message}`);
    process.exit(1);
  });
}

for (let i = 0; i < 4; i += 1) {
  ask(kept);
  ask(fresh);
}
process.on('exit', () => console.log(answered));
