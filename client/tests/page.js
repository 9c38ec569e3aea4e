// A page for tests: a channel whose events a test sends, and an API whose answers it gives.

import { liveList } from "../src/index.js";

export class Channel {
  #listeners = [];
  subscribed = false;

  bind(name, listener) {
    this.#listeners.push([name, listener]);
  }

  unbind(name, listener) {
    this.#listeners = this.#listeners.filter((each) => each[0] !== name || each[1] !== listener);
  }

  get count() {
    return this.#listeners.length;
  }

  async send(name, data = {}) {
    for (const [bound, listener] of this.#listeners) if (bound === name) listener(data);
    await rest();
  }

  subscribe() {
    this.subscribed = true;
    return this.send("pusher:subscription_succeeded");
  }
}

/** Let all that is waiting for promises go on. */
export const rest = () => new Promise(setImmediate);

/** A function whose calls wait until the test answers them, the oldest first. */
export function questions() {
  const open = [];
  const ask = (...asked) =>
    new Promise((resolve, reject) => {
      ask.calls.push(asked);
      open.push({ resolve, reject });
    });
  ask.calls = [];
  ask.answer = async (answer) => {
    open.shift().resolve(answer);
    await rest();
  };
  ask.fail = async (error) => {
    open.shift().reject(error);
    await rest();
  };
  return ask;
}

/** A list over one channel, as `page.orders`; `page.texts` is what it shows. */
export function page(options = {}) {
  const channel = new Channel();
  const fetch = questions();
  const fetchOne = questions();
  const orders = liveList({ channel, model: "order", fetch, fetchOne, ...options });
  return {
    channel,
    fetch,
    fetchOne,
    orders,
    get texts() {
      return orders.items.map(({ id, text }) => `${id} ${text}`);
    },
    /** Subscribed, and the first fetch answered. */
    async ready(...items) {
      await channel.subscribe();
      await fetch.answer(items);
    },
  };
}

export const order = (id, text, version) => ({ id, text, ...(version && { version }) });

export const refused = (status) => Object.assign(new Error(`Status ${status}`), { status });
