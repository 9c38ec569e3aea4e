// What the scenarios share: real clients of the server that the environment names.

import Pusher from "pusher-js";
import PusherServer from "pusher";

const { HOST, PORT, APP_ID, KEY, SECRET } = process.env;

export const MASTER_KEY = "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU=";

export const server = new PusherServer({
  appId: APP_ID,
  key: KEY,
  secret: SECRET,
  host: HOST,
  port: PORT,
  useTLS: false,
  encryptionMasterKeyBase64: MASTER_KEY,
});

export const options = {
  cluster: "",
  wsHost: HOST,
  wsPort: Number(PORT),
  forceTLS: false,
  enabledTransports: ["ws"],
  disableStats: true,
};

const opened = [];

// Connect as a page would; `user` is who the app says it is.
export async function connect(user, more = {}) {
  const client = new Pusher(KEY, {
    ...options,
    channelAuthorization: {
      customHandler: ({ socketId, channelName }, done) =>
        done(null, server.authorizeChannel(socketId, channelName, member(channelName, user))),
    },
    userAuthentication: {
      customHandler: ({ socketId }, done) => done(null, server.authenticateUser(socketId, user)),
    },
    ...more,
  });
  opened.push(client);
  await once(client.connection, "connected");
  return client;
}

function member(channelName, user) {
  if (!channelName.startsWith("presence-")) return undefined;
  return { user_id: user.id, user_info: user.user_info };
}

// The next event of this name on a channel, a connection or a user, as a promise.
export function once(target, name, { withMetadata = false } = {}) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} in 5 seconds`)), 5000);
    const handler = (value, metadata) => {
      clearTimeout(timer);
      target.unbind(name, handler);
      resolve(withMetadata ? [value, metadata] : value);
    };
    target.bind(name, handler);
  });
}

export async function subscribe(client, name) {
  const channel = client.subscribe(name);
  if (!channel.subscribed) await once(channel, "pusher:subscription_succeeded");
  return channel;
}

// Everything of this name from now on.
export function collect(target, name) {
  const values = [];
  target.bind(name, (value) => values.push(value));
  return values;
}

// Whatever was on its way has arrived when an event published now has.
export async function settle(client) {
  const channel = await subscribe(client, `settle-${Math.random().toString().slice(2)}`);
  const arrived = once(channel, "settled");
  await server.trigger(channel.name, "settled", {});
  await arrived;
}

// A client that was closed by the server leaves a timer behind that would keep node waiting.
export function end() {
  for (const client of opened) client.disconnect();
  process.exit(0);
}
