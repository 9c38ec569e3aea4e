// One request for all channels that pusher-js wants to subscribe at the same time.

import { pauses } from "./requests.js";

/** Channels that the endpoint takes in one request. */
const AT_ONCE = 100;

/** @typedef {(error: Error | null, data: any) => void} Callback */
/** @typedef {{ socketId: string, channelName: string }} Wish */
/** @typedef {Wish & { callback: Callback }} Waiting */

/**
 * For `channelAuthorization` of pusher-js and Laravel Echo: ask for many channels at once.
 *
 *     new Pusher(key, {
 *       channelAuthorization: batchedAuthorization({
 *         headers: () => ({ Authorization: `Bearer ${token}` }),
 *       }),
 *     });
 *
 * @param {object} [options]
 * @param {string} [options.endpoint] Default: `/pusher/auth`.
 * @param {() => Record<string, string> | Promise<Record<string, string>>} [options.headers]
 *   Asked before each request, so that a renewed token counts.
 * @param {RequestCredentials} [options.credentials] As for `fetch`.
 */
export function batchedAuthorization({
  endpoint = "/pusher/auth",
  headers = () => ({}),
  credentials = "same-origin",
} = {}) {
  /** @type {Waiting[]} */
  let waiting = [];
  /** @type {Map<string, string>} Of each channel, the connection that asked last. */
  const latest = new Map();

  /** @param {Wish} wish @param {Callback} callback */
  function customHandler(wish, callback) {
    latest.set(wish.channelName, wish.socketId);
    waiting.push({ ...wish, callback });
    if (waiting.length > 1) return;
    setTimeout(() => {
      const all = waiting;
      waiting = [];
      for (const socketId of new Set(all.map((each) => each.socketId))) {
        const ours = all.filter((each) => each.socketId === socketId);
        while (ours.length) answer(socketId, ours.splice(0, AT_ONCE));
      }
    });
  }

  /** @param {string} socketId @param {Waiting[]} wishes */
  async function answer(socketId, wishes) {
    const pause = pauses();
    for (;;) {
      // What a newer connection has asked for again is answered there.
      wishes = wishes.filter(({ channelName }) => latest.get(channelName) === socketId);
      if (!wishes.length) return;
      const response = await post(socketId, wishes).catch(() => undefined);
      const isLost = !response || response.status === 429 || response.status >= 500;
      if (!isLost) return hand(socketId, wishes, response);
      // pusher-js asks once, and has no channel until it reconnects.
      await new Promise((resolve) => setTimeout(resolve, pause()));
    }
  }

  /** @param {string} socketId @param {Waiting[]} wishes */
  async function post(socketId, wishes) {
    const body = new URLSearchParams({ socket_id: socketId });
    wishes.forEach(({ channelName }, at) => body.append(`channel_name[${at}]`, channelName));
    return fetch(endpoint, { method: "POST", body, headers: await headers(), credentials });
  }

  /** @param {string} socketId @param {Waiting[]} wishes @param {Response} response */
  async function hand(socketId, wishes, response) {
    const answer = response.ok ? await response.json().catch(() => ({})) : {};
    for (const { channelName, callback } of wishes) {
      if (latest.get(channelName) !== socketId) continue;
      // The endpoint of earlier versions put the connection's id around the channels.
      const own = (answer[socketId] ?? answer)[channelName];
      const status = own?.status ?? response.status;
      if (own && status === 200) callback(null, own.data);
      else callback(Object.assign(new Error(`Refused with status ${status}`), { status }), null);
    }
  }

  return { customHandler };
}
