// pusher-js: it comes back when the server sends it away, and stays away when it is not wanted.

import assert from "node:assert/strict";
import Pusher from "pusher-js";
import { connect, end, once, options } from "./harness.mjs";

const stranger = new Pusher("no-such-key", options);
await once(stranger.connection, "disconnected");

const client = await connect({ id: "1" });
const channel = client.subscribe("private-a");
await once(channel, "pusher:subscription_succeeded");
const first = client.connection.socket_id;
const away = once(client.connection, "connecting");
const again = once(channel, "pusher:subscription_succeeded");
// The test sends it away when it reads this line.
console.log("ready");
await away;
await again;
assert.notEqual(client.connection.socket_id, first);

end();
