// One schedule: a page, other writers, and all that can go wrong between them; then rest, and a GET.

import { chance, Clock } from "./clock.js";
import { Network } from "./network.js";
import { Server } from "./server.js";

const OWN = ["create", "update", "update", "update", "state", "move", "delete", "restore"];
const OTHERS = ["create", "update", "update", "update", "delete", "state", "move", "restore", "bulk"];

/** What can happen in the schedule of a seed. */
function drawn(seed, versions) {
  const random = chance(seed);
  return {
    random,
    versions,
    rooms: random.happens(0.25) ? 2 : 1,
    areClosedListed: random.happens(0.5),
    areReadLate: random.happens(0.5),
    references: random.pick([0, 0.2]),
    duplicates: random.pick([0, 0.2]),
    eventDelay: random.pick([50, 500, 3_000]),
    requestDelay: random.pick([50, 500, 3_000]),
    failures: random.pick([0, 0, 0.15]),
    namesSocket: random.happens(0.7),
    isPaged: random.happens(0.2),
    hasFetchOne: random.happens(0.85),
    others: random.below(30),
    own: random.pick([0, 5, 15]),
    breaks: random.pick([0, 0, 2]),
    sleeps: random.pick([0, 0, 0, 1]),
    length: random.pick([2_000, 10_000]),
  };
}

/**
 * @param {number} seed
 * @param {(page: object) => { items: () => object[], save: Function, remove: Function }} makePage
 * @param {boolean} versions
 * @returns {Promise<{ page: object[], server: object[] }>} What each has at rest.
 */
export async function run(seed, makePage, versions) {
  const options = drawn(seed, versions);
  const { random } = options;
  const clock = new Clock();
  const network = new Network(options, random, clock);
  const server = new Server(options, random, (events) => network.publish(events));
  const shows = ({ room, state }) =>
    room < options.rooms && (options.areClosedListed || state === "open");
  const page = makePage({ options, channels: network.channels, shows, api: api() });

  clock.at(random.below(500), () => network.connect());
  const someTime = () => random.below(options.length);
  for (let count = options.others; count; count--) {
    clock.at(someTime(), () => server.change(random.pick(OTHERS), server.anyId()));
  }
  for (let count = options.own; count; count--) clock.at(someTime(), write);
  for (let count = options.breaks; count; count--) clock.at(someTime(), () => network.disconnect());
  for (let count = options.sleeps; count; count--) {
    clock.at(someTime(), () => network.sleep(random.below(options.length)));
  }
  clock.at(options.length * 3, () => (network.isCalm = true));
  await clock.run(random.next);
  return { page: sorted(page.items()), server: server.list(), status: page.status?.() };

  /** The API, as the page calls it. */
  function api() {
    const size = 3;
    const after = (id) => {
      const rest = server.list().filter((each) => each.id > id);
      const results = rest.slice(0, size);
      return { results, next: rest.length > size ? String(results[size - 1].id) : null };
    };
    return {
      list: (next) =>
        network.request(() => (options.isPaged ? after(Number(next ?? 0)) : server.list())),
      one: (id) => network.request(() => server.one(id)),
    };
  }

  function write() {
    const kind = random.pick(OWN);
    const socketId = options.namesSocket ? network.socketId : undefined;
    const isOptimistic = random.happens(0.5);
    const item = random.pick(page.items());
    const [id] = {
      create: [],
      restore: [server.lastDeleted],
    }[kind] ?? [item?.id];
    if (kind !== "create" && id === undefined) return;
    const gone = () => Object.assign(new Error("Not found"), { status: 404 });
    const request = () =>
      network.request(() => {
        const isThere = kind === "restore" ? server.lastDeleted === id : !id || server.one(id);
        return isThere ? (server.change(kind, id, socketId) ?? gone()) : gone();
      }, true);
    const optimistic = isOptimistic && kind !== "restore"
      ? { ...item, id: id ?? "new", value: -1, room: 0, state: "open" }
      : undefined;
    const done =
      kind === "delete"
        ? page.remove(id, request, { optimistic: isOptimistic })
        : page.save(request, { key: id, optimistic });
    done.catch(() => {});
  }
}

const sorted = (items) => [...items].sort((a, b) => a.id - b.id);

export const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);
