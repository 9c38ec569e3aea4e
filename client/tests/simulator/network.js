// What lies between a server and a page: requests and events that are late, lost, repeated, and in
// a schedule with versions out of order; connections that break, and laptops that sleep.

export class Network {
  #isSleeping = false;
  #sleepers = [];
  #connection = 0; // grows with each; 0 is none
  #connections = 0;
  #lastArrival = 0;
  #lastPublished = 0;
  #published = [];
  #handlers = []; // of each channel: name → listeners
  #states = [];
  isCalm = false;

  constructor(options, random, clock) {
    Object.assign(this, { options, random, clock });
    const connection = {
      bind: (_, listener) => this.#states.push(listener),
      unbind: (_, listener) => (this.#states = this.#states.filter((each) => each !== listener)),
    };
    this.channels = Array.from({ length: options.rooms }, (_, room) => {
      const handlers = (this.#handlers[room] = new Map());
      return {
        subscribed: false,
        pusher: { connection, subscribe() {} },
        bind: (name, listener) => handlers.set(name, [...(handlers.get(name) ?? []), listener]),
        unbind: (name, listener) =>
          handlers.set(name, handlers.get(name).filter((each) => each !== listener)),
      };
    });
  }

  get socketId() {
    return this.#connection || undefined;
  }

  // Events

  publish(events) {
    for (const event of events) this.#published.push(event);
    if (this.random.happens(this.options.duplicates)) {
      // A sender that got no answer sends again: in the same order, up to the last.
      const count = 1 + this.random.below(4);
      const again = this.options.versions && this.random.happens(0.5)
        ? [this.random.pick(this.#published)]
        : this.#published.slice(-count);
      events = [...events, ...again];
    }
    let time = this.clock.now + this.#delay(this.options.eventDelay);
    time = this.#lastPublished = Math.max(time, this.#lastPublished);
    for (const event of events) this.clock.at(time, () => this.#reach(event));
  }

  #reach({ room, verb, data, socketId }) {
    const connection = this.#connection;
    if (!connection || socketId === connection || !this.channels[room].isReached) return;
    const said = data();
    if (said) this.#send(room, `order.${verb}`, said, connection);
  }

  #send(room, name, data, connection, mayOvertake = this.options.versions) {
    let time = this.clock.now + this.#delay(this.options.eventDelay);
    if (!mayOvertake) time = Math.max(time, this.#lastArrival);
    else time = Math.max(time, this.channels[room].since);
    if (!mayOvertake) this.#lastArrival = time;
    this.#arrive(time, () => {
      if (connection !== this.#connection) return;
      this.#emit(room, name, data);
    });
    return time;
  }

  #emit(room, name, data) {
    for (const listener of this.#handlers[room].get(name) ?? []) listener(structuredClone(data));
  }

  // Connections

  connect() {
    if (this.#connection || this.#isSleeping) return;
    const connection = (this.#connection = ++this.#connections);
    this.#lastArrival = this.clock.now;
    this.#tell("connected");
    this.channels.forEach((channel, room) => {
      this.clock.at(this.clock.now + this.#delay(500), () => {
        if (connection !== this.#connection) return;
        channel.isReached = true;
        const name = "pusher:subscription_succeeded";
        channel.since = this.#send(room, name, {}, connection, false);
      });
    });
  }

  /** Break the connection; the page notices after a while, and connects again. */
  disconnect(outage = this.#delay(3_000)) {
    if (!this.#connection) return;
    this.#connection = 0;
    for (const channel of this.channels) channel.isReached = false;
    this.#arrive(this.clock.now + this.#delay(2_000), () => {
      if (!this.#connection) this.#tell("connecting");
      this.clock.at(this.clock.now + outage, () => this.connect());
    });
  }

  #tell(current) {
    if (current === "connected") for (const channel of this.channels) channel.subscribed = false;
    for (const listener of [...this.#states]) listener({ current });
  }

  sleep(length) {
    if (this.#isSleeping) return;
    this.#isSleeping = true;
    this.clock.at(this.clock.now + this.#delay(length), () => this.disconnect());
    this.clock.at(this.clock.now + length, () => {
      this.#isSleeping = false;
      const sleepers = this.#sleepers;
      this.#sleepers = [];
      for (const wake of sleepers) this.clock.at(this.clock.now + this.random.below(50), wake);
      this.clock.at(this.clock.now + this.#delay(3_000), () => this.connect());
    });
  }

  /** Let the page have it, unless it sleeps. */
  #arrive(time, act) {
    this.clock.at(time, () => {
      if (this.#isSleeping) this.#sleepers.push(act);
      else act();
    });
  }

  // Requests

  /** @param {() => any} work What the server does with the request, at one moment. */
  request(work, isWrite = false) {
    const { random, options, clock } = this;
    const there = this.#delay(options.requestDelay);
    const isSlow = !this.isCalm && random.happens(0.05);
    const back = this.#delay(options.requestDelay) + (isSlow ? random.below(20_000) : 0);
    const fails = !this.isCalm && random.happens(options.failures);
    const how = fails ? random.below(isWrite ? 4 : 3) : -1;
    return new Promise((resolve, reject) => {
      const lose = () => reject(new TypeError("Failed to fetch"));
      if (how === 0) return this.#arrive(clock.now + there, lose); // never reached it
      if (how === 3) this.#arrive(clock.now + there, lose); // lost, before the server is done
      clock.at(clock.now + there + (how === 3 ? random.below(3_000) : 0), () => {
        const answer = how === 1 ? refused() : work();
        this.#arrive(clock.now + back, () => {
          if (how === 2) lose();
          else if (answer instanceof Error) reject(answer);
          else resolve(answer);
        });
      });
    });
  }

  #delay(most) {
    const { random } = this;
    return random.happens(0.1) ? random.below(most) : random.below(most / 10 + 1);
  }
}

const refused = () => Object.assign(new Error("Bad request"), { status: 400 });
