// Time that passes only when a schedule says so, and chance that a seed decides.

export function chance(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    happens: (probability) => next() < probability,
    below: (limit) => Math.floor(next() * limit),
    between: (low, high) => low + next() * (high - low),
    pick: (values) => values[Math.floor(next() * values.length)],
  };
}

/** A queue of what happens when; the globals' timers and chance are its own while it runs. */
export class Clock {
  now = 0;
  #heap = [];
  #count = 0;

  at(time, act) {
    const entry = { time: Math.max(time, this.now), count: this.#count++, act };
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    return entry;
  }

  async run(random) {
    const { setTimeout, clearTimeout } = globalThis;
    const { random: ownRandom } = Math;
    const { now } = Date;
    globalThis.setTimeout = (act, delay = 0) => this.at(this.now + delay, act);
    globalThis.clearTimeout = (entry) => entry && (entry.act = undefined);
    Math.random = random;
    Date.now = () => this.now;
    try {
      for (let entry; (entry = this.#pop()); ) {
        if (!entry.act) continue;
        this.now = entry.time;
        entry.act();
        await new Promise(setImmediate); // all promises
      }
    } finally {
      Object.assign(globalThis, { setTimeout, clearTimeout });
      Math.random = ownRandom;
      Date.now = now;
    }
  }

  #isBefore(one, other) {
    return one.time < other.time || (one.time === other.time && one.count < other.count);
  }

  #up(at) {
    const heap = this.#heap;
    for (let above; at && this.#isBefore(heap[at], heap[(above = (at - 1) >> 1)]); at = above) {
      [heap[at], heap[above]] = [heap[above], heap[at]];
    }
  }

  #pop() {
    const heap = this.#heap;
    if (heap.length < 2) return heap.pop();
    const first = heap[0];
    heap[0] = heap.pop();
    for (let at = 0; ; ) {
      const below = [2 * at + 1, 2 * at + 2].filter((child) => child < heap.length);
      const least = below.sort((a, b) => (this.#isBefore(heap[a], heap[b]) ? -1 : 1))[0];
      if (least === undefined || this.#isBefore(heap[at], heap[least])) return first;
      [heap[at], heap[least]] = [heap[least], heap[at]];
      at = least;
    }
  }
}
