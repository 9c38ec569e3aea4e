// The official Node server library: events, batches, queries, webhooks.

import assert from "node:assert/strict";
import PusherServer from "pusher";
import { connect, end, once, server, subscribe } from "./harness.mjs";

const client = await connect({ id: "1" });
const channel = await subscribe(client, "a");
await subscribe(client, "presence-a");

const event = once(channel, "one");
const answer = await server.trigger(["a", "b"], "one", { n: 1 }, { info: "subscription_count" });
assert.deepEqual(await answer.json(), {
  channels: { a: { subscription_count: 1 }, b: { subscription_count: 0 } },
});
assert.deepEqual(await event, { n: 1 });

const batch = Promise.all([once(channel, "two"), once(channel, "three")]);
await server.triggerBatch([
  { channel: "a", name: "two", data: { n: 2 } },
  { channel: "a", name: "three", data: "text" },
]);
assert.deepEqual(await batch, [{ n: 2 }, "text"]);

const list = await server.get({
  path: "/channels",
  params: { filter_by_prefix: "presence-", info: "user_count" },
});
assert.deepEqual(await list.json(), { channels: { "presence-a": { user_count: 1 } } });
const users = await server.get({ path: "/channels/presence-a/users" });
assert.deepEqual(await users.json(), { users: [{ id: "1" }] });

const { APP_ID, KEY, HOST, PORT } = process.env;
const stranger = new PusherServer({
  appId: APP_ID,
  key: KEY,
  secret: "wrong",
  host: HOST,
  port: PORT,
  useTLS: false,
});
await assert.rejects(stranger.trigger("a", "one", {}), (error) => error.status === 401);
await assert.rejects(server.get({ path: "/channels/a/users" }), (error) => error.status === 400);

end();
