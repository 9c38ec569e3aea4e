// Asks the server: for the list, and for single objects of which the page is in doubt.
// The numbers in brackets are the rules of docs/in-step.md.

import { fetchAll, ifGone, inTime, pauses } from "./requests.js";

/** Objects that are asked for one by one; if more are in doubt, the list is fetched. */
const AT_ONCE = 8;

/** @template T */
export class Asking {
  hasLoaded = false;
  /** @type {any} */
  error;
  /** @type {Promise<void> | undefined} */
  #loading;
  #isDue = false; // one more fetch
  #asked = new Set();
  #wake = () => {};

  /**
   * @param {import("./known.js").Known<T>} known
   * @param {import("./live-list.js").Options<T>} options
   * @param {import("./requests.js").Life} life
   * @param {() => void} changed
   */
  constructor(known, { fetch, fetchOne }, life, changed) {
    this.known = known;
    this.fetch = fetch;
    this.fetchOne = fetchOne;
    this.life = life;
    this.changed = changed;
  }

  /** Whether the page is behind for a reason that it knows. */
  get isStale() {
    return Boolean(this.#loading || this.error);
  }

  /** Fetch the list: one fetch is under way, and at most one behind it. [2] */
  load() {
    this.#isDue = true;
    this.#wake();
    this.#loading ??= this.#loadAll().finally(() => {
      this.#loading = undefined;
      this.changed();
    });
    return this.#loading;
  }

  /** Ask for what is in doubt. [6] */
  settle() {
    this.changed();
    const doubtful = this.known.doubtful().filter((key) => !this.#asked.has(key));
    if (!doubtful.length || this.life.isOver) return;
    if (!this.fetchOne || this.#asked.size + doubtful.length > AT_ONCE) this.load();
    else for (const key of doubtful) this.#ask(key, this.fetchOne);
  }

  async #loadAll() {
    const pause = pauses();
    while (this.#isDue && !this.life.isOver) {
      this.#isDue = false;
      this.changed();
      if (await this.#loadOnce()) this.settle();
      else {
        this.#isDue = true; // [9]
        await this.life.wait(pause(), (wake) => (this.#wake = wake));
      }
    }
  }

  async #loadOnce() {
    const { known, life } = this;
    const since = known.clock;
    known.loads++;
    try {
      const items = await fetchAll(this.fetch, life);
      if (!life.isOver) known.load(items, since);
      this.hasLoaded = true;
      this.error = undefined;
    } catch (error) {
      this.error = error;
    }
    known.loads--;
    this.changed();
    return !this.error;
  }

  /** @param {any} key @param {(key: any) => Promise<T | null | undefined>} fetchOne */
  async #ask(key, fetchOne) {
    const { known, life } = this;
    const pause = pauses();
    this.#asked.add(key);
    while (known.isDoubtful(key) && !life.isOver) {
      const since = known.clock;
      try {
        const item = await inTime(fetchOne(key)).catch(ifGone);
        if (!life.isOver) known.asked(key, item, since);
        this.changed();
      } catch (error) {
        this.error = error;
        this.changed();
        await life.wait(pause());
      }
    }
    this.#asked.delete(key);
    if (!this.#asked.size && !this.#loading) this.error = undefined;
    this.settle();
  }
}
