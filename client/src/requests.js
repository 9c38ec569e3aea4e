// Requests of a page: paged answers, pauses between tries, and what an error says.

/** A request without an answer for so long has failed. */
const PATIENCE = 30_000;

/**
 * The whole list, from all its pages.
 *
 * @param {(next?: string) => Promise<any>} fetch
 * @param {Life} life No page is asked for after its end.
 */
export async function fetchAll(fetch, life) {
  const items = [];
  const seen = new Set();
  /** @type {string | undefined} */
  let next;
  do {
    const page = await inTime(next === undefined ? fetch() : fetch(next));
    if (Array.isArray(page)) return page;
    items.push(...page.results);
    next = page.next ?? undefined;
    // A `fetch` that takes no argument would get the first page for ever.
    if (seen.has(next)) throw new Error("fetch(next) must get the page of this address.");
    seen.add(next);
  } while (next && !life.isOver);
  return items;
}

/**
 * @template T
 * @param {Promise<T>} request
 * @returns {Promise<T>}
 */
export function inTime(request) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("No answer in time.")), PATIENCE);
    Promise.resolve(request).then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** The HTTP status of an error of fetch's wrappers or axios. @param {any} error */
export const statusOf = (error) => error?.status ?? error?.response?.status;

/** For `catch`: nothing if the object is gone, or hidden from this user. @param {any} error */
export function ifGone(error) {
  if ([403, 404, 410].includes(statusOf(error))) return undefined;
  throw error;
}

/** Return what gives longer and longer pauses, in milliseconds. */
export function pauses() {
  let pause = 500;
  return () => {
    pause = Math.min(pause * 2, 30_000);
    return pause * (0.5 + Math.random() / 2); // pages that failed together come back one by one
  };
}

/** Whether a list is closed, and what ends with it. */
export class Life {
  isOver = false;
  /** @type {Set<() => void>} */
  ends = new Set();

  end() {
    this.isOver = true;
    for (const end of this.ends) end();
    this.ends.clear();
  }

  /**
   * Wait, unless it ends before; `wakes` is handed what ends the wait.
   *
   * @param {number} pause @param {(wake: () => void) => void} [wakes]
   * @returns {Promise<void>}
   */
  wait(pause, wakes) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.ends.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, pause);
      this.ends.add(wake);
      wakes?.(wake);
    });
  }
}
