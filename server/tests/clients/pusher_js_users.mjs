// pusher-js: sign-in, a user's own events, the watchlist, termination.

import assert from "node:assert/strict";
import { connect, end, once, server } from "./harness.mjs";

async function signIn(client) {
  client.signin();
  await client.user.signinDonePromise;
  const channel = client.user.serverToUserChannel;
  if (!channel.subscribed) await once(channel, "pusher:subscription_succeeded");
}

const watcher = await connect({ id: "7", watchlist: ["8"] });
const offline = once(watcher.user.watchlist, "offline");
await signIn(watcher);
assert.equal(watcher.user.user_data.id, "7");
assert.deepEqual((await offline).user_ids, ["8"]);

const message = once(watcher.user, "hello");
await server.sendToUser("7", "hello", { text: "only you" });
assert.deepEqual(await message, { text: "only you" });

const online = once(watcher.user.watchlist, "online");
const other = await connect({ id: "8" });
await signIn(other);
assert.deepEqual((await online).user_ids, ["8"]);

const gone = once(watcher.user.watchlist, "offline");
const ended = once(other.connection, "disconnected");
await server.terminateUserConnections("8");
await ended;
assert.deepEqual((await gone).user_ids, ["8"]);
assert.equal(watcher.connection.state, "connected");

end();
