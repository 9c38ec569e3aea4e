// The recipes of docs/frontend.md for frameworks, with the frameworks themselves.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { order, page, rest } from "./page.js";

let folder;
const recipe = (name) => import(`${folder}/${name}`);

before(() => {
  const build = new URL("../build/", import.meta.url).pathname;
  mkdirSync(build, { recursive: true });
  folder = mkdtempSync(build);
  const docs = readFileSync(new URL("../../docs/frontend.md", import.meta.url), "utf8");
  for (const [, name, code] of docs.matchAll(/```js\n\/\/ (\S+\.mjs)\n(.*?)```/gs)) {
    writeFileSync(`${folder}/${name}`, code);
  }
});

after(() => rmSync(folder, { recursive: true }));

/** A page with order 1, which becomes order 2 after `first` has looked. */
async function changing(first, then) {
  const it = page();
  await it.ready(order(1, "a"));
  const seen = await first(it.orders);
  await it.channel.send("order.update", order(1, "b"));
  await then(seen);
}

test("React renders anew what has changed", async () => {
  const { Window } = await import("happy-dom");
  const window = new Window();
  Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });
  globalThis.navigator ??= window.navigator;
  const { act, createElement } = await import("react");
  const { createRoot } = await import("react-dom/client");
  const { useLive } = await recipe("useLive.mjs");
  let renders = 0;
  const Orders = ({ orders }) => {
    renders += 1;
    return useLive(orders).map(({ id, text }) => createElement("li", { key: id }, text));
  };
  const it = page();
  await it.ready(order(1, "a"));
  const root = createRoot(document.body);
  await act(async () => root.render(createElement(Orders, { orders: it.orders })));
  assert.equal(document.body.textContent, "a");
  await act(() => it.channel.send("order.update", order(1, "b")));
  await act(() => it.channel.send("order.update", order(1, "b")));
  assert.deepEqual([document.body.textContent, renders], ["b", 2]);
  await act(async () => root.unmount());
  await window.happyDOM.close();
});

test("Vue sees what has changed, until its scope ends", async () => {
  const { effectScope } = await import("vue");
  const { useLive } = await recipe("vue.mjs");
  const scope = effectScope();
  await changing(
    async (orders) => scope.run(() => useLive(orders)),
    (items) => assert.equal(items.value[0].text, "b"),
  );
  scope.stop();
});

test("Svelte's stores have what has changed", async () => {
  const { liveStore } = await recipe("svelte.mjs");
  await changing(
    (orders) => {
      const seen = [];
      liveStore(orders).subscribe(([{ text }]) => seen.push(text));
      return seen;
    },
    (seen) => assert.deepEqual([seen[0], seen.at(-1)], ["a", "b"]),
  );
});

test("TanStack Query's cache has what has changed, and fetches when it is told to", async () => {
  const { QueryClient, QueryObserver } = await import("@tanstack/react-query");
  const { liveOrders } = await recipe("useLiveOrders.mjs");
  const client = new QueryClient();
  const it = page();
  const orders = liveOrders(client, {
    channel: it.channel,
    model: "order",
    fetch: it.fetch,
    fetchOne: it.fetchOne,
  });
  it.orders.close();
  // What useQuery does.
  const observer = new QueryObserver(client, orders.query);
  const stop = observer.subscribe(() => {});
  const data = () => observer.getCurrentResult().data?.map(({ text }) => text);
  assert.equal(data(), undefined);

  await it.channel.subscribe();
  await it.fetch.answer([order(1, "a")]);
  await rest();
  assert.deepEqual([data(), it.fetch.calls.length], [["a"], 1]);
  await it.channel.send("order.update", order(1, "b"));
  await rest();
  assert.deepEqual(data(), ["b"]);

  const invalidated = client.invalidateQueries({ queryKey: ["orders"] });
  await rest();
  await it.fetch.answer([order(1, "c")]);
  await invalidated;
  assert.deepEqual([data(), it.fetch.calls.length], [["c"], 2]);
  orders.close();
  stop();
  client.clear();
});
