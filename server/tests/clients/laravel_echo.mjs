// laravel-echo 2, with its `pusher` broadcaster.

import assert from "node:assert/strict";
import Echo from "laravel-echo";
import Pusher from "pusher-js";
import { end, once, options, server } from "./harness.mjs";

function client(id) {
  return new Echo({
    broadcaster: "pusher",
    key: process.env.KEY,
    Pusher,
    ...options,
    authorizer: (channel) => ({
      authorize: (socketId, done) =>
        done(
          null,
          server.authorizeChannel(
            socketId,
            channel.name,
            channel.name.startsWith("presence-") ? { user_id: id, user_info: { id } } : undefined,
          ),
        ),
    }),
  });
}

const [one, two] = [client("1"), client("2")];

function subscribed(channel) {
  return new Promise((resolve) => channel.subscribed(resolve));
}

function heard(channel, name) {
  return new Promise((resolve) => channel.listen(name, resolve));
}

for (const kind of ["channel", "private", "encryptedPrivate"]) {
  const channel = one[kind]("orders");
  await subscribed(channel);
  const event = heard(channel, ".order.update");
  await server.trigger(channel.name, "order.update", { id: 7 });
  assert.deepEqual(await event, { id: 7 });
}

const room = one.join("room");
assert.deepEqual(await new Promise((resolve) => room.here(resolve)), [{ id: "1" }]);
const joining = new Promise((resolve) => room.joining(resolve));
const other = two.join("room");
await subscribed(other);
assert.deepEqual(await joining, { id: "2" });

const whisper = new Promise((resolve) => room.listenForWhisper("typing", resolve));
other.whisper("typing", { who: "2" });
assert.deepEqual((await whisper), { who: "2" });

const leaving = new Promise((resolve) => room.leaving(resolve));
two.leave("room");
assert.deepEqual(await leaving, { id: "2" });

one.disconnect();
two.disconnect();
end();
