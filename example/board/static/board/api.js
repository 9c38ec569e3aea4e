// The REST API. Each request names this page's Pusher connection, which is then left out of the
// event that the request causes: the answer has told us already.

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class Api {
  #queues = new Map(); // id → the last request about that card

  constructor(board, csrfToken, socketId) {
    this.board = board;
    this.csrfToken = csrfToken;
    this.socketId = socketId; // a function: it changes with each reconnect
  }

  lists = () => this.#send("GET", `lists/?board=${this.board}`);
  cards = () => this.#send("GET", `cards/?board=${this.board}`);
  card = (id) => this.#send("GET", `cards/${id}/`);
  create = (card) => this.#send("POST", "cards/", card);
  update = (id, changes) => this.#inOrder(id, "PATCH", changes);
  remove = (id) => this.#inOrder(id, "DELETE");

  /** One request at a time for each card: browsers send several at once, in any order. */
  #inOrder(id, method, body) {
    const send = () => this.#send(method, `cards/${id}/`, body);
    const answer = (this.#queues.get(id) ?? Promise.resolve()).then(send, send);
    this.#queues.set(id, answer);
    return answer;
  }

  async #send(method, path, body) {
    const headers = { "Content-Type": "application/json", "X-CSRFToken": this.csrfToken };
    const socketId = this.socketId();
    if (socketId) headers["X-Pusher-Socket-Id"] = socketId;
    let response;
    try {
      response = await fetch(`/api/${path}`, { method, headers, body: JSON.stringify(body) });
    } catch {
      throw new ApiError("The server cannot be reached.");
    }
    if (!response.ok) throw new ApiError(await reason(response), response.status);
    return response.status === 204 ? null : response.json();
  }
}

async function reason(response) {
  if (response.status === 404) return "Somebody has deleted the card.";
  const errors = await response.json().catch(() => ({}));
  const texts = Object.values(errors).flat().filter((text) => typeof text === "string");
  return texts.join(" ") || `The server answered ${response.status}.`;
}
