// The connection to the server: a WebSocket, opened again when it ends.

const SILENCE = 25_000; // the server says something every ten seconds
const PAUSE = 1_000;
const WRONG_TOKEN = 4401;
const KEY = "pusher-console-token";

const door = document.querySelector("#door");

export function open(handlers) {
  let app = "";
  let socket = null;
  let silence;

  function connect() {
    handlers.onStatus("connecting");
    const url = new URL("console/stream", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    const own = (socket = new WebSocket(url));
    own.onopen = () => own.send(JSON.stringify({ app, token: token() }));
    own.onmessage = ({ data }) => {
      if (own === socket) take(data);
    };
    own.onclose = async ({ code }) => {
      if (own !== socket) return;
      clearTimeout(silence);
      if (code === WRONG_TOKEN) await askForToken();
      else {
        handlers.onStatus("offline");
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
      if (own === socket) connect();
    };
  }

  function take(data) {
    clearTimeout(silence);
    silence = setTimeout(() => socket.close(), SILENCE);
    for (const line of data.split("\n").filter(Boolean)) {
      const message = JSON.parse(line);
      if (message.type === "hello") handlers.onStatus("live");
      handlers[message.type]?.(message);
    }
  }

  function post(body) {
    return fetch(`console/events?app=${encodeURIComponent(app)}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token()}` },
      body: JSON.stringify(body),
    });
  }

  connect();
  return {
    choose(id) {
      app = id;
      socket.close();
      connect();
    },
    post,
  };
}

function token() {
  return sessionStorage.getItem(KEY) ?? "";
}

function askForToken() {
  const input = door.querySelector("input");
  return new Promise((resolve) => {
    door.addEventListener(
      "close",
      () => {
        // Escape closes it with nothing: then it is asked for again.
        sessionStorage.setItem(KEY, input.value);
        input.value = "";
        resolve();
      },
      { once: true },
    );
    if (!door.open) door.showModal();
  });
}
