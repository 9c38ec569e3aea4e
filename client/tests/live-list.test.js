// The rules of docs/in-step.md, in their order.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { liveList } from "../src/index.js";
import { Channel, order, page, questions, refused, rest } from "./page.js";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

const pass = async (milliseconds) => {
  mock.timers.tick(milliseconds);
  await rest();
};

describe("1: subscribe, then fetch", () => {
  test("the list is fetched once the channel is subscribed", async () => {
    const { channel, fetch, orders } = page();
    assert.equal(fetch.calls.length, 0);
    await channel.subscribe();
    assert.equal(orders.status, "loading");
    await fetch.answer([order(1, "a")]);
    assert.deepEqual(orders.items, [order(1, "a")]);
    assert.equal(orders.status, "live");
  });

  test("a channel that is subscribed already is enough", () => {
    const channel = new Channel();
    channel.subscribed = true;
    const { fetch } = page({ channel });
    assert.equal(fetch.calls.length, 1);
  });

  test("each subscription anew fetches anew", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    await it.channel.subscribe();
    await it.fetch.answer([order(1, "b"), order(2, "b")]);
    assert.deepEqual(it.texts, ["1 b", "2 b"]);
  });

  test("without a connection the list is fetched after a second, and says that it is offline", async () => {
    const { fetch, orders } = page();
    await pass(1_000);
    await fetch.answer([order(1, "a")]);
    assert.deepEqual([orders.items.length, orders.status], [1, "offline"]);
  });

  test("a channel that is refused is offline, and says why", async () => {
    const { channel, fetch, orders } = page();
    await channel.send("pusher:subscription_error", { status: 403 });
    await fetch.answer([]);
    assert.deepEqual([orders.status, orders.error.status], ["offline", 403]);
  });

  test("of several channels all have to be subscribed", async () => {
    const channels = [new Channel(), new Channel()];
    const { fetch } = page({ channel: channels });
    await channels[0].subscribe();
    assert.equal(fetch.calls.length, 0);
    await channels[1].subscribe();
    assert.equal(fetch.calls.length, 1);
  });

  test("of several channels one that is refused does not keep the others from being in step", async () => {
    const channels = [new Channel(), new Channel()];
    const it = page({ channel: channels });
    await channels[0].send("pusher:subscription_error", { status: 403 });
    await it.fetch.answer([]);
    await channels[1].subscribe();
    await it.fetch.answer([order(1, "missed before")]);
    assert.deepEqual(it.texts, ["1 missed before"]);
    assert.deepEqual([it.orders.status, it.orders.error.status], ["offline", 403]);
  });

  test("a connection that is lost makes the list offline", async () => {
    const channel = new Channel();
    const connection = new Channel();
    channel.pusher = { connection };
    const it = page({ channel });
    await channel.subscribe();
    await it.fetch.answer([]);
    await connection.send("state_change", { current: "connecting" });
    assert.equal(it.orders.status, "offline");
    await channel.subscribe();
    await it.fetch.answer([]);
    assert.equal(it.orders.status, "live");
  });

  test("a subscription that failed for a moment is tried again", async () => {
    const channel = new Channel();
    const subscribe = mock.fn();
    Object.assign(channel, { name: "private-orders", pusher: { subscribe } });
    page({ channel });
    await channel.send("pusher:subscription_error", { status: 0 });
    await pass(1_000);
    assert.deepEqual(subscribe.mock.calls[0].arguments, ["private-orders"]);
    await channel.send("pusher:subscription_error", { status: 403 });
    await pass(60_000);
    assert.equal(subscribe.mock.callCount(), 1);
  });
});

describe("2: one fetch, and one behind it", () => {
  test("many invalidations cause one fetch under way and one after it", async () => {
    const it = page();
    await it.ready();
    for (let count = 5; count; count--) await it.channel.send("order.invalidate");
    assert.equal(it.fetch.calls.length, 2);
    await it.fetch.answer([]);
    assert.equal(it.fetch.calls.length, 3);
    await it.fetch.answer([order(1, "a")]);
    assert.deepEqual(it.texts, ["1 a"]);
    assert.equal(it.fetch.calls.length, 3);
  });

  test("many objects in doubt are one fetch", async () => {
    const it = page();
    await it.ready();
    for (let id = 1; id < 100; id++) await it.channel.send("order.update", { id, truncated: true });
    assert.ok(it.fetchOne.calls.length <= 8);
    assert.equal(it.fetch.calls.length, 2);
  });

  test("pages are followed", async () => {
    const it = page();
    await it.channel.subscribe();
    await it.fetch.answer({ results: [order(1, "a")], next: "/orders/?page=2" });
    assert.deepEqual(it.fetch.calls, [[], ["/orders/?page=2"]]);
    await it.fetch.answer({ results: [order(2, "a")], next: null });
    assert.deepEqual(it.texts, ["1 a", "2 a"]);
  });

  test("what is on two pages is once in the list, and as it was heard", async () => {
    const it = page();
    await it.channel.subscribe();
    await it.fetch.answer({ results: [order(1, "a")], next: "/orders/?page=2" });
    await it.channel.send("order.update", order(1, "heard"));
    await it.fetch.answer({ results: [order(1, "a"), order(2, "a")], next: null });
    assert.deepEqual(it.texts, ["1 heard", "2 a"]);
  });

  test("a fetch that does not follow pages says so, and ends", async () => {
    const fetch = async () => ({ results: [], next: "/orders/?page=2" });
    const it = page({ fetch });
    await it.channel.subscribe();
    assert.match(it.orders.error.message, /fetch\(next\)/);
  });
});

describe("3: what is heard while a fetch is under way wins over it", () => {
  const asked = async (options) => {
    const it = page(options);
    await it.ready(order(1, "a", 1), order(2, "a", 1));
    it.orders.reload();
    return it;
  };

  test("an update", async () => {
    const it = await asked();
    await it.channel.send("order.update", order(1, "b"));
    await it.fetch.answer([order(1, "a"), order(2, "a")]);
    assert.deepEqual(it.texts, ["1 b", "2 a"]);
  });

  test("a create", async () => {
    const it = await asked();
    await it.channel.send("order.create", order(3, "b"));
    await it.fetch.answer([order(1, "a"), order(2, "a")]);
    assert.deepEqual(it.texts, ["1 a", "2 a", "3 b"]);
  });

  test("a deletion", async () => {
    const it = await asked();
    await it.channel.send("order.delete", { id: 1 });
    await it.fetch.answer([order(1, "a"), order(2, "a")]);
    assert.deepEqual(it.texts, ["2 a"]);
  });

  test("a newer fetch ends a deletion", async () => {
    const it = await asked();
    await it.channel.send("order.delete", { id: 1 });
    await it.fetch.answer([order(2, "a")]);
    it.orders.reload();
    await it.fetch.answer([order(1, "c"), order(2, "a")]);
    assert.deepEqual(it.texts, ["1 c", "2 a"]);
  });

  test("of two versions the higher one wins", async () => {
    const it = await asked({ version: "version" });
    await it.channel.send("order.update", order(1, "b", 2));
    await it.channel.send("order.update", order(2, "b", 2));
    await it.fetch.answer([order(1, "c", 3), order(2, "a", 1)]);
    assert.deepEqual(it.texts, ["1 c", "2 b"]);
  });
});

describe("4: versions", () => {
  test("a lower version changes nothing", async () => {
    const it = page({ version: "version" });
    await it.ready(order(1, "b", 2));
    await it.channel.send("order.update", order(1, "a", 1));
    assert.deepEqual(it.texts, ["1 b"]);
    assert.equal(it.fetchOne.calls.length, 0);
  });

  test("a deletion of what is known to be newer is asked about", async () => {
    const it = page({ version: "version" });
    await it.ready(order(1, "b", 3));
    await it.channel.send("order.delete", { id: 1, version: 2 });
    assert.deepEqual(it.texts, ["1 b"]);
    await it.fetchOne.answer(null);
    assert.deepEqual(it.texts, []);
  });

  test("data of what is deleted is asked about", async () => {
    const it = page({ version: "version" });
    await it.ready(order(1, "a", 1));
    await it.channel.send("order.delete", { id: 1, version: 1 });
    await it.channel.send("order.update", order(1, "b", 2));
    assert.deepEqual(it.texts, []);
    await it.fetchOne.answer(order(1, "b", 2));
    assert.deepEqual(it.texts, ["1 b"]);
  });

  test("a deletion is remembered across a fetch", async () => {
    const it = page({ version: "version" });
    await it.ready(order(1, "a", 1));
    await it.channel.send("order.delete", { id: 1, version: 1 });
    it.orders.reload();
    await it.fetch.answer([]);
    await pass(5_000);
    await it.channel.send("order.update", order(1, "a", 1));
    assert.deepEqual([it.texts, it.fetchOne.calls.length], [[], 1]);
  });

  test("what a list did not have a moment ago is asked about, and is not later", async () => {
    const it = page({ version: "version" });
    await it.ready();
    await it.channel.send("order.update", order(1, "late", 1));
    assert.deepEqual(it.texts, []);
    await it.fetchOne.answer(null);
    await pass(5_000);
    await it.channel.send("order.create", order(2, "new", 1));
    assert.deepEqual(it.texts, ["2 new"]);
    assert.equal(it.fetchOne.calls.length, 1);
  });
});

describe("5: duplicates change nothing", () => {
  test("the array stays the same, and nobody is called", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    const { items } = it.orders;
    const listener = mock.fn();
    it.orders.subscribe(listener);
    await it.channel.send("order.update", order(1, "a"));
    await it.channel.send("order.delete", { id: 2 });
    await it.channel.send("order.delete", { id: 2 });
    assert.equal(it.orders.items, items);
    assert.equal(listener.mock.callCount(), 0);
  });

  test("a fetch that brings nothing new keeps the array", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    const { items } = it.orders;
    it.orders.reload();
    await it.fetch.answer([order(1, "a")]);
    assert.equal(it.orders.items, items);
    assert.ok(Object.isFrozen(items));
  });
});

describe("6: who is in doubt asks", () => {
  test("a reference is asked for, again until nothing was heard meanwhile", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    await it.channel.send("order.update", { id: 1, truncated: true });
    await it.channel.send("order.update", { id: 1, truncated: true });
    assert.deepEqual(it.fetchOne.calls, [[1]]);
    await it.fetchOne.answer(order(1, "b"));
    assert.deepEqual(it.fetchOne.calls, [[1], [1]]);
    await it.fetchOne.answer(order(1, "c"));
    assert.deepEqual([it.texts, it.fetchOne.calls.length], [["1 c"], 2]);
  });

  test("a reference to what is known already is not asked for", async () => {
    const it = page({ version: "version" });
    await it.ready(order(1, "a", 2));
    await it.channel.send("order.update", { id: 1, version: 2, truncated: true });
    assert.equal(it.fetchOne.calls.length, 0);
  });

  for (const status of [403, 404, 410]) {
    test(`an object whose GET answers ${status} is gone`, async () => {
      const it = page();
      await it.ready(order(1, "a"));
      await it.channel.send("order.update", { id: 1, truncated: true });
      await it.fetchOne.fail(refused(status));
      assert.deepEqual(it.texts, []);
    });
  }

  test("without fetchOne the list is fetched", async () => {
    const it = page({ fetchOne: undefined });
    await it.ready(order(1, "a"));
    await it.channel.send("order.update", { id: 1, truncated: true });
    await it.fetch.answer([order(1, "b")]);
    assert.deepEqual([it.texts, it.fetch.calls.length], [["1 b"], 2]);
  });

  test("an event that names no object fetches the list", async () => {
    const it = page();
    await it.ready();
    await it.channel.send("order.update", { truncated: true });
    assert.equal(it.fetch.calls.length, 2);
  });
});

describe("7: own writes", () => {
  const request = questions;

  test("the answer is an item", async () => {
    const it = page();
    await it.ready();
    const saved = await it.orders.save(async () => order(1, "a"));
    assert.deepEqual(saved, order(1, "a"));
    assert.deepEqual(it.texts, ["1 a"]);
  });

  test("an answer that crosses with an event of the object is asked about", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    const patch = request();
    it.orders.save(patch, { key: 1 });
    await it.channel.send("order.update", order(1, "others"));
    await patch.answer(order(1, "own"));
    await it.fetchOne.answer(order(1, "others"));
    assert.deepEqual(it.texts, ["1 others"]);
  });

  test("an answer that crosses with a fetch is asked about", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    const patch = request();
    it.orders.save(patch, { key: 1 });
    it.orders.reload();
    await it.fetch.answer([order(1, "others, later")]);
    await patch.answer(order(1, "own"));
    await it.fetchOne.answer(order(1, "others, later"));
    assert.deepEqual(it.texts, ["1 others, later"]);
  });

  test("without versions, events of what was written here are asked about", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    await it.orders.save(async () => order(1, "own"));
    await it.channel.send("order.update", order(1, "before it"));
    assert.deepEqual(it.texts, ["1 own"]);
    await it.fetchOne.answer(order(1, "own"));
    assert.deepEqual(it.texts, ["1 own"]);
  });

  test("the own event says nothing new", async () => {
    const it = page();
    await it.ready();
    await it.orders.save(async () => order(1, "own"));
    await it.channel.send("order.create", order(1, "own"));
    await it.orders.remove(1, async () => null);
    await it.channel.send("order.delete", order(1, "own"));
    assert.deepEqual([it.texts, it.fetchOne.calls.length], [[], 0]);
  });

  test("with versions nobody needs to ask", async () => {
    const it = page({ version: "version" });
    await it.ready(order(1, "a", 1));
    const patch = request();
    it.orders.save(patch, { key: 1 });
    await it.channel.send("order.update", order(1, "others", 3));
    await patch.answer(order(1, "own", 2));
    assert.deepEqual([it.texts, it.fetchOne.calls.length], [["1 others"], 0]);
  });

  test("a write without an answer is asked about, at once and later", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    await assert.rejects(it.orders.save(() => Promise.reject(new TypeError()), { key: 1 }));
    await it.fetchOne.answer(order(1, "a"));
    await pass(5_000);
    await it.fetchOne.answer(order(1, "done after all"));
    assert.deepEqual(it.texts, ["1 done after all"]);
  });

  test("a create without an answer fetches the list", async () => {
    const it = page();
    await it.ready();
    await assert.rejects(it.orders.save(() => Promise.reject(new TypeError())));
    await rest();
    await it.fetch.answer([order(1, "done after all")]);
    assert.deepEqual(it.texts, ["1 done after all"]);
  });

  test("what the server refuses is not asked about, unless it says that the page is behind", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    await assert.rejects(it.orders.save(() => Promise.reject(refused(400)), { key: 1 }));
    assert.equal(it.fetchOne.calls.length, 0);
    await assert.rejects(it.orders.save(() => Promise.reject(refused(404)), { key: 1 }));
    await it.fetchOne.answer(null);
    assert.deepEqual(it.texts, []);
  });
});

describe("8: which objects the list shows", () => {
  const belongs = ({ text }) => text !== "closed";

  test("what does not belong leaves, and comes back when it does", async () => {
    const it = page({ belongs });
    await it.ready(order(1, "open"), order(2, "closed"));
    assert.deepEqual(it.texts, ["1 open"]);
    await it.channel.send("order.update", order(1, "closed"));
    assert.deepEqual(it.texts, []);
    await it.channel.send("order.update", order(1, "again"));
    assert.deepEqual(it.texts, ["1 again"]);
  });

  test("with several channels a deletion may be a move: it is asked about", async () => {
    const channels = [new Channel(), new Channel()];
    const it = page({ channel: channels });
    await channels[0].subscribe();
    await channels[1].subscribe();
    await it.fetch.answer([order(1, "here")]);
    await channels[1].send("order.update", order(1, "there"));
    await channels[0].send("order.delete", { id: 1 });
    assert.deepEqual(it.texts, ["1 there"]);
    await it.fetchOne.answer(order(1, "there"));
    assert.deepEqual(it.texts, ["1 there"]);
  });

  test("verbs of the project mean what `events` says", async () => {
    const it = page({ events: { closed: "delete" } });
    await it.ready(order(1, "a"));
    await it.channel.send("order.closed", { id: 1 });
    assert.deepEqual(it.texts, []);
  });

  test("a sort keeps the order", async () => {
    const it = page({ sort: (a, b) => a.text.localeCompare(b.text) });
    await it.ready(order(1, "c"), order(2, "a"));
    await it.channel.send("order.create", order(3, "b"));
    assert.deepEqual(it.texts, ["2 a", "3 b", "1 c"]);
  });

  test("a key and a version can be functions", async () => {
    const it = page({ key: ({ id }) => `order-${id}`, version: (each) => each.version });
    await it.ready(order(1, "b", 2));
    await it.channel.send("order.update", order(1, "a", 1));
    assert.equal(it.orders.get("order-1").text, "b");
  });
});

describe("9: failures", () => {
  test("a failed fetch is tried again with growing pauses, and the status says so", async () => {
    mock.method(Math, "random", () => 1);
    const it = page();
    await it.ready(order(1, "a"));
    it.orders.reload();
    for (const pause of [1_000, 2_000, 4_000]) {
      const count = it.fetch.calls.length;
      await it.fetch.fail(new TypeError("no network"));
      assert.equal(it.orders.status, "stale");
      assert.equal(it.orders.error.message, "no network");
      await pass(pause - 1);
      assert.equal(it.fetch.calls.length, count);
      await pass(1);
      assert.equal(it.fetch.calls.length, count + 1);
    }
    await it.fetch.answer([order(1, "b")]);
    assert.deepEqual([it.texts, it.orders.status, it.orders.error], [["1 b"], "live", undefined]);
    mock.restoreAll();
  });

  test("a new subscription does not wait for the pause", async () => {
    const it = page();
    await it.channel.subscribe();
    await it.fetch.fail(new TypeError());
    await it.channel.subscribe();
    assert.equal(it.fetch.calls.length, 2);
  });

  test("a fetch without an answer fails after half a minute", async () => {
    const it = page();
    await it.channel.subscribe();
    await pass(30_000);
    assert.equal(it.orders.error.message, "No answer in time.");
    await pass(1_000);
    assert.equal(it.fetch.calls.length, 2);
  });

  test("a failed question is asked again", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    await it.channel.send("order.update", { id: 1, truncated: true });
    await it.fetchOne.fail(refused(500));
    assert.deepEqual([it.orders.status, it.orders.error.status], ["stale", 500]);
    await pass(1_000);
    await it.fetchOne.answer(order(1, "b"));
    assert.deepEqual([it.texts, it.orders.status], [["1 b"], "live"]);
  });
});

test("a listener that throws keeps nothing from the others, and its error is seen", async () => {
  const it = page();
  const listener = mock.fn();
  it.orders.subscribe(() => {
    throw new Error("mine");
  });
  it.orders.subscribe(listener);
  await it.ready(order(1, "a"));
  assert.deepEqual(listener.mock.calls.at(-1).arguments, [[order(1, "a")]]);
  await assert.rejects(pass(1), /mine/);
});

describe("10: nothing after close", () => {
  test("no event, no answer, no listener, no request", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    const listener = mock.fn();
    it.orders.subscribe(listener);
    it.orders.reload();
    it.orders.close();
    assert.equal(it.channel.count, 0);
    await it.fetch.answer([order(1, "b")]);
    await it.orders.save(async () => order(2, "b"));
    await it.channel.subscribe();
    await pass(60_000);
    assert.deepEqual([it.texts, listener.mock.callCount(), it.fetch.calls.length], [["1 a"], 0, 2]);
  });
});

describe("10: nothing after close, in the middle of things", () => {
  test("no further page is asked for", async () => {
    const it = page();
    await it.channel.subscribe();
    it.orders.close();
    await it.fetch.answer({ results: [order(1, "a")], next: "/orders/?page=2" });
    assert.equal(it.fetch.calls.length, 1);
  });

  test("no draft is shown", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    it.orders.close();
    it.orders.save(questions(), { optimistic: order(1, "mine") });
    assert.deepEqual(it.texts, ["1 a"]);
  });
});

describe("optimistic writes", () => {
  test("a change shows at once, over what others change, and is taken back", async () => {
    const it = page();
    await it.ready({ id: 1, text: "a", state: "open" });
    const patch = questions();
    const saved = it.orders.save(patch, { optimistic: { id: 1, text: "mine" } });
    await it.channel.send("order.update", { id: 1, text: "theirs", state: "paid" });
    assert.deepEqual(it.orders.items, [{ id: 1, text: "mine", state: "paid" }]);
    await Promise.all([assert.rejects(saved), patch.fail(refused(400))]);
    assert.deepEqual(it.texts, ["1 theirs"]);
  });

  test("a new object shows until the server has given it a key", async () => {
    const it = page();
    await it.ready();
    const post = questions();
    it.orders.save(post, { optimistic: { id: "new-1", text: "mine" } });
    assert.deepEqual(it.texts, ["new-1 mine"]);
    await rest();
    const seen = [];
    it.orders.subscribe((items) => seen.push(items.length));
    await post.answer(order(7, "mine"));
    assert.deepEqual([it.texts, seen], [["7 mine"], [1]]);
  });

  test("an object hides at once, and is there again if it cannot be deleted", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    const remove = questions();
    const removed = it.orders.remove(1, remove, { optimistic: true });
    assert.deepEqual(it.texts, []);
    await Promise.all([assert.rejects(removed), remove.fail(refused(400))]);
    assert.deepEqual(it.texts, ["1 a"]);
  });

  test("a change of what others delete meanwhile does not bring it back", async () => {
    const it = page();
    await it.ready(order(1, "a"));
    it.orders.save(questions(), { optimistic: order(1, "mine") });
    await it.channel.send("order.delete", { id: 1 });
    assert.deepEqual(it.texts, []);
  });
});

test("a channel of Laravel Echo is the one that it wraps", async () => {
  const channel = new Channel();
  const orders = liveList({
    channel: { subscription: channel },
    model: "order",
    fetch: async () => [order(1, "a")],
  });
  await channel.subscribe();
  assert.equal(orders.get(1).text, "a");
});
