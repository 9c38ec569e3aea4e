// What a list shows: what is known, and over it the changes that the server has yet to agree to.

/**
 * @template T
 * @typedef {{ key: any, item: Partial<T> | null, isNew: boolean }} Draft
 *   Null hides the object. One that is not new shows as long as its object is there.
 */

/** @template T */
export class Shown {
  /** @type {readonly T[]} */
  #items = Object.freeze([]);
  /** @type {Map<any, T>} */
  #byKey = new Map();
  /** @type {Set<Draft<T>>} */
  #drafts = new Set();
  #isOld = false;

  /**
   * @param {import("./known.js").Known<T>} known
   * @param {((one: T, other: T) => number) | undefined} sort
   */
  constructor(known, sort) {
    this.known = known;
    this.sort = sort;
  }

  /** Something is known, or drafted, that was not when `items` was read. */
  changed() {
    this.#isOld = true;
  }

  get items() {
    if (!this.#isOld) return this.#items;
    this.#isOld = false;
    this.#byKey = new Map();
    for (const [key, { item }] of this.known.entries) if (item) this.#byKey.set(key, item);
    for (const draft of this.#drafts) this.#lay(draft);
    const items = [...this.#byKey.values()];
    if (this.sort) items.sort(this.sort);
    const isSame =
      items.length === this.#items.length && items.every((item, at) => item === this.#items[at]);
    if (!isSame) this.#items = Object.freeze(items);
    return this.#items;
  }

  /** @param {any} key */
  get(key) {
    void this.items;
    return this.#byKey.get(key);
  }

  /** Show a change; return what takes it back. @param {any} key @param {Partial<T> | null} item */
  draft(key = {}, item) {
    const draft = { key, item, isNew: !this.get(key) };
    this.#drafts.add(draft);
    this.changed();
    return () => {
      this.#drafts.delete(draft);
      this.changed();
    };
  }

  /** @param {Draft<T>} draft */
  #lay({ key, item, isNew }) {
    const below = this.#byKey.get(key);
    const laid = /** @type {T} */ ({ ...below, ...item });
    if (item && (below || isNew) && this.known.belongs(laid)) this.#byKey.set(key, laid);
    else this.#byKey.delete(key);
  }
}
