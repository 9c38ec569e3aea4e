// pusher-js: members, tabs, counts.

import assert from "node:assert/strict";
import { collect, connect, end, once, server, settle, subscribe } from "./harness.mjs";

const ada = await connect({ id: "ada", user_info: { name: "Ada" } });
const room = await subscribe(ada, "presence-room");
assert.equal(room.members.count, 1);
assert.deepEqual(room.members.me, { id: "ada", info: { name: "Ada" } });

const added = collect(room, "pusher:member_added");
const removed = collect(room, "pusher:member_removed");
const joined = once(room, "pusher:member_added");
const bea = await connect({ id: "bea", user_info: { name: "Bea" } });
const theirs = await subscribe(bea, "presence-room");
assert.deepEqual(await joined, { id: "bea", info: { name: "Bea" } });
assert.equal(theirs.members.count, 2);

const tab = await connect({ id: "bea", user_info: { name: "Bea" } });
await subscribe(tab, "presence-room");
bea.disconnect();
await settle(ada);
assert.equal(added.length, 1);
assert.deepEqual(removed, []);

const left = once(room, "pusher:member_removed");
tab.disconnect();
assert.deepEqual(await left, { id: "bea", info: { name: "Bea" } });
assert.equal(room.members.count, 1);

const counted = await subscribe(ada, "counted");
assert.equal(counted.subscription_count ?? (await once(counted, "pusher:subscription_count")).subscription_count, 1);

const info = await (await server.get({ path: "/channels/presence-room", params: { info: "user_count" } })).json();
assert.deepEqual(info, { occupied: true, user_count: 1 });

end();
