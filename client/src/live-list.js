// A list that stays equal to the API's. What it does in which case: docs/in-step.md.

import { Asking } from "./asking.js";
import { listen } from "./hearing.js";
import { Known } from "./known.js";
import { Life, statusOf } from "./requests.js";
import { Shown } from "./shown.js";

/** How long to wait for the subscription before the list is fetched without it. */
const PATIENCE = 1_000;
/** The server may still be at work on a request of which the page has lost the answer. */
const AFTERMATH = 5_000;

/** @typedef {"create" | "update" | "delete" | "invalidate"} Verb */
/** @typedef {"loading" | "live" | "offline" | "stale"} Status */

/**
 * @template T
 * @typedef {object} Options
 * @property {any} channel One channel of pusher-js or Laravel Echo, or several in an array.
 * @property {string} model `"order"` hears `order.create`, `.update`, `.delete` and `.invalidate`.
 * @property {(next?: string) => Promise<readonly T[] | { results: T[], next?: string | null }>} fetch
 *   The whole list. Of a paged answer, `next` is handed to it until there is none.
 * @property {(key: any) => Promise<T | null | undefined>} [fetchOne] The object; null if it is gone,
 *   hidden or not in this list. An error with status 403, 404 or 410 says the same. Without it the
 *   list is fetched.
 * @property {string | ((data: any) => any)} [key] Default: `"id"`.
 * @property {string | ((data: any) => any)} [version] What grows with each change of an object.
 * @property {(item: T) => boolean} [belongs] Whether the list shows the object.
 * @property {(one: T, other: T) => number} [sort] Default: as fetched, what is new at the end.
 * @property {Record<string, Verb>} [events] More verbs: `{ closed: "update" }`.
 */

/**
 * @template T
 * @typedef {object} LiveList
 * @property {readonly T[]} items The same array until something changes.
 * @property {Status} status
 * @property {any} error Why it is not "live", if that is known.
 * @property {(key: any) => T | undefined} get
 * @property {(listener: (items: readonly T[]) => void) => () => void} subscribe
 *   Called after each change of items or status; returns what stops it.
 * @property {<A>(request: () => Promise<A>,
 *   options?: { key?: any, optimistic?: Partial<T> }) => Promise<A>} save
 *   The answer is the object. An update names its key, here or in `optimistic`.
 * @property {<A>(key: any, request: () => Promise<A>,
 *   options?: { optimistic?: boolean }) => Promise<A>} remove
 * @property {() => Promise<readonly T[]>} reload
 * @property {() => void} close
 */

/**
 * Keep a list equal to the API's.
 *
 *     const orders = liveList({
 *       channel: pusher.subscribe("private-orders"),
 *       model: "order",
 *       fetch: () => api.get("/orders/"),
 *       fetchOne: (id) => api.get(`/orders/${id}/`),
 *     });
 *     orders.subscribe((items) => render(items));
 *
 * @template T
 * @param {Options<T>} options
 * @returns {LiveList<T>}
 */
export function liveList(options) {
  // Echo keeps the channel of pusher-js in `subscription`.
  const channels = [options.channel].flat().map((each) => each.subscription ?? each);
  const life = new Life();
  const keyOf = reads(options.key ?? "id");
  const known = new Known(options, keyOf, reads(options.version), channels.length);
  const shown = new Shown(known, options.sort);
  const asking = new Asking(known, options, life, changed);
  const listeners = new Set();
  /** @type {any} */
  let refusal;
  /** @type {[readonly T[], Status, any]} */
  let told = [shown.items, "loading", undefined];

  let subscribed = listen(channels, handlers(), turned, life);
  if (isSubscribed()) asking.load();
  else life.wait(PATIENCE).then(() => void (asking.hasLoaded || asking.load()));

  function isSubscribed() {
    return subscribed === channels.length;
  }

  /** @param {number} count @param {any} [error] */
  function turned(count, error) {
    const isLost = count < subscribed;
    subscribed = count;
    refusal = error ?? (isSubscribed() ? undefined : refusal);
    // [1] A page does not need the connection: one that is refused is fetched as well.
    if (isSubscribed() || (refusal && !isLost)) asking.load();
    changed();
  }

  function handlers() {
    /** @type {Record<string, (data: any) => void>} */
    const handlers = {};
    /** @type {Verb[]} */
    const verbs = ["create", "update", "delete", "invalidate"];
    const own = Object.fromEntries(verbs.map((verb) => [verb, verb]));
    for (const [name, verb] of Object.entries({ ...own, ...options.events })) {
      handlers[`${options.model}.${name}`] = (data) => hear(verb, data);
    }
    return handlers;
  }

  /** @param {string} verb @param {any} data */
  function hear(verb, data) {
    const key = data && keyOf(data);
    if (verb === "invalidate" || key === undefined || key === null) asking.load();
    else if (verb === "delete") known.hearDeletion(key, data);
    else if (data.truncated) known.hearReference(key, data);
    else known.hear(key, data);
    asking.settle();
  }

  /**
   * @template A
   * @param {any} key
   * @param {Partial<T> | null | undefined} draft
   * @param {() => Promise<A>} request
   * @param {(answer: A, since: number) => void} settle
   */
  async function write(key, draft, request, settle) {
    const since = known.clock;
    const takeBack = draft === undefined || life.isOver ? () => {} : shown.draft(key, draft);
    changed();
    try {
      const answer = await request();
      if (!life.isOver) settle(answer, since);
      return answer;
    } catch (error) {
      if (!isRefusal(error)) {
        doubt(key);
        life.wait(AFTERMATH).then(() => doubt(key));
      }
      throw error;
    } finally {
      takeBack();
      asking.settle();
    }
  }

  /** This page may have written, but what? @param {any} key */
  function doubt(key) {
    if (life.isOver) return;
    if (!known.doubt(key)) asking.load(); // it is new, or was not in the list
    asking.settle();
  }

  function status() {
    if (!asking.hasLoaded) return "loading";
    if (!isSubscribed()) return "offline";
    return asking.isStale ? "stale" : "live";
  }

  const error = () => asking.error ?? refusal;

  function changed() {
    shown.changed();
    queueMicrotask(() => {
      /** @type {[readonly T[], Status, any]} */
      const now = [shown.items, status(), error()];
      if (life.isOver || now.every((part, at) => part === told[at])) return;
      told = now;
      for (const listener of listeners) {
        try {
          listener(shown.items);
        } catch (error) {
          // The others hear of it all the same, and the browser of the error.
          setTimeout(() => {
            throw error;
          }, 0);
        }
      }
    });
  }

  return {
    get items() {
      return shown.items;
    },
    get status() {
      return status();
    },
    get error() {
      return error();
    },
    get: (key) => shown.get(key),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    save(request, { optimistic, key = optimistic && keyOf(optimistic) } = {}) {
      return write(key, optimistic, request, (answer, since) => {
        const item = /** @type {any} */ (answer);
        const itsKey = item && keyOf(item);
        if (itsKey === undefined) doubt(key);
        else known.answer(itsKey, item, since);
      });
    },
    remove(key, request, { optimistic } = {}) {
      return write(key, optimistic ? null : undefined, request, (_, since) =>
        known.answer(key, undefined, since),
      );
    },
    reload: () => asking.load().then(() => shown.items),
    close: () => life.end(),
  };
}

/** Whether the server has said that nothing was written, and the page is not behind. @param {any} error */
function isRefusal(error) {
  const status = statusOf(error);
  return status >= 400 && status < 500 && ![404, 409, 410, 412].includes(status);
}

/**
 * @template {string | ((data: any) => any) | undefined} F
 * @param {F} field
 * @returns {F extends undefined ? undefined : (data: any) => any}
 */
function reads(field) {
  /** @type {any} */
  const read = typeof field === "string" ? (/** @type {any} */ data) => data[field] : field;
  return read;
}
