// The server of a schedule: a table of objects, an API over it, and events after each commit.
//
// What it promises is what docs/in-step.md asks of one: a GET sees all that was committed before
// it, an event is published after its commit, and events of a connection keep their order unless
// objects have versions. What it does not promise: that an event says the newest there is.

export class Server {
  objects = new Map();
  #deleted = [];
  #lastId = 0;

  /** @param {(events: object[]) => void} publish */
  constructor(options, random, publish) {
    Object.assign(this, { options, random, publish });
    for (let count = random.below(6); count; count--) this.#insert({});
  }

  /** What a GET of the list answers now. */
  list() {
    const all = [...this.objects.values()].filter((each) => this.#isListed(each));
    return all.sort((a, b) => a.id - b.id).map((each) => ({ ...each }));
  }

  one(id) {
    const found = this.objects.get(id);
    return found && this.#isListed(found) ? { ...found } : null;
  }

  get lastDeleted() {
    return this.#deleted.at(-1)?.id;
  }

  anyId() {
    return this.random.pick([...this.objects.keys()]);
  }

  /** Commit one change; `socketId` is left out of its events. */
  change(kind, id, socketId) {
    if (kind === "restore") return this.#restore(socketId);
    if (kind === "create") return this.#tell("create", this.#insert({}), socketId);
    if (kind === "bulk") return this.#bulk();
    const object = this.objects.get(id);
    if (!object) return null;
    if (kind === "delete") {
      this.objects.delete(id);
      this.#deleted.push(object);
      return this.#tell("delete", object, socketId);
    }
    const before = { ...object };
    object.version += 1;
    object.value = this.random.below(1000);
    if (kind === "state") object.state = object.state === "open" ? "closed" : "open";
    if (kind === "move") object.room = this.random.below(this.options.rooms + 1);
    return this.#tell("update", object, socketId, before);
  }

  #isListed({ room, state }) {
    if (room === this.options.rooms) return false; // a room of which the page hears nothing
    return this.options.areClosedListed || state === "open";
  }

  #insert(fields) {
    const id = ++this.#lastId;
    const room = this.random.below(this.options.rooms);
    const object = { id, version: 1, value: id, state: "open", room, ...fields };
    this.objects.set(id, object);
    return object;
  }

  #restore(socketId) {
    const object = this.#deleted.pop();
    if (!object) return null;
    object.version += 1;
    this.objects.set(object.id, object);
    return this.#tell("create", object, socketId);
  }

  /** A change of many, of which nothing is told but that there was one. */
  #bulk() {
    for (const object of this.objects.values()) {
      if (!this.random.happens(0.5)) continue;
      object.version += 1;
      object.value = this.random.below(1000);
    }
    const ids = [...this.objects.keys()];
    for (const id of ids) if (this.random.happens(0.1)) this.objects.delete(id);
    const rooms = [...Array(this.options.rooms).keys()];
    this.publish(rooms.map((room) => ({ room, verb: "invalidate", data: () => ({}) })));
    return null;
  }

  #tell(verb, object, socketId, before = object) {
    const events = [];
    const key = { id: object.id, version: object.version };
    const isMoved = before.room !== object.room;
    if (isMoved) events.push({ room: before.room, verb: "delete", data: () => key, socketId });
    const { version } = object;
    const isStale = verb === "delete" && version > 1 && this.random.happens(0.05);
    // Of a deletion the row may have been read before another writer's change.
    const then = { ...object, version: isStale ? version - 1 : version };
    const isReference = verb !== "delete" && this.random.happens(this.options.references);
    const reference = { ...key, truncated: true };
    const isReadLate = verb !== "delete" && this.options.areReadLate;
    const data = () => {
      const now = isReadLate ? this.objects.get(object.id) : then;
      return now && now.room === object.room ? { ...now } : null;
    };
    events.push({
      room: object.room,
      verb: isMoved && this.random.happens(0.5) ? "create" : verb,
      data: isReference ? () => reference : data,
      socketId,
    });
    if (this.random.happens(0.5)) events.reverse();
    this.publish(events.filter(({ room }) => room < this.options.rooms));
    return { ...object };
  }
}
