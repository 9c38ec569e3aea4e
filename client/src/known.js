// What a page knows of the objects of a list, and of which it is in doubt. No network, no timers.
// The numbers in brackets are the rules of docs/in-step.md.

/** How many things heard ago a deletion is still remembered, at least. */
const REMEMBERED = 10_000;
/** Milliseconds for which an event that was overtaken may be under way. */
const LATE = 5_000;

/**
 * @template T
 * @typedef {object} Entry
 * @property {number} heard When the server last spoke of the object, on the clock of this page.
 * @property {T} [item] As the server has it; nothing if it is gone or not in this list.
 * @property {any} [version]
 * @property {boolean} [isDeleted] By an event or an own request.
 * @property {boolean} [isDoubtful]
 */

/** @template T */
export class Known {
  clock = 0;
  loads = 0; // under way
  #loaded = 0; // when the last one ended, on the clock
  #loadedAt = -Infinity; // and on that of the wall
  /** @type {Map<any, Entry<T>>} */
  entries = new Map();
  #own = new Set(); // keys of what this page has written

  /**
   * @param {{ belongs?: (item: T) => boolean }} options
   * @param {(data: any) => any} keyOf
   * @param {((data: any) => any) | undefined} versionOf
   * @param {number} channels Between them an object may move.
   */
  constructor({ belongs = () => true }, keyOf, versionOf, channels) {
    this.belongs = belongs;
    this.keyOf = keyOf;
    this.versionOf = versionOf;
    this.channels = channels;
  }

  /** An event with the object's data. @param {any} key @param {T} item */
  hear(key, item) {
    const entry = this.#hear(key);
    if (isSame(item, entry.item)) return; // [5]
    if (this.versionOf) this.#compare(entry, item);
    else if (this.#own.has(key)) entry.isDoubtful = true; // [7]
    else this.#settle(entry, item);
  }

  /** An event that an object is deleted, or has left the channel. @param {any} key @param {any} data */
  hearDeletion(key, data) {
    const entry = this.#hear(key);
    const version = this.versionOf?.(data);
    if (entry.isDeleted) return; // [5]
    const isCertain = this.versionOf
      ? version >= (entry.version ?? version) && !entry.isDoubtful // never if it is missing
      : !this.#own.has(key);
    const isElsewhere = this.channels > 1 && (entry.item || entry.isDoubtful); // [8]
    if (isCertain && !isElsewhere) this.#settle(entry, undefined, version);
    else entry.isDoubtful = true;
  }

  /** An event that names the object and says no more of it. @param {any} key @param {any} data */
  hearReference(key, data) {
    const entry = this.#hear(key);
    entry.isDoubtful ||= !(this.versionOf?.(data) <= entry.version);
  }

  /**
   * This page may have written the object.
   *
   * @param {any} key
   * @returns {boolean} Whether it is one that the page knows, and is in doubt of now.
   */
  doubt(key) {
    this.#own.add(key);
    const isKnown = this.entries.has(key);
    if (isKnown) this.#hear(key).isDoubtful = true;
    return isKnown;
  }

  /**
   * The answer to a request of this page that has written.
   *
   * @param {any} key
   * @param {T | undefined} item Nothing for a deletion.
   * @param {number} since The clock when it was sent.
   */
  answer(key, item, since) {
    const before = this.#at(key);
    // [7] What was heard or fetched meanwhile may be newer or older.
    const isCrossed = before.heard > since || this.loads > 0 || this.#loaded > since;
    const entry = this.#hear(key);
    this.#own.add(key);
    if (!isCrossed) this.#settle(entry, item);
    else if (item && entry.item && this.versionOf) this.#compare(entry, item);
    else {
      entry.isDoubtful = true;
      if (item && entry.item) this.#put(entry, item); // until the server has been asked
    }
  }

  /**
   * The answer to `fetchOne`; the object stays doubtful if it may be out of date already. [6]
   *
   * @param {any} key
   * @param {T | null | undefined} item
   * @param {number} since
   */
  asked(key, item, since) {
    const entry = this.#at(key);
    if (!entry.isDoubtful) return;
    if (entry.heard <= since) this.#settle(entry, item ?? undefined);
    else if (item && this.versionOf) this.#compare(entry, item);
    else if (item) this.#put(entry, item); // newer than what it replaces
  }

  /**
   * The answer to `fetch`: the truth, but for what has been heard since it was asked. [3]
   *
   * @param {readonly T[]} items
   * @param {number} since
   */
  load(items, since) {
    const before = this.entries;
    this.entries = new Map();
    for (const item of items) {
      const key = this.keyOf(item);
      // On two pages if it moved meanwhile.
      const entry = this.entries.get(key) ?? before.get(key) ?? { heard: 0 };
      this.entries.set(key, entry);
      before.delete(key);
      if (entry.heard <= since) this.#settle(entry, item);
      else if (this.versionOf) this.#compare(entry, item);
    }
    for (const [key, entry] of before) {
      if (entry.heard <= since) this.#settle(entry);
      else if (this.versionOf && entry.item) entry.isDoubtful = true; // [4]
      const isKept = this.versionOf && entry.isDeleted && entry.heard > this.clock - REMEMBERED;
      if (entry.heard > since || isKept) this.entries.set(key, entry);
    }
    this.#loaded = ++this.clock;
    this.#loadedAt = Date.now();
  }

  /** @param {any} key */
  isDoubtful(key) {
    return Boolean(this.entries.get(key)?.isDoubtful);
  }

  doubtful() {
    return [...this.entries.keys()].filter((key) => this.isDoubtful(key));
  }

  /** @param {Entry<T>} entry @param {T} item */
  #compare(entry, item) {
    const version = this.versionOf?.(item);
    // [4] Was deleted, or is not in a list that was fetched just now: it may have come back, or
    // the data may be old.
    const isLate = entry.version === undefined && Date.now() < this.#loadedAt + LATE;
    if (version === undefined || entry.isDeleted || isLate) entry.isDoubtful = true;
    else if (!(version <= entry.version)) this.#put(entry, item);
  }

  /** @param {Entry<T>} entry @param {T} item */
  #put(entry, item) {
    if (!isSame(item, entry.item)) entry.item = this.belongs(item) ? item : undefined;
    entry.version = this.versionOf?.(item);
    entry.isDeleted = false;
  }

  /**
   * Beyond doubt: this is the object, or it is gone.
   *
   * @param {Entry<T>} entry @param {T} [item] @param {any} [version] Of a deletion.
   */
  #settle(entry, item, version = entry.version) {
    if (item) this.#put(entry, item);
    else Object.assign(entry, { item, version, isDeleted: true });
    entry.isDoubtful = false;
  }

  /** @param {any} key */
  #hear(key) {
    const entry = this.#at(key);
    entry.heard = ++this.clock;
    return entry;
  }

  /** @param {any} key @returns {Entry<T>} */
  #at(key) {
    const entry = this.entries.get(key) ?? { heard: 0 };
    this.entries.set(key, entry);
    return entry;
  }
}

/** @param {unknown} one @param {unknown} other */
const isSame = (one, other) => one === other || JSON.stringify(one) === JSON.stringify(other);
