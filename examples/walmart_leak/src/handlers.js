// What the small Node runs. `--script FILE` replaces it, and has to declare these four functions.

let open = 0;
let answered = 0;

// The server has accepted a connection.
function onConnection() {
  open += 1;
}

// The server has read a request; what is returned becomes the body of the response.
function onRequest(method, path) {
  return JSON.stringify({ method, path, open });
}

// The client has read a response.
function onResponse(status, body) {
  if (status === 200 && JSON.parse(body).method === "GET") {
    answered += 1;
  }
}

// The server has closed a connection.
function onClose() {
  open -= 1;
}
