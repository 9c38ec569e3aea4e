// Listens to channels: their events, and whether they are subscribed.

import { pauses, statusOf } from "./requests.js";

/**
 * Bind handlers to channels of pusher-js or Laravel Echo.
 *
 * @param {any[]} channels
 * @param {Record<string, (data: any) => void>} handlers
 * @param {(subscribed: number, error?: any) => void} turned How many channels are subscribed now.
 * @param {import("./requests.js").Life} life
 */
export function listen(channels, handlers, turned, life) {
  const subscribed = new Set(channels.filter((channel) => channel.subscribed));
  for (const channel of channels) {
    const pause = pauses();
    const { connection } = channel.pusher ?? {};
    bind(channel, {
      ...handlers,
      "pusher:subscription_succeeded": () => turned(subscribed.add(channel).size),
      "pusher:subscription_error": (error) => {
        subscribed.delete(channel);
        turned(subscribed.size, error);
        retry(channel, error, pause);
      },
    });
    if (!connection) continue;
    bind(connection, {
      state_change({ current }) {
        if (current !== "connected" && subscribed.delete(channel)) turned(subscribed.size);
      },
    });
  }
  return subscribed.size;

  /** @param {any} source @param {Record<string, (data: any) => void>} listeners */
  function bind(source, listeners) {
    for (const [name, listener] of Object.entries(listeners)) {
      source.bind(name, listener);
      life.ends.add(() => source.unbind(name, listener));
    }
  }

  /**
   * pusher-js asks once whether it may subscribe, even if the network fails just then.
   *
   * @param {any} channel @param {any} error @param {() => number} pause
   */
  async function retry(channel, error, pause) {
    const status = statusOf(error);
    if (status === 0 || status === 429 || status >= 500) {
      await life.wait(pause());
      if (!life.isOver) channel.pusher?.subscribe(channel.name);
    }
  }
}
