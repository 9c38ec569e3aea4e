// The pages that the simulator can run: ours, and the recipes that people write without it.

import { liveList } from "../../src/index.js";

export function ours({ options, channels, shows, api }) {
  const list = liveList({
    channel: channels,
    model: "order",
    fetch: api.list,
    fetchOne: options.hasFetchOne ? api.one : undefined,
    version: options.versions ? "version" : undefined,
    belongs: shows,
  });
  return {
    items: () => list.items,
    status: () => list.status,
    save: list.save,
    remove: list.remove,
  };
}

/** A map that events and answers write into; fetched anew after each subscription. */
export function byHand({ options, channels, shows, api }) {
  const orders = new Map();
  const keep = (order) => {
    if (order.truncated) return whole(order.id);
    const known = orders.get(order.id);
    if (options.versions && known && known.version > order.version) return;
    if (shows(order)) orders.set(order.id, order);
    else orders.delete(order.id);
  };
  const whole = async (id) => {
    const order = await api.one(id).catch(() => null);
    if (order) keep(order);
  };
  const fetch = async () => {
    const list = await all(api.list).catch(() => null);
    if (!list) return;
    orders.clear();
    for (const order of list) orders.set(order.id, order);
  };
  for (const channel of channels) {
    channel.bind("order.create", keep);
    channel.bind("order.update", keep);
    channel.bind("order.delete", ({ id }) => orders.delete(id));
    channel.bind("order.invalidate", fetch);
    channel.bind("pusher:subscription_succeeded", fetch);
  }
  return {
    items: () => [...orders.values()],
    save: async (request) => keep(await request()),
    remove: async (key, request) => {
      await request();
      orders.delete(key);
    },
  };
}

/** As components do it with Echo: fetch when they are mounted, then change what events say. */
export function mounted({ channels, shows, api }) {
  let orders = [];
  const replace = (order) => {
    orders = orders.filter(({ id }) => id !== order.id);
    if (!order.truncated && shows(order)) orders.push(order);
  };
  const remove = ({ id }) => (orders = orders.filter((order) => order.id !== id));
  const fetch = () => all(api.list).then((list) => (orders = list), () => {});
  for (const channel of channels) {
    channel.bind("order.create", replace);
    channel.bind("order.update", replace);
    channel.bind("order.delete", remove);
    channel.bind("order.invalidate", fetch);
  }
  fetch();
  return {
    items: () => orders,
    save: async (request) => replace(await request()),
    remove: async (id, request) => remove(((await request()), { id })),
  };
}

async function all(list) {
  const items = [];
  for (let next; ; ) {
    const page = await list(next);
    if (Array.isArray(page)) return page;
    items.push(...page.results);
    if (!(next = page.next)) return items;
  }
}
