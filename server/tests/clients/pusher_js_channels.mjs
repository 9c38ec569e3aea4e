// pusher-js: every kind of channel, events, client events, exclusion.

import assert from "node:assert/strict";
import { collect, connect, end, once, server, settle, subscribe } from "./harness.mjs";

const one = await connect({ id: "1" });
const two = await connect({ id: "2" });

for (const name of [
  "public",
  "private-a",
  "private-encrypted-a",
  "presence-a",
  "cache-a",
  "private-cache-a",
  "private-encrypted-cache-a",
  "presence-cache-a",
]) {
  const channel = await subscribe(one, name);
  const arrived = once(channel, "order.update");
  await server.trigger(name, "order.update", { id: 7, name: "Ünïcode ☃" });
  assert.deepEqual(await arrived, { id: 7, name: "Ünïcode ☃" }, name);
}

// A late subscriber of a cache channel gets the last event, decrypted where it must be.
for (const name of ["cache-a", "private-cache-a", "private-encrypted-cache-a", "presence-cache-a"]) {
  const channel = two.subscribe(name);
  assert.deepEqual(await once(channel, "order.update"), { id: 7, name: "Ünïcode ☃" }, name);
}
const empty = two.subscribe("cache-empty");
await once(empty, "pusher:cache_miss");

// The writer's own connection is left out.
const [mine, theirs] = [await subscribe(one, "board"), await subscribe(two, "board")];
const echoes = collect(mine, "card.update");
const arrived = once(theirs, "card.update");
await server.trigger("board", "card.update", { id: 1 }, { socket_id: one.connection.socket_id });
await arrived;
await settle(one);
assert.deepEqual(echoes, []);

// Client events reach the others, with the sender's id on a presence channel.
const [from, to] = [await subscribe(one, "private-chat"), await subscribe(two, "private-chat")];
const typing = once(to, "client-typing");
const own = collect(from, "client-typing");
assert.equal(from.trigger("client-typing", { who: "one" }), true);
assert.deepEqual(await typing, { who: "one" });
const room = await subscribe(two, "presence-a");
const waved = once(room, "client-wave", { withMetadata: true });
one.channel("presence-a").trigger("client-wave", { hand: "left" });
assert.deepEqual(await waved, [{ hand: "left" }, { user_id: "1" }]);
await settle(one);
assert.deepEqual(own, []);

// An unsubscribed channel is silent.
const before = collect(mine, "card.delete");
one.unsubscribe("board");
await settle(one);
await server.trigger("board", "card.delete", {});
await settle(one);
assert.deepEqual(before, []);

// A forged authorization is refused; the connection stays.
const forger = await connect(
  { id: "9" },
  {
    channelAuthorization: {
      customHandler: (_, done) => done(null, { auth: `${process.env.KEY}:${"0".repeat(64)}` }),
    },
  },
);
const refusal = once(forger.connection, "error");
forger.subscribe("private-a");
assert.match((await refusal).data.message, /Auth value for subscription to private-a is invalid/);
assert.equal(forger.connection.state, "connected");

end();
